//! Tables: committed once their encrypted file is durable; what a load replaces is destroyed after.

use octroi_proto::{
    Instant, StoredTableFile, TableSchema, TableVersion, table::stored::MOST_FILES, wire::v1::entry::Record,
};

use super::{Change, ChangeError, Subject, View, own, schema::asked_only};
use crate::{
    authorise::{self as action, Permit},
    zone::load::DurableTableFile,
};

/// Adds a file's rows to a table, or puts them into the place of all that are there.
#[derive(Debug, Clone)]
pub struct CommitTable {
    /// What the rows were checked against; it must still be what is declared.
    pub schema: TableSchema,
    /// The file.
    pub file: DurableTableFile,
    /// Whether its rows take the place of all that are there.
    pub replace: bool,
}

/// A table as it stands now, and the files that are no longer of it: their keys and bytes are to be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedTable {
    /// The table.
    pub table: TableVersion,
    /// What was replaced.
    pub replaced: Vec<StoredTableFile>,
}

impl Change for CommitTable {
    type Action = action::LoadTable;
    type Outcome = CommittedTable;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, CommittedTable), ChangeError> {
        let (dataset, _) = own(&permit.target().description.id, permit, view)?;
        asked_only(&dataset)?;
        let id = dataset.description.id;
        let schema = view.schema(&id)?.ok_or(ChangeError::Absent(Subject::Table))?;
        if schema.table(self.schema.name()) != Some(&self.schema) {
            return Err(ChangeError::Redeclared);
        }
        let standing = view.table(&id, self.schema.name())?;
        let version = standing.as_ref().map_or(0, |table| table.version) + 1;
        let there = standing.map(|table| table.files).unwrap_or_default();
        let (mut files, replaced) = if self.replace { (Vec::new(), there) } else { (there, Vec::new()) };
        if files.len() >= MOST_FILES {
            return Err(ChangeError::TooManyFiles { most: MOST_FILES });
        }
        files.push(self.file.pins().clone());
        let table = TableVersion { dataset: id, table: self.schema.name().clone(), version, files, loaded: now };
        Ok((Record::Table((&table).into()), CommittedTable { table, replaced }))
    }
}

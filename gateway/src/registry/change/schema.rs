//! Schemas: what tables a sensitive dataset has.

use std::fmt;

use octroi_proto::{
    Column, ColumnName, Dataset, DatasetSchema, Instant, Isolation, Level, TableName, TableSchema, TableVersion,
    Violations, wire::v1::entry::Record,
};

use super::{Change, ChangeError, View, own, policy::joined};
use crate::authorise::{self as action, Permit};

/// Declares the tables of a sensitive dataset. Of a table that has rows, columns may become hidden, and nothing else.
/// The release policy, where there is one, must fit as before.
#[derive(Debug, Clone)]
pub struct DeclareSchema {
    /// The schema, of the permit's dataset; its revision is the register's to give.
    pub schema: DatasetSchema,
}

/// What cannot change of a table that has rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fixed {
    /// That it is there.
    Existence,
    /// Whom its rows are about: questions were audited by it.
    Subjects,
    /// That a column is there, its type, whether it may be missing, its domain; and what is hidden stays hidden.
    Column(ColumnName),
    /// A new column that old rows lack must be nullable.
    NewColumn(ColumnName),
    /// That questions run in a virtual machine alone: the keys of what is there say so.
    Isolation,
}

impl Change for DeclareSchema {
    type Action = action::DeclareSchema;
    type Outcome = DatasetSchema;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        _: Instant,
    ) -> Result<(Record, DatasetSchema), ChangeError> {
        let (dataset, _) = own(&permit.target().description.id, permit, view)?;
        asked_only(&dataset)?;
        let id = &dataset.description.id;
        if self.schema.dataset != *id {
            return Err(Violations::one("dataset", "must be the dataset that the call names").into());
        }
        let standing = view.schema(id)?;
        if let Some(standing) = &standing {
            all_kept(standing, &self.schema, &view.tables(id)?)?;
        }
        if let Some(policy) = view.policy(id)? {
            // Whether its steward may know of what it joins was asked when it was declared.
            let elsewhere = joined(&policy, view, |_| true)?;
            policy.fits(&self.schema, &elsewhere).map_err(ChangeError::PolicyUnfit)?;
        }
        let revision = standing.map_or(1, |standing| standing.revision + 1);
        let schema = self.schema.clone().revised(revision);
        Ok((Record::Schema((&schema).into()), schema))
    }
}

/// Whether all tables that have rows stay what they are, but for columns that become hidden.
///
/// # Errors
/// [`ChangeError::TableFixed`].
pub fn all_kept(standing: &DatasetSchema, next: &DatasetSchema, filled: &[TableVersion]) -> Result<(), ChangeError> {
    filled.iter().try_for_each(|version| {
        keeps(standing, next, &version.table)
            .map_err(|part| ChangeError::TableFixed { table: version.table.clone(), part })
    })
}

/// Only what never leaves lies in tables.
pub(super) fn asked_only(dataset: &Dataset) -> Result<(), ChangeError> {
    match dataset.description.level {
        Level::Sensitive => Ok(()),
        level @ (Level::Public | Level::QuasiSensitive) => Err(ChangeError::LevelUnfit { level }),
    }
}

/// Whether a table that has rows is the same to those who asked of it, and its files are still what they were.
fn keeps(standing: &DatasetSchema, next: &DatasetSchema, name: &TableName) -> Result<(), Fixed> {
    // A table with rows was declared; were it not, nothing could be said of its rows.
    let (Some(old), Some(new)) = (standing.table(name), next.table(name)) else { return Err(Fixed::Existence) };
    if (standing.isolation, next.isolation) == (Isolation::Vm, Isolation::Process) {
        return Err(Fixed::Isolation);
    }
    if old.subjects() != new.subjects() {
        return Err(Fixed::Subjects);
    }
    let changed = old.columns().iter().find(|column| !stays(column, new));
    if let Some(column) = changed {
        return Err(Fixed::Column(column.name.clone()));
    }
    // The files that are there hold neither such a column nor its key.
    match new.columns().iter().find(|column| old.column(&column.name).is_none()) {
        Some(column) => Err(Fixed::NewColumn(column.name.clone())),
        None => Ok(()),
    }
}

fn stays(old: &Column, table: &TableSchema) -> bool {
    table.column(&old.name).is_some_and(|new| {
        let unhidden = old.hidden && !new.hidden;
        !unhidden && *new == Column { hidden: new.hidden, ..old.clone() }
    })
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Existence => f.write_str("it must stay"),
            Self::Subjects => f.write_str("its `subjects` must stay"),
            Self::Column(name) => write!(f, "its column `{name}` must stay as it is, but may become hidden"),
            Self::NewColumn(name) => {
                write!(f, "its new column `{name}` is in none of its files: declare another table")
            }
            Self::Isolation => f.write_str("`isolation` must stay `vm`"),
        }
    }
}

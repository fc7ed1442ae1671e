//! What a question is about: the tables that its words can mean, as declared and as they stand.

use std::collections::{BTreeMap, BTreeSet};

use octroi_attest::{RuledTable, Rules, history::MOST_BYTES, rules::InvalidRules};
use octroi_proto::{
    DatasetId, FileId, ReleasePolicy, StoredTableFile, TableName, TableSchema, wire::v1, wire::zone as wire,
};
use prost::Message as _;
use ring::digest;

use super::Holding;
use crate::keys::FactTable;

/// The tables of a question. A table whose name is nowhere in the SQL cannot be meant by it, so its files stay away, unless
/// join keys lead to it: what was told of rows by a join is held against what is asked of them without.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    tables: Vec<Table>,
    /// Of the tables' datasets, sorted by them.
    policies: Vec<ReleasePolicy>,
    policy: [u8; 32],
}

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) dataset: DatasetId,
    pub(super) schema: TableSchema,
    /// 0 before the first load.
    pub(super) version: u64,
    pub(super) files: Vec<Placed>,
    /// Where on the disk the history of its releases lies; none, for a table about nobody.
    pub(super) history: Option<u64>,
}

/// A file and where it lies on the question's disk.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) file: StoredTableFile,
    pub(super) offset: u64,
}

/// The tables are too large for one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tables asked for are larger than one disk holds ({DISK} bytes): ask fewer at once")]
pub struct TooLarge;

impl Subject {
    /// Of these datasets, in order, what the SQL can mean.
    pub(super) fn new(holdings: Vec<(DatasetId, Holding)>, sql: &str) -> Result<Self, TooLarge> {
        let read = read(&holdings, &sql.to_ascii_lowercase());
        let policy = policy(&holdings);
        let (mut tables, mut policies): (Vec<Table>, Vec<ReleasePolicy>) = (Vec::new(), Vec::new());
        let mut offset = FIRST;
        for (dataset, holding) in holdings {
            let mut versions: BTreeMap<_, _> = holding.tables.into_iter().map(|it| (it.table.clone(), it)).collect();
            for schema in holding.schema.tables() {
                if !read.contains(&(dataset.clone(), schema.name().clone())) {
                    continue;
                }
                let (version, stored) = match versions.remove(schema.name()) {
                    Some(stands) => (stands.version, stands.files),
                    None => (0, Vec::new()),
                };
                let mut files = Vec::with_capacity(stored.len());
                for file in stored {
                    let length = file.length;
                    files.push(Placed { file, offset });
                    let end = offset.checked_add(length).and_then(|end| end.checked_next_multiple_of(ALIGNED));
                    offset = end.filter(|end| *end <= DISK).ok_or(TooLarge)?;
                }
                tables.push(Table { dataset: dataset.clone(), schema: schema.clone(), version, files, history: None });
            }
            policies.extend(holding.policy.filter(|_| tables.iter().any(|table| table.dataset == dataset)));
        }
        // Behind the files, which stay where they are while histories grow.
        for table in tables.iter_mut().filter(|table| !table.schema.subjects().is_empty()) {
            table.history = Some(offset);
            offset = offset.checked_add(HISTORY).filter(|end| *end <= DISK).ok_or(TooLarge)?;
        }
        policies.sort_by(|one, other| one.dataset().as_str().cmp(other.dataset().as_str()));
        Ok(Self { tables, policies, policy })
    }

    /// Every file with the dataset it is of, in the order of the disk.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Table, &Placed)> {
        self.tables.iter().flat_map(|table| table.files.iter().map(move |file| (table, file)))
    }

    /// The table of a file, if the question is about it.
    pub(super) fn table_of(&self, id: &FileId) -> Option<&Table> {
        self.files().find(|(_, placed)| placed.file.id == *id).map(|(table, _)| table)
    }

    /// The tables that are about subjects, sorted, and where on the disk the history of each lies.
    pub(super) fn facts(&self) -> Vec<(FactTable, u64)> {
        let facts = self.tables.iter().filter_map(|table| Some((table.fact_table(), table.history?)));
        let mut facts: Vec<_> = facts.collect();
        facts.sort_unstable();
        facts
    }

    /// What the question is held to.
    pub(super) fn rules(&self, least_subjects: u32) -> Result<Rules, InvalidRules> {
        let ruled = |table: &Table| RuledTable { dataset: table.dataset.clone(), schema: table.schema.clone() };
        Rules::new(self.tables.iter().map(ruled).collect(), self.policies.clone(), least_subjects)
    }

    /// The tables as the zone is told that they stand, in the order of the rules.
    pub(super) fn to_zone(&self) -> Vec<wire::Table> {
        self.tables.iter().map(Table::to_zone).collect()
    }

    /// The tables as the evidence names them.
    pub(super) fn queried(&self) -> Vec<v1::QueriedTable> {
        self.tables.iter().map(Table::queried).collect()
    }

    /// SHA-256 over the schemas and release policies in force.
    pub(super) fn policy(&self) -> [u8; 32] {
        self.policy
    }
}

impl Table {
    fn fact_table(&self) -> FactTable {
        FactTable { dataset: self.dataset.clone(), table: self.schema.name().clone() }
    }

    fn to_zone(&self) -> wire::Table {
        let file = |Placed { file, offset }: &Placed| wire::TableFile {
            file_id: file.id.as_bytes().to_vec(),
            aad_prefix: file.id.aad_prefix(&self.dataset, self.schema.name()),
            disk_offset: *offset,
            length: file.length,
            footer_sha256: file.footer_sha256.to_vec(),
            footer_length: file.footer_length,
            rows: file.rows,
        };
        wire::Table { version: self.version, files: self.files.iter().map(file).collect() }
    }

    fn queried(&self) -> v1::QueriedTable {
        let pins =
            self.files.iter().map(|placed| v1::StoredTableFile::from(&placed.file).encode_length_delimited_to_vec());
        v1::QueriedTable {
            dataset: self.dataset.to_string(),
            table: self.schema.name().to_string(),
            version: self.version,
            digest: sha256(pins).to_vec(),
        }
    }
}

/// The tables that are named, and those of these datasets that they lead to.
fn read(holdings: &[(DatasetId, Holding)], words: &str) -> BTreeSet<(DatasetId, TableName)> {
    let all = || holdings.iter().flat_map(|(dataset, it)| it.schema.tables().iter().map(move |table| (dataset, table)));
    let named = all().filter(|(_, table)| words.contains(table.name().as_str()));
    let mut read: BTreeSet<_> = named.map(|(dataset, table)| (dataset.clone(), table.name().clone())).collect();
    let mut next: Vec<_> = read.iter().cloned().collect();
    while let Some((dataset, table)) = next.pop() {
        let policies = holdings.iter().filter(|(of, _)| *of == dataset).filter_map(|(_, it)| it.policy.as_ref());
        for (dataset, table) in policies.flat_map(|policy| policy.joined_to(&table)) {
            let led = (dataset.clone(), table.clone());
            let held = all().any(|(of, table)| *of == led.0 && *table.name() == led.1);
            if held && read.insert(led.clone()) {
                next.push(led);
            }
        }
    }
    read
}

fn policy(holdings: &[(DatasetId, Holding)]) -> [u8; 32] {
    let declared = holdings.iter().flat_map(|(_, holding)| {
        let policy = holding.policy.as_ref().map(v1::ReleasePolicy::from).unwrap_or_default();
        // No policy has the length 0, so that nothing declared is told from everything.
        [
            v1::DatasetSchema::from(&holding.schema).encode_length_delimited_to_vec(),
            policy.encode_length_delimited_to_vec(),
        ]
    });
    sha256(declared)
}

fn sha256(parts: impl Iterator<Item = Vec<u8>>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.for_each(|part| context.update(&part));
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

/// Files begin at multiples of this, the first one behind a header of the same size.
const ALIGNED: u64 = 4096;
const FIRST: u64 = ALIGNED;
/// What is kept free for a history; a multiple of [`ALIGNED`].
const HISTORY: u64 = MOST_BYTES as u64;
/// The size that every disk of a zone claims to have.
pub(super) const DISK: u64 = 64 << 30;

#[cfg(test)]
mod tests {
    use octroi_proto::release::written::WrittenPolicy;
    use serde_json::json;

    use super::{super::tests::world, *};

    #[test]
    fn files_are_laid_out_apart_and_only_of_tables_that_are_named() {
        let (dataset, holding) =
            (world::dataset_id(), world::holding(&[("trips", &[5, 4_096, 4_097]), ("homes", &[9])]));
        let subject = Subject::new(vec![(dataset, holding)], "SELECT COUNT(*) FROM Trips").unwrap();
        let offsets: Vec<_> = subject.files().map(|(_, placed)| placed.offset).collect();
        assert_eq!(offsets, [4_096, 8_192, 12_288]);
        assert_eq!(subject.queried().len(), 1);
        assert_eq!(subject.to_zone()[0].files[2].disk_offset, 12_288);
        assert_eq!(subject.facts(), [("mobility/trips".parse().unwrap(), 20_480)]);
    }

    #[test]
    fn tables_that_join_keys_lead_to_come_along() {
        let (dataset, mut holding) = (
            world::dataset_id(),
            world::holding(&[("trips", &[5]), ("persons", &[6]), ("homes", &[7]), ("cars", &[8])]),
        );
        let leads = |table: &str, to: &str| {
            let columns = json!([{"name": "person", "role": "join-key", "to": [to]}]);
            json!({"name": table, "units": [{"column": "person", "space": "person"}], "columns": columns})
        };
        let tables = json!({"tables": [leads("trips", "persons"), leads("persons", "homes")]});
        let written: WrittenPolicy = serde_json::from_value(tables).unwrap();
        holding.policy = Some(ReleasePolicy::try_from(written.into_wire(dataset.as_str()).unwrap()).unwrap());
        let of = |sql: &str| {
            let subject = Subject::new(vec![(dataset.clone(), holding.clone())], sql).unwrap();
            subject.queried().into_iter().map(|table| table.table).collect::<Vec<_>>()
        };
        assert_eq!(of("FROM trips"), ["trips", "persons", "homes"]);
        assert_eq!(of("FROM homes"), ["homes"]);
    }

    #[test]
    fn tables_larger_than_a_disk_are_refused() {
        let most = DISK - 4_096 - HISTORY;
        let holding = world::holding(&[("trips", &[most, 1])]);
        let refused = Subject::new(vec![(world::dataset_id(), holding)], "FROM trips").unwrap_err();
        assert_eq!(refused, TooLarge);
        let holding = world::holding(&[("trips", &[most])]);
        assert!(Subject::new(vec![(world::dataset_id(), holding)], "FROM trips").is_ok());
    }

    #[test]
    fn digests_follow_the_files_and_the_schemas() {
        let subject = |lengths: &[u64]| {
            let holding = world::holding(&[("trips", lengths)]);
            Subject::new(vec![(world::dataset_id(), holding)], "trips").unwrap()
        };
        assert_eq!(subject(&[5]).queried(), subject(&[5]).queried());
        assert_ne!(subject(&[5]).queried()[0].digest, subject(&[6]).queried()[0].digest);
        assert_eq!(subject(&[5]).policy(), subject(&[6]).policy());
    }

    #[test]
    fn the_policy_digest_is_as_the_contract_says() {
        let (dataset, plain) = (world::dataset_id(), world::holding(&[("trips", &[])]));
        let policy = v1::ReleasePolicy { dataset: dataset.to_string(), revision: 7, ..v1::ReleasePolicy::default() };
        let ruled = Holding { policy: Some(policy.try_into().unwrap()), ..plain.clone() };
        let digest = |holdings: &[&Holding]| {
            let holdings = holdings.iter().map(|it| (dataset.clone(), (*it).clone())).collect();
            Subject::new(holdings, "trips").unwrap().policy()
        };
        // Said a second time, byte by byte.
        let framed = |bytes: Vec<u8>| {
            assert!(bytes.len() < 1 << 14);
            let [low, high] = [bytes.len() & 0x7f, bytes.len() >> 7].map(|part| u8::try_from(part).unwrap());
            let length = if high == 0 { vec![low] } else { vec![low | 0x80, high] };
            [length, bytes].concat()
        };
        let schema = framed(v1::DatasetSchema::from(&plain.schema).encode_to_vec());
        let rules = framed(v1::ReleasePolicy::from(ruled.policy.as_ref().unwrap()).encode_to_vec());
        assert_eq!(digest(&[&plain]), sha256([schema.clone(), vec![0]].into_iter()));
        assert_eq!(digest(&[&ruled]), sha256([schema.clone(), rules.clone()].into_iter()));
        assert_eq!(digest(&[&plain, &ruled]), sha256([schema.clone(), vec![0], schema, rules].into_iter()));
    }
}

//! The keys of one encrypted Parquet file: the footer's, one per leaf column, and what may be done with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use octroi_attest::{FileColumns, FileId, FileKeys, Key, RuledTable, rules::DeclaredDigest};
use octroi_proto::{ColumnName, DatasetId, TableName};
use prost::Message as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyError, KeyStore, at, bundle::Place, damaged};
use crate::{
    keys::wrap::{Kind, NotTheKey},
    secret_file,
};

/// The keys of one file.
#[derive(Debug)]
pub struct TableKeys {
    file: FileId,
    footer: Key,
    columns: BTreeMap<String, ColumnKey>,
    process_allowed: bool,
    declared: DeclaredDigest,
}

#[derive(Debug)]
struct ColumnKey {
    key: Key,
    hidden: bool,
}

/// Why keys of columns are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::keys) enum ColumnRefusal {
    /// The column was hidden when the file was written, or since.
    #[error("a column asked for is hidden: leave it out")]
    Hidden,
    /// The file has no such column.
    #[error("the file has no key for a column asked for")]
    Missing,
}

impl KeyStore {
    /// Draws the keys of a new file of a table, durable before they are returned.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when the file has keys.
    pub fn create_table_keys(
        &self,
        table: &RuledTable,
        file: FileId,
        process_allowed: bool,
    ) -> Result<TableKeys, KeyError> {
        let draw = || Key::generate().map_err(|_| KeyError::Random);
        let column =
            |it: &octroi_proto::Column| Ok((it.name.to_string(), ColumnKey { key: draw()?, hidden: it.hidden }));
        let columns = table.schema.columns().iter().map(column).collect::<Result<_, KeyError>>()?;
        let keys = TableKeys { file, footer: draw()?, columns, process_allowed, declared: table.declared_digest() };
        let place = self.table_place(&table.dataset, file);
        if self.create_bundle(&place, &keys.encode())? { Ok(keys) } else { Err(KeyError::Exists) }
    }

    /// The keys of a file.
    ///
    /// # Errors
    /// [`KeyError::Missing`] when it has none.
    pub fn open_table_keys(&self, dataset: &DatasetId, file: FileId) -> Result<TableKeys, KeyError> {
        let place = self.table_place(dataset, file);
        let plaintext = self.open_bundle(&place)?.ok_or(KeyError::Missing)?;
        TableKeys::decode(file, &plaintext).map_err(damaged(&place.path))
    }

    /// Destroys the keys of a file: overwritten, removed, synced. No error if there are none.
    ///
    /// # Errors
    /// [`KeyError::File`]: they may still be there; try again.
    pub fn destroy_table_keys(&self, dataset: &DatasetId, file: FileId) -> Result<(), KeyError> {
        Ok(secret_file::shred(&self.table_place(dataset, file).path)?)
    }

    /// Marks a column of a table, whose key is then given for no file of it; durable when this returns. Nothing takes the
    /// mark away: a table that has rows never shows again what it hid.
    ///
    /// # Errors
    /// [`KeyError`]: it may not be marked; try again.
    pub fn hide(&self, dataset: &DatasetId, table: &TableName, column: &ColumnName) -> Result<(), KeyError> {
        self.name(&self.mark(dataset, table.as_str(), column.as_str()), b"hidden\n").map(|_| ())
    }

    /// Whether one of these columns was marked since the table was loaded.
    pub(in crate::keys) fn hides_any(&self, table: &RuledTable, columns: &BTreeSet<String>) -> Result<bool, KeyError> {
        for column in columns {
            let mark = self.mark(&table.dataset, table.name().as_str(), column);
            // What cannot be looked for is not taken for absent.
            if mark.try_exists().map_err(at(&mark))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names of tables and columns have no dot; columns asked for are of the table by then.
    fn mark(&self, dataset: &DatasetId, table: &str, column: &str) -> PathBuf {
        self.folder.join("hidden").join(dataset.as_str()).join(format!("{table}.{column}"))
    }

    fn table_place<'a>(&self, dataset: &'a DatasetId, file: FileId) -> Place<'a> {
        let path = self.folder.join("tables").join(dataset.as_str()).join(file.to_string());
        Place { path, kind: Kind::Table, dataset, id: *file.as_bytes() }
    }
}

impl TableKeys {
    /// Whether a process sandbox may have them.
    pub fn process_allowed(&self) -> bool {
        self.process_allowed
    }

    /// The table as it was declared to the load, whatever was hidden.
    pub(in crate::keys) fn declared(&self) -> DeclaredDigest {
        self.declared
    }

    /// Whether all that was hidden at the load is hidden in this declaration of the same table.
    pub(in crate::keys) fn hides_no_more_than(&self, table: &RuledTable) -> bool {
        let shown = table.schema.columns().iter().filter(|column| !column.hidden);
        let hidden = |name: &str| self.columns.get(name).is_none_or(|column| column.hidden);
        shown.into_iter().all(|column| !hidden(column.name.as_str()))
    }

    /// All keys, for the one load that writes the file.
    pub(in crate::keys) fn for_writing(&self) -> FileKeys {
        let columns = self.columns.iter().map(|(name, column)| (name.clone(), column.key.clone()));
        FileKeys { file_id: self.file, footer: self.footer.clone(), columns: columns.collect() }
    }

    /// The keys of these columns, none of which may be hidden.
    pub(in crate::keys) fn of(&self, asked: &FileColumns) -> Result<FileKeys, ColumnRefusal> {
        let column = |name: &String| match self.columns.get(name) {
            None => Err(ColumnRefusal::Missing),
            Some(ColumnKey { hidden: true, .. }) => Err(ColumnRefusal::Hidden),
            Some(ColumnKey { key, hidden: false }) => Ok((name.clone(), key.clone())),
        };
        let columns = asked.columns.iter().map(column).collect::<Result<_, _>>()?;
        Ok(FileKeys { file_id: self.file, footer: self.footer.clone(), columns })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let column = |(name, column): (&String, &ColumnKey)| ColumnRecord {
            name: name.clone(),
            key: column.key.expose().to_vec(),
            hidden: column.hidden,
        };
        let record = Record {
            footer_key: self.footer.expose().to_vec(),
            columns: self.columns.iter().map(column).collect(),
            process_allowed: self.process_allowed,
            declared: self.declared.as_bytes().to_vec(),
        };
        // Of its full length from the start, so that it is never moved.
        Zeroizing::new(record.encode_to_vec())
    }

    fn decode(file: FileId, plaintext: &[u8]) -> Result<Self, NotTheKey> {
        let record = Record::decode(plaintext).map_err(|_| NotTheKey)?;
        let key = |bytes: &[u8]| Key::try_from(bytes).map_err(|_| NotTheKey);
        let column = |column: &ColumnRecord| {
            Ok((column.name.clone(), ColumnKey { key: key(&column.key)?, hidden: column.hidden }))
        };
        Ok(Self {
            file,
            footer: key(&record.footer_key)?,
            columns: record.columns.iter().map(column).collect::<Result<_, NotTheKey>>()?,
            process_allowed: record.process_allowed,
            declared: record.declared.as_slice().try_into().map_err(|_| NotTheKey)?,
        })
    }
}

/// What the file seals; erased when dropped.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct Record {
    #[prost(bytes = "vec", tag = "1")]
    footer_key: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    columns: Vec<ColumnRecord>,
    #[prost(bool, tag = "3")]
    process_allowed: bool,
    #[prost(bytes = "vec", tag = "4")]
    declared: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct ColumnRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bool, tag = "3")]
    hidden: bool,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.footer_key.zeroize();
    }
}

impl Drop for ColumnRecord {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

#[cfg(test)]
pub(in crate::keys) mod tests {
    use std::fs;

    use octroi_proto::wire::v1;
    use proptest::prelude::*;

    use super::*;
    use crate::keys::store::tests::{reopen, store};

    /// `people` of this dataset, about `foyer`, with these strings besides, each hidden or not.
    pub(in crate::keys) fn table(dataset: &str, columns: &[(&str, bool)]) -> RuledTable {
        let column = |(name, hidden): &(&str, bool)| v1::Column {
            name: (*name).to_owned(),
            r#type: v1::ColumnType::String.into(),
            hidden: *hidden,
            ..v1::Column::default()
        };
        let schema = v1::TableSchema {
            name: "people".to_owned(),
            columns: [("foyer", false)].iter().chain(columns).map(column).collect(),
            subjects: vec!["foyer".to_owned()],
            public: false,
        };
        RuledTable::parse(dataset, Some(schema)).unwrap()
    }

    fn census(columns: &[(&str, bool)]) -> RuledTable {
        table("recensement", columns)
    }

    fn asked(names: &[&str]) -> FileColumns {
        FileColumns { file_id: [1; 16].into(), columns: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn keys_of_a_file_are_drawn_once_open_after_a_restart_and_can_be_destroyed() {
        let (folder, store) = store();
        let (table, file) = (census(&[("age", false), ("nom", true)]), FileId::from([1; 16]));
        let dataset = table.dataset.clone();
        let made = store.create_table_keys(&table, file, true).unwrap();
        assert!(matches!(store.create_table_keys(&table, file, true), Err(KeyError::Exists)));
        drop(store);
        let store = reopen(&folder);
        let opened = store.open_table_keys(&dataset, file).unwrap();
        assert_eq!(opened.for_writing(), made.for_writing());
        assert!(opened.process_allowed());
        assert_eq!(opened.declared(), table.declared_digest());
        let keys = opened.for_writing();
        assert_ne!(keys.footer, keys.columns["age"]);
        assert_ne!(keys.columns["nom"], keys.columns["age"]);
        store.destroy_table_keys(&dataset, file).unwrap();
        store.destroy_table_keys(&dataset, file).unwrap();
        assert!(matches!(store.open_table_keys(&dataset, file), Err(KeyError::Missing)));
        assert_eq!(fs::read_dir(folder.path().join("tables/recensement")).unwrap().count(), 0);
    }

    #[test]
    fn a_hidden_columns_key_is_given_to_the_load_alone() {
        let (_folder, store) = store();
        let table = census(&[("age", false), ("nom", true)]);
        let keys = store.create_table_keys(&table, FileId::from([1; 16]), false).unwrap();
        assert!(keys.for_writing().columns.contains_key("nom"));
        assert_eq!(keys.of(&asked(&["age", "nom"])), Err(ColumnRefusal::Hidden));
        assert_eq!(keys.of(&asked(&["age", "rue"])), Err(ColumnRefusal::Missing));
        assert_eq!(keys.of(&asked(&["age"])).unwrap().columns["age"], keys.for_writing().columns["age"]);
        assert!(keys.of(&asked(&[])).unwrap().columns.is_empty());
    }

    #[test]
    fn what_is_hidden_at_the_load_must_stay_hidden_and_more_may_be() {
        let (_folder, store) = store();
        let at_load = census(&[("age", false), ("nom", true)]);
        let keys = store.create_table_keys(&at_load, FileId::from([1; 16]), false).unwrap();
        for (columns, holds) in [
            ([("age", false), ("nom", true)], true),
            ([("age", true), ("nom", true)], true),
            ([("age", false), ("nom", false)], false),
            ([("age", true), ("nom", false)], false),
        ] {
            assert_eq!(keys.hides_no_more_than(&census(&columns)), holds, "{columns:?}");
        }
        assert!(!keys.hides_no_more_than(&census(&[("rue", false)])), "what it does not know it does not show");
    }

    #[test]
    fn a_column_is_hidden_for_good_in_its_table_alone() {
        let (folder, store) = store();
        let (ours, theirs) = (census(&[("age", false)]), table("hospital", &[("age", false)]));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert!(!store.hides_any(&ours, &names(&["age", "foyer"])).unwrap());
        for _ in 0..2 {
            store.hide(&ours.dataset, ours.name(), &"age".parse().unwrap()).unwrap();
        }
        drop(store);
        let store = reopen(&folder);
        assert!(store.hides_any(&ours, &names(&["foyer", "age"])).unwrap());
        assert!(!store.hides_any(&ours, &names(&["foyer"])).unwrap());
        assert!(!store.hides_any(&theirs, &names(&["age"])).unwrap());
        // Emptied or damaged, the mark still says what it says.
        fs::write(folder.path().join("hidden/recensement/people.age"), b"").unwrap();
        assert!(store.hides_any(&ours, &names(&["age"])).unwrap());
    }

    #[test]
    fn no_key_lies_in_clear_and_the_widest_table_fits() {
        let (folder, store) = store();
        let file = FileId::from([1; 16]);
        let names: Vec<_> = (1..octroi_proto::table::MOST_COLUMNS).map(|index| format!("c{index:0>62}")).collect();
        let wide = census(&names.iter().map(|name| (name.as_str(), name.ends_with('0'))).collect::<Vec<_>>());
        let keys = store.create_table_keys(&wide, file, false).unwrap().for_writing();
        assert_eq!(store.open_table_keys(&wide.dataset, file).unwrap().for_writing(), keys);
        let bytes = fs::read(folder.path().join("tables/recensement").join(file.to_string())).unwrap();
        let first = &keys.columns.values().next().unwrap().expose()[..8];
        assert!(!bytes.windows(8).any(|window| window == first || window == &keys.footer.expose()[..8]));
    }

    #[test]
    fn keys_put_in_anothers_place_are_refused() {
        let (folder, store) = store();
        let (ours, theirs) = (census(&[]), table("hospital", &[]));
        let [one, two] = [[1; 16], [2; 16]].map(FileId::from);
        for (table, file) in [(&ours, one), (&ours, two), (&theirs, one)] {
            store.create_table_keys(table, file, false).unwrap();
        }
        let path = |table: &RuledTable, file: FileId| {
            folder.path().join("tables").join(table.dataset.as_str()).join(file.to_string())
        };
        for (table, file) in [(&ours, two), (&theirs, one)] {
            fs::copy(path(table, file), path(&ours, one)).unwrap();
            assert!(matches!(store.open_table_keys(&ours.dataset, one), Err(KeyError::Damaged { .. })));
        }
    }

    #[test]
    fn any_damage_to_the_file_is_refused() {
        let (folder, store) = store();
        let (table, file) = (census(&[("age", false)]), FileId::from([1; 16]));
        store.create_table_keys(&table, file, false).unwrap();
        let path = folder.path().join("tables/recensement").join(file.to_string());
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            let opened = store.open_table_keys(&table.dataset, file);
            // A change of the wrapping key's version names a dataset key that there is not.
            assert!(matches!(opened, Err(KeyError::Damaged { .. } | KeyError::Missing)), "{at}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(store.open_table_keys(&table.dataset, file).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            let _ = TableKeys::decode([1; 16].into(), &bytes);
        }
    }
}

//! The keys of one encrypted Parquet file: the footer's, one per leaf column, and what may be done with them.

use std::collections::BTreeMap;

use octroi_attest::{FileColumns, FileId, FileKeys, Key};
use octroi_proto::DatasetId;
use prost::Message as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyError, KeyStore, bundle::Place, damaged};
use crate::{
    keys::{
        wrap::{Kind, NotTheKey},
        zone::NewColumn,
    },
    secret_file,
};

/// The keys of one file.
#[derive(Debug)]
pub struct TableKeys {
    file: FileId,
    footer: Key,
    columns: BTreeMap<String, ColumnKey>,
    process_allowed: bool,
}

#[derive(Debug)]
struct ColumnKey {
    key: Key,
    hidden: bool,
}

/// Why keys of columns are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::keys) enum ColumnRefusal {
    /// The column was hidden when the file was written.
    #[error("a column asked for is hidden: leave it out")]
    Hidden,
    /// The file has no such column.
    #[error("the file has no key for a column asked for")]
    Missing,
}

impl KeyStore {
    /// Draws the keys of a new file, durable before they are returned.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when the file has keys.
    pub fn create_table_keys(
        &self,
        dataset: &DatasetId,
        file: FileId,
        columns: &[NewColumn],
        process_allowed: bool,
    ) -> Result<TableKeys, KeyError> {
        let draw = || Key::generate().map_err(|_| KeyError::Random);
        let column = |column: &NewColumn| Ok((column.name.clone(), ColumnKey { key: draw()?, hidden: column.hidden }));
        let columns = columns.iter().map(column).collect::<Result<_, KeyError>>()?;
        let keys = TableKeys { file, footer: draw()?, columns, process_allowed };
        let place = self.table_place(dataset, file);
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
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::keys::store::tests::{reopen, store};

    fn columns(names: &[(&str, bool)]) -> Vec<NewColumn> {
        names.iter().map(|(name, hidden)| NewColumn { name: (*name).to_owned(), hidden: *hidden }).collect()
    }

    fn asked(names: &[&str]) -> FileColumns {
        FileColumns { file_id: [1; 16].into(), columns: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn keys_of_a_file_are_drawn_once_open_after_a_restart_and_can_be_destroyed() {
        let (folder, store) = store();
        let (dataset, file) = ("recensement".parse().unwrap(), FileId::from([1; 16]));
        let made = store.create_table_keys(&dataset, file, &columns(&[("age", false), ("nom", true)]), true).unwrap();
        assert!(matches!(store.create_table_keys(&dataset, file, &[], true), Err(KeyError::Exists)));
        drop(store);
        let store = reopen(&folder);
        let opened = store.open_table_keys(&dataset, file).unwrap();
        assert_eq!(opened.for_writing(), made.for_writing());
        assert!(opened.process_allowed());
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
        let (dataset, file) = ("recensement".parse().unwrap(), FileId::from([1; 16]));
        let keys = store.create_table_keys(&dataset, file, &columns(&[("age", false), ("nom", true)]), false).unwrap();
        assert!(keys.for_writing().columns.contains_key("nom"));
        assert_eq!(keys.of(&asked(&["age", "nom"])), Err(ColumnRefusal::Hidden));
        assert_eq!(keys.of(&asked(&["age", "rue"])), Err(ColumnRefusal::Missing));
        assert_eq!(keys.of(&asked(&["age"])).unwrap().columns["age"], keys.for_writing().columns["age"]);
        assert!(keys.of(&asked(&[])).unwrap().columns.is_empty());
    }

    #[test]
    fn no_key_lies_in_clear_and_the_widest_table_fits() {
        let (folder, store) = store();
        let (dataset, file) = ("recensement".parse().unwrap(), FileId::from([1; 16]));
        let wide: Vec<_> =
            (0..500).map(|index| NewColumn { name: format!("{index:0>127}"), hidden: index % 2 == 0 }).collect();
        let keys = store.create_table_keys(&dataset, file, &wide, false).unwrap().for_writing();
        assert_eq!(store.open_table_keys(&dataset, file).unwrap().for_writing(), keys);
        let bytes = fs::read(folder.path().join("tables/recensement").join(file.to_string())).unwrap();
        let first = &keys.columns.values().next().unwrap().expose()[..8];
        assert!(!bytes.windows(8).any(|window| window == first || window == &keys.footer.expose()[..8]));
    }

    #[test]
    fn keys_put_in_anothers_place_are_refused() {
        let (folder, store) = store();
        let (ours, theirs) = ("recensement".parse().unwrap(), "hospital".parse().unwrap());
        let [one, two] = [[1; 16], [2; 16]].map(FileId::from);
        for (dataset, file) in [(&ours, one), (&ours, two), (&theirs, one)] {
            store.create_table_keys(dataset, file, &[], false).unwrap();
        }
        let path = |dataset: &DatasetId, file: FileId| {
            folder.path().join("tables").join(dataset.as_str()).join(file.to_string())
        };
        for (dataset, file) in [(&ours, two), (&theirs, one)] {
            fs::copy(path(dataset, file), path(&ours, one)).unwrap();
            assert!(matches!(store.open_table_keys(&ours, one), Err(KeyError::Damaged { .. })));
        }
    }

    #[test]
    fn any_damage_to_the_file_is_refused() {
        let (folder, store) = store();
        let (dataset, file) = ("recensement".parse().unwrap(), FileId::from([1; 16]));
        store.create_table_keys(&dataset, file, &columns(&[("age", false)]), false).unwrap();
        let path = folder.path().join("tables/recensement").join(file.to_string());
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            let opened = store.open_table_keys(&dataset, file);
            // A change of the wrapping key's version names a dataset key that there is not.
            assert!(matches!(opened, Err(KeyError::Damaged { .. } | KeyError::Missing)), "{at}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(store.open_table_keys(&dataset, file).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            let _ = TableKeys::decode([1; 16].into(), &bytes);
        }
    }
}

//! The key store: one small file per wrapped key, so that destroying a key is destroying a file.
//!
//! ```text
//! datasets/<dataset>/<version>                 wrapped under the root key
//! objects/<2 hex>/<uuid>.<version id>          wrapped under a dataset key
//! ingest/<dataset>                             an age identity, sealed under a dataset key
//! tables/<dataset>/<file id>                   the keys of one encrypted Parquet file, sealed under a dataset key
//! histories/<dataset>/<table>                  a history key and the last release, sealed under a dataset key
//! tmp/                                         files not yet named; swept at start
//! ```
//!
//! A key is written aside, synced, then linked to its name, which fails if the name is taken: a key under its name
//! is complete, and two who make the same key at once end up with the first one. The file of a history alone is replaced,
//! by renaming, each time a release is recorded. Blocking: call it from a thread that may block.

mod bundle;
pub(super) mod history;
pub(super) mod ingest;
pub(super) mod table;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use octroi_proto::{DatasetId, ObjectVersion};
use secrecy::{ExposeSecret as _, SecretBox};

use super::{
    DataKey, Suites,
    root::RootKey,
    wrap::{KeyName, Kind, Label, NotTheKey, Wrapped},
};
use crate::{
    durable::{ensure_folder, sync_folder, sync_parent},
    secret_file::{self, SecretFileError},
};

/// The key store, open under its root key.
#[derive(Debug)]
pub struct KeyStore {
    folder: PathBuf,
    root: RootKey,
    /// Held while a history moves on: releases are recorded one after the other.
    recording: Mutex<()>,
}

/// Why a key could not be made, opened or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The object version or the table's file has keys already.
    #[error("it has a key already")]
    Exists,
    /// The object version or the table's file has no keys, or they were destroyed.
    #[error("it has no key, or it was destroyed")]
    Missing,
    /// A file of the store is not what it should be.
    #[error("`{}` is damaged or belongs elsewhere: restore it from a backup of the key folder", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A dataset key was wrapped under another root key.
    #[error("`{}` was wrapped under another root key: put the right `root.key` back", path.display())]
    OtherRoot {
        /// The file.
        path: PathBuf,
    },
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random,
    /// A file cannot be read, written or destroyed, or others can read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// A folder cannot be used, or a file not be named in it.
    #[error("cannot use `{}`: {source}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A dataset's key, unwrapped for one operation.
struct DatasetKey {
    name: KeyName,
    suites: Suites,
    key: SecretBox<[u8; 32]>,
}

impl KeyStore {
    /// Opens the store in this folder, making what is missing, and sweeps what a killed process left.
    ///
    /// # Errors
    /// [`KeyError::Folder`].
    pub fn open(folder: &Path, root: RootKey) -> Result<Self, KeyError> {
        let store = Self { folder: folder.to_owned(), root, recording: Mutex::default() };
        for name in ["datasets", "objects", "ingest", "tables", "hidden", "histories", "tmp"] {
            let path = store.folder.join(name);
            ensure_folder(&path).map_err(at(&path))?;
        }
        store.sweep()?;
        Ok(store)
    }

    /// Makes the data key of a new object version, durable before it is returned.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when the version has one.
    pub fn create(&self, object: &ObjectVersion) -> Result<DataKey, KeyError> {
        let dataset = self.current_dataset_key(&object.dataset)?;
        let path = self.object_path(object);
        let key = random()?;
        let label = Label {
            kind: Kind::Data,
            wrapped_by: dataset.name,
            name: KeyName { id: *object.version_id.as_bytes(), version: 0 },
            suites: dataset.suites,
        };
        let wrapped = label.wrap(dataset.key.expose_secret(), &object_context(object), &key, nonce()?);
        if self.name(&path, &wrapped.map_err(damaged(&path))?)? {
            Ok(DataKey::new(key, label.suites))
        } else {
            Err(KeyError::Exists)
        }
    }

    /// Unwraps the data key of an object version.
    ///
    /// # Errors
    /// [`KeyError::Missing`] when it has none.
    pub fn open_key(&self, object: &ObjectVersion) -> Result<DataKey, KeyError> {
        let path = self.object_path(object);
        let wrapped = read(&path)?.ok_or(KeyError::Missing)?;
        let Label { kind, wrapped_by, name, suites } = wrapped.label;
        if kind != Kind::Data || name != (KeyName { id: *object.version_id.as_bytes(), version: 0 }) {
            return Err(KeyError::Damaged { path });
        }
        let dataset = self.dataset_key(&object.dataset, wrapped_by.version)?.ok_or(KeyError::Missing)?;
        let key = wrapped.unwrap(dataset.key.expose_secret(), &object_context(object)).map_err(damaged(&path))?;
        // Both must allow a suite: narrowing a dataset's key narrows all under it.
        Ok(DataKey::new(key, Suites::from_bits(suites.bits() & dataset.suites.bits())))
    }

    /// Destroys the data key of an object version: overwritten, removed, synced. No error if there is none.
    ///
    /// # Errors
    /// [`KeyError::File`]: it may still be there; try again.
    pub fn destroy(&self, object: &ObjectVersion) -> Result<(), KeyError> {
        let path = self.object_path(object);
        Ok(secret_file::shred(&path)?)
    }

    /// The dataset's newest key, made if it has none.
    fn current_dataset_key(&self, dataset: &DatasetId) -> Result<DatasetKey, KeyError> {
        let folder = self.folder.join("datasets").join(dataset.as_str());
        ensure_folder(&folder).map_err(at(&folder))?;
        let newest = newest_version(&folder)?;
        if newest.is_none() {
            // Two may come here at once: one names its key, and both read the one that was named.
            self.create_dataset_key(dataset, 1)?;
        }
        self.dataset_key(dataset, newest.unwrap_or(1))?.ok_or(KeyError::Missing)
    }

    fn create_dataset_key(&self, dataset: &DatasetId, version: u32) -> Result<(), KeyError> {
        let path = self.dataset_path(dataset, version);
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| KeyError::Random)?;
        let label = Label {
            kind: Kind::Dataset,
            wrapped_by: KeyName { id: self.root.id(), version: 0 },
            name: KeyName { id, version },
            suites: Suites::CURRENT,
        };
        let wrapped = label.wrap(self.root.expose(), &dataset_context(dataset), &random()?, nonce()?);
        self.name(&path, &wrapped.map_err(damaged(&path))?)?;
        Ok(())
    }

    fn dataset_key(&self, dataset: &DatasetId, version: u32) -> Result<Option<DatasetKey>, KeyError> {
        let path = self.dataset_path(dataset, version);
        let Some(wrapped) = read(&path)? else { return Ok(None) };
        let Label { kind, wrapped_by, name, suites } = wrapped.label;
        if kind != Kind::Dataset || name.version != version {
            return Err(KeyError::Damaged { path });
        }
        if wrapped_by.id != self.root.id() {
            return Err(KeyError::OtherRoot { path });
        }
        let key = wrapped.unwrap(self.root.expose(), &dataset_context(dataset)).map_err(damaged(&path))?;
        Ok(Some(DatasetKey { name, suites, key }))
    }

    /// Gives bytes a name, durably; `false` when the name is taken.
    fn name(&self, path: &Path, bytes: &[u8]) -> Result<bool, KeyError> {
        let folder = path.parent().unwrap_or(&self.folder);
        ensure_folder(folder).map_err(at(folder))?;
        let aside = self.aside(bytes)?;
        let linked = fs::hard_link(&aside, path);
        fs::remove_file(&aside).map_err(at(&aside))?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Whoever named it may not have synced yet, and the caller will rely on it.
                sync_folder(folder).map_err(at(folder))?;
                Ok(false)
            }
            linked => {
                linked.and_then(|()| sync_folder(folder)).map_err(at(path))?;
                Ok(true)
            }
        }
    }

    /// Gives bytes the name of others, durably. After an error, either may be there.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
        let aside = self.aside(bytes)?;
        fs::rename(&aside, path).map_err(at(path))?;
        sync_parent(path).map_err(at(path))
    }

    /// Writes bytes to a file not yet named, durably.
    fn aside(&self, bytes: &[u8]) -> Result<PathBuf, KeyError> {
        let mut unique = [0; 16];
        getrandom::fill(&mut unique).map_err(|_| KeyError::Random)?;
        let aside = self.folder.join("tmp").join(hex::encode(unique));
        secret_file::create(&aside, bytes)?;
        Ok(aside)
    }

    /// Removes what was never named. Only unlinks: the same file may carry a name by now.
    fn sweep(&self) -> Result<(), KeyError> {
        let folder = self.folder.join("tmp");
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(())
    }

    fn dataset_path(&self, dataset: &DatasetId, version: u32) -> PathBuf {
        self.folder.join("datasets").join(dataset.as_str()).join(version.to_string())
    }

    fn object_path(&self, object: &ObjectVersion) -> PathBuf {
        let shard = object.uuid.as_bytes().first().copied().unwrap_or_default();
        self.folder.join("objects").join(format!("{shard:02x}")).join(format!("{}.{}", object.uuid, object.version_id))
    }
}

fn newest_version(folder: &Path) -> Result<Option<u32>, KeyError> {
    let mut newest = None;
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let name = entry.map_err(at(folder))?.file_name();
        newest = newest.max(name.to_str().and_then(|name| name.parse().ok()));
    }
    Ok(newest)
}

/// A wrapped key, unless there is none or a kill came between its erasure and its removal.
fn read(path: &Path) -> Result<Option<Wrapped>, KeyError> {
    match secret_file::read(path) {
        Ok(bytes) if bytes.iter().all(|byte| *byte == 0) => Ok(None),
        Ok(bytes) => Wrapped::parse(&bytes).map(Some).map_err(damaged(path)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A data key is bound to its dataset and object; the version id is in its label.
fn object_context(object: &ObjectVersion) -> Vec<u8> {
    [&dataset_context(&object.dataset)[..], object.uuid.as_bytes()].concat()
}

/// The dataset's id after its length in one byte (ids have at most 63).
fn dataset_context(dataset: &DatasetId) -> Vec<u8> {
    let id = dataset.as_str().as_bytes();
    [&[u8::try_from(id.len()).unwrap_or(u8::MAX)], id].concat()
}

fn random() -> Result<SecretBox<[u8; 32]>, KeyError> {
    let mut key = SecretBox::new(Box::new([0; 32]));
    getrandom::fill(secrecy::ExposeSecretMut::expose_secret_mut(&mut key)).map_err(|_| KeyError::Random)?;
    Ok(key)
}

fn nonce() -> Result<[u8; 12], KeyError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|_| KeyError::Random)?;
    Ok(nonce)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::Folder { path: path.to_owned(), source }
}

fn damaged(path: &Path) -> impl FnOnce(NotTheKey) -> KeyError {
    move |NotTheKey| KeyError::Damaged { path: path.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeSet, sync::Barrier, thread};

    use uuid::Uuid;

    use super::*;

    fn object(dataset: &str, uuid: u8, version: u8) -> ObjectVersion {
        ObjectVersion {
            dataset: dataset.parse().unwrap(),
            uuid: Uuid::from_bytes([uuid; 16]),
            version_id: Uuid::from_bytes([version; 16]),
        }
    }

    pub(crate) fn store() -> (tempfile::TempDir, KeyStore) {
        let folder = tempfile::tempdir().unwrap();
        let root = RootKey::create(&folder.path().join("root.key")).unwrap();
        let store = KeyStore::open(folder.path(), root).unwrap();
        (folder, store)
    }

    pub(crate) fn reopen(folder: &tempfile::TempDir) -> KeyStore {
        KeyStore::open(folder.path(), RootKey::load(&folder.path().join("root.key")).unwrap()).unwrap()
    }

    #[test]
    fn a_key_is_made_once_opens_after_a_restart_and_can_be_destroyed() {
        let (folder, store) = store();
        let object = object("capteurs", 1, 2);
        let made = store.create(&object).unwrap();
        assert!(matches!(store.create(&object), Err(KeyError::Exists)));
        drop(store);
        let store = reopen(&folder);
        assert_eq!(store.open_key(&object).unwrap().expose(), made.expose());
        store.destroy(&object).unwrap();
        store.destroy(&object).unwrap();
        assert!(matches!(store.open_key(&object), Err(KeyError::Missing)));
        assert_eq!(fs::read_dir(folder.path().join("objects/01")).unwrap().count(), 0);
    }

    #[test]
    fn no_key_lies_in_clear() {
        let (folder, store) = store();
        let object = object("capteurs", 1, 2);
        let made = store.create(&object).unwrap();
        let bytes = fs::read(store.object_path(&object)).unwrap();
        assert!(!bytes.windows(8).any(|window| window == &made.expose()[..8]));
        drop(folder);
    }

    #[test]
    fn a_key_put_in_anothers_place_is_refused() {
        let (_folder, store) = store();
        let (ours, theirs) = (object("capteurs", 1, 2), object("compteurs", 1, 3));
        store.create(&ours).unwrap();
        store.create(&theirs).unwrap();
        fs::copy(store.object_path(&theirs), store.object_path(&ours)).unwrap();
        assert!(matches!(store.open_key(&ours), Err(KeyError::Damaged { .. })));
        let elsewhere = ObjectVersion { dataset: ours.dataset.clone(), ..theirs };
        assert!(matches!(store.open_key(&elsewhere), Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn another_root_key_is_named_as_the_cause() {
        let (folder, store) = store();
        store.create(&object("capteurs", 1, 2)).unwrap();
        drop(store);
        let other = RootKey::create(&folder.path().join("other.key")).unwrap();
        let store = KeyStore::open(folder.path(), other).unwrap();
        assert!(matches!(store.open_key(&object("capteurs", 1, 2)), Err(KeyError::OtherRoot { .. })));
    }

    #[test]
    fn first_use_by_many_at_once_makes_one_dataset_key() {
        let (folder, store) = store();
        let (store, barrier) = (&store, &Barrier::new(16));
        thread::scope(|scope| {
            for index in 0..16 {
                scope.spawn(move || {
                    barrier.wait();
                    store.create(&object("capteurs", index, 2)).unwrap();
                });
            }
        });
        let names: BTreeSet<_> = fs::read_dir(folder.path().join("datasets/capteurs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, BTreeSet::from(["1".into()]));
        for index in 0..16 {
            store.open_key(&object("capteurs", index, 2)).unwrap();
        }
    }

    #[test]
    fn what_a_kill_leaves_is_swept_and_harms_no_named_key() {
        let (folder, store) = store();
        let object = object("capteurs", 1, 2);
        let made = store.create(&object).unwrap();
        // Killed after the link, before the removal of the other name; and in the middle of a write.
        fs::hard_link(store.object_path(&object), folder.path().join("tmp/linked")).unwrap();
        fs::write(folder.path().join("tmp/torn"), b"\x89OCT").unwrap();
        drop(store);
        let store = reopen(&folder);
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
        assert_eq!(store.open_key(&object).unwrap().expose(), made.expose());
        // Killed between erasure and removal.
        let length = fs::metadata(store.object_path(&object)).unwrap().len();
        fs::write(store.object_path(&object), vec![0; length as usize]).unwrap();
        assert!(matches!(store.open_key(&object), Err(KeyError::Missing)));
        store.destroy(&object).unwrap();
    }
}

//! The writing end of the evidence: one owner, one thread.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use octroi_proto::Instant;
use prost::Message as _;
use tokio::sync::watch;

use super::{
    CheckpointError, CreateKeyError, Draft, LoadKeyError, Log, LogKey, SignError,
    checkpoint::{self, Head},
    journal::{Journal, Leaf, MAX_ENTRY, OpenJournalError},
    log::Published,
    tree::{Tree, TreeError},
};

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// The folder cannot be made.
    #[error("the folder `{path}` cannot be made: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The log's key could not be made.
    #[error(transparent)]
    CreateKey(#[from] CreateKeyError),
    /// The log's key is not used.
    #[error(transparent)]
    LoadKey(#[from] LoadKeyError),
    /// The journal does not open.
    #[error(transparent)]
    Journal(#[from] OpenJournalError),
    /// The last checkpoint is not believed.
    #[error("the last checkpoint of the evidence is not its own: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Entries that were signed for are gone.
    #[error("{signed} entries of evidence were signed for and {found} are left: restore them from a backup")]
    Lost {
        /// Entries under the last checkpoint.
        signed: u64,
        /// Entries in the journal.
        found: u64,
    },
    /// The tree does not open.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// No checkpoint could be put in place.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Why a batch was not recorded. Nothing is recorded after it until the store is opened anew.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk refused, now or earlier.
    #[error("the evidence cannot be written: {0}")]
    Journal(io::Error),
    /// The tree over it cannot be written.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Why no checkpoint was put in place.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The tree has no head.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The file system refused.
    #[error("the checkpoint of the evidence cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Why an entry is not taken into a batch.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Over the limit of an entry.
    #[error("the entry has {bytes} bytes; the limit is {MAX_ENTRY}")]
    Entry {
        /// Its size.
        bytes: usize,
    },
    /// The kernel gave no random bytes for its salt.
    #[error("no random bytes: {0}")]
    Salt(#[from] getrandom::Error),
}

/// Where the salts of entries come from.
pub trait Salts: Send {
    /// 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    fn salt(&mut self) -> Result<[u8; 32], getrandom::Error>;
}

/// Salts from the kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelSalts;

impl Salts for KernelSalts {
    fn salt(&mut self) -> Result<[u8; 32], getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        Ok(salt)
    }
}

/// The evidence store, open for writing.
pub struct Store {
    folder: PathBuf,
    journal: Journal,
    tree: Tree,
    key: Arc<LogKey>,
    salts: Box<dyn Salts>,
    published: watch::Sender<Published>,
    failed: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).field("entries", &self.len()).finish_non_exhaustive()
    }
}

/// Entries that will be recorded together or not at all.
#[derive(Debug)]
pub struct Batch {
    next: u64,
    leaves: Vec<Leaf>,
}

impl Store {
    /// Begins a store in this folder, with a new key for a log of this origin.
    ///
    /// # Errors
    /// [`OpenStoreError`]; a folder that has a log key already is left alone.
    pub fn create(folder: &Path, origin: &str, salts: Box<dyn Salts>) -> Result<Self, OpenStoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| OpenStoreError::Folder { path: folder.to_owned(), source })?;
        LogKey::create(&folder.join("log.key"), origin)?;
        Self::open(folder, salts)
    }

    /// Opens the store in this folder: cuts off a torn tail, holds the entries against the last checkpoint, mends
    /// what is derived from them.
    ///
    /// # Errors
    /// [`OpenStoreError`]; entries are never changed by it.
    pub fn open(folder: &Path, salts: Box<dyn Salts>) -> Result<Self, OpenStoreError> {
        let key = Arc::new(LogKey::load(&folder.join("log.key"))?);
        let journal = Journal::open(folder)?;
        let found = journal.reader().len();
        let last = checkpoint::published(folder).map_err(PublishError::Io)?;
        let signed = last.as_deref().map(|text| key.verifier_key().open(text)).transpose()?;
        if let Some(Head { size: signed, .. }) = signed.filter(|head| head.size > found) {
            return Err(OpenStoreError::Lost { signed, found });
        }
        let tree = Tree::open(folder, signed, journal.reader())?;
        let head = tree.head()?;
        let text = key.sign(head).map_err(PublishError::Sign)?;
        checkpoint::publish(folder, &text).map_err(PublishError::Io)?;
        let published = watch::Sender::new(Published { head, checkpoint: text.into() });
        Ok(Self { folder: folder.to_owned(), journal, tree, key, salts, published, failed: false })
    }

    /// A reading end.
    pub fn log(&self) -> Log {
        let published = self.published.subscribe();
        Log::new(self.journal.reader().clone(), self.tree.hashes().clone(), Arc::clone(&self.key), published)
    }

    /// Entries recorded.
    pub fn len(&self) -> u64 {
        self.journal.reader().len()
    }

    /// Whether nothing is recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Syncs of the disk since the store was opened; one for each batch.
    pub fn syncs(&self) -> u64 {
        self.journal.syncs()
    }

    /// A batch to be filled and appended; a batch begun before another was appended is refused.
    pub fn begin(&self) -> Batch {
        Batch { next: self.len(), leaves: Vec::new() }
    }

    /// Takes an entry into the batch and says which sequence it will have.
    ///
    /// # Errors
    /// [`NotTaken`]; the batch is as before.
    pub fn push(&mut self, batch: &mut Batch, draft: Draft, at: Instant) -> Result<u64, NotTaken> {
        let sequence = batch.next;
        let entry = draft.into_entry(sequence, at).encode_to_vec();
        if entry.len() > MAX_ENTRY as usize {
            return Err(NotTaken::Entry { bytes: entry.len() });
        }
        batch.leaves.push(Leaf { salt: self.salts.salt()?, entry });
        batch.next += 1;
        Ok(sequence)
    }

    /// Records a batch: durable when this returns.
    ///
    /// # Errors
    /// [`AppendError`], and then for every batch after it.
    pub fn append(&mut self, batch: &Batch) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::Journal(io::Error::other("an earlier write failed: restart octroi")));
        }
        if batch.leaves.is_empty() {
            return Ok(());
        }
        self.failed = true;
        if batch.next != self.len() + batch.leaves.len() as u64 {
            return Err(AppendError::Journal(io::ErrorKind::InvalidInput.into()));
        }
        self.journal.append(&batch.leaves).map_err(AppendError::Journal)?;
        let commitments: Vec<_> = batch.leaves.iter().map(Leaf::commitment).collect();
        self.tree.append(&commitments)?;
        self.failed = false;
        Ok(())
    }

    /// Signs and publishes a checkpoint if the log grew since the last. Says whether it did.
    ///
    /// # Errors
    /// [`PublishError`]; the last checkpoint stands.
    pub fn publish(&mut self) -> Result<bool, PublishError> {
        if self.failed || self.published.borrow().head.size == self.len() {
            return Ok(false);
        }
        let head = self.tree.head()?;
        let text = self.key.sign(head)?;
        checkpoint::publish(&self.folder, &text)?;
        self.published.send_replace(Published { head, checkpoint: text.into() });
        Ok(true)
    }

    #[cfg(test)]
    pub(crate) fn fail_syncs(&mut self) {
        self.journal.fail_syncs();
    }
}

impl Batch {
    /// Entries in it.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// The sequence that the next entry taken into it will have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The leaf hash of its last entry, which names the history up to there well enough to tell it from another.
    pub(crate) fn last_commitment(&self) -> Option<[u8; 32]> {
        self.leaves.last().map(Leaf::commitment)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use octroi_proto::wire::v1;

    /// Salts that count, so that a test's log is the same each time.
    #[derive(Debug, Default)]
    pub(crate) struct CountedSalts(u64);

    impl Salts for CountedSalts {
        fn salt(&mut self) -> Result<[u8; 32], getrandom::Error> {
            self.0 += 1;
            let mut salt = [0xA5; 32];
            salt[..8].copy_from_slice(&self.0.to_be_bytes());
            Ok(salt)
        }
    }

    pub(crate) fn fill(store: &mut Store, entries: u64) {
        for _ in 0..entries {
            let mut batch = store.begin();
            let started = v1::Started { version: "0".into(), configuration_sha256: vec![1; 32] };
            let draft = Draft::gateway("Start", v1::entry::Record::Started(started));
            store.push(&mut batch, draft, Instant::from_second(1_790_000_000).unwrap()).unwrap();
            store.append(&batch).unwrap();
        }
    }

    pub(crate) fn store(folder: &Path, entries: u64) -> Store {
        let mut store = Store::create(folder, "octroi.test/log", Box::new(CountedSalts::default())).unwrap();
        fill(&mut store, entries);
        store
    }

    #[test]
    fn checkpoints_grow_with_the_log_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 3);
        let log = store.log();
        assert_eq!(log.head().size, 0);
        assert!(store.publish().unwrap() && !store.publish().unwrap());
        assert_eq!(log.head().size, 3);
        fill(&mut store, 2);
        let before = store.log().checkpoint();
        drop((store, log));
        let store = Store::open(folder.path(), Box::new(KernelSalts)).unwrap();
        assert_eq!((store.len(), store.log().head().size), (5, 5));
        assert_ne!(before, store.log().checkpoint());
    }

    #[test]
    fn entries_that_were_signed_for_and_are_gone_are_missed() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 3);
        store.publish().unwrap();
        drop(store);
        let path = folder.path().join("entries");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let refused = Store::open(folder.path(), Box::new(KernelSalts)).unwrap_err();
        assert!(matches!(refused, OpenStoreError::Lost { signed: 3, found: 2 }), "{refused}");
    }

    #[test]
    fn a_failed_sync_ends_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 1);
        store.fail_syncs();
        for _ in 0..2 {
            let mut batch = store.begin();
            let draft = Draft::gateway("Start", v1::entry::Record::Started(v1::Started::default()));
            store.push(&mut batch, draft, Instant::UNIX_EPOCH).unwrap();
            assert!(store.append(&batch).is_err());
        }
        assert!(!store.publish().unwrap());
    }
}

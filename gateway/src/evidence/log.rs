//! The reading end of the evidence: entries for auditors, tiles and checkpoints for everyone.

use std::sync::Arc;

use octroi_proto::wire::v1;
use prost::Message as _;
use tlog_tiles::tlog::{HashReader as _, prove_record, stored_hash_index};
use tokio::sync::watch;

use super::{
    SignError, TileKind, TilePath,
    checkpoint::{Head, LogKey, VerifierKey},
    journal::{JournalReader, Leaf, ReadEntryError},
    tree::Hashes,
};

/// The log; cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    journal: JournalReader,
    hashes: Hashes,
    key: Arc<LogKey>,
    published: watch::Receiver<Published>,
}

/// The last checkpoint and what it says.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) head: Head,
    pub(super) checkpoint: Arc<str>,
}

/// Some entries in order.
#[derive(Debug, Clone, Default)]
pub struct EntryPage {
    /// The entries.
    pub entries: Vec<v1::Entry>,
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
}

/// A tile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// The hashes cannot be read.
    #[error("the hashes of the evidence cannot be read: {0}")]
    Hashes(#[from] tlog_tiles::tlog::Error),
    /// An entry cannot be read.
    #[error(transparent)]
    Entry(#[from] ReadEntryError),
}

/// Why no proof is given.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such entry.
    #[error("there is no such entry: the evidence has {entries}")]
    Absent {
        /// How many there are.
        entries: u64,
    },
    /// No checkpoint covers it yet.
    #[error("no checkpoint covers the entry yet: ask again after the next one")]
    NotYet,
    /// The tree asked for is not one that leads from the entry to a published checkpoint.
    #[error("the tree must hold the entry and be no larger than the last checkpoint's {published} entries")]
    Size {
        /// Entries under the last checkpoint.
        published: u64,
    },
    /// The entry cannot be read.
    #[error(transparent)]
    Entry(#[from] ReadEntryError),
    /// The hashes cannot be read.
    #[error("the hashes of the evidence cannot be read: {0}")]
    Hashes(#[from] tlog_tiles::tlog::Error),
    /// An older checkpoint could not be signed again.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Log {
    pub(super) fn new(
        journal: JournalReader,
        hashes: Hashes,
        key: Arc<LogKey>,
        published: watch::Receiver<Published>,
    ) -> Self {
        Self { journal, hashes, key, published }
    }

    /// The last signed checkpoint.
    pub fn checkpoint(&self) -> String {
        self.published.borrow().checkpoint.to_string()
    }

    /// What the last signed checkpoint says.
    pub fn head(&self) -> Head {
        self.published.borrow().head
    }

    /// The key that checkpoints are checked with.
    pub fn verifier_key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    /// Entries that are durable, whether or not a checkpoint covers them yet.
    pub fn len(&self) -> u64 {
        self.journal.len()
    }

    /// Whether nothing is recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A tile's bytes; `None` if the last checkpoint does not cover all of it.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileError> {
        let Some((level, first, behind)) = path.nodes(self.head().size) else {
            return Ok(None);
        };
        match path.kind() {
            TileKind::Hashes(_) => {
                let indexes: Vec<_> = (first..behind).map(|node| stored_hash_index(level, node)).collect();
                Ok(Some(self.hashes.read_hashes(&indexes)?.iter().flat_map(|hash| hash.0).collect()))
            }
            TileKind::Entries => {
                let mut bundle = Vec::with_capacity(usize::from(path.width()) * 34);
                for leaf in self.journal.leaves(first)?.take(path.width().into()) {
                    bundle.extend(32_u16.to_be_bytes());
                    bundle.extend(leaf?.commitment());
                }
                Ok(Some(bundle))
            }
        }
    }

    /// One entry's bytes and salt; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadEntryError`].
    pub fn leaf(&self, sequence: u64) -> Result<Option<Leaf>, ReadEntryError> {
        self.journal.leaf(sequence)
    }

    /// Entries from here on: at most `limit`, at most 1,000, and at most about 2 MiB of them.
    ///
    /// # Errors
    /// [`ReadEntryError`].
    pub fn entries(&self, from: u64, limit: usize) -> Result<EntryPage, ReadEntryError> {
        let mut page = EntryPage::default();
        if from >= self.len() {
            return Ok(page);
        }
        let mut bytes = 0;
        for (sequence, leaf) in (from..).zip(self.journal.leaves(from)?) {
            if page.entries.len() >= limit.clamp(1, PAGE) || bytes > PAGE_BYTES {
                page.next = Some(sequence);
                break;
            }
            let leaf = leaf?;
            bytes += leaf.entry().len();
            page.entries.push(decode(&leaf, sequence)?);
        }
        Ok(page)
    }

    /// Every entry from here on, in order; for replay.
    pub(crate) fn replay(
        &self,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<(v1::Entry, [u8; 32]), ReadEntryError>> + '_, ReadEntryError> {
        let leaves = (from..).zip(self.journal.leaves(from)?);
        Ok(leaves.map(|(sequence, leaf)| {
            let leaf = leaf?;
            Ok((decode(&leaf, sequence)?, leaf.commitment()))
        }))
    }

    /// An entry with its salt and the proof that the log commits to it: under the last checkpoint, or under the one
    /// that was or would be signed when the log had `size` entries.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export(&self, sequence: u64, size: Option<u64>) -> Result<v1::EvidenceProof, ExportError> {
        let published = self.published.borrow().clone();
        let leaf = self.journal.leaf(sequence)?.ok_or_else(|| ExportError::Absent { entries: self.len() })?;
        if sequence >= published.head.size {
            return Err(ExportError::NotYet);
        }
        let (size, checkpoint) = match size.filter(|size| *size != published.head.size) {
            None => (published.head.size, published.checkpoint.to_string()),
            Some(size) if size > sequence && size < published.head.size => {
                (size, self.key.sign(Head { size, root: self.hashes.root(size)? })?)
            }
            Some(_) => return Err(ExportError::Size { published: published.head.size }),
        };
        let inclusion = prove_record(size, sequence, &self.hashes)?;
        Ok(v1::EvidenceProof {
            entry: leaf.entry().to_vec(),
            salt: leaf.salt().to_vec(),
            sequence,
            inclusion: inclusion.iter().map(|hash| hash.0.to_vec()).collect(),
            checkpoint,
        })
    }
}

fn decode(leaf: &Leaf, sequence: u64) -> Result<v1::Entry, ReadEntryError> {
    let entry = v1::Entry::decode(leaf.entry()).map_err(|_| ReadEntryError::Damaged { sequence })?;
    if entry.sequence == sequence { Ok(entry) } else { Err(ReadEntryError::Damaged { sequence }) }
}

const PAGE: usize = 1_000;
const PAGE_BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::{super::store::tests::store, *};
    use tlog_tiles::tlog::record_hash;

    #[test]
    fn tiles_hold_what_the_checkpoint_covers_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 300);
        let log = store.log();
        let tile = |path: &str| log.tile(&path.parse().unwrap()).unwrap();
        assert_eq!(tile("tile/0/000.p/1"), None, "no checkpoint yet");
        store.publish().unwrap();
        let hashes = tile("tile/0/000").unwrap();
        let bundle = tile("tile/entries/000").unwrap();
        for sequence in 0..256 {
            let commitment = log.leaf(sequence as u64).unwrap().unwrap().commitment();
            assert_eq!(bundle[sequence * 34..sequence * 34 + 2], [0, 32]);
            assert_eq!(bundle[sequence * 34 + 2..sequence * 34 + 34], commitment);
            assert_eq!(hashes[sequence * 32..sequence * 32 + 32], record_hash(&commitment).0);
        }
        assert_eq!(tile("tile/0/001.p/44").unwrap().len(), 44 * 32);
        assert_eq!(tile("tile/1/000.p/1").unwrap().len(), 32);
        for absent in ["tile/0/001.p/45", "tile/0/001", "tile/1/000.p/2", "tile/2/000.p/1", "tile/entries/002.p/1"] {
            assert_eq!(tile(absent), None, "{absent}");
        }
    }

    #[test]
    fn entries_come_in_pages() {
        let folder = tempfile::tempdir().unwrap();
        let log = store(folder.path(), 7).log();
        let page = log.entries(2, 3).unwrap();
        assert_eq!(page.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(page.next, Some(5));
        assert_eq!(log.entries(5, 3).unwrap().next, None);
        assert!(log.entries(70, 3).unwrap().entries.is_empty());
    }

    #[test]
    fn a_proof_needs_a_checkpoint_that_covers_the_entry() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 7);
        let log = store.log();
        assert!(matches!(log.export(3, None), Err(ExportError::NotYet)));
        store.publish().unwrap();
        assert!(matches!(log.export(7, None), Err(ExportError::Absent { entries: 7 })));
        for size in [0, 3, 8, u64::MAX] {
            assert!(matches!(log.export(3, Some(size)), Err(ExportError::Size { published: 7 })), "{size}");
        }
        assert!(log.export(3, Some(4)).is_ok() && log.export(3, Some(7)).is_ok());
    }
}

//! The Merkle tree's hashes (RFC 6962), in a file in the order of `tlog_tiles`' storage: 32 bytes each.
//!
//! The file is derived from the journal. It is synced before a checkpoint is signed, and trusted up to the last
//! checkpoint if it leads to that checkpoint's root; what is beyond, or all of it, is made anew from the entries.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

use tlog_tiles::tlog::{Error, HASH_SIZE, Hash, HashReader, record_hash, stored_hash_count, stored_hashes, tree_hash};

use super::{
    checkpoint::Head,
    journal::{JournalReader, ReadEntryError, private_file},
};

/// Why the tree cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The file system refused.
    #[error("the hashes of the evidence cannot be used: {0}")]
    Io(#[from] io::Error),
    /// An entry cannot be read.
    #[error(transparent)]
    Entry(#[from] ReadEntryError),
    /// The hashes do not fit together.
    #[error("the hashes of the evidence are inconsistent: {0}")]
    Hashes(#[from] Error),
    /// The entries lead to another root than the one that was signed.
    #[error("the evidence is not what its last checkpoint was signed for: restore it from a backup")]
    Forked,
}

/// The hash file, read at random; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Hashes(Arc<File>);

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        indexes
            .iter()
            .map(|index| {
                let mut hash = Hash::default();
                self.0.read_exact_at(&mut hash.0, index * HASH_SIZE as u64).map_err(|_| Error::IndexesNotInTree)?;
                Ok(hash)
            })
            .collect()
    }
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Tree {
    hashes: Hashes,
    size: u64,
}

impl Tree {
    /// Opens the tree over this journal and mends it where it is short, long or wrong.
    pub(super) fn open(folder: &Path, signed: Option<Head>, journal: &JournalReader) -> Result<Self, TreeError> {
        let file = private_file(&folder.join("hashes"))?;
        let hashes = Hashes(Arc::new(file));
        let anchored = signed.filter(|head| hashes.root(head.size).is_ok_and(|root| root == head.root));
        let mut tree = Self { hashes, size: anchored.map_or(0, |head| head.size) };
        tree.catch_up(journal)?;
        match signed {
            Some(head) if anchored.is_none() && tree.hashes.root(head.size)? != head.root => Err(TreeError::Forked),
            Some(_) | None => Ok(tree),
        }
    }

    fn catch_up(&mut self, journal: &JournalReader) -> Result<(), TreeError> {
        self.hashes.0.set_len(stored_hash_count(self.size) * HASH_SIZE as u64)?;
        let mut commitments = Vec::with_capacity(CATCH_UP);
        for leaf in journal.leaves(self.size)? {
            commitments.push(leaf?.commitment());
            if commitments.len() == CATCH_UP {
                self.append(&commitments)?;
                commitments.clear();
            }
        }
        self.append(&commitments)
    }

    /// Adds leaves. What they commit to is durable already.
    pub(super) fn append(&mut self, commitments: &[[u8; 32]]) -> Result<(), TreeError> {
        let stored = stored_hash_count(self.size);
        let mut grown = Grown { stored, hashes: &self.hashes, new: Vec::with_capacity(commitments.len() * 2) };
        for (sequence, commitment) in (self.size..).zip(commitments) {
            let new = stored_hashes(sequence, commitment, &grown)?;
            grown.new.extend(new);
        }
        let bytes: Vec<u8> = grown.new.iter().flat_map(|hash| hash.0).collect();
        self.hashes.0.write_all_at(&bytes, stored * HASH_SIZE as u64)?;
        self.size += commitments.len() as u64;
        Ok(())
    }

    /// The tree's size and root now, with every hash under it durable.
    pub(super) fn head(&self) -> Result<Head, TreeError> {
        self.hashes.0.sync_data()?;
        Ok(Head { size: self.size, root: self.hashes.root(self.size)? })
    }

    pub(super) fn hashes(&self) -> &Hashes {
        &self.hashes
    }
}

impl Hashes {
    /// The root of the tree of the first `size` leaves.
    pub(super) fn root(&self, size: u64) -> Result<Hash, Error> {
        tree_hash(size, self)
    }
}

/// The leaf's hash in the tree (RFC 6962): over the commitment, not over the entry.
pub(super) fn leaf_hash(commitment: &[u8; 32]) -> Hash {
    record_hash(commitment)
}

/// The stored hashes and, after them, those of a batch that is not written yet.
struct Grown<'a> {
    stored: u64,
    hashes: &'a Hashes,
    new: Vec<Hash>,
}

impl HashReader for Grown<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let read = |index: &u64| match index.checked_sub(self.stored) {
            None => self.hashes.read_hashes(&[*index])?.first().copied().ok_or(Error::IndexesNotInTree),
            Some(new) => {
                usize::try_from(new).ok().and_then(|new| self.new.get(new)).copied().ok_or(Error::IndexesNotInTree)
            }
        };
        indexes.iter().map(read).collect()
    }
}

const CATCH_UP: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::journal::{Journal, Leaf};

    fn leaf(number: u64) -> Leaf {
        Leaf { salt: [7; 32], entry: number.to_be_bytes().to_vec() }
    }

    fn journal(folder: &Path, entries: u64) -> Journal {
        let mut journal = Journal::open(folder).unwrap();
        let from = journal.reader().len();
        let leaves: Vec<_> = (from..entries).map(leaf).collect();
        journal.append(&leaves).unwrap();
        journal
    }

    fn plain_root(commitments: &[[u8; 32]]) -> Hash {
        // RFC 6962 section 2.1, word for word.
        match commitments {
            [one] => record_hash(one),
            many => {
                let split = (many.len() - 1).ilog2();
                let (left, right) = many.split_at(1 << split);
                tlog_tiles::tlog::node_hash(plain_root(left), plain_root(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_rfc() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path(), 70);
        let tree = Tree::open(folder.path(), None, journal.reader()).unwrap();
        let commitments: Vec<_> = (0..70).map(|n| leaf(n).commitment()).collect();
        for size in 1..=70 {
            assert_eq!(tree.hashes.root(size as u64).unwrap(), plain_root(&commitments[..size]), "{size}");
        }
    }

    #[test]
    fn the_file_is_mended_whether_short_long_or_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path(), 300);
        let signed = Tree::open(folder.path(), None, journal.reader()).unwrap().head().unwrap();
        let path = folder.path().join("hashes");
        let whole = std::fs::read(&path).unwrap();
        let long = [whole.clone(), vec![1; 100]].concat();
        for broken in [Vec::new(), whole[..1_000].to_vec(), long, vec![9; whole.len()]] {
            std::fs::write(&path, broken).unwrap();
            let tree = Tree::open(folder.path(), Some(signed), journal.reader()).unwrap();
            assert_eq!(tree.head().unwrap(), signed);
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn entries_that_lead_elsewhere_than_the_signed_root_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path(), 10);
        let other = Head { size: 10, root: Hash([3; 32]) };
        assert!(matches!(Tree::open(folder.path(), Some(other), journal.reader()), Err(TreeError::Forked)));
    }
}

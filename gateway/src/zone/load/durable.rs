//! The proof that a table's file lies in the object store.

use octroi_proto::{FileId, StoredTableFile};

/// An encrypted file of a table whose bytes are durable in the object store, and were hashed on their way there. Only
/// [`crate::zone::load`] makes one; the register names no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableTableFile(StoredTableFile);

impl DurableTableFile {
    /// What lies in the store.
    pub(super) fn new(file: StoredTableFile) -> Self {
        Self(file)
    }

    /// A file that nothing stored.
    #[cfg(test)]
    pub(crate) fn for_test(file: StoredTableFile) -> Self {
        Self(file)
    }

    /// Its identity.
    pub fn id(&self) -> FileId {
        self.0.id
    }

    /// What it is pinned by.
    pub fn pins(&self) -> &StoredTableFile {
        &self.0
    }
}

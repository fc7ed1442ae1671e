//! What objects need of the register and of authorisation: the border to both.

use std::error::Error;

use octroi_proto::{DatasetId, MediaType, ObjectKey, ObjectVersion, OrganisationId, StoredObject, wire::v1::entry};
use tokio::sync::watch;

use crate::authorise::{Action, Decided, DeleteObject, Lent, Permit, StoreObject};

/// The register and the gate, as far as objects use them.
pub trait Register: Clone + Send + Sync + 'static {
    /// Proof that an entry is durable; only the register makes one.
    type Recorded: Send + Sync + 'static;

    /// The current version under a key.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn object(&self, dataset: &DatasetId, key: &ObjectKey) -> Result<Option<StoredObject>, Unavailable>;

    /// Looks at a permit again; cheap while nothing has changed.
    ///
    /// # Errors
    /// [`Ended`] when it would not be given now.
    fn renew<A: Action<Target = Lent>>(&self, permit: &mut Permit<A>) -> Result<(), Ended>;

    /// Changes whenever permits may have ended.
    fn watch_epoch(&self) -> watch::Receiver<u64>;

    /// Names an object that is stored: from then on it is the current version under its key. Durable when it
    /// returns.
    fn commit(
        &self,
        permit: Permit<StoreObject>,
        object: Durable,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Committed, CommitError>> + Send;

    /// Takes an object's name away; its last version. Durable when it returns.
    fn remove(
        &self,
        permit: Permit<DeleteObject>,
        key: ObjectKey,
        precondition: Precondition,
    ) -> impl Future<Output = Result<StoredObject, CommitError>> + Send;

    /// Writes evidence. Durable when it returns.
    fn record(
        &self,
        decided: &Decided,
        record: entry::Record,
    ) -> impl Future<Output = Result<Self::Recorded, Unavailable>> + Send;

    /// The sequence of an entry.
    fn sequence(recorded: &Self::Recorded) -> u64;
}

/// A sealed object whose bytes are durable in the store and whose key is durable in the key process. Only the end of
/// an upload makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    at: ObjectVersion,
    key: ObjectKey,
    media_type: MediaType,
    length: u64,
    sha256: [u8; 32],
    sealed_length: u64,
    sealed_sha256: [u8; 32],
}

impl Durable {
    pub(in crate::object) fn new(
        at: ObjectVersion,
        (key, media_type): (ObjectKey, MediaType),
        (length, sha256): (u64, [u8; 32]),
        (sealed_length, sealed_sha256): (u64, [u8; 32]),
    ) -> Self {
        Self { at, key, media_type, length, sha256, sealed_length, sealed_sha256 }
    }

    /// One that no upload made, for the tests of the register.
    #[cfg(test)]
    pub(crate) fn for_test(at: ObjectVersion, key: ObjectKey) -> Self {
        let media_type = MediaType::default();
        Self { at, key, media_type, length: 1, sha256: [1; 32], sealed_length: 200, sealed_sha256: [2; 32] }
    }

    /// Its identity and this version's, as sealed.
    pub fn at(&self) -> &ObjectVersion {
        &self.at
    }

    /// Its name.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The object as it will stand in the register, as this version, stored by this organisation at this moment.
    pub fn stored(self, version: u64, stored_by: OrganisationId, stored: octroi_proto::Instant) -> StoredObject {
        StoredObject {
            at: self.at,
            version,
            key: self.key,
            length: self.length,
            sha256: self.sha256,
            media_type: self.media_type,
            sealed_sha256: self.sealed_sha256,
            sealed_length: self.sealed_length,
            stored,
            stored_by,
        }
    }
}

/// What must be current for a change to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Anything.
    #[default]
    None,
    /// No object under the key.
    Absent,
    /// This version.
    Version(u64),
}

/// A version and its absence were demanded at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("demand a current version or that there is none, not both")]
pub struct Contradictory;

impl Precondition {
    /// From the wire: version 0 for none.
    ///
    /// # Errors
    /// [`Contradictory`].
    pub fn new(if_version: u64, if_absent: bool) -> Result<Self, Contradictory> {
        match (if_version, if_absent) {
            (0, false) => Ok(Self::None),
            (0, true) => Ok(Self::Absent),
            (version, false) => Ok(Self::Version(version)),
            (_, true) => Err(Contradictory),
        }
    }

    /// Whether it holds when this version is current.
    pub fn holds(self, current: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Absent => current.is_none(),
            Self::Version(version) => current == Some(version),
        }
    }
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The object, current now.
    pub object: StoredObject,
    /// What was current under its key before; to be shredded.
    pub replaced: Option<StoredObject>,
}

/// Why a change to objects was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The permit ended before the change.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// What had to be current is not.
    #[error("the current version is another than the one demanded")]
    Precondition,
    /// There is no such object to remove.
    #[error("there is no such object")]
    Missing,
    /// Too much waits to be written; nothing was.
    #[error("the register is busy: try again")]
    Busy,
    /// It may or may not have been made: nothing that it would need may be destroyed.
    #[error("the register failed: whether the change was made is not known")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

/// A permit ended: revoked, expired, or what it rested on did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permission ended")]
pub struct Ended;

/// The register cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the register cannot be read or written")]
pub struct Unavailable(#[source] pub Box<dyn Error + Send + Sync>);

//! What loads need of the register and the key process: the border to both.

use std::error::Error;

use octroi_proto::{
    DatasetId, DatasetSchema, FileId,
    wire::{keys::CreateTableKeysRequest, zone::SealedKeys},
};

use crate::{
    authorise::{LoadTable, Permit},
    registry::{
        ChangeError,
        change::{CommitTable, CommittedTable},
    },
};

/// The register could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the register could not be read")]
pub struct Unavailable(#[source] pub Box<dyn Error + Send + Sync>);

/// A permit ended: what it rested on is not so any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permit has ended")]
pub struct Ended;

/// The register and the gate before it, as far as loads use them.
pub trait Register: Clone + Send + Sync + 'static {
    /// The tables declared of a dataset.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn schema(&self, dataset: &DatasetId) -> Result<Option<DatasetSchema>, Unavailable>;

    /// Whether a table of the dataset names this file.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn names(&self, dataset: &DatasetId, file: FileId) -> Result<bool, Unavailable>;

    /// Looks at a permit again; cheap while nothing has changed.
    ///
    /// # Errors
    /// [`Ended`] when it would not be given now.
    fn renew(&self, permit: &mut Permit<LoadTable>) -> Result<(), Ended>;

    /// Makes a file part of its table. Durable when it returns.
    fn commit(
        &self,
        permit: Permit<LoadTable>,
        change: CommitTable,
    ) -> impl Future<Output = Result<CommittedTable, NotCommitted>> + Send;
}

/// Why a file is not part of its table.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted {
    /// The permit ended.
    #[error("the permit has ended")]
    Ended,
    /// A rule of the register is against it.
    #[error(transparent)]
    Refused(ChangeError),
    /// The register is busy.
    #[error("the register is busy")]
    Busy,
    /// It may be, or may not.
    #[error("the register failed")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

/// The key process, as far as loads use it.
pub trait Keys: Clone + Send + Sync + 'static {
    /// Makes the keys of a new file and seals them to a launch, with the file key that opens what is loaded.
    fn create(&self, request: CreateTableKeysRequest) -> impl Future<Output = Result<SealedKeys, NoTableKeys>> + Send;

    /// Destroys the keys of a file, for good. No error if there are none.
    fn destroy(&self, dataset: &DatasetId, file: FileId) -> impl Future<Output = Result<(), NoTableKeys>> + Send;
}

/// Why the key process did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NoTableKeys {
    /// No stanza is for the dataset's ingest key.
    #[error("what is loaded is sealed to another key")]
    WrongKey,
    /// The launch is not approved.
    #[error("the key process refused the launch: see its log, and `octroi zone approve`")]
    Refused,
    /// It cannot be reached, or failed.
    #[error("the key process cannot be reached or failed: see its log")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

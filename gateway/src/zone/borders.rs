//! What the station needs of the register and of the key process. The gateway joins it to them; its tests to doubles.

use std::error::Error;

use octroi_proto::{
    DatasetId, DatasetSchema, Grant, Purpose, ReleasePolicy, TableVersion,
    wire::{
        v1::{EvidenceProof, entry::Record},
        zone::SealedKeys,
    },
};

use crate::{
    authorise::{AskDataset, Decided, Permit},
    keys::{ColumnKeys, Committed, Release},
};

/// The register could not be read, or the evidence not written: nothing is answered without.
#[derive(Debug, thiserror::Error)]
#[error("the register could not be read or the evidence not written")]
pub struct Unavailable(#[source] pub Box<dyn Error + Send + Sync>);

/// A dataset as it can be asked.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Its tables, as declared.
    pub schema: DatasetSchema,
    /// What may leave of them; `None` while that is not declared.
    pub policy: Option<ReleasePolicy>,
    /// Its tables, as they lie in the object store; a table without a load is not among them.
    pub tables: Vec<TableVersion>,
}

/// The register and the gate before it.
pub trait Register: Clone + Send + Sync + 'static {
    /// What there is of a dataset; `None` while no schema is declared.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn holding(&self, dataset: &DatasetId) -> Result<Option<Holding>, Unavailable>;

    /// The live grant under which this permit's caller may ask for this purpose, now. `None` also when the permit has
    /// ended; it must not be used then.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn grant(&self, permit: &mut Permit<AskDataset>, purpose: &Purpose) -> Result<Option<Grant>, Unavailable>;

    /// Records; durable when this returns.
    fn record(&self, decided: &Decided, record: Record) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Records; durable, and proven under a published checkpoint, when this returns.
    fn prove(
        &self,
        decided: &Decided,
        record: Record,
    ) -> impl Future<Output = Result<EvidenceProof, Unavailable>> + Send;

    /// Records soon, from where nothing can wait.
    fn note(&self, decided: &Decided, record: Record);
}

/// The key process.
pub trait Keys: Send + Sync + 'static {
    /// Seals these columns' keys to this launch.
    fn seal(&self, request: ColumnKeys) -> impl Future<Output = Result<SealedKeys, NoKeys>> + Send;

    /// Has a release recorded, if it follows the last one of its table's rows. Recorded already and still the last one, it
    /// is recorded all the same.
    fn commit(&self, release: Release) -> impl Future<Output = Result<Committed, NotCommitted>> + Send;
}

/// Why no keys were sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// The key process refused: the launch is not approved, a column is hidden, or a file has no key.
    #[error("the key process refused")]
    Refused,
    /// It could not be reached, or failed.
    #[error("the key process cannot be reached or failed")]
    Unavailable,
}

/// Why a release was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// Another one came first: it never will be.
    #[error("another release of the same rows came first")]
    Superseded,
    /// No zone of ours sealed it: it never will be.
    #[error("the key process refused")]
    Denied,
    /// Nobody knows: it may be recorded, now or in a moment.
    #[error("the key process cannot be reached or failed")]
    Unavailable,
}

//! What authorisation reads and where changes go: the border with the register, which tests replace.

use std::{error::Error, future::Future};

use octroi_proto::{
    AccessRequest, Agreement, AgreementId, Dataset, DatasetId, Grant, GrantId, Organisation, OrganisationId, Principal,
    PrincipalName, RequestId,
};

use super::{Action, Permit};

/// The register as the gate reads it. Reads are local and quick: they are made inside a request.
///
/// A decision is kept for as long as [`Register::epoch`] stands, so an implementation must raise the epoch only
/// *after* the change that raises it can be read. The gate reads the epoch first and the facts second: then a change
/// in between makes a permit look old, and never makes an old one look current.
pub trait Register: Send + Sync + 'static {
    /// One more with every change that a decision can rest on.
    fn epoch(&self) -> u64;
    /// A dataset.
    fn dataset(&self, id: &DatasetId) -> Read<Option<Dataset>>;
    /// A principal.
    fn principal(&self, name: &PrincipalName) -> Read<Option<Principal>>;
    /// An organisation.
    fn organisation(&self, id: &OrganisationId) -> Read<Option<Organisation>>;
    /// An agreement.
    fn agreement(&self, id: &AgreementId) -> Read<Option<Agreement>>;
    /// A request for access.
    fn request(&self, id: &RequestId) -> Read<Option<AccessRequest>>;
    /// A grant.
    fn grant(&self, id: &GrantId) -> Read<Option<Grant>>;
    /// The grants of one organisation on one dataset, ended ones included.
    fn grants_of(&self, dataset: &DatasetId, organisation: &OrganisationId) -> Read<Vec<Grant>>;
}

/// What a read gives.
pub type Read<T> = Result<T, ReadFailure>;

/// The register could not be read; nothing is permitted then.
#[derive(Debug, thiserror::Error)]
#[error("the register cannot be read")]
pub struct ReadFailure(#[source] Box<dyn Error + Send + Sync>);

impl ReadFailure {
    /// A failure with its cause, for the log.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// A register that can make a change `C`, under a permit for the change's own action.
pub trait Commits<C>: Register {
    /// What the change is, to the policies.
    type Action: Action;
    /// What its maker learns.
    type Outcome;
    /// Why it could not be made.
    type Error;

    /// Makes the change, durably, if the permit's epoch is the current one.
    fn commit(
        &self,
        permit: Permit<Self::Action>,
        change: C,
    ) -> impl Future<Output = Result<Self::Outcome, Uncommitted<Self::Action, C, Self::Error>>> + Send;
}

/// Why a change was not made.
#[derive(Debug)]
pub enum Uncommitted<A: Action, C, E> {
    /// The register has moved on since the permit was decided: both come back, for another look.
    Stale {
        /// The permit, to be renewed.
        permit: Permit<A>,
        /// The change, untouched.
        change: C,
    },
    /// The change itself was refused, or could not be written.
    Failed(E),
}

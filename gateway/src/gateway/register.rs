//! The register as the other stations see it: each has a narrow view of its own, and this is the one register behind
//! them all.

use octroi_proto::{
    AccessRequest, Agreement, AgreementId, CertificateDigest, Dataset, DatasetId, Grant, GrantId, ObjectKey,
    OidcSubject, Organisation, OrganisationId, Principal, PrincipalName, RequestId, StoredObject,
    wire::v1::entry::Record,
};
use tokio::sync::watch;

use crate::{
    authenticate::{Directory, DirectoryError},
    authorise::{
        self, Action, Commits, Decided, DeleteObject, Gate, Lent, NotCommitted, Permit, Read, ReadFailure, StoreObject,
        Uncommitted,
    },
    evidence::Outcome,
    object::{self, Committed, Durable, Ended, Precondition, Unavailable},
    registry::{
        Change, CommitError, ReadError, Recorded, Registry,
        change::{self, RefusalKind},
    },
};

impl Directory for Registry {
    fn principal_by_certificate(&self, digest: &CertificateDigest) -> Result<Option<Principal>, DirectoryError> {
        Self::principal_by_certificate(self, digest).map_err(|error| DirectoryError(error.into()))
    }

    fn principal_by_oidc(&self, subject: &OidcSubject) -> Result<Option<Principal>, DirectoryError> {
        Self::principal_by_oidc(self, subject).map_err(|error| DirectoryError(error.into()))
    }

    fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>, DirectoryError> {
        Self::organisation(self, id).map_err(|error| DirectoryError(error.into()))
    }

    fn turned_away(&self) {
        self.count("Authenticate", Outcome::Unauthenticated);
    }
}

fn read<T>(found: Result<T, ReadError>) -> Read<T> {
    found.map_err(ReadFailure::new)
}

impl authorise::Register for Registry {
    fn epoch(&self) -> u64 {
        Self::epoch(self)
    }

    fn dataset(&self, id: &DatasetId) -> Read<Option<Dataset>> {
        read(Self::dataset(self, id))
    }

    fn principal(&self, name: &PrincipalName) -> Read<Option<Principal>> {
        read(Self::principal(self, name))
    }

    fn organisation(&self, id: &OrganisationId) -> Read<Option<Organisation>> {
        read(Self::organisation(self, id))
    }

    fn agreement(&self, id: &AgreementId) -> Read<Option<Agreement>> {
        read(Self::agreement(self, id))
    }

    fn request(&self, id: &RequestId) -> Read<Option<AccessRequest>> {
        read(Self::request(self, id))
    }

    fn grant(&self, id: &GrantId) -> Read<Option<Grant>> {
        read(Self::grant(self, id))
    }

    fn grants_of(&self, dataset: &DatasetId, organisation: &OrganisationId) -> Read<Vec<Grant>> {
        read(Self::grants_of(self, dataset, organisation))
    }
}

impl<C: Change> Commits<C> for Registry {
    type Action = C::Action;
    type Outcome = C::Outcome;
    type Error = CommitError<C>;

    async fn commit(
        &self,
        permit: Permit<C::Action>,
        change: C,
    ) -> Result<C::Outcome, Uncommitted<C::Action, C, CommitError<C>>> {
        Self::commit(self, permit, change).await.map_err(|error| match error {
            CommitError::Stale { permit, change } => Uncommitted::Stale { permit: *permit, change: *change },
            other
            @ (CommitError::Refused(_) | CommitError::Busy | CommitError::TooLarge | CommitError::Unavailable) => {
                Uncommitted::Failed(other)
            }
        })
    }
}

/// The register behind the gate, as objects see it.
#[derive(Debug, Clone)]
pub struct GatedRegister {
    pub(super) registry: Registry,
    pub(super) gate: Gate<Registry>,
}

impl GatedRegister {
    /// This register behind this gate.
    pub fn new(registry: Registry, gate: Gate<Registry>) -> Self {
        Self { registry, gate }
    }
}

impl object::Register for GatedRegister {
    type Recorded = Recorded;

    fn object(&self, dataset: &DatasetId, key: &ObjectKey) -> Result<Option<StoredObject>, Unavailable> {
        self.registry.object(dataset, key).map_err(|error| Unavailable(error.into()))
    }

    fn renew<A: Action<Target = Lent>>(&self, permit: &mut Permit<A>) -> Result<(), Ended> {
        // What cannot be written down cannot be revoked either: without evidence nothing flows.
        if self.registry.failed() {
            return Err(Ended);
        }
        self.gate.renew(permit).map_err(|_| Ended)
    }

    fn watch_epoch(&self) -> watch::Receiver<u64> {
        self.registry.watch_epoch()
    }

    async fn commit(
        &self,
        permit: Permit<StoreObject>,
        object: Durable,
        precondition: Precondition,
    ) -> Result<Committed, object::CommitError> {
        let committed = self.gate.commit(permit, change::CommitObject { object, precondition }).await;
        committed.map_err(not_committed)
    }

    async fn remove(
        &self,
        permit: Permit<DeleteObject>,
        key: ObjectKey,
        precondition: Precondition,
    ) -> Result<StoredObject, object::CommitError> {
        self.gate.commit(permit, change::RemoveObject { key, precondition }).await.map_err(not_committed)
    }

    async fn record(&self, decided: &Decided, record: Record) -> Result<Recorded, Unavailable> {
        self.registry.record(decided, record).await.map_err(|error| Unavailable(error.into()))
    }

    fn sequence(recorded: &Recorded) -> u64 {
        recorded.sequence()
    }
}

fn not_committed<C: Change>(error: NotCommitted<CommitError<C>>) -> object::CommitError {
    match error {
        NotCommitted::Denied(_) => Ended.into(),
        NotCommitted::Busy | NotCommitted::Failed(CommitError::Busy) => object::CommitError::Busy,
        NotCommitted::Failed(CommitError::Refused(refusal)) => match refusal.kind() {
            RefusalKind::Conflict => object::CommitError::Precondition,
            RefusalKind::NotFound => object::CommitError::Missing,
            // Rules that the gate has looked at already, so something ended in between.
            RefusalKind::Invalid | RefusalKind::Exists | RefusalKind::Denied | RefusalKind::Precondition => {
                Ended.into()
            }
            RefusalKind::Internal => object::CommitError::Unknown(refusal.into()),
        },
        NotCommitted::Failed(error) => object::CommitError::Unknown(error.to_string().into()),
    }
}

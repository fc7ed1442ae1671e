//! What can change in the register, and the rules that hold whatever the policies say.
//!
//! Each change is a pure decision on a [`View`], under a [`Permit`] for its own action. The permit names the target;
//! the change re-reads it, so that it decides on what stands and not on what the caller saw.

mod access;
mod agreement;
mod dataset;
mod object;
mod policy;
mod principal;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use octroi_proto::{
    Dataset, DatasetId, Instant, Level, Principal, PrincipalState, Role, TableName, Violations, wire::v1::entry,
};

pub use self::{
    access::{Grant, Refuse, RequestAccess, RevokeGrant},
    agreement::AddAgreement,
    dataset::{DescribeDataset, PublishDataset, RaiseLevel, RegisterDataset, WithdrawDataset},
    object::{CommitObject, RemoveObject},
    policy::{DeclarePolicy, DeclaredPolicy},
    principal::{AddPrincipal, ApprovePrincipal, Offboarded, RevokeOrganisation, RevokePrincipal},
    schema::{DeclareSchema, Fixed, all_kept},
    table::{CommitTable, CommittedTable},
};
use super::{ReadError, View};
use crate::authorise::{Action, Permit};

/// A change to the register.
pub trait Change: Send + 'static {
    /// What it takes a permit for.
    type Action: Action;
    /// What it leads to, for the one who asked.
    type Outcome: Send + 'static;

    /// Decides it on the register as it stands: what is recorded, and the outcome once that is durable.
    ///
    /// # Errors
    /// [`ChangeError`] when a rule of the register is against it; nothing is recorded then.
    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(entry::Record, Self::Outcome), ChangeError>;
}

/// A kind of thing in the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A dataset.
    Dataset,
    /// A principal, by its name.
    Principal,
    /// A principal, by its certificate.
    Certificate,
    /// A principal, by its OIDC subject.
    OidcSubject,
    /// An organisation.
    Organisation,
    /// An agreement.
    Agreement,
    /// A request for access.
    Request,
    /// A grant.
    Grant,
    /// An object.
    Object,
    /// A table of a dataset.
    Table,
}

/// Why an agreement does not carry a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitAgreement {
    /// There is none of that id.
    #[error("is not known: add it first")]
    Absent,
    /// Someone else signed it.
    #[error("is of another organisation")]
    OtherOrganisation,
    /// It does not cover the dataset.
    #[error("does not cover the dataset")]
    OtherDataset,
    /// It must be reviewed first.
    #[error("is due for review: record its successor")]
    ReviewDue,
}

/// Why the register refuses a change.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Fields that are wrong in the light of the register.
    #[error("{0}")]
    Invalid(#[from] Violations),
    /// The name is in use, or was: names are never used again.
    #[error("the {0} is taken: choose another")]
    Taken(Subject),
    /// It is not there, or not any more.
    #[error("there is no such {0}")]
    Absent(Subject),
    /// An anonymous caller.
    #[error("this needs a principal: present a certificate or a token")]
    Anonymous,
    /// The caller was revoked, or waits for approval.
    #[error("the caller is not an active principal")]
    CallerInactive,
    /// Someone else manages the dataset.
    #[error("only the dataset's own steward may do this")]
    NotSteward,
    /// Someone else manages the dataset, and the caller does not run the gateway.
    #[error("only the dataset's own steward or an operator may do this")]
    NotStewardNorOperator,
    /// The caller's role does not approve.
    #[error("only stewards, reviewers and operators approve")]
    NotApprover,
    /// The caller approves itself.
    #[error("nobody approves themselves: ask another person")]
    OwnApproval,
    /// The caller approved before.
    #[error("the caller has approved already: another person is needed")]
    ApprovedAlready,
    /// Not a vendor, or without a live grant for this.
    #[error("this needs a live grant: ask for access to the dataset")]
    NotLent,
    /// A grant lets an organisation replace what it stored itself, and nothing else.
    #[error("the object was stored by another organisation: choose another key")]
    StoredByAnother,
    /// Nobody could approve a steward any more: a new one needs a steward's approval, and the founding of the register
    /// happens once.
    #[error("the register would be left without an active steward: add and approve another steward first")]
    LastSteward,
    /// The organisation was revoked.
    #[error("the organisation was revoked")]
    OrganisationRevoked,
    /// The level would fall, or not rise.
    #[error("the level is `{current}` and can only rise: register what is made of the data as a new dataset")]
    LevelFalls {
        /// The level that stands.
        current: Level,
    },
    /// What is asked fits no dataset of this level.
    #[error("this cannot be done with a dataset of level `{level}`")]
    LevelUnfit {
        /// The dataset's level.
        level: Level,
    },
    /// It stands otherwise than it must.
    #[error("the {subject} is `{is}` and must be {must}")]
    State {
        /// Of what.
        subject: Subject,
        /// How it stands.
        is: &'static str,
        /// How it must stand.
        must: &'static str,
    },
    /// The dataset demands an agreement.
    #[error("the dataset demands an agreement: name one in `agreement`")]
    AgreementRequired,
    /// The agreement does not carry it.
    #[error("the agreement {0}")]
    AgreementUnfit(UnfitAgreement),
    /// The dataset changed since the caller read it.
    #[error("the dataset's revision is {current}: read it again")]
    Revision {
        /// The revision that stands.
        current: u64,
    },
    /// The object is of another version than the caller asked for.
    #[error("the object is not of the version asked for: read it again")]
    Version {
        /// The version that stands; `None` if there is no object.
        current: Option<u64>,
    },
    /// Another version of the object was committed while this one was uploaded.
    #[error("the object was stored anew in the meantime: upload it again")]
    Superseded,
    /// Rows were written as the schema stands, and questions were asked of them.
    #[error("the table `{table}` has rows, so {part}: declare a table of another name instead")]
    TableFixed {
        /// The table.
        table: TableName,
        /// What would change and must not.
        part: Fixed,
    },
    /// A release policy speaks of columns, and there are none.
    #[error("the dataset has no tables: declare them with `octroi dataset schema` first")]
    NoSchema,
    /// The release policy speaks of what would be gone, or otherwise.
    #[error(
        "the dataset's release policy would not fit any more ({0}): first declare the policy without that, then the \
         schema"
    )]
    PolicyUnfit(Violations),
    /// The table was declared otherwise while rows were loaded.
    #[error("the table was declared anew in the meantime: load the rows again")]
    Redeclared,
    /// A table has as many files as one may have.
    #[error("the table has {most} files, one from each load: load all its rows at once with `replace`")]
    TooManyFiles {
        /// As many as one may have.
        most: usize,
    },
    /// The register cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What kind of refusal it is, for those who answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request is wrong in itself.
    Invalid,
    /// The name is in use.
    Exists,
    /// It is not there.
    NotFound,
    /// The caller may not.
    Denied,
    /// It stands otherwise than it must.
    Precondition,
    /// A precondition of the caller's failed: read again and retry.
    Conflict,
    /// The gateway's own fault.
    Internal,
}

impl ChangeError {
    /// What kind of refusal it is.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) => RefusalKind::Invalid,
            Self::Taken(_) => RefusalKind::Exists,
            Self::Absent(_) => RefusalKind::NotFound,
            Self::Anonymous
            | Self::CallerInactive
            | Self::NotSteward
            | Self::NotStewardNorOperator
            | Self::NotApprover
            | Self::OwnApproval
            | Self::NotLent
            | Self::StoredByAnother => RefusalKind::Denied,
            Self::ApprovedAlready
            | Self::LastSteward
            | Self::OrganisationRevoked
            | Self::LevelFalls { .. }
            | Self::LevelUnfit { .. }
            | Self::State { .. }
            | Self::AgreementRequired
            | Self::AgreementUnfit(_)
            | Self::TableFixed { .. }
            | Self::NoSchema
            | Self::PolicyUnfit(_)
            | Self::TooManyFiles { .. } => RefusalKind::Precondition,
            Self::Revision { .. } | Self::Version { .. } | Self::Superseded | Self::Redeclared => RefusalKind::Conflict,
            Self::Read(_) => RefusalKind::Internal,
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dataset => "dataset",
            Self::Principal => "principal",
            Self::Certificate => "certificate",
            Self::OidcSubject => "OIDC subject",
            Self::Organisation => "organisation",
            Self::Agreement => "agreement",
            Self::Request => "request",
            Self::Grant => "grant",
            Self::Object => "object",
            Self::Table => "table",
        })
    }
}

/// Who makes the change, as it stands now.
fn actor<A: Action>(permit: &Permit<A>, view: &View<'_>) -> Result<Principal, ChangeError> {
    let member = permit.caller().member().ok_or(ChangeError::Anonymous)?;
    let principal = view.principal(&member.principal().name)?;
    principal.filter(|principal| principal.state == PrincipalState::Active).ok_or(ChangeError::CallerInactive)
}

/// The dataset, as it stands now.
fn current(id: &DatasetId, view: &View<'_>) -> Result<Dataset, ChangeError> {
    view.dataset(id)?.ok_or(ChangeError::Absent(Subject::Dataset))
}

/// The dataset as it stands now, if the one who makes the change is its steward.
fn own<A: Action>(id: &DatasetId, permit: &Permit<A>, view: &View<'_>) -> Result<(Dataset, Principal), ChangeError> {
    let actor = actor(permit, view)?;
    let dataset = current(id, view)?;
    if is_steward(&actor, &dataset) { Ok((dataset, actor)) } else { Err(ChangeError::NotSteward) }
}

/// The dataset as it stands now, if the one who makes the change is its steward or an operator: taking away must not
/// wait for a steward who is gone.
fn own_or_operated<A: Action>(id: &DatasetId, permit: &Permit<A>, view: &View<'_>) -> Result<Dataset, ChangeError> {
    let actor = actor(permit, view)?;
    let dataset = current(id, view)?;
    let may = is_steward(&actor, &dataset) || actor.role == Role::Operator;
    if may { Ok(dataset) } else { Err(ChangeError::NotStewardNorOperator) }
}

fn is_steward(actor: &Principal, dataset: &Dataset) -> bool {
    actor.role == Role::Steward && dataset.description.steward == actor.name
}

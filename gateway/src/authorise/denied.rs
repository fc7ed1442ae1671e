//! What authorisation says instead of a permit.

use octroi_proto::DatasetId;

use super::{Decided, register::ReadFailure};

/// A refusal: what the caller may be told, and what the evidence keeps.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
#[must_use = "a refusal of an authenticated caller is evidence: record it"]
pub struct Denied {
    /// What the caller may be told.
    pub kind: DeniedKind,
    /// The decision, with the policies that forbade, if any did. None permits by itself when it is empty.
    pub decided: Decided,
    /// The dataset asked for, whether it exists or not.
    pub dataset: Option<DatasetId>,
    /// What went wrong, for the log, where the refusal is not the policies' word.
    #[source]
    pub cause: Option<Undecided>,
}

/// What a refused caller may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeniedKind {
    /// No credential, or one that is worth nothing any more; a good one could help.
    #[error("authenticate with a certificate or token of a principal that may do this")]
    Unauthenticated,
    /// The policies refuse.
    #[error("the policy does not allow this")]
    Forbidden,
    /// There is no such thing, or the caller may not know of it: the two are not told apart.
    #[error("there is nothing here by that name")]
    NotFound,
    /// No decision could be made, which is a refusal.
    #[error("the gateway cannot decide at the moment: try again later")]
    Unavailable,
}

/// Why no decision could be made.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// The register did not answer.
    #[error(transparent)]
    Register(#[from] ReadFailure),
    /// The facts do not fit the schema of the policies.
    #[error("the facts of the request do not fit the schema of the policies")]
    Facts(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Policies failed while they were evaluated. A `forbid` may have been among them.
    #[error("policies failed: {}", .0.join(", "))]
    Policies(Vec<String>),
}

/// Why a change was not made under a permit.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted<E> {
    /// The permit ended before the change was made.
    #[error(transparent)]
    Denied(Box<Denied>),
    /// The change was refused, or could not be written.
    #[error(transparent)]
    Failed(E),
    /// Others changed the register so often meanwhile that this change never had its turn.
    #[error("the register is busy: try again")]
    Busy,
}

//! What the stations behind the wire say no with.

use super::{Chain, Refusal};
use crate::{
    evidence::ExportError,
    keys::client::CallError,
    object::{FetchError, PutError, RemoveError, StreamError},
    registry::{Change, ChangeError, CommitError, RecordError, change::RefusalKind},
    zone::{AskError, PackError, load::LoadError},
};

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        if let ChangeError::Invalid(violations) = error {
            return Self::Invalid(violations);
        }
        match error.kind() {
            RefusalKind::Invalid => Self::field("request", error),
            RefusalKind::Exists => Self::Exists(error.to_string()),
            RefusalKind::NotFound => Self::NotFound,
            RefusalKind::Denied => Self::Forbidden,
            RefusalKind::Precondition => Self::Precondition(error.to_string()),
            RefusalKind::Conflict => Self::Changed,
            RefusalKind::Internal => Self::internal(&error),
        }
    }
}

impl<C: Change> From<CommitError<C>> for Refusal {
    fn from(error: CommitError<C>) -> Self {
        match error {
            CommitError::Refused(error) => error.into(),
            // The gate renews and repeats; what is stale after that is so because others are quicker.
            CommitError::Stale { .. } | CommitError::Busy => Self::Busy,
            CommitError::TooLarge => Self::field("request", "is too large to be recorded: split it"),
            CommitError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Busy => Self::Busy,
            RecordError::TooLarge => Self::internal(&error),
            RecordError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<PutError> for Refusal {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Ended(_) | PutError::StoredByAnother => Self::Forbidden,
            PutError::Precondition => Self::Changed,
            PutError::TooLarge { most } => Self::TooLarge { setting: "objects.max_object_bytes", limit: most },
            PutError::Upload(cause) => broken_upload(cause.as_ref()),
            PutError::Busy => Self::Busy,
            PutError::Keys(_)
            | PutError::Seal(_)
            | PutError::Store(_)
            | PutError::Register(_)
            | PutError::Unknown(_) => Self::internal(&error),
        }
    }
}

/// The caller's own stream failed: what the wire's adapter said of it, if it said anything.
fn broken_upload(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Refusal {
    match cause.downcast_ref::<Refusal>() {
        Some(refusal) => refusal.clone(),
        None => Refusal::field("body", "broke off before its end: send it again"),
    }
}

impl From<FetchError> for Refusal {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Missing => Self::NotFound,
            FetchError::Precondition => Self::Changed,
            FetchError::Range(range) => Self::OutOfRange { length: range.length },
            FetchError::Ended(_) => Self::Forbidden,
            FetchError::Corrupt(_) | FetchError::Lost => withheld(&error),
            FetchError::Keys(CallError::Missing) => withheld(&error),
            FetchError::Keys(_) | FetchError::Store(_) | FetchError::Register(_) => Self::internal(&error),
        }
    }
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Ended(_) => Self::Forbidden,
            StreamError::Corrupt(_) => withheld(&error),
            StreamError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<RemoveError> for Refusal {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::Ended(_) => Self::Forbidden,
            RemoveError::Missing => Self::NotFound,
            RemoveError::Precondition => Self::Changed,
            RemoveError::Busy => Self::Busy,
            RemoveError::Unknown(_) => Self::internal(&error),
        }
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Ended(_) => Self::Forbidden,
            LoadError::Busy => Self::Busy,
            LoadError::NoTable => Self::field("table", error),
            LoadError::TooLarge { most } => Self::TooLarge { setting: "zone.max_load_bytes", limit: most },
            LoadError::Length => Self::field("length", error),
            LoadError::Upload(cause) => broken_upload(cause.as_ref()),
            LoadError::NothingValid(_) | LoadError::WrongKey => Self::field("rows", error),
            LoadError::Refused(refusal) => refusal.into(),
            LoadError::Timeout { .. } => Self::Precondition(error.to_string()),
            LoadError::NoZone(_) => {
                tracing::error!(cause = %Chain(&error), "no zone for a load");
                Self::NoZone
            }
            LoadError::Zone(_)
            | LoadError::Lied(_)
            | LoadError::Keys(_)
            | LoadError::Store(_)
            | LoadError::Spool(_)
            | LoadError::Register(_)
            | LoadError::Unknown(_) => Self::internal(&error),
        }
    }
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Absent { .. } => Self::NotFound,
            ExportError::NotYet => Self::Precondition(error.to_string()),
            ExportError::Size { .. } | ExportError::Entry(_) | ExportError::Hashes(_) | ExportError::Sign(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Purpose { .. } => Self::field("purpose", error),
            AskError::NoTables { .. } => Self::Precondition(error.to_string()),
            AskError::Isolation { .. } | AskError::NoBackend(_) => Self::field("backend", error),
            AskError::Rejected(rejection) => Self::Question(rejection),
            AskError::Busy | AskError::Pack(PackError::Busy(_)) => Self::Busy,
            AskError::NoZone(_) | AskError::NotJudged(_) => {
                tracing::error!(cause = %Chain(&error), "no zone for a question");
                Self::NoZone
            }
            AskError::Pack(PackError::Disk(_)) => Self::field("sql", error),
            AskError::Pack(PackError::Bound { most, .. }) => {
                Self::TooLarge { setting: "zone.packs_bytes", limit: most }
            }
            AskError::Pack(PackError::Damaged { .. } | PackError::Missing { .. }) => withheld(&error),
            AskError::Pack(PackError::Store(_) | PackError::Folder(_)) => Self::internal(&error),
            AskError::Unavailable(_) => {
                tracing::error!(cause = %Chain(&error), "a question was not answered");
                Self::Unavailable
            }
        }
    }
}

/// Stored bytes that are not what was sealed: the log learns which check failed.
fn withheld(cause: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(cause = %Chain(cause), "stored bytes were withheld");
    Refusal::DataLoss
}

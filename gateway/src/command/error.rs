//! Why a command failed, in a sentence that says what to do.

use std::{io, path::PathBuf};

use tonic::Status;
use tonic_types::StatusExt as _;

use super::profile::ProfileError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No profile was named.
    #[error("this needs a profile: give `--profile FILE` or set OCTROI_PROFILE")]
    NoProfile,
    /// The profile is no good.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The profile's TLS material is no good.
    #[error("the profile's certificates cannot be used: check `ca`, `certificate` and `key`")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer from the gateway.
    #[error("cannot reach the gateway at `{endpoint}`: is it running, and is `endpoint` in the profile right?")]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The gateway could not be reached, or was lost.
    #[error("cannot reach the gateway, or lost it: is it running, and is `endpoint` in the profile right?")]
    Lost(#[source] Box<Status>),
    /// The gateway said no.
    #[error("{}", refusal(.0))]
    Refused(Box<Status>),
    /// The gateway said no to a piece of a question.
    #[error("{}\n\n{underlined}", refusal(status))]
    Objected {
        /// What it said.
        status: Box<Status>,
        /// The question, the piece underlined.
        underlined: String,
    },
    /// A file of the caller's.
    #[error("cannot {doing} `{path}`")]
    File {
        /// What was tried (`read`, `write`).
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A secret file of the caller's.
    #[error(transparent)]
    Secret(#[from] crate::secret_file::SecretFileError),
    /// A file of the caller's does not say what it should.
    #[error("`{path}` is not {what}: {problem}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A description tells of its data.
    #[error("{findings} findings stand against publication: mend them, then register or describe the dataset")]
    NotPublishable {
        /// How many.
        findings: usize,
    },
    /// Some records were refused.
    #[error("{refused} records were refused: mend them and import the file again, which leaves the others as they are")]
    NotAllImported {
        /// How many.
        refused: u64,
    },
    /// An argument.
    #[error("{0}")]
    Usage(String),
    /// What arrived is not what the gateway said it would be.
    #[error("what arrived does not match its digest: fetch it again, and tell the operator if it persists")]
    DigestMismatch,
    /// The gateway broke its own contract.
    #[error("the gateway's answer makes no sense: are the two of the same version?")]
    Nonsense,
    /// The machine could not run the command.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// The evidence does not hold.
    #[error("{0}")]
    NotProven(String),
    /// Making a data folder.
    #[error(transparent)]
    Init(#[from] super::init::InitError),
    /// Running a process of the gateway's.
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    /// Protecting the key process's memory.
    #[error(transparent)]
    Harden(#[from] crate::harden::HardenError),
    /// Running the key process.
    #[error(transparent)]
    Keys(#[from] crate::keys::server::RunError),
    /// Running the zone host.
    #[error(transparent)]
    ZoneHost(#[from] crate::zone_host::ZoneHostError),
    /// Asking the zone host what runs.
    #[error(transparent)]
    Inspect(#[from] octroi_host::lease::InspectError),
    /// The zone host's answer.
    #[error("the zone host's answer makes no sense: are the two of the same version?")]
    ZoneNonsense,
    /// What runs cannot be approved.
    #[error(transparent)]
    Approve(octroi_attest::reference::ApproveError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] crate::settings::SettingsError),
    /// The register's index could not be looked at.
    #[error(transparent)]
    Registry(#[from] crate::registry::offline::OfflineError),
    /// The register's index is not what the evidence says.
    #[error("the index differs from the evidence: make it anew with `octroi registry rebuild --config FILE`")]
    IndexDiffers,
}

impl From<Status> for CommandError {
    fn from(status: Status) -> Self {
        // What the gateway said comes without a cause; what went wrong on the way to it has one.
        if std::error::Error::source(&status).is_some() {
            Self::Lost(Box::new(status))
        } else {
            Self::Refused(Box::new(status))
        }
    }
}

/// The gateway's sentence, and the violations one to a line.
fn refusal(status: &Status) -> String {
    let violations = status.get_details_bad_request().map(|it| it.field_violations).unwrap_or_default();
    if violations.is_empty() {
        return if status.message().is_empty() {
            status.code().description().to_owned()
        } else {
            status.message().to_owned()
        };
    }
    let mut text = "the gateway does not accept this:".to_owned();
    for violation in violations {
        text.push_str("\n  ");
        text.push_str(&violation.field);
        text.push_str(": ");
        text.push_str(&violation.description);
    }
    text
}

//! What a process that holds keys gives up: core dumps, being traced, and outliving its parent.

use nix::{
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        signal::Signal,
    },
    unistd::{Pid, getppid},
};

/// Why a process could not be hardened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HardenError {
    /// The kernel refused.
    #[error("cannot {what}: {cause}")]
    Refused {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        cause: nix::Error,
    },
    /// The parent ended before this process could bind itself to it.
    #[error("the process that started this one has ended: start it again")]
    Orphan,
}

/// Turns core dumps off and keeps other processes of the same user from reading this one's memory.
///
/// # Errors
/// [`HardenError::Refused`].
pub fn without_dumps() -> Result<(), HardenError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|cause| HardenError::Refused { what: "forbid core dumps", cause })?;
    prctl::set_dumpable(false).map_err(|cause| HardenError::Refused { what: "forbid tracing", cause })
}

/// Has the kernel end this process when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG): start it
/// from a thread that lives as long as its process. To be called after the last change of user, which resets it.
///
/// # Errors
/// [`HardenError::Orphan`] when this parent is gone already.
pub fn die_with(parent: u32) -> Result<(), HardenError> {
    prctl::set_pdeathsig(Signal::SIGTERM)
        .map_err(|cause| HardenError::Refused { what: "follow the parent process", cause })?;
    let expected = i32::try_from(parent).map(Pid::from_raw);
    if expected == Ok(getppid()) { Ok(()) } else { Err(HardenError::Orphan) }
}

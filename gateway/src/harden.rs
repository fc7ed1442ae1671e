//! What both processes give up before they hold a secret: core dumps, being traced, and new privileges.
//!
//! Trusts the kernel. Does not give: protection from root, who may read any process's memory.

use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
};

/// Why a process could not be hardened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {step}: {cause}")]
pub struct HardenError {
    step: &'static str,
    cause: Errno,
}

/// No core dumps, no reading of this process's memory by others of its user, no privileges from set-uid programs.
/// To be called after the last change of user, which makes a process dumpable again, and before there are other
/// threads, which keep their privileges.
///
/// # Errors
/// [`HardenError`] when the kernel refuses one of them.
pub(crate) fn harden() -> Result<(), HardenError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(during("switch core dumps off"))?;
    prctl::set_dumpable(false).map_err(during("make the process not dumpable"))?;
    prctl::set_no_new_privs().map_err(during("renounce new privileges"))
}

fn during(step: &'static str) -> impl FnOnce(Errno) -> HardenError {
    move |cause| HardenError { step, cause }
}

/// Closes every descriptor but the standard three: what whoever started this process left open, a child would inherit.
/// To be called before anything is opened and there are other threads.
///
/// # Errors
/// When the descriptors cannot be listed.
pub(crate) fn close_inherited() -> std::io::Result<()> {
    let numbers: Vec<_> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<std::os::fd::RawFd>().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The listing's own is closed already.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

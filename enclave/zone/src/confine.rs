//! What the engine may still do once it runs: compute, use its channel, open its own disks. Nothing else.
//!
//! ```text
//! resource limits -> no new privileges -> Landlock: these devices or no file at all -> seccomp: listed calls alone
//! ```
//!
//! The same for a VM's engine and for a process sandbox, where it stands between hostile SQL and the host's own kernel.
//! Trusts the kernel. Does not give: limits of memory and time, which whoever starts the zone sets from outside; nor,
//! in a sandbox, namespaces, which are the zone host's.

mod filter;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::disks::Device;

/// Which files the engine may open.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// None: it has its descriptors.
    Nothing,
    /// A VM's own disks.
    Devices(&'static [Device]),
}

/// Why the engine is not confined; it must not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit cannot be set.
    #[error("a resource limit cannot be set")]
    Limit(#[source] rustix::io::Errno),
    /// The rules for files are not accepted.
    #[error("Landlock does not take the rules")]
    Landlock(#[from] landlock::RulesetError),
    /// A device is not there.
    #[error("a disk is not there")]
    Device(#[from] landlock::PathFdError),
    /// The kernel is too old, or has it switched off.
    #[error("this kernel does not enforce Landlock: enable it, or use a kernel of Debian 12 or newer")]
    NotEnforced,
    /// The filter is not accepted.
    #[error("seccomp does not take the filter")]
    Seccomp(#[from] seccompiler::Error),
}

/// Confines this process, for good. Call it while there is one thread.
///
/// # Errors
/// [`ConfineError`]; whatever was already given up stays so.
pub fn enter(reach: Reach) -> Result<(), ConfineError> {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, MOST_DESCRIPTORS)?;
    match reach {
        // A host's kernel may be older than the guest's; what it knows of Landlock is used in full.
        Reach::Nothing => files(&[], CompatLevel::BestEffort)?,
        Reach::Devices(devices) => files(devices, CompatLevel::HardRequirement)?,
    }
    Ok(filter::apply()?)
}

/// Lowers a limit for good; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> Result<(), ConfineError> {
    let most = getrlimit(resource).maximum.map_or(most, |now| now.min(most));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(ConfineError::Limit)
}

fn files(devices: &[Device], compatibility: CompatLevel) -> Result<(), ConfineError> {
    let mut rules = Ruleset::default()
        .set_compatibility(compatibility)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    for device in devices {
        let read = BitFlags::from(AccessFs::ReadFile);
        let access = if device.writable { read | AccessFs::WriteFile } else { read };
        rules = rules.add_rule(PathBeneath::new(PathFd::new(device.path)?, access))?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(ConfineError::NotEnforced),
    }
}

/// What the guest's kernel (6.12) knows.
const LANDLOCK: ABI = ABI::V6;
/// Channel, disks, and what the runtime opens for itself.
const MOST_DESCRIPTORS: u64 = 64;

#[cfg(test)]
mod tests;

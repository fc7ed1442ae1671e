//! What a sandbox is given, and nothing else: the arguments of bubblewrap, and the limits.

use std::{io, os::fd::OwnedFd, process::Stdio, time::Duration};

use command_fds::{CommandFdExt as _, FdMapping, FdMappingCollision};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde::Deserialize;
use tokio::process::Command;

use super::{Allowance, Files, LaunchError};

/// What the new process finds open, besides the standard three, which lead nowhere.
#[derive(Debug)]
pub(super) struct Inherited {
    /// As descriptor 3.
    pub(super) channel: OwnedFd,
    /// Data as 4, output as 5, scratch as 6.
    pub(super) files: Files,
    /// Where bubblewrap says what it started.
    pub(super) tell: OwnedFd,
    /// The engine's program.
    pub(super) engine: OwnedFd,
}

/// bubblewrap, ready to start.
pub(super) fn command(inherited: Inherited, errors: Stdio) -> Result<Command, LaunchError> {
    let Inherited { channel, files: Files { data, output, scratch }, tell, engine } = inherited;
    let places = [(3, Some(channel)), (4, data), (5, output), (6, scratch), (TELL, Some(tell)), (ENGINE, Some(engine))];
    let mappings = places.into_iter().filter_map(|(child_fd, given)| Some(FdMapping { parent_fd: given?, child_fd }));
    let mut command = Command::new("bwrap");
    command.args(ARGUMENTS).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).kill_on_drop(true);
    let collision = |_: FdMappingCollision| io::Error::from(io::ErrorKind::InvalidInput);
    command.fd_mappings(mappings.collect()).map_err(collision)?;
    Ok(command)
}

/// The sandbox in words, as it is measured.
pub(super) fn profile() -> String {
    format!("bwrap {}; limits {LIMITS}", ARGUMENTS.join(" "))
}

/// The engine's process, from what bubblewrap says.
pub(super) fn engine_of(said: &[u8]) -> Option<Pid> {
    #[derive(Deserialize)]
    struct Information {
        #[serde(rename = "child-pid")]
        child: i32,
    }
    Pid::from_raw(serde_json::from_slice::<Information>(said).ok()?.child)
}

/// What the engine may use up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) memory_bytes: u64,
    pub(super) allowance: Allowance,
}

impl Limits {
    /// Sets them on a process from outside, for good.
    pub(super) fn impose(&self, process: Pid) -> io::Result<()> {
        let Allowance { wall, file_bytes } = self.allowance;
        for (resource, most) in [
            (Resource::Data, self.memory_bytes),
            (Resource::Cpu, processor_seconds(wall)),
            (Resource::Fsize, file_bytes),
            (Resource::Nproc, THREADS),
            (Resource::Nofile, DESCRIPTORS),
            (Resource::Core, 0),
            (Resource::Memlock, 0),
            (Resource::Msgqueue, 0),
        ] {
            prlimit(Some(process), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }
}

/// All processors for all the time there is, and a second for what is rounded away.
fn processor_seconds(wall: Duration) -> u64 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    wall.as_secs().saturating_add(1).saturating_mul(u64::try_from(processors).unwrap_or(1))
}

/// Everything unshared, an empty root that cannot be written to, no capability, no environment, dead when its parent is.
const ARGUMENTS: [&str; 31] = [
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--disable-userns",
    "--as-pid-1",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--clearenv",
    "--uid",
    "65534",
    "--gid",
    "65534",
    "--hostname",
    "zone",
    "--info-fd",
    "7",
    "--ro-bind-fd",
    "8",
    "/octroi-zone",
    "--remount-ro",
    "/",
    "--chdir",
    "/",
    "--",
    "/octroi-zone",
    "sandbox",
];
/// As in [`ARGUMENTS`].
const TELL: i32 = 7;
/// As in [`ARGUMENTS`].
const ENGINE: i32 = 8;
/// The kinds that [`Limits::impose`] sets.
const LIMITS: &str = "data cpu fsize nproc nofile core memlock msgqueue";
const THREADS: u64 = 512;
const DESCRIPTORS: u64 = 64;

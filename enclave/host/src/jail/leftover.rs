//! What a zone host that was killed may leave: bubblewrap's child, waiting for a parent that is gone.
//!
//! bubblewrap has its child wait for a word that only the parent can say, and the child cannot die with its parent yet.
//! Killed just then, the parent leaves it waiting for ever, with all that it was to hand on open. Such a child can be
//! told for certain: the parent of a jail's first process is bubblewrap, for as long as there is one.

use std::{fs, path::Path};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Kills the children that were left by whoever started them with this argument; how many.
pub(super) fn clear(argument: &str) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| clear_one(*id, argument).is_some()).count()
}

fn clear_one(id: i32, argument: &str) -> Option<()> {
    // Held before it is looked at: what is killed is what was looked at, whatever becomes of its number.
    let handle = pidfd_open(Pid::from_raw(id)?, PidfdFlags::empty()).ok()?;
    let arguments = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let ours = arguments.split(|byte| *byte == 0).any(|word| word == argument.as_bytes());
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
    // Its number in its own namespace comes last.
    let first = of("NSpid:")?.nth(1).is_some() && of("NSpid:")?.last() == Some("1");
    if !ours || !first || of("Name:")?.next() != Some(BUBBLEWRAP) {
        return None;
    }
    let parent = of("PPid:")?.next()?;
    let parent = fs::read_to_string(Path::new("/proc").join(parent).join("comm")).unwrap_or_default();
    if parent.trim_end() == BUBBLEWRAP {
        return None;
    }
    pidfd_send_signal(&handle, Signal::KILL).ok()
}

const BUBBLEWRAP: &str = "bwrap";

//! What the kernel knows of a process.

use std::{fs, time::Duration};

use super::Outcome;

/// Of all its threads (`/proc/PID/task/*/schedstat`: finer than clock ticks).
pub(super) fn cpu(process: i32) -> Outcome<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended since it was listed.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// What no other process shares. Pages of the template's RAM that only one clone happens to have mapped are the
/// template's, so anonymous pages are counted.
pub(super) fn private_mebibytes(process: i32) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap_or_default();
    let kibibytes: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kibibytes) / 1_024.0)
}

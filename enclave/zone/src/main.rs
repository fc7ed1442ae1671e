//! The guest: one static program that is, by how it is started, all that runs in a zone.
//!
//! ```text
//! pid 1 of a VM        init: mounts, lockdown, Warm -> Seed, then becomes
//!   octroi-zone engine the engine: unprivileged, confined; Ready, one piece of work, the end
//! octroi-zone sandbox  the same engine without a VM, confined on the host's own kernel
//! ```
//!
//! Trusts the kernel under it and, for what only a host can give (seed, time, disks), the host. Does not give: a way to
//! be asked twice. One start is one piece of work.

use std::{env, process::ExitCode};

use octroi_zone::{init, start};

fn main() -> ExitCode {
    let word = env::args().nth(1);
    match word.as_deref() {
        Some("engine") => start::in_vm(),
        Some("sandbox") => start::in_sandbox(),
        None if std::process::id() == 1 => init::run(|seeded| Err(seeded.become_engine())),
        None | Some(_) => start::by_nobody(),
    }
}

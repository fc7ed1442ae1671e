//! The guest: one static program that is, by how it is started, all that runs in a zone.
//!
//! ```text
//! pid 1 of a VM        init: mounts, lockdown, Warm -> Seed, then starts
//!   octroi-zone engine the engine: unprivileged, confined; Ready, one piece of work, the end
//! octroi-zone sandbox  the same engine without a VM, confined on the host's own kernel
//! ```
//!
//! Trusts the kernel under it and, for what only a host can give (seed, time, disks), the host. Does not give: a way to
//! be asked twice. One start is one piece of work.

mod confine;
mod disks;
mod init;
mod sys;

use std::{
    env,
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd as _,
    process::ExitCode,
};

use octroi_zone::engine;

use self::{confine::Reach, disks::Disks};

fn main() -> ExitCode {
    let word = env::args().nth(1);
    match word.as_deref() {
        None if std::process::id() == 1 => init::run(),
        Some("engine") => outcome(engine_of_vm()),
        Some("sandbox") => outcome(engine_of_sandbox()),
        None | Some(_) => {
            say("this is what runs inside a zone; `octroi zone-host` starts it");
            ExitCode::FAILURE
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// No channel to the host.
    #[error("the channel was not handed over")]
    Channel(#[source] io::Error),
    /// It would run with more than it may have.
    #[error(transparent)]
    Confine(#[from] confine::ConfineError),
}

/// Started by init, the channel as its standard input.
fn engine_of_vm() -> Result<ExitCode, StartError> {
    let channel = io::stdin().as_fd().try_clone_to_owned().map_err(StartError::Channel)?;
    confine::enter(Reach::Devices(Disks::DEVICES))?;
    let disks = Disks::of_vm();
    Ok(engine::run(File::from(channel), &disks))
}

/// Started by the zone host, with descriptors from 3 on: channel, data, output, scratch. The last three may be absent.
fn engine_of_sandbox() -> Result<ExitCode, StartError> {
    let channel = sys::inherited(3).map_err(StartError::Channel)?;
    let disks = Disks::inherited();
    confine::enter(Reach::Nothing)?;
    Ok(engine::run(channel, &disks))
}

fn outcome(engine: Result<ExitCode, StartError>) -> ExitCode {
    engine.unwrap_or_else(|error| {
        say(&causes(&error));
        ExitCode::FAILURE
    })
}

/// To standard error, which in production leads nowhere.
fn say(text: &str) {
    // Whether anyone listens changes nothing here.
    let _ = writeln!(io::stderr(), "octroi-zone: {text}");
}

/// An error with what it comes from, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

//! Starts the engine, in a VM or in a process sandbox: confined first, then at work.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd as _,
    process::ExitCode,
};

use crate::{
    confine::{self, Reach},
    disks::Disks,
    engine, sys,
};

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
pub fn in_vm() -> ExitCode {
    outcome(io::stdin().as_fd().try_clone_to_owned().map_err(StartError::Channel).and_then(|channel| {
        confine::enter(Reach::Devices(Disks::DEVICES))?;
        Ok(engine::run(File::from(channel), &Disks::of_vm()))
    }))
}

/// Started by the zone host, with descriptors from 3 on: channel, data, output, scratch. The last three may be absent.
pub fn in_sandbox() -> ExitCode {
    outcome(sys::inherited(3).map_err(StartError::Channel).and_then(|channel| {
        let disks = Disks::inherited();
        confine::enter(Reach::Nothing)?;
        Ok(engine::run(channel, &disks))
    }))
}

/// Started by a person.
pub fn by_nobody() -> ExitCode {
    say("this is what runs inside a zone; `octroi zone-host` starts it");
    ExitCode::FAILURE
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
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

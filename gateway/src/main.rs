//! The `octroi` binary: parses the command line, runs it, and says in one sentence what went wrong.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use octroi::{
    answer::Chain,
    command::{self, Cli},
};

fn main() -> ExitCode {
    match command::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _gone = writeln!(std::io::stderr().lock(), "octroi: {}", Chain(&error));
            ExitCode::FAILURE
        }
    }
}

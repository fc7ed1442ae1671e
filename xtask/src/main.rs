//! The project's own commands: `cargo xtask demo`, `cargo xtask test`, `cargo xtask lake`,
//! `cargo xtask image` and `cargo xtask bench`.
//!
//! They work from a clean clone on a machine with a Rust toolchain: what else they need they look for first, install
//! when they may, and name otherwise. They trust whoever runs them; nothing of this is in the gateway.
#![expect(clippy::print_stdout, reason = "a conversation with whoever runs it")]

mod bench;
mod demo;
mod image;
mod lake;
mod prepare;
mod process;
mod progress;
mod project;
mod test;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::project::Project;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Octroi's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Walk every way through the gate on a demo lake, with output that a newcomer can follow
    Demo(demo::Options),
    /// Check format, lints and licences and run every test
    Test(test::Options),
    /// Make the demo lake: a synthetic Dijon and, where PyPI can be reached, New York's flights of 2013
    Lake(lake::Options),
    /// Build what a zone boots: Debian's kernel, and an initramfs with the guest's program
    Image(image::Options),
    /// Measure, against the goals and against others run side by side
    Bench(bench::Options),
}

/// Why a command did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Project(#[from] project::ProjectError),
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
    #[error(transparent)]
    Test(#[from] test::TestError),
    #[error(transparent)]
    Lake(#[from] lake::LakeError),
    #[error(transparent)]
    Image(#[from] image::ImageError),
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let project = Project::find()?;
    match command {
        Command::Demo(options) => demo::run(&project, &options)?,
        Command::Test(options) => test::run(&project, &options)?,
        Command::Lake(options) => lake::run(&project, &options)?,
        Command::Image(options) => image::run(&project, &options)?,
        Command::Bench(options) => bench::run(&project, &options)?,
    }
    Ok(())
}

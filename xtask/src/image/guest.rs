//! How the guest's program is built: its flags stand here and nowhere else, so that the image, its tests and its lints
//! share one build of the engine.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::project::Project;

/// What builds the program.
pub(super) fn build(project: &Project) -> Command {
    let mut command = project.cargo(&["build", "--bin", "octroi-zone", "--profile", PROFILE]);
    prepare(project, &mut command);
    command
}

/// What runs the guest's own tests, by this nextest.
pub(crate) fn nextest(project: &Project, program: &Path) -> Command {
    let mut command = project.command(program);
    command.args(["nextest", "run", "--cargo-profile", PROFILE]);
    prepare(project, &mut command);
    command
}

fn prepare(project: &Project, command: &mut Command) {
    command.args(["--package", "octroi-zone", "--locked", "--target", TARGET]);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(project).join("\u{1f}")).env_remove("RUSTFLAGS");
}

/// Where the program lies once built.
pub(super) fn program(project: &Project) -> PathBuf {
    project.target().join(TARGET).join(PROFILE).join("octroi-zone")
}

/// Static, so that it needs nothing but a kernel; at a fixed address, so that starting it relocates nothing.
fn flags(project: &Project) -> Vec<String> {
    let _ = project;
    STATIC.map(str::to_owned).to_vec()
}

const STATIC: [&str; 4] = ["-C", "target-feature=+crt-static", "-C", "relocation-model=static"];
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "guest";

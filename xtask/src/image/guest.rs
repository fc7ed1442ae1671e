//! How the guest's program is built: its flags stand here and nowhere else, so that the image, its tests and its lints
//! share one build of the engine.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::project::Project;

/// What an image boots into.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guest {
    /// The engine.
    Engine,
    /// What lies, floods and hangs, for tests.
    Hostile,
    /// What reads plaintext, for benchmarks to compare with.
    Bench,
}

impl Guest {
    fn package(self) -> &'static str {
        match self {
            Self::Engine | Self::Bench => "octroi-zone",
            Self::Hostile => "octroi-hostile",
        }
    }

    /// What cargo is asked to build of the package. Benchmarks' is an example, so that it is in no other image.
    fn target(self) -> [&'static str; 2] {
        match self {
            Self::Engine | Self::Hostile => ["--bin", self.package()],
            Self::Bench => ["--example", "bench"],
        }
    }
}

/// What builds the program.
pub(super) fn build(project: &Project, guest: Guest) -> Command {
    let mut command = project.cargo(&["build", "--profile", PROFILE]);
    command.args(guest.target());
    prepare(project, guest, &mut command);
    command
}

/// What lints the guest, by building its tests.
pub(crate) fn lint(project: &Project) -> Command {
    let mut command = project.cargo(&["test", "--no-run", "--profile", PROFILE]);
    prepare(project, Guest::Engine, &mut command);
    project.by_clippy(&mut command);
    command
}

/// What runs the guest's own tests, by this nextest.
pub(crate) fn nextest(project: &Project, program: &Path) -> Command {
    let mut command = project.command(program);
    command.args(["nextest", "run", "--cargo-profile", PROFILE]);
    prepare(project, Guest::Engine, &mut command);
    project.by_clippy(&mut command);
    command
}

/// What builds the benchmark of the release crate, as it is compiled for the guest.
pub(crate) fn library_bench(project: &Project) -> Command {
    let mut command = project.cargo(&["build", "--profile", PROFILE, "--example", "history"]);
    flagged(project, "octroi-release", &mut command);
    command
}

/// Where it lies once built.
pub(crate) fn library_bench_program(project: &Project) -> PathBuf {
    project.target().join(TARGET).join(PROFILE).join("examples/history")
}

fn prepare(project: &Project, guest: Guest, command: &mut Command) {
    flagged(project, guest.package(), command);
}

fn flagged(project: &Project, package: &str, command: &mut Command) {
    command.args(["--package", package, "--locked", "--target", TARGET]);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(project).join("\u{1f}")).env_remove("RUSTFLAGS");
}

/// Where the program lies once built.
pub(crate) fn program(project: &Project, guest: Guest) -> PathBuf {
    let folder = project.target().join(TARGET).join(PROFILE);
    match guest {
        Guest::Engine | Guest::Hostile => folder.join(guest.package()),
        Guest::Bench => folder.join("examples/bench"),
    }
}

/// What was compiled for the program: for the target, and, of build scripts and macros, for this machine.
pub(super) fn built(project: &Project) -> [PathBuf; 2] {
    [project.target().join(TARGET).join(PROFILE), project.target().join(PROFILE)]
}

/// Static, so that it needs nothing but a kernel; at a fixed address, so that starting it relocates nothing; without the
/// names of the folders that it is built in, so that everyone's bytes are the same. Of several prefixes the last counts.
fn flags(project: &Project) -> Vec<String> {
    let other = project.another_folder();
    let mut flags = STATIC.map(str::to_owned).to_vec();
    for (folder, name) in [
        (project.root(), "/octroi"),
        (other.root(), "/octroi"),
        (project.target(), "/target"),
        (other.target(), "/target"),
        (project.cargo_home(), "/cargo"),
    ] {
        flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
    }
    flags
}

const STATIC: [&str; 4] = ["-C", "target-feature=+crt-static", "-C", "relocation-model=static"];
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "guest";

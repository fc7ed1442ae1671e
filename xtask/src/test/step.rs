//! The steps of `cargo xtask test`.

use std::{
    fmt, fs, io,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;

use super::Kit;
use crate::{
    image::{self, Guest, ImageError},
    lake::{self, LakeError},
    prepare::Need,
    process::{self, ProcessError},
    project::Project,
    tool::{self, CargoTool},
};

/// One kind of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    Format,
    Lints,
    Deny,
    Tests,
    Doc,
    Fuzz,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// Its program says no.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// There is no image to test with.
    #[error(transparent)]
    Image(Box<ImageError>),
    /// rustfmt or clippy is missing.
    #[error("the toolchain lacks `{component}`: run `rustup component add {component}`")]
    Component { component: &'static str },
    /// There is no lake to test with.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The fuzz targets cannot be listed.
    #[error("`{path}` cannot be read")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Step {
    /// All of them, the cheap ones first.
    pub(crate) const ALL: &[Self] = &[Self::Format, Self::Lints, Self::Deny, Self::Tests, Self::Doc, Self::Fuzz];

    /// What it holds us to.
    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Self::Format => "the code is laid out by rustfmt",
            Self::Lints => "clippy has nothing to say",
            Self::Deny => "licences, bans and sources of every dependency",
            Self::Tests => "unit, integration and end-to-end tests",
            Self::Doc => "the examples in the documentation",
            Self::Fuzz => "a few seconds of each fuzz target",
        }
    }

    /// What it needs of the machine.
    pub(crate) fn needs(self) -> &'static [Need] {
        match self {
            Self::Format => &[],
            Self::Lints | Self::Deny | Self::Doc => &[Need::CCompiler],
            Self::Tests => &[Need::CCompiler, Need::Python, Need::Curl, Need::Openssl, Need::Git, Need::Qemu],
            Self::Fuzz => &[Need::CCompiler, Need::CxxCompiler],
        }
    }

    /// The tool it runs, if it is not cargo's own.
    pub(crate) fn tool(self, project: &Project) -> Option<&'static CargoTool> {
        match self {
            Self::Format | Self::Lints | Self::Doc => None,
            Self::Deny => Some(&tool::DENY),
            Self::Tests => Some(&tool::NEXTEST),
            Self::Fuzz => fuzz_folder(project).is_dir().then_some(&tool::FUZZ),
        }
    }

    /// Runs it; `hear` gets each line of the test runners. `Some` says why there was nothing to do.
    pub(super) fn run(self, kit: &Kit<'_>, hear: &mut dyn FnMut(&str)) -> Result<Option<&'static str>, StepError> {
        let project = kit.project;
        match self {
            Self::Format => {
                component(project, "rustfmt", "fmt")?;
                process::run(&mut project.cargo(&["fmt", "--all", "--check"]))?;
            }
            Self::Lints => {
                component(project, "clippy", "clippy")?;
                let mut lint = project.cargo(&["test", "--no-run", "--workspace", "--all-targets", "--locked"]);
                project.by_clippy(lint.args(GUEST));
                process::run(&mut lint)?;
                process::run(&mut image::guest_lint(project))?;
            }
            Self::Deny => {
                let program = tool::DENY.ready(project)?;
                let mut deny = project.command(program);
                process::run(deny.args(["--locked", "--workspace", "check", "licenses", "bans", "sources"]))?;
            }
            Self::Tests => {
                let program = tool::NEXTEST.ready(project)?;
                // The end-to-end tests run the program itself, which building tests alone does not bring up to date.
                let mut build = project.cargo(&["build", "--workspace", GUEST[0], GUEST[1], "--locked"]);
                project.by_clippy(&mut build);
                process::run(&mut build)?;
                for (guest, folder) in
                    [(Guest::Engine, image::folder(project)), (Guest::Hostile, image::hostile_folder(project))]
                {
                    image::make(project, guest, &folder, false).map_err(|source| StepError::Image(Box::new(source)))?;
                }
                // Whoever builds it elsewhere must measure the same.
                image::again(project).map_err(|source| StepError::Image(Box::new(source)))?;
                lake::make(project, &lake_folder(project), lake::Size::SMALL)?;
                let mut nextest = project.command(&program);
                nextest.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--retries", "0"]);
                project.by_clippy(&mut nextest);
                process::overhear(coloured(tools(nextest.args(GUEST), kit)), &mut *hear)?;
                // The engine's own tests, above the optimised build of it that the image is made of.
                let mut nextest = image::guest_nextest(project, &program);
                nextest.args(["--no-fail-fast", "--retries", "0"]);
                process::overhear(coloured(tools(&mut nextest, kit)), hear)?;
            }
            Self::Doc => {
                let mut doc = project.cargo(&["test", "--workspace", "--locked", "--doc"]);
                project.by_clippy(&mut doc);
                process::overhear(doc.args(GUEST), hear)?;
            }
            Self::Fuzz => return fuzz(project),
        }
        Ok(None)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Deny => "deny",
            Self::Tests => "tests",
            Self::Doc => "doc",
            Self::Fuzz => "fuzz",
        })
    }
}

/// Tells the tests where their foreign clients are, and what zones boot.
fn tools<'c>(command: &'c mut Command, kit: &Kit<'_>) -> &'c mut Command {
    command.env("OCTROI_ZONE_IMAGE", image::folder(kit.project));
    command.env("OCTROI_LAKE", lake_folder(kit.project));
    for (variable, python) in &kit.pythons {
        command.env(variable, python.interpreter());
    }
    command
}

/// Where the tests' lake is made.
fn lake_folder(project: &Project) -> PathBuf {
    project.target().join("test-lake")
}

/// What is overheard goes through a pipe, so the runner does not see the terminal behind it.
fn coloured(command: &mut Command) -> &mut Command {
    if io::stdout().is_terminal() { command.args(["--color", "always"]) } else { command }
}

/// Part of every full toolchain, but not of rustup's minimal profile.
fn component(project: &Project, component: &'static str, subcommand: &str) -> Result<(), StepError> {
    let present = || process::succeeds(&mut project.cargo(&[subcommand, "--version"]));
    if present() {
        return Ok(());
    }
    let mut add = project.command("rustup");
    let added = process::quietly(&format!("adding {component}"), add.args(["component", "add", component]));
    if added.is_ok() && present() { Ok(()) } else { Err(StepError::Component { component }) }
}

fn fuzz(project: &Project) -> Result<Option<&'static str>, StepError> {
    if !fuzz_folder(project).is_dir() {
        return Ok(Some("there is no folder fuzz/fuzz_targets"));
    }
    let targets = targets(&fuzz_folder(project))?;
    let program = tool::FUZZ.ready(project)?;
    let mut build = nightly_features(project, &program);
    process::run(build.args(["fuzz", "build", NO_SANITIZER]))?;
    for target in &targets {
        println!("--- {target}");
        let mut run = nightly_features(project, &program);
        process::run(run.args([
            "fuzz",
            "run",
            NO_SANITIZER,
            target,
            "--",
            FUZZ_SECONDS,
            FUZZ_SEED,
            "-print_final_stats=1",
        ]))?;
    }
    Ok(targets.is_empty().then_some("fuzz/fuzz_targets holds no target"))
}

/// cargo-fuzz needs `-Z` flags; this lets the stable toolchain take them.
fn nightly_features(project: &Project, program: &Path) -> Command {
    let mut command = project.command(program);
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

fn fuzz_folder(project: &Project) -> PathBuf {
    project.root().join("fuzz/fuzz_targets")
}

/// Names of the targets, sorted.
fn targets(folder: &Path) -> Result<Vec<String>, StepError> {
    let failed = |source| StepError::Folder { path: folder.to_path_buf(), source };
    let mut targets = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    Ok(targets)
}

/// Left out of what is built for the host: the engine is built once, as the guest.
const GUEST: [&str; 2] = ["--exclude", "octroi-zone"];
/// What is fuzzed has no unsafe code of ours for one to watch, and instrumenting all of the gateway takes minutes.
const NO_SANITIZER: &str = "--sanitizer=none";
/// Long enough to find a parser that panics on its first surprises.
const FUZZ_SECONDS: &str = "-max_total_time=5";
/// The same inputs each time: what these seconds find, they find for everyone. Longer runs choose their own.
const FUZZ_SEED: &str = "-seed=1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_rust_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["token.rs", "range.rs", "README.md"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(targets(folder.path()).unwrap(), ["range", "token"]);
    }

    #[test]
    fn every_step_has_its_word() {
        for step in Step::ALL {
            assert_eq!(Step::from_str(&step.to_string(), false), Ok(*step));
        }
    }
}

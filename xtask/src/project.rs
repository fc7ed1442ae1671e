//! Where things are: the clone, and the folder outside it that keeps tools between runs.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The clone and its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    root: PathBuf,
    cache: PathBuf,
    target: PathBuf,
    cargo: OsString,
    cargo_home: PathBuf,
}

/// Why the surroundings cannot be made out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    /// Neither a home nor a cache folder is known.
    #[error("neither `XDG_CACHE_HOME` nor `HOME` is set: set one, so that tools can be kept there")]
    NoHome,
}

impl Project {
    /// Reads the surroundings, once.
    pub(crate) fn find() -> Result<Self, ProjectError> {
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf);
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or(ProjectError::NoHome)?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target));
        let cargo_home = absolute("CARGO_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cargo")))
            .ok_or(ProjectError::NoHome)?;
        Ok(Self { root, cache: cache.join("octroi"), target, cargo, cargo_home })
    }

    /// The clone.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Kept between runs and between clones; may be deleted at any time.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where cargo keeps what it downloads.
    pub(crate) fn cargo_home(&self) -> &Path {
        &self.cargo_home
    }

    /// The same project in another folder, for what must not depend on the folder; it has a target folder of its own.
    pub(crate) fn another_folder(&self) -> Self {
        let root = self.cache.join("another-folder");
        Self { target: root.join("target"), root, ..self.clone() }
    }

    /// A cargo command, run in the clone by the cargo that runs us.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.cargo);
        command.args(arguments);
        command
    }

    /// Has the workspace compiled by clippy, which is a compiler too, with its warnings for errors, as `cargo clippy --
    /// -D warnings` sets it: what was linted is what is tested, and what lies below is not checked a second time.
    pub(crate) fn by_clippy(&self, command: &mut Command) {
        let beside = Path::new(&self.cargo).with_file_name("clippy-driver");
        let driver = if beside.is_file() { beside } else { "clippy-driver".into() };
        command.env("RUSTC_WORKSPACE_WRAPPER", driver).env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings");
    }

    /// A command, run in the clone.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        // Cargo described this package to us. To a cargo that we start it would be news: build scripts that watch these
        // variables, ring's and so all that rests on it, would be built anew each time.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix))) {
                command.env_remove(name);
            }
        }
        command
    }
}

/// Variables that `cargo run` sets for the program it runs.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

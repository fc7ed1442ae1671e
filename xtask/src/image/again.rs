//! The guest built a second time, from a copy of the clone in another folder: the same bytes, or someone would measure
//! another image than we.
//!
//! What is not of this workspace is taken over as it was compiled; its paths are those of cargo's own folder, not ours.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::guest::{self, Guest};
use crate::{
    process::{self, ProcessError},
    project::Project,
};

/// Why the image is not known to be the same everywhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgainError {
    /// The copy cannot be made or built.
    #[error("the guest cannot be built again")]
    Build(#[from] ProcessError),
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is another program.
    #[error("another folder gives another guest: compare `{one}` with `{other}`")]
    Different { one: PathBuf, other: PathBuf },
}

/// Builds in a folder of its own, compares with what was built here, and clears away what is the same.
pub(super) fn build(project: &Project) -> Result<(), AgainError> {
    let other = project.another_folder();
    let folder = other.root().to_path_buf();
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(file(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    copy(project, &other)?;
    // The flags of the first build: with others cargo would compile everything anew.
    let mut build = guest::build(project, Guest::Engine);
    process::run(build.current_dir(other.root()).env("CARGO_TARGET_DIR", other.target()))?;
    let (one, other) = (guest::program(project, Guest::Engine), guest::program(&other, Guest::Engine));
    if fs::read(&one).map_err(file(&one))? != fs::read(&other).map_err(file(&other))? {
        return Err(AgainError::Different { one, other });
    }
    println!("the same bytes from {}", folder.display());
    fs::remove_dir_all(&folder).map_err(file(&folder))
}

/// The clone as it stands, and what was compiled for it but its own crates.
fn copy(project: &Project, other: &Project) -> Result<(), AgainError> {
    let left_out = [project.target(), &project.root().join("target"), &project.root().join(".git")];
    for entry in entries(project.root())? {
        if !left_out.contains(&entry.as_path()) {
            process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&entry).arg(other.root()))?;
        }
    }
    for built in guest::built(project) {
        let place = other.target().join(built.strip_prefix(project.target()).unwrap_or(&built));
        let parent = place.parent().unwrap_or(other.target());
        fs::create_dir_all(parent).map_err(file(parent))?;
        process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&built).arg(&place))?;
        for part in [".fingerprint", "build", "deps"].map(|part| place.join(part)) {
            if part.is_dir() {
                forget_own(&part)?;
            }
        }
    }
    Ok(())
}

/// Removes what was compiled of this workspace.
fn forget_own(folder: &Path) -> Result<(), AgainError> {
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.trim_start_matches("lib").starts_with("octroi") {
            continue;
        }
        let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
        removed.map_err(file(&entry))?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, AgainError> {
    let entries = fs::read_dir(folder).map_err(file(folder))?;
    entries.map(|entry| Ok(entry.map_err(file(folder))?.path())).collect()
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> AgainError {
    move |source| AgainError::File { path: path.to_path_buf(), source }
}

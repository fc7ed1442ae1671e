//! A Python of our own, for tests or for benchmarks: pinned packages in a virtual environment outside the clone, kept between runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    process::{self, ProcessError},
    project::Project,
};

/// A virtual environment that holds exactly what a file of requirements says.
#[derive(Debug)]
pub(crate) struct Python {
    interpreter: PathBuf,
}

/// Why there is no such environment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    /// A file cannot be read or written.
    #[error("`{path}` cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// venv or pip failed.
    #[error("the Python environment cannot be made; delete `{folder}` and try again")]
    Make {
        folder: PathBuf,
        #[source]
        source: ProcessError,
    },
    /// No interpreter.
    #[error("`python3` gives no answer")]
    Interpreter(#[source] ProcessError),
}

impl Python {
    /// The environment, made first if it must be.
    pub(crate) fn ready(project: &Project, requirements: &Path) -> Result<Self, PythonError> {
        let wanted = fs::read_to_string(requirements).map_err(file(requirements))?;
        let version = process::output(Command::new("python3").arg("--version")).map_err(PythonError::Interpreter)?;
        // Another Python, or other packages: another environment.
        let stamp = format!("{version}{wanted}");
        let folder = project.cache().join(format!("venv-{:08x}", crc32fast::hash(stamp.as_bytes())));
        let python = Self { interpreter: folder.join("bin/python3") };
        let finished = folder.join("finished");
        // Written last: an environment that was interrupted is begun again.
        if fs::read_to_string(&finished).is_ok_and(|found| found == stamp) {
            return Ok(python);
        }
        let failed = |source| PythonError::Make { folder: folder.clone(), source };
        let mut make = Command::new("python3");
        process::quietly("making a Python environment", make.args(["-m", "venv", "--clear"]).arg(&folder))
            .map_err(failed)?;
        let mut install = Command::new(&python.interpreter);
        install.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-r",
        ]);
        process::quietly("installing its packages", install.arg(requirements)).map_err(failed)?;
        fs::write(&finished, &stamp).map_err(file(&finished))?;
        Ok(python)
    }

    /// The interpreter.
    pub(crate) fn interpreter(&self) -> &Path {
        &self.interpreter
    }
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> PythonError {
    move |source| PythonError::File { path: path.to_path_buf(), source }
}

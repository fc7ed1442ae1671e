//! For the operator, while the gateway is stopped: holding the index against the evidence, and making it anew.

use std::{fs, io, path::PathBuf};

use super::{
    RegistrySettings,
    index::{Index, OpenIndexError},
    table::Table,
    view::ReadError,
};
use crate::evidence::{KernelSalts, OpenStoreError, Store};

/// What `octroi registry check` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Entries in the evidence.
    pub entries: u64,
    /// Rows that the evidence leads to.
    pub rows: u64,
    /// Where the index differs; at most 1,000 are listed.
    pub differences: Vec<Difference>,
    /// Whether there were more.
    pub more: bool,
}

/// One row in which index and evidence differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The row's table.
    pub table: &'static str,
    /// The row's key, its parts divided by `/`, what is not printable escaped.
    pub key: String,
    /// How they differ.
    pub kind: DifferenceKind,
}

/// How index and evidence differ in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The index lacks it.
    Missing,
    /// The index has it and should not.
    Surplus,
    /// The index says something else.
    Other,
}

/// Why index and evidence could not be compared, or the index not made anew.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The evidence does not open.
    #[error(transparent)]
    Store(#[from] OpenStoreError),
    /// An index does not open.
    #[error(transparent)]
    Index(#[from] OpenIndexError),
    /// A row cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file system refused.
    #[error("`{path}` cannot be replaced: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Compares the index with a replay of the whole evidence, row by row. Opening the index brings it up to the
/// evidence first, as a start does.
///
/// # Errors
/// [`OfflineError`], among them that the gateway is running.
pub fn check(settings: &RegistrySettings) -> Result<CheckReport, OfflineError> {
    let log = Store::open(&settings.evidence, Box::new(KernelSalts))?.log();
    let index = Index::open(&settings.index, settings.cache_bytes, &log)?;
    let truth = Index::temporary(&log)?;
    let mut report = CheckReport { entries: log.len(), ..CheckReport::default() };
    for row in truth.rows() {
        let (key, value) = row.map_err(ReadError::from)?;
        report.rows += 1;
        match index.rows().get(&key).map_err(ReadError::from)? {
            Some(found) if found == value => {}
            Some(_) => report.add(&key, DifferenceKind::Other),
            None => report.add(&key, DifferenceKind::Missing),
        }
    }
    for row in index.rows() {
        let (key, _) = row.map_err(ReadError::from)?;
        if !truth.rows().contains_key(&key).map_err(ReadError::from)? {
            report.add(&key, DifferenceKind::Surplus);
        }
    }
    Ok(report)
}

/// Makes the index anew from the evidence, beside the old one, then puts it in its place. Says how many entries it
/// shows. Killed half-way, it leaves the old index, the new one, or none, and the next start replays what is missing.
///
/// # Errors
/// [`OfflineError`], among them that the gateway is running.
pub fn rebuild(settings: &RegistrySettings) -> Result<u64, OfflineError> {
    let store = Store::open(&settings.evidence, Box::new(KernelSalts))?;
    let fresh = settings.index.with_extension("new");
    clear(&fresh)?;
    let index = Index::open(&fresh, settings.cache_bytes, &store.log())?;
    index.flush().map_err(ReadError::from)?;
    drop(index);
    clear(&settings.index)?;
    fs::rename(&fresh, &settings.index).map_err(|source| OfflineError::Io { path: settings.index.clone(), source })?;
    Ok(store.len())
}

impl CheckReport {
    fn add(&mut self, key: &[u8], kind: DifferenceKind) {
        if self.differences.len() == LISTED {
            self.more = true;
            return;
        }
        let parts = key.split_first().map_or(&[][..], |(_, parts)| parts);
        let key_text = parts.split(|byte| *byte == 0).map(|part| part.escape_ascii().to_string()).collect::<Vec<_>>();
        let table = Table::of(key).map_or("unknown", Table::name);
        self.differences.push(Difference { table, key: key_text.join("/"), kind });
    }
}

fn clear(folder: &PathBuf) -> Result<(), OfflineError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OfflineError::Io { path: folder.clone(), source }),
    }
}

const LISTED: usize = 1_000;

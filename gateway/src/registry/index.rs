//! The index in sled: rows, the schema they follow, and how much of the evidence they show.
//!
//! sled's flush is no fsync, so nothing rests on it: a batch of rows carries the sequence up to which entries are
//! applied, in one atomic batch of one tree. What sled lost is replayed from the evidence at the next start.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    effects::{Effects, Occasion, UnknownRecord, effects},
    table::Table,
    view::{Overlay, ReadError, View},
};
use crate::evidence::{Log, ReadEntryError};

/// Why the index does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenIndexError {
    /// Another process has it open.
    #[error("the registry in `{path}` is in use by another process: stop `octroi serve` first")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// sled finds it damaged.
    #[error("the registry's index in `{path}` is damaged: run `octroi registry rebuild --config FILE`")]
    Damaged {
        /// The folder.
        path: PathBuf,
    },
    /// It follows a schema of another version.
    #[error(
        "the registry's index in `{path}` is of another version of octroi: run `octroi registry rebuild --config FILE`, or that version"
    )]
    Schema {
        /// The folder.
        path: PathBuf,
    },
    /// It shows entries that the evidence does not have.
    #[error(
        "the registry's index in `{path}` is not of this evidence: restore the evidence, or run `octroi registry rebuild --config FILE`"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// sled cannot open it.
    #[error("the registry's index cannot be opened: {0}")]
    Sled(#[from] sled::Error),
    /// The evidence could not be applied.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// Why entries could not be applied to the index.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An entry cannot be read.
    #[error(transparent)]
    Entry(#[from] ReadEntryError),
    /// An entry records something that this version does not know.
    #[error("evidence entry {sequence} records what this version of octroi does not know: run a newer one")]
    Unknown {
        /// Which entry.
        sequence: u64,
    },
    /// A row cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index cannot be written.
    #[error("the registry's index cannot be written: {0}")]
    Sled(#[from] sled::Error),
}

/// The index, open.
#[derive(Debug, Clone)]
pub(super) struct Index {
    rows: sled::Tree,
    // Keeps the database, and with it the lock on its folder.
    _db: sled::Db,
}

/// How much of the evidence the index shows, and the commitment of the last entry of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) entries: u64,
    pub(super) last: [u8; 32],
}

impl Index {
    /// Opens the index in this folder with a cache of so many bytes, or begins one; brings it up to the evidence.
    pub(super) fn open(path: &Path, cache_bytes: u64, log: &Log) -> Result<Self, OpenIndexError> {
        let index = Self::bare(path, &sled::Config::new().path(path).cache_capacity(cache_bytes))?;
        let applied = index.applied().map_err(|_| OpenIndexError::Damaged { path: path.to_owned() })?;
        if let Some(last) = applied.entries.checked_sub(1) {
            let leaf = log.leaf(last).map_err(ReplayError::from)?;
            if leaf.is_none_or(|leaf| leaf.commitment() != applied.last) {
                return Err(OpenIndexError::Foreign { path: path.to_owned() });
            }
        }
        index.replay(log, applied.entries)?;
        Ok(index)
    }

    /// An index made anew from the whole log, in a folder that is gone when it is dropped.
    pub(super) fn temporary(log: &Log) -> Result<Self, OpenIndexError> {
        let index = Self::bare(Path::new("temporary"), &sled::Config::new().temporary(true).cache_capacity(CACHE))?;
        index.replay(log, 0)?;
        Ok(index)
    }

    fn bare(path: &Path, config: &sled::Config) -> Result<Self, OpenIndexError> {
        let db = database(path, config)?;
        let rows = db.open_tree("rows")?;
        let schema = Table::Meta.key(&[b"schema"]);
        match rows.get(&schema)? {
            None if rows.is_empty() => rows.insert(schema, SCHEMA).map(drop)?,
            Some(found) if found == SCHEMA => {}
            Some(_) | None => return Err(OpenIndexError::Schema { path: path.to_owned() }),
        }
        Ok(Self { rows, _db: db })
    }

    /// Applies every entry from here on, many to a batch.
    fn replay(&self, log: &Log, from: u64) -> Result<(), ReplayError> {
        let mut overlay = Overlay::default();
        let mut applied = None;
        for (sequence, entry) in (from..).zip(log.replay(from)?) {
            let (entry, last) = entry?;
            let at = octroi_proto::time::parse(entry.at).map_err(|_| ReplayError::Unknown { sequence })?;
            let record = entry.record.ok_or(ReplayError::Unknown { sequence })?;
            let occasion = Occasion { sequence, at };
            let effects = effects(&record, occasion, &View::new(self, &overlay));
            let Effects { rows, .. } = effects.map_err(|error| match error {
                EffectsError::Unknown(UnknownRecord) => ReplayError::Unknown { sequence },
                EffectsError::Read(error) => ReplayError::Read(error),
            })?;
            overlay.extend(rows);
            applied = Some(Applied { entries: sequence + 1, last });
            if overlay.len() >= REPLAY_ROWS {
                self.apply(std::mem::take(&mut overlay), sequence + 1, last)?;
                applied = None;
            }
        }
        if let Some(Applied { entries, last }) = applied {
            self.apply(overlay, entries, last)?;
        }
        Ok(())
    }

    /// Puts the rows in place together with how much of the evidence they show.
    pub(super) fn apply(&self, overlay: Overlay, entries: u64, last: [u8; 32]) -> Result<(), sled::Error> {
        let mut batch = sled::Batch::default();
        for (key, value) in overlay.into_rows() {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(Table::Meta.key(&[b"applied"]), [&entries.to_be_bytes()[..], &last[..]].concat());
        self.rows.apply_batch(batch)
    }

    /// How much of the evidence the rows show.
    pub(super) fn applied(&self) -> Result<Applied, ReadError> {
        let Some(value) = self.rows.get(Table::Meta.key(&[b"applied"]))? else {
            return Ok(Applied { entries: 0, last: [0; 32] });
        };
        let parsed = value.split_first_chunk().and_then(|(entries, last)| {
            Some(Applied { entries: u64::from_be_bytes(*entries), last: last.try_into().ok()? })
        });
        parsed.ok_or(ReadError::Damaged { table: Table::Meta.name() })
    }

    pub(super) fn rows(&self) -> &sled::Tree {
        &self.rows
    }

    /// Hands what sled holds to the operating system.
    pub(super) fn flush(&self) -> Result<(), sled::Error> {
        self.rows.flush().map(drop)
    }
}

/// Why a record has no effects on the index.
#[derive(Debug, thiserror::Error)]
pub(super) enum EffectsError {
    #[error(transparent)]
    Unknown(#[from] UnknownRecord),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Opens sled. A database that was closed a moment ago is still locked until sled's own threads have ended, so a lock
/// is waited for a little before it is somebody else's.
fn database(path: &Path, config: &sled::Config) -> Result<sled::Db, OpenIndexError> {
    let mut left = TRIES;
    loop {
        left -= 1;
        match config.open().map_err(|source| named(path, source)) {
            Err(OpenIndexError::InUse { .. }) if left > 0 => thread::sleep(BETWEEN_TRIES),
            opened => return opened,
        }
    }
}

fn named(path: &Path, source: sled::Error) -> OpenIndexError {
    let path = path.to_owned();
    match source {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => OpenIndexError::Damaged { path },
        sled::Error::Io(io) if io.kind() == std::io::ErrorKind::WouldBlock || io.to_string().contains("lock") => {
            OpenIndexError::InUse { path }
        }
        source @ (sled::Error::Io(_) | sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_)) => {
            OpenIndexError::Sled(source)
        }
    }
}

/// The version of tables, keys and values; another one means another index.
const SCHEMA: &[u8] = b"2";
/// How often, and how far apart, a locked index is tried: half a second in all.
const TRIES: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
/// Bytes that sled may keep of the index in memory.
const CACHE: u64 = 32 << 20;
/// Rows applied at once while entries are replayed.
const REPLAY_ROWS: usize = 4_096;

//! A table's sealed records on disk: those that are committed in one file, and beside it the one that is about to be.
//!
//! ```text
//! <dataset>/<table>              committed records, framed, one after the other
//! <dataset>/<table>.commitments  what they were committed with, 132 bytes each
//! <dataset>/<table>.next         the next record, its commitment, and where the committed ones end; whole or absent
//! ```
//!
//! Blocking. What `next` says about the end is believed, so that what a crash leaves of an append is never read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use octroi_attest::history::{
    self, COMMITMENT_BYTES, Head, HistoryError, MOST_BYTES, MOST_RECORD, MOST_RELEASES, NO_RELEASE, Records,
};
use prost::Message as _;

use crate::{
    durable::{self, ensure_folder, sync_parent},
    keys::FactTable,
};

/// The files of one table.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    records: PathBuf,
    commitments: PathBuf,
    next: PathBuf,
}

/// How far committed records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::zone) struct Extent {
    /// Of the last one; 0 before the first.
    pub(in crate::zone) sequence: u64,
    /// Bytes of them, framed.
    pub(in crate::zone) bytes: u64,
    /// What their chain comes to.
    pub(in crate::zone) head: Head,
}

/// A record that is about to be committed.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Next {
    /// Of it.
    #[prost(uint64, tag = "1")]
    pub(super) sequence: u64,
    /// Where it is to begin: the end of those that are committed.
    #[prost(uint64, tag = "2")]
    pub(super) begins: u64,
    /// Sealed.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) record: Vec<u8>,
    /// For the key process.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) commitment: Vec<u8>,
}

/// Why a history is not kept: nothing more is released of its rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    /// The files are not what was written.
    #[error("the history of releases in `{}` is damaged: restore it as it was last", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// As much as a history may be.
    #[error("the history is full")]
    Full,
    /// A file could not be read or written.
    #[error("`{}` cannot be read or written: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Extent {
    /// Before the first release.
    pub(super) const NONE: Self = Self { sequence: 0, bytes: 0, head: NO_RELEASE };

    /// With one more record.
    fn with(&self, record: &[u8], framed: usize) -> Self {
        let bytes = self.bytes.saturating_add(framed as u64);
        Self { sequence: self.sequence + 1, bytes, head: history::after(&self.head, record) }
    }
}

impl Next {
    /// What the history comes to with it.
    pub(super) fn head(&self, at: &Extent) -> Head {
        history::after(&at.head, &self.record)
    }
}

impl Ledger {
    /// Of this table, in the folder of all histories; nothing is made yet.
    pub(super) fn new(folder: &Path, table: &FactTable) -> Self {
        let records = folder.join(table.dataset.as_str()).join(table.table.as_str());
        // No name of a table has a dot.
        let [commitments, next] = ["commitments", "next"].map(|name| records.with_extension(name));
        Self { records, commitments, next }
    }

    /// The file of committed records.
    pub(super) fn records(&self) -> &Path {
        &self.records
    }

    /// What is committed for sure, and what may be.
    pub(super) fn read(&self) -> Result<(Extent, Option<Next>), LedgerError> {
        let damaged = |path: &Path| LedgerError::Damaged { path: path.to_owned() };
        let next = match bytes(&self.next, MOST_NEXT)? {
            Some(bytes) => Some(Next::decode(bytes.as_slice()).map_err(|_| damaged(&self.next))?),
            None => None,
        };
        let mut records = bytes(&self.records, MOST_BYTES as u64 + MOST_NEXT)?.unwrap_or_default();
        if let Some(Next { begins, .. }) = &next {
            let begins = usize::try_from(*begins).ok().filter(|begins| *begins <= records.len());
            // What lies behind is what a crash left of this very record.
            records.truncate(begins.ok_or_else(|| damaged(&self.records))?);
        }
        let at = extent(&records).map_err(|_| damaged(&self.records))?;
        let follows = next.as_ref().is_none_or(|next| at.sequence.checked_add(1) == Some(next.sequence));
        if follows { Ok((at, next)) } else { Err(damaged(&self.next)) }
    }

    /// Puts the next record aside; durable when this returns. After an error it may be there or not.
    pub(super) fn stage(&self, at: &Extent, next: &Next) -> Result<(), LedgerError> {
        let framed = framed(next)?.len() as u64;
        if at.sequence >= MOST_RELEASES || at.bytes.saturating_add(framed) > MOST_BYTES as u64 {
            return Err(LedgerError::Full);
        }
        let folder = self.next.parent().unwrap_or(&self.next);
        ensure_folder(folder).map_err(at_file(folder))?;
        let aside = self.next.with_extension("new");
        remove(&aside)?;
        let staged = durable::create(&aside, &next.encode_to_vec(), 0o600)
            .and_then(|()| fs::rename(&aside, &self.next))
            .and_then(|()| sync_parent(&self.next));
        staged.map_err(at_file(&self.next))
    }

    /// Puts the committed record behind the others, durably, and then no longer aside.
    pub(super) fn keep(&self, at: &Extent, next: &Next) -> Result<Extent, LedgerError> {
        let framed = framed(next)?;
        if fs::metadata(&self.records).map_or(0, |records| records.len()) < at.bytes {
            return Err(LedgerError::Damaged { path: self.records.clone() });
        }
        append(&self.commitments, &next.commitment, at.sequence * COMMITMENT_BYTES as u64)
            .map_err(at_file(&self.commitments))?;
        append(&self.records, &framed, at.bytes).map_err(at_file(&self.records))?;
        self.discard()?;
        Ok(at.with(&next.record, framed.len()))
    }

    /// What this release was committed with.
    pub(super) fn commitment(&self, sequence: u64) -> Result<Vec<u8>, LedgerError> {
        let mut commitment = vec![0; COMMITMENT_BYTES];
        let at = sequence.saturating_sub(1).saturating_mul(COMMITMENT_BYTES as u64);
        let read = File::open(&self.commitments).and_then(|file| file.read_exact_at(&mut commitment, at));
        read.map_err(at_file(&self.commitments))?;
        Ok(commitment)
    }

    /// Forgets what was aside, durably.
    pub(super) fn discard(&self) -> Result<(), LedgerError> {
        remove(&self.next)?;
        sync_parent(&self.next).map_err(at_file(&self.next))
    }
}

/// Whole records, and nothing else.
fn extent(records: &[u8]) -> Result<Extent, HistoryError> {
    let (mut at, mut records, mut before) = (Extent::NONE, Records::of(records), 0);
    while let Some(record) = records.next() {
        let record = record?;
        at = at.with(record, records.taken() - before);
        before = records.taken();
    }
    Ok(at)
}

/// Puts bytes where those that count end, whatever lies behind; durable when this returns.
fn append(path: &Path, bytes: &[u8], end: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_len(end)?;
    file.write_all_at(bytes, end)?;
    file.sync_all()?;
    sync_parent(path)
}

fn framed(next: &Next) -> Result<Vec<u8>, LedgerError> {
    history::framed(&next.record).map_err(|_| LedgerError::Full)
}

/// A file's bytes; `None` when there is none.
fn bytes(path: &Path, most: u64) -> Result<Option<Vec<u8>>, LedgerError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at_file(path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(at_file(path))?;
    if bytes.len() as u64 > most { Err(LedgerError::Damaged { path: path.to_owned() }) } else { Ok(Some(bytes)) }
}

fn remove(path: &Path) -> Result<(), LedgerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at_file(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn at_file(path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    move |source| LedgerError::File { path: path.to_owned(), source }
}

/// Bytes of a record that is aside, with what goes with it.
const MOST_NEXT: u64 = MOST_RECORD as u64 + 4_096;

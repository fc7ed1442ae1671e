//! What was released of each table's rows: sealed records, which zones alone can read, kept so that none is lost.
//!
//! ```text
//! Histories --extents--> what a question's zone is shown          committed records, and no others
//! Sealed    --record---> put aside, synced -> CommitRelease -> put behind the others, synced -> Committed, with the answer's key
//! ```
//!
//! An answer leaves its zone sealed, and the key process gives the key that opens it once it has recorded the release: so
//! `octroi serve`, even taken over, has no answer that the history does not know of. Here is only kept what the zone and
//! the key process understand. The key process records one release after the other, each on the strength of the one
//! before; whoever comes second asks again. Those who ask again take the table's turn first, and commits wait for it.
//!
//! Wherever this process is killed, or a call to the key process is lost, nothing is lost and no table is stuck. What is
//! aside is whole or absent, and is put there before the key process hears of it. As long as it is there, nobody knows
//! whether it is committed, and the table's turn begins with asking for it once more, which is answered as the first time:
//!
//! | killed                        | found          | then                                                              |
//! | ----------------------------- | -------------- | ----------------------------------------------------------------- |
//! | before it is aside            | nothing of it  | it never was: nobody has the answer                               |
//! | before the key process has it | aside          | recorded now: a release that nobody saw                           |
//! | before the answer came        | aside          | recorded already: the answer is the same                          |
//! | before or while it is kept    | aside, torn    | recorded already; what the append left is cut off and written anew |
//! | before it is no longer aside  | aside and kept | the same                                                          |
//!
//! A release that is refused for good is forgotten. A key process whose folder was put back to an earlier moment is
//! reminded of what it recorded since, and nobody can make it record anything else. Trusts: the key process for what was
//! recorded; the folder's file system to keep what is synced. A file here that is lost, older, or another's is noticed by
//! the next zone, which then releases nothing: put this folder back as it was. Does not give: more than one release of a
//! table's rows at a time.

mod ledger;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use octroi_proto::wire::zone as wire;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Keys, NotCommitted};
use crate::{
    durable::ensure_folder,
    keys::{Committed, FactTable, Release},
};
use ledger::{Ledger, LedgerError, Next};

pub(super) use ledger::Extent;

/// All histories; clones share them.
#[derive(Debug, Clone)]
pub struct Histories(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    tables: Mutex<HashMap<FactTable, Arc<Table>>>,
}

#[derive(Debug)]
struct Table {
    name: FactTable,
    ledger: Ledger,
    turn: Arc<Semaphore>,
    /// What is committed; `None` while that is not sure.
    known: Mutex<Option<Extent>>,
}

/// The right to move one table's history on. Dropped, it is the next one's.
#[derive(Debug)]
pub(super) struct Turn {
    table: Arc<Table>,
    _turn: OwnedSemaphorePermit,
}

/// Committed records, as they are to be shown to a zone.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Whose.
    pub(super) table: FactTable,
    /// Where they lie.
    pub(super) path: PathBuf,
    /// How far they go.
    pub(super) extent: Extent,
}

/// The folder of histories cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the folder `{}` of `zone.histories` cannot be made: {cause}", folder.display())]
pub struct NoHistories {
    folder: PathBuf,
    cause: io::Error,
}

/// Why a release is not recorded, or a history not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotRecorded {
    /// Another release came first.
    #[error("another release of the same rows came first")]
    Superseded,
    /// No zone made its commitment.
    #[error("no zone of ours made the commitment")]
    Denied,
    /// There is no room for more.
    #[error("the history of releases is full")]
    Full,
    /// What is kept is not what was recorded.
    #[error("the history of releases is not what was recorded")]
    Damaged,
    /// The folder failed.
    #[error("the history of releases cannot be read or written")]
    Unkept,
    /// The key process failed.
    #[error("the key process cannot be reached or failed")]
    Unavailable,
}

impl Histories {
    /// In this folder.
    ///
    /// # Errors
    /// [`NoHistories`].
    pub fn new(folder: &Path) -> Result<Self, NoHistories> {
        ensure_folder(folder).map_err(|cause| NoHistories { folder: folder.to_owned(), cause })?;
        Ok(Self(Arc::new(Inner { folder: folder.to_owned(), tables: Mutex::default() })))
    }

    /// The table's turn, when it comes. Giving up leaves the line.
    pub(super) async fn turn(&self, table: &FactTable) -> Turn {
        let table = self.table(table);
        loop {
            // It is never closed; should it be, there is no turn.
            if let Ok(turn) = Arc::clone(&table.turn).acquire_owned().await {
                return Turn { table, _turn: turn };
            }
            std::future::pending::<()>().await;
        }
    }

    /// What is committed of a table, if that is sure at the moment.
    pub(super) fn known(&self, table: &FactTable) -> Option<Kept> {
        let table = self.table(table);
        let extent = (*table.known())?;
        Some(table.kept(extent))
    }

    /// Whether something was released since.
    pub(super) fn moved<'a>(&self, since: impl IntoIterator<Item = &'a Kept>) -> bool {
        since.into_iter().any(|kept| self.known(&kept.table).is_none_or(|now| now.extent != kept.extent))
    }

    fn table(&self, name: &FactTable) -> Arc<Table> {
        let mut tables = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let ledger = Ledger::new(&self.0.folder, name);
            let (turn, known) = (Arc::new(Semaphore::new(1)), Mutex::default());
            Arc::new(Table { name: name.clone(), ledger, turn, known })
        };
        Arc::clone(tables.entry(name.clone()).or_insert_with(new))
    }
}

impl Turn {
    /// Whose turn it is.
    pub(super) fn table(&self) -> &FactTable {
        &self.table.name
    }

    /// What is committed, once that is sure. Must be run to its end, as [`Self::record`].
    pub(super) async fn settle(&self, keys: &impl Keys) -> Result<Kept, NotRecorded> {
        let known = *self.table.known();
        let extent = match known {
            Some(extent) => extent,
            None => self.settle_anew(keys).await?,
        };
        Ok(self.table.kept(extent))
    }

    async fn settle_anew(&self, keys: &impl Keys) -> Result<Extent, NotRecorded> {
        let (at, next) = self.on_disk(Ledger::read).await?;
        let at = match next {
            None => at,
            Some(next) => match self.conclude(keys, at, next).await {
                Ok((_, now)) => now,
                // It is forgotten by now: nobody has its answer.
                Err(NotRecorded::Superseded | NotRecorded::Denied) => at,
                Err(
                    error @ (NotRecorded::Full | NotRecorded::Damaged | NotRecorded::Unkept | NotRecorded::Unavailable),
                ) => return Err(error),
            },
        };
        *self.table.known() = Some(at);
        Ok(at)
    }

    /// Keeps a release's record and has it recorded. Must be run to its end: not where a future may be dropped.
    pub(super) async fn record(
        self,
        keys: &impl Keys,
        sequence: u64,
        record: Vec<u8>,
        commitment: Vec<u8>,
    ) -> Result<Committed, NotRecorded> {
        let at = self.settle(keys).await?.extent;
        if at.sequence.checked_add(1) != Some(sequence) {
            self.remind(keys, sequence, &at).await?;
            return Err(NotRecorded::Superseded);
        }
        let next = Next { sequence, begins: at.bytes, record, commitment };
        // Until the end is sure, nothing is.
        *self.table.known() = None;
        let staged = next.clone();
        self.on_disk(move |ledger| ledger.stage(&at, &staged)).await?;
        match self.conclude(keys, at, next).await {
            Ok((committed, now)) => {
                *self.table.known() = Some(now);
                Ok(committed)
            }
            Err(refused @ (NotRecorded::Superseded | NotRecorded::Denied)) => {
                *self.table.known() = Some(at);
                Err(refused)
            }
            Err(
                unsure @ (NotRecorded::Full | NotRecorded::Damaged | NotRecorded::Unkept | NotRecorded::Unavailable),
            ) => Err(unsure),
        }
    }

    /// Tells a key process that was put back to an earlier moment what it recorded since: it takes nothing else. One that
    /// knows says so at the first word.
    async fn remind(&self, keys: &impl Keys, from: u64, at: &Extent) -> Result<(), NotRecorded> {
        for sequence in from.max(1)..=at.sequence {
            let commitment = self.on_disk(move |ledger| ledger.commitment(sequence)).await?;
            match keys.commit(Release { table: self.table.name.clone(), commitment }).await {
                Ok(_) => {}
                Err(NotCommitted::Superseded | NotCommitted::Denied) => break,
                Err(NotCommitted::Unavailable) => return Err(NotRecorded::Unavailable),
            }
        }
        Ok(())
    }

    /// Asks the key process for what is aside, and keeps or forgets it.
    async fn conclude(&self, keys: &impl Keys, at: Extent, next: Next) -> Result<(Committed, Extent), NotRecorded> {
        let release = Release { table: self.table.name.clone(), commitment: next.commitment.clone() };
        match keys.commit(release).await {
            Ok(committed) if (committed.sequence, committed.head) == (next.sequence, next.head(&at)) => {
                let now = self.on_disk(move |ledger| ledger.keep(&at, &next)).await?;
                Ok((committed, now))
            }
            Ok(_) => {
                tracing::error!(table = %self.table.name, "the key process recorded another release than is kept");
                Err(NotRecorded::Damaged)
            }
            Err(refused @ (NotCommitted::Superseded | NotCommitted::Denied)) => {
                self.on_disk(Ledger::discard).await?;
                Err(refused.into())
            }
            Err(NotCommitted::Unavailable) => Err(NotRecorded::Unavailable),
        }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, NotRecorded> {
        let ledger = self.table.ledger.clone();
        let done = tokio::task::spawn_blocking(move || work(&ledger)).await;
        let done = done.map_err(|error| tracing::error!(%error, "a history was not kept"));
        done.map_err(|()| NotRecorded::Unkept)?.map_err(|error| {
            tracing::error!(table = %self.table.name, %error, "a history was not kept");
            match error {
                LedgerError::Damaged { .. } => NotRecorded::Damaged,
                LedgerError::Full => NotRecorded::Full,
                LedgerError::File { .. } => NotRecorded::Unkept,
            }
        })
    }
}

impl Table {
    fn known(&self) -> std::sync::MutexGuard<'_, Option<Extent>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, extent: Extent) -> Kept {
        Kept { table: self.name.clone(), path: self.ledger.records().to_owned(), extent }
    }
}

impl Kept {
    /// As a zone is told of it, when it lies at this offset of its disk; nothing, before the first release.
    pub(super) fn to_zone(&self, disk_offset: u64) -> Option<wire::ReleaseHistory> {
        let Extent { sequence, bytes: length, .. } = self.extent;
        (sequence > 0).then(|| wire::ReleaseHistory { table: self.table.to_string(), disk_offset, length })
    }
}

impl From<NotCommitted> for NotRecorded {
    fn from(error: NotCommitted) -> Self {
        match error {
            NotCommitted::Superseded => Self::Superseded,
            NotCommitted::Denied => Self::Denied,
            NotCommitted::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests;

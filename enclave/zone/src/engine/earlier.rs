//! What was released before of the same rows, and the audit of what is about to be released against it.
//!
//! ```text
//! sealed records on the data disk + HistoryKey --Earlier::open--> History
//! Control + Earlier --audit--> counts of what several answers together would tell apart, until there is a verdict
//!     --> Control without what may not leave, and the Release to be recorded
//! ```
//!
//! A load's number is made of its file's id, so that the history knows the loads without being told of them.
//! Remainders are counted in [`super::remainders`].

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use datafusion::{catalog::TableProvider, execution::SessionState};
use octroi_attest::{HistoryKey, OpenKeys};
use octroi_release::{
    Control, Place, Ruling,
    history::{self, Audit, History, Noise, Reason, Release, Setting, Versions},
    noise::Spent,
    space::{BinSet, Facts, Region},
};
use ring::digest::{SHA256, digest};

use super::{execute::Run, question::Question, refusal::Cause};
use crate::table::Disk;

/// Opens the tables of a question: of the facts' files only those of these loads.
pub(super) type OpenTables = Arc<dyn Fn(&BinSet) -> Result<Vec<Option<Arc<dyn TableProvider>>>, Cause> + Send + Sync>;

/// Tables as they are read: those of the question, or opened anew.
pub(super) type Opened<'a> = Cow<'a, [Option<Arc<dyn TableProvider>>]>;

/// What was released before, and what a release of now is of.
pub(super) struct Earlier {
    history: History,
    versions: Versions,
    question: history::Digest,
    facts: Facts,
    organisation: String,
    open: OpenTables,
}

/// What the audit left.
pub(super) struct Audited {
    /// To be recorded.
    pub(super) release: Release,
    /// What was kept back by public sets alone, and may be told with noise.
    pub(super) kept_back: Vec<Place>,
}

/// The number of a load, by the id of its file.
pub(super) fn load_number(file_id: &[u8]) -> u32 {
    let number = file_id.first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
    // The end of a run is one more.
    number.min(u32::MAX - 2)
}

/// The key of the history that an answer belongs to: that of the facts. An answer about nobody belongs to none, unless the
/// question was given tables that are about somebody, whether it reads them or not: then it is recorded with one of them.
///
/// # Errors
/// [`Cause::KeysRefused`] if it was not given.
pub(super) fn key<'a>(ruling: &Ruling, keys: &'a OpenKeys) -> Result<Option<&'a HistoryKey>, Cause> {
    if ruling.units().is_empty() {
        return Ok(keys.histories.first());
    }
    let table = ruling.base().facts().to_string();
    keys.history(&table).map(Some).ok_or(Cause::KeysRefused)
}

impl Earlier {
    /// Opens the history that this key is of.
    ///
    /// # Errors
    /// [`Cause::HistoryDamaged`] unless it is exactly what was recorded.
    pub(super) fn open(
        question: &Question,
        ruling: &Ruling,
        key: &HistoryKey,
        disk: &Disk,
        open: OpenTables,
    ) -> Result<Self, Cause> {
        let records = match question.histories.iter().find(|history| history.table == key.table) {
            Some(lies) => {
                let length = usize::try_from(lies.length).map_err(|_| Cause::HistoryDamaged)?;
                let most = octroi_attest::history::MOST_BYTES;
                let end = lies.disk_offset.checked_add(lies.length).filter(|_| length <= most);
                let lies = lies.disk_offset..end.ok_or(Cause::HistoryDamaged)?;
                disk.read(lies).map_err(|_| Cause::HistoryDamaged)?
            }
            None => Bytes::new(),
        };
        let mut history = History::default();
        for record in key.open(&records).map_err(|_| Cause::HistoryDamaged)? {
            let release = Release::decode(&record).map_err(|_| Cause::HistoryDamaged)?;
            history.append(release).map_err(|_| Cause::HistoryDamaged)?;
        }
        let versions = versions(question, ruling);
        let asked = format!("{:?} {:?} {versions:?}", ruling.plan(), question.rules);
        let digest = digest(&SHA256, asked.as_bytes());
        let mut asked = [0; 32];
        asked.copy_from_slice(digest.as_ref());
        Ok(Self {
            history,
            versions,
            question: asked,
            facts: ruling.base().facts().clone(),
            organisation: question.organisation.clone(),
            open,
        })
    }

    /// Keeps back what would tell of few together with earlier answers. What is left, as it is to be recorded; its answer
    /// is filled in by whoever has it.
    pub(super) async fn audit(
        &self,
        run: &Run,
        session: &SessionState,
        control: &mut Control<'_>,
    ) -> Result<Audited, Cause> {
        // Of what is about nobody there is nothing to compare.
        let told = if run.ruling.units().is_empty() { Vec::new() } else { control.history_cells() };
        let (places, cells): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        let least = u64::from(run.cells.least_subjects());
        let known = run.ground.without_partner().collect();
        let setting = Setting { least, current: self.versions.clone(), vacant: vacant(&run.ground), known };
        let mut audit = Audit::open(&self.history, &cells, &setting);
        while !audit.pending().is_empty() {
            let counts = self.counts(run, session, audit.pending()).await?;
            audit.count(&counts).map_err(|_| Cause::EngineFailed)?;
        }
        let verdict = audit.settle().map_err(|_| Cause::EngineFailed)?;
        let mut kept_back = Vec::new();
        for (place, reason) in verdict.withheld() {
            let Some(place) = places.get(*place) else { continue };
            control.withhold(*place);
            // That somebody stands out is no matter of public sets.
            if *reason != Reason::Dominated {
                kept_back.push(*place);
            }
        }
        let standing = places.into_iter().zip(cells).enumerate();
        let (places, cells): (Vec<Place>, Vec<history::Cell>) =
            standing.filter(|(place, _)| verdict.may_leave(*place)).map(|(_, standing)| standing).unzip();
        let admitted = match run.information {
            Some(limits) if !cells.is_empty() => self.admit(run, session, &cells, limits).await?,
            Some(_) | None => vec![true; cells.len()],
        };
        for (place, _) in places.iter().zip(&admitted).filter(|(_, admitted)| !**admitted) {
            control.withhold(*place);
            kept_back.push(*place);
        }
        let told = cells.into_iter().zip(admitted).filter(|(_, admitted)| *admitted).map(|(cell, _)| cell);
        Ok(Audited { release: self.release(self.unknown(told)), kept_back })
    }

    /// A release of these cells, next in turn.
    pub(super) fn release(&self, cells: Vec<history::Cell>) -> Release {
        Release {
            sequence: self.history.next(),
            organisation: self.organisation.clone(),
            question: self.question,
            answer: [0; 32],
            versions: self.versions.clone(),
            cells,
            noise: None,
        }
    }

    /// Whether earlier answers name a dimension that a question's rows have beside what they lead to alone.
    pub(super) fn names(&self, ruling: &Ruling, wide: &Ruling) -> bool {
        let of = |ruling: &Ruling| ruling.axes().iter().map(|axis| axis.dimension.clone()).collect::<BTreeSet<_>>();
        let (own, all) = (of(ruling), of(wide));
        let cells = self.history.releases().iter().flat_map(|release| &release.cells);
        let mut named = cells.flat_map(|cell| cell.region.sets()).map(|(dimension, _)| dimension);
        named.any(|dimension| !own.contains(dimension) && all.contains(dimension))
    }

    /// What was released before.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// What is read.
    pub(super) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Whose rows.
    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Who asks.
    pub(super) fn organisation(&self) -> &str {
        &self.organisation
    }

    /// The answer with noise that this very question was given before.
    pub(super) fn answered(&self) -> Option<&Noise> {
        self.history.answered(&self.question)
    }

    /// The tables, of the facts only these loads; nothing where none of them is there.
    pub(super) fn tables_of<'a>(&self, run: &'a Run, loads: &BinSet) -> Result<Option<Opened<'a>>, Cause> {
        let present = self.versions.0.get(&self.facts).cloned().unwrap_or_default();
        let read = loads.and(&present);
        Ok(if read.is_empty() {
            None
        } else if read == present {
            Some(Cow::Borrowed(&run.tables))
        } else {
            Some(Cow::Owned((self.open)(&read)?))
        })
    }

    /// What was paid for noise before.
    pub(super) fn spent(&self) -> Spent {
        self.history.spent(&self.organisation)
    }

    /// Of these cells, those that tell more than was told of the very same rows: nothing else need be kept.
    fn unknown(&self, cells: impl Iterator<Item = history::Cell>) -> Vec<history::Cell> {
        let mut known: HashMap<&Region, BTreeSet<&history::Quantity>> = HashMap::new();
        let same = self.history.releases().iter().filter(|release| release.versions == self.versions);
        for cell in same.flat_map(|release| &release.cells) {
            known.entry(&cell.region).or_default().extend(&cell.quantities);
        }
        let told = |cell: &history::Cell| {
            known.get(&cell.region).is_some_and(|known| cell.quantities.iter().all(|told| known.contains(told)))
        };
        cells.filter(|cell| !told(cell)).collect()
    }
}

/// Rows outside of declared bins: that there are none tells nothing of anybody.
fn vacant(ruling: &Ruling) -> Vec<Region> {
    let declared = ruling.axes().iter().filter(|axis| axis.bins().is_some());
    let outside = declared.map(|axis| {
        let beyond = BinSet::range(axis.outside(), u32::MAX);
        Region::all(ruling.base().facts().clone()).within(axis.dimension.clone(), beyond)
    });
    outside.collect()
}

/// The loads of every table that the plan scans.
fn versions(question: &Question, ruling: &Ruling) -> Versions {
    let scanned: BTreeSet<usize> = ruling.plan().scans.iter().map(|scan| scan.table).collect();
    let tables = scanned.into_iter().filter_map(|place| question.tables.get(place));
    let loads = tables.map(|table| {
        let loads = table.files.iter().map(|file| load_number(&file.file_id)).collect();
        (Facts::new(&table.dataset, &table.name), loads)
    });
    Versions(loads.collect())
}

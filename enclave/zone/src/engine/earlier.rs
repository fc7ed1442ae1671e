//! What was released before of the same rows, and the audit of what is about to be released against it.
//!
//! ```text
//! sealed records on the data disk + HistoryKey --Earlier::open--> History
//! Control + Earlier --audit--> counts of what several answers together would tell apart, until there is a verdict
//!     --> Control without what may not leave, and the Release to be recorded
//! ```
//!
//! A load's number is made of its file's id, so that the history knows the loads without being told of them. Remainders
//! are counted as cells are, in passes of at most [`MOST_AT_ONCE`]; what cannot be counted counts as few.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use datafusion::{catalog::TableProvider, execution::SessionState};
use octroi_attest::{HistoryKey, OpenKeys};
use octroi_release::{
    CellRules, Control, Expression, Measure, Quantity, RowColumn, Ruling,
    history::{self, Audit, Counted, History, Release, Remainder, Setting, Tier, Versions, loads},
    rules::{self, Broken},
    space::{BinSet, Facts, Region},
    statistics::{CellStatistics, Contributions},
};
use ring::digest::{SHA256, digest};

use super::{counted::contributed, execute::Run, question::Question, raise::plan::Measured, refusal::Cause};
use crate::table::Disk;

/// Opens the tables of a question: of the facts' files only those of these loads.
pub(super) type OpenTables = Arc<dyn Fn(&BinSet) -> Result<Vec<Option<Arc<dyn TableProvider>>>, Cause> + Send + Sync>;

/// What was released before, and what a release of now is of.
pub(super) struct Earlier {
    history: History,
    versions: Versions,
    question: history::Digest,
    facts: Facts,
    open: OpenTables,
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
        Ok(Self { history, versions, question: asked, facts: ruling.base().facts().clone(), open })
    }

    /// Keeps back what would tell of few together with earlier answers. What is left, as it is to be recorded; its answer
    /// is filled in by whoever has it.
    pub(super) async fn audit(
        &self,
        run: &Run,
        session: &SessionState,
        control: &mut Control<'_>,
    ) -> Result<Release, Cause> {
        // Of what is about nobody there is nothing to compare.
        let told = if run.ruling.units().is_empty() { Vec::new() } else { control.history_cells() };
        let (places, cells): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        let least = u64::from(run.cells.least_subjects());
        let known = run.ruling.without_partner().collect();
        let setting = Setting { least, current: self.versions.clone(), vacant: vacant(&run.ruling), known };
        let mut audit = Audit::open(&self.history, &cells, &setting);
        while !audit.pending().is_empty() {
            let counts = self.counts(run, session, audit.pending()).await?;
            audit.count(&counts).map_err(|_| Cause::EngineFailed)?;
        }
        let verdict = audit.settle().map_err(|_| Cause::EngineFailed)?;
        for place in verdict.withheld().keys() {
            places.get(*place).into_iter().for_each(|place| control.withhold(*place));
        }
        let told = cells.into_iter().enumerate().filter(|(place, _)| verdict.may_leave(*place)).map(|(_, cell)| cell);
        Ok(Release {
            sequence: self.history.next(),
            organisation: String::new(),
            tier: Tier::Rounded,
            question: self.question,
            answer: [0; 32],
            versions: self.versions.clone(),
            cells: self.unknown(told),
        })
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

    async fn counts(&self, run: &Run, session: &SessionState, all: &[Remainder]) -> Result<Vec<Counted>, Cause> {
        let measures = measures(&run.ruling);
        // Of all rows: what the question leaves out, an earlier one may have told.
        let rows = run.ruling.all_rows();
        let mut by_loads: BTreeMap<BinSet, Vec<usize>> = BTreeMap::new();
        let mut counts = vec![FEW; all.len()];
        let present = self.versions.0.get(&self.facts).cloned().unwrap_or_default();
        for (place, remainder) in all.iter().enumerate() {
            if let Some(read) = loads_of(remainder, &present) {
                by_loads.entry(read).or_default().push(place);
            }
        }
        for (read, places) in by_loads {
            let tables = if read == present { None } else { Some((self.open)(&read)?) };
            let tables = tables.as_deref().unwrap_or(&run.tables);
            for places in places.chunks(MOST_AT_ONCE) {
                let asked: Vec<Asked> =
                    places.iter().filter_map(|place| Asked::of(*place, all.get(*place)?, run, &measures)).collect();
                let measured: Vec<Measured> = asked.iter().flat_map(|asked| asked.measured.iter().cloned()).collect();
                let units = run.of_units(session, (tables, &rows), &[], &measured).await?;
                let units = units.iter().map(contributed).collect::<Result<Vec<_>, _>>()?;
                let mut first = 0;
                for asked in asked {
                    let next = first + asked.measured.len();
                    let of_unit = |unit: &Vec<Contributions>| unit.get(first..next).map(<[_]>::to_vec);
                    if let (Some(units), Some(count)) =
                        (units.iter().map(of_unit).collect::<Option<Vec<_>>>(), counts.get_mut(asked.place))
                    {
                        *count = counted(units, &run.cells);
                    }
                    first = next;
                }
            }
        }
        Ok(counts)
    }
}

/// A remainder as it is counted.
struct Asked {
    place: usize,
    /// All rows first.
    measured: Vec<Measured>,
}

impl Asked {
    /// `None` for one that cannot be counted.
    fn of(
        place: usize,
        remainder: &Remainder,
        run: &Run,
        measures: &BTreeMap<history::Quantity, Option<Measure>>,
    ) -> Option<Self> {
        let within = remainder.regions.iter().map(|region| run.ruling.condition(&without_loads(region)));
        let within = Expression::Or(within.collect::<Option<Vec<Expression<RowColumn>>>>()?);
        let rows = Measure { present: Vec::new(), quantity: Quantity::Row };
        let named = remainder.quantities.iter().filter_map(|quantity| measures.get(quantity).cloned().flatten());
        let mut all = vec![rows];
        for measure in named {
            if !all.contains(&measure) {
                all.push(measure);
            }
        }
        let measured = all.into_iter().map(|measure| Measured { within: Some(within.clone()), measure });
        Some(Self { place, measured: measured.collect() })
    }
}

/// By the rules of cells, all quantities told.
fn counted(units: Vec<Vec<Contributions>>, cells: &CellRules) -> Counted {
    let subjects = units.iter().flatten().map(Contributions::subjects).min().unwrap_or(0);
    let rows = units.iter().filter_map(|unit| unit.first()).map(Contributions::total).fold(0.0, f64::max);
    let told = vec![true; units.first().map_or(0, Vec::len)];
    let of = rules::Counted { units: units.len(), told: &told, categories: 0 };
    let broken = cells.without_homogeneity().judge(&CellStatistics { units, categories: Vec::new() }, of);
    let dominated = broken.iter().any(|broken| !matches!(broken, Broken::Threshold { .. }));
    // Whether there is any row is all that is asked of the number.
    Counted { rows: u64::from(rows > 0.0), subjects, dominated }
}

/// What is measured of each quantity that the question tells, by its name.
fn measures(ruling: &Ruling) -> BTreeMap<history::Quantity, Option<Measure>> {
    (0..ruling.scopes().len()).flat_map(|scope| ruling.told_quantities(scope)).collect()
}

/// The loads that a remainder is of; `None` if its parts are of different ones.
fn loads_of(remainder: &Remainder, present: &BinSet) -> Option<BinSet> {
    let of = |region: &Region| region.bins(&loads()).map_or_else(|| present.clone(), |bins| bins.and(present));
    let mut all = remainder.regions.iter().map(of);
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

fn without_loads(region: &Region) -> Region {
    let sets = region.sets().filter(|(dimension, _)| **dimension != loads());
    sets.fold(Region::all(region.facts().clone()), |region, (dimension, set)| {
        region.within(dimension.clone(), set.clone())
    })
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

/// What cannot be counted.
const FEW: Counted = Counted { rows: 1, subjects: 0, dominated: false };
/// Remainders that are counted in one pass over the rows.
const MOST_AT_ONCE: usize = 64;

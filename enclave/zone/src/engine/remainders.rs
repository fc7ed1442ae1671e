//! Remainders, counted over rows: those of the same loads in one pass for each unit, however many there are.
//!
//! ```text
//! Remainder --Tally--> classes of bins --plan::by_subject--> of each subject, rows of each combination of classes
//!     --Tally--> what subjects bring to each remainder --the cell rules--> Counted
//! ```
//!
//! What cannot be counted counts as few.

use std::collections::{BTreeMap, HashMap};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::partition,
    datatypes::{Float64Type, Int64Type},
};
use datafusion::{execution::SessionState, physical_plan::execute_stream, scalar::ScalarValue};
use futures::StreamExt as _;
use octroi_release::{
    CellRules, Measure, Quantity, Rows, Ruling,
    history::{self, Counted, Remainder, Tally, loads},
    judge::roles::{Axis, CountedUnit},
    rules::{self, Broken},
    space::{BinSet, Region},
    statistics::{CellStatistics, Contributions},
};

use super::{
    earlier::Earlier,
    execute::{Run, collect},
    raise::plan::{self, Tables},
    refusal::Cause,
};

/// Remainders of the same loads, and what is measured of them.
struct Pass<'a> {
    run: &'a Run,
    session: &'a SessionState,
    tables: &'a Tables,
    rows: Rows,
    regions: Vec<Vec<Region>>,
    measures: Vec<Measure>,
}

impl Earlier {
    /// Counts remainders, in their order.
    pub(super) async fn counts(
        &self,
        run: &Run,
        session: &SessionState,
        all: &[Remainder],
    ) -> Result<Vec<Counted>, Cause> {
        let named = measures(&run.ruling);
        let present = self.versions().0.get(self.facts()).cloned().unwrap_or_default();
        let mut counts = vec![FEW; all.len()];
        let mut by_loads: BTreeMap<BinSet, Vec<(usize, &Remainder)>> = BTreeMap::new();
        for (place, remainder) in all.iter().enumerate().filter(|(_, remainder)| countable(&run.ground, remainder)) {
            if let Some(read) = loads_of(remainder, &present) {
                by_loads.entry(read).or_default().push((place, remainder));
            }
        }
        for (read, remainders) in by_loads {
            let Some(tables) = self.tables_of(run, &read)? else { continue };
            let mut measures = vec![Measure { present: Vec::new(), quantity: Quantity::Row }];
            let told = remainders.iter().flat_map(|(_, remainder)| &remainder.quantities);
            for measure in told.filter_map(|quantity| named.get(quantity).cloned().flatten()) {
                if !measures.contains(&measure) {
                    measures.push(measure);
                }
            }
            let regions = remainders.iter().map(|(_, it)| it.regions.iter().map(without_loads).collect()).collect();
            // Of all rows: what the question leaves out, an earlier one may have told.
            let rows = run.ground.all_rows();
            let pass = Pass { run, session, tables: &tables, rows, regions, measures };
            let Some(units) = pass.units().await? else { continue };
            let alike = pass.alike().await?;
            for (number, (place, remainder)) in remainders.iter().enumerate() {
                let of_remainder = |measure: &Measure| {
                    let told = remainder.quantities.iter().filter_map(|quantity| named.get(quantity));
                    *measure == Measure { present: Vec::new(), quantity: Quantity::Row }
                        || told.flatten().any(|told| told == measure)
                };
                let told: Vec<bool> = pass.measures.iter().map(of_remainder).collect();
                let of_unit = |unit: &Vec<Vec<Contributions>>| {
                    let all = unit.get(number).into_iter().flatten().zip(&told);
                    all.filter(|(_, told)| **told).map(|(brought, _)| *brought).collect()
                };
                let mut count = counted(units.iter().map(of_unit).collect(), &run.cells);
                // That all in it are alike is as bad as that one stands out, and depends on values as that does.
                count.dominated |= alike.get(number).copied().unwrap_or(true);
                counts.get_mut(*place).into_iter().for_each(|it| *it = count);
            }
        }
        Ok(counts)
    }
}

impl Pass<'_> {
    /// Of each unit, of each remainder, of each measure what its subjects bring; nothing where remainders cut too finely.
    async fn units(&self) -> Result<Option<Vec<Vec<Vec<Contributions>>>>, Cause> {
        let mut units = Vec::with_capacity(self.run.ruling.units().len());
        for unit in self.run.ruling.units() {
            let Some(tally) = self.tally(unit).await? else { return Ok(None) };
            units.push(tally.finish());
        }
        Ok(Some(units))
    }

    async fn tally(&self, unit: &CountedUnit) -> Result<Option<Tally>, Cause> {
        let once = self.measures.iter().map(|measure| measure.quantity == Quantity::Different(unit.column));
        let Some(mut tally) = Tally::of(&self.regions, once.collect()) else { return Ok(None) };
        let of_classes = tally.dimensions().to_vec();
        let Some(by) = axes(&self.run.ground, &of_classes) else { return Ok(None) };
        let plan = plan::by_subject(&self.run.ground, (self.tables, &self.rows), &by, unit.column, &self.measures)?;
        let physical = self.session.create_physical_plan(&plan).await?;
        let mut stream = execute_stream(physical, self.session.task_ctx())?;
        let mut before: Option<ScalarValue> = None;
        while let Some(batch) = stream.next().await {
            add(&mut tally, &batch?, by.len(), &mut before)?;
        }
        Ok(Some(tally))
    }

    /// Of each remainder, whether all in it are of one category, where that must not be.
    async fn alike(&self) -> Result<Vec<bool>, Cause> {
        let mut alike = vec![false; self.regions.len()];
        for category in self.run.categories() {
            let Some(mut tally) = Tally::of(&self.regions, Vec::new()) else { return Ok(vec![true; alike.len()]) };
            let of_classes = tally.dimensions().to_vec();
            let Some(by) = axes(&self.run.ground, &of_classes) else { return Ok(vec![true; alike.len()]) };
            let found = plan::kinds(&self.run.ground, (self.tables, &self.rows), &by, category)?;
            let found = collect(self.session, found, self.run.limits.memory).await?;
            let kinds = kinds(found.columns().last().ok_or(Cause::EngineFailed)?)?;
            let mut of_places: HashMap<u32, (&str, bool)> = HashMap::new();
            for (row, kind) in kinds.iter().enumerate() {
                let Some(kind) = kind.as_deref() else { continue };
                for place in tally.places(&classes(&found, by.len(), row)?) {
                    let (first, differ) = of_places.entry(*place).or_insert((kind, false));
                    *differ |= *first != kind;
                }
            }
            for (place, alike) in (0..).zip(&mut alike) {
                *alike |= !of_places.get(&place).is_some_and(|(_, differ)| *differ);
            }
        }
        Ok(alike)
    }
}

/// Adds rows that are sorted by subject: their classes, the subject, what it brings with them.
fn add(tally: &mut Tally, batch: &RecordBatch, width: usize, before: &mut Option<ScalarValue>) -> Result<(), Cause> {
    let subjects = batch.columns().get(width).ok_or(Cause::EngineFailed)?;
    let parts = batch.columns().iter().skip(width + 1).map(|column| column.as_primitive_opt::<Float64Type>());
    let parts = parts.collect::<Option<Vec<_>>>().ok_or(Cause::EngineFailed)?;
    let of_subjects = partition(std::slice::from_ref(subjects)).map_err(|_| Cause::EngineFailed)?;
    for range in of_subjects.ranges() {
        let subject = ScalarValue::try_from_array(subjects, range.start)?;
        if before.as_ref() != Some(&subject) {
            tally.next_subject();
            *before = Some(subject);
        }
        for row in range {
            let brought = parts.iter().map(|part| if part.is_valid(row) { part.value(row) } else { 0.0 });
            let brought: Vec<f64> = brought.collect();
            tally.add(&classes(batch, width, row)?, &brought);
        }
    }
    Ok(())
}

/// Categories as text; none that is missing.
fn kinds(column: &ArrayRef) -> Result<Vec<Option<String>>, Cause> {
    let kind = |row| {
        let kind = ScalarValue::try_from_array(column, row)?;
        Ok((!kind.is_null()).then(|| kind.to_string()))
    };
    (0..column.len()).map(kind).collect()
}

/// The classes in the first columns of a row.
fn classes(batch: &RecordBatch, width: usize, row: usize) -> Result<Vec<u32>, Cause> {
    let class = |column: &ArrayRef| {
        let class = column.as_primitive_opt::<Int64Type>().map(|classes| classes.value(row));
        class.and_then(|class| u32::try_from(class).ok()).ok_or(Cause::EngineFailed)
    };
    batch.columns().iter().take(width).map(class).collect()
}

/// The axes that classes are of; none if rows do not have one of them.
pub(super) fn axes<'a>(
    ruling: &'a Ruling,
    of_classes: impl IntoIterator<Item = &'a octroi_release::budget::Classes>,
) -> Option<Vec<(&'a Axis, &'a [BinSet])>> {
    let axis = |of: &'a octroi_release::budget::Classes| {
        let axis = ruling.axes().iter().find(|axis| axis.dimension == of.dimension)?;
        Some((axis, of.sets.as_slice()))
    };
    of_classes.into_iter().map(axis).collect()
}

/// Whether rows have every dimension that it names.
fn countable(ruling: &Ruling, remainder: &Remainder) -> bool {
    let mut named = remainder.regions.iter().flat_map(Region::sets).map(|(dimension, _)| dimension);
    named.all(|dimension| *dimension == loads() || ruling.axes().iter().any(|axis| axis.dimension == *dimension))
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

/// What cannot be counted.
const FEW: Counted = Counted { rows: 1, subjects: 0, dominated: false };

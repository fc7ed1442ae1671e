//! What leaves of the cells that were counted: every rule, in its order.
//!
//! ```text
//! Ruling --measures, told--> what the engine counts of each cell, scope and unit
//! CountedCell of every grouping set --Control::new--> cell rules, then complementary suppression
//!     --history_cells--> the audit of earlier answers, the budget --withhold--> Control
//!     --quantiles, count_sides--> how many subjects lie on each side, in a second look at the rows
//!     --rows--> rounded numbers; a cell of which nothing may leave is not there, as if it had no rows
//! ```
//!
//! A *scope* of a grouping set is a family of cells of its own: what may not leave of it is missing in the rows of the
//! set, whether it has too few subjects, was suppressed beside others, or has no row at all.
//!
//! Trusts whoever counted to have counted what is asked for here. Tables about nobody have no units, no rules and no
//! rounding. Does not give: the audit itself, which needs more counts (`history`), nor noise.

mod finest;
mod indicators;
mod listed;
mod number;
mod quantiles;

use std::collections::{BTreeMap, BTreeSet};

pub use finest::{Finest, FinestCell};
use indicators::Indicators;
pub use number::{Number, Part, Total};
pub use quantiles::{Quantile, Sides};

use crate::{
    expression::Literal,
    history,
    judge::roles::{Figure, Quantity, Ruling},
    plan::{Aggregate, RowColumn},
    rounding::Rounding,
    rules::CellRules,
    space::Region,
    statistics::CellStatistics,
    suppress::{Cell, Family, Fate, Numbers, suppress},
};

/// A number that every subject contributes to, of the rows in which certain columns are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Columns of which no value may be missing.
    pub present: Vec<RowColumn>,
    /// What a row contributes.
    pub quantity: Quantity,
}

/// A cell, as it was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedCell {
    /// Which of the plan's grouping sets it is of.
    pub set: usize,
    /// The values of that set's keys, in its order.
    pub keys: Vec<Literal>,
    /// Of each scope, of each unit, of each measure that [`Ruling::told`] names for it.
    pub scopes: Vec<CellStatistics>,
    /// Of each figure.
    pub parts: Vec<Part>,
}

/// What leaves of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleasedRow {
    /// The place of the cell among those counted.
    pub cell: usize,
    /// Of each figure; `None` for one that may not leave, or has no value.
    pub numbers: Vec<Option<Number>>,
    /// Which of the figures have noise, by bits.
    pub noise: u64,
}

/// A figure's cell: rows of one scope of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Among those counted.
    pub cell: usize,
    /// Among the ruling's.
    pub scope: usize,
}

/// An answer under control.
#[derive(Debug)]
pub struct Control<'a> {
    ruling: &'a Ruling,
    rules: CellRules,
    cells: &'a [CountedCell],
    /// Of each cell and scope, where it lies, as long as it may leave.
    leaving: Vec<Vec<Option<Region>>>,
    /// Of quantiles of these cells and figures, of each unit.
    sides: BTreeMap<(usize, usize), Vec<Sides>>,
    /// Of cells that were kept back, the figures that are told with noise.
    noisy: BTreeMap<usize, Vec<Option<Number>>>,
}

impl ReleasedRow {
    /// Puts numbers with noise where there are none.
    pub fn add_noise(&mut self, noisy: &[Option<Number>]) {
        for (place, (number, noisy)) in (0..u64::BITS).zip(self.numbers.iter_mut().zip(noisy)) {
            if let (None, Some(noisy)) = (&number, noisy) {
                *number = Some(*noisy);
                self.noise |= 1 << place;
            }
        }
    }
}

impl Ruling {
    /// What is measured, in order: all rows first, then what the figures call for, each once.
    pub fn measures(&self) -> Vec<Measure> {
        let mut measures = vec![Measure { present: Vec::new(), quantity: Quantity::Row }];
        for measure in self.figures().iter().flat_map(measured) {
            if !measures.contains(&measure) {
                measures.push(measure);
            }
        }
        measures
    }

    /// Of a scope, which of [`Self::measures`] are counted: those that its figures tell, and all rows in any case.
    pub fn told(&self, scope: usize) -> Vec<Option<bool>> {
        let figures: Vec<&Figure> = self.figures().iter().filter(|figure| figure.scope == scope).collect();
        let told = |measure: &Measure| figures.iter().any(|figure| measured(figure).contains(measure));
        let measures = self.measures();
        measures
            .iter()
            .enumerate()
            .map(|(place, it)| told(it).then_some(true).or((place == 0).then_some(false)))
            .collect()
    }

    /// How the numbers of each figure are rounded.
    pub fn rounding(&self) -> Vec<Rounding> {
        let of = |aggregate: &Aggregate| number::rounding(aggregate.of);
        if self.units().is_empty() {
            vec![Rounding::None; self.figures().len()]
        } else {
            self.plan().aggregates.iter().map(of).collect()
        }
    }
}

/// A released ratio tells its parts, so each part is measured: of values also how many they are.
fn measured(figure: &Figure) -> Vec<Measure> {
    let mut measures: Vec<Measure> = Vec::new();
    if !figure.present.is_empty() {
        measures.push(Measure { present: figure.present.clone(), quantity: Quantity::Row });
    }
    measures.extend(
        figure.quantities.iter().map(|quantity| Measure { present: figure.present.clone(), quantity: *quantity }),
    );
    measures.dedup();
    measures
}

impl<'a> Control<'a> {
    /// Applies the cell rules and complementary suppression. `cells` are those of every grouping set, each once; `finest`
    /// those of [`Ruling::finest`], if it calls for any.
    pub fn new(ruling: &'a Ruling, rules: CellRules, cells: &'a [CountedCell], finest: &[FinestCell]) -> Self {
        let scopes = ruling.scopes().len();
        let region = |cell: &CountedCell| (0..scopes).map(|scope| ruling.scoped(cell.set, &cell.keys, scope)).collect();
        let leaving = cells.iter().map(region).collect();
        let mut control = Self { ruling, rules, cells, leaving, sides: BTreeMap::new(), noisy: BTreeMap::new() };
        // About nobody: nothing can be told of anybody.
        if !ruling.units().is_empty() {
            control.suppress(finest);
        }
        control
    }

    fn suppress(&mut self, finest: &[FinestCell]) {
        let measures = self.ruling.measures();
        let additive = measures.iter().map(|it| !matches!(it.quantity, Quantity::Different(_))).collect();
        let indicators = Indicators::of(self.ruling, &measures);
        let numbers =
            Numbers { categories: self.ruling.categories().len(), additive, indicators: indicators.all().to_vec() };
        let (mut families, places): (Vec<Family>, Vec<Vec<Place>>) = self.families(&indicators).into_iter().unzip();
        if let Some(of) = self.ruling.finest() {
            // Behind the others, so that the places of what is shown are those of the fates.
            match of.family(self.ruling, &measures, finest) {
                Some(family) => families.push(family),
                None => return self.leaving.clear(),
            }
        }
        let fates = suppress(&families, &self.rules, &numbers);
        let judged = places.iter().flatten().zip(fates.iter().flatten());
        let kept: BTreeSet<Place> = judged.filter(|(_, fate)| **fate == Fate::Kept).map(|(place, _)| *place).collect();
        for (cell, regions) in self.leaving.iter_mut().enumerate() {
            for (scope, region) in regions.iter_mut().enumerate() {
                *region = region.take().filter(|_| kept.contains(&Place { cell, scope }));
            }
        }
    }

    /// One family for each set and scope, and where its cells are.
    fn families(&self, indicators: &Indicators) -> Vec<(Family, Vec<Place>)> {
        let scopes = 0..self.ruling.scopes().len();
        let sets = 0..self.ruling.plan().sets.len();
        sets.flat_map(|set| scopes.clone().map(move |scope| (set, scope)))
            .filter_map(|(set, scope)| self.family(set, scope, indicators))
            .collect()
    }

    fn family(&self, set: usize, scope: usize, indicators: &Indicators) -> Option<(Family, Vec<Place>)> {
        let (mut cells, mut places) = (Vec::new(), Vec::new());
        for (cell, (counted, regions)) in
            self.cells.iter().zip(&self.leaving).enumerate().filter(|(_, (it, _))| it.set == set)
        {
            let (Some(Some(region)), Some(statistics)) = (regions.get(scope), counted.scopes.get(scope)) else {
                continue;
            };
            // Without subjects it is as good as absent: neither is it listed, nor does it leave.
            if (0..self.ruling.units().len()).any(|unit| statistics.subjects(unit) > 0) {
                let indicators = indicators.told(scope, &counted.parts);
                cells.push(Cell { region: region.clone(), statistics: statistics.clone(), indicators });
                places.push(Place { cell, scope });
            }
        }
        let extent = self.ruling.extent(scope)?;
        Some((Family { extent, shown: true, told: self.ruling.told(scope), cells }, places))
    }

    /// Keeps a figure's cell back.
    pub fn withhold(&mut self, place: Place) {
        let region = self.leaving.get_mut(place.cell).and_then(|regions| regions.get_mut(place.scope));
        region.into_iter().for_each(|region| *region = None);
    }

    /// Tells of a cell what may not leave otherwise: of each figure a number with noise, if it has one.
    pub fn tell_with_noise(&mut self, cell: usize, numbers: Vec<Option<Number>>) {
        self.noisy.insert(cell, numbers);
    }

    /// Whether nothing may leave.
    pub fn is_empty(&self) -> bool {
        self.noisy.is_empty() && self.leaving.iter().flatten().all(Option::is_none)
    }

    /// What may leave so far, as the history records it, and where it is.
    pub fn history_cells(&self) -> Vec<(Place, history::Cell)> {
        // The same for every cell: spelled out once.
        let scopes = 0..self.ruling.scopes().len();
        let quantities: Vec<BTreeSet<history::Quantity>> =
            scopes.map(|scope| self.ruling.told_quantities(scope).into_keys().collect()).collect();
        let units = self.ruling.unit_names();
        let mut told = Vec::new();
        for (cell, regions) in self.leaving.iter().enumerate() {
            for (scope, region) in regions.iter().enumerate() {
                let (Some(region), Some(counted)) = (region, self.cells.get(cell)) else { continue };
                let (Some(statistics), Some(quantities)) = (counted.scopes.get(scope), quantities.get(scope)) else {
                    continue;
                };
                let subjects = units.iter().cloned().enumerate();
                let subjects = subjects.map(|(unit, name)| (name, statistics.subjects(unit))).collect();
                let cell_told = history::Cell { region: region.clone(), quantities: quantities.clone(), subjects };
                told.push((Place { cell, scope }, cell_told));
            }
        }
        told
    }

    /// What leaves, rounded; cells of which nothing does are not there.
    pub fn rows(&self) -> Vec<ReleasedRow> {
        let leaves = |(cell, regions): &(usize, &Vec<Option<Region>>)| {
            regions.iter().any(Option::is_some) || self.noisy.contains_key(cell)
        };
        let row = |(cell, regions): (usize, &Vec<Option<Region>>)| {
            let counted = self.cells.get(cell)?;
            let figures =
                self.ruling.figures().iter().zip(&self.ruling.plan().aggregates).zip(&counted.parts).enumerate();
            let number = |(place, ((figure, aggregate), part)): (usize, ((&Figure, &Aggregate), &Part))| {
                regions.get(figure.scope)?.as_ref()?;
                if !self.quantile_holds(cell, place, figure, counted) {
                    return None;
                }
                if self.ruling.units().is_empty() { part.exact(aggregate.of) } else { part.rounded(aggregate.of) }
            };
            let mut row = ReleasedRow { cell, numbers: figures.map(number).collect(), noise: 0 };
            row.add_noise(self.noisy.get(&cell).map(Vec::as_slice).unwrap_or_default());
            Some(row)
        };
        self.leaving.iter().enumerate().filter(leaves).filter_map(row).collect()
    }

    /// Where a measure is among those counted in a scope.
    fn place_of(&self, scope: usize, measure: &Measure) -> Option<usize> {
        let counted =
            self.ruling.measures().into_iter().zip(self.ruling.told(scope)).filter(|(_, told)| told.is_some());
        counted.map(|(measure, _)| measure).position(|one| one == *measure)
    }
}

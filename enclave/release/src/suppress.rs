//! Complementary suppression: which cells must go besides those that break the rules, so that these cannot be had back
//! from margins, ROLLUP rows and sibling cells.
//!
//! ```text
//! families of cells --Atoms--> the parts that their regions cut the space into
//! rows, subjects, sums --Series--> additive numbers over atoms; each released cell is an equation
//! each cell that breaks the rules, and each remainder of a released cell that does
//!     --audit--> may it have more, and less, by as much as the rules say? --no--> suppress what costs least
//! ```
//!
//! What is audited is what could be known at worst: exact values, though rounded ones leave; that no number is negative;
//! how many rows each cell has, though only sums be asked for; that cells which are not listed are empty. Sums are
//! audited as totals of magnitudes, which the same differences would uncover. Numbers of subjects are audited where they
//! add up over this answer; where one subject is in several cells they do not, and a difference does not tell them.
//!
//! *Remainders*: what is left of a released cell without the released ones inside it is told as well, so it is judged like
//! a cell, on what its statistics can be at worst (the singleton problem of the handbook's 4.2.2, and more). Not
//! every union of suppressed cells is: only what remains of one released cell.
//!
//! *Indicators*: how many of a cell's rows a sensitive condition chooses. Of a cell that is kept back because all in it are
//! alike, neither all nor none may follow: each indicator could be half of its rows away from what it is, however many rows
//! each atom is known to have. Several indicators that add up to the rows are looked at one by one, not together.
//!
//! Complexity: the audits are linear programs over what is suppressed, many cells in one of them, and what one of them
//! finds is held against all other cells; only when one fails is the whole answer's solved, with a row for each margin
//! and two columns for each atom. All is bounded by numbers fixed beforehand. Beyond them, and wherever numbers do not add
//! up, one family is kept: its cells are disjoint, so that nothing can be subtracted.
//!
//! Trusts the statistics. Does not give: protection from earlier answers (`history`), nor from who knows the values of
//! subjects in the same cells, nor from the integrality of counts in tables of three dimensions or more, where an interval
//! of reals can be wider than that of whole numbers.

mod atoms;
mod audit;
mod remainders;
mod worlds;

use std::collections::BTreeSet;

use crate::{
    rules::{Broken, CellRules, Counted},
    space::Region,
    statistics::{CellStatistics, Contributions},
};

use atoms::Atoms;
use audit::{Effort, Series, Shift, Way};
use remainders::Remainders;

/// Cells of one grouping set and one filter: disjoint, and every row of the extent is in one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Where its rows are.
    pub extent: Region,
    /// Whether the question asks for them. What is counted besides, to know what remains of others, is not shown.
    pub shown: bool,
    /// Which quantities it tells, and which it does not but counts: of the question's, in its order; `None` for one that it
    /// does not count. The first is that of all rows, and counted.
    pub told: Vec<Option<bool>>,
    /// The cells.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Where its rows are.
    pub region: Region,
    /// What was counted: quantities are the family's, those that it counts.
    pub statistics: CellStatistics,
    /// Of each of [`Numbers::indicators`] what the cell tells; nothing behind the last.
    pub indicators: Vec<Option<f64>>,
}

/// What becomes of a cell. Why is for evidence that stewards alone see: whoever asks sees no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It may leave, as far as this answer goes.
    Kept,
    /// It breaks rules.
    Primary(Vec<Broken>),
    /// Others could be had from it.
    Complementary,
    /// It could not be shown that none can be.
    Unaudited,
    /// It was not asked for, and breaks no rule.
    NotShown,
}

/// The answer is too large to be audited, or its numbers do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unaudited;

/// A region of which too much must not be known.
#[derive(Debug, Clone)]
struct Target {
    atoms: Vec<usize>,
    /// Of every unit, and of every quantity of the question.
    units: Vec<Vec<Option<Contributions>>>,
    /// Categories that may be the same for all.
    alike: Vec<usize>,
}

/// What is additive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Subjects {
        unit: usize,
    },
    /// Rows that are about nobody of one unit can be about somebody of another: totals are not the same in every unit.
    Total {
        unit: usize,
        quantity: usize,
    },
    /// How much a sensitive condition chooses.
    Indicator {
        indicator: usize,
    },
}

/// What adds up, and the units of which subjects do.
type Additive = (Vec<(Number, Series)>, BTreeSet<usize>);

/// A number that a sensitive condition chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indicator {
    /// Place of the category that the condition is on.
    pub category: usize,
    /// Place of the quantity that it is a part of: it is at most that.
    pub quantity: usize,
}

/// What is counted in the cells of all families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// How many sensitive categories must differ.
    pub categories: usize,
    /// Of each quantity, whether disjoint cells' add up to their union's. Different things do not, as one may be in
    /// several cells: then a difference does not tell them.
    pub additive: Vec<bool>,
    /// Looked at where categories must differ.
    pub indicators: Vec<Indicator>,
}

/// Decides each cell of an answer: of each family, of each cell, in order.
pub fn suppress(families: &[Family], rules: &CellRules, numbers: &Numbers) -> Vec<Vec<Fate>> {
    let mut answer = Answer::new(families, rules, numbers);
    if answer.is_related() && answer.audit().is_err() {
        answer.keep_one_family();
    }
    answer.fates()
}

struct Answer<'a> {
    families: &'a [Family],
    rules: &'a CellRules,
    numbers: &'a Numbers,
    /// Of each cell its family and itself.
    cells: Vec<(&'a Family, &'a Cell)>,
    broken: Vec<Vec<Broken>>,
    released: Vec<bool>,
    audited: bool,
}

impl<'a> Answer<'a> {
    fn new(families: &'a [Family], rules: &'a CellRules, numbers: &'a Numbers) -> Self {
        let units = families.iter().flat_map(|family| &family.cells).map(|cell| cell.statistics.units.len()).max();
        let mut cells = Vec::new();
        let mut broken = Vec::new();
        for family in families {
            let told: Vec<bool> = family.told.iter().copied().flatten().collect();
            let counted = Counted { units: units.unwrap_or(0), told: &told, categories: numbers.categories };
            for cell in &family.cells {
                cells.push((family, cell));
                broken.push(rules.judge(&cell.statistics, counted));
            }
        }
        let released =
            cells.iter().zip(&broken).map(|((family, _), broken)| family.shown && broken.is_empty()).collect();
        Self { families, rules, numbers, cells, broken, released, audited: true }
    }

    /// Whether anything can be subtracted from anything: cells of one family share no row.
    fn is_related(&self) -> bool {
        self.families.iter().filter(|family| family.shown && !family.cells.is_empty()).count() > 1
    }

    fn audit(&mut self) -> Result<(), Unaudited> {
        // What was not counted cannot be protected.
        if self.broken.iter().flatten().any(|broken| *broken == Broken::Uncounted) {
            return Err(Unaudited);
        }
        let atoms = Atoms::of(self.families).ok_or(Unaudited)?;
        let mut effort = Effort::for_an_answer();
        let (mut series, additive) = self.series(&atoms, &mut effort)?;
        let worth: Vec<f64> = self.cells.iter().map(|(_, cell)| worth(cell)).collect();
        let failing =
            (0..self.cells.len()).filter(|cell| self.broken.get(*cell).is_some_and(|broken| !broken.is_empty()));
        let mut targets: Vec<Target> = failing.filter_map(|cell| self.target(cell, &atoms)).collect();
        let additive = |unit: usize| additive.contains(&unit);
        let mut remainders = Remainders::default();
        loop {
            for (number, series) in &mut series {
                self.protect(&targets, *number, series, &worth, &atoms, &mut effort)?;
            }
            // What is suppressed more only widens the intervals of those that were protected: the rest are new.
            targets = remainders.failing(self, &atoms, &additive)?;
            if targets.is_empty() {
                return Ok(());
            }
        }
    }

    /// The numbers to be audited: rows and sums must add up, subjects may. Of which units they do.
    fn series(&self, atoms: &Atoms, effort: &mut Effort) -> Result<Additive, Unaudited> {
        let quantities = self.families.iter().map(|family| family.told.len()).max().unwrap_or(0);
        let units = self.cells.iter().map(|(_, cell)| cell.statistics.units.len()).max().unwrap_or(0);
        let indicators = if self.rules.homogeneity() { self.numbers.indicators.len() } else { 0 };
        let mut series: Vec<(Number, Series)> = Vec::new();
        let mut of_units = BTreeSet::new();
        for number in (0..units)
            .map(|unit| Number::Subjects { unit })
            .chain((0..quantities).flat_map(|quantity| (0..units).map(move |unit| Number::Total { unit, quantity })))
            .chain((0..indicators).map(|indicator| Number::Indicator { indicator }))
        {
            let values: Vec<Option<f64>> = self.cells.iter().map(|(family, cell)| number.of(family, cell)).collect();
            let same = |(other, made): &(Number, Series)| other.is_like(number) && made.values == values;
            if values.iter().flatten().any(|value| !value.is_finite()) {
                return Err(Unaudited);
            }
            let adds_up = series.iter().any(same) || {
                let made = Series::new(values, self.most(number, &series, atoms), atoms, effort)?;
                let adds_up = made.is_some();
                series.extend(made.map(|made| (number, made)));
                adds_up
            };
            match number {
                Number::Subjects { unit } if adds_up => {
                    of_units.insert(unit);
                }
                Number::Subjects { .. } => {}
                Number::Total { .. } | Number::Indicator { .. } => {
                    let quantity = self.quantity(number);
                    if !adds_up && quantity.and_then(|place| self.numbers.additive.get(place)) != Some(&false) {
                        return Err(Unaudited);
                    }
                }
            }
        }
        Ok((series, of_units))
    }

    /// What a number is of, or part of.
    fn quantity(&self, number: Number) -> Option<usize> {
        match number {
            Number::Subjects { .. } => Some(0),
            Number::Total { quantity, .. } => Some(quantity),
            Number::Indicator { indicator } => self.numbers.indicators.get(indicator).map(|of| of.quantity),
        }
    }

    /// What each atom can have at most: of an indicator what it is part of, in whatever unit that is most.
    fn most(&self, number: Number, series: &[(Number, Series)], atoms: &Atoms) -> Option<Vec<f64>> {
        let Number::Indicator { .. } = number else { return None };
        let of = |quantity: usize| {
            let whole = move |(number, _): &&(Number, Series)| {
                matches!(number, Number::Subjects { .. } | Number::Total { .. })
                    && self.quantity(*number) == Some(quantity)
            };
            series.iter().filter(whole).map(|(_, series)| series).collect::<Vec<_>>()
        };
        // What one subject may be counted for in several cells is no more than rows.
        let whole = Some(of(self.quantity(number)?)).filter(|whole| !whole.is_empty()).unwrap_or_else(|| of(0));
        let most = |atom: usize| whole.iter().filter_map(|series| series.of_atom(atom)).reduce(f64::max);
        Some((0..atoms.count()).map(|atom| most(atom).unwrap_or(f64::INFINITY)).collect())
    }

    fn target(&self, cell: usize, atoms: &Atoms) -> Option<Target> {
        let (family, of) = self.cells.get(cell)?;
        let units = (0..of.statistics.units.len()).map(|unit| {
            (0..family.told.len()).map(|quantity| family.contributions(of, unit, quantity).copied()).collect()
        });
        let alike = alike(self.broken.get(cell)?);
        Some(Target { atoms: atoms.of_cell(cell).to_vec(), units: units.collect(), alike })
    }

    /// Suppresses until every target may have more, and less, of a number.
    fn protect(
        &mut self,
        targets: &[Target],
        number: Number,
        series: &mut Series,
        worth: &[f64],
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<(), Unaudited> {
        let mut open: Vec<Shift<'_>> = Vec::new();
        for target in targets {
            let levels = self.levels(target, number, series).into_iter();
            open.extend(levels.map(|(way, by)| Shift { region: &target.atoms, way, by }));
        }
        for number in 0.. {
            if number % FEW_AT_ONCE == 0 {
                series.explore(&open, &self.released, atoms, effort)?;
            }
            open.retain(|shift| !series.shows(shift));
            let Some(shift) = open.pop() else { break };
            while !series.allows(&shift, &self.released, atoms, effort)? {
                if !series.make_way(&shift, &mut self.released, worth, atoms, effort)? {
                    return Err(Unaudited);
                }
            }
        }
        Ok(())
    }

    /// Protection levels: of sums those of the rules; of numbers p %, at least one, and that it may pass the threshold, and
    /// half where all are alike.
    fn levels(&self, target: &Target, number: Number, series: &Series) -> Vec<(Way, f64)> {
        let of = |unit: usize, quantity: usize| target.units.get(unit)?.get(quantity)?.as_ref();
        let least = f64::from(self.rules.least_subjects());
        let half = if target.alike.is_empty() { 0.0 } else { 0.5 };
        let of_number = |value: f64| {
            let share = (self.rules.rest().max(half) * value).max(1.0);
            (share.max(least - value), share.min(value))
        };
        #[expect(clippy::cast_precision_loss, reason = "numbers of subjects are under 2^53")]
        let (more, less) = match number {
            Number::Subjects { unit } => of(unit, 0).map_or((0.0, 0.0), |of| of_number(of.subjects() as f64)),
            Number::Total { unit, quantity: 0 } => of(unit, 0).map_or((0.0, 0.0), |of| of_number(of.total())),
            Number::Total { unit, quantity } => match of(unit, quantity).map(Contributions::total) {
                None => (0.0, 0.0),
                Some(value) if value > 0.0 => {
                    let units = (0..target.units.len()).filter_map(|unit| of(unit, quantity));
                    let level = units.map(|of| self.rules.protection(of)).fold(0.0, f64::max);
                    (level, level.min(value))
                }
                // Of nothing no share can be taken: it may be as much as p % of what the least cell has.
                Some(_) => {
                    let least = series.values.iter().flatten().copied().filter(|value| *value > 0.0).reduce(f64::min);
                    (least.map_or(0.0, |least| self.rules.rest() * least), 0.0)
                }
            },
            Number::Indicator { indicator } => self.of_indicator(target, indicator, series).unwrap_or_default(),
        };
        [(Way::More, more), (Way::Less, less)].into_iter().filter(|(_, by)| *by > 0.0).collect()
    }

    /// Half of what it is a part of, as far as there is so much more, or less.
    fn of_indicator(&self, target: &Target, indicator: usize, series: &Series) -> Option<(f64, f64)> {
        let of = self.numbers.indicators.get(indicator).filter(|of| target.alike.contains(&of.category))?;
        let value = target.atoms.iter().map(|atom| series.of_atom(*atom)).sum::<Option<f64>>()?;
        let wholes = target.units.iter().filter_map(|unit| unit.get(of.quantity)?.as_ref());
        let whole = wholes.map(Contributions::total).fold(value, f64::max);
        Some(((whole / 2.0).min(whole - value), (whole / 2.0).min(value)))
    }

    /// The family with most cells that pass; no two of its cells share a row.
    fn keep_one_family(&mut self) {
        let mut place = 0;
        let mut most = 0..0;
        let mut best = 0;
        for family in self.families {
            let range = place..place + family.cells.len();
            place = range.end;
            let passing = range.clone().filter(|cell| self.broken.get(*cell).is_some_and(Vec::is_empty)).count();
            if family.shown && passing > best {
                (best, most) = (passing, range);
            }
        }
        for (cell, (released, broken)) in self.released.iter_mut().zip(&self.broken).enumerate() {
            *released = most.contains(&cell) && broken.is_empty();
        }
        self.audited = false;
    }

    fn fates(self) -> Vec<Vec<Fate>> {
        let suppressed = if self.audited { Fate::Complementary } else { Fate::Unaudited };
        let mut all = self.broken.into_iter().zip(self.released).map(|(broken, released)| match (broken, released) {
            (broken, _) if !broken.is_empty() => Fate::Primary(broken),
            (_, true) => Fate::Kept,
            (_, false) => suppressed.clone(),
        });
        let of_family = |family: &Family| -> Vec<Fate> {
            let fates = all.by_ref().take(family.cells.len());
            fates
                .map(|fate| if !family.shown && !matches!(fate, Fate::Primary(_)) { Fate::NotShown } else { fate })
                .collect()
        };
        self.families.iter().map(of_family).collect()
    }
}

impl Family {
    fn tells(&self, quantity: usize) -> bool {
        self.told.get(quantity) == Some(&Some(true))
    }

    fn contributions<'a>(&self, cell: &'a Cell, unit: usize, quantity: usize) -> Option<&'a Contributions> {
        self.told.get(quantity)?.as_ref()?;
        let place = self.told.iter().take(quantity).flatten().count();
        cell.statistics.of(unit, place)
    }
}

impl Number {
    fn of(self, family: &Family, cell: &Cell) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of subjects are under 2^53")]
        match self {
            Self::Subjects { unit } => family.contributions(cell, unit, 0).map(|of| of.subjects() as f64),
            Self::Total { unit, quantity } => family.contributions(cell, unit, quantity).map(Contributions::total),
            Self::Indicator { indicator } => cell.indicators.get(indicator).copied().flatten(),
        }
    }

    /// Whether both are of one quantity: if they are the same in every cell, one audit is enough.
    fn is_like(self, other: Self) -> bool {
        let quantity = |number: Self| match number {
            Self::Subjects { .. } => Some(0),
            Self::Total { quantity, .. } => Some(quantity),
            Self::Indicator { .. } => None,
        };
        quantity(self).is_some() && quantity(self) == quantity(other)
    }
}

/// Categories that are the same for all.
fn alike(broken: &[Broken]) -> Vec<usize> {
    let category = |broken: &Broken| if let Broken::Homogeneous { category } = broken { Some(*category) } else { None };
    broken.iter().filter_map(category).collect()
}

/// How many are looked at one by one before the others are looked at together again.
const FEW_AT_ONCE: usize = 8;

/// What a cell is worth to whoever asks: the logarithm of its subjects, so that many small cells are not given for one
/// large one (cost functions of Hundepool et al. 2012, on secondary suppression).
fn worth(cell: &Cell) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of subjects are under 2^53")]
    let subjects = cell.statistics.subjects(0) as f64;
    1.0 + subjects.ln_1p()
}

#[cfg(test)]
mod tests;

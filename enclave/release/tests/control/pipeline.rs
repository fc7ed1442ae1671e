//! What the engine does, on rows in memory, and what the control makes of it.

use std::collections::{BTreeMap, BTreeSet};

use octroi_proto::wire::v1 as wire;
use octroi_release::{
    CellRules, Control, CountedCell, Digits, FinestCell, Literal, Measure, Part, Quantile, Quantity, RowColumn, Ruling,
    Sides, Total, Type, judge_by,
    space::BinSet,
    statistics::{CellStatistics, Contributions},
};

use super::{
    question::{Figure, Question, What},
    world::{AMOUNT, DIMENSIONS, HOME, PERSON, Row, SIZES, World},
};

/// A question that was counted.
pub(crate) struct Asked<'a> {
    pub(crate) world: &'a World,
    pub(crate) question: &'a Question,
    pub(crate) ruling: Ruling,
    pub(crate) cells: Vec<CountedCell>,
    pub(crate) finest: Vec<FinestCell>,
}

/// What left of it.
pub(crate) struct Released {
    /// Of each cell that has rows: its set, its keys' bins, of each figure whether it may leave, and its number.
    pub(crate) cells: Vec<ReleasedCell>,
}

#[derive(Debug, Clone)]
pub(crate) struct ReleasedCell {
    pub(crate) set: usize,
    pub(crate) keys: Vec<u32>,
    pub(crate) leaves: Vec<bool>,
    pub(crate) numbers: Vec<Option<octroi_release::Number>>,
}

pub(crate) fn rules() -> CellRules {
    CellRules::default()
}

/// Those of a policy under which the ill and the well must differ in every cell.
pub(crate) fn with_homogeneity() -> CellRules {
    CellRules::parse(&wire::CellRules { homogeneity: true, ..wire::CellRules::default() }).unwrap()
}

impl<'a> Asked<'a> {
    pub(crate) fn of(world: &'a World, question: &'a Question) -> Self {
        let ruling = judge_by(&question.plan(), &world.schemas(), &world.policies()).unwrap();
        let mut asked = Self { world, question, ruling, cells: Vec::new(), finest: Vec::new() };
        asked.cells = (0..question.sets.len()).flat_map(|set| asked.counted(set)).collect();
        asked.finest = asked.finest();
        asked
    }

    /// By the cell rules and complementary suppression alone.
    pub(crate) fn control(&self, rules: &CellRules) -> Released {
        let mut control = Control::new(&self.ruling, *rules, &self.cells, &self.finest);
        for quantile in control.quantiles() {
            let sides = self.sides(&quantile);
            control.count_sides(quantile, sides);
        }
        self.released(&control)
    }

    /// Of each unit, who has an amount on each side.
    fn sides(&self, quantile: &Quantile) -> Vec<Sides> {
        let cell = &self.cells[quantile.cell];
        let here = |row: &&Row| {
            let keys = self.question.sets[cell.set].iter().zip(&cell.keys);
            self.question.chooses(row)
                && self.question.figures[quantile.figure].is_about(row)
                && keys.into_iter().all(|(of, key)| row.at[*of] == bin(key, *of))
        };
        let of_unit = |unit: RowColumn| {
            let with = |side: fn(f64, f64) -> bool| {
                let rows = self.world.rows.iter().filter(here);
                let rows = rows.filter(|row| row.amount.is_some_and(|amount| side(amount as f64, quantile.value)));
                rows.map(|row| subject(unit, row)).collect::<BTreeSet<i64>>().len() as u64
            };
            Sides { below: with(|amount, value| amount <= value), above: with(|amount, value| amount >= value) }
        };
        self.ruling.units().iter().map(|unit| of_unit(unit.column)).collect()
    }

    pub(crate) fn released(&self, control: &Control<'_>) -> Released {
        let may: BTreeSet<(usize, usize)> =
            control.history_cells().iter().map(|(place, _)| (place.cell, place.scope)).collect();
        let rows: BTreeMap<usize, _> = control.rows().into_iter().map(|row| (row.cell, row.numbers)).collect();
        let figures = self.ruling.figures();
        let cells = self.cells.iter().enumerate().map(|(place, cell)| ReleasedCell {
            set: cell.set,
            keys: cell.keys.iter().zip(&self.question.sets[cell.set]).map(|(key, of)| bin(key, *of)).collect(),
            leaves: figures.iter().map(|figure| may.contains(&(place, figure.scope))).collect(),
            numbers: rows.get(&place).cloned().unwrap_or_else(|| vec![None; figures.len()]),
        });
        Released { cells: cells.collect() }
    }

    fn counted(&self, set: usize) -> Vec<CountedCell> {
        let keys = &self.question.sets[set];
        let mut groups: BTreeMap<Vec<u32>, Vec<&Row>> = BTreeMap::new();
        for row in self.world.rows.iter().filter(|row| self.question.chooses(row)) {
            groups.entry(keys.iter().map(|key| row.at[*key]).collect()).or_default().push(row);
        }
        let cell = |(at, rows): (Vec<u32>, Vec<&Row>)| CountedCell {
            set,
            keys: at.iter().zip(keys).map(|(bin, key)| literal(*bin, *key)).collect(),
            scopes: (0..self.ruling.scopes().len()).map(|scope| self.statistics(scope, &rows)).collect(),
            parts: self.question.figures.iter().map(|figure| part(figure, &rows)).collect(),
        };
        groups.into_iter().map(cell).collect()
    }

    /// By all keys at once, and by every choice of a scope.
    fn finest(&self) -> Vec<FinestCell> {
        let Some(finest) = self.ruling.finest() else { return Vec::new() };
        let dimension = |axis: usize| DIMENSIONS.iter().position(|it| *it == self.ruling.axes()[axis].column).unwrap();
        let keys: Vec<usize> = self.ruling.keys().iter().map(|key| dimension(key.axis)).collect();
        let mut groups: BTreeMap<(Vec<u32>, Vec<bool>), Vec<&Row>> = BTreeMap::new();
        for row in self.world.rows.iter().filter(|row| self.question.chooses(row)) {
            let within = |(axis, set): &(usize, BinSet)| set.contains(row.at[dimension(*axis)]);
            let at = keys.iter().map(|key| row.at[*key]).collect();
            groups.entry((at, finest.choices().iter().map(within).collect())).or_default().push(row);
        }
        let measures = self.ruling.measures();
        let cell = |((at, chosen), rows): ((Vec<u32>, Vec<bool>), Vec<&Row>)| {
            let of_unit =
                |unit: RowColumn| measures.iter().map(|measure| contributions(unit, measure, &rows)).collect();
            let of_keys = at.iter().zip(&keys).map(|(bin, key)| literal(*bin, *key));
            FinestCell {
                keys: of_keys.chain(chosen.into_iter().map(Literal::Boolean)).collect(),
                units: self.ruling.units().iter().map(|unit| of_unit(unit.column)).collect(),
                categories: self.categories(&rows),
            }
        };
        groups.into_iter().map(cell).collect()
    }

    fn statistics(&self, scope: usize, rows: &[&Row]) -> CellStatistics {
        // A scope's rows are those of whatever figure is of it.
        let figure = self.ruling.figures().iter().position(|figure| figure.scope == scope).unwrap();
        let rows: Vec<&Row> = rows.iter().copied().filter(|row| self.question.figures[figure].is_about(row)).collect();
        let told = self.ruling.told(scope);
        let measures = self.ruling.measures();
        let counted = || measures.iter().zip(&told).filter(|(_, told)| told.is_some()).map(|(measure, _)| measure);
        let units = self.ruling.units().iter();
        let of_unit = |unit: RowColumn| counted().map(|measure| contributions(unit, measure, &rows)).collect();
        CellStatistics { units: units.map(|unit| of_unit(unit.column)).collect(), categories: self.categories(&rows) }
    }

    /// How many of ill and well there are, if the question asks who is.
    fn categories(&self, rows: &[&Row]) -> Vec<u64> {
        let different = || rows.iter().map(|row| row.ill).collect::<BTreeSet<bool>>().len() as u64;
        self.ruling.categories().iter().map(|_| different()).collect()
    }
}

impl Released {
    /// Of each grouping set, of each cell, whether any figure leaves.
    pub(crate) fn by_set(&self) -> Vec<Vec<bool>> {
        let sets = self.cells.iter().map(|cell| cell.set).max().map_or(0, |last| last + 1);
        let of_set = |set: usize| self.cells.iter().filter(move |cell| cell.set == set);
        (0..sets).map(|set| of_set(set).map(|cell| cell.leaves.contains(&true)).collect()).collect()
    }
}

/// Of every subject that has such a row, what its rows add up to.
pub(crate) fn contributions(unit: RowColumn, measure: &Measure, rows: &[&Row]) -> Contributions {
    let mut subjects: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !measure.present.contains(&AMOUNT) || row.amount.is_some()) {
        subjects.entry(subject(unit, row)).or_default().push(row);
    }
    let mut all = Contributions::NONE;
    for rows in subjects.values() {
        let brings: i64 = match measure.quantity {
            Quantity::Row => rows.len() as i64,
            Quantity::Value(_) => rows.iter().filter_map(|row| row.amount).map(i64::abs).sum(),
            Quantity::Square(_) => rows.iter().filter_map(|row| row.amount).map(|amount| amount * amount).sum(),
            Quantity::Product(..) => panic!("no question is of pairs"),
            Quantity::Different(of) => rows.iter().map(|row| subject(of, row)).collect::<BTreeSet<i64>>().len() as i64,
        };
        all.observe(brings as f64);
    }
    all
}

pub(crate) fn subject(unit: RowColumn, row: &Row) -> i64 {
    match unit {
        PERSON => row.person,
        HOME => row.home,
        other => panic!("{other:?} names nobody"),
    }
}

fn part(figure: &Figure, rows: &[&Row]) -> Part {
    let rows: Vec<&Row> = rows.iter().copied().filter(|row| figure.is_about(row) && (!figure.ill || row.ill)).collect();
    let mut amounts: Vec<i64> = rows.iter().filter_map(|row| row.amount).collect();
    amounts.sort_unstable();
    let (count, sum) = (amounts.len() as i128, amounts.iter().map(|amount| i128::from(*amount)).sum::<i128>());
    let total = (count > 0).then_some(Total::Whole(sum));
    match figure.what {
        What::Rows => Part::Count(rows.len() as i128),
        What::Persons => Part::Count(rows.iter().map(|row| row.person).collect::<BTreeSet<i64>>().len() as i128),
        What::Sum => Part::Sum(total),
        What::Mean => Part::Mean(total, count),
        What::Variance => {
            let squares: i128 = amounts.iter().map(|amount| i128::from(*amount).pow(2)).sum();
            let about_the_mean = (squares * count - sum * sum) as f64 / count.max(1) as f64;
            Part::Spread { count, sums: [sum as f64, 0.0], squares: [about_the_mean, 0.0], products: 0.0 }
        }
        What::Median => Part::Quantile(amounts.get(amounts.len() / 2).map(|amount| *amount as f64)),
    }
}

fn literal(bin: u32, dimension: usize) -> Literal {
    if bin < SIZES[dimension] { Literal::Integer(i64::from(bin)) } else { Literal::Null(Type::Integer(Digits::STORED)) }
}

fn bin(literal: &Literal, dimension: usize) -> u32 {
    if let Literal::Integer(bin) = literal { u32::try_from(*bin).unwrap() } else { SIZES[dimension] }
}

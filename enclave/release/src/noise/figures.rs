//! Which numbers of an answer can be given with noise, and of what: parts that each subject moves by no more than a bound.
//!
//! ```text
//! Ruling + Policies --NoisyFigures::of--> parts        the engine adds up each, every subject's share held to its bounds
//! parts + Reservation + cells --deviations--> one for each   as wide as the price asks for
//! exact parts + deviations + randomness --numbers-->   what is told
//! ```
//!
//! Counts of rows, of subjects, sums and means can: a subject's rows in a cell count up to the number that its table's
//! policy declares, each value held to its clamps. Other figures are missing where there is noise. Numbers are not rounded
//! nor cut off at nothing, so that they add up without a bias; a count can be negative.
//!
//! Bounds hold for one kind of subject: rows about persons who live in households have none, unless the one is found by the
//! other's own name.

use std::{collections::BTreeSet, ops::Range};

use rand_core::TryCryptoRng;

use super::{Clamp, Deviation, Reservation, Sensitivity, mean};
use crate::{
    control::Number,
    judge::roles::Ruling,
    plan::{Aggregate, Aggregation, RowColumn},
    policy::{Policies, Role},
    schema::Type,
};

/// The figures of a ruling, as they are made with noise.
#[derive(Debug, Clone)]
pub struct NoisyFigures {
    unit: RowColumn,
    parts: Vec<BoundedPart>,
    /// Of each figure: `None` for one that is missing where there is noise.
    figures: Vec<Option<Noisy>>,
}

/// A whole number that is added up over subjects.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundedPart {
    /// The figure that it is a part of: of the rows that its aggregate is of.
    pub figure: usize,
    /// What a subject's rows add up to, and how it is held to its bounds.
    pub share: Share,
}

/// What one subject brings to a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// Its rows, at most so many.
    Rows(u32),
    /// Values of a measure, each held to the one clamp, and their sum to the other, in whose steps it is told.
    Values(RowColumn, [Clamp; 2]),
}

#[derive(Debug, Clone)]
struct Noisy {
    parts: Range<usize>,
    scope: usize,
    /// Of a value, and of what a subject's add up to.
    clamps: Option<[Clamp; 2]>,
    /// Whether a sum is told as a whole number.
    whole: bool,
}

/// Why a question has no answer with noise. Says nothing of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNoise {
    /// Rows are about several kinds of subjects, or about nobody.
    #[error("its rows are about more than one kind of subject, and noise is made for one")]
    Units,
    /// No figure can be told so.
    #[error("noise is made for COUNT, SUM and AVG of measures with declared clamps alone")]
    Figures,
    /// So many cells or columns that the price is too small.
    #[error("it has too many cells or columns for the noise that one question may cost: ask for fewer")]
    TooMany,
}

impl NoisyFigures {
    /// Those of a ruling.
    ///
    /// # Errors
    /// [`NoNoise`].
    pub fn of(ruling: &Ruling, policies: &Policies) -> Result<Self, NoNoise> {
        let unit = unit(ruling).ok_or(NoNoise::Units)?;
        let facts = ruling.plan().scans.get(ruling.facts()).and_then(|scan| policies.table(scan.table));
        let rows = facts.ok_or(NoNoise::Units)?.noise_rows();
        let mut noisy = Self { unit, parts: Vec::new(), figures: Vec::new() };
        for (place, aggregate) in ruling.plan().aggregates.iter().enumerate() {
            let made = noisy.figure(ruling, policies, place, aggregate, rows);
            noisy.figures.push(made);
        }
        if noisy.parts.is_empty() {
            return Err(NoNoise::Figures);
        }
        if noisy.figures.len() > MOST_FIGURES {
            return Err(NoNoise::TooMany);
        }
        Ok(noisy)
    }

    fn figure(
        &mut self,
        ruling: &Ruling,
        policies: &Policies,
        place: usize,
        aggregate: &Aggregate,
        rows: u32,
    ) -> Option<Noisy> {
        let figure = ruling.figures().get(place)?;
        let counted = |rows: u32| BoundedPart { figure: place, share: Share::Rows(rows) };
        let summed = || {
            let [column] = figure.present.as_slice() else { return None };
            let clamp = clamp(ruling, policies, *column)?;
            let together = clamp.of_rows(rows)?;
            Some((BoundedPart { figure: place, share: Share::Values(*column, [clamp, together]) }, [clamp, together]))
        };
        let (parts, clamps) = match aggregate.of {
            Aggregation::CountRows | Aggregation::Count => (vec![counted(rows)], None),
            // Of things of a subject's, nobody knows how many others have, too.
            Aggregation::CountDistinct => {
                let [crate::judge::roles::Quantity::Different(column)] = figure.quantities.as_slice() else {
                    return None;
                };
                (vec![(self.unit == *column).then(|| counted(1))?], None)
            }
            Aggregation::Sum => {
                let (sum, clamps) = summed()?;
                (vec![sum], Some(clamps))
            }
            Aggregation::Mean => {
                let (sum, clamps) = summed()?;
                (vec![sum, counted(rows)], Some(clamps))
            }
            Aggregation::Variance
            | Aggregation::PopulationVariance
            | Aggregation::Deviation
            | Aggregation::PopulationDeviation
            | Aggregation::Quantile(_)
            | Aggregation::Correlation
            | Aggregation::Covariance
            | Aggregation::PopulationCovariance
            | Aggregation::Regression(_) => return None,
        };
        let first = self.parts.len();
        self.parts.extend(parts);
        let holds = ruling.cell_types().get(ruling.keys().len() + place)?;
        let whole = matches!(holds, Type::Integer(_));
        Some(Noisy { parts: first..self.parts.len(), scope: figure.scope, clamps, whole })
    }

    /// Whether every figure can have noise.
    pub fn is_whole(&self) -> bool {
        self.figures.iter().all(Option::is_some)
    }

    /// Whose shares are held to bounds. A missing value is nobody's.
    pub fn unit(&self) -> RowColumn {
        self.unit
    }

    /// What is to be added up.
    pub fn parts(&self) -> &[BoundedPart] {
        &self.parts
    }

    /// Of each part the spread that its share of the price pays for, where figures of each scope are told of so many cells:
    /// a subject can have rows in all of them.
    ///
    /// # Errors
    /// [`NoNoise::TooMany`].
    pub fn deviations(&self, reservation: &Reservation, cells: &[u32]) -> Result<Vec<Deviation>, NoNoise> {
        let share = reservation.price().part(u32::try_from(self.parts.len()).unwrap_or(u32::MAX));
        let mut deviations = Vec::with_capacity(self.parts.len());
        for noisy in self.figures.iter().flatten() {
            let cells = cells.get(noisy.scope).copied().unwrap_or_default().max(1);
            for part in self.parts.get(noisy.parts.clone()).unwrap_or_default() {
                let paying = Deviation::paying(share, part.sensitivity(cells));
                deviations.push(paying.ok_or(NoNoise::TooMany)?);
            }
        }
        Ok(deviations)
    }

    /// Of a figure, the standard deviation of its noise, in the units in which it is told; `None` if it has none, or is a
    /// ratio of numbers that have.
    pub fn told_deviation(&self, figure: usize, deviations: &[Deviation]) -> Option<f64> {
        let noisy = self.figures.get(figure)?.as_ref()?;
        let [deviation] = deviations.get(noisy.parts.clone())? else { return None };
        Some(deviation.steps() * noisy.clamps.map_or(1.0, |[_, together]| together.value(1)))
    }

    /// The numbers of one cell's figures, of its exact parts. What is not of `scopes` is missing.
    ///
    /// # Errors
    /// The generator's: without randomness there is no answer.
    pub fn numbers<R: TryCryptoRng + ?Sized>(
        &self,
        exact: &[i64],
        deviations: &[Deviation],
        scopes: &BTreeSet<usize>,
        random: &mut R,
    ) -> Result<Vec<Option<Number>>, R::Error> {
        let mut numbers = Vec::with_capacity(self.figures.len());
        for noisy in &self.figures {
            let Some(noisy) = noisy.as_ref().filter(|noisy| scopes.contains(&noisy.scope)) else {
                numbers.push(None);
                continue;
            };
            let mut parts = Vec::with_capacity(2);
            for part in noisy.parts.clone() {
                let (Some(exact), Some(deviation)) = (exact.get(part), deviations.get(part)) else { continue };
                parts.push(exact.saturating_add(deviation.draw(random)?));
            }
            numbers.push(noisy.number(&parts));
        }
        Ok(numbers)
    }
}

impl BoundedPart {
    fn sensitivity(&self, cells: u32) -> Sensitivity {
        match &self.share {
            Share::Rows(rows) => Sensitivity::rows(cells, *rows),
            Share::Values(_, [_, together]) => Sensitivity::sum(cells, together),
        }
    }
}

impl Noisy {
    fn number(&self, parts: &[i64]) -> Option<Number> {
        match (self.clamps, parts) {
            (None, [count]) => Some(Number::Whole((*count).into())),
            (Some([_, together]), [sum]) if self.whole => Some(Number::Whole(together.value(*sum).round() as i128)),
            (Some([_, together]), [sum]) => Some(Number::Float(together.value(*sum))),
            (Some([one, together]), [sum, count]) => mean(together.value(*sum), *count, &one).map(Number::Float),
            (None | Some(_), _) => None,
        }
    }
}

/// The column of whom rows are about; `None` unless every other subject column is equal to it wherever rows are joined.
fn unit(ruling: &Ruling) -> Option<RowColumn> {
    let (first, others) = ruling.units().split_first()?;
    let mut same = BTreeSet::from([first.column]);
    // As often as there are links at most: one may be found by the column that another leads to.
    for _ in ruling.links() {
        same.extend(ruling.links().filter(|(from, _)| same.contains(from)).map(|(_, to)| to).collect::<Vec<_>>());
    }
    others.iter().all(|unit| same.contains(&unit.column)).then_some(first.column)
}

fn clamp(ruling: &Ruling, policies: &Policies, column: RowColumn) -> Option<Clamp> {
    let table = ruling.plan().scans.get(column.scan)?.table;
    match policies.table(table)?.role(column.column)? {
        Role::Measure { clamps, .. } => clamps.and_then(|clamps| Clamp::new(clamps.low, clamps.high)),
        Role::Identifier | Role::Dimension { .. } | Role::Category | Role::JoinKey(_) => None,
    }
}

/// Figures of an answer with noise.
const MOST_FIGURES: usize = 64;

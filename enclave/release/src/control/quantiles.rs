//! Quantiles: whether enough subjects lie on each side of one.

use super::{Control, CountedCell, Measure, Part};
use crate::{
    judge::roles::{Figure, Quantity},
    statistics::Contributions,
};

/// A quantile that may leave, if enough subjects lie on each side of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The place of the cell among those counted.
    pub cell: usize,
    /// The place of the figure. Of the rows of its scope those count in which its columns are there.
    pub figure: usize,
    /// The value, as it was found.
    pub value: f64,
}

/// Subjects of one unit beside a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// How many have a row with that value, or one below: whose least value is no more.
    pub below: u64,
    /// With that value, or one above: whose most is no less.
    pub above: u64,
}

impl Control<'_> {
    /// The quantiles whose sides are to be counted: those of all cells that may leave.
    pub fn quantiles(&self) -> Vec<Quantile> {
        let figures = self.ruling.figures().iter().enumerate().filter(|(_, figure)| figure.quantile.is_some());
        let of_cell = |(cell, counted): (usize, &CountedCell)| {
            let leaves = self.leaving.get(cell);
            let of = move |(place, figure): (usize, &Figure)| {
                leaves?.get(figure.scope)?.as_ref()?;
                let Part::Quantile(Some(value)) = counted.parts.get(place)? else { return None };
                Some(Quantile { cell, figure: place, value: *value })
            };
            figures.clone().filter_map(of).collect::<Vec<_>>()
        };
        self.cells.iter().enumerate().flat_map(of_cell).collect()
    }

    /// What was counted beside a quantile, of each unit.
    pub fn count_sides(&mut self, of: Quantile, units: Vec<Sides>) {
        self.sides.insert((of.cell, of.figure), units);
    }

    /// By what was counted; where nothing was, as many rows lie on a side as its share says, within a hundredth, which the
    /// approximation can be off by, and so many subjects have them at least as the one with most rows goes into them.
    pub(super) fn quantile_holds(&self, cell: usize, place: usize, figure: &Figure, counted: &CountedCell) -> bool {
        let Some(millionths) = figure.quantile else { return true };
        let (units, least) = (self.ruling.units().len(), self.rules.least_subjects());
        if let Some(sides) = self.sides.get(&(cell, place)) {
            return sides.len() == units && sides.iter().all(|of| of.below.min(of.above) >= u64::from(least));
        }
        let measure = Measure { present: figure.present.clone(), quantity: Quantity::Row };
        let Some(place) = self.place_of(figure.scope, &measure) else { return units == 0 };
        let share = f64::from(millionths) / 1_000_000.0;
        let smaller = share.min(1.0 - share) - OFF;
        let enough = |of: &Contributions| of.largest() > 0.0 && smaller * of.total() / of.largest() >= f64::from(least);
        let Some(statistics) = counted.scopes.get(figure.scope) else { return false };
        (0..units).all(|unit| statistics.of(unit, place).is_some_and(enough))
    }
}

/// By how much, as a share of all rows, the rank of an approximate quantile may be off.
const OFF: f64 = 0.01;

//! The parts that an answer's cells are put together from, where none of its grouping sets is as fine: counted, never
//! shown, so that what several cells tell of one of them is audited as if it were a cell.

use super::Measure;
use crate::{
    expression::{Expression, Literal},
    judge::roles::Ruling,
    plan::RowColumn,
    space::{BinSet, Region},
    statistics::CellStatistics,
    suppress::{Cell, Family},
};

/// Rows that agree in every key, and in lying in each choice of bins that a scope makes, or not.
#[derive(Debug, Clone)]
pub struct Finest {
    /// Bins of axes, by the axes' places, each once.
    choices: Vec<(usize, BinSet)>,
    /// What the engine groups by: the plan's keys, then one condition for each choice.
    pub keys: Vec<Expression<RowColumn>>,
}

/// One of these parts.
#[derive(Debug, Clone, PartialEq)]
pub struct FinestCell {
    /// Values of the plan's keys, then whether each choice holds.
    pub keys: Vec<Literal>,
    /// Of each unit, of each of [`Ruling::measures`].
    pub units: Vec<Vec<crate::statistics::Contributions>>,
    /// How many different values each of [`Ruling::categories`] has here; none if that was not counted: then it is as if
    /// they differed.
    pub categories: Vec<u64>,
}

impl Ruling {
    /// How to count the finest parts; `None` where the answer has no cells that overlap, or one of its own families is
    /// made of these parts.
    pub fn finest(&self) -> Option<Finest> {
        let families = self.plan().sets.len() * self.scopes().len();
        let mut choices: Vec<(usize, BinSet)> = Vec::new();
        for choice in self.scopes().iter().flat_map(|scope| &scope.bins) {
            if !choices.contains(choice) {
                choices.push(choice.clone());
            }
        }
        let all = self.plan().keys.len();
        let shown = choices.is_empty() && self.plan().sets.iter().any(|set| set.len() == all);
        if families < 2 || shown || self.units().is_empty() {
            return None;
        }
        let conditions = choices.iter().filter_map(|(axis, set)| Some(self.axes().get(*axis)?.condition(set)));
        let keys = self.plan().keys.iter().cloned().chain(conditions).collect();
        Some(Finest { choices, keys })
    }
}

impl Finest {
    /// What each condition behind the plan's keys says: that a row lies in these bins of an axis, by the axis's place.
    pub fn choices(&self) -> &[(usize, BinSet)] {
        &self.choices
    }

    /// The family of the parts; `None` if one of them is no part of the question's rows.
    pub(super) fn family(&self, ruling: &Ruling, measures: &[Measure], cells: &[FinestCell]) -> Option<Family> {
        let cell = |cell: &FinestCell| {
            let mut categories = cell.categories.clone();
            categories.resize(ruling.categories().len(), u64::MAX);
            Some(Cell {
                region: self.region(ruling, &cell.keys)?,
                statistics: CellStatistics { units: cell.units.clone(), categories },
                indicators: Vec::new(),
            })
        };
        let cells = cells.iter().map(cell).collect::<Option<Vec<_>>>()?;
        let anywhere: Vec<Vec<Option<bool>>> = (0..ruling.scopes().len()).map(|scope| ruling.told(scope)).collect();
        let told = |place: usize| anywhere.iter().any(|told| told.get(place) == Some(&Some(true)));
        let told = (0..measures.len()).map(|place| Some(told(place))).collect();
        Some(Family { extent: ruling.base(), shown: false, told, cells })
    }

    fn region(&self, ruling: &Ruling, values: &[Literal]) -> Option<Region> {
        let keys = ruling.keys();
        let mut bins = Vec::with_capacity(values.len());
        for (key, value) in keys.iter().zip(values) {
            bins.push((key.axis, key.bins(value)?.clone()));
        }
        for ((axis, set), value) in self.choices.iter().zip(values.get(keys.len()..)?) {
            let all = BinSet::range(0, ruling.axes().get(*axis)?.outside() + 1);
            let within = if *value == Literal::Boolean(true) { set.clone() } else { all.minus(set) };
            bins.push((*axis, within));
        }
        Some(ruling.region_of(&bins))
    }
}

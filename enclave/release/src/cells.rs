//! The first check, of cells: each one that leaves is about enough subjects of every kind.
//!
//! A cell that fails loses everything, its key too: what is suppressed and what was never there look alike. Where the
//! keys' domain is public, both are listed as keys without value.

use std::collections::HashSet;

use crate::{
    expression::{Expression, Literal},
    judge::Judged,
    plan::Step,
};

/// Fewest subjects that a released cell is about; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeastSubjects(u32);

/// Cells that may leave, by their places, in order. Made by [`Judged::keep`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept(Vec<usize>);

/// Why no cell was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// Not every cell has one count for each that was asked for.
    #[error("the counts of subjects are not those that the plan calls for")]
    Counts,
}

impl LeastSubjects {
    /// So many; `None` for none, which would protect nobody.
    pub fn new(least: u32) -> Option<Self> {
        (least > 0).then_some(Self(least))
    }

    /// How many: what is counted need not be counted further.
    pub fn count(self) -> u32 {
        self.0
    }
}

impl Kept {
    /// Their places.
    pub fn places(&self) -> &[usize] {
        &self.0
    }

    /// Whether none may leave.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Judged {
    /// Which of `cells` cells may leave. `counts` are those of [`Judged::counts`], in its order: of each a number for
    /// every cell, which may stop at the threshold.
    ///
    /// # Errors
    /// [`CellError::Counts`]: nothing may leave.
    pub fn keep(&self, cells: usize, counts: &[&[u64]], least: LeastSubjects) -> Result<Kept, CellError> {
        if counts.len() != self.counts().len() || counts.iter().any(|count| count.len() != cells) {
            return Err(CellError::Counts);
        }
        let least = u64::from(least.0);
        let enough = |place: &usize| counts.iter().all(|count| count.get(*place).is_some_and(|count| *count >= least));
        Ok(Kept((0..cells).filter(enough).collect()))
    }

    /// Places of the keys, in the order in which the answer shows them; `None` unless the answer shows every key and the
    /// domain of each is declared, and all their combinations are few enough to be listed.
    pub fn listed_keys(&self) -> Option<Vec<usize>> {
        let keys = self.plan().keys.len();
        let shown = self.shown();
        let mut listed: Vec<usize> = Vec::with_capacity(keys);
        for place in shown.into_iter().flatten().filter(|place| *place < keys) {
            if !listed.contains(&place) {
                listed.push(place);
            }
        }
        let combinations =
            listed.iter().try_fold(1_usize, |product, key| product.checked_mul(self.domain(*key)?.len()));
        (keys > 0 && listed.len() == keys && combinations? <= MOST_LISTED).then_some(listed)
    }

    /// The keys of the declared domain that no kept cell has, in the order of the domain; of each, the values in the order
    /// of [`Judged::listed_keys`]. `present` are the kept cells' keys in that same order. None where keys are not listed.
    pub fn keys_without_value(&self, present: &[Vec<Literal>]) -> Vec<Vec<Literal>> {
        let Some(listed) = self.listed_keys() else { return Vec::new() };
        let mut combinations = vec![Vec::new()];
        for domain in listed.iter().filter_map(|key| self.domain(*key)) {
            combinations = combinations
                .into_iter()
                .flat_map(|prefix: Vec<Literal>| {
                    domain.iter().map(move |value| prefix.iter().chain([value]).cloned().collect())
                })
                .collect();
        }
        let present: HashSet<String> = present.iter().map(|key| format!("{key:?}")).collect();
        combinations.retain(|key| !present.contains(&format!("{key:?}")));
        combinations
    }

    /// Which cell column each column of the answer is, where it is just that.
    fn shown(&self) -> Vec<Option<usize>> {
        let mut shown: Vec<Option<usize>> = (0..self.cell_types().len()).map(Some).collect();
        for step in &self.plan().steps {
            if let Step::Project(columns) = step {
                let column = |expression: &Expression<usize>| {
                    let Expression::Column(place) = expression else { return None };
                    shown.get(*place).copied().flatten()
                };
                shown = columns.iter().map(column).collect();
            }
        }
        shown
    }

    /// The declared domain of a key that is just a column.
    fn domain(&self, key: usize) -> Option<&[Literal]> {
        let Expression::Column(column) = self.plan().keys.get(key)? else { return None };
        let domain = self.column(*column)?.domain.as_slice();
        (!domain.is_empty()).then_some(domain)
    }
}

/// Most keys that an answer lists as without value.
const MOST_LISTED: usize = 10_000;

#[cfg(test)]
mod tests;

//! The information budget: how much all released cells together may tell of any one subject.
//!
//! ```text
//! Plan::open(history, new cells) --atoms--> the engine counts the subjects of each --Plan::sized--> Budget
//! Budget::price(cells) -> leverage after;  Budget::admit() -> which new cells still fit
//! ```
//!
//! **Model.** Released sets cut a table's rows into *atoms*: rows that are in the same released sets. Let each subject of
//! atom *a*, of whom there are Nₐ, have a contribution unknown to the analyst, of variance 1 and independent of the
//! others'. A released cell with membership x (0 or 1 of each atom) tells x'y plus its rounding error, of variance λ, where
//! y are the atoms' sums. For cells X and noise Λ, with G = X·N·X' (how many subjects each two cells share), the best
//! linear estimate of one contribution from atom *a* explains the share
//!
//! ```text
//! Lₐₐ = xₐ'·(G + Λ)⁻¹·xₐ      (xₐ: column a of X)
//! ```
//!
//! of its variance: its *leverage* (Hoaglin and Welsch 1978). 1 is exact knowledge. A cell is admitted as long as no atom's
//! exceeds the limit, 0.25 by default: then three quarters of every contribution's variance stay unexplained.
//!
//! **In atom space**, L = X'(G + Λ)⁻¹X. By the inverse of a bordered matrix a further cell x adds k·k'/(x'Nk + λ), where
//! k = x - L·N·x. Of all earlier cells at once, with W = X'Λ⁻¹X and S = N^½·W·N^½, L = N^-½·(1 - (1 + S)⁻¹)·N^-½. An atom
//! that is split has the same leverage in both parts, since no earlier cell told them apart.
//!
//! **Rounding.** A count to fives is off by an error spread evenly over 5: variance 25/12, and no contribution to it is
//! taken to vary by more than 1. A sum to three significant digits is off by a variance of u²/12, where u is at least a
//! thousandth of the sum; if contributions vary no more than their mean, of n subjects that is n²/12,000,000 in units of
//! their variance. What several quantities tell of the same rows adds up, as if they were about the same thing.
//!
//! **Not claimed.** It bounds linear inference under this model. It is not differential privacy: who knows that a value is
//! 0 or 1, or knows other subjects' values, can infer more; correlated contributions are not modelled; a subject with rows
//! in several atoms or tables is bounded in each, not over all. It is what stopped hundreds of subset sums from rebuilding
//! small groups where rules on single cells, pairs and margins did not.

mod atoms;
mod leverage;

use std::collections::BTreeMap;

use crate::{
    history::{Cell, History, Quantity, Versions},
    space::{Facts, Region},
};
use atoms::{Atoms, Observation};
use leverage::Leverage;

/// How much may be known of any one contribution, in thousandths of its variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By all organisations together: 250 by default.
    pub together: u32,
    /// By one organisation, so that none uses up what others need: half of it by default.
    pub organisation: u32,
    /// Most atoms; beyond, no further cell is admitted. 1,024 by default: 8 MiB for each of the two budgets.
    pub atoms: usize,
}

/// A share of a contribution's variance, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

/// A budget whose atoms must be counted first.
#[derive(Debug)]
pub struct Plan {
    limits: Limits,
    atoms: Atoms,
    regions: Vec<Vec<Region>>,
}

/// What is known after all earlier releases, and the new cells that are to be priced.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: Limits,
    together: Leverage,
    organisation: Leverage,
    /// Of each new cell its atoms and precision; `None` where there were too many atoms for it.
    new: Vec<Option<Observation>>,
}

/// Which new cells fit, in their order, and how far the budgets are used up then.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Admission {
    /// Of each new cell.
    pub admitted: Vec<bool>,
    /// The largest leverage of any contribution, all organisations together.
    pub together: Share,
    /// The same, of this organisation.
    pub organisation: Share,
}

/// Why there is no budget: no cell fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Earlier releases make more atoms than are kept.
    #[error("too much was released of these rows to be priced: nothing more fits the information budget")]
    TooManyAtoms,
    /// Not one count for each atom.
    #[error("the counts are not those of the atoms")]
    Counts,
}

impl Default for Limits {
    fn default() -> Self {
        Self { together: 250, organisation: 125, atoms: 1_024 }
    }
}

impl Share {
    /// As a number.
    pub fn value(self) -> f64 {
        self.0
    }

    fn within(self, thousandths: u32) -> bool {
        self.0 <= f64::from(thousandths) / 1_000.0 + TOLERANCE
    }
}

impl Plan {
    /// For new cells of these facts, beside all that was released of them; `organisation` asks. Cells of other facts are
    /// passed over: they share no row with these.
    ///
    /// # Errors
    /// [`BudgetError::TooManyAtoms`].
    pub fn open(
        facts: &Facts,
        history: &History,
        cells: &[Cell],
        organisation: &str,
        current: &Versions,
        limits: Limits,
    ) -> Result<Self, BudgetError> {
        let atoms = Atoms::of(facts, history, cells, organisation, current).ok_or(BudgetError::TooManyAtoms)?;
        let regions = atoms.regions();
        Ok(Self { limits, atoms, regions })
    }

    /// The rows of each atom, as disjoint regions: the subjects of each are to be counted, of the unit with fewest.
    pub fn atoms(&self) -> &[Vec<Region>] {
        &self.regions
    }

    /// The budget, by how many subjects each atom has.
    ///
    /// # Errors
    /// [`BudgetError`].
    pub fn sized(self, subjects: &[u64]) -> Result<Budget, BudgetError> {
        if subjects.len() != self.regions.len() {
            return Err(BudgetError::Counts);
        }
        let settled = self.atoms.settle(subjects, self.limits.atoms).ok_or(BudgetError::TooManyAtoms)?;
        Ok(Budget {
            limits: self.limits,
            together: Leverage::of(&settled.sizes, &settled.together),
            organisation: Leverage::of(&settled.sizes, &settled.organisation),
            new: settled.new,
        })
    }
}

impl Budget {
    /// The largest leverage of any contribution if all new cells left: of all together, and of the organisation.
    pub fn price(&self) -> (Share, Share) {
        let (mut together, mut organisation) = (self.together.clone(), self.organisation.clone());
        for cell in self.new.iter().flatten() {
            together.add(cell);
            organisation.add(cell);
        }
        (Share(together.largest()), Share(organisation.largest()))
    }

    /// Takes the new cells in their order, each that fits beside those taken before it.
    pub fn admit(mut self) -> Admission {
        let mut admitted = Vec::with_capacity(self.new.len());
        for cell in std::mem::take(&mut self.new) {
            let fits = cell.as_ref().is_some_and(|cell| {
                Share(self.together.largest_with(cell)).within(self.limits.together)
                    && Share(self.organisation.largest_with(cell)).within(self.limits.organisation)
            });
            if let Some(cell) = cell.filter(|_| fits) {
                self.together.add(&cell);
                self.organisation.add(&cell);
            }
            admitted.push(fits);
        }
        Admission {
            admitted,
            together: Share(self.together.largest()),
            organisation: Share(self.organisation.largest()),
        }
    }
}

/// One over the variance of a quantity's rounding, in units of a contribution's: of a cell about so many subjects.
pub(crate) fn precision(quantity: &Quantity, subjects: u64) -> f64 {
    match quantity {
        Quantity::Rows | Quantity::Subjects(_) => 12.0 / 25.0,
        Quantity::Sum(_) => 12_000_000.0 / (subjects.max(1) as f64).powi(2),
    }
}

/// By what each quantity of a cell is known.
fn precisions(cell: &Cell) -> BTreeMap<&Quantity, f64> {
    let subjects = cell.subjects.values().copied().min().unwrap_or(1);
    cell.quantities.iter().map(|quantity| (quantity, precision(quantity, subjects))).collect()
}

/// What arithmetic can be off by.
const TOLERANCE: f64 = 1e-9;

#[cfg(test)]
mod tests;

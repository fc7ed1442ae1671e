//! The information budget: how much all released cells together may tell of any one subject.
//!
//! ```text
//! Plan::open(question, history) --Plan::dimensions--> the engine groups rows by classes of bins, and counts subjects
//!     --Plan::sized--> Budget --Budget::admit--> which new cells still fit
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
//! of its variance: its *leverage* (Hoaglin and Welsch 1978). 1 is exact knowledge. A cell is admitted as long as no
//! contribution that it tells more of comes to exceed the limit, 0.25 by default: then three quarters of every
//! contribution's variance stay unexplained.
//!
//! **Atoms are counted, not worked out.** Products of sets of bins make far more atoms than there are subjects, nearly all
//! of them empty. So of each dimension the bins that are in exactly the same sets are one class ([`Plan::dimensions`]), the
//! engine says which groups of classes have rows, and groups that are in the same sets are one atom. Of groups that may
//! share a subject only the largest counts: L falls as any N rises (G grows), so that a count that is too small errs on the
//! safe side, and one that is too large would not.
//!
//! **Solving.** With A = Λ^-½·X·N^½, 1 - L·N is the diagonal of (1 + A'A)⁻¹ where A has as many columns as there are atoms,
//! and L that of X'(G + Λ)⁻¹X where it has as many rows as there are cells: the smaller one is factorised. A further cell x
//! adds k·k'/(x'Nk + λ) to L, where k = x - L·N·x, by the inverse of a bordered matrix. As no leverage exceeds 1/Nₐ, only
//! atoms of fewer subjects than one over the limit are looked at; where there is none, everything fits.
//!
//! **Rounding.** A count to fives is off by an error spread evenly over 5: variance 25/12, and no contribution to it is
//! taken to vary by more than 1. A sum to three significant digits is off by a variance of u²/12, where u is at least a
//! thousandth of the sum; if contributions vary no more than their mean, of n subjects that is n²/12,000,000 in units of
//! their variance. What several quantities tell of the same rows adds up, as if they were about the same thing.
//!
//! **What cannot be counted.** A set that is restricted in a dimension which a question's rows do not have, since it does
//! not make the join, has unknown rows. Nothing useful bounds what such a set tells: of {all of x} and {those of x in
//! commune 7} the difference may be one person, whatever the sizes; leaving it out, or its restriction, understates, and
//! taking each of its parts for known admits nothing. But leverage spreads only through shared subjects: G + Λ falls apart
//! into blocks of sets that are linked by rows. So the set is taken for all rows that it could have, and whatever is linked
//! to it, directly or through other sets, is left out; new cells there are not admitted unless they tell nothing new, and
//! all others are priced exactly.
//!
//! **Not claimed.** It bounds linear inference under this model. It is not differential privacy: who knows that a value is
//! 0 or 1, or knows other subjects' values, can infer more; correlated contributions are not modelled; a subject with rows
//! in several atoms or tables is bounded in each, not over all. Rows of earlier releases that are no longer there are taken
//! to be like those that are. It is what stopped hundreds of subset sums from rebuilding small groups where rules on single
//! cells, pairs and margins did not.

mod atoms;
mod classes;
mod dense;
mod leverage;
mod sets;

use std::collections::{BTreeMap, HashSet};

use crate::{
    history::{Cell, History, Quantity, Versions},
    space::{BinSet, Dimension, Facts},
};
pub(crate) use classes::Partition;

use atoms::Atoms;
use leverage::Leverage;
use sets::{Set, Sets, Told};

/// How much may be known of any one contribution, in thousandths of its variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By all organisations together: 250 by default.
    pub together: u32,
    /// By one organisation, so that none uses up what others need: half of it by default.
    pub organisation: u32,
}

/// A share of a contribution's variance, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

/// What is about to be told, of which rows, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the rows are of. Cells of other facts do not fit: nothing is known of their rows.
    pub facts: &'a Facts,
    /// What is about to be told.
    pub cells: &'a [Cell],
    /// Who asks.
    pub organisation: &'a str,
    /// What is read.
    pub versions: &'a Versions,
}

/// A dimension's bins: those that are in exactly the same sets, released or about to be, are one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// The dimension; that of loads is one of them.
    pub dimension: Dimension,
    /// Disjoint, all bins together.
    pub sets: Vec<BinSet>,
}

/// Rows whose bins are of these classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Of each of [`Plan::dimensions`], in their order, the place of the class.
    pub classes: Vec<u32>,
    /// How many different subjects the rows are about: of the unit with fewest.
    pub subjects: u64,
}

/// A budget whose rows must be counted first.
#[derive(Debug)]
pub struct Plan {
    limits: Limits,
    sets: Sets,
}

/// What is known after all earlier releases, and the new cells that are to be priced.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: Limits,
    together: Leverage,
    organisation: Leverage,
    new: Vec<New>,
}

/// A new cell.
#[derive(Debug, Clone)]
enum New {
    /// Tells what was told already, or of nobody: it fits.
    Nothing,
    /// Its set, its place among those that are priced, and how exactly it tells what was not told of these rows.
    Priced { set: usize, place: usize, tells: BTreeMap<Quantity, f64> },
    /// Shares rows, directly or through other sets, with a set that cannot be counted.
    Uncountable,
    /// Is of other facts, or beyond as many as are priced.
    Elsewhere,
}

/// Which new cells fit, in their order, and how far the budgets are used up then.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Admission {
    /// Of each new cell.
    pub admitted: Vec<bool>,
    /// Of each new cell, whether it was not priced, and therefore not admitted, because it has to do with earlier ones that
    /// cannot be counted.
    pub uncountable: Vec<bool>,
    /// What no contribution's leverage exceeds, all organisations together: the largest one of atoms so small that the
    /// limit matters to them, else one over the subjects of the smallest.
    pub together: Share,
    /// The same, of this organisation.
    pub organisation: Share,
}

/// Why there is no budget: no cell fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Releases make more sets, classes, groups or atoms than are worked out.
    #[error("too much was released of these rows to be priced: nothing more fits the information budget")]
    TooManyAtoms,
    /// A group is not of one class of each dimension.
    #[error("what was counted are not groups of the classes asked for")]
    Counts,
}

impl Default for Limits {
    fn default() -> Self {
        Self { together: 250, organisation: 125 }
    }
}

impl Limits {
    /// The stricter of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { together: self.together.min(other.together), organisation: self.organisation.min(other.organisation) }
    }
}

impl Share {
    /// As a number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Plan {
    /// For the cells of a question, beside all that was released of the same facts. `countable` says of a dimension
    /// whether rows can be grouped by it, which those of loads always can.
    ///
    /// # Errors
    /// [`BudgetError::TooManyAtoms`].
    pub fn open(
        question: Question<'_>,
        history: &History,
        countable: impl Fn(&Dimension) -> bool,
        limits: Limits,
    ) -> Result<Self, BudgetError> {
        let sets = Sets::of(question, history, countable).ok_or(BudgetError::TooManyAtoms)?;
        Ok(Self { limits, sets })
    }

    /// By what rows are to be grouped. A dimension that no set names is none of these.
    pub fn dimensions(&self) -> &[Classes] {
        &self.sets.dimensions
    }

    /// The budget, by the groups that there are: of all rows that are present, whatever the question chooses of them.
    /// `fixed` says of a dimension whether every subject has all its rows in the same class of it, as in attributes of the
    /// subject's own: groups that differ in it have no subject in common, and their subjects add up. Of groups that may
    /// have, only the largest counts.
    ///
    /// # Errors
    /// [`BudgetError`].
    pub fn sized(self, groups: &[Group], fixed: impl Fn(&Dimension) -> bool) -> Result<Budget, BudgetError> {
        let fixed: Vec<bool> = self.sets.dimensions.iter().map(|classes| fixed(&classes.dimension)).collect();
        let atoms = Atoms::of(&self.sets, groups, &fixed)?;
        // As the stricter limit asks: then the same atoms are looked at for both.
        let limit = f64::from(self.limits.together.min(self.limits.organisation)) / 1_000.0;
        let (new, priced) = self.sorted(&atoms, Leverage::most(&atoms, limit));
        let precisions = |told: fn(&Set) -> &BTreeMap<Quantity, Told>| -> Vec<f64> {
            self.sets.all.iter().map(|set| Set::precision(told(set))).collect()
        };
        let leverage = |precisions: &[f64]| Leverage::of(&atoms, precisions, &priced, limit);
        let (all, ours) = (precisions(|set| &set.together), precisions(|set| &set.organisation));
        let together = leverage(&all).ok_or(BudgetError::TooManyAtoms)?;
        let organisation = if ours == all { Some(together.clone()) } else { leverage(&ours) };
        let organisation = organisation.ok_or(BudgetError::TooManyAtoms)?;
        Ok(Budget { limits: self.limits, together, organisation, new })
    }

    /// The new cells, and the sets of those that are priced: the first ones, as many as can be.
    fn sorted(&self, atoms: &Atoms, most: usize) -> (Vec<New>, Vec<usize>) {
        let (mut sorted, mut priced) = (Vec::with_capacity(self.sets.new.len()), Vec::new());
        for new in &self.sets.new {
            let new = new.as_ref().map_or(New::Elsewhere, |(set, tells)| self.state(*set, tells, atoms, priced.len()));
            sorted.push(match new {
                New::Priced { place, .. } if place >= most => New::Elsewhere,
                New::Priced { set, .. } => {
                    priced.push(set);
                    new
                }
                New::Nothing | New::Uncountable | New::Elsewhere => new,
            });
        }
        (sorted, priced)
    }

    /// A new cell of this set that would be priced at this place.
    fn state(&self, set: usize, tells: &BTreeMap<Quantity, f64>, atoms: &Atoms, place: usize) -> New {
        let known = self.sets.all.get(set);
        let told =
            |quantity: &Quantity| known.and_then(|set| set.together.get(quantity)).is_some_and(|told| told.fresh > 0.0);
        let untold = tells.iter().filter(|(quantity, _)| !told(quantity));
        let tells: BTreeMap<Quantity, f64> =
            untold.map(|(quantity, precision)| (quantity.clone(), *precision)).collect();
        if tells.is_empty() {
            New::Nothing
        } else if atoms.uncountable.get(set) != Some(&false) {
            New::Uncountable
        } else if atoms.of_sets.get(set).is_none_or(Vec::is_empty) {
            New::Nothing
        } else {
            New::Priced { set, place, tells }
        }
    }
}

impl Budget {
    /// Takes the new cells in their order, each that fits beside those taken before it.
    pub fn admit(mut self) -> Admission {
        let mut told: HashSet<(usize, Quantity)> = HashSet::new();
        let new = std::mem::take(&mut self.new);
        let uncountable = new.iter().map(|new| matches!(new, New::Uncountable)).collect();
        let admitted = new.into_iter().map(|new| match new {
            New::Nothing => true,
            New::Elsewhere | New::Uncountable => false,
            New::Priced { set, place, mut tells } => {
                tells.retain(|quantity, _| !told.contains(&(set, quantity.clone())));
                let fits = tells.is_empty() || self.take(place, tells.values().sum());
                if fits {
                    told.extend(tells.into_keys().map(|quantity| (set, quantity)));
                }
                fits
            }
        });
        let admitted = admitted.collect();
        Admission {
            admitted,
            uncountable,
            together: Share(self.together.largest()),
            organisation: Share(self.organisation.largest()),
        }
    }

    /// Whether one of the cells that are priced fits: then it is taken.
    fn take(&mut self, place: usize, precision: f64) -> bool {
        let within = |share: f64, limit: u32| share <= f64::from(limit) / 1_000.0 + TOLERANCE;
        let (Some(together), Some(organisation)) =
            (self.together.with(place, precision), self.organisation.with(place, precision))
        else {
            return false;
        };
        let fits =
            within(together.largest, self.limits.together) && within(organisation.largest, self.limits.organisation);
        if fits {
            self.together.add(together);
            self.organisation.add(organisation);
        }
        fits
    }
}

/// One over the variance of a quantity's rounding, in units of a contribution's: of a cell about so many subjects.
fn precision(quantity: &Quantity, subjects: u64) -> f64 {
    match quantity {
        Quantity::Rows | Quantity::Subjects(_) => 12.0 / 25.0,
        Quantity::Sum(_) => 12_000_000.0 / (subjects.max(1) as f64).powi(2),
    }
}

/// By what each quantity of a cell is known.
fn precisions(cell: &Cell) -> BTreeMap<Quantity, f64> {
    let subjects = fewest(cell);
    cell.quantities.iter().map(|quantity| (quantity.clone(), precision(quantity, subjects))).collect()
}

/// λ of all that a cell tells together.
pub(crate) fn error(cell: &Cell) -> f64 {
    let subjects = fewest(cell);
    cell.quantities.iter().map(|quantity| precision(quantity, subjects)).sum::<f64>().recip()
}

fn fewest(cell: &Cell) -> u64 {
    cell.subjects.values().copied().min().unwrap_or(1)
}

/// What arithmetic can be off by.
const TOLERANCE: f64 = 1e-9;

#[cfg(test)]
mod tests;

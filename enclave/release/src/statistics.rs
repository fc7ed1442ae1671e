//! What is counted beside each cell, so that its rules can be judged: of every unit, how much each subject brings.
//!
//! ```text
//! rows of one subject in a cell --the engine sums--> its contribution --Contributions::observe--> the cell's, of one unit
//! partial counts over different subjects --merge--> the cell's
//! ```
//!
//! A contribution is a sum over a subject's rows of what does not cancel: of 1, |x| or x². So contributions to disjoint
//! cells add up, and a subject who brings +1,000 and -1,000 stands out as one who brings 2,000. Dominance rules mean
//! something only of contributions that are not negative (*Handbook on Statistical Disclosure Control*, second edition,
//! 4.2.1, "Negative contributions"); that absolute values stand in their place is our choice, and not the handbook's.
//!
//! Whoever contributes zero is no subject of a quantity: that a sum is of few is no less told because others bring nothing
//! to it. A row contributes one to the number of rows, so that whoever has a row is counted there.
//!
//! Trusts the engine to gather all rows of a subject before it observes them, and to merge only what was counted over
//! different subjects. Floats: what is not a number, and what overflows, becomes infinite, stays so, and fails every rule.

/// Of one cell, one unit and one quantity: how many subjects contribute, and how much of it is whose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contributions {
    subjects: u64,
    largest: f64,
    second: f64,
    total: f64,
}

/// Of one cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CellStatistics {
    /// Of every unit, of every quantity in the question's order; the first is that of all rows.
    pub units: Vec<Vec<Contributions>>,
    /// How many different values there are of each sensitive category that must not be the same for all.
    pub categories: Vec<u64>,
}

impl Contributions {
    /// Of nobody.
    pub const NONE: Self = Self { subjects: 0, largest: 0.0, second: 0.0, total: 0.0 };

    /// As they were counted elsewhere: the inverse of [`Self::parts`].
    pub fn from_parts(subjects: u64, [largest, second, total]: [f64; 3]) -> Self {
        Self { subjects, largest: sound(largest), second: sound(second), total: sound(total) }
    }

    /// How many subjects; the largest contribution, the second largest, and all together.
    pub fn parts(&self) -> (u64, [f64; 3]) {
        (self.subjects, [self.largest, self.second, self.total])
    }

    /// One more subject, with all that it contributes; none, if that is zero.
    pub fn observe(&mut self, contribution: f64) {
        let contribution = sound(contribution);
        let subjects = u64::from(contribution > 0.0);
        self.merge(&Self { subjects, largest: contribution, second: 0.0, total: contribution });
    }

    /// Those of other subjects too.
    pub fn merge(&mut self, other: &Self) {
        self.subjects = self.subjects.saturating_add(other.subjects);
        self.second = self.second.max(other.second).max(self.largest.min(other.largest));
        self.largest = self.largest.max(other.largest);
        self.total = sound(self.total + other.total);
    }

    /// How many subjects.
    pub fn subjects(&self) -> u64 {
        self.subjects
    }

    /// What the one with the most contributes.
    pub fn largest(&self) -> f64 {
        self.largest
    }

    /// What the next one does.
    pub fn second(&self) -> f64 {
        self.second
    }

    /// What all do.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Whether every contribution was a number, and their total.
    pub fn is_sound(&self) -> bool {
        self.total.is_finite()
    }

    /// From parts that may be bounds and not counts; nothing is lower than zero, and no part above the total.
    pub(crate) fn bounded(subjects: u64, largest: f64, second: f64, total: f64) -> Self {
        let total = sound(total.max(0.0));
        let largest = sound(largest).min(total);
        Self { subjects, largest, second: sound(second).min(total - largest).max(0.0), total }
    }
}

impl CellStatistics {
    /// What was counted over other subjects of the same cell. Units and quantities are those of both.
    pub fn merge(&mut self, other: &Self) {
        for (unit, others) in self.units.iter_mut().zip(&other.units) {
            for (quantity, of_others) in unit.iter_mut().zip(others) {
                quantity.merge(of_others);
            }
        }
    }

    /// One unit's contributions of one quantity.
    pub fn of(&self, unit: usize, quantity: usize) -> Option<&Contributions> {
        self.units.get(unit)?.get(quantity)
    }

    /// The subjects of a unit that rows are about.
    pub fn subjects(&self, unit: usize) -> u64 {
        self.of(unit, 0).map_or(0, Contributions::subjects)
    }
}

/// Not a number, nor negative, is as bad as infinite.
fn sound(contribution: f64) -> f64 {
    if contribution >= 0.0 { contribution } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn observed(contributions: &[f64]) -> Contributions {
        let mut all = Contributions::NONE;
        contributions.iter().for_each(|contribution| all.observe(*contribution));
        all
    }

    fn merged(parts: &[&Contributions]) -> Contributions {
        let mut all = Contributions::NONE;
        parts.iter().for_each(|part| all.merge(part));
        all
    }

    // Quarters add up exactly, so that merging can be seen to be associative; other floats add up to the last bit.
    fn quarters() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((0_u32..4_000).prop_map(|quarters| f64::from(quarters) / 4.0), 0..20)
    }

    proptest! {
        #[test]
        fn partial_counts_merge_to_the_whole(one in quarters(), two in quarters(), three in quarters()) {
            let (a, b, c) = (observed(&one), observed(&two), observed(&three));
            let whole = observed(&[one.clone(), two, three].concat());
            prop_assert_eq!(merged(&[&merged(&[&a, &b]), &c]), whole);
            prop_assert_eq!(merged(&[&a, &merged(&[&b, &c])]), whole);
            prop_assert_eq!(merged(&[&c, &b, &a]), whole);
            prop_assert_eq!(merged(&[&a, &Contributions::NONE]), a);
        }

        #[test]
        fn the_largest_two_are_those_of_a_sorted_list(mut values in proptest::collection::vec(0.0_f64..1e12, 0..30)) {
            let made = observed(&values);
            values.sort_by(|one, other| other.total_cmp(one));
            prop_assert_eq!(made.subjects(), values.iter().filter(|value| **value > 0.0).count() as u64);
            prop_assert_eq!(made.largest(), values.first().copied().unwrap_or(0.0));
            prop_assert_eq!(made.second(), values.get(1).copied().unwrap_or(0.0));
            let total: f64 = values.iter().sum();
            prop_assert!((made.total() - total).abs() <= 1e-9 * total);
        }

        #[test]
        fn what_is_no_number_spoils_the_whole_for_good(values in proptest::collection::vec(any::<f64>(), 1..8)) {
            let parts: Vec<f64> = values.iter().map(|value| value.abs()).collect();
            let fine = parts.iter().sum::<f64>().is_finite();
            prop_assert_eq!(merged(&[&observed(&parts), &observed(&[1.0])]).is_sound(), fine);
        }
    }

    #[test]
    fn whoever_brings_nothing_is_no_subject() {
        assert_eq!(observed(&[0.0, 3.0, -0.0]).parts(), (1, [3.0, 0.0, 3.0]));
        assert_eq!(observed(&[0.0; 20]), Contributions::NONE);
    }

    #[test]
    fn a_negative_contribution_is_none() {
        assert!(!observed(&[-1.0]).is_sound());
    }

    #[test]
    fn bounds_are_held_within_the_total() {
        let bounded = Contributions::bounded(4, 90.0, 50.0, 100.0);
        assert_eq!((bounded.largest(), bounded.second(), bounded.total()), (90.0, 10.0, 100.0));
        assert_eq!(Contributions::bounded(0, 5.0, 5.0, -1e-9), Contributions::NONE);
    }
}

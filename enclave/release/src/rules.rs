//! Cell rules: which cells are about too few subjects, or about one of them too much.
//!
//! ```text
//! policies --CellRules::parse, strictest--> CellRules
//! CellStatistics --CellRules::judge--> the rules that a cell breaks: none, and it passes
//! ```
//!
//! - Threshold: fewer than 11 subjects of any unit, or fewer who bring anything to what is told. INSEE releases tax data
//!   on persons from 11 on; that covers ACRO's 10 and the 10 delivery points of French energy data.
//! - (1, 85 %) dominance: the largest contribution above 85 % of the total (INSEE, enterprise data).
//! - (2, 90 %) dominance: the two largest above 90 % (ACRO's default).
//! - p-% rule, p = 10: what is left beside the two largest is under 10 % of the largest, so that the second could
//!   estimate the largest to within 10 % (*Handbook on Statistical Disclosure Control*, second edition, 4.2.1).
//! - Nothing: nobody brings anything to what is told, which is then known of each (ACRO: zeros are disclosive).
//! - Homogeneity, where the policy asks for it: all subjects have the same category.
//!
//! A cell that breaks one loses all its values. The reasons are for the steward's evidence: whoever asks is not told.
//! Does not give: protection from what cells say together (`suppress`, and the audit of earlier answers).

use octroi_proto::wire::v1 as wire;

use crate::statistics::{CellStatistics, Contributions};

/// The rules of a dataset, or of datasets that are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellRules {
    least_subjects: u32,
    largest_share: u32,
    two_largest_share: u32,
    rest_share: u32,
    homogeneity: bool,
}

/// Why rules are not rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Fewer subjects than any policy may allow, or more than a count can be.
    #[error("a cell is about 11 subjects at least: `least_subjects` may only be more, up to 1,000,000")]
    LeastSubjects,
    /// More than any policy may allow.
    #[error("one subject brings 85 percent of a cell at most: `largest_share` may only be less")]
    LargestShare,
    /// More than any policy may allow.
    #[error("two subjects bring 90 percent of a cell at most: `two_largest_share` may only be less")]
    TwoLargestShare,
    /// Less than any policy may allow, or more than any cell has.
    #[error("the rest is 10 percent of the largest at least: `rest_share` may only be more, up to 1,000")]
    RestShare,
}

/// A rule that a cell breaks. For evidence that stewards alone see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broken {
    /// What the rules need was not counted.
    Uncounted,
    /// Fewer subjects than the threshold.
    Threshold {
        /// Place of the unit.
        unit: usize,
    },
    /// A contribution is not a number, or the total overflows.
    Unsound {
        /// Place of the unit.
        unit: usize,
        /// Place of the quantity.
        quantity: usize,
    },
    /// The largest contribution is too much of it.
    Largest {
        /// Place of the unit.
        unit: usize,
        /// Place of the quantity.
        quantity: usize,
    },
    /// The two largest are.
    TwoLargest {
        /// Place of the unit.
        unit: usize,
        /// Place of the quantity.
        quantity: usize,
    },
    /// What is left beside the two largest hides neither from the other.
    Rest {
        /// Place of the unit.
        unit: usize,
        /// Place of the quantity.
        quantity: usize,
    },
    /// Nobody contributes anything: it is known of each.
    Nothing {
        /// Place of the unit.
        unit: usize,
        /// Place of the quantity.
        quantity: usize,
    },
    /// All have the same category.
    Homogeneous {
        /// Place of the category.
        category: usize,
    },
}

/// What is counted in every cell of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    /// How many units.
    pub units: usize,
    /// Of each quantity, in their order, whether one subject must not dominate it: those that the question tells. The
    /// first is that of all rows, counted even where rows are not told, and then not judged.
    pub told: &'a [bool],
    /// How many sensitive categories.
    pub categories: usize,
}

impl Default for CellRules {
    fn default() -> Self {
        Self {
            least_subjects: LEAST_SUBJECTS,
            largest_share: LARGEST_SHARE,
            two_largest_share: TWO_LARGEST_SHARE,
            rest_share: REST_SHARE,
            homogeneity: false,
        }
    }
}

impl CellRules {
    /// Those of a policy: what it leaves out is the default, and nothing may be laxer than that.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn parse(rules: &wire::CellRules) -> Result<Self, RulesError> {
        let or = |given: u32, default: u32| if given == 0 { default } else { given };
        let parsed = Self {
            least_subjects: or(rules.least_subjects, LEAST_SUBJECTS),
            largest_share: or(rules.largest_share, LARGEST_SHARE),
            two_largest_share: or(rules.two_largest_share, TWO_LARGEST_SHARE),
            rest_share: or(rules.rest_share, REST_SHARE),
            homogeneity: rules.homogeneity,
        };
        if !(LEAST_SUBJECTS..=MOST_SUBJECTS).contains(&parsed.least_subjects) {
            return Err(RulesError::LeastSubjects);
        }
        if parsed.largest_share > LARGEST_SHARE {
            return Err(RulesError::LargestShare);
        }
        if parsed.two_largest_share > TWO_LARGEST_SHARE {
            return Err(RulesError::TwoLargestShare);
        }
        if !(REST_SHARE..=MOST_REST).contains(&parsed.rest_share) {
            return Err(RulesError::RestShare);
        }
        Ok(parsed)
    }

    /// Of datasets that are joined: of each rule the strictest. The defaults for none.
    #[must_use]
    pub fn strictest(all: &[Self]) -> Self {
        all.iter().fold(Self::default(), |one, other| Self {
            least_subjects: one.least_subjects.max(other.least_subjects),
            largest_share: one.largest_share.min(other.largest_share),
            two_largest_share: one.two_largest_share.min(other.two_largest_share),
            rest_share: one.rest_share.max(other.rest_share),
            homogeneity: one.homogeneity || other.homogeneity,
        })
    }

    /// The same, with no fewer subjects than so many.
    #[must_use]
    pub fn at_least(self, least_subjects: u32) -> Self {
        Self { least_subjects: self.least_subjects.max(least_subjects), ..self }
    }

    /// Fewest subjects of a cell.
    pub fn least_subjects(&self) -> u32 {
        self.least_subjects
    }

    /// Whether categories must be counted.
    pub fn homogeneity(&self) -> bool {
        self.homogeneity
    }

    /// The rules but for categories, which only cells are counted for.
    #[must_use]
    pub fn without_homogeneity(self) -> Self {
        Self { homogeneity: false, ..self }
    }

    /// The rules that a cell breaks. None for one that passes.
    pub fn judge(&self, statistics: &CellStatistics, counted: Counted<'_>) -> Vec<Broken> {
        let quantities = counted.told.len();
        let complete = counted.units > 0
            && quantities > 0
            && statistics.units.len() == counted.units
            && statistics.units.iter().all(|unit| unit.len() == quantities)
            && (!self.homogeneity || statistics.categories.len() == counted.categories);
        if !complete {
            return vec![Broken::Uncounted];
        }
        let mut broken = Vec::new();
        for (unit, contributions) in statistics.units.iter().enumerate() {
            for (quantity, (of, told)) in contributions.iter().zip(counted.told).enumerate() {
                if of.subjects() < u64::from(self.least_subjects) && (*told || quantity == 0) {
                    broken.push(Broken::Threshold { unit });
                }
                if *told {
                    broken.extend(self.dominance(of, unit, quantity));
                }
            }
        }
        if self.homogeneity {
            let same = statistics.categories.iter().enumerate().filter(|(_, different)| **different < 2);
            broken.extend(same.map(|(category, _)| Broken::Homogeneous { category }));
        }
        broken.dedup();
        broken
    }

    fn dominance(&self, of: &Contributions, unit: usize, quantity: usize) -> Vec<Broken> {
        if !of.is_sound() {
            return vec![Broken::Unsound { unit, quantity }];
        }
        let (largest, second, total) = (of.largest(), of.second(), of.total());
        let share = |percent: u32| total * (f64::from(percent) / 100.0);
        let rules = [
            (largest > share(self.largest_share), Broken::Largest { unit, quantity }),
            (largest + second > share(self.two_largest_share), Broken::TwoLargest { unit, quantity }),
            (total - largest - second < self.rest() * largest, Broken::Rest { unit, quantity }),
            (total <= 0.0, Broken::Nothing { unit, quantity }),
        ];
        rules.into_iter().filter_map(|(breaks, rule)| breaks.then_some(rule)).collect()
    }

    /// By how much, at least, the total of a cell that breaks the rules must stay uncertain, either way: the protection
    /// levels of each rule (the handbook's 4.2.2: what the total would have to be for the rule to hold), and p % of the
    /// total itself, for cells that break the threshold alone.
    pub(crate) fn protection(&self, of: &Contributions) -> f64 {
        let (largest, second, total) = (of.largest(), of.second(), of.total());
        let share = |percent: u32, part: f64| part * 100.0 / f64::from(percent.max(1)) - total;
        [
            self.rest() * largest - (total - largest - second),
            share(self.largest_share, largest),
            share(self.two_largest_share, largest + second),
            self.rest() * total,
        ]
        .into_iter()
        .fold(0.0, f64::max)
    }

    /// The p of the p-% rule, as a share.
    pub(crate) fn rest(&self) -> f64 {
        f64::from(self.rest_share) / 100.0
    }
}

const LEAST_SUBJECTS: u32 = 11;
const MOST_SUBJECTS: u32 = 1_000_000;
const LARGEST_SHARE: u32 = 85;
const TWO_LARGEST_SHARE: u32 = 90;
const REST_SHARE: u32 = 10;
const MOST_REST: u32 = 1_000;

#[cfg(test)]
mod tests;

//! Thresholds and budgets of a policy. None is laxer than its default where that is a rule of the literature.

use std::ops::RangeInclusive;

use crate::{dataset::listed, violation::Check, wire::v1};

/// When a cell loses its values. The defaults are the laxest that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellRules {
    pub(super) least_subjects: u32,
    pub(super) largest_share: u32,
    pub(super) two_largest_share: u32,
    pub(super) rest_share: u32,
    pub(super) homogeneity: bool,
}

/// How much may be known of any one atom, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InformationBudget {
    pub(super) together: u32,
    /// At most `together`.
    pub(super) organisation: u32,
}

/// When an answer is given with noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoiseUse {
    /// What is withheld stays so.
    Never,
    /// What would be withheld is answered so.
    InsteadOfRefusal,
    /// Every answer.
    Only,
}

listed!(NoiseUse, NoiseUse, "`never`, `instead-of-refusal`, `only`", {
    Never = "never",
    InsteadOfRefusal = "instead-of-refusal",
    Only = "only",
});

/// Differential privacy with a budget: epsilons in thousandths, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoisePolicy {
    pub(super) usage: NoiseUse,
    pub(super) question: u32,
    pub(super) organisation: u32,
    pub(super) lifetime: u32,
}

impl CellRules {
    /// Each cell is about at least this many of every unit.
    pub fn least_subjects(&self) -> u32 {
        self.least_subjects
    }

    pub(super) fn parse(check: &mut Check, wire: v1::CellRules) -> Option<Self> {
        let mut within =
            |field, stated, default, range| number(check, &format!("cells.{field}"), stated, default, range);
        let least_subjects = within("least_subjects", wire.least_subjects, 11, 11..=1_000_000);
        let largest_share = within("largest_share", wire.largest_share, 85, 1..=85);
        let two_largest_share = within("two_largest_share", wire.two_largest_share, 90, 1..=90);
        let rest_share = within("rest_share", wire.rest_share, 10, 10..=100);
        Some(Self {
            least_subjects: least_subjects?,
            largest_share: largest_share?,
            two_largest_share: two_largest_share?,
            rest_share: rest_share?,
            homogeneity: wire.homogeneity,
        })
    }
}

impl InformationBudget {
    pub(super) fn parse(check: &mut Check, wire: v1::InformationBudget) -> Option<Self> {
        let together = number(check, "information.together", wire.together, 250, 1..=250)?;
        let half = (together / 2).max(1);
        let organisation = number(check, "information.organisation", wire.organisation, half, 1..=together)?;
        Some(Self { together, organisation })
    }
}

impl NoisePolicy {
    pub(super) fn parse(check: &mut Check, wire: v1::NoisePolicy) -> Option<Self> {
        let usage = check.field("noise.use", NoiseUse::from_wire(wire.r#use));
        let lifetime = number(check, "noise.lifetime", wire.lifetime, 10_000, 1..=20_000);
        let most = lifetime?.min(10_000);
        let organisation = number(check, "noise.organisation", wire.organisation, 3_000, 1..=most);
        let most = organisation?.min(1_000);
        let question = number(check, "noise.question", wire.question, 500, 1..=most);
        Some(Self {
            usage: usage?.unwrap_or(NoiseUse::Never),
            question: question?,
            organisation: organisation?,
            lifetime: lifetime?,
        })
    }
}

/// A number that is left out, 0 on the wire, is the default; which must be in range as well, since others bound it.
pub(super) fn number(
    check: &mut Check,
    at: &str,
    stated: u32,
    default: u32,
    range: RangeInclusive<u32>,
) -> Option<u32> {
    let number = if stated == 0 { default } else { stated };
    if range.contains(&number) {
        return Some(number);
    }
    let (least, most) = range.into_inner();
    check.refuse(at, format!("must be {least}-{most}; {default} if it is left out"));
    None
}

impl From<&CellRules> for v1::CellRules {
    fn from(it: &CellRules) -> Self {
        Self {
            least_subjects: it.least_subjects,
            largest_share: it.largest_share,
            two_largest_share: it.two_largest_share,
            rest_share: it.rest_share,
            homogeneity: it.homogeneity,
        }
    }
}

impl From<&InformationBudget> for v1::InformationBudget {
    fn from(it: &InformationBudget) -> Self {
        Self { together: it.together, organisation: it.organisation }
    }
}

impl From<&NoisePolicy> for v1::NoisePolicy {
    fn from(it: &NoisePolicy) -> Self {
        Self {
            r#use: it.usage.to_wire().into(),
            question: it.question,
            organisation: it.organisation,
            lifetime: it.lifetime,
        }
    }
}

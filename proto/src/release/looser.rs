//! What a policy lets out that the one before did not: a steward, a second person and an auditor read it at a glance.
//!
//! The comparison errs on the side of `looser`: an exchange of one role for another counts as such whichever they are.

use std::fmt;

use super::{Dimension, Measure, NoisePolicy, NoiseUse, ReleasePolicy, Role, TablePolicy};
use crate::ColumnName;

/// Something that is looser than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loosening {
    /// The field.
    pub at: String,
    /// In which way.
    pub way: Way,
}

/// A way to be looser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A table may be asked that might not.
    Asked,
    /// What was released about the subjects before no longer counts with what will be.
    Recounted,
    /// A column has a role, or another one.
    Role,
    /// Bins lie apart that lay together.
    Finer,
    /// A set of values may be named that might not.
    Grouped,
    /// It may be answered with noise.
    Noisy,
    /// It may be joined to more.
    Joined,
    /// A threshold is laxer.
    Threshold,
    /// A budget is larger.
    Budget,
    /// What was withheld is answered.
    Answered,
}

impl ReleasePolicy {
    /// In what it is looser than the policy before it; none before means that nothing might be asked.
    pub fn looser_than(&self, before: Option<&Self>) -> Vec<Loosening> {
        let mut found = Found::default();
        for (name, table) in &self.tables {
            let at = format!("tables[{name}]");
            match before.and_then(|before| before.tables.get(name)) {
                Some(before) => table.compare(&at, before, &mut found),
                None => found.note(&at, Way::Asked, true),
            }
        }
        if let Some(before) = before {
            self.compare_rules(before, &mut found);
        }
        found.0
    }

    fn compare_rules(&self, before: &Self, found: &mut Found) {
        let (cells, old) = (&self.cells, &before.cells);
        for (field, laxer) in [
            ("least_subjects", cells.least_subjects < old.least_subjects),
            ("largest_share", cells.largest_share > old.largest_share),
            ("two_largest_share", cells.two_largest_share > old.two_largest_share),
            ("rest_share", cells.rest_share < old.rest_share),
            ("homogeneity", old.homogeneity && !cells.homogeneity),
        ] {
            found.note(&format!("cells.{field}"), Way::Threshold, laxer);
        }
        let (information, old) = (&self.information, &before.information);
        found.note("information.together", Way::Budget, information.together > old.together);
        found.note("information.organisation", Way::Budget, information.organisation > old.organisation);
        self.noise.compare(&before.noise, found);
    }
}

impl TablePolicy {
    fn compare(&self, at: &str, before: &Self, found: &mut Found) {
        found.note(&format!("{at}.units"), Way::Recounted, self.units != before.units);
        for (name, role) in &self.columns {
            role.compare(&column(at, name), before.columns.get(name), found);
        }
    }
}

impl Role {
    fn compare(&self, at: &str, before: Option<&Self>, found: &mut Found) {
        match (self, before) {
            (Self::Identifier, Some(_)) | (Self::Category, Some(Self::Category)) => {}
            (Self::Dimension(now), Some(Self::Dimension(old))) => now.compare(at, old, found),
            (Self::Measure(now), Some(Self::Measure(old))) => now.compare(at, old, found),
            (Self::JoinKey(now), Some(Self::JoinKey(old))) => found.note(at, Way::Joined, !now.is_subset(old)),
            (Self::Identifier | Self::Dimension(_) | Self::Measure(_) | Self::Category | Self::JoinKey(_), _) => {
                found.note(at, Way::Role, true);
            }
        }
    }
}

impl Dimension {
    fn compare(&self, at: &str, before: &Self, found: &mut Found) {
        found.note(at, Way::Finer, self.bins.finer_than(&before.bins));
        let known = self.groups.values().all(|values| before.groups.values().any(|old| old == values));
        found.note(&format!("{at}.groups"), Way::Grouped, !known);
    }
}

impl Measure {
    fn compare(&self, at: &str, before: &Self, found: &mut Found) {
        let known = self.points.iter().all(|point| before.points.contains(point));
        found.note(&format!("{at}.points"), Way::Finer, !known);
        // Clamps of whatever width are held to one and the same epsilon.
        found.note(at, Way::Noisy, self.clamps.is_some() && before.clamps.is_none());
    }
}

impl NoisePolicy {
    fn compare(&self, before: &Self, found: &mut Found) {
        let answered = match (before.usage, self.usage) {
            (NoiseUse::Never | NoiseUse::Only, now) => now != before.usage,
            // Exact answers stay or go, and none comes.
            (NoiseUse::InsteadOfRefusal, NoiseUse::Never | NoiseUse::InsteadOfRefusal | NoiseUse::Only) => false,
        };
        found.note("noise.use", Way::Answered, answered);
        found.note("noise.question", Way::Budget, self.question > before.question);
        found.note("noise.organisation", Way::Budget, self.organisation > before.organisation);
        found.note("noise.lifetime", Way::Budget, self.lifetime > before.lifetime);
    }
}

#[derive(Default)]
struct Found(Vec<Loosening>);

impl Found {
    fn note(&mut self, at: &str, way: Way, so: bool) {
        if so {
            self.0.push(Loosening { at: at.to_owned(), way });
        }
    }
}

fn column(at: &str, name: &ColumnName) -> String {
    format!("{at}.columns[{name}]")
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.way)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "may be asked",
            Self::Recounted => "other units or spaces: what was released before counts no longer with what will be",
            Self::Role => "a new role",
            Self::Finer => "finer bins",
            Self::Grouped => "more groups",
            Self::Noisy => "clamps, so it may be answered with noise",
            Self::Joined => "may be joined to more",
            Self::Threshold => "a laxer threshold",
            Self::Budget => "a larger budget",
            Self::Answered => "answers what was withheld",
        })
    }
}

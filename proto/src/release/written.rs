//! A release policy as people write it, in TOML or JSON: one line a column, words where the wire has numbers.
//!
//! ```toml
//! [[tables]]
//! name = "flights"
//! units = [{ column = "tailnum", space = "aircraft" }]
//! columns = [
//!   { name = "tailnum", role = "identifier" },
//!   { name = "origin", role = "dimension", groups = [{ name = "New York", values = ["JFK", "LGA"] }] },
//!   { name = "day", role = "dimension", calendar = { from = "2013-01-01", to = "2014-01-01", period = "day" } },
//!   { name = "distance", role = "measure", low = 0, high = 5000 },
//! ]
//!
//! [noise]
//! use = "instead-of-refusal"
//! ```

use serde::Deserialize;

use super::NoiseUse;
use crate::{
    Violations,
    table::place,
    violation::Check,
    wire::v1::{self, column_policy::Role as WireRole, dimension::Bins as WireBins},
};

/// A policy as it is written. A key that is none is refused where it is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPolicy {
    #[serde(default)]
    tables: Vec<WrittenTable>,
    #[serde(default)]
    cells: WrittenCells,
    #[serde(default)]
    information: WrittenInformation,
    #[serde(default)]
    noise: WrittenNoise,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    name: String,
    #[serde(default)]
    units: Vec<WrittenUnit>,
    columns: Vec<WrittenColumn>,
    noise_rows: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUnit {
    column: String,
    space: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    name: String,
    role: String,
    cuts: Option<Vec<WrittenValue>>,
    calendar: Option<WrittenCalendar>,
    groups: Option<Vec<WrittenGroup>>,
    low: Option<f64>,
    high: Option<f64>,
    points: Option<Vec<f64>>,
    to: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum WrittenValue {
    Integer(i64),
    Float(f64),
    String(String),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCalendar {
    from: String,
    to: String,
    period: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGroup {
    name: String,
    values: Vec<WrittenValue>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenCells {
    least_subjects: Option<u32>,
    largest_share: Option<u32>,
    two_largest_share: Option<u32>,
    rest_share: Option<u32>,
    homogeneity: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenInformation {
    together: Option<u32>,
    organisation: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenNoise {
    r#use: Option<String>,
    question: Option<u32>,
    organisation: Option<u32>,
    lifetime: Option<u32>,
}

impl WrittenPolicy {
    /// The policy on the wire, for this dataset. What is wrong with it but for its words is left to whoever parses
    /// that.
    ///
    /// # Errors
    /// Words that are on no list, and keys that do not go with a role, each by the key it is under.
    pub fn into_wire(self, dataset: &str) -> Result<v1::ReleasePolicy, Violations> {
        let mut check = Check::default();
        let tables = (0..).zip(self.tables).map(|(index, table)| {
            let at = place("tables", index, &table.name);
            table.into_wire(&mut check, &at)
        });
        let tables = tables.collect();
        let policy = v1::ReleasePolicy {
            dataset: dataset.to_owned(),
            revision: 0,
            tables,
            cells: Some(self.cells.into_wire(&mut check)),
            information: Some(self.information.into_wire(&mut check)),
            noise: Some(self.noise.into_wire(&mut check)),
        };
        check.finish(Some(policy))
    }
}

impl WrittenTable {
    fn into_wire(self, check: &mut Check, at: &str) -> v1::TablePolicy {
        let columns = (0..).zip(self.columns).map(|(index, column)| {
            let place = place(&format!("{at}.columns"), index, &column.name);
            column.into_wire(check, &place)
        });
        let columns = columns.collect();
        let unit = |unit: WrittenUnit| v1::Unit { column: unit.column, space: unit.space };
        let noise_rows = stated(check, &format!("{at}.noise_rows"), self.noise_rows);
        v1::TablePolicy { table: self.name, units: self.units.into_iter().map(unit).collect(), columns, noise_rows }
    }
}

impl WrittenColumn {
    fn into_wire(self, check: &mut Check, at: &str) -> v1::ColumnPolicy {
        let keys: &[&str] = match self.role.as_str() {
            "identifier" | "category" => &[],
            "dimension" => &["cuts", "calendar", "groups"],
            "measure" => &["low", "high", "points"],
            "join-key" => &["to"],
            _ => {
                check.refuse(
                    format!("{at}.role"),
                    "must be one of `identifier`, `dimension`, `measure`, `category`, `join-key`",
                );
                return v1::ColumnPolicy { column: self.name, role: None };
            }
        };
        for key in self.given().into_iter().filter(|key| !keys.contains(key)) {
            check.refuse(format!("{at}.{key}"), "does not go with this role: leave it out");
        }
        if self.cuts.is_some() && self.calendar.is_some() {
            check.refuse(format!("{at}.calendar"), "is instead of `cuts`: leave one of them out");
        }
        let role = match self.role.as_str() {
            "identifier" => WireRole::Identifier(v1::Identifier {}),
            "category" => WireRole::Category(v1::Category {}),
            "join-key" => WireRole::JoinKey(v1::JoinKey { to: self.to.unwrap_or_default() }),
            "measure" => {
                let points = self.points.unwrap_or_default();
                WireRole::Measure(v1::Measure { low: self.low, high: self.high, points })
            }
            _ => WireRole::Dimension(dimension(self.cuts, self.calendar, self.groups)),
        };
        v1::ColumnPolicy { column: self.name, role: Some(role) }
    }

    /// The keys that go with some role alone, as far as they are there.
    fn given(&self) -> Vec<&'static str> {
        let keys = [
            ("cuts", self.cuts.is_some()),
            ("calendar", self.calendar.is_some()),
            ("groups", self.groups.is_some()),
            ("low", self.low.is_some()),
            ("high", self.high.is_some()),
            ("points", self.points.is_some()),
            ("to", self.to.is_some()),
        ];
        keys.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }
}

/// Without cuts and without a calendar its values are those of the schema's domain.
fn dimension(
    cuts: Option<Vec<WrittenValue>>,
    calendar: Option<WrittenCalendar>,
    groups: Option<Vec<WrittenGroup>>,
) -> v1::Dimension {
    let bins = match (cuts, calendar) {
        (Some(cuts), _) => WireBins::Cuts(v1::Cuts { points: texts(cuts) }),
        (None, Some(it)) => WireBins::Calendar(v1::Calendar { from: it.from, to: it.to, period: it.period }),
        (None, None) => WireBins::Listed(v1::Listed {}),
    };
    let group = |group: WrittenGroup| v1::Group { name: group.name, values: texts(group.values) };
    v1::Dimension { bins: Some(bins), groups: groups.unwrap_or_default().into_iter().map(group).collect() }
}

fn texts(values: Vec<WrittenValue>) -> Vec<String> {
    let text = |value| match value {
        WrittenValue::Integer(number) => number.to_string(),
        WrittenValue::Float(number) => number.to_string(),
        WrittenValue::String(text) => text,
    };
    values.into_iter().map(text).collect()
}

impl WrittenCells {
    fn into_wire(self, check: &mut Check) -> v1::CellRules {
        v1::CellRules {
            least_subjects: stated(check, "cells.least_subjects", self.least_subjects),
            largest_share: stated(check, "cells.largest_share", self.largest_share),
            two_largest_share: stated(check, "cells.two_largest_share", self.two_largest_share),
            rest_share: stated(check, "cells.rest_share", self.rest_share),
            homogeneity: self.homogeneity,
        }
    }
}

impl WrittenInformation {
    fn into_wire(self, check: &mut Check) -> v1::InformationBudget {
        v1::InformationBudget {
            together: stated(check, "information.together", self.together),
            organisation: stated(check, "information.organisation", self.organisation),
        }
    }
}

impl WrittenNoise {
    fn into_wire(self, check: &mut Check) -> v1::NoisePolicy {
        let usage = self.r#use.and_then(|word| check.field("noise.use", word.parse::<NoiseUse>()));
        v1::NoisePolicy {
            r#use: usage.map_or(0, |usage| usage.to_wire().into()),
            question: stated(check, "noise.question", self.question),
            organisation: stated(check, "noise.organisation", self.organisation),
            lifetime: stated(check, "noise.lifetime", self.lifetime),
        }
    }
}

/// On the wire a 0 is the default, which may be laxer than what is meant by a 0 here.
fn stated(check: &mut Check, at: &str, number: Option<u32>) -> u32 {
    if number == Some(0) {
        check.refuse(at, "must be at least 1: leave it out for the default");
    }
    number.unwrap_or_default()
}

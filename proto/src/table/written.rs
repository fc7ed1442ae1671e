//! A schema as people write it, in TOML or JSON: words where the wire has numbers.
//!
//! ```toml
//! isolation = "vm"
//!
//! [[tables]]
//! name = "flights"
//! subjects = ["tailnum"]
//! columns = [
//!   { name = "tailnum", type = "string" },
//!   { name = "dep_delay", type = "float", nullable = true },
//!   { name = "origin", type = "string", domain = ["EWR", "JFK", "LGA"] },
//! ]
//!
//! [[tables]]
//! name = "weather"
//! public = true
//! columns = [{ name = "day", type = "date" }, { name = "temperature", type = "float" }]
//! ```

use std::{fmt::Display, str::FromStr};

use serde::Deserialize;

use super::{ColumnType, Isolation, place};
use crate::{Violations, violation::Check, wire::v1};

/// A schema as it is written. A key that is none is refused where it is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSchema {
    isolation: Option<String>,
    tables: Vec<WrittenTable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    name: String,
    columns: Vec<WrittenColumn>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    public: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    name: String,
    r#type: String,
    #[serde(default)]
    nullable: bool,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    domain: Vec<WrittenValue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum WrittenValue {
    Integer(i64),
    String(String),
}

impl WrittenSchema {
    /// The schema on the wire, for this dataset. What is wrong with it but for its words is left to whoever parses
    /// that.
    ///
    /// # Errors
    /// Words that are on no list, each by the key it is under.
    pub fn into_wire(self, dataset: &str) -> Result<v1::DatasetSchema, Violations> {
        let mut check = Check::default();
        let isolation = self.isolation.as_deref().map(|word| word_of::<Isolation>(&mut check, "isolation", word));
        let tables = (0..)
            .zip(self.tables)
            .map(|(index, table)| {
                let at = place("tables", index, &table.name);
                table.into_wire(&mut check, &at)
            })
            .collect();
        let schema = v1::DatasetSchema {
            dataset: dataset.to_owned(),
            revision: 0,
            tables,
            isolation: isolation.flatten().map_or(0, |isolation| isolation.to_wire().into()),
        };
        check.finish(Some(schema))
    }
}

impl WrittenTable {
    fn into_wire(self, check: &mut Check, at: &str) -> v1::TableSchema {
        let columns = (0..).zip(self.columns).map(|(index, column)| {
            let place = place(&format!("{at}.columns"), index, &column.name);
            column.into_wire(check, &place)
        });
        let columns = columns.collect();
        v1::TableSchema { name: self.name, columns, subjects: self.subjects, public: self.public }
    }
}

impl WrittenColumn {
    fn into_wire(self, check: &mut Check, at: &str) -> v1::Column {
        let kind = word_of::<ColumnType>(check, &format!("{at}.type"), &self.r#type);
        let text = |value| match value {
            WrittenValue::Integer(number) => number.to_string(),
            WrittenValue::String(text) => text,
        };
        v1::Column {
            name: self.name,
            r#type: kind.map_or(0, |kind| kind.to_wire().into()),
            nullable: self.nullable,
            hidden: self.hidden,
            domain: self.domain.into_iter().map(text).collect(),
        }
    }
}

fn word_of<T: FromStr<Err: Display>>(check: &mut Check, at: &str, word: &str) -> Option<T> {
    check.field(at, word.parse().map_err(|problem: T::Err| problem.to_string()))
}

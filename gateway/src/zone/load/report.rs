//! What a zone says of rows: counts by rule, row numbers and declared columns, and nothing in which a value could hide
//! but numbers.

use std::{collections::BTreeMap, fmt::Write as _};

use octroi_proto::{TableSchema, wire::v1};

/// A report whose words are all of fixed lists or of the schema. For the dataset's steward.
#[derive(Debug, Clone, PartialEq)]
pub struct Report(v1::LoadReport);

impl Report {
    /// A report from a zone; `None` if it says what no report says.
    pub(super) fn parse(wire: v1::LoadReport, schema: &TableSchema) -> Option<Self> {
        let column = |name: &str| name.is_empty() || schema.columns().iter().any(|it| it.name.as_str() == name);
        let shown = |bad: &v1::BadRow| RULES.contains(&bad.rule.as_str()) && bad.row > 0 && column(&bad.column);
        let counted = |(rule, count): (&String, &u64)| RULES.contains(&rule.as_str()) && *count > 0;
        let listed = wire.first_bad_rows.len() <= MOST_SHOWN && wire.first_bad_rows.iter().all(shown);
        let rules = wire.bad_by_rule.iter().all(counted);
        // No bad row without a rule that it broke, and none shown that was not counted.
        let agree = (wire.bad_rows == 0) == wire.bad_by_rule.is_empty()
            && (wire.bad_rows > 0 || wire.first_bad_rows.is_empty());
        let failed = wire.failure.is_empty() || sentence_of(&wire.failure).is_some();
        let ended = wire.failure.is_empty() == (wire.rows > 0);
        (listed && rules && agree && failed && ended && wire.version == 0).then_some(Self(wire))
    }

    /// Rows written.
    pub fn rows(&self) -> u64 {
        self.0.rows
    }

    /// The report of a load that is committed.
    pub(super) fn told(self, version: u64) -> v1::LoadReport {
        v1::LoadReport { version, ..self.0 }
    }

    /// Why nothing was written, in a sentence that says what to do.
    pub fn sentence(&self) -> String {
        let mut text = sentence_of(&self.0.failure).unwrap_or("no row was written").to_owned();
        if self.0.bad_rows > 0 {
            let _infallible = write!(text, "; {} bad rows ({})", self.0.bad_rows, counts(&self.0.bad_by_rule));
        }
        if let Some(first) = self.0.first_bad_rows.first() {
            let _infallible = write!(text, ", among them row {}: `{}`", first.row, first.rule);
            if !first.column.is_empty() {
                let _infallible = write!(text, " in `{}`", first.column);
            }
        }
        text
    }
}

fn counts(by_rule: &BTreeMap<String, u64>) -> String {
    by_rule.iter().map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>().join(", ")
}

fn sentence_of(failure: &str) -> Option<&'static str> {
    FAILURES.iter().find(|(word, _)| *word == failure).map(|(_, sentence)| *sentence)
}

/// What can be wrong with a row.
const RULES: [&str; 6] = ["columns", "domain", "length", "missing", "syntax", "type"];

/// Why nothing is written, and what to do.
const FAILURES: [(&str, &str); 9] = [
    ("not_age", "must be an age file: seal the rows to the dataset's ingest key"),
    ("wrong_key", "must be sealed to the dataset's ingest key: fetch that key and seal the rows again"),
    ("damaged", "must be a whole age file: it ends early or was changed; send it again"),
    ("not_csv", "must hold CSV in UTF-8 (RFC 4180)"),
    ("not_parquet", "must hold Parquet"),
    ("header", "must have the columns that the schema declares, and no others"),
    ("too_deep", "must be flat: values are not nested"),
    ("too_large", "must be smaller, also once it is decompressed: load the rows in parts"),
    ("no_valid_row", "must have a valid row"),
];

const MOST_SHOWN: usize = 1_000;

//! What a steward is told of what was sent: rules, row numbers, columns, and never a value.

use std::collections::BTreeMap;

use octroi_proto::wire::{v1, zone};

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    NotAge,
    WrongKey,
    /// The age file ends early, or a chunk of it was changed.
    Damaged,
    NotCsv,
    NotParquet,
    /// Columns are missing, unknown or doubled, or of a type that does not fit.
    Header,
    TooDeep,
    TooLarge,
    NoValidRow,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Columns,
    Domain,
    Length,
    Missing,
    Syntax,
    Type,
}

/// Counts bad rows.
#[derive(Debug, Default)]
pub(super) struct Report {
    bad_rows: u64,
    by_rule: BTreeMap<Rule, u64>,
    first: Vec<(Rule, u64, String)>,
}

impl Failure {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotAge => "not_age",
            Self::WrongKey => "wrong_key",
            Self::Damaged => "damaged",
            Self::NotCsv => "not_csv",
            Self::NotParquet => "not_parquet",
            Self::Header => "header",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::NoValidRow => "no_valid_row",
        }
    }

    /// Told without any row.
    pub(super) fn alone(self) -> zone::Loaded {
        zone::Loaded { report: Some(Report::default().told(0, Some(self))), file: None }
    }
}

impl Rule {
    fn as_str(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Domain => "domain",
            Self::Length => "length",
            Self::Missing => "missing",
            Self::Syntax => "syntax",
            Self::Type => "type",
        }
    }
}

impl Report {
    /// A row is left out, for these reasons; a column where it is one.
    pub(super) fn bad<'a>(&mut self, row: u64, broken: impl IntoIterator<Item = (Rule, &'a str)>) {
        self.bad_rows = self.bad_rows.saturating_add(1);
        for (rule, column) in broken {
            let count = self.by_rule.entry(rule).or_default();
            *count = count.saturating_add(1);
            if self.first.len() < MOST_SHOWN {
                self.first.push((rule, row, column.to_owned()));
            }
        }
    }

    pub(super) fn told(mut self, rows: u64, failure: Option<Failure>) -> v1::LoadReport {
        self.first.sort_by(|one, other| (one.0.as_str(), one.1).cmp(&(other.0.as_str(), other.1)));
        let shown =
            |(rule, row, column): (Rule, u64, String)| v1::BadRow { rule: rule.as_str().to_owned(), row, column };
        v1::LoadReport {
            rows,
            bad_rows: self.bad_rows,
            first_bad_rows: self.first.into_iter().map(shown).collect(),
            bad_by_rule: self.by_rule.into_iter().map(|(rule, count)| (rule.as_str().to_owned(), count)).collect(),
            version: 0,
            failure: failure.map_or_else(String::new, |failure| failure.as_str().to_owned()),
        }
    }
}

const MOST_SHOWN: usize = 1_000;

//! Why a question may not be asked, where, and what may be asked in its place. Says nothing of data, and names no column
//! that the question does not name.

use std::fmt;

use crate::{calendar::Period, judge::Rejection};

/// A refusal that explains itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{place}: {offence}{}", instead.as_ref().map(|instead| format!("; {instead}")).unwrap_or_default())]
pub struct Objection {
    /// What is refused.
    pub offence: Offence,
    /// Where in the question.
    pub place: Place,
    /// The nearest form that is allowed, where there is one.
    pub instead: Option<Instead>,
}

/// A part of a question; numbers from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Question,
    /// A table.
    Scan(usize),
    /// A join, in the order of the tables.
    Join(usize),
    /// One of the conditions that AND joins, in WHERE, ON or JOIN.
    Where(usize),
    /// A key of GROUP BY.
    Key(usize),
    /// An aggregate.
    Aggregate(usize),
    /// One of the conditions of an aggregate's FILTER or CASE.
    Filter(usize),
}

/// What is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Offence {
    /// As the first check refuses it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A table that no policy is about.
    #[error("`{table}` has no release policy: its steward must declare one before it can be asked")]
    NoPolicy {
        /// The table.
        table: String,
    },
    /// A column without a role.
    #[error("`{column}` may not be named in a question")]
    NoRole {
        /// The column.
        column: String,
    },
    /// A column used for what its role does not allow.
    #[error("`{column}` is {role}, and {use_}")]
    Role {
        /// The column.
        column: String,
        /// What it is, with its article.
        role: &'static str,
        /// What may not be done with it.
        use_: &'static str,
    },
    /// A construct that is not for this place.
    #[error("{construct} is not allowed here")]
    Construct {
        /// What was written.
        construct: &'static str,
    },
    /// A condition over several columns.
    #[error("a condition is about one column")]
    SeveralColumns,
    /// A condition or key over none.
    #[error("no column is named")]
    NoColumn,
    /// What holds for a part of a declared bin.
    #[error("the declared bins of `{column}` would be split")]
    SplitsBins {
        /// The column.
        column: String,
    },
    /// A choice of bins that is neither one value, a declared group nor one range.
    #[error("these values of `{column}` are no declared choice")]
    NoChoice {
        /// The column.
        column: String,
    },
    /// A condition that holds for nothing that is declared.
    #[error("no declared value of `{column}` is meant")]
    Nothing {
        /// The column.
        column: String,
    },
    /// A join that could multiply rows.
    #[error("this join is on no declared join key, so that a row could have several partners")]
    JoinKey,
    /// An outer join of another form.
    #[error("an outer join of this form is not allowed")]
    OuterJoin,
    /// A condition on a sensitive column of another form than one to be counted.
    #[error("a condition on the sensitive `{column}` is `=` with one value, or IS NULL")]
    SensitiveForm {
        /// The column.
        column: String,
    },
    /// Conditions on two sensitive columns.
    #[error("conditions on two sensitive columns, one of them `{column}`, are not counted together")]
    TwoSensitive {
        /// The column.
        column: String,
    },
    /// An aggregate of a sensitive condition's rows.
    #[error("beside a condition on the sensitive `{column}` only rows and subjects may be counted")]
    SensitiveCondition {
        /// The column.
        column: String,
    },
}

/// The nearest form that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// The condition left out.
    LeaveOut,
    /// Conditions on each column, with AND.
    EachColumn,
    /// One value, or all values of a declared group.
    ValueOrGroup {
        /// The column.
        column: String,
    },
    /// A range whose ends are declared points.
    RangeOfPoints {
        /// The column.
        column: String,
    },
    /// A range from the start of a period up to the start of another.
    RangeOfPeriods {
        /// The column.
        column: String,
        /// The period.
        period: Period,
    },
    /// Grouped by.
    GroupBy {
        /// The column.
        column: String,
    },
    /// Grouped by its declared bins.
    GroupByBin {
        /// The column.
        column: String,
    },
    /// Grouped by its periods.
    GroupByPeriod {
        /// The column.
        column: String,
        /// The shortest.
        period: Period,
    },
    /// Counted in each group.
    CountFilter {
        /// The column.
        column: String,
    },
    /// Aggregated, which leaves missing values out.
    Aggregate {
        /// The column.
        column: String,
    },
    /// All rows counted.
    CountRows,
    /// Different subjects counted.
    CountDistinct {
        /// The column.
        column: String,
    },
    /// A measure by itself.
    OneMeasure,
    /// A condition in FILTER, of the same forms as in WHERE.
    Filter,
    /// A join from the table that has a declared key to the one that it leads to.
    JoinByKey,
    /// LEFT JOIN of one table, with its conditions in WHERE.
    LeftJoin,
}

impl Objection {
    pub(super) fn new(offence: impl Into<Offence>, place: Place) -> Self {
        Self { offence: offence.into(), place, instead: None }
    }

    /// The column that it is about, if it is about one.
    pub fn column(&self) -> Option<&str> {
        match &self.offence {
            Offence::NoRole { column }
            | Offence::Role { column, .. }
            | Offence::SplitsBins { column }
            | Offence::NoChoice { column }
            | Offence::Nothing { column }
            | Offence::SensitiveForm { column }
            | Offence::TwoSensitive { column }
            | Offence::SensitiveCondition { column }
            | Offence::Rejected(Rejection::Hidden { column }) => Some(column),
            Offence::Rejected(_)
            | Offence::NoPolicy { .. }
            | Offence::Construct { .. }
            | Offence::SeveralColumns
            | Offence::NoColumn
            | Offence::JoinKey
            | Offence::OuterJoin => None,
        }
    }

    pub(super) fn instead(self, instead: Instead) -> Self {
        Self { instead: Some(instead), ..self }
    }
}

impl From<Rejection> for Objection {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection, Place::Question)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question => f.write_str("in the question"),
            Self::Scan(number) => write!(f, "in table {}", number + 1),
            Self::Join(number) => write!(f, "in join {}", number + 1),
            Self::Where(number) => write!(f, "in condition {}", number + 1),
            Self::Key(number) => write!(f, "in key {} of GROUP BY", number + 1),
            Self::Aggregate(number) => write!(f, "in aggregate {}", number + 1),
            Self::Filter(number) => write!(f, "in the condition of aggregate {}", number + 1),
        }
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaveOut => f.write_str("leave the condition out"),
            Self::EachColumn => f.write_str("write a condition for each column and join them with AND"),
            Self::ValueOrGroup { column } => {
                write!(f, "write `{column} = ...`, or IN with all values of a declared group")
            }
            Self::RangeOfPoints { column } => {
                write!(f, "write `{column} >= ... AND {column} < ...` with declared points, or one of the two")
            }
            Self::RangeOfPeriods { column, period } => {
                let period = period.name();
                write!(f, "write `{column} >= ... AND {column} < ...`, each from the start of a {period}")
            }
            Self::GroupBy { column } => write!(f, "group by `{column}` and read the keys that interest you"),
            Self::GroupByBin { column } => write!(f, "group by `bin({column})`"),
            Self::GroupByPeriod { column, period } => {
                write!(f, "group by `date_trunc('{}', {column})` or a longer period", period.name())
            }
            Self::CountFilter { column } => write!(f, "write `COUNT(*) FILTER (WHERE {column} = ...)`"),
            Self::Aggregate { column } => {
                write!(f, "aggregate `{column}`: missing values are left out of it by themselves")
            }
            Self::CountRows => f.write_str("write COUNT(*)"),
            Self::CountDistinct { column } => write!(f, "write `COUNT(DISTINCT {column})`"),
            Self::OneMeasure => f.write_str("aggregate a measure by itself, and compute with the released values"),
            Self::Filter => f.write_str("write FILTER (WHERE ...) with a condition that WHERE allows"),
            Self::JoinByKey => f.write_str("join a declared join key with the key of the table that it leads to"),
            Self::LeftJoin => f.write_str("write LEFT JOIN of one table by itself, and its conditions in WHERE"),
        }
    }
}

//! Bins of a public column: however rows are chosen and grouped, it is by unions of these.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::civil::{Date, Weekday};

use super::{MOST_PERIODS, MOST_POINTS};
use crate::{ColumnType, dataset::NotListed, wire::v1};

/// How a dimension's values are cut into bins.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins {
    /// A bin for each value of the column's domain, or for true and false.
    Listed,
    /// Ranges between points.
    Cuts(Cuts),
    /// Periods.
    Calendar(Calendar),
}

/// Points that ranges lie between, ascending.
#[derive(Debug, Clone, PartialEq)]
pub enum Cuts {
    /// Of integers, or of floats.
    Integers(Vec<i64>),
    /// Of floats; not all of them are integers.
    Floats(Vec<f64>),
    /// Of dates, or of timestamps for their midnights.
    Dates(Vec<Date>),
}

/// Whole periods between two dates on which such a period begins; at most [`MOST_PERIODS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    from: Date,
    to: Date,
    period: Period,
}

/// A period of the calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Bins {
    /// Whether values of this type can lie in them; where not, what would be right.
    pub(super) fn fit(&self, kind: ColumnType, listed: bool) -> Result<(), &'static str> {
        match self {
            Self::Listed if listed || kind == ColumnType::Boolean => Ok(()),
            Self::Listed => Err("has no bins: give it a `domain` in the schema, or `cuts` or a `calendar` here"),
            Self::Cuts(cuts) => cuts.fit(kind),
            Self::Calendar(calendar) => calendar.fit(kind),
        }
    }

    /// Whether something lies apart in these that lies together in the others.
    pub(super) fn finer_than(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::Listed, Self::Listed) => false,
            (Self::Cuts(cuts), Self::Cuts(others)) => !cuts.points().is_subset(&others.points()),
            (Self::Calendar(calendar), Self::Calendar(others)) => !calendar.made_of(others),
            (Self::Listed | Self::Cuts(_) | Self::Calendar(_), _) => true,
        }
    }
}

impl Cuts {
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        if !(1..=MOST_POINTS).contains(&texts.len()) {
            return Err(format!("must be 1-{MOST_POINTS} points"));
        }
        let cuts = Self::dates(texts).or_else(|| Self::integers(texts)).or_else(|| Self::floats(texts));
        let cuts = cuts.ok_or("must be numbers, or dates as `2025-01-31`")?;
        let ascending = match &cuts {
            Self::Integers(points) => points.is_sorted_by(|one, next| one < next),
            Self::Floats(points) => points.is_sorted_by(|one, next| one < next),
            Self::Dates(points) => points.is_sorted_by(|one, next| one < next),
        };
        if ascending { Ok(cuts) } else { Err("must ascend, each point once".to_owned()) }
    }

    fn dates(texts: &[String]) -> Option<Self> {
        texts.iter().map(|text| date(text)).collect::<Option<_>>().map(Self::Dates)
    }

    /// Nothing lies below the least there is.
    fn integers(texts: &[String]) -> Option<Self> {
        let number = |text: &String| text.parse().ok().filter(|number| *number > i64::MIN);
        texts.iter().map(number).collect::<Option<_>>().map(Self::Integers)
    }

    /// Floats that are all integers are those: one set of points has one form.
    fn floats(texts: &[String]) -> Option<Self> {
        let number = |text: &String| text.parse().ok().filter(|number: &f64| number.is_finite());
        let floats: Vec<f64> = texts.iter().map(number).collect::<Option<_>>()?;
        let printed: Vec<_> = floats.iter().map(ToString::to_string).collect();
        Some(Self::integers(&printed).unwrap_or(Self::Floats(floats)))
    }

    fn points(&self) -> BTreeSet<String> {
        self.to_wire().into_iter().collect()
    }

    fn to_wire(&self) -> Vec<String> {
        match self {
            Self::Integers(points) => points.iter().map(ToString::to_string).collect(),
            Self::Floats(points) => points.iter().map(ToString::to_string).collect(),
            Self::Dates(points) => points.iter().map(ToString::to_string).collect(),
        }
    }

    fn fit(&self, kind: ColumnType) -> Result<(), &'static str> {
        match (self, kind) {
            (Self::Integers(_), ColumnType::Integer | ColumnType::Float)
            | (Self::Floats(_), ColumnType::Float)
            | (Self::Dates(_), ColumnType::Date | ColumnType::Timestamp) => Ok(()),
            (Self::Floats(_) | Self::Dates(_), ColumnType::Integer) => Err("must be integers, as the column's values"),
            (Self::Dates(_), ColumnType::Float) => Err("must be numbers, as the column's values"),
            (Self::Integers(_) | Self::Floats(_), ColumnType::Date | ColumnType::Timestamp) => {
                Err("must be dates, as `2025-01-31`")
            }
            (Self::Integers(_) | Self::Floats(_) | Self::Dates(_), ColumnType::Boolean | ColumnType::String) => {
                Err("go with numbers, dates and timestamps alone: declare a `domain` in the schema instead")
            }
        }
    }
}

impl Calendar {
    pub(super) fn parse(wire: &v1::Calendar) -> Result<Self, (&'static str, String)> {
        let day = |field, text| date(text).ok_or((field, "must be a date, as `2025-01-31`".to_owned()));
        let (from, to) = (day("from", &wire.from)?, day("to", &wire.to)?);
        let period: Period = wire.period.parse().map_err(|problem: NotListed| ("period", problem.to_string()))?;
        for (field, day) in [("from", from), ("to", to)] {
            if !period.begins(day) {
                return Err((field, format!("must be a date on which a {period} begins")));
            }
        }
        if from >= to {
            return Err(("to", "must be later than `from`".to_owned()));
        }
        let calendar = Self { from, to, period };
        if calendar.periods() > MOST_PERIODS {
            return Err(("period", format!("must be longer: there are at most {MOST_PERIODS} of them")));
        }
        Ok(calendar)
    }

    /// The date that the first period begins on, and that on which the last one ends.
    pub fn ends(&self) -> (Date, Date) {
        (self.from, self.to)
    }

    /// What its bins are.
    pub fn period(&self) -> Period {
        self.period
    }

    fn periods(&self) -> i64 {
        let hours = self.from.duration_until(self.to).as_hours();
        let years = i64::from(self.to.year()) - i64::from(self.from.year());
        match self.period {
            Period::Hour => hours,
            Period::Day => hours / 24,
            Period::Week => hours / (24 * 7),
            Period::Month => years * 12 + i64::from(self.to.month()) - i64::from(self.from.month()),
            Period::Year => years,
        }
    }

    /// Whether each of its bins, the outside too, is some of the other's together.
    fn made_of(&self, other: &Self) -> bool {
        other.from <= self.from && self.to <= other.to && self.period.made_of(other.period)
    }

    fn fit(&self, kind: ColumnType) -> Result<(), &'static str> {
        match (kind, self.period) {
            (ColumnType::Timestamp, _)
            | (ColumnType::Date, Period::Day | Period::Week | Period::Month | Period::Year) => Ok(()),
            (ColumnType::Date, Period::Hour) => Err("must have a `period` of a `day` at least: a date has no hours"),
            (ColumnType::Boolean | ColumnType::Integer | ColumnType::Float | ColumnType::String, _) => {
                Err("goes with dates and timestamps alone: use `cuts`, or a `domain` in the schema")
            }
        }
    }
}

impl Period {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    fn begins(self, day: Date) -> bool {
        match self {
            Self::Hour | Self::Day => true,
            Self::Week => day.weekday() == Weekday::Monday,
            Self::Month => day.day() == 1,
            Self::Year => day.day_of_year() == 1,
        }
    }

    /// Whether each is some of the others together: no week is a month's, and no month is weeks.
    fn made_of(self, other: Self) -> bool {
        match other {
            Self::Hour => true,
            Self::Day => self != Self::Hour,
            Self::Week => self == Self::Week,
            Self::Month => matches!(self, Self::Month | Self::Year),
            Self::Year => self == Self::Year,
        }
    }
}

impl FromStr for Period {
    type Err = NotListed;

    fn from_str(text: &str) -> Result<Self, NotListed> {
        let all = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];
        let found = all.into_iter().find(|period| period.as_str() == text);
        found.ok_or(NotListed("`hour`, `day`, `week`, `month`, `year`"))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&Bins> for v1::dimension::Bins {
    fn from(it: &Bins) -> Self {
        match it {
            Bins::Listed => Self::Listed(v1::Listed {}),
            Bins::Cuts(cuts) => Self::Cuts(v1::Cuts { points: cuts.to_wire() }),
            Bins::Calendar(calendar) => Self::Calendar(v1::Calendar {
                from: calendar.from.to_string(),
                to: calendar.to.to_string(),
                period: calendar.period.to_string(),
            }),
        }
    }
}

/// A date of our era, in its one form.
fn date(text: &str) -> Option<Date> {
    text.parse::<Date>().ok().filter(|date| date.year() > 0 && date.to_string() == text)
}

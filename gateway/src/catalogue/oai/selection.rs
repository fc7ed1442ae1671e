//! What part of the repository a list is of, and what part of the list an answer.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use octroi_proto::Instant;

use super::{Header, Prefix, Problem, SetSpec};

/// What a list is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The format of its records.
    pub prefix: Prefix,
    pub(super) from: Option<Datestamp>,
    pub(super) until: Option<Datestamp>,
    pub(super) set: Option<SetSpec>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What the list is of.
    pub selection: Selection,
    /// How far it came; none at its beginning.
    pub cursor: Option<Cursor>,
}

/// How far a list came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last change that was delivered: the list goes on behind it.
    pub after: u64,
    /// How many records were delivered.
    pub delivered: u64,
    /// How many there are in all, as far as that is known. It need not hold to the end of the list.
    pub total: Option<u64>,
}

/// A day or a second, in UTC, in the years that XML Schema has (1 to 9999).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datestamp {
    Day(Date),
    Second(DateTime),
}

/// Text that is no datestamp in one of the two forms of the protocol (section 3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidDatestamp;

impl Selection {
    /// Checks what the ends of a period have to do with each other.
    ///
    /// # Errors
    /// [`Problem::Granularities`] and [`Problem::FromAfterUntil`] (section 2.7.1).
    pub(super) fn new(
        prefix: Prefix,
        from: Option<Datestamp>,
        until: Option<Datestamp>,
        set: Option<SetSpec>,
    ) -> Result<Self, Problem> {
        match (from, until) {
            (Some(Datestamp::Day(_)), Some(Datestamp::Second(_)))
            | (Some(Datestamp::Second(_)), Some(Datestamp::Day(_))) => Err(Problem::Granularities),
            (Some(from), Some(until)) if from.start() > until.start() => Err(Problem::FromAfterUntil),
            (Some(_) | None, Some(_) | None) => Ok(Self { prefix, from, until, set }),
        }
    }

    /// Whether a record is asked for.
    pub fn includes(&self, header: &Header) -> bool {
        let begun = self.first().is_none_or(|first| header.datestamp >= first);
        let in_set = self.set.as_ref().is_none_or(|set| header.sets.iter().any(|it| set.holds(it)));
        begun && in_set && !self.ends_before(header.datestamp)
    }

    /// The first moment that is asked for, if not from the beginning.
    pub fn first(&self) -> Option<Instant> {
        self.from.map(Datestamp::start)
    }

    /// Whether no record from this moment or behind it is asked for.
    pub fn ends_before(&self, at: Instant) -> bool {
        self.until.is_some_and(|until| at >= until.end())
    }
}

impl Part {
    /// How many records were delivered before it.
    pub fn delivered(&self) -> u64 {
        self.cursor.map_or(0, |cursor| cursor.delivered)
    }
}

impl Datestamp {
    fn start(self) -> Instant {
        let at = match self {
            Self::Day(day) => day.to_datetime(Time::midnight()),
            Self::Second(at) => at,
        };
        // The last two days of the year 9999 are behind the last instant.
        TimeZone::UTC.to_timestamp(at).unwrap_or(Instant::MAX)
    }

    /// The first moment behind it.
    fn end(self) -> Instant {
        let length = match self {
            Self::Day(_) => SignedDuration::from_hours(24),
            Self::Second(_) => SignedDuration::from_secs(1),
        };
        self.start().checked_add(length).unwrap_or(Instant::MAX)
    }
}

impl FromStr for Datestamp {
    type Err = InvalidDatestamp;

    fn from_str(text: &str) -> Result<Self, InvalidDatestamp> {
        let read = match text.strip_suffix('Z') {
            _ if text.len() > MOST_BYTES => None,
            Some(second) => second.parse().ok().map(Self::Second),
            None => text.parse().ok().map(Self::Day),
        };
        // jiff reads many more forms than it writes, and years that XML Schema has not.
        let strict = |it: &Self| it.to_string() == text && it.start() >= YEAR_1;
        read.filter(strict).ok_or(InvalidDatestamp)
    }
}

impl fmt::Display for Datestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Second(at) => write!(f, "{at:.0}Z"),
        }
    }
}

/// `YYYY-MM-DDThh:mm:ssZ`
const MOST_BYTES: usize = 20;

const YEAR_1: Instant = Instant::constant(-62_135_596_800, 0);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selection(from: Option<&str>, until: Option<&str>) -> Result<Selection, Problem> {
        let datestamp = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Selection::new(Prefix::OaiDc, datestamp(from), datestamp(until), None)
    }

    fn header(at: &str) -> Header {
        let sets = SetSpec::smallest("public", [], "Dijon");
        Header { dataset: "velos".parse().unwrap(), datestamp: at.parse().unwrap(), sets, deleted: false }
    }

    #[test]
    fn datestamps_have_two_strict_forms() {
        for good in ["2026-01-31", "0001-01-01", "9999-12-31", "2026-01-31T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(good.parse::<Datestamp>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "Z",
            "2026",
            "2026-02-30",
            "2026-1-31",
            "20260131",
            "2026-01-31Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00Z",
            "2026-01-31t12:00:00z",
            "2026-01-31T12:00:00.5Z",
            "2026-01-31T12:00:00+00:00",
            "2026-01-31T12:00:60Z",
            "2026-01-31T24:00:00Z",
            "0000-01-01",
            "-002026-01-31",
            "10000-01-01",
            " 2026-01-31",
        ] {
            assert_eq!(bad.parse::<Datestamp>(), Err(InvalidDatestamp), "{bad}");
        }
    }

    #[test]
    fn the_ends_of_a_period_must_fit() {
        assert_eq!(selection(Some("2026-01-31"), Some("2026-01-31T00:00:00Z")), Err(Problem::Granularities));
        assert_eq!(selection(Some("2026-01-31T00:00:00Z"), Some("2026-01-31")), Err(Problem::Granularities));
        assert_eq!(selection(Some("2026-02-01"), Some("2026-01-31")), Err(Problem::FromAfterUntil));
        assert!(selection(Some("2026-01-31"), Some("2026-01-31")).is_ok());
    }

    #[test]
    fn both_ends_are_within() {
        let days = selection(Some("2026-01-30"), Some("2026-01-31")).unwrap();
        let seconds = selection(Some("2026-01-30T12:00:00Z"), Some("2026-01-30T12:00:01Z")).unwrap();
        let open = selection(None, Some("9999-12-31T23:59:59Z")).unwrap();
        for (at, of_days, of_seconds) in [
            ("2026-01-29T23:59:59.9Z", false, false),
            ("2026-01-30T00:00:00Z", true, false),
            ("2026-01-30T12:00:00Z", true, true),
            ("2026-01-30T12:00:01.9Z", true, true),
            ("2026-01-30T12:00:02Z", true, false),
            ("2026-01-31T23:59:59.9Z", true, false),
            ("2026-02-01T00:00:00Z", false, false),
        ] {
            assert_eq!(days.includes(&header(at)), of_days, "{at}");
            assert_eq!(seconds.includes(&header(at)), of_seconds, "{at}");
            assert!(open.includes(&header(at)), "{at}");
        }
    }

    #[test]
    fn a_set_is_of_its_records() {
        let of = |set: &str| Selection { set: SetSpec::parse(set).ok(), ..selection(None, None).unwrap() };
        assert!(of("level:public").includes(&header("2026-01-30T00:00:00Z")));
        assert!(!of("theme").includes(&header("2026-01-30T00:00:00Z")));
    }

    proptest! {
        #[test]
        fn any_text_is_a_datestamp_or_not(text in "[0-9TZ:. +-]{0,24}") {
            if let Ok(datestamp) = text.parse::<Datestamp>() {
                prop_assert_eq!(datestamp.to_string(), text);
                prop_assert!(datestamp.start() <= datestamp.end());
            }
        }
    }
}

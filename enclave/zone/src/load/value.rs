//! One value of one row, of a declared kind.

use std::ops::RangeInclusive;

use arrow::{
    array::timezone::Tz,
    compute::kernels::cast_utils::{Parser, string_to_datetime},
    datatypes::Date32Type,
};

use super::report::Rule;
use crate::table::{Column, Domain, Kind};

/// A value that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    Date(i32),
    Timestamp(i64),
}

/// What a row has for a column: a value, none, or something that breaks a rule.
pub(super) type Cell<'a> = Result<Option<Value<'a>>, Rule>;

impl<'a> Value<'a> {
    /// Reads text as a kind has it.
    pub(super) fn from_text(kind: Kind, text: &'a str) -> Result<Self, Rule> {
        let value = match kind {
            Kind::Text => Some(Value::Text(text)),
            Kind::Boolean => boolean(text).map(Value::Boolean),
            Kind::Integer => text.parse().ok().map(Value::Integer),
            Kind::Float => text.parse().ok().map(Value::Float),
            Kind::Date => date(text).map(Value::Date),
            Kind::Timestamp => timestamp(text).map(Value::Timestamp),
        };
        value.ok_or(Rule::Type)
    }

    /// Whether it may stand in this column, whose kind it has.
    pub(super) fn check(self, column: &Column) -> Result<Self, Rule> {
        match self {
            Value::Float(number) if !number.is_finite() => return Err(Rule::Type),
            // Beyond, calendars differ and conversions to other units overflow: no question is to meet such a value.
            Value::Date(day) if !DAYS.contains(&day) => return Err(Rule::Type),
            Value::Timestamp(moment) if !MICROSECONDS.contains(&moment) => return Err(Rule::Type),
            Value::Text(text) if text.len() > MOST_TEXT_BYTES => return Err(Rule::Length),
            Value::Boolean(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Date(_)
            | Value::Timestamp(_) => {}
        }
        let inside = match (&column.domain, self) {
            (None, _) => true,
            (Some(Domain::Integers(domain)), Value::Integer(number)) => domain.contains(&number),
            (Some(Domain::Texts(domain)), Value::Text(text)) => domain.contains(text),
            (Some(Domain::Integers(_) | Domain::Texts(_)), _) => false,
        };
        if inside { Ok(self) } else { Err(Rule::Domain) }
    }

    /// Bytes it takes in memory, about.
    pub(super) fn size(self) -> usize {
        match self {
            Value::Text(text) => text.len() + 4,
            Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Date(_) | Value::Timestamp(_) => 8,
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// `YYYY-MM-DD`.
fn date(text: &str) -> Option<i32> {
    let digits = |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    (text.len() == 10 && text.bytes().enumerate().all(digits)).then(|| Date32Type::parse(text)).flatten()
}

/// RFC 3339, in which the offset may lack: UTC; or a date: its midnight.
fn timestamp(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() > MOST_TIMESTAMP_BYTES {
        return None;
    }
    let utc: Tz = "+00:00".parse().ok()?;
    string_to_datetime(&utc, text).ok().map(|moment| moment.timestamp_micros())
}

/// 0001-01-01 to 9999-12-31, from 1970-01-01.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;
/// 0001-01-01T00:00:00Z to the last microsecond of 9999.
const MICROSECONDS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
pub(super) const MOST_TEXT_BYTES: usize = 64 * 1024;
const MOST_TIMESTAMP_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_its_kind() {
        let read = Value::from_text;
        assert_eq!(read(Kind::Boolean, "TRUE"), Ok(Value::Boolean(true)));
        assert_eq!(read(Kind::Integer, "-9223372036854775808"), Ok(Value::Integer(i64::MIN)));
        assert_eq!(read(Kind::Float, "1e3"), Ok(Value::Float(1000.0)));
        assert_eq!(read(Kind::Date, "1970-01-02"), Ok(Value::Date(1)));
        assert_eq!(read(Kind::Timestamp, "1970-01-01T00:00:01.5Z"), Ok(Value::Timestamp(1_500_000)));
        assert_eq!(read(Kind::Timestamp, "1970-01-01T01:00:00+01:00"), Ok(Value::Timestamp(0)));
        assert_eq!(read(Kind::Timestamp, "1970-01-01 00:00:00"), Ok(Value::Timestamp(0)));
        assert_eq!(read(Kind::Timestamp, "1970-01-01"), Ok(Value::Timestamp(0)));
    }

    #[test]
    fn what_is_not_of_its_kind_is_a_type_error() {
        for (kind, text) in [
            (Kind::Boolean, "yes"),
            (Kind::Integer, "1.0"),
            (Kind::Integer, "9223372036854775808"),
            (Kind::Integer, " 1"),
            (Kind::Float, "1,5"),
            (Kind::Date, "2024-02-30"),
            (Kind::Date, "2024-2-03"),
            (Kind::Date, "+2024-1-1"),
            (Kind::Timestamp, "2024-01-01T25:00:00Z"),
            (Kind::Timestamp, "2024-01-01T10:00:00Z and more"),
            (Kind::Timestamp, "2024-01-01T10:00:00é"),
            (Kind::Timestamp, "noon"),
        ] {
            assert_eq!(Value::from_text(kind, text), Err(Rule::Type), "{text}");
        }
    }

    #[test]
    fn dates_and_moments_are_of_the_years_1_to_9999() {
        let check = |kind, text: &str| {
            let column = Column { name: "x".to_owned(), kind, nullable: false, domain: None };
            Value::from_text(kind, text).and_then(|value| value.check(&column)).is_ok()
        };
        for (text, inside) in [("0001-01-01", true), ("9999-12-31", true), ("0000-12-31", false)] {
            assert_eq!(check(Kind::Date, text), inside, "{text}");
        }
        for (text, inside) in [
            ("0001-01-01T00:00:00Z", true),
            ("0001-01-01T00:00:00+00:01", false),
            ("9999-12-31T23:59:59.999999Z", true),
            ("9999-12-31T23:59:59-00:01", false),
        ] {
            assert_eq!(check(Kind::Timestamp, text), inside, "{text}");
        }
        let of = |kind| Column { name: "x".to_owned(), kind, nullable: false, domain: None };
        for day in [i32::MIN, DAYS.start() - 1, DAYS.end() + 1, i32::MAX] {
            assert_eq!(Value::Date(day).check(&of(Kind::Date)), Err(Rule::Type), "{day}");
        }
        for moment in [i64::MIN, MICROSECONDS.start() - 1, MICROSECONDS.end() + 1, i64::MAX] {
            assert_eq!(Value::Timestamp(moment).check(&of(Kind::Timestamp)), Err(Rule::Type), "{moment}");
        }
    }

    #[test]
    fn infinities_and_outsiders_are_refused() {
        let mut column = Column { name: "x".to_owned(), kind: Kind::Float, nullable: false, domain: None };
        for text in ["inf", "-inf", "nan"] {
            assert_eq!(Value::from_text(Kind::Float, text).unwrap().check(&column), Err(Rule::Type));
        }
        column.kind = Kind::Text;
        let long = "x".repeat(MOST_TEXT_BYTES + 1);
        assert_eq!(Value::Text(&long).check(&column), Err(Rule::Length));
        column.domain = Some(Domain::Texts(["a".to_owned()].into()));
        assert_eq!(Value::Text("a").check(&column), Ok(Value::Text("a")));
        assert_eq!(Value::Text("b").check(&column), Err(Rule::Domain));
        column.kind = Kind::Integer;
        column.domain = Some(Domain::Integers([7].into()));
        assert_eq!(Value::Integer(7).check(&column), Ok(Value::Integer(7)));
        assert_eq!(Value::Integer(8).check(&column), Err(Rule::Domain));
    }
}

//! Days and moments by the Gregorian calendar, without bounds: whatever a column holds, its parts, its periods and its
//! counterpart are computed or missing. The engine's own functions fail on moments beyond the year 262,143, and a failure
//! tells that there is one.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray},
    datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility},
};

/// What is asked of a moment or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    /// The first moment of the period that a moment lies in.
    Start(Period),
    /// A number of a moment or a day.
    Part(Part),
    /// The first moment of a day.
    Moment,
    /// The day of a moment.
    Day,
}

/// Periods, by which moments are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Period {
    Year,
    Quarter,
    Month,
    /// From Monday.
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// Numbers of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    /// As ISO 8601 counts them.
    Week,
    Day,
    DayOfYear,
    /// From Sunday, 0.
    DayOfWeek,
    /// From Monday, 1.
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
}

/// A day by its numbers. Proleptic; there is a year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

/// A moment as RFC 3339 writes it, or a day; `None` beyond what it can write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written {
    Day(Writable),
    Moment(Writable, i64),
}

/// A day of a year of four digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writable(Civil);

/// The function for it.
pub(super) fn function(operation: Operation) -> Arc<ScalarUDF> {
    let exact = |of: DataType| TypeSignature::Exact(vec![of]);
    let takes = match operation {
        Operation::Start(_) | Operation::Day => exact(moment()),
        Operation::Part(_) => TypeSignature::OneOf(vec![exact(DataType::Date32), exact(moment())]),
        Operation::Moment => exact(DataType::Date32),
    };
    Arc::new(ScalarUDF::from(OfCalendar { operation, signature: Signature::new(takes, Volatility::Immutable) }))
}

impl Period {
    /// As questions name it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            _ => return None,
        })
    }

    /// The first microsecond of it; `None` before all moments.
    fn start(self, moment: i64) -> Option<i64> {
        let day = moment.div_euclid(DAY);
        let within = |length: i64| moment.checked_sub(moment.rem_euclid(length));
        let first = |month: fn(i64) -> i64| {
            let Civil { year, month: of, .. } = Civil::of(day);
            Civil { year, month: month(of), day: 1 }.days().checked_mul(DAY)
        };
        match self {
            Self::Year => first(|_| 1),
            Self::Quarter => first(|month| (month - 1) / 3 * 3 + 1),
            Self::Month => first(|month| month),
            Self::Week => (day - (weekday(day) - 1)).checked_mul(DAY),
            Self::Day => within(DAY),
            Self::Hour => within(HOUR),
            Self::Minute => within(MINUTE),
            Self::Second => within(SECOND),
        }
    }
}

impl Part {
    /// As questions name it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "doy" => Self::DayOfYear,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            _ => return None,
        })
    }

    /// Of a day, and so many microseconds into it.
    fn of(self, day: i64, within: i64) -> i64 {
        let civil = Civil::of(day);
        let day_of_year = |day: i64| day - Civil { month: 1, day: 1, ..Civil::of(day) }.days() + 1;
        match self {
            Self::Year => civil.year,
            Self::Quarter => (civil.month - 1) / 3 + 1,
            Self::Month => civil.month,
            // The year's weeks are counted by its Thursdays.
            Self::Week => (day_of_year(day - weekday(day) + 4) - 1) / 7 + 1,
            Self::Day => civil.day,
            Self::DayOfYear => day_of_year(day),
            Self::DayOfWeek => weekday(day) % 7,
            Self::IsoDayOfWeek => weekday(day),
            Self::Hour => within / HOUR,
            Self::Minute => within % HOUR / MINUTE,
            Self::Second => within % MINUTE / SECOND,
        }
    }
}

impl Civil {
    /// So many days after 1970-01-01. Years are counted from March here, in cycles of 400 of them: leap days come last.
    fn of(days: i64) -> Self {
        let since = days + TO_1970;
        let (cycle, day) = (since.div_euclid(CYCLE), since.rem_euclid(CYCLE));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self { year: year + cycle * 400 + later, month, day }
    }

    /// Days since 1970-01-01.
    fn days(self) -> i64 {
        let year = if self.month > 2 { self.year } else { self.year - 1 };
        let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
        let day = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        cycle * CYCLE + year * 365 + year / 4 - year / 100 + day - TO_1970
    }

    fn writable(self) -> Option<Writable> {
        (0..=9_999).contains(&self.year).then_some(Writable(self))
    }
}

impl Written {
    /// A day.
    pub(super) fn day(days: i32) -> Option<Self> {
        Civil::of(days.into()).writable().map(Self::Day)
    }

    /// A moment.
    pub(super) fn moment(moment: i64) -> Option<Self> {
        Some(Self::Moment(Civil::of(moment.div_euclid(DAY)).writable()?, moment.rem_euclid(DAY)))
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Day(Writable(civil)) | Self::Moment(Writable(civil), _)) = self;
        write!(f, "{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)?;
        let Self::Moment(_, within) = self else { return Ok(()) };
        let (hour, minute, second) = (within / HOUR, within % HOUR / MINUTE, within % MINUTE / SECOND);
        write!(f, "T{hour:02}:{minute:02}:{second:02}")?;
        match within % SECOND {
            0 => write!(f, "Z"),
            rest if rest % 1_000 == 0 => write!(f, ".{:03}Z", rest / 1_000),
            rest => write!(f, ".{rest:06}Z"),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfCalendar {
    operation: Operation,
    signature: Signature,
}

impl ScalarUDFImpl for OfCalendar {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Start(_) => "octroi_start",
            Operation::Part(_) => "octroi_part",
            Operation::Moment => "octroi_moment",
            Operation::Day => "octroi_day",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(match self.operation {
            Operation::Start(_) | Operation::Moment => moment(),
            Operation::Part(_) => DataType::Int64,
            Operation::Day => DataType::Date32,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let values = columns.first().ok_or_else(|| exec_datafusion_err!("a function has an argument"))?;
        let of = |what| exec_datafusion_err!("a function of the calendar was given no {what}");
        let moments = || values.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| of("moment"));
        let days = || values.as_primitive_opt::<Date32Type>().ok_or_else(|| of("day"));
        Ok(ColumnarValue::Array(match self.operation {
            Operation::Start(period) => told(moments()?.unary_opt(|moment| period.start(moment))),
            Operation::Moment => told(days()?.unary_opt(|day| i64::from(day).checked_mul(DAY))),
            Operation::Day => {
                let day = |moment: i64| i32::try_from(moment.div_euclid(DAY)).ok();
                Arc::new(moments()?.unary_opt::<_, Date32Type>(day)) as ArrayRef
            }
            Operation::Part(part) => {
                let parts: Int64Array = match values.data_type() == &DataType::Date32 {
                    true => days()?.unary(|day| part.of(day.into(), 0)),
                    false => moments()?.unary(|moment| part.of(moment.div_euclid(DAY), moment.rem_euclid(DAY))),
                };
                Arc::new(parts)
            }
        }))
    }
}

fn told(moments: TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(moments.with_timezone(UTC))
}

/// From Monday, 1.
fn weekday(day: i64) -> i64 {
    // The first of 1970 was a Thursday.
    (day + 3).rem_euclid(7) + 1
}

fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

const UTC: &str = "UTC";
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Days of 400 years.
const CYCLE: i64 = 146_097;
/// From the first of March of the year 0 to 1970-01-01.
const TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use arrow::compute::{DatePart, date_part};

    use super::*;
    use crate::table::tests::Dice;

    const PARTS: [(&str, DatePart); 11] = [
        ("year", DatePart::Year),
        ("quarter", DatePart::Quarter),
        ("month", DatePart::Month),
        ("week", DatePart::Week),
        ("day", DatePart::Day),
        ("doy", DatePart::DayOfYear),
        ("dow", DatePart::DayOfWeekSunday0),
        ("isodow", DatePart::DayOfWeekMonday1),
        ("hour", DatePart::Hour),
        ("minute", DatePart::Minute),
        ("second", DatePart::Second),
    ];
    const PERIODS: [&str; 8] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];

    #[test]
    fn within_its_reach_arrows_calendar_says_the_same() {
        let mut dice = Dice::new(1_582);
        // To the years 1 and 9999.
        let moments: Vec<i64> = (0..20_000)
            .map(|_| (dice.below(3_652_058) as i64 - 719_162) * DAY + dice.below(DAY as u64) as i64)
            .collect();
        let array = TimestampMicrosecondArray::from(moments.clone());
        for (name, theirs) in PARTS {
            let theirs = date_part(&array, theirs).unwrap();
            let theirs = theirs.as_primitive::<arrow::datatypes::Int32Type>();
            for (row, moment) in moments.iter().enumerate() {
                let ours = Part::named(name).unwrap().of(moment.div_euclid(DAY), moment.rem_euclid(DAY));
                assert_eq!(ours, i64::from(theirs.value(row)), "{name} of {moment}");
            }
        }
        for (row, moment) in moments.iter().enumerate() {
            let theirs = arrow::util::display::array_value_to_string(&array, row).unwrap();
            assert_eq!(Written::moment(*moment).unwrap().to_string(), format!("{theirs}Z"));
        }
    }

    #[test]
    fn a_period_starts_at_or_before_its_moments_and_is_its_own_start() {
        let mut dice = Dice::new(46);
        for _ in 0..20_000 {
            let moment = dice.below(u64::MAX) as i64;
            for name in PERIODS {
                let period = Period::named(name).unwrap();
                let Some(start) = period.start(moment) else {
                    assert!(moment < i64::MIN + 366 * DAY, "{name} {moment}");
                    continue;
                };
                assert!(start <= moment && moment - start < 366 * DAY, "{name} {moment}");
                assert_eq!(period.start(start), Some(start), "{name} {moment}");
                assert!(start.checked_sub(1).and_then(|before| period.start(before)).is_none_or(|it| it < start));
            }
        }
    }

    #[test]
    fn no_day_and_no_moment_is_too_far() {
        for moment in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            let day = moment.div_euclid(DAY);
            assert_eq!(Civil::of(day).days(), day);
            for period in PERIODS {
                let start = Period::named(period).unwrap().start(moment);
                assert!(start.is_some() || moment <= i64::MIN + 1, "{period} {moment}");
            }
        }
        for day in [i32::MIN, -719_469, -1, 0, 59, 60, i32::MAX] {
            assert_eq!(Civil::of(day.into()).days(), i64::from(day));
            for (name, _) in PARTS {
                assert!(Part::named(name).unwrap().of(day.into(), 0) > -6_000_000, "{name} {day}");
            }
        }
        assert_eq!(Period::Year.start(i64::MIN), None);
        assert!(Period::Year.start(i64::MAX).is_some());
        assert_eq!(Part::Year.of(i64::from(i32::MAX), 0), 5_881_580);
        assert!(Written::day(i32::MAX).is_none() && Written::moment(i64::MIN).is_none());
        assert_eq!(Written::day(0).unwrap().to_string(), "1970-01-01");
        assert_eq!(Written::moment(-1_000).unwrap().to_string(), "1969-12-31T23:59:59.999Z");
    }
}

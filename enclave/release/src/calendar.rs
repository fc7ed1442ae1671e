//! Days and moments by the Gregorian calendar, proleptic, in UTC: whole numbers alone, and total.

/// A period that moments are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// From the first of January.
    Year,
    /// Three months.
    Quarter,
    /// From its first day.
    Month,
    /// From Monday.
    Week,
    /// From midnight.
    Day,
    /// 60 minutes.
    Hour,
    /// 60 seconds.
    Minute,
    /// The shortest.
    Second,
}

/// A number of a moment or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// There is a year 0.
    Year,
    /// From 1.
    Quarter,
    /// From 1.
    Month,
    /// As ISO 8601 counts them.
    Week,
    /// Of the month, from 1.
    Day,
    /// From 1.
    DayOfYear,
    /// From Sunday, 0.
    DayOfWeek,
    /// From Monday, 1.
    IsoDayOfWeek,
    /// From 0.
    Hour,
    /// From 0.
    Minute,
    /// From 0.
    Second,
}

/// Microseconds of a day.
pub const DAY: i64 = 24 * HOUR;

impl Period {
    /// As questions and policies name it.
    pub fn named(name: &str) -> Option<Self> {
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

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    /// The first moment of the one that a moment lies in; `None` before all moments.
    pub fn start(self, moment: i64) -> Option<i64> {
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

    /// The first moment of the one after that which a moment lies in; `None` after all moments.
    pub fn next(self, moment: i64) -> Option<i64> {
        let start = self.start(moment)?;
        let months = |more: i64| {
            let Civil { year, month, .. } = Civil::of(start.div_euclid(DAY));
            let months = year * 12 + (month - 1) + more;
            Civil { year: months.div_euclid(12), month: months.rem_euclid(12) + 1, day: 1 }.days().checked_mul(DAY)
        };
        match self {
            Self::Year => months(12),
            Self::Quarter => months(3),
            Self::Month => months(1),
            Self::Week => start.checked_add(7 * DAY),
            Self::Day => start.checked_add(DAY),
            Self::Hour => start.checked_add(HOUR),
            Self::Minute => start.checked_add(MINUTE),
            Self::Second => start.checked_add(SECOND),
        }
    }
}

impl Part {
    /// As questions name it.
    pub fn named(name: &str) -> Option<Self> {
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

    /// Of a moment.
    pub fn of(self, moment: i64) -> i64 {
        let (day, within) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
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

    /// The longest period all of whose moments have the same one.
    pub fn period(self) -> Period {
        match self {
            Self::Year => Period::Year,
            Self::Quarter => Period::Quarter,
            Self::Month => Period::Month,
            Self::Week => Period::Week,
            Self::Day | Self::DayOfYear | Self::DayOfWeek | Self::IsoDayOfWeek => Period::Day,
            Self::Hour => Period::Hour,
            Self::Minute => Period::Minute,
            Self::Second => Period::Second,
        }
    }
}

/// A day as `YYYY-MM-DD`, in days since 1970-01-01.
pub fn date(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i64>().ok()
    };
    let civil = Civil { year: number(4)?, month: number(2)?, day: number(2)? };
    let days = civil.days();
    // What is no day of the calendar comes back as another one.
    (parts.next().is_none() && Civil::of(days) == civil).then_some(days).and_then(|days| i32::try_from(days).ok())
}

/// A day by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
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
}

/// From Monday, 1.
fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Days of 400 years.
const CYCLE: i64 = 146_097;
/// From the first of March of the year 0.
const TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIODS: [Period; 8] = [
        Period::Year,
        Period::Quarter,
        Period::Month,
        Period::Week,
        Period::Day,
        Period::Hour,
        Period::Minute,
        Period::Second,
    ];

    fn moment(day: &str) -> i64 {
        i64::from(date(day).unwrap()) * DAY
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2024-02-29"), Some(19_782));
        assert_eq!(date("0001-01-01"), Some(-719_162));
        for wrong in ["2023-02-29", "2024-13-01", "2024-1-01", "2024-01-01-", "+024-01-01", "", "2024-00-10"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
        // 2021-01-03 was the Sunday of the last week of 2020, which had 53.
        let sunday = moment("2021-01-03") + 13 * HOUR;
        assert_eq!(Part::Week.of(sunday), 53);
        assert_eq!((Part::DayOfWeek.of(sunday), Part::IsoDayOfWeek.of(sunday)), (0, 7));
        assert_eq!(Period::Week.start(sunday), Some(moment("2020-12-28")));
        assert_eq!(Period::Month.next(moment("2024-01-31")), Some(moment("2024-02-01")));
        assert_eq!(Period::Quarter.next(moment("2024-11-30")), Some(moment("2025-01-01")));
        assert_eq!(Part::DayOfYear.of(moment("2024-12-31")), 366);
    }

    proptest! {
        // Counted day by day from a day whose numbers are known.
        #[test]
        fn numbers_of_a_day_follow_those_of_the_day_before(days in -800_000_i64..3_000_000) {
            let (before, day) = (Civil::of(days - 1), Civil::of(days));
            let leap = before.year % 4 == 0 && (before.year % 100 != 0 || before.year % 400 == 0);
            let last = match before.month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let next = match before {
                Civil { month: 12, day: 31, year } => Civil { year: year + 1, month: 1, day: 1 },
                Civil { day, month, year } if day == last => Civil { year, month: month + 1, day: 1 },
                Civil { day, month, year } => Civil { year, month, day: day + 1 },
            };
            prop_assert_eq!(day, next);
            prop_assert_eq!(day.days(), days);
            prop_assert_eq!(weekday(days), weekday(days - 1) % 7 + 1);
        }

        #[test]
        fn a_moment_lies_in_one_period_of_each_kind(moment in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
            for period in PERIODS {
                let (start, next) = (period.start(moment).unwrap(), period.next(moment).unwrap());
                prop_assert!(start <= moment && moment < next);
                prop_assert_eq!(period.start(start), Some(start));
                prop_assert_eq!(period.start(next - 1), Some(start));
                prop_assert_eq!(period.start(next), Some(next));
            }
        }

        #[test]
        fn a_part_is_the_same_throughout_its_period(moment in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
            for part in [Part::Year, Part::Quarter, Part::Month, Part::Week, Part::Day, Part::DayOfYear,
                Part::DayOfWeek, Part::IsoDayOfWeek, Part::Hour, Part::Minute, Part::Second] {
                let (start, next) = (part.period().start(moment).unwrap(), part.period().next(moment).unwrap());
                prop_assert_eq!(part.of(start), part.of(moment));
                prop_assert_eq!(part.of(next - 1), part.of(moment));
            }
        }
    }
}

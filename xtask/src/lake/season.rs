//! When: one week of each season of 2025, Monday to Sunday, by the hour. Four weeks rather than a year, so that a
//! small lake still has many households.

/// Hours in all four weeks.
pub(super) const HOURS: usize = 4 * 7 * 24;

/// A week of a season.
#[derive(Debug)]
pub(super) struct Week {
    pub(super) name: &'static str,
    month: u32,
    /// The Monday. No week crosses the end of its month.
    monday: u32,
    /// Dijon's offset from UTC that week.
    offset: &'static str,
    /// Mean temperature, and how far it swings in a day (°C).
    pub(super) temperature: (f64, f64),
    /// Mean relative humidity (%).
    pub(super) humidity: f64,
    /// Chance that a day is wet.
    pub(super) rain: f64,
}

/// The four weeks, in order.
pub(super) const WEEKS: [Week; 4] = [
    Week { name: "winter", month: 1, monday: 13, offset: "+01:00", temperature: (2.4, 2.6), humidity: 86.0, rain: 0.4 },
    Week {
        name: "spring",
        month: 4,
        monday: 14,
        offset: "+02:00",
        temperature: (10.9, 5.1),
        humidity: 69.0,
        rain: 0.35,
    },
    Week { name: "summer", month: 7, monday: 7, offset: "+02:00", temperature: (21.6, 6.4), humidity: 61.0, rain: 0.2 },
    Week {
        name: "autumn",
        month: 10,
        monday: 6,
        offset: "+02:00",
        temperature: (12.7, 4.2),
        humidity: 79.0,
        rain: 0.35,
    },
];

/// An hour of one of the weeks, in Dijon's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hour {
    pub(super) week: &'static Week,
    /// 0 for Monday.
    pub(super) day: u32,
    /// 0-23.
    pub(super) hour: u32,
}

impl Hour {
    /// All of them, in order.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        WEEKS.iter().flat_map(|week| (0..7).flat_map(move |day| (0..24).map(move |hour| Self { week, day, hour })))
    }

    /// Every day's midnight, in order.
    pub(super) fn midnights() -> impl Iterator<Item = Self> {
        Self::all().filter(|hour| hour.hour == 0)
    }

    pub(super) fn weekend(self) -> bool {
        self.day >= 5
    }

    /// RFC 3339.
    pub(super) fn stamp(self) -> String {
        self.stamp_at(self.hour, 0)
    }

    /// RFC 3339 of another time of the same day.
    pub(super) fn stamp_at(self, hour: u32, minute: u32) -> String {
        let Week { month, monday, offset, .. } = self.week;
        format!("2025-{month:02}-{:02}T{hour:02}:{minute:02}:00{offset}", monday + self.day)
    }

    /// This hour's value in a table of 24.
    pub(super) fn of(self, table: &[f64; 24]) -> f64 {
        table.get(self.hour as usize).copied().unwrap_or_default()
    }
}

/// How the day warms and cools, from -1 before sunrise to 1 in mid-afternoon.
pub(super) const WARMTH: [f64; 24] = [
    -0.55, -0.65, -0.75, -0.85, -0.93, -1.0, -0.97, -0.8, -0.5, -0.15, 0.2, 0.5, 0.72, 0.88, 0.97, 1.0, 0.93, 0.75,
    0.5, 0.22, -0.02, -0.2, -0.34, -0.45,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hours_are_four_whole_weeks() {
        let stamps: Vec<String> = Hour::all().map(Hour::stamp).collect();
        assert_eq!(stamps.len(), HOURS);
        assert_eq!(stamps.first().unwrap(), "2025-01-13T00:00:00+01:00");
        assert_eq!(stamps.last().unwrap(), "2025-10-12T23:00:00+02:00");
        assert!(stamps.is_sorted());
        assert_eq!(Hour::midnights().count(), 28);
    }
}

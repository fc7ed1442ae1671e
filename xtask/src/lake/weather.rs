//! The city's weather by the hour; warmth, rain and wind that everything else answers to.

use std::path::Path;

use serde::Serialize;

use super::{
    HOURS,
    dice::{Dice, tenths},
    season::{Hour, WARMTH},
    table::{Table, TableError, Written},
};

/// Four weeks of weather.
#[derive(Debug)]
pub(super) struct Weather(Vec<Observation>);

/// One hour's weather.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Observation {
    time: String,
    /// °C.
    pub(super) temperature: f64,
    /// Relative, %.
    pub(super) humidity: f64,
    /// m/s.
    wind: f64,
    /// mm in the hour.
    pub(super) rain: f64,
}

impl Weather {
    pub(super) fn of_the_year(dice: &mut Dice) -> Self {
        let mut observations = Vec::with_capacity(HOURS);
        let (mut drift, mut wet) = (0.0, false);
        for hour in Hour::all() {
            if hour.hour == 0 {
                drift = drift * 0.6 + dice.bell() * 1.3;
                wet = dice.chance(hour.week.rain);
            }
            let (mean, swing) = hour.week.temperature;
            // Clouds dampen the swing of the day.
            let swing = if wet { swing * 0.6 } else { swing };
            let warmth = hour.of(&WARMTH) * swing;
            let raining = wet && dice.chance(0.35);
            let humidity = hour.week.humidity - warmth * 3.0 + dice.bell() * 2.5 + if raining { 9.0 } else { 0.0 };
            observations.push(Observation {
                time: hour.stamp(),
                temperature: tenths(mean + drift + warmth + dice.bell() * 0.35),
                humidity: tenths(humidity.clamp(22.0, 100.0)),
                wind: tenths((3.2 + dice.bell() * 1.4).clamp(0.0, 18.0)),
                rain: if raining { tenths(dice.between(0.2, 4.5)) } else { 0.0 },
            });
        }
        Self(observations)
    }

    /// Each hour with its weather.
    pub(super) fn hours(&self) -> impl Iterator<Item = (Hour, &Observation)> {
        Hour::all().zip(&self.0)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<Written, TableError> {
        let mut table = Table::create(folder, "meteo-horaire", "observations.csv")?;
        for observation in &self.0 {
            table.add(observation)?;
        }
        table.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        let values: Vec<f64> = values.collect();
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn summers_are_warm_and_afternoons_too() {
        let weather = Weather::of_the_year(&mut Dice::new(1, super::super::dice::WEATHER, 0));
        let of = |season: &'static str, hours: std::ops::Range<u32>| {
            let chosen = weather.hours().filter(move |(at, _)| at.week.name == season && hours.contains(&at.hour));
            mean(chosen.map(|(_, seen)| seen.temperature))
        };
        assert!(of("summer", 0..24) > of("spring", 0..24) && of("spring", 0..24) > of("winter", 0..24));
        assert!(of("summer", 13..17) > of("summer", 3..7) + 5.0);
    }

    #[test]
    fn nothing_is_out_of_this_world() {
        let weather = Weather::of_the_year(&mut Dice::new(2, super::super::dice::WEATHER, 0));
        for (_, seen) in weather.hours() {
            assert!((-20.0..42.0).contains(&seen.temperature) && (0.0..=100.0).contains(&seen.humidity));
            assert!(seen.wind >= 0.0 && seen.rain >= 0.0);
        }
    }
}

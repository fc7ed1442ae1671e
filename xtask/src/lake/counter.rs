//! Bicycle counters: 40 of them, busy at rush hours, quieter in rain and cold.

use std::path::Path;

use serde::Serialize;

use super::{
    COMMUNES,
    dice::{self, Dice},
    table::{Table, TableError, Written},
    weather::Weather,
};

/// How many counters the city has.
pub(super) const COUNTERS: u32 = 40;

#[derive(Debug, Serialize)]
struct Passages<'a> {
    counter: &'a str,
    commune: &'a str,
    time: String,
    bicycles: u32,
}

pub(super) fn write(folder: &Path, seed: u64, weather: &Weather) -> Result<Written, TableError> {
    let mut table = Table::create(folder, "velo-compteurs", "passages.csv")?;
    for number in 1..=COUNTERS {
        let mut dice = Dice::new(seed, dice::COUNTER, number.into());
        // Flattened: a town of a thousandth of the people still has more than a thousandth of the paths.
        let commune = dice.pick(&COMMUNES, |commune| commune.people / 400 + 8).map_or("21231", |found| found.code);
        let counter = format!("velo-{number:02}");
        let busy = dice.between(25.0, 210.0);
        for (hour, seen) in weather.hours() {
            let rhythm = if hour.weekend() { hour.of(&WEEKEND) } else { hour.of(&WEEKDAY) };
            let comfort = (0.35 + seen.temperature / 28.0).clamp(0.2, 1.1);
            let shelter = if seen.rain > 0.0 { 0.5 } else { 1.0 };
            let bicycles = dice.arrivals(busy * rhythm * comfort * shelter);
            table.add(&Passages { counter: &counter, commune, time: hour.stamp(), bicycles })?;
        }
    }
    table.finish()
}

/// Share of a busy hour's passages.
const WEEKDAY: [f64; 24] = [
    0.03, 0.02, 0.01, 0.01, 0.02, 0.06, 0.2, 0.62, 1.0, 0.55, 0.32, 0.34, 0.48, 0.45, 0.4, 0.42, 0.6, 0.93, 0.88, 0.55,
    0.32, 0.2, 0.13, 0.07,
];
const WEEKEND: [f64; 24] = [
    0.08, 0.05, 0.04, 0.02, 0.02, 0.03, 0.06, 0.11, 0.2, 0.33, 0.46, 0.52, 0.46, 0.45, 0.55, 0.62, 0.6, 0.5, 0.4, 0.28,
    0.2, 0.15, 0.12, 0.1,
];

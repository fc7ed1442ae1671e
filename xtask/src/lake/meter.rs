//! Electricity by household and hour: cooking, washing, light, and heating where it is electric.

use std::path::Path;

use serde::Serialize;

use super::{
    dice::{self, Dice},
    household::{Household, Households},
    season::Hour,
    table::{Table, TableError, Written},
    weather::Weather,
};
use crate::progress::Wait;

#[derive(Debug, Serialize)]
struct Reading {
    household: u64,
    time: String,
    watt_hours: u32,
}

pub(super) fn write(
    folder: &Path,
    households: &Households,
    weather: &Weather,
    wait: &mut Wait,
) -> Result<Written, TableError> {
    let mut table = Table::create(folder, "electricite-menages", "compteurs.csv")?;
    for household in households.all() {
        let mut dice = Dice::new(household.seed, dice::METER, household.number);
        let thrift = dice.between(0.7, 1.35);
        for (hour, seen) in weather.hours() {
            let watt_hours = consumption(&household, hour, seen.temperature, thrift, &mut dice);
            table.add(&Reading { household: household.number, time: hour.stamp(), watt_hours })?;
        }
        wait.advance(1);
    }
    table.finish()
}

fn consumption(household: &Household, hour: Hour, outside: f64, thrift: f64, dice: &mut Dice) -> u32 {
    let people = f64::from(household.people);
    let rhythm = if hour.weekend() { hour.of(&WEEKEND) } else { hour.of(&WEEKDAY) };
    let living = (90.0 + 95.0 * people) * rhythm * thrift * dice.between(0.6, 1.4);
    let heating = if household.heating == "electric" {
        (17.0 - outside).max(0.0) * f64::from(household.surface_m2) * 0.75 * thrift
    } else {
        0.0
    };
    // An oven, a washing machine, a kettle that boils all afternoon.
    let appliance = if dice.chance(0.05 * rhythm) { dice.between(500.0, 2_100.0) } else { 0.0 };
    dice::rounded(45.0 + living + heating + appliance)
}

const WEEKDAY: [f64; 24] = [
    0.35, 0.28, 0.25, 0.24, 0.25, 0.32, 0.65, 1.0, 0.85, 0.6, 0.55, 0.7, 1.0, 0.85, 0.6, 0.55, 0.65, 0.95, 1.4, 1.7,
    1.6, 1.25, 0.85, 0.55,
];
const WEEKEND: [f64; 24] = [
    0.45, 0.35, 0.28, 0.25, 0.25, 0.27, 0.35, 0.55, 0.85, 1.1, 1.2, 1.35, 1.5, 1.25, 1.0, 0.95, 1.0, 1.15, 1.45, 1.65,
    1.5, 1.2, 0.9, 0.65,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn total(household: &Household, season: &str) -> u64 {
        let mut dice = Dice::new(1, dice::METER, 0);
        let weather = Weather::of_the_year(&mut Dice::new(1, dice::WEATHER, 0));
        let hours = weather.hours().filter(|(hour, _)| hour.week.name == season);
        hours.map(|(hour, seen)| u64::from(consumption(household, hour, seen.temperature, 1.0, &mut dice))).sum()
    }

    #[test]
    fn size_and_season_show() {
        let some = Households::for_readings(0, 1).all().next().unwrap();
        let single = Household { people: 1, heating: "gas", ..some.clone() };
        let family = Household { people: 4, ..single.clone() };
        assert!(total(&family, "spring") * 2 > total(&single, "spring") * 3);
        let electric = Household { heating: "electric", ..single.clone() };
        assert!(total(&electric, "winter") > 2 * total(&single, "winter"));
        assert!(total(&electric, "summer") < 2 * total(&single, "summer"));
    }
}

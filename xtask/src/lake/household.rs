//! Households, each a function of the seed and its number, so that a million of them need no memory.

use std::{ops::Range, path::Path};

use serde::Serialize;

use super::{
    COMMUNES, Commune, HOURS,
    counter::COUNTERS,
    dice::{self, Dice},
    table::{Table, TableError, Written},
};

/// The households of a lake.
#[derive(Debug)]
pub(super) struct Households {
    seed: u64,
    count: u64,
}

/// A household, as its row has it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Household {
    #[serde(rename = "household")]
    pub(super) number: u64,
    #[serde(skip)]
    pub(super) seed: u64,
    #[serde(rename = "commune", serialize_with = "code")]
    pub(super) commune: &'static Commune,
    pub(super) dwelling: &'static str,
    pub(super) surface_m2: u32,
    pub(super) people: u32,
    pub(super) heating: &'static str,
    pub(super) cars: u32,
    pub(super) built: u32,
}

/// One household in this many has sensors indoors.
const SENSORED: u64 = 4;

impl Households {
    /// As many as give about this many readings, but 24 at least.
    pub(super) fn for_readings(readings: u64, seed: u64) -> Self {
        let hours = HOURS as u64;
        let shared = hours * (1 + u64::from(COUNTERS));
        // A household's meter, its share of the indoor sensors, and the trips of its people in four weeks.
        let each = hours + hours / SENSORED + 55;
        let count = (readings.saturating_sub(shared) / each).max(24);
        Self { seed, count }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Household> {
        self.by_commune().flat_map(move |(commune, numbers)| numbers.map(move |number| self.nth(commune, number)))
    }

    /// The households of a commune that have sensors.
    pub(super) fn sensored(&self, commune: &'static Commune, numbers: Range<u64>) -> impl Iterator<Item = Household> {
        numbers.filter(|number| number % SENSORED == 0).map(move |number| self.nth(commune, number))
    }

    /// Numbers by commune: shared out by people, without a gap.
    pub(super) fn by_commune(&self) -> impl Iterator<Item = (&'static Commune, Range<u64>)> {
        let total: u64 = COMMUNES.iter().map(|commune| u64::from(commune.people)).sum();
        let mut before = 0;
        COMMUNES.iter().map(move |commune| {
            let after = before + u64::from(commune.people);
            let numbers = self.count * before / total..self.count * after / total;
            before = after;
            (commune, numbers)
        })
    }

    fn nth(&self, commune: &'static Commune, number: u64) -> Household {
        let mut dice = Dice::new(self.seed, dice::HOUSEHOLD, number);
        let (people, _) = dice.pick(&PEOPLE, |(_, weight)| *weight).copied().unwrap_or((1, 0));
        let house = dice.chance(if commune.people > 10_000 { 0.2 } else { 0.7 });
        let surface = if house { 82.0 } else { 38.0 } + 15.0 * f64::from(people) + 9.0 * dice.bell();
        let (heating, _) = dice.pick(&HEATING, |(_, weight)| *weight).copied().unwrap_or(("gas", 0));
        Household {
            number,
            seed: self.seed,
            commune,
            dwelling: if house { "house" } else { "flat" },
            surface_m2: dice::rounded(surface.max(16.0)),
            people,
            heating,
            cars: if dice.chance(0.22) { 0 } else { 1 + u32::from(people > 1 && dice.chance(0.4)) },
            built: dice.whole(1880, 2022),
        }
    }
}

/// People in a household, with weights near INSEE's for a large French city.
const PEOPLE: [(u32, u32); 6] = [(1, 44), (2, 30), (3, 12), (4, 9), (5, 4), (6, 1)];
const HEATING: [(&str, u32); 4] = [("gas", 42), ("electric", 31), ("district", 21), ("wood", 6)];

fn code<S: serde::Serializer>(commune: &&'static Commune, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(commune.code)
}

pub(super) fn write(folder: &Path, households: &Households) -> Result<Written, TableError> {
    let mut table = Table::create(folder, "menages", "menages.csv")?;
    for household in households.all() {
        table.add(&household)?;
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_household_lives_in_one_commune(readings in 0_u64..5_000_000) {
            let households = Households::for_readings(readings, 1);
            let mut next = 0;
            for (_, numbers) in households.by_commune() {
                prop_assert_eq!(numbers.start, next);
                next = numbers.end;
            }
            prop_assert_eq!(next, households.count());
        }
    }

    #[test]
    fn larger_households_live_larger() {
        let households: Vec<Household> = Households::for_readings(600_000, 5).all().collect();
        let mean = |people: u32| {
            let surfaces: Vec<u32> =
                households.iter().filter(|one| one.people == people).map(|one| one.surface_m2).collect();
            surfaces.iter().sum::<u32>() / surfaces.len() as u32
        };
        assert!(mean(4) > mean(1) + 25);
    }
}

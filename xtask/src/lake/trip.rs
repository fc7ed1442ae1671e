//! Vehicle trips: each one (sensitive), and as matrices between communes without small cells (what vendors may
//! borrow).

use std::path::Path;

use serde::Serialize;

use super::{
    COMMUNES, Commune,
    dice::{self, Dice, tenths},
    household::{Household, Households},
    person::{self, Person},
    season::{Hour, WEEKS},
    table::{Table, TableError, Written},
};
use crate::progress::Wait;

#[derive(Debug, Serialize)]
struct Trip<'a> {
    person: &'a str,
    departure: String,
    origin: &'a str,
    destination: &'a str,
    vehicle: &'a str,
    kilometres: f64,
    minutes: u32,
}

#[derive(Debug, Serialize)]
struct Cell<'a> {
    season: &'a str,
    day: &'a str,
    slot: &'a str,
    origin: &'a str,
    destination: &'a str,
    trips: u32,
}

/// The fewest trips that a cell is published with.
const FEWEST: u32 = 5;
const DAYS: [&str; 2] = ["working day", "weekend"];
/// Slots of the day and the hour at which each ends.
const SLOTS: [(&str, u32); 5] = [("night", 6), ("morning", 10), ("midday", 15), ("evening", 20), ("late evening", 24)];

pub(super) fn write(folder: &Path, households: &Households, wait: &mut Wait) -> Result<[Written; 2], TableError> {
    let mut trips = Trips {
        table: Table::create(folder, "trajets-vehicules", "trajets.csv")?,
        cells: vec![0; WEEKS.len() * DAYS.len() * SLOTS.len() * COMMUNES.len() * COMMUNES.len()],
    };
    for household in households.all() {
        wait.advance(1);
        if household.cars == 0 {
            continue;
        }
        let mut dice = Dice::new(households.seed(), dice::TRIP, household.number);
        let vehicle = dice.pick(&VEHICLES, |(_, weight)| *weight).map_or("car", |(vehicle, _)| vehicle);
        // No more drivers than cars.
        let drivers = person::of(&household).filter(|person| person.age >= 18).take(household.cars as usize);
        for driver in drivers {
            trips.add_driver(&household, &driver, vehicle, &mut dice)?;
        }
    }
    let matrix = write_matrix(folder, &trips.cells)?;
    Ok([trips.table.finish()?, matrix])
}

const VEHICLES: [(&str, u32); 4] = [("petrol car", 48), ("diesel car", 36), ("electric car", 12), ("motorcycle", 4)];

struct Trips {
    table: Table,
    cells: Vec<u32>,
}

impl Trips {
    fn add_driver(
        &mut self,
        household: &Household,
        driver: &Person,
        vehicle: &'static str,
        dice: &mut Dice,
    ) -> Result<(), TableError> {
        let home = household.commune;
        for day in Hour::midnights() {
            let errand = if day.weekend() { 0.55 } else { 0.3 };
            if let Some(work) = driver.destination.filter(|_| !day.weekend() && dice.chance(0.82)) {
                let out = dice.whole(6, 9);
                self.add(driver, day, out, (home, work), vehicle, dice)?;
                self.add(driver, day, out + dice.whole(8, 10), (work, home), vehicle, dice)?;
            }
            if let Some(there) = dice.pick(&COMMUNES, |it| it.people / 300 + 12).filter(|_| dice.chance(errand)) {
                let out = dice.whole(10, 19);
                self.add(driver, day, out, (home, there), vehicle, dice)?;
                self.add(driver, day, out + dice.whole(1, 3), (there, home), vehicle, dice)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        driver: &Person,
        day: Hour,
        hour: u32,
        (origin, destination): (&Commune, &Commune),
        vehicle: &str,
        dice: &mut Dice,
    ) -> Result<(), TableError> {
        let hour = hour.min(23);
        let kilometres = tenths(origin.kilometres_to(destination) * dice.between(0.85, 1.25));
        let speed = if matches!(hour, 7 | 8 | 17 | 18) { 24.0 } else { 33.0 } * dice.between(0.85, 1.15);
        if let Some(cell) = cell(day, hour, origin, destination).and_then(|at| self.cells.get_mut(at)) {
            *cell += 1;
        }
        self.table.add(&Trip {
            person: &driver.name,
            departure: day.stamp_at(hour, dice.whole(0, 59)),
            origin: origin.code,
            destination: destination.code,
            vehicle,
            kilometres,
            minutes: dice::rounded(3.0 + kilometres / speed * 60.0),
        })
    }
}

/// Where the matrices count such a trip.
fn cell(day: Hour, hour: u32, origin: &Commune, destination: &Commune) -> Option<usize> {
    let week = WEEKS.iter().position(|week| week.name == day.week.name)?;
    let slot = SLOTS.iter().position(|(_, end)| hour < *end)?;
    let place = |of: &Commune| COMMUNES.iter().position(|commune| commune == of);
    let (origin, destination) = (place(origin)?, place(destination)?);
    let row = (week * DAYS.len() + usize::from(day.weekend())) * SLOTS.len() + slot;
    Some((row * COMMUNES.len() + origin) * COMMUNES.len() + destination)
}

fn write_matrix(folder: &Path, cells: &[u32]) -> Result<Written, TableError> {
    let mut table = Table::create(folder, "matrices-deplacements", "matrices.csv")?;
    let mut counts = cells.iter();
    for season in WEEKS.iter().map(|week| week.name) {
        for day in DAYS {
            for slot in SLOTS.map(|(name, _)| name) {
                for origin in COMMUNES.iter().map(|commune| commune.code) {
                    for destination in COMMUNES.iter().map(|commune| commune.code) {
                        let trips = counts.next().copied().unwrap_or(0);
                        if trips >= FEWEST {
                            table.add(&Cell { season, day, slot, origin, destination, trips })?;
                        }
                    }
                }
            }
        }
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trip_has_a_cell_of_its_own_kind() {
        let mut seen = std::collections::BTreeSet::new();
        for midnight in Hour::midnights().filter(|hour| hour.day == 0 || hour.day == 6) {
            for hour in [0, 7, 12, 16, 22] {
                for origin in &COMMUNES {
                    for destination in &COMMUNES {
                        assert!(seen.insert(cell(midnight, hour, origin, destination).unwrap()));
                    }
                }
            }
        }
        assert_eq!(seen.last().unwrap() + 1, seen.len());
    }

    #[test]
    fn small_cells_stay_out_of_the_matrices() {
        let folder = tempfile::tempdir().unwrap();
        let mut cells = vec![0; 24 * 24];
        cells[0] = FEWEST;
        cells[1] = FEWEST - 1;
        assert_eq!(write_matrix(folder.path(), &cells).unwrap().rows, 1);
    }
}

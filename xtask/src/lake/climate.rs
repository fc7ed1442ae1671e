//! Temperature and humidity indoors: by household (sensitive), and as means over blocks of neighbours (what vendors
//! may borrow).

use std::{ops::Range, path::Path};

use serde::Serialize;

use super::{
    Commune, HOURS,
    dice::{self, Dice, tenths},
    household::{Household, Households},
    season::Hour,
    table::{Table, TableError, Written},
    weather::{Observation, Weather},
};
use crate::progress::Wait;

#[derive(Debug, Serialize)]
struct Reading {
    household: u64,
    time: String,
    temperature: f64,
    humidity: f64,
}

#[derive(Debug, Serialize)]
struct BlockMean<'a> {
    block: &'a str,
    commune: &'a str,
    time: String,
    dwellings: u32,
    temperature: f64,
    humidity: f64,
}

/// Dwellings in a block, and the fewest that a block is published with.
const BLOCK: usize = 8;
const FEWEST: u32 = 5;

pub(super) fn write(
    folder: &Path,
    households: &Households,
    weather: &Weather,
    wait: &mut Wait,
) -> Result<[Written; 2], TableError> {
    let mut files = Files {
        dwellings: Table::create(folder, "climat-logements", "capteurs.csv")?,
        blocks: Table::create(folder, "climat-interieur", "ilots.csv")?,
    };
    for (commune, numbers) in households.by_commune() {
        wait.advance(numbers.end - numbers.start);
        files.add_commune(commune, numbers, households, weather)?;
    }
    Ok([files.dwellings.finish()?, files.blocks.finish()?])
}

struct Files {
    dwellings: Table,
    blocks: Table,
}

impl Files {
    fn add_commune(
        &mut self,
        commune: &'static Commune,
        numbers: Range<u64>,
        households: &Households,
        weather: &Weather,
    ) -> Result<(), TableError> {
        let mut sensored = households.sensored(commune, numbers).peekable();
        let mut number = 0;
        while sensored.peek().is_some() {
            number += 1;
            let mut block = Block::default();
            for household in sensored.by_ref().take(BLOCK) {
                self.add_household(&household, weather, &mut block)?;
            }
            self.add_block(&format!("{}-{number:04}", commune.code), commune, &block)?;
        }
        Ok(())
    }

    fn add_household(&mut self, household: &Household, weather: &Weather, block: &mut Block) -> Result<(), TableError> {
        let mut dice = Dice::new(household.seed, dice::CLIMATE, household.number);
        let taste = 19.6 + dice.bell() * 0.9;
        block.dwellings += 1;
        for ((hour, seen), sum) in weather.hours().zip(&mut block.sums) {
            let (temperature, humidity) = indoors(taste, household, hour, seen, &mut dice);
            sum.0 += temperature;
            sum.1 += humidity;
            self.dwellings.add(&Reading { household: household.number, time: hour.stamp(), temperature, humidity })?;
        }
        Ok(())
    }

    fn add_block(&mut self, name: &str, commune: &Commune, block: &Block) -> Result<(), TableError> {
        if block.dwellings < FEWEST {
            return Ok(());
        }
        let dwellings = f64::from(block.dwellings);
        for (hour, (temperature, humidity)) in Hour::all().zip(&block.sums) {
            self.blocks.add(&BlockMean {
                block: name,
                commune: commune.code,
                time: hour.stamp(),
                dwellings: block.dwellings,
                temperature: tenths(temperature / dwellings),
                humidity: tenths(humidity / dwellings),
            })?;
        }
        Ok(())
    }
}

/// Sums by hour.
struct Block {
    dwellings: u32,
    sums: Vec<(f64, f64)>,
}

impl Default for Block {
    fn default() -> Self {
        Self { dwellings: 0, sums: vec![(0.0, 0.0); HOURS] }
    }
}

fn indoors(taste: f64, household: &Household, hour: Hour, seen: &Observation, dice: &mut Dice) -> (f64, f64) {
    // Heated to taste, a little less at night; in summer the walls follow the weather.
    let night = if hour.hour < 6 { -1.1 } else { 0.0 };
    let heated = taste + night;
    let adrift = 20.5 + (seen.temperature - 16.0) * 0.45;
    let temperature = heated.max(adrift) + dice.bell() * 0.25;
    let cooking = if matches!(hour.hour, 7 | 12 | 19 | 20) { 4.0 } else { 0.0 };
    let humidity = 36.0 + seen.humidity * 0.12 + f64::from(household.people) * 1.3 + cooking + dice.bell() * 1.8;
    (tenths(temperature), tenths(humidity.clamp(20.0, 90.0)))
}

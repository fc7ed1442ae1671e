//! The people of the households, and where each goes on a working day.

use std::path::Path;

use serde::Serialize;

use super::{
    COMMUNES, Commune,
    dice::{self, Dice},
    household::{Household, Households},
    table::{Table, TableError, Written},
};

/// A person, as the row has them.
#[derive(Debug, Serialize)]
pub(super) struct Person {
    #[serde(rename = "person")]
    pub(super) name: String,
    household: u64,
    pub(super) age: u32,
    pub(super) activity: &'static str,
    /// Where they work or learn.
    #[serde(serialize_with = "code")]
    pub(super) destination: Option<&'static Commune>,
}

/// The people of a household.
pub(super) fn of(household: &Household) -> impl Iterator<Item = Person> {
    let mut dice = Dice::new(household.seed, dice::PERSON, household.number);
    // Three and more are mostly parents with children.
    let eldest = if household.people >= 3 { dice.whole(30, 58) } else { dice.whole(19, 88) };
    (0..household.people).map(move |place| {
        let age = match place {
            0 => eldest,
            1 => eldest.saturating_sub(dice.whole(0, 7)).max(18),
            _ => eldest.saturating_sub(dice.whole(23, 38)).clamp(0, 24),
        };
        let activity = activity(age, &mut dice);
        let travels = matches!(activity, "works" | "studies" | "at school");
        let destination = if travels { destination(household.commune, &mut dice) } else { None };
        Person {
            name: format!("{}-{}", household.number, place + 1),
            household: household.number,
            age,
            activity,
            destination,
        }
    })
}

fn activity(age: u32, dice: &mut Dice) -> &'static str {
    match age {
        0..=2 => "at home",
        3..=17 => "at school",
        18..=24 if dice.chance(0.6) => "studies",
        18..=63 if dice.chance(0.78) => "works",
        18..=63 => "at home",
        _ => "retired",
    }
}

/// One in three stays in the commune; the others go where the people are.
fn destination(home: &'static Commune, dice: &mut Dice) -> Option<&'static Commune> {
    if dice.chance(0.33) { Some(home) } else { dice.pick(&COMMUNES, |commune| commune.people / 100 + 10) }
}

fn code<S: serde::Serializer>(commune: &Option<&'static Commune>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(commune.map_or("", |commune| commune.code))
}

pub(super) fn write(folder: &Path, households: &Households) -> Result<Written, TableError> {
    let mut table = Table::create(folder, "personnes", "personnes.csv")?;
    for household in households.all() {
        for person in of(&household) {
            table.add(&person)?;
        }
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_has_its_people_and_an_adult() {
        for household in Households::for_readings(300_000, 9).all() {
            let people: Vec<Person> = of(&household).collect();
            assert_eq!(people.len(), household.people as usize);
            assert!(people.iter().any(|person| person.age >= 18));
            assert!(people.iter().all(|person| person.age <= 90));
        }
    }
}

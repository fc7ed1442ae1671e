//! The city that honest analysts ask: two weeks of trips.

use super::{
    dice::Dice,
    table::{Column, DAY, Partner, Role, Table, Value, day},
};

/// Trips of so many persons, each of a household of one to three.
pub fn trips(name: &str, persons: usize, seed: u64) -> Table {
    let mut dice = Dice::new(seed);
    let mut rows = Vec::new();
    let mut household = 0;
    let mut home = 0;
    for person in 0..persons {
        if person == 0 || dice.chance(0.5) {
            household += 1;
            home = dice.below(ZONES.len());
        }
        let age = dice.between(6, 92);
        let status = match age {
            ..=17 => "student",
            18..=24 if dice.chance(0.5) => "student",
            18..=63 if dice.chance(0.8) => "worker",
            18..=63 => "other",
            _ => "retired",
        };
        for _ in 0..dice.between(3, 8) {
            rows.push(trip(&mut dice, person, household, home, age, status));
        }
    }
    dice.shuffle(&mut rows);
    Table { rows, ..empty(name) }
}

fn trip(dice: &mut Dice, person: usize, household: usize, home: usize, age: i64, status: &'static str) -> Vec<Value> {
    // Two peaks, and little at night; fewer trips at weekends.
    let hour = match dice.below(10) {
        0..=2 => dice.between(7, 9),
        3..=5 => dice.between(16, 19),
        6..=8 => dice.between(10, 15),
        _ => *dice.one(&[5, 6, 20, 21, 22, 23, 0, 1]),
    };
    let of = if dice.chance(0.85) { dice.between(0, 4) } else { dice.between(5, 6) } + 7 * dice.between(0, 1);
    let second = (day(2025, 3, 3) + of) * DAY + hour * 3_600 + dice.between(0, 3_599);
    let origin = if dice.chance(0.6) { home } else { dice.below(ZONES.len()) };
    let destination = if dice.chance(0.3) { home } else { dice.below(ZONES.len()) };
    let apart = origin.abs_diff(destination).min(ZONES.len() - origin.abs_diff(destination)) as i64;
    let metres = 400 + apart * 1_800 + dice.between(0, 2_500);
    let mode = match metres {
        ..=1_500 if dice.chance(0.7) => "walk",
        _ if age < 18 => *dice.one(&["bus", "bike", "tram", "walk"]),
        ..=5_000 => *dice.one(&["bike", "bus", "car", "tram", "car", "walk"]),
        _ => *dice.one(&["car", "car", "car", "bus", "train", "tram"]),
    };
    let speed = match mode {
        "walk" => 75,
        "bike" => 240,
        "bus" | "tram" => 290,
        "train" => 700,
        _ => 450,
    };
    let minutes = 3 + metres / speed + dice.between(0, 9);
    let place = 2 * home as i64 + (household % 2) as i64;
    vec![
        Value::Name(format!("p{person:05}")),
        Value::Name(format!("h{household:05}")),
        Value::Moment(second),
        Value::Text(ZONES[origin]),
        Value::Text(ZONES[destination]),
        Value::Text(mode),
        Value::Whole(age),
        Value::Text(status),
        Value::Whole(metres),
        Value::Whole(minutes),
        Value::Whole(if mode == "walk" { 0 } else { 50 + metres / 40 }),
        Value::Whole(i64::from(dice.chance(0.12))),
        Value::Text(dice.one::<&str>(&["work", "work", "school", "leisure", "shopping", "health"])),
        Value::Whole(place),
        Value::Whole(density(place)),
    ]
}

fn density(place: i64) -> i64 {
    8 + place * 11 % 40
}

fn empty(name: &str) -> Table {
    let own = Column::own;
    let points = &[1_000, 2_000, 5_000, 10_000];
    Table {
        name: name.to_owned(),
        columns: vec![
            own("person", Role::Identifier),
            own("household", Role::Identifier),
            own("departure", Role::Calendar { from: "2025-03-03", to: "2025-03-17", period: "hour" }),
            own("origin", Role::Listed(ZONES.to_vec(), AREAS)),
            own("destination", Role::Listed(ZONES.to_vec(), AREAS)),
            own("mode", Role::Listed(MODES.to_vec(), MODE_GROUPS)),
            own("age", Role::Cuts(&[15, 30, 45, 60, 75])),
            own("status", Role::Listed(vec!["other", "retired", "student", "worker"], &[])),
            own("metres", Role::Measure { clamps: [0, 30_000], points }),
            own("minutes", Role::Measure { clamps: [0, 180], points: &[10, 20, 30, 60] }),
            own("cost", Role::Measure { clamps: [0, 2_000], points: &[] }),
            own("late", Role::Indicator),
            own("purpose", Role::Category),
            own("place", Role::JoinKey("places")),
            Column { through: Some("places"), ..own("density", Role::Cuts(DENSITIES)) },
        ],
        units: &["person", "household"],
        rows: Vec::new(),
        later: Vec::new(),
        partner: Partner {
            name: "places",
            columns: ["place", "density"],
            cuts: DENSITIES,
            rows: (0..2 * ZONES.len() as i64).map(|place| [place, density(place)]).collect(),
        },
    }
}

/// Zones, in a ring.
pub const ZONES: [&str; 12] = ["z01", "z02", "z03", "z04", "z05", "z06", "z07", "z08", "z09", "z10", "z11", "z12"];
/// Groups of zones.
pub const CENTRE: &[&str] = &["z01", "z02", "z03"];
/// The other one.
pub const EAST: &[&str] = &["z04", "z05", "z06", "z07"];
const AREAS: &[(&str, &[&str])] = &[("centre", CENTRE), ("east", EAST)];
/// Modes.
pub const MODES: [&str; 6] = ["bike", "bus", "car", "train", "tram", "walk"];
/// Without a motor.
pub const SOFT: &[&str] = &["bike", "walk"];
/// On a line.
pub const PUBLIC: &[&str] = &["bus", "train", "tram"];
const MODE_GROUPS: &[(&str, &[&str])] = &[("soft", SOFT), ("public", PUBLIC)];
const DENSITIES: &[i64] = &[15, 25, 35];

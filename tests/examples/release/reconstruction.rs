//! Small groups, rebuilt from many sums over large ones.

use std::thread;

use octroi_tests::{
    City,
    attack::{
        arena,
        gate::{Live, Open, Protection},
        hamlet::{hamlet, rebuild},
        table::{Table, Terms},
    },
};

use super::{Bench, TICK};

pub(super) fn measure(bench: &Bench<'_>) {
    let city = bench.city(TICK);
    let tables: Vec<Table> = (0..HAMLETS).map(|seed| hamlet(&format!("hamlet{seed}"), PERSONS, seed)).collect();
    arena::host(&city, "hamlets", bench.backend, &tables, Terms::default());
    bench.say(&format!("## Reconstruction by {QUESTIONS} questions, zones of kind {}\n", bench.backend));
    let mut beyond = Vec::new();
    thread::scope(|scope| {
        let lanes: Vec<_> = tables
            .iter()
            .zip(0..)
            .map(|(table, seed)| {
                let city = &city;
                scope.spawn(move || attacked(bench, city, table, seed))
            })
            .collect();
        beyond.extend(lanes.into_iter().map(|lane| lane.join().expect("nobody panicked")));
    });
    bench.figure("rebuilt.beyond", beyond.iter().sum::<f64>() / beyond.len() as f64);
    bench.figure("rebuilt.worst", beyond.into_iter().fold(f64::MIN, f64::max));
}

/// By how many points of a hundred more groups are known than without asking.
fn attacked(bench: &Bench<'_>, city: &City, table: &Table, seed: u64) -> f64 {
    let mut live = Live::new(city, "hamlets", table, bench.backend);
    // Counts are rounded to fives: an error spread evenly over five.
    let rebuilt = rebuild(&mut live, table, QUESTIONS, 25.0 / 12.0, seed);
    let mut open = Open::new(table, Protection::CellRules);
    let peer = rebuild(&mut open, table, QUESTIONS, 1e-6, seed);
    bench.say(&format!("{}: {rebuilt:?}\n    by the cell rules alone: {peer:?}", table.name));
    bench.figure("rebuilt.share", 100.0 * rebuilt.share);
    bench.figure("rebuilt.prior", 100.0 * rebuilt.prior);
    bench.figure("rebuilt.told", rebuilt.told as f64);
    bench.figure("rebuilt.refused", rebuilt.refused as f64);
    bench.figure("rebuilt.rules", 100.0 * peer.share);
    100.0 * (rebuilt.share - rebuilt.prior)
}

const HAMLETS: u64 = 3;
const PERSONS: usize = 1_200;
const QUESTIONS: usize = 400;

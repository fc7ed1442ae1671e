//! Differences of sums in parts: nobody asked for all, nor for all but the few, and both are there.

use std::collections::{BTreeMap, BTreeSet};

use super::fixture::{LEAST, OUTSIDE, World, ask, cell, empty_outside, facts, place, release, settle};
use crate::{
    history::{Audit, Cell, Counted, History, Quantity, Setting, Unit, Verdict},
    space::{BinSet, Dimension, Region},
};

const WORK: usize = 0;
const AGE: usize = 1;
const TENURE: usize = 2;

/// Many of three works, ages and tenures, and three farmers: of work 3, two of them of the first age.
fn village() -> World {
    let many = (0..3).flat_map(|work| (0..4).flat_map(move |age| (0..2).map(move |tenure| (12, [work, age, tenure]))));
    World::new(&many.chain([(2, [3, 0, 0]), (1, [3, 1, 1])]).collect::<Vec<_>>())
}

fn all() -> Region {
    Region::all(facts())
}

fn within(dimension: usize, from: u32, to: u32) -> Region {
    all().within(place(dimension), BinSet::range(from, to))
}

fn all_but_farmers() -> Region {
    within(WORK, 0, 3)
}

fn cells(world: &World, regions: &[Region]) -> Vec<Cell> {
    regions.iter().map(|region| cell(world, region.clone())).collect()
}

/// What is withheld of the last of several answers.
fn last(world: &World, answers: &[Vec<Region>]) -> Verdict {
    let (last, before) = answers.split_last().unwrap();
    let mut history = History::default();
    for (number, asked) in before.iter().enumerate() {
        let asked = cells(world, asked);
        let told = asked.len();
        ask(world, &mut history, asked, &empty_outside());
        assert_eq!(history.releases()[number].cells.len(), told, "what comes before leaves whole");
    }
    settle(world, &history, &cells(world, last), &empty_outside())
}

#[test]
fn two_parts_less_all_but_a_few() {
    let world = village();
    for (from, to) in [(1, 4), (2, 4), (1, OUTSIDE)] {
        let parts = vec![within(AGE, 0, from), within(AGE, from, to)];
        assert_eq!(last(&world, &[vec![all_but_farmers()], parts.clone()]).withheld().len(), 1, "parts last");
        assert_eq!(last(&world, &[parts.clone(), vec![all_but_farmers()]]).withheld().len(), 1, "parts first");
        // One after the other, by whoever.
        let [one, other] = [vec![parts[0].clone()], vec![parts[1].clone()]];
        let many = vec![all_but_farmers()];
        for answers in [[&one, &other, &many], [&one, &many, &other], [&many, &other, &one]] {
            assert_eq!(last(&world, &answers.map(Clone::clone)).withheld().len(), 1);
        }
    }
}

#[test]
fn parts_that_are_told_with_missing_values_leave_the_few_exactly() {
    let world = village();
    let parts = vec![within(AGE, 0, 2), all().within(place(AGE), BinSet::range(2, u32::MAX))];
    assert_eq!(last(&world, &[vec![all_but_farmers()], parts]).withheld().len(), 1);
}

#[test]
fn three_parts_by_three_questions() {
    let world = village();
    let parts = [(0, 1), (1, 2), (2, 4)].map(|(from, to)| vec![within(AGE, from, to)]);
    let [one, two, three] = parts;
    assert_eq!(last(&world, &[one, vec![all_but_farmers()], two, three]).withheld().len(), 1);
}

#[test]
fn parts_of_one_dimension_less_parts_of_another() {
    let world = village();
    let ages: Vec<Region> = (0..4).map(|age| within(AGE, age, age + 1)).collect();
    let tenures: Vec<Region> =
        (0..2).map(|tenure| all_but_farmers().within(place(TENURE), BinSet::one(tenure))).collect();
    assert!(!last(&world, &[ages.clone(), tenures.clone()]).withheld().is_empty());
    assert!(!last(&world, &[tenures, ages]).withheld().is_empty());
}

#[test]
fn some_parts_were_told_before() {
    // The new question has a cell that was told before, so that only the other one is new.
    let world = village();
    let parts = vec![within(AGE, 0, 2), within(AGE, 2, 4)];
    let before = vec![within(AGE, 0, 2)];
    assert_eq!(last(&world, &[before, vec![all_but_farmers()], parts]).withheld().len(), 1);
}

#[test]
fn what_a_load_adds_is_not_told_by_parts() {
    let mut world = village();
    let mut history = History::default();
    ask(&world, &mut history, cells(&world, &[all()]), &empty_outside());
    world.load(&[(2, [0, 0, 0]), (1, [1, 2, 0])]);
    let parts = cells(&world, &[within(AGE, 0, 2), within(AGE, 2, 4)]);
    assert_eq!(settle(&world, &history, &parts, &empty_outside()).withheld().len(), 1);
    // Nor of what is enough.
    world.load(&[(LEAST as usize, [0, 0, 0])]);
    let parts = cells(&world, &[within(AGE, 0, 2), within(AGE, 2, 4)]);
    assert!(settle(&world, &history, &parts, &empty_outside()).withheld().is_empty());
}

#[test]
fn parts_of_which_enough_are_left_pass() {
    let mut world = village();
    world.rows.extend(
        World::new(&[(LEAST as usize, [3, 2, 1])])
            .rows
            .into_iter()
            .map(|(subject, point, load)| (subject + 10_000, point, load)),
    );
    let parts = vec![within(AGE, 0, 2), within(AGE, 2, 4)];
    assert!(last(&world, &[vec![all_but_farmers()], parts]).withheld().is_empty());
}

/// The subject that the facts' own one leads to is not counted where nothing is joined, and is the same.
#[test]
fn answers_with_and_without_a_join_are_held_against_each_other_by_whom_both_know() {
    let world = World::new(&[]);
    let through = |column: &str| Dimension::own(&format!("home>d/homes.{column}"));
    let (own, led) = (Unit("home".into()), Unit("home>d/homes.home".into()));
    let hours: Vec<Cell> = (0..24)
        .map(|hour| Cell {
            region: all().within(place(AGE), BinSet::one(hour)),
            quantities: BTreeSet::from([Quantity::Sum("energy".into())]),
            subjects: BTreeMap::from([(own.clone(), 2_000)]),
        })
        .collect();
    let homes = (0..20).flat_map(|commune| (0..5).map(move |heating| (commune, heating)));
    let homes: Vec<Cell> = homes
        .map(|(commune, heating)| Cell {
            region: all()
                .within(through("commune"), BinSet::one(commune))
                .within(through("heating"), BinSet::one(heating)),
            quantities: BTreeSet::from([Quantity::Sum("energy".into())]),
            subjects: BTreeMap::from([(own.clone(), 20), (led.clone(), 20)]),
        })
        .collect();
    let mut history = History::default();
    history.append(release(&world, 1, hours)).unwrap();
    let mut audit = Audit::open(&history, &homes, &world.setting(&[]));
    let (mut counted, enough) = (0, Counted { rows: 100, subjects: 20, dominated: false });
    while !audit.pending().is_empty() {
        counted += audit.pending().len();
        audit.count(&vec![enough; audit.pending().len()]).unwrap();
    }
    assert!(counted < 2_000, "{counted}");
    assert_eq!(audit.settle().unwrap().withheld(), &BTreeMap::new());
}

#[test]
fn that_nobody_is_without_a_partner_tells_nothing() {
    let world = World::new(&[(12, [0, 0, 0])]);
    let partner = |bins| all().within(Dimension::own("home>d/homes.*"), bins);
    let known = vec![partner(BinSet::range(1, u32::MAX))];
    let without = |rows, known: Vec<Region>| {
        let mut history = History::default();
        ask(&world, &mut history, cells(&world, &[within(AGE, 0, 1)]), &[]);
        let joined = Cell {
            region: within(AGE, 0, 1).within(Dimension::own("home>d/homes.*"), BinSet::one(0)),
            ..cell(&world, within(AGE, 0, 1))
        };
        let mut audit = Audit::open(&history, &[joined], &Setting { known, ..world.setting(&[]) });
        let nobody = Counted { rows: 0, subjects: 0, dominated: false };
        while !audit.pending().is_empty() {
            // Of one age nobody is; of all, so many rows are.
            let of_all = |region: &Region| region.bins(&place(AGE)).is_none();
            let counts = audit.pending().iter().map(|left| match left.regions.iter().all(of_all) {
                true => Counted { rows, ..nobody },
                false => nobody,
            });
            let counts: Vec<Counted> = counts.collect();
            audit.count(&counts).unwrap();
        }
        audit.settle().unwrap().may_leave(0)
    };
    assert!(without(0, known.clone()));
    assert!(!without(3, known), "somebody is, and everybody knows who");
    assert!(!without(0, Vec::new()));
}

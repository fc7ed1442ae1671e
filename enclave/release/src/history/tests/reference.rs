//! What an analyst can make of all that left, by listing points.

use std::collections::BTreeSet;

use super::fixture::{LEAST, OUTSIDE, World, has};
use crate::history::{History, loads};

type Point = ([u32; 3], u32);
type Points = BTreeSet<Point>;

/// A difference that is of few, if there is one: of a cell and one inside it, of a cell and all cells of one release
/// inside it, or of two releases where those share no row; of two that overlap, where both rests are few.
pub(super) fn fault(world: &World, history: &History) -> Option<String> {
    let releases: Vec<Vec<Points>> = history
        .releases()
        .iter()
        .map(|release| {
            let read = release.versions.0.values().next().unwrap();
            release.cells.iter().map(|cell| points(&cell.region.clone().within(loads(), read.clone()))).collect()
        })
        .collect();
    let cells: Vec<&Points> = releases.iter().flatten().collect();
    let mut faults = Vec::new();
    for outer in &cells {
        let within = |cells: &[Points]| -> Points {
            cells.iter().filter(|cell| cell.is_subset(outer)).flatten().copied().collect()
        };
        let siblings: Vec<Points> = releases.iter().map(|cells| within(cells)).collect();
        for (place, one) in siblings.iter().enumerate().filter(|(_, one)| !one.is_empty()) {
            faults.push(left(world, outer, one, "siblings"));
            for other in siblings.iter().skip(place + 1).filter(|other| !other.is_empty() && other.is_disjoint(one)) {
                faults.push(left(world, outer, &(one | other), "siblings of two questions"));
            }
        }
        for inner in cells.iter().filter(|inner| !inner.is_disjoint(outer)) {
            if inner.is_subset(outer) {
                faults.push(left(world, outer, inner, "a cell and one inside it"));
            } else if !outer.is_subset(inner) {
                let (ours, theirs) = (*outer - *inner, *inner - *outer);
                let both_empty = rows(world, &ours) + rows(world, &theirs) == 0 && vacant(&ours) && vacant(&theirs);
                if subjects(world, &ours) < LEAST && subjects(world, &theirs) < LEAST && !both_empty {
                    faults.push(Some(format!("two that overlap: {ours:?} and {theirs:?}")));
                }
            }
        }
    }
    faults.into_iter().flatten().next()
}

/// What is left, if it is of few: of nobody too, unless nobody is looked for there, or there is no such point.
fn left(world: &World, outer: &Points, inner: &Points, what: &str) -> Option<String> {
    let left = outer - inner;
    let few = match rows(world, &left) {
        0 => !vacant(&left),
        _ => subjects(world, &left) < LEAST,
    };
    few.then(|| format!("{what}: {left:?}"))
}

fn points(region: &crate::space::Region) -> Points {
    let bins = || 0..=OUTSIDE;
    let all = bins().flat_map(|x| bins().flat_map(move |y| bins().map(move |z| [x, y, z])));
    all.flat_map(|point| (0..3).map(move |load| (point, load)))
        .filter(|(point, load)| has(region, *point, *load))
        .collect()
}

fn rows(world: &World, points: &Points) -> usize {
    world.rows.iter().filter(|(_, point, load)| points.contains(&(*point, *load))).count()
}

fn subjects(world: &World, points: &Points) -> u64 {
    let on = world.rows.iter().filter(|(_, point, load)| points.contains(&(*point, *load)));
    on.map(|(subject, _, _)| *subject).collect::<BTreeSet<u64>>().len() as u64
}

/// Only points outside of the declared bins.
fn vacant(points: &Points) -> bool {
    points.iter().all(|(point, _)| point.contains(&OUTSIDE))
}

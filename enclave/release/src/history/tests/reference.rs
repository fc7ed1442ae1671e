//! What an analyst can make of all that left, by listing points.

use std::collections::BTreeSet;

use super::fixture::{LEAST, OUTSIDE, World, has};
use crate::history::{History, loads};

type Point = ([u32; 3], u32);
type Points = BTreeSet<Point>;

/// A difference that is of few, if there is one: of a cell and one inside it, of a cell and all cells of one release
/// inside it, or of two releases where those share no row; of two that overlap, where both rests are few.
pub(super) fn fault(world: &World, history: &History) -> Option<String> {
    let releases = cells(history);
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

/// A difference of unions that is of few, if there is one: of each cell of one release and the cells of another that meet
/// it, beside all cells of the former's release that lie in these; and of all that hangs together of two releases.
pub(super) fn fault_of_unions(world: &World, history: &History) -> Option<String> {
    let releases = cells(history);
    let together = |cells: &[&Points]| -> Points { cells.iter().copied().flatten().copied().collect() };
    for (place, one) in releases.iter().enumerate() {
        for (other_place, other) in releases.iter().enumerate().filter(|(other, _)| *other != place) {
            for cell in other {
                let meeting: Vec<&Points> = one.iter().filter(|it| !it.is_disjoint(cell)).collect();
                if meeting.len() < 2 {
                    continue;
                }
                let outer = together(&meeting);
                let inner: Vec<&Points> = other.iter().filter(|it| *it == cell || it.is_subset(&outer)).collect();
                if let Some(fault) = apart(world, &outer, &together(&inner)) {
                    return Some(format!("of {place} and {other_place}: {fault}"));
                }
                let (mut ours, mut theirs) = (outer, cell.clone());
                loop {
                    let near = |points: &Points, cells: &[Points]| -> Points {
                        cells.iter().filter(|it| !it.is_disjoint(points)).flatten().copied().collect()
                    };
                    let (more, others) = (near(&theirs, one), near(&ours, other));
                    if more == ours && others == theirs {
                        break;
                    }
                    (ours, theirs) = (more, others);
                }
                if let Some(fault) = apart(world, &ours, &theirs) {
                    return Some(format!("all of {place} and {other_place} that hangs together: {fault}"));
                }
            }
        }
    }
    None
}

fn apart(world: &World, outer: &Points, inner: &Points) -> Option<String> {
    let (ours, theirs) = (outer - inner, inner - outer);
    match (ours.is_empty(), theirs.is_empty()) {
        (true, true) => None,
        (false, true) => left(world, outer, inner, "a union and what is inside it"),
        (true, false) => left(world, inner, outer, "a union and what is inside it"),
        (false, false) => {
            let nobody = rows(world, &ours) + rows(world, &theirs) == 0 && vacant(&ours) && vacant(&theirs);
            let few = subjects(world, &ours) < LEAST && subjects(world, &theirs) < LEAST;
            (few && !nobody).then(|| format!("two unions that overlap: {ours:?} and {theirs:?}"))
        }
    }
}

fn cells(history: &History) -> Vec<Vec<Points>> {
    let of_release = |release: &crate::history::Release| {
        let read = release.versions.0.values().next().unwrap();
        release.cells.iter().map(|cell| points(&cell.region.clone().within(loads(), read.clone()))).collect()
    };
    history.releases().iter().map(of_release).collect()
}

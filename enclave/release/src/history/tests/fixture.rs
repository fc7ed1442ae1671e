//! A table of three dimensions with bins 0 to 3, and 4 for what lies outside; questions about it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::{
    history::{Audit, Cell, Counted, History, Quantity, Release, Setting, Unit, Verdict, Versions, loads},
    space::{BinSet, Dimension, Facts, Region},
};

pub(super) const LEAST: u64 = 4;
pub(super) const OUTSIDE: u32 = 4;

/// Rows: subject, point, load.
pub(super) struct World {
    pub(super) rows: Vec<(u64, [u32; 3], u32)>,
    pub(super) loads: BinSet,
}

/// A grouping by some dimensions, of rows cut by some.
#[derive(Debug, Clone)]
pub(super) struct Question {
    by: Vec<usize>,
    cut: Vec<(usize, u32, u32)>,
}

impl World {
    /// So many subjects with a row each on each point.
    pub(super) fn new(subjects: &[(usize, [u32; 3])]) -> Self {
        let mut world = Self { rows: Vec::new(), loads: BinSet::one(0) };
        world.add(subjects, 0);
        world
    }

    pub(super) fn load(&mut self, subjects: &[(usize, [u32; 3])]) {
        let next = self.next();
        self.loads = self.loads.or(&BinSet::one(next));
        self.add(subjects, next);
    }

    pub(super) fn replace(&mut self, subjects: &[(usize, [u32; 3])]) {
        let next = self.next();
        self.loads = BinSet::one(next);
        self.rows.clear();
        self.add(subjects, next);
    }

    fn next(&self) -> u32 {
        self.loads.runs().map(|(_, to)| to).max().unwrap_or(0)
    }

    fn add(&mut self, subjects: &[(usize, [u32; 3])], load: u32) {
        for (count, point) in subjects {
            let first = self.rows.len() as u64;
            self.rows.extend((first..first + *count as u64).map(|subject| (subject, *point, load)));
        }
    }

    pub(super) fn setting(&self, vacant: &[Region]) -> Setting {
        Setting { least: LEAST, current: self.versions(), vacant: vacant.to_vec(), known: Vec::new() }
    }

    pub(super) fn versions(&self) -> Versions {
        Versions(BTreeMap::from([(facts(), self.loads.clone())]))
    }

    pub(super) fn within<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = u64> + 'a {
        self.rows.iter().filter(|(_, point, load)| has(region, *point, *load)).map(|(subject, _, _)| *subject)
    }

    fn count(&self, regions: &[Region]) -> Counted {
        let rows: Vec<u64> = regions.iter().flat_map(|region| self.within(region)).collect();
        let subjects: BTreeSet<u64> = rows.iter().copied().collect();
        Counted { rows: rows.len() as u64, subjects: subjects.len() as u64, dominated: false }
    }
}

impl Question {
    /// Its cells that are about enough subjects.
    pub(super) fn cells(&self, world: &World) -> Vec<Cell> {
        let cut = self.cut.iter().fold(Region::all(facts()), |region, (dimension, from, width)| {
            region.within(place(*dimension), BinSet::range(*from, *from + *width))
        });
        grouped(world, &cut, &self.by)
    }
}

pub(super) fn groups(world: &World, by: &[usize]) -> Vec<Cell> {
    grouped(world, &Region::all(facts()), by)
}

fn grouped(world: &World, cut: &Region, by: &[usize]) -> Vec<Cell> {
    let regions = by.iter().fold(vec![cut.clone()], |regions, dimension| {
        let bins = |region: &Region| {
            let region = region.clone();
            (0..=OUTSIDE).map(move |bin| region.clone().within(place(*dimension), BinSet::one(bin))).collect::<Vec<_>>()
        };
        regions.iter().flat_map(bins).collect()
    });
    let cells = regions.into_iter().filter(|region| !region.is_empty()).map(|region| cell(world, region));
    cells.filter(|cell| cell.subjects.values().all(|count| *count >= LEAST)).collect()
}

pub(super) fn cell(world: &World, region: Region) -> Cell {
    let subjects = world.within(&region).collect::<BTreeSet<u64>>().len() as u64;
    Cell {
        region,
        quantities: BTreeSet::from([Quantity::Rows]),
        subjects: BTreeMap::from([(Unit("person".into()), subjects)]),
    }
}

pub(super) fn release(world: &World, sequence: u64, cells: Vec<Cell>) -> Release {
    Release {
        sequence,
        organisation: "university".into(),
        noise: None,
        question: [1; 32],
        answer: [2; 32],
        versions: world.versions(),
        cells,
    }
}

/// Audits, and records what may leave.
pub(super) fn ask(world: &World, history: &mut History, cells: Vec<Cell>, vacant: &[Region]) {
    let verdict = settle(world, history, &cells, vacant);
    let mut left = cells;
    let mut place = 0..;
    left.retain(|_| verdict.may_leave(place.next().unwrap()));
    let next = history.next();
    history.append(release(world, next, left)).unwrap();
}

pub(super) fn settle(world: &World, history: &History, cells: &[Cell], vacant: &[Region]) -> Verdict {
    let mut audit = Audit::open(history, cells, &world.setting(vacant));
    while !audit.pending().is_empty() {
        let counts: Vec<Counted> = audit.pending().iter().map(|left| world.count(&left.regions)).collect();
        audit.count(&counts).unwrap();
    }
    audit.settle().unwrap()
}

pub(super) fn has(region: &Region, point: [u32; 3], load: u32) -> bool {
    let on = |(dimension, bin): (usize, u32)| region.bins(&place(dimension)).is_none_or(|set| set.contains(bin));
    point.into_iter().enumerate().all(on) && region.bins(&loads()).is_none_or(|set| set.contains(load))
}

pub(super) fn empty_outside() -> Vec<Region> {
    (0..3).map(|dimension| Region::all(facts()).within(place(dimension), BinSet::range(OUTSIDE, u32::MAX))).collect()
}

pub(super) fn facts() -> Facts {
    Facts::new("d", "t")
}

pub(super) fn mode() -> Dimension {
    place(0)
}

pub(super) fn place(dimension: usize) -> Dimension {
    Dimension::own(&format!("d{dimension}"))
}

pub(super) fn point() -> impl Strategy<Value = [u32; 3]> {
    [0_u32..=OUTSIDE, 0_u32..=OUTSIDE, 0_u32..=1]
}

pub(super) fn question_of(by: Vec<usize>, cut: Vec<(usize, u32, u32)>) -> Question {
    Question { by, cut }
}

pub(super) fn question() -> impl Strategy<Value = Question> {
    let cut = proptest::collection::vec((0_usize..3, 0_u32..3, 1_u32..4), 0..3);
    (proptest::sample::subsequence(vec![0, 1, 2], 0..=3), cut).prop_map(|(by, cut)| Question { by, cut })
}

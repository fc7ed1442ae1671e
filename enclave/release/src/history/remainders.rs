//! Which differences of released sets must be looked at.
//!
//! A set that is made up of sets that are safe, without overlap, is safe: it has the subjects of each, and a subject or
//! two that hold at most a share of every part hold at most that share of the whole; the same goes for what the p-% rule
//! leaves over. So of a cell and the cells inside it, only what is left beside *as many disjoint ones as there are* need
//! be counted: what is left beside fewer of them is that and whole released cells.

use std::collections::{BTreeMap, BinaryHeap};

use super::{
    Quantity,
    blocks::Block,
    layers::{Field, Known},
};

/// What can be told apart, by places of cells in the field.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// The new cells without which it could not, by preference: the first that stands is withheld.
    pub(crate) parties: Vec<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Rows of a cell that none of those inside it has; `stale` if one of these was told of rows that were replaced since.
    Left { rows: Vec<Block>, told: u64, stale: bool },
    /// Rows of one cell alone, less rows of another alone.
    Crossing(Box<Crossing>),
    /// Subjects of a cell that have no row in the cell inside it; fewer than may be told apart.
    Apart,
    /// The same rows were told of before they were replaced.
    Replaced,
    /// More than can be counted.
    Countless,
}

/// Two cells that overlap.
#[derive(Debug, Clone)]
pub(crate) struct Crossing {
    pub(crate) ours: Vec<Block>,
    pub(crate) theirs: Vec<Block>,
    /// Of which quantities whoever stands out in both rests together is looked for.
    pub(crate) told: u64,
    /// It is known already that one of the rests is of enough subjects.
    pub(crate) many: bool,
    /// One of the cells was told of rows that were replaced since.
    pub(crate) stale: bool,
}

/// Looks through the cells of one field; `stands` says of each whether it still is to leave.
pub(crate) struct Search<'a> {
    pub(crate) field: &'a Field,
    pub(crate) stands: &'a [bool],
    pub(crate) least: u64,
    pub(crate) vacant: &'a dyn Fn(&[Block]) -> bool,
    pub(crate) findings: Vec<Finding>,
    pub(crate) held: Held,
}

/// How much was found, so that it stays bounded whatever was released: in blocks.
#[derive(Debug, Default)]
pub(crate) struct Held {
    of_cells: BTreeMap<usize, usize>,
    all: usize,
    steps: usize,
}

impl Search<'_> {
    /// All findings, in an order that depends on the cells alone.
    pub(crate) fn run(mut self) -> Vec<Finding> {
        let here: Vec<usize> =
            (0..self.field.cells.len()).filter(|place| self.stands.get(*place) == Some(&true)).collect();
        let fresh: Vec<usize> = here.iter().copied().filter(|place| self.is_new(*place)).collect();
        for outer in &here {
            let Some(cell) = self.field.cells.get(*outer) else { continue };
            let among = if cell.new.is_empty() { &fresh } else { &here };
            let inside = self.inside(*outer, cell, among);
            if inside.is_empty() {
                continue;
            }
            self.apart(*outer, cell, &inside);
            self.families(*outer, cell, &inside, &here);
        }
        let mut nearest = Nearest::default();
        for ours in fresh {
            self.replaced(ours, &here);
            self.crossings(ours, &here, &mut nearest);
        }
        self.together(nearest);
        self.findings
    }

    fn is_new(&self, place: usize) -> bool {
        self.field.cells.get(place).is_some_and(|cell| !cell.new.is_empty())
    }

    /// Places of the cells strictly inside one, whatever they tell: numbers that go by different names can be functions of
    /// each other, as those of who smokes, of who does not, and of all are.
    fn inside(&self, outer: usize, cell: &Known, among: &[usize]) -> Vec<usize> {
        let within = |other: &Known| cell.block.covers(&other.block) && cell.block != other.block;
        among
            .iter()
            .copied()
            .filter(|place| *place != outer && self.field.cells.get(*place).is_some_and(within))
            .collect()
    }

    /// Keeps a finding; of a cell with more than are kept, only that there are.
    fn find(&mut self, parties: Vec<usize>, kind: Kind) {
        let Some(first) = parties.first().copied() else { return };
        let blocks = 1 + match &kind {
            Kind::Left { rows, .. } => rows.len(),
            Kind::Crossing(crossing) => crossing.ours.len() + crossing.theirs.len(),
            Kind::Apart | Kind::Replaced | Kind::Countless => 0,
        };
        let of_cell = self.held.of_cells.entry(first).or_default();
        if *of_cell > MOST_OF_A_CELL {
            return;
        }
        *of_cell += blocks;
        if *of_cell > MOST_OF_A_CELL || self.held.all + blocks > MOST_OF_ALL {
            *of_cell = usize::MAX;
            self.findings.push(Finding { parties: vec![first], kind: Kind::Countless });
        } else {
            self.held.all += blocks;
            self.findings.push(Finding { parties, kind });
        }
    }

    /// Whether a cell is withheld for what was found of it, whatever else there is.
    fn is_full(&self, place: usize) -> bool {
        self.held.of_cells.get(&place).is_some_and(|blocks| *blocks > MOST_OF_A_CELL)
    }

    /// Those who can answer for a difference: the outer cell if it is new, then the new ones inside, the last one first.
    fn parties(&self, outer: usize, members: &[usize]) -> Vec<usize> {
        let inner = members.iter().rev().copied();
        std::iter::once(outer).chain(inner).filter(|place| self.is_new(*place)).collect()
    }

    /// Distinct subjects do not add up, but of one cell and one inside it they tell how many are in the outer one alone.
    fn apart(&mut self, outer: usize, cell: &Known, inside: &[usize]) {
        for (bit, quantity) in self.field.quantities.iter().enumerate() {
            let Quantity::Subjects(unit) = quantity else { continue };
            let unit = self.field.units.binary_search(unit).ok();
            let subjects = |cell: &Known| unit.and_then(|unit| cell.subjects.get(unit).copied().flatten());
            for place in inside {
                let Some(inner) = self.field.cells.get(*place).filter(|inner| cell.told & inner.told & (1 << bit) != 0)
                else {
                    continue;
                };
                let alone = subjects(cell).zip(subjects(inner)).map_or(0, |(all, within)| all.saturating_sub(within));
                if alone < self.least && !(alone == 0 && self.empty_tells_nothing(cell, inner)) {
                    self.find(self.parties(outer, &[*place]), Kind::Apart);
                }
            }
        }
    }

    fn empty_tells_nothing(&self, cell: &Known, inner: &Known) -> bool {
        cell.block.minus(&[&inner.block], MOST_PIECES).is_some_and(|left| (self.vacant)(&left))
    }

    /// What is left of a cell beside layers inside it: beside all cells, and of quantities that not all of them tell, also
    /// beside those that do, for whoever stands out.
    fn families(&mut self, outer: usize, cell: &Known, inside: &[usize], here: &[usize]) {
        let every = self.field.cells.iter().fold(u64::MAX, |every, cell| every & cell.told);
        let of_classes = self.field.classes.iter().copied().filter(|class| class & every == 0);
        let passes = of_classes.filter(|class| class & cell.told != 0).map(|class| (Some(class), class));
        let mut found = BTreeMap::new();
        for (telling, told) in passes.chain([(None, every & cell.told)]).collect::<Vec<_>>() {
            let seeds: Vec<usize> = inside.iter().copied().filter(|place| self.tells(*place, telling)).collect();
            // Of an earlier cell, only differences that a new one takes part in are new; earlier ones make them smaller.
            let others = match cell.new.is_empty() {
                false => seeds.clone(),
                true if seeds.is_empty() => continue,
                true => {
                    let all = self.inside(outer, cell, here);
                    all.into_iter().filter(|place| self.tells(*place, telling)).collect()
                }
            };
            let outer = Outer { place: outer, cell, told, others: &others };
            for (layer, seed) in self.layers(&seeds) {
                self.family(outer, layer, &seed, &mut found);
            }
        }
        for (rows, (parties, told, stale)) in found {
            self.find(parties, Kind::Left { rows, told, stale });
        }
    }

    /// Whether a cell tells one of these quantities; any does of no quantity in particular.
    fn tells(&self, place: usize, telling: Option<u64>) -> bool {
        telling.is_none_or(|bits| self.field.cells.get(place).is_some_and(|cell| cell.told & bits != 0))
    }

    /// What is left beside one layer, and beside that and each other layer that shares no row with it.
    fn family(&mut self, outer: Outer<'_>, of: usize, seed: &[usize], found: &mut Found) {
        if self.is_full(outer.place) {
            return;
        }
        let Some(left) = self.left(outer.cell, seed) else {
            return self.find(self.parties(outer.place, seed), Kind::Countless);
        };
        let free: Vec<usize> = outer.others.iter().copied().filter(|place| self.is_free(*place, &left, seed)).collect();
        if free.is_empty() {
            return self.keep(outer, seed, left, found);
        }
        let whole = if outer.cell.new.is_empty() { BTreeMap::new() } else { self.layers(outer.others) };
        for (number, layer) in self.layers(&free) {
            // Of a new cell every layer is a seed: two that share no row were looked at as the other one's.
            if number < of && whole.get(&number).is_some_and(|all| all.len() == layer.len()) {
                continue;
            }
            self.held.steps += 1;
            if self.held.steps > MOST_STEPS {
                return self.find(self.parties(outer.place, seed), Kind::Countless);
            }
            let mut members = [seed, &layer].concat();
            let blocks: Vec<&Block> = self.field.of_places(&layer).map(|member| &member.block).collect();
            let mut rest: Vec<Block> =
                left.iter().filter_map(|piece| piece.minus(&blocks, MOST_PIECES)).flatten().collect();
            for place in &free {
                let Some(cell) = self.field.cells.get(*place).filter(|_| self.is_free(*place, &rest, &members)) else {
                    continue;
                };
                members.push(*place);
                rest = rest.iter().filter_map(|piece| piece.minus(&[&cell.block], MOST_PIECES)).flatten().collect();
            }
            match self.left(outer.cell, &members) {
                Some(rows) => self.keep(outer, &members, rows, found),
                None => self.find(self.parties(outer.place, &members), Kind::Countless),
            }
        }
    }

    /// Keeps what is left, once for the same rows. Where that is nothing, what was replaced is what the numbers differ by.
    fn keep(&mut self, outer: Outer<'_>, members: &[usize], rows: Vec<Block>, found: &mut Found) {
        let stale = outer.cell.stale || self.field.of_places(members).any(|member| member.stale);
        if rows.is_empty() {
            if stale {
                self.find(self.parties(outer.place, members), Kind::Replaced);
            }
            return;
        }
        if found.len() > MOST_OF_A_CELL {
            return self.find(self.parties(outer.place, members), Kind::Countless);
        }
        let kept = found.entry(rows).or_insert_with(|| (self.parties(outer.place, members), 0, false));
        kept.1 |= outer.told;
        kept.2 |= stale;
    }

    /// Whether a cell lies wholly in what is left.
    fn is_free(&self, place: usize, left: &[Block], seed: &[usize]) -> bool {
        self.field.cells.get(place).is_some_and(|cell| {
            left.iter().any(|piece| piece.has_corner(&cell.block))
                && self.field.of_places(seed).all(|member| !member.block.meets(&cell.block))
        })
    }

    fn left(&self, cell: &Known, members: &[usize]) -> Option<Vec<Block>> {
        let blocks: Vec<&Block> = self.field.of_places(members).map(|member| &member.block).collect();
        cell.block.minus(&blocks, MOST_PIECES)
    }

    /// These cells by their layers.
    fn layers(&self, places: &[usize]) -> BTreeMap<usize, Vec<usize>> {
        let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in places {
            layers.entry(self.field.layer_of.get(*place).copied().unwrap_or_default()).or_default().push(*place);
        }
        layers
    }

    /// Rows that were replaced cannot be counted any more: the same region again would tell what changed.
    fn replaced(&mut self, ours: usize, here: &[usize]) {
        let Some(cell) = self.field.cells.get(ours) else { return };
        let same = |other: &Known| other.stale && other.block == cell.block;
        if self.field.of_places(here).any(same) {
            self.find(vec![ours], Kind::Replaced);
        }
    }

    /// Cells that overlap: the difference of their totals is of few if both sides are, and of one or two who stand out in
    /// both together.
    fn crossings(&mut self, ours: usize, here: &[usize], nearest: &mut Nearest) {
        let Some(cell) = self.field.cells.get(ours) else { return };
        let mut inside: Option<Vec<usize>> = None;
        for theirs in here.iter().copied() {
            if self.is_full(ours) {
                return;
            }
            let Some(other) = self.field.cells.get(theirs) else { continue };
            let pair = other.new.is_empty() || theirs < ours;
            if !pair || !cell.block.meets(&other.block) {
                continue;
            }
            if cell.block.covers(&other.block) || other.block.covers(&cell.block) {
                continue;
            }
            let many = self.differ_by_many(cell, other) || {
                let inside = inside.get_or_insert_with(|| self.inside(ours, cell, here));
                self.field.of_places(inside).any(|inner| !inner.block.meets(&other.block))
            };
            if !many {
                self.crossing(ours, theirs, false);
            } else if cell.told & other.told & self.field.sums != 0 {
                nearest.offer(subjects_apart(cell, other), ours, theirs);
            }
        }
    }

    fn together(&mut self, Nearest(pairs): Nearest) {
        for (_, ours, theirs) in pairs.into_sorted_vec() {
            self.crossing(ours, theirs, true);
        }
    }

    fn crossing(&mut self, ours: usize, theirs: usize, many: bool) {
        let (Some(cell), Some(other)) = (self.field.cells.get(ours), self.field.cells.get(theirs)) else { return };
        let parties = self.parties(ours, &[theirs]);
        let sides = (cell.block.minus(&[&other.block], MOST_PIECES), other.block.minus(&[&cell.block], MOST_PIECES));
        match sides {
            (Some(ours), Some(theirs)) => {
                let told = cell.told & other.told & self.field.sums;
                let crossing = Crossing { ours, theirs, told, many, stale: cell.stale || other.stale };
                self.find(parties, Kind::Crossing(Box::new(crossing)));
            }
            (Some(_) | None, Some(_) | None) => self.find(parties, Kind::Countless),
        }
    }

    /// Whether one of two cells has so many more subjects, of every unit, that enough of them are in it alone.
    fn differ_by_many(&self, one: &Known, other: &Known) -> bool {
        let beyond = |count: &Option<u64>, other: &Option<u64>| {
            count.zip(*other).is_some_and(|(count, other)| count.saturating_sub(other) >= self.least)
        };
        let more = |one: &Known, other: &Known| {
            !one.subjects.is_empty() && one.subjects.iter().zip(&other.subjects).all(|(one, other)| beyond(one, other))
        };
        more(one, other) || more(other, one)
    }
}

/// By how many subjects two cells differ, of the unit of which it is fewest.
fn subjects_apart(one: &Known, other: &Known) -> u64 {
    let pairs = one.subjects.iter().zip(&other.subjects);
    pairs.filter_map(|(one, other)| Some((*one)?.abs_diff((*other)?))).min().unwrap_or(0)
}

/// A cell whose insides are looked at.
#[derive(Clone, Copy)]
struct Outer<'a> {
    place: usize,
    cell: &'a Known,
    /// Of which quantities whoever stands out is looked for.
    told: u64,
    /// Cells inside it.
    others: &'a [usize],
}

/// Rows that are left of one cell: who can answer for it, and which quantities are told of them.
type Found = BTreeMap<Vec<Block>, (Vec<usize>, u64, bool)>;

/// Pairs of cells that overlap and have many subjects on a side: those whose numbers of subjects are nearest to each
/// other, and no more than are counted.
#[derive(Default)]
struct Nearest(BinaryHeap<(u64, usize, usize)>);

impl Nearest {
    fn offer(&mut self, apart: u64, ours: usize, theirs: usize) {
        self.0.push((apart, ours, theirs));
        if self.0.len() > MOST_TOGETHER {
            self.0.pop();
        }
    }
}

/// Most blocks that a difference is made of; beyond, it is not counted, and the new cell is withheld.
const MOST_PIECES: usize = 1_024;
/// Most blocks of all findings, and of those that one new cell answers for.
const MOST_OF_ALL: usize = 262_144;
const MOST_OF_A_CELL: usize = 16_384;
/// Most pairs of layers that are looked at.
const MOST_STEPS: usize = 100_000;
/// Most overlapping pairs of which both rests together are counted only to see who stands out.
const MOST_TOGETHER: usize = 1_024;

//! Which differences of released sets must be looked at.
//!
//! A set that is made up of sets that are safe, without overlap, is safe: it has the subjects of each, and a subject or
//! two that hold at most a share of every part hold at most that share of the whole; the same goes for what the p-% rule
//! leaves over. So of a cell and the cells inside it, only what is left beside *as many disjoint ones as there are* need
//! be counted: what is left beside fewer of them is that and whole released cells.

use std::collections::BTreeMap;

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
    /// Rows of a cell that none of those inside it has.
    Left { rows: Vec<Block>, told: u64 },
    /// Rows of one cell alone, less rows of another alone.
    Crossing { ours: Vec<Block>, theirs: Vec<Block>, told: u64 },
    /// Subjects of a cell that have no row in the cell inside it; fewer than may be told apart.
    Apart,
    /// The same rows were told of before they were replaced.
    Replaced,
    /// More than can be counted.
    Countless,
}

/// Looks through the cells of one field; `stands` says of each whether it still is to leave.
pub(crate) struct Search<'a> {
    pub(crate) field: &'a Field,
    pub(crate) stands: &'a [bool],
    pub(crate) least: u64,
    pub(crate) vacant: &'a dyn Fn(&[Block]) -> bool,
    pub(crate) findings: Vec<Finding>,
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
        for ours in fresh {
            self.replaced(ours, &here);
            self.crossings(ours, &here);
        }
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

    fn find(&mut self, parties: Vec<usize>, kind: Kind) {
        self.findings.push(Finding { parties, kind });
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
            self.layers(&seeds).iter().for_each(|seed| self.family(outer, seed, &mut found));
        }
        for (rows, (parties, told)) in found {
            self.find(parties, Kind::Left { rows, told });
        }
    }

    /// Whether a cell tells one of these quantities; any does of no quantity in particular.
    fn tells(&self, place: usize, telling: Option<u64>) -> bool {
        telling.is_none_or(|bits| self.field.cells.get(place).is_some_and(|cell| cell.told & bits != 0))
    }

    /// What is left beside one layer, and beside that and each other layer that shares no row with it.
    fn family(&mut self, outer: Outer<'_>, seed: &[usize], found: &mut Found) {
        let Some(left) = self.left(outer.cell, seed) else {
            return self.find(self.parties(outer.place, seed), Kind::Countless);
        };
        if left.is_empty() {
            return;
        }
        let free: Vec<usize> = outer.others.iter().copied().filter(|place| self.is_free(*place, &left, seed)).collect();
        if free.is_empty() {
            return self.keep(outer, seed, left, found);
        }
        for layer in self.layers(&free) {
            let mut members = [seed, &layer].concat();
            let mut rest = self.left(outer.cell, &members).unwrap_or_default();
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

    /// Keeps what is left, once for the same rows.
    fn keep(&self, outer: Outer<'_>, members: &[usize], rows: Vec<Block>, found: &mut Found) {
        if !rows.is_empty() {
            found.entry(rows).or_insert_with(|| (self.parties(outer.place, members), 0)).1 |= outer.told;
        }
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
    fn layers(&self, places: &[usize]) -> Vec<Vec<usize>> {
        let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in places {
            layers.entry(self.field.layer_of.get(*place).copied().unwrap_or_default()).or_default().push(*place);
        }
        layers.into_values().collect()
    }

    /// Rows that were replaced cannot be counted any more: the same region again would tell what changed.
    fn replaced(&mut self, ours: usize, here: &[usize]) {
        let Some(cell) = self.field.cells.get(ours) else { return };
        let same = |other: &Known| other.stale && other.block == cell.block;
        if self.field.of_places(here).any(same) {
            self.find(vec![ours], Kind::Replaced);
        }
    }

    /// Cells that overlap: the difference of their totals is of few if both sides are.
    fn crossings(&mut self, ours: usize, here: &[usize]) {
        let Some(cell) = self.field.cells.get(ours) else { return };
        let mut inside: Option<Vec<usize>> = None;
        for theirs in here {
            let Some(other) = self.field.cells.get(*theirs) else { continue };
            let pair = other.new.is_empty() || *theirs < ours;
            let told = cell.told & other.told;
            if !pair || self.differ_by_many(cell, other) || !cell.block.meets(&other.block) {
                continue;
            }
            if cell.block.covers(&other.block) || other.block.covers(&cell.block) {
                continue;
            }
            let inside = inside.get_or_insert_with(|| self.inside(ours, cell, here));
            if self.field.of_places(inside).any(|inner| !inner.block.meets(&other.block)) {
                continue;
            }
            let sides =
                (cell.block.minus(&[&other.block], MOST_PIECES), other.block.minus(&[&cell.block], MOST_PIECES));
            match sides {
                (Some(ours_alone), Some(theirs_alone)) => {
                    let kind = Kind::Crossing { ours: ours_alone, theirs: theirs_alone, told };
                    self.find(self.parties(ours, &[*theirs]), kind);
                }
                (Some(_) | None, Some(_) | None) => self.find(self.parties(ours, &[*theirs]), Kind::Countless),
            }
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
type Found = BTreeMap<Vec<Block>, (Vec<usize>, u64)>;

/// Most blocks that a difference is made of; beyond, it is not counted, and the new cell is withheld.
const MOST_PIECES: usize = 1_024;

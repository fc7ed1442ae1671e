//! Which differences of released sets must be looked at.
//!
//! A set that is made up of sets that are safe, without overlap, is safe: it has the subjects of each, and a subject or
//! two that hold at most a share of every part hold at most that share of the whole; the same goes for what the p-% rule
//! leaves over. So of a cell and the cells inside it, only what is left beside *as many disjoint ones as there are* need
//! be counted: what is left beside fewer of them is that and whole released cells.
//!
//! Each cell is rounded for itself, so that a difference is off by the sum of all their errors. Where that hides any one
//! contribution ([`HIDING`]: of counts, from a dozen cells on; of sums of many subjects, hardly ever), it is left to the
//! information budget, which prices what all such differences tell together. Otherwise a grouping by hour would cost every
//! later grouping a cell, if at any hour there is nobody or few.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use super::{
    Quantity,
    blocks::Block,
    index::Index,
    layers::{Field, Known},
    places::Places,
};

/// Disjoint blocks.
pub(crate) type Rows = Arc<[Block]>;

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
    Left { rows: Rows, told: u64, stale: bool },
    /// Rows of one cell alone, less rows of another alone.
    Crossing(Box<Crossing>),
    /// Subjects of a cell that have no row in the cell inside it, fewer than may be told apart; where there is none, the
    /// rows that are left.
    Apart { left: Option<Rows> },
    /// The same rows were told of before they were replaced.
    Replaced,
    /// More than can be counted.
    Countless,
}

/// Two cells that overlap.
#[derive(Debug, Clone)]
pub(crate) struct Crossing {
    pub(crate) ours: Rows,
    pub(crate) theirs: Rows,
    /// Of which quantities whoever stands out in both rests together is looked for.
    pub(crate) told: u64,
    /// It is known already that one of the rests is of enough subjects.
    pub(crate) many: bool,
    /// One of the cells was told of rows that were replaced since.
    pub(crate) stale: bool,
}

/// Looks through the cells of one field: those that were released, and the new ones that still are to leave.
pub(crate) struct Search<'a> {
    pub(super) field: &'a Field,
    pub(super) index: &'a Index<'a>,
    pub(super) least: u64,
    /// All that are looked at.
    pub(super) here: Places,
    /// Of these, the new ones.
    pub(super) fresh: Places,
    pub(super) findings: Vec<Finding>,
    lefts: &'a Lefts,
    held: Held,
}

/// What is left of cells beside others: it stays the same whatever is withheld.
#[derive(Debug, Default)]
pub(crate) struct Lefts(RefCell<HashMap<Beside, Option<Rows>>>);

/// A cell, and others.
type Beside = (usize, Vec<usize>);

/// How much was found, so that it stays bounded whatever was released: in blocks.
#[derive(Debug, Default)]
struct Held {
    of_cells: BTreeMap<usize, usize>,
    all: usize,
    steps: usize,
}

impl<'a> Search<'a> {
    /// Of the cells that stand.
    pub(crate) fn new(field: &'a Field, index: &'a Index<'a>, lefts: &'a Lefts, stands: &[bool], least: u64) -> Self {
        let count = field.cells.len();
        let here = Places::of(count, (0..count).filter(|place| stands.get(*place) == Some(&true)));
        let new = |place: &usize| field.cells.get(*place).is_some_and(|cell| !cell.new.is_empty());
        let fresh = Places::of(count, here.iter().filter(new));
        Self { field, index, least, here, fresh, findings: Vec::new(), lefts, held: Held::default() }
    }

    /// What single cells tell with each other, in an order that depends on the cells alone.
    pub(crate) fn cells(mut self) -> Vec<Finding> {
        let mut outers = self.fresh.clone();
        self.fresh.iter().for_each(|place| outers.join(&self.index.around(place, &self.here)));
        for outer in outers.iter() {
            let Some(cell) = self.field.cells.get(outer) else { continue };
            let among = if cell.new.is_empty() { &self.fresh } else { &self.here };
            let inside = self.inside(outer, among);
            if inside.is_empty() {
                continue;
            }
            let places: Vec<usize> = inside.iter().collect();
            self.apart(outer, cell, &places);
            self.families(outer, cell, &inside);
        }
        let mut nearest = Nearest::default();
        for ours in self.fresh.clone().iter() {
            self.replaced(ours);
            self.crossings(ours, &mut nearest);
        }
        for (_, (ours, theirs)) in nearest.pairs() {
            self.crossing(ours, theirs, true);
        }
        self.findings
    }

    pub(super) fn is_new(&self, place: usize) -> bool {
        self.fresh.has(place)
    }

    /// Places of the cells strictly inside one, whatever they tell: numbers that go by different names can be functions of
    /// each other, as those of who smokes, of who does not, and of all are.
    pub(super) fn inside(&self, outer: usize, among: &Places) -> Places {
        let mut inside = self.index.within(outer, among);
        let same = self.index.around(outer, &inside);
        inside.drop(&same);
        inside
    }

    /// Keeps a finding; of a cell with more than are kept, only that there are.
    pub(super) fn find(&mut self, parties: Vec<usize>, kind: Kind) {
        let Some(first) = parties.first().copied() else { return };
        let blocks = 1 + match &kind {
            Kind::Left { rows, .. } => rows.len(),
            Kind::Crossing(crossing) => crossing.ours.len() + crossing.theirs.len(),
            Kind::Apart { left } => left.as_ref().map_or(0, |left| left.len()),
            Kind::Replaced | Kind::Countless => 0,
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

    /// Whether as many steps were taken as may be.
    pub(super) fn is_spent(&mut self) -> bool {
        self.held.steps += 1;
        self.held.steps > MOST_STEPS
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
                if alone < self.least {
                    let left = (alone == 0).then(|| self.left(outer, &[*place])).flatten();
                    self.find(self.parties(outer, &[*place]), Kind::Apart { left });
                }
            }
        }
    }

    /// What is left of a cell beside layers inside it: beside all cells, and of quantities that not all of them tell, also
    /// beside those that do, for whoever stands out.
    fn families(&mut self, outer: usize, cell: &Known, inside: &Places) {
        let every = self.field.cells.iter().fold(u64::MAX, |every, cell| every & cell.told);
        let of_classes = self.field.classes.iter().copied().filter(|class| class & every == 0);
        let passes = of_classes.filter(|class| class & cell.told != 0).map(|class| (Some(class), class));
        let mut found = BTreeMap::new();
        for (telling, told) in passes.chain([(None, every & cell.told)]).collect::<Vec<_>>() {
            let seeds = self.telling(inside, telling);
            // Of an earlier cell, only differences that a new one takes part in are new; earlier ones make them smaller.
            let others = match cell.new.is_empty() {
                false => seeds.clone(),
                true if seeds.is_empty() => continue,
                true => self.telling(&self.inside(outer, &self.here), telling),
            };
            let whole = if cell.new.is_empty() { BTreeMap::new() } else { self.layers(&others) };
            let outer = Outer { place: outer, cell, told, others: &others, whole: &whole };
            for (layer, seed) in self.layers(&seeds) {
                self.family(outer, layer, &seed, &mut found);
            }
        }
        self.keep_found(found);
    }

    pub(super) fn keep_found(&mut self, found: Found) {
        for (rows, (parties, told, stale)) in found {
            self.find(parties, Kind::Left { rows, told, stale });
        }
    }

    /// Those that tell one of these quantities; any does of no quantity in particular.
    fn telling(&self, places: &Places, telling: Option<u64>) -> Places {
        let mut those = places.clone();
        let Some(bits) = telling else { return those };
        let tells = |place: &usize| self.field.cells.get(*place).is_some_and(|cell| cell.told & bits != 0);
        places.iter().filter(|place| !tells(place)).for_each(|place| those.remove(place));
        those
    }

    /// What is left beside one layer, and beside that and each other layer that shares no row with it.
    fn family(&mut self, outer: Outer<'_>, of: usize, seed: &[usize], found: &mut Found) {
        if self.is_full(outer.place) {
            return;
        }
        let free = self.free(outer.others, seed);
        let layers = self.layers(&free);
        if layers.is_empty() {
            return self.keep(outer, seed, found);
        }
        for (number, layer) in layers {
            // Of a new cell every layer is a seed: two that share no row were looked at as the other one's.
            if number < of && outer.whole.get(&number).is_some_and(|all| all.len() == layer.len()) {
                continue;
            }
            if self.is_spent() {
                return self.find(self.parties(outer.place, seed), Kind::Countless);
            }
            // With whatever else fits in, in order.
            let mut others = self.free(&free, &layer);
            let mut members = [seed, &layer].concat();
            while let Some(next) = others.first() {
                others.drop(&self.index.across(next));
                others.remove(next);
                members.push(next);
            }
            self.keep(outer, &members, found);
        }
    }

    /// Of cells inside one, those that share no row with these.
    pub(super) fn free(&self, others: &Places, members: &[usize]) -> Places {
        let mut free = others.clone();
        members.iter().for_each(|member| free.drop(&self.index.across(*member)));
        free
    }

    /// Keeps what is left, once for the same rows. Where that is nothing, what was replaced is what the numbers differ by.
    fn keep(&mut self, outer: Outer<'_>, members: &[usize], found: &mut Found) {
        if self.is_hidden(&[outer.place], members) {
            return;
        }
        let Some(rows) = self.left(outer.place, members) else {
            return self.find(self.parties(outer.place, members), Kind::Countless);
        };
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

    /// Whether the errors of what all these tell, added up, hide any one contribution.
    pub(super) fn is_hidden(&self, outer: &[usize], inner: &[usize]) -> bool {
        let all = self.field.of_places(outer).chain(self.field.of_places(inner));
        all.map(|cell| cell.blur).sum::<f64>() >= HIDING
    }

    /// Rows of a cell that none of these has.
    pub(super) fn left(&self, cell: usize, members: &[usize]) -> Option<Rows> {
        let key = (cell, members.to_vec());
        if let Some(known) = self.lefts.0.borrow().get(&key) {
            return known.clone();
        }
        let blocks: Vec<&Block> = self.field.of_places(members).map(|member| &member.block).collect();
        let left = self.field.cells.get(cell)?.block.minus(&blocks, MOST_PIECES).map(Rows::from);
        let mut lefts = self.lefts.0.borrow_mut();
        if lefts.len() < MOST_LEFTS {
            lefts.insert(key, left.clone());
        }
        left
    }

    /// These cells by their layers.
    pub(super) fn layers(&self, places: &Places) -> BTreeMap<usize, Vec<usize>> {
        let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in places.iter() {
            layers.entry(self.layer_of(place)).or_default().push(place);
        }
        layers
    }

    pub(super) fn layer_of(&self, place: usize) -> usize {
        self.field.layer_of.get(place).copied().unwrap_or_default()
    }

    /// Rows that were replaced cannot be counted any more: the same region again would tell what changed.
    fn replaced(&mut self, ours: usize) {
        let same = self.index.around(ours, &self.index.within(ours, &self.here));
        if same.iter().any(|place| self.field.cells.get(place).is_some_and(|other| other.stale)) {
            self.find(vec![ours], Kind::Replaced);
        }
    }

    /// Cells that overlap: the difference of their totals is of few if both sides are, and of one or two who stand out in
    /// both together.
    fn crossings(&mut self, ours: usize, nearest: &mut Nearest<(usize, usize)>) {
        let Some(cell) = self.field.cells.get(ours) else { return };
        let mut across = self.here.clone();
        across.keep(&self.index.across(ours));
        across.drop(&self.index.within(ours, &across));
        across.drop(&self.index.around(ours, &across));
        let inside = self.inside(ours, &self.here);
        let some_inside = !inside.is_empty();
        for theirs in across.iter() {
            if self.is_new(theirs) && theirs >= ours {
                continue;
            }
            if self.is_full(ours) {
                return;
            }
            let Some(other) = self.field.cells.get(theirs) else { continue };
            let many = self.differ_by_many(cell, other) || some_inside && inside.exceeds(&self.index.across(theirs));
            if !many {
                self.crossing(ours, theirs, false);
            } else if cell.told & other.told & self.field.sums != 0 {
                nearest.offer(subjects_apart(cell, other), (ours, theirs));
            }
        }
    }

    fn crossing(&mut self, ours: usize, theirs: usize, many: bool) {
        let (Some(cell), Some(other)) = (self.field.cells.get(ours), self.field.cells.get(theirs)) else { return };
        let parties = self.parties(ours, &[theirs]);
        match (self.left(ours, &[theirs]), self.left(theirs, &[ours])) {
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
            !one.subjects.is_empty()
                && one.subjects.iter().zip(&other.most_subjects).all(|(one, other)| beyond(one, other))
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
    others: &'a Places,
    /// The same by their layers, of a new cell.
    whole: &'a BTreeMap<usize, Vec<usize>>,
}

/// Rows that are left of one cell: who can answer for it, and which quantities are told of them.
pub(super) type Found = BTreeMap<Rows, (Vec<usize>, u64, bool)>;

/// What overlaps and has many subjects on a side: that of which the numbers of subjects are nearest to each other, and no
/// more than is counted.
pub(super) struct Nearest<T>(BinaryHeap<(u64, T)>);

impl<T: Ord> Default for Nearest<T> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<T: Ord> Nearest<T> {
    pub(super) fn offer(&mut self, apart: u64, pair: T) {
        self.0.push((apart, pair));
        if self.0.len() > MOST_TOGETHER {
            self.0.pop();
        }
    }

    pub(super) fn pairs(self) -> Vec<(u64, T)> {
        self.0.into_sorted_vec()
    }
}

/// From which variance of its error on a difference hides one contribution, whose own is 1: at most a twenty-fifth of that
/// is explained, where an information budget lets an eighth be. Twelve counts, each to fives, come to this.
const HIDING: f64 = 24.0;
/// Most blocks that a difference is made of; beyond, it is not counted, and the new cell is withheld.
pub(super) const MOST_PIECES: usize = 1_024;
/// Most differences of single cells that are kept to be looked up again.
const MOST_LEFTS: usize = 65_536;
/// Most blocks of all findings, and of those that one new cell answers for.
const MOST_OF_ALL: usize = 262_144;
const MOST_OF_A_CELL: usize = 16_384;
/// Most pairs of layers that are looked at.
const MOST_STEPS: usize = 100_000;
/// Most overlapping pairs of which both rests together are counted only to see who stands out.
const MOST_TOGETHER: usize = 1_024;

//! Which differences of *unions* of released cells must be looked at: a question's cells share no row, so that their sums
//! add up to that of their union, which nobody asked for.
//!
//! Let A and B be two layers, S cells of A, and T cells of B. The sum over S less that over T is of the rows that only the
//! union of S has, less those that only that of T has. Where T lies in S, it is of a set of rows, *the rest*:
//!
//! - A cell of A that meets no cell of T is in the rest as a whole, and released: beside it the rest is a smaller one, and
//!   safe if that is. So S need only be the cells that meet T. For the same reason T need be as many cells as lie in S.
//! - Where S and T fall into parts that share no row, the rest is the union of theirs, and safe if they are. So only what
//!   hangs together need be looked at.
//!
//! What hangs together is made of single cells C of B with those of A that meet them, M(C): these are looked at, as are
//! the unions of M(C) and M(C') where both have a cell in common, and all that hangs together. Two groupings by other
//! dimensions, or of which one is finer, have no more than these: M(C) is the same for all C, or there is nothing that
//! hangs together but it. Left out are chains of three cells and more in the midst of a longer one, as three of twelve
//! months beside the weeks of a year.
//!
//! Cells of one layer are not all that share no row. What M(C) lacks of C, other layers can have; they are looked for where
//! M(C) has all of C but some bins of one dimension (`age < 45`, asked first, and `age >= 45`, asked today), in up to
//! [`MOST_SLABS`] layers that restrict the same dimensions, and all but one of them by the same sets. And what is left is
//! looked at beside further cells in it, one layer at a time.
//!
//! Of a union of which one cell surely has enough subjects beside the other, only those nearest in their numbers of subjects
//! are counted, for whoever stands out; and of quantities, only those that all cells of both tell. Left out, besides, are
//! parts of several questions that are cut by different dimensions, and sums of which a cell is in more than two unions.
//!
//! Where neither union has all of the other, they are held against each other as two cells that overlap.
//!
//! Not looked at are unions of which some cells tell only numbers of rows or subjects and others only sums of something
//! measured, and those so many that rounding hides what they differ by ([`super::remainders`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    blocks::{Block, Filled},
    layers::{Kinds, Known},
    places::Places,
    remainders::{Crossing, Finding, Found, Kind, MOST_PIECES, Nearest, Rows, Search},
};
use crate::space::BinSet;

/// Cells of one layer, and cells of another.
type Sides = (Vec<usize>, Vec<usize>);

/// Cells of one layer that meet some of another.
#[derive(Default)]
struct Side {
    /// Which ones.
    meeting: BTreeMap<usize, Vec<usize>>,
    /// Those that the others have wholly.
    closed: BTreeSet<usize>,
    /// Those that the others have but for some bins of a dimension, and what is left of these.
    slabs: Vec<(usize, Block)>,
}

/// A cell that is filled by several layers.
#[derive(Clone, Copy)]
struct Slab<'a> {
    cell: usize,
    /// All of its layer.
    beside: &'a [usize],
    /// Cells of layers that are like the one that has most of it.
    alike: &'a Places,
}

/// What was found of unions.
#[derive(Default)]
struct Unions {
    seen: BTreeSet<Sides>,
    found: Found,
    nearest: Nearest<Sides>,
}

impl Side {
    /// Whether a cell lies in a union of the other layer's cells, given in order.
    fn lies_in(&self, cell: usize, outer: &[usize]) -> bool {
        let within = |around: &Vec<usize>| around.iter().all(|cell| outer.binary_search(cell).is_ok());
        self.closed.contains(&cell) && self.meeting.get(&cell).is_some_and(within)
    }

    /// The cells that lie in a union of the other layer's, in order.
    fn inner(&self, outer: &[usize], other: &Self) -> Vec<usize> {
        let near = outer.iter().filter_map(|cell| other.meeting.get(cell)).flatten().copied();
        near.collect::<BTreeSet<usize>>().into_iter().filter(|cell| self.lies_in(*cell, outer)).collect()
    }
}

impl Search<'_> {
    /// Of each two layers, of which one is new, what was said above.
    pub(crate) fn unions(mut self) -> Vec<Finding> {
        let mut pairs: BTreeMap<(usize, usize), [Side; 2]> = BTreeMap::new();
        for (sheet, cells) in self.field.sheets.iter().enumerate().skip(self.field.new_sheets) {
            // What was told before tells nothing new.
            if !cells.iter().any(|cell| self.is_new(*cell)) {
                continue;
            }
            for ours in cells.iter().copied().filter(|cell| self.here.has(*cell)) {
                let mut others = self.here.clone();
                others.keep(&self.index.across(ours));
                for theirs in others.iter() {
                    // Two new ones are seen once.
                    for other in self.sheets_of(theirs).iter().filter(|other| **other < sheet) {
                        let [of_ours, of_theirs] = pairs.entry((sheet, *other)).or_default();
                        of_ours.meeting.entry(ours).or_default().push(theirs);
                        of_theirs.meeting.entry(theirs).or_default().push(ours);
                    }
                }
            }
        }
        for side in pairs.values_mut().flatten() {
            for (cell, around) in &side.meeting {
                match self.fills(around, *cell) {
                    Filled::Wholly => drop(side.closed.insert(*cell)),
                    Filled::But(rest) => side.slabs.push((*cell, rest)),
                    Filled::Partly => {}
                }
            }
        }
        let mut unions = Unions::default();
        for [ours, theirs] in pairs.values() {
            self.closures(ours, theirs, &mut unions);
            self.closures(theirs, ours, &mut unions);
            self.together(ours, theirs, &mut unions);
        }
        let mut aligned = BTreeMap::new();
        for ((sheet, other), [ours, theirs]) in &pairs {
            self.slabs(ours, (*sheet, *other), &mut aligned, &mut unions);
            self.slabs(theirs, (*other, *sheet), &mut aligned, &mut unions);
        }
        for (_, (outer, inner)) in unions.nearest.pairs() {
            if let (Some(ours), Some(theirs)) = (self.beyond(&outer, &inner), self.beyond(&inner, &outer)) {
                let told = self.told(&outer, &inner) & self.field.sums;
                let crossing = Crossing { ours, theirs, told, many: true, stale: self.stale(&outer, &inner) };
                self.find(self.answering(&outer, &inner), Kind::Crossing(Box::new(crossing)));
            }
        }
        self.keep_found(unions.found);
        self.findings
    }

    /// Of each cell with those of the other layer that meet it, and of two such that have one of these in common.
    fn closures(&mut self, side: &Side, other: &Side, unions: &mut Unions) {
        let closed: BTreeSet<&[usize]> =
            side.closed.iter().filter_map(|cell| side.meeting.get(cell)).map(Vec::as_slice).collect();
        for outer in closed.iter().filter(|outer| outer.len() > 1) {
            self.union(outer.to_vec(), side.inner(outer, other), (other, side), unions);
        }
        for (cell, outer) in side.meeting.iter().filter(|(cell, _)| !side.closed.contains(cell)) {
            if outer.len() > 1 && !self.holds_all(*cell, outer) {
                let mut inner = side.inner(outer, other);
                inner.push(*cell);
                inner.sort_unstable();
                self.union(outer.clone(), inner, (other, side), unions);
            }
        }
        let mut sharing: BTreeMap<usize, Vec<&[usize]>> = BTreeMap::new();
        for outer in &closed {
            outer.iter().for_each(|cell| sharing.entry(*cell).or_default().push(outer));
        }
        let mut neighbours: BTreeSet<Vec<usize>> = BTreeSet::new();
        for outers in sharing.values() {
            for (place, one) in outers.iter().enumerate() {
                for another in outers.iter().skip(place + 1) {
                    let both: BTreeSet<usize> = one.iter().chain(another.iter()).copied().collect();
                    neighbours.insert(both.into_iter().collect());
                    if neighbours.len() > MOST_NEIGHBOURS {
                        return self.find(self.answering(one, &side.inner(one, other)), Kind::Countless);
                    }
                }
            }
        }
        for outer in neighbours {
            let inner = side.inner(&outer, other);
            self.union(outer, inner, (other, side), unions);
        }
    }

    /// All that hangs together of two layers.
    fn together(&mut self, ours: &Side, theirs: &Side, unions: &mut Unions) {
        let mut done: BTreeSet<usize> = BTreeSet::new();
        for first in ours.meeting.keys() {
            if !done.insert(*first) {
                continue;
            }
            let (mut one, mut another) = (BTreeSet::from([*first]), BTreeSet::new());
            let mut next = vec![*first];
            while let Some(cell) = next.pop() {
                for other in ours.meeting.get(&cell).into_iter().flatten() {
                    if another.insert(*other) {
                        let back = theirs.meeting.get(other).into_iter().flatten();
                        next.extend(back.copied().filter(|cell| one.insert(*cell)));
                    }
                }
            }
            done.extend(&one);
            if one.len() > 1 && another.len() > 1 {
                self.union(one.into_iter().collect(), another.into_iter().collect(), (ours, theirs), unions);
            }
        }
    }

    /// Of each cell that one layer has but for some bins of a dimension: what others of the same dimensions have of these.
    fn slabs(
        &mut self,
        side: &Side,
        (sheet, other): (usize, usize),
        aligned: &mut BTreeMap<usize, Places>,
        unions: &mut Unions,
    ) {
        let alike = aligned.entry(other).or_insert_with(|| self.alike(other)).clone();
        let beside: Vec<usize> = self.of_sheet(sheet).collect();
        for (cell, rest) in side.slabs.iter().filter(|_| !alike.is_empty()) {
            let Some(around) = side.meeting.get(cell) else { continue };
            if !self.tells(&[*cell], around) {
                continue;
            }
            // Of whom surely enough are left whatever the cell's own layer has, no more need be looked at.
            if self.surely_many(around, &beside) {
                continue;
            }
            let slab = Slab { cell: *cell, beside: &beside, alike: &alike };
            if !self.slab(slab, rest, (around.clone(), 1), unions) {
                return self.find(self.answering(&[*cell], around), Kind::Countless);
            }
        }
    }

    /// Cells of layers that differ from one in one dimension: in the others, their sets are the same or apart.
    fn alike(&self, sheet: usize) -> Places {
        let sets = self.sets_of(sheet);
        let mut alike = Places::none(self.field.cells.len());
        for (other, places) in self.field.sheets.iter().enumerate().filter(|(other, _)| *other != sheet) {
            if differ_in_one(&sets, &self.sets_of(other)) {
                places.iter().for_each(|place| alike.add(*place));
            }
        }
        alike.keep(&self.here);
        alike
    }

    fn sets_of(&self, sheet: usize) -> BTreeMap<u8, BTreeSet<&BinSet>> {
        let mut sets: BTreeMap<u8, BTreeSet<&BinSet>> = BTreeMap::new();
        let places = self.field.sheets.get(sheet).map(Vec::as_slice).unwrap_or_default();
        for (dimension, set) in self.field.of_places(places).flat_map(|cell| cell.block.sets()) {
            sets.entry(*dimension).or_default().insert(set);
        }
        sets
    }

    /// Whether it was looked at: not, where that takes too long.
    fn slab(
        &mut self,
        of: Slab<'_>,
        rest: &Block,
        (members, layers): (Vec<usize>, usize),
        unions: &mut Unions,
    ) -> bool {
        let free = self.index.across_block(rest, &self.free(of.alike, &members));
        let mut sheets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in free.iter() {
            self.sheets_of(place).iter().for_each(|sheet| sheets.entry(*sheet).or_default().push(place));
        }
        for more in sheets.into_values() {
            let mut members = [members.as_slice(), &more].concat();
            if self.surely_many(&more, of.beside) || !self.tells(&[of.cell], &members) {
                continue;
            }
            if self.is_spent() {
                return false;
            }
            let parts: Vec<&Block> = self.field.of_places(&more).map(|member| &member.block).collect();
            let filled = rest.filled(&parts);
            members.sort_unstable();
            if filled != Filled::Partly && !self.holds_all(of.cell, &members) {
                self.of_several(of, members.clone(), unions);
            }
            if let Filled::But(rest) = filled
                && layers + 1 < MOST_SLABS
                && !self.slab(of, &rest, (members, layers + 1), unions)
            {
                return false;
            }
        }
        true
    }

    /// A union of cells of several layers, and the cells of another one that lie in it or make it up.
    fn of_several(&mut self, of: Slab<'_>, outer: Vec<usize>, unions: &mut Unions) {
        let (mut ours, mut theirs) = (Side::default(), Side::default());
        for cell in of.beside.iter().copied() {
            let around = self.near(cell, &outer);
            let closed = !around.is_empty() && self.fills(&around, cell) == Filled::Wholly;
            if closed || cell == of.cell {
                around.iter().for_each(|member| ours.meeting.entry(*member).or_default().push(cell));
                theirs.meeting.insert(cell, around);
            }
            if closed {
                theirs.closed.insert(cell);
            }
        }
        for (cell, around) in &ours.meeting {
            if self.fills(around, *cell) == Filled::Wholly {
                ours.closed.insert(*cell);
            }
        }
        let inner: Vec<usize> = theirs.meeting.keys().copied().collect();
        self.union(outer, inner, (&ours, &theirs), unions);
    }

    /// Those of some cells that meet one.
    fn near(&self, cell: usize, of: &[usize]) -> Vec<usize> {
        let Some(cell) = self.field.cells.get(cell) else { return Vec::new() };
        let meets = |other: &usize| self.field.cells.get(*other).is_some_and(|other| cell.block.meets(&other.block));
        of.iter().copied().filter(meets).collect()
    }

    /// All cells of a layer.
    fn of_sheet(&self, sheet: usize) -> impl Iterator<Item = usize> {
        self.field.sheets.get(sheet).into_iter().flatten().copied().filter(|cell| self.here.has(*cell))
    }

    fn sheets_of(&self, cell: usize) -> &[usize] {
        self.field.sheets_of.get(cell).map(Vec::as_slice).unwrap_or_default()
    }

    fn fills(&self, parts: &[usize], cell: usize) -> Filled {
        let parts: Vec<&Block> = self.field.of_places(parts).map(|part| &part.block).collect();
        self.field.cells.get(cell).map_or(Filled::Partly, |cell| cell.block.filled(&parts))
    }

    /// Whether all of these lie in a cell: then it is looked at with what is inside it.
    fn holds_all(&self, cell: usize, parts: &[usize]) -> bool {
        let within = |outer: &Block| self.field.of_places(parts).all(|part| outer.covers(&part.block));
        self.field.cells.get(cell).is_some_and(|cell| within(&cell.block))
    }

    /// Looks at the difference of two unions, both in order.
    fn union(&mut self, outer: Vec<usize>, inner: Vec<usize>, of: (&Side, &Side), unions: &mut Unions) {
        let sides = (outer, inner);
        let (outer, inner) = &sides;
        if !self.tells(outer, inner) {
            return;
        }
        if unions.seen.contains(&sides) || self.answering(outer, inner).is_empty() {
            return;
        }
        if self.is_spent() {
            return self.find(self.answering(outer, inner), Kind::Countless);
        }
        let none_beyond = outer.iter().all(|cell| of.0.lies_in(*cell, inner));
        let none_within = inner.iter().all(|cell| of.1.lies_in(*cell, outer));
        match (none_beyond, none_within) {
            // The very same rows.
            (true, true) if self.stale(outer, inner) => self.find(self.answering(outer, inner), Kind::Replaced),
            (true, true) => {}
            (false, true) => self.rest(outer, inner, unions),
            (true, false) => self.rest(inner, outer, unions),
            (false, false) => self.overlap(outer, inner, unions),
        }
        unions.seen.insert(sides);
    }

    /// What is left of a union beside cells inside it, beside each layer that fits in besides, and beside whatever fits.
    fn rest(&mut self, outer: &[usize], inner: &[usize], unions: &mut Unions) {
        self.keep_rest(outer, inner, unions);
        let mut among = Places::none(self.field.cells.len());
        outer.iter().for_each(|cell| among.join(&self.index.across(*cell)));
        among.keep(&self.here);
        let free = self.free(&among, inner);
        // If surely enough are left in one of the cells beside all of a layer, they are beside a part of it.
        let worst = outer.iter().copied().max_by_key(|cell| self.excess(*cell, inner));
        let few = |layer: &Vec<usize>| {
            worst.is_none_or(|worst| self.excess(worst, &[inner, layer].concat()) < Some(self.least))
        };
        let near: Vec<Vec<usize>> = self
            .layers(&free)
            .into_values()
            .filter(few)
            .map(|layer| layer.into_iter().filter(|cell| self.lies_in(*cell, outer)).collect())
            .filter(|layer: &Vec<usize>| !layer.is_empty())
            .collect();
        for layer in near {
            if self.is_spent() {
                return self.find(self.answering(outer, inner), Kind::Countless);
            }
            let members = [inner, &layer].concat();
            if !self.surely_many(outer, &members) {
                self.keep_rest(outer, &members, unions);
            }
        }
    }

    fn lies_in(&self, cell: usize, outer: &[usize]) -> bool {
        let around = self.near(cell, outer);
        !around.is_empty() && self.fills(&around, cell) == Filled::Wholly
    }

    fn keep_rest(&mut self, outer: &[usize], inner: &[usize], unions: &mut Unions) {
        let told = self.told(outer, inner);
        if self.surely_many(outer, inner) {
            if told & self.field.sums != 0 {
                unions.nearest.offer(self.apart_by(outer, inner), (outer.to_vec(), inner.to_vec()));
            }
            return;
        }
        let stale = self.stale(outer, inner);
        let parties = self.answering(outer, inner);
        match self.beyond(outer, inner) {
            Some(rows) if rows.is_empty() && stale => self.find(parties, Kind::Replaced),
            Some(rows) if rows.is_empty() => {}
            Some(rows) => {
                let kept = unions.found.entry(rows).or_insert((parties, 0, false));
                kept.1 |= told;
                kept.2 |= stale;
            }
            None => self.find(parties, Kind::Countless),
        }
    }

    fn overlap(&mut self, outer: &[usize], inner: &[usize], unions: &mut Unions) {
        let told = self.told(outer, inner) & self.field.sums;
        if self.surely_many(outer, inner) || self.surely_many(inner, outer) {
            if told != 0 {
                unions.nearest.offer(self.apart_by(outer, inner), (outer.to_vec(), inner.to_vec()));
            }
            return;
        }
        let parties = self.answering(outer, inner);
        let stale = self.stale(outer, inner);
        let kind = match (self.beyond(outer, inner), self.beyond(inner, outer)) {
            (Some(ours), Some(theirs)) if ours.is_empty() && theirs.is_empty() => {
                if stale {
                    self.find(parties, Kind::Replaced);
                }
                return;
            }
            (Some(rows), Some(none)) | (Some(none), Some(rows)) if none.is_empty() => {
                Kind::Left { rows, told: self.told(outer, inner), stale }
            }
            (Some(ours), Some(theirs)) => Kind::Crossing(Box::new(Crossing { ours, theirs, told, many: false, stale })),
            (Some(_) | None, Some(_) | None) => Kind::Countless,
        };
        self.find(parties, kind);
    }

    /// Rows of a union that another has not.
    fn beyond(&self, outer: &[usize], inner: &[usize]) -> Option<Rows> {
        let mut beyond = Vec::new();
        for cell in outer {
            let near = self.near(*cell, inner);
            beyond.extend(self.left(*cell, &near)?.iter().cloned());
            if beyond.len() > MOST_PIECES {
                return None;
            }
        }
        beyond.sort_unstable();
        Some(beyond.into())
    }

    /// Whether so many subjects of every unit are in one cell of a union that enough of them are not in the other.
    fn surely_many(&self, outer: &[usize], inner: &[usize]) -> bool {
        outer.iter().any(|cell| self.excess(*cell, inner) >= Some(self.least))
    }

    /// How many subjects of a cell are surely in none of these, of the unit of which it is fewest.
    fn excess(&self, cell: usize, inner: &[usize]) -> Option<u64> {
        let of = self.field.cells.get(cell)?;
        let near = self.near(cell, inner);
        let beyond = |(unit, all): (usize, &Option<u64>)| {
            let most = |other: &Known| other.most_subjects.get(unit).copied().flatten();
            let taken = self.field.of_places(&near).map(most).sum::<Option<u64>>();
            Some((*all)?.saturating_sub(taken?))
        };
        // What is not known is none.
        of.subjects.iter().enumerate().map(beyond).min().flatten()
    }

    /// By how many subjects two unions differ, as far as their cells tell.
    fn apart_by(&self, outer: &[usize], inner: &[usize]) -> u64 {
        let all = |places: &[usize], unit: usize| -> u64 {
            self.field.of_places(places).filter_map(|cell| cell.most_subjects.get(unit).copied().flatten()).sum()
        };
        let units = 0..self.field.units.len();
        units.map(|unit| all(outer, unit).abs_diff(all(inner, unit))).min().unwrap_or(0)
    }

    /// Whether the difference of two unions tells anything: all their cells tell numbers of one kind, and the errors of
    /// these do not hide it.
    fn tells(&self, outer: &[usize], inner: &[usize]) -> bool {
        let kinds = self.field.of_places(outer).chain(self.field.of_places(inner)).map(|cell| cell.kinds);
        !kinds.fold(Kinds::ALL, Kinds::and).is_none() && !self.is_hidden(outer, inner)
    }

    fn told(&self, outer: &[usize], inner: &[usize]) -> u64 {
        self.field.of_places(outer).chain(self.field.of_places(inner)).fold(u64::MAX, |told, cell| told & cell.told)
    }

    fn stale(&self, outer: &[usize], inner: &[usize]) -> bool {
        self.field.of_places(outer).chain(self.field.of_places(inner)).any(|cell| cell.stale)
    }

    /// Those who can answer for a difference: new cells of the outer side, then of the inner one, the last ones first.
    fn answering(&self, outer: &[usize], inner: &[usize]) -> Vec<usize> {
        let new = |places: &[usize]| -> Vec<usize> {
            places.iter().rev().copied().filter(|place| self.is_new(*place)).collect()
        };
        [new(outer), new(inner)].concat()
    }
}

/// Whether two layers restrict the same dimensions, in one by sets that are apart, and in the others by the same sets or
/// sets that are apart.
fn differ_in_one(one: &BTreeMap<u8, BTreeSet<&BinSet>>, other: &BTreeMap<u8, BTreeSet<&BinSet>>) -> bool {
    if !one.keys().eq(other.keys()) {
        return false;
    }
    let mut apart = 0;
    for (sets, others) in one.values().zip(other.values()) {
        let both: BTreeSet<&BinSet> = sets.union(others).copied().collect();
        let union: BinSet = both.iter().flat_map(|set| set.runs()).collect();
        if union.count() != both.iter().map(|set| set.count()).sum::<u64>() {
            return false;
        }
        apart += usize::from(both.len() == sets.len() + others.len());
    }
    apart > 0
}

/// Most layers that fill a cell together.
const MOST_SLABS: usize = 3;
/// Most neighbouring unions of two layers.
const MOST_NEIGHBOURS: usize = 4_096;

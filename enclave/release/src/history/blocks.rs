//! Regions of one table's rows, with their dimensions numbered: what the audit compares millions of times.

use std::collections::{BTreeMap, BTreeSet};

use crate::space::{BinSet, Dimension, Facts, Region};

/// The dimensions that some regions of the same facts name, in order.
#[derive(Debug, Clone)]
pub(crate) struct Atlas {
    facts: Facts,
    dimensions: Vec<Dimension>,
}

/// A region by the numbers of its dimensions, ascending; a set of all bins is no restriction, and not here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Block {
    signature: u128,
    sets: Vec<(u8, BinSet)>,
}

/// How much of a block others have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filled {
    /// All of it.
    Wholly,
    /// All but what is in some bins of one dimension: a block again.
    But(Block),
    /// Less, or what cannot be told.
    Partly,
}

impl Atlas {
    /// Of these regions; `None` where they name more dimensions than are numbered.
    pub(crate) fn of<'a>(facts: &Facts, regions: impl Iterator<Item = &'a Region>) -> Option<Self> {
        let named: BTreeSet<Dimension> =
            regions.flat_map(Region::sets).map(|(dimension, _)| dimension.clone()).collect();
        (named.len() <= MOST_DIMENSIONS).then(|| Self { facts: facts.clone(), dimensions: named.into_iter().collect() })
    }

    /// A region as a block; `None` for one that has no row, is of other facts or names a dimension that is not here.
    pub(crate) fn block(&self, region: &Region) -> Option<Block> {
        if region.is_empty() || *region.facts() != self.facts {
            return None;
        }
        let mut sets = Vec::new();
        for (dimension, set) in region.sets().filter(|(_, set)| **set != everything()) {
            sets.push((u8::try_from(self.dimensions.binary_search(dimension).ok()?).ok()?, set.clone()));
        }
        Some(Block::new(sets))
    }

    /// The region of a block.
    pub(crate) fn region(&self, block: &Block) -> Region {
        block.sets.iter().fold(Region::all(self.facts.clone()), |region, (place, set)| {
            match self.dimensions.get(usize::from(*place)) {
                Some(dimension) => region.within(dimension.clone(), set.clone()),
                None => region,
            }
        })
    }
}

impl Block {
    fn new(sets: Vec<(u8, BinSet)>) -> Self {
        let signature =
            sets.iter().fold(0, |signature, (place, _)| signature | 1_u128.unbounded_shl(u32::from(*place)));
        Self { signature, sets }
    }

    /// Which dimensions it restricts, one bit each.
    pub(crate) fn signature(&self) -> u128 {
        self.signature
    }

    /// What it is restricted to, by the dimensions' numbers.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &(u8, BinSet)> {
        self.sets.iter()
    }

    /// Whether it has every row of the other, whatever the data.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.signature & !other.signature == 0
            && self.shared(other).all(|(outer, inner)| match (single(outer), single(inner)) {
                (Some((from, to)), Some((start, end))) => from <= start && end <= to,
                (Some(_) | None, Some(_) | None) => outer.covers(inner),
            })
    }

    /// Whether both can have a row in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.shared(other).all(|(left, right)| meet(left, right))
    }

    /// How others, of which no two share a row, lie in this one together.
    pub(crate) fn filled(&self, parts: &[&Self]) -> Filled {
        let sets = |dimension: u8| parts.iter().map(move |part| part.set(dimension));
        let cut: BTreeSet<u8> = parts.iter().flat_map(|part| &part.sets).map(|(place, _)| *place).collect();
        let all = |dimension: u8| self.set(dimension).cloned().unwrap_or_else(everything);
        let whole = |dimension: &u8| {
            let all = all(*dimension);
            sets(*dimension).all(|set| set.is_none_or(|set| set.covers(&all)))
        };
        let cut: Vec<u8> = cut.into_iter().filter(|dimension| !whole(dimension)).collect();
        let (mut narrowed, mut hull) = (Vec::new(), Some(1_u128));
        for dimension in &cut {
            let all = all(*dimension);
            let union: BinSet = sets(*dimension).flat_map(|set| set.unwrap_or(&all).runs()).collect();
            let union = union.and(&all);
            hull = hull.and_then(|hull| hull.checked_mul(union.count().into()));
            if union != all {
                narrowed.push((*dimension, all.minus(&union)));
            }
        }
        let volume = |part: &&Self| {
            let shared = |dimension: &u8| match (part.set(*dimension), self.set(*dimension)) {
                (Some(ours), Some(theirs)) => ours.shared(theirs),
                (Some(set), None) | (None, Some(set)) => set.count(),
                (None, None) => everything().count(),
            };
            cut.iter().try_fold(1_u128, |volume, dimension| volume.checked_mul(shared(dimension).into()))
        };
        // No two share a row: together they have as many points as each by itself.
        let full = match (hull, parts.iter().map(volume).sum::<Option<u128>>()) {
            (Some(hull), Some(parts)) => hull == parts,
            (Some(_) | None, Some(_) | None) => return Filled::Partly,
        };
        match (full, narrowed.as_slice()) {
            (false, _) => Filled::Partly,
            (true, []) => Filled::Wholly,
            (true, [(dimension, rest)]) => {
                let mut sets: BTreeMap<u8, BinSet> = self.sets.iter().cloned().collect();
                sets.insert(*dimension, rest.clone());
                Filled::But(Self::new(sets.into_iter().collect()))
            }
            (true, _) => Filled::Partly,
        }
    }

    /// The sets of the dimensions that both restrict.
    fn shared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a BinSet, &'a BinSet)> {
        let mut theirs = other.sets.iter().peekable();
        self.sets.iter().filter_map(move |(place, ours)| {
            while theirs.next_if(|(other, _)| other < place).is_some() {}
            theirs.next_if(|(other, _)| other == place).map(|(_, set)| (ours, set))
        })
    }

    /// Its rows that none of the others has, as disjoint blocks: always the same ones for the same rows. `None` where
    /// they are more than `most`.
    pub(crate) fn minus(&self, others: &[&Self], most: usize) -> Option<Vec<Self>> {
        let others: Vec<&Self> = others.iter().copied().filter(|other| other.meets(self)).collect();
        let cut: BTreeSet<u8> = others.iter().flat_map(|other| &other.sets).map(|(place, _)| *place).collect();
        let cut: Vec<u8> = cut.into_iter().collect();
        let rests =
            Cutting { whole: self, others: &others, most }.rests(&cut, &(0..others.len()).collect::<Vec<_>>())?;
        let piece = |rest: Vec<(u8, BinSet)>| {
            let mut sets: BTreeMap<u8, BinSet> = self.sets.iter().cloned().collect();
            sets.extend(rest);
            Self::new(sets.into_iter().collect())
        };
        Some(rests.into_iter().map(piece).collect())
    }
}

/// One block being cut by others, a dimension at a time.
struct Cutting<'a> {
    whole: &'a Block,
    others: &'a [&'a Block],
    most: usize,
}

/// Restrictions in the dimensions that are cut, beyond those of the whole.
type Rest = Vec<(u8, BinSet)>;

impl Cutting<'_> {
    /// What `present` leave over, in the dimensions still to be cut. Bins of a dimension over which the same is left are
    /// kept together, so that the result depends on the rows alone.
    fn rests(&self, dimensions: &[u8], present: &[usize]) -> Option<Vec<Rest>> {
        if present.is_empty() {
            return Some(vec![Vec::new()]);
        }
        let Some((dimension, later)) = dimensions.split_first() else { return Some(Vec::new()) };
        let all = self.whole.set(*dimension).cloned().unwrap_or_else(everything);
        let mut alike: BTreeMap<Vec<Rest>, Vec<(u32, u32)>> = BTreeMap::new();
        for (present, runs) in self.classes(*dimension, &all, present) {
            let left = self.rests(later, &present)?;
            if !left.is_empty() {
                alike.entry(left).or_default().extend(runs);
            }
        }
        let mut rests = Vec::new();
        for (left, runs) in alike {
            let set: BinSet = runs.into_iter().collect();
            let own = (set != all).then_some((*dimension, set));
            rests.extend(left.into_iter().map(|rest| own.iter().cloned().chain(rest).collect::<Rest>()));
        }
        (rests.len() <= self.most).then_some(rests)
    }

    /// The bins of a dimension, by which of `present` have them.
    fn classes(&self, dimension: u8, all: &BinSet, present: &[usize]) -> BTreeMap<Vec<usize>, Vec<(u32, u32)>> {
        let sets: Vec<(usize, Option<&BinSet>)> =
            present.iter().filter_map(|place| Some((*place, self.others.get(*place)?.set(dimension)))).collect();
        let restricting = sets.iter().filter_map(|(_, set)| *set);
        let mut edges: Vec<u32> =
            restricting.chain([all]).flat_map(BinSet::runs).flat_map(|(from, to)| [from, to]).collect();
        edges.sort_unstable();
        edges.dedup();
        let place = |edge: u32| edges.binary_search(&edge).unwrap_or_default();
        let mut having: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
        for (other, set) in &sets {
            let runs = set.map_or_else(|| vec![(0, u32::MAX)], |set| set.runs().collect());
            for (from, to) in runs {
                let (first, last) = if set.is_some() { (place(from), place(to)) } else { (0, edges.len()) };
                having.iter_mut().take(last).skip(first).for_each(|have| have.push(*other));
            }
        }
        let mut classes: BTreeMap<Vec<usize>, Vec<(u32, u32)>> = BTreeMap::new();
        for ((from, to), have) in edges.iter().zip(edges.iter().skip(1)).zip(having) {
            if all.contains(*from) {
                classes.entry(have).or_default().push((*from, *to));
            }
        }
        classes
    }
}

impl Block {
    /// The bins of a dimension that it is restricted to.
    fn set(&self, dimension: u8) -> Option<&BinSet> {
        self.sets.iter().find(|(place, _)| *place == dimension).map(|(_, set)| set)
    }
}

/// Every bin that there can be.
fn everything() -> BinSet {
    BinSet::range(0, u32::MAX)
}

fn single(set: &BinSet) -> Option<(u32, u32)> {
    let mut runs = set.runs();
    let first = runs.next()?;
    runs.next().is_none().then_some(first)
}

/// As [`BinSet::meets`], without making the set of both.
pub(crate) fn meet(left: &BinSet, right: &BinSet) -> bool {
    let (mut ours, mut theirs) = (left.runs(), right.runs());
    let (mut one, mut other) = (ours.next(), theirs.next());
    while let (Some((from, to)), Some((start, end))) = (one, other) {
        if from < end && start < to {
            return true;
        }
        if to <= end {
            one = ours.next();
        } else {
            other = theirs.next();
        }
    }
    false
}

/// Most dimensions of one table's rows that regions restrict.
const MOST_DIMENSIONS: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Drawn = Vec<Option<Vec<u32>>>;

    fn drawn() -> impl Strategy<Value = Drawn> {
        let set = proptest::collection::vec(0_u32..4, 1..4);
        proptest::collection::vec(proptest::option::of(set), 3)
    }

    fn region(drawn: &Drawn) -> Region {
        let named = drawn.iter().enumerate().filter_map(|(place, set)| Some((place, set.as_ref()?)));
        named.fold(Region::all(Facts::new("d", "t")), |region, (place, set)| {
            region.within(Dimension::own(&format!("d{place}")), set.iter().copied().collect())
        })
    }

    /// The points of a space that is one bin wider than what is drawn, so that what is not restricted shows.
    fn has(block: &Block, point: [u32; 3]) -> bool {
        block.sets.iter().all(|(place, set)| set.contains(point[usize::from(*place)]))
    }

    fn points() -> impl Iterator<Item = [u32; 3]> {
        (0..5).flat_map(|x| (0..5).flat_map(move |y| (0..5).map(move |z| [x, y, z])))
    }

    fn atlas() -> Atlas {
        Atlas {
            facts: Facts::new("d", "t"),
            dimensions: (0..3).map(|place| Dimension::own(&format!("d{place}"))).collect(),
        }
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_none_of_the_others_has(one in drawn(), others in proptest::collection::vec(drawn(), 0..5)) {
            let atlas = atlas();
            let whole = atlas.block(&region(&one)).unwrap();
            let others: Vec<Block> = others.iter().map(|other| atlas.block(&region(other)).unwrap()).collect();
            let pieces = whole.minus(&others.iter().collect::<Vec<_>>(), 1000).unwrap();
            for point in points() {
                let left = has(&whole, point) && !others.iter().any(|other| has(other, point));
                prop_assert_eq!(pieces.iter().filter(|piece| has(piece, point)).count(), usize::from(left));
            }
            // However it was cut: the same rows are the same pieces.
            let mut turned: Vec<&Block> = others.iter().rev().collect();
            let crumbs: Vec<Block> = others.iter().flat_map(|other| other.minus(&[&whole], 1000).unwrap()).collect();
            turned.extend(&crumbs);
            prop_assert_eq!(whole.minus(&turned, 1000).unwrap(), pieces);
        }

        #[test]
        fn what_is_filled_has_nothing_left(one in drawn(), others in proptest::collection::vec(drawn(), 0..6)) {
            let atlas = atlas();
            let whole = atlas.block(&region(&one)).unwrap();
            let mut parts: Vec<Block> = Vec::new();
            for other in others.iter().map(|other| atlas.block(&region(other)).unwrap()) {
                if other.meets(&whole) && parts.iter().all(|part| !part.meets(&other)) {
                    parts.push(other);
                }
            }
            let parts: Vec<&Block> = parts.iter().collect();
            let left = whole.minus(&parts, 1000).unwrap();
            match whole.filled(&parts) {
                Filled::Wholly => prop_assert_eq!(left, vec![]),
                Filled::But(rest) => prop_assert_eq!(left, vec![rest]),
                Filled::Partly => prop_assert!(!left.is_empty()),
            }
        }

        #[test]
        fn blocks_compare_as_their_regions_do(one in drawn(), other in drawn()) {
            let atlas = atlas();
            let (left, right) = (region(&one), region(&other));
            let (block, against) = (atlas.block(&left).unwrap(), atlas.block(&right).unwrap());
            prop_assert_eq!(block.covers(&against), left.covers(&right));
            prop_assert_eq!(block.meets(&against), left.meets(&right));
            prop_assert_eq!(atlas.region(&block), left);
        }
    }
}

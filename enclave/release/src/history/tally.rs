//! Counting remainders, all in one pass: rows are told apart by the classes of their bins alone, and what a subject brings
//! with rows of some classes is given to every remainder that has these.
//!
//! ```text
//! remainders --Tally::of--> classes of bins          rows of the same classes are in the same remainders
//! rows by subject --add, next_subject--> Contributions        of each remainder, of each measure
//! ```
//!
//! Trusts: that rows come subject by subject, and that the regions of one remainder share no row. Memory is bounded by the
//! remainders and their classes, whatever the rows.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use crate::{
    budget::{Classes, Partition},
    space::{BinSet, Dimension, Region},
    statistics::Contributions,
};

/// Remainders while they are counted.
#[derive(Debug)]
pub struct Tally {
    dimensions: Vec<Classes>,
    /// Of each dimension, of each class, which blocks have it: one bit for each.
    having: Vec<Vec<Vec<u64>>>,
    /// Of each block its remainder.
    of_blocks: Vec<u32>,
    /// Of each measure, whether a subject brings it but once, whatever its rows.
    once: Vec<bool>,
    /// Where in `kept` those remainders are that have rows of some classes, as long as that is not too much to keep.
    known: HashMap<Vec<u32>, Range<usize>>,
    kept: Vec<u32>,
    /// Of the subject at hand, of each remainder, of each measure.
    brought: Vec<f64>,
    /// To which of the remainders it brings something, and whether each is among these.
    touched: Vec<u32>,
    is_touched: Vec<bool>,
    counted: Vec<Contributions>,
}

impl Tally {
    /// Of remainders by their regions, and measures; `None` where they cut bins more finely than is looked at.
    pub fn of(remainders: &[Vec<Region>], once: Vec<bool>) -> Option<Self> {
        let blocks: Vec<(u32, &Region)> = (0..)
            .zip(remainders)
            .flat_map(|(place, regions)| regions.iter().map(move |region| (place, region)))
            .collect();
        let mut sets: BTreeMap<&Dimension, BTreeSet<&BinSet>> = BTreeMap::new();
        for (dimension, set) in blocks.iter().flat_map(|(_, region)| region.sets()) {
            sets.entry(dimension).or_default().insert(set);
        }
        let words = blocks.len().div_ceil(64);
        let (mut dimensions, mut having) = (Vec::new(), Vec::new());
        for (dimension, sets) in sets {
            let sets: Vec<&BinSet> = sets.into_iter().collect();
            let Partition { classes, of_sets } = Partition::of(&sets)?;
            (words * classes.len() <= MOST_WORDS).then_some(())?;
            let mut of_classes = vec![vec![0_u64; words]; classes.len()];
            let every: Vec<u32> = (0..).zip(&classes).map(|(class, _)| class).collect();
            for (place, (_, region)) in blocks.iter().enumerate() {
                let named = region.bins(dimension).and_then(|set| of_sets.get(sets.binary_search(&set).ok()?));
                for class in named.unwrap_or(&every) {
                    let word = of_classes.get_mut(*class as usize).and_then(|words| words.get_mut(place / 64));
                    word.into_iter().for_each(|word| *word |= 1 << (place % 64));
                }
            }
            dimensions.push(Classes { dimension: dimension.clone(), sets: classes });
            having.push(of_classes);
        }
        let numbers = remainders.len() * once.len();
        Some(Self {
            dimensions,
            having,
            of_blocks: blocks.into_iter().map(|(remainder, _)| remainder).collect(),
            once,
            known: HashMap::new(),
            kept: Vec::new(),
            brought: vec![0.0; numbers],
            touched: Vec::new(),
            is_touched: vec![false; remainders.len()],
            counted: vec![Contributions::NONE; numbers],
        })
    }

    /// By what rows are to be told apart.
    pub fn dimensions(&self) -> &[Classes] {
        &self.dimensions
    }

    /// Which remainders have the rows of these classes: one of each dimension, in order.
    pub fn places(&mut self, classes: &[u32]) -> &[u32] {
        let places = match self.known.get(classes) {
            Some(known) => known.clone(),
            None => self.find(classes),
        };
        self.kept.get(places).unwrap_or_default()
    }

    /// Keeps which remainders have these; in the place of all that was kept before, where that is too much.
    fn find(&mut self, classes: &[u32]) -> Range<usize> {
        let words = self.of_blocks.len().div_ceil(64);
        let mut all = vec![u64::MAX; words];
        for (of_classes, class) in self.having.iter().zip(classes) {
            match of_classes.get(*class as usize) {
                Some(having) => all.iter_mut().zip(having).for_each(|(all, having)| *all &= having),
                None => all.fill(0),
            }
        }
        let bits = |(word, bits): (usize, &u64)| {
            let bits = *bits;
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        };
        let places = all.iter().enumerate().flat_map(bits).filter_map(|block| self.of_blocks.get(block).copied());
        if self.kept.len() + self.known.len() > MOST_KEPT {
            self.kept.clear();
            self.known.clear();
        }
        let first = self.kept.len();
        self.kept.extend(places);
        let places = first..self.kept.len();
        self.known.insert(classes.to_vec(), places.clone());
        places
    }

    /// What the subject at hand brings of each measure, with rows of these classes. What is missing is nothing.
    pub fn add(&mut self, classes: &[u32], parts: &[f64]) {
        self.places(classes);
        let Self { known, kept, brought, touched, is_touched, once, .. } = self;
        let places = known.get(classes).and_then(|places| kept.get(places.clone())).unwrap_or_default();
        for place in places {
            if let Some(is_touched) = is_touched.get_mut(*place as usize).filter(|is_touched| !**is_touched) {
                *is_touched = true;
                touched.push(*place);
            }
            let first = *place as usize * once.len();
            let brought = brought.get_mut(first..first + once.len()).unwrap_or_default();
            for ((brought, part), once) in brought.iter_mut().zip(parts).zip(once.iter()) {
                *brought = if *once { brought.max(*part) } else { *brought + part };
            }
        }
    }

    /// All rows of the subject at hand have come.
    pub fn next_subject(&mut self) {
        let measures = self.once.len();
        for place in self.touched.drain(..) {
            self.is_touched.get_mut(place as usize).into_iter().for_each(|is_touched| *is_touched = false);
            let numbers = place as usize * measures..(place as usize + 1) * measures;
            let (Some(brought), Some(counted)) = (self.brought.get_mut(numbers.clone()), self.counted.get_mut(numbers))
            else {
                continue;
            };
            for (brought, counted) in brought.iter_mut().zip(counted) {
                counted.observe(std::mem::take(brought));
            }
        }
    }

    /// Of each remainder, of each measure.
    pub fn finish(mut self) -> Vec<Vec<Contributions>> {
        self.next_subject();
        self.counted.chunks(self.once.len().max(1)).map(<[Contributions]>::to_vec).collect()
    }
}

/// Words of a dimension's bits.
const MOST_WORDS: usize = 1 << 22;
/// Remainders that are kept by classes of rows.
const MOST_KEPT: usize = 1 << 23;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::space::Facts;

    type Bins = Option<BTreeSet<u32>>;

    fn dimensions() -> [Dimension; 3] {
        ["x", "y", "z"].map(Dimension::own)
    }

    /// A part of a line of the first dimension each, so that no two share a row.
    fn remainder() -> impl Strategy<Value = Vec<Region>> {
        let set = || proptest::option::of(proptest::collection::btree_set(0_u32..5, 1..5));
        let rest = proptest::collection::vec((set(), set()), 1..4);
        rest.prop_map(|rests| {
            let region = |(line, (y, z)): (u32, (Bins, Bins))| {
                let [x_of, y_of, z_of] = dimensions();
                let mut region = Region::all(Facts::new("d", "t")).within(x_of, BinSet::range(line, line + 2));
                for (dimension, set) in [(y_of, y), (z_of, z)] {
                    region = match set {
                        Some(set) => region.within(dimension, set.into_iter().collect()),
                        None => region,
                    };
                }
                region
            };
            (0..).step_by(2).zip(rests).map(region).collect()
        })
    }

    fn lies(point: [u32; 3], region: &Region) -> bool {
        dimensions()
            .iter()
            .zip(point)
            .all(|(dimension, bin)| region.bins(dimension).is_none_or(|set| set.contains(bin)))
    }

    proptest! {
        #[test]
        fn each_remainder_is_counted_as_if_it_were_alone(
            remainders in proptest::collection::vec(remainder(), 1..70),
            rows in proptest::collection::vec((0_u32..12, [0_u32..7, 0_u32..5, 0_u32..5], 0_u32..9), 0..60),
        ) {
            let mut rows = rows;
            rows.sort_unstable();
            let mut tally = Tally::of(&remainders, vec![false, true]).unwrap();
            for (place, (subject, point, value)) in rows.iter().enumerate() {
                if place.checked_sub(1).is_some_and(|before| rows[before].0 != *subject) {
                    tally.next_subject();
                }
                let class = |of: &Classes| {
                    let axis = dimensions().iter().position(|dimension| *dimension == of.dimension).unwrap();
                    of.sets.iter().position(|set| set.contains(point[axis])).unwrap() as u32
                };
                let classes: Vec<u32> = tally.dimensions().iter().map(class).collect();
                tally.add(&classes, &[f64::from(*value), 1.0]);
            }
            for (counted, regions) in tally.finish().iter().zip(&remainders) {
                let mut of_subjects: BTreeMap<u32, f64> = BTreeMap::new();
                for (subject, point, value) in &rows {
                    if regions.iter().any(|region| lies(*point, region)) {
                        *of_subjects.entry(*subject).or_default() += f64::from(*value);
                    }
                }
                let mut expected = [Contributions::NONE; 2];
                for brought in of_subjects.values() {
                    expected[0].observe(*brought);
                    expected[1].observe(1.0);
                }
                prop_assert_eq!(counted.as_slice(), expected.as_slice());
            }
        }
    }
}

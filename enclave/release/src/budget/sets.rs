//! The sets of rows that are released of a table: which there are, what is told of each, and to whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Classes, Question, classes::Partition, precisions};
use crate::{
    history::{
        History, Quantity,
        layers::{Earlier, earlier, present},
        loads,
    },
    space::{BinSet, Dimension, Region},
};

/// All sets of one table's rows that were released or are about to be.
#[derive(Debug)]
pub(crate) struct Sets {
    /// The countable dimensions that they name.
    pub(crate) dimensions: Vec<Classes>,
    pub(crate) all: Vec<Set>,
    /// Of each new cell its set and what it tells; `None` for one without rows in these facts, whatever the data.
    pub(crate) new: Vec<Option<(usize, BTreeMap<Quantity, f64>)>>,
}

/// A set of rows: of each dimension that restricts it the classes, and how exactly each quantity is known.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) within: Vec<(usize, Vec<u32>)>,
    /// Whether other dimensions restrict it as well, which nobody can count: its rows are some of these.
    pub(crate) uncountable: bool,
    pub(crate) together: BTreeMap<Quantity, Told>,
    pub(crate) organisation: BTreeMap<Quantity, Told>,
}

/// How exactly a quantity was told: one over λ.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Told {
    /// Of the rows at hand.
    pub(crate) fresh: f64,
    /// Of rows that they stand for, added up: rows that were replaced were told of once, and are told of again.
    pub(crate) stale: f64,
}

impl Set {
    /// How exactly all quantities are known.
    pub(crate) fn precision(told: &BTreeMap<Quantity, Told>) -> f64 {
        told.values().map(|told| told.fresh + told.stale).sum()
    }
}

impl Sets {
    /// Of what was released and of the new cells; `None` where they are too many or cut too finely.
    pub(crate) fn of(
        question: Question<'_>,
        history: &History,
        countable: impl Fn(&Dimension) -> bool,
    ) -> Option<Self> {
        let present = present(question.facts, question.versions);
        let earlier = earlier(question.facts, history, question.versions, &present);
        let ours = question.cells.iter().map(|cell| {
            let ours = cell.region.facts() == question.facts && !cell.region.is_empty();
            ours.then(|| (cell, cell.region.clone().within(loads(), present.clone())))
        });
        let new: Vec<_> = ours.collect();
        let regions = earlier.iter().map(|earlier| &earlier.region);
        let regions: Vec<&Region> = regions.chain(new.iter().flatten().map(|(_, region)| region)).collect();
        let mut atlas = Atlas::of(&regions, countable);
        let mut sets = Self { dimensions: Vec::new(), all: Vec::new(), new: Vec::new() };
        for earlier in &earlier {
            if let Some(place) = atlas.place(&earlier.region) {
                sets.add(place, earlier, question.organisation);
            }
        }
        for new in &new {
            let place = new.as_ref().and_then(|(cell, region)| Some((atlas.place(region)?, precisions(cell))));
            sets.reach(place.as_ref().map(|(place, _)| *place));
            sets.new.push(place);
        }
        (atlas.places.len() <= MOST_SETS).then_some(())?;
        sets.classify(atlas)?;
        Some(sets)
    }

    fn reach(&mut self, place: Option<usize>) {
        let empty =
            || Set { within: vec![], uncountable: false, together: BTreeMap::new(), organisation: BTreeMap::new() };
        if place.is_some_and(|place| place >= self.all.len()) {
            self.all.push(empty());
        }
    }

    fn add(&mut self, place: usize, earlier: &Earlier<'_>, organisation: &str) {
        self.reach(Some(place));
        let Some(set) = self.all.get_mut(place) else { return };
        for (quantity, precision) in precisions(earlier.cell) {
            let add = |told: &mut BTreeMap<Quantity, Told>| {
                let told = told.entry(quantity.clone()).or_default();
                if earlier.stale {
                    told.stale += precision;
                } else {
                    told.fresh = told.fresh.max(precision);
                }
            };
            add(&mut set.together);
            if earlier.release.organisation == organisation {
                add(&mut set.organisation);
            }
        }
    }

    /// Says of each set which classes it is made of.
    fn classify(&mut self, atlas: Atlas<'_>) -> Option<()> {
        let mut partitions = Vec::new();
        for named in atlas.named {
            let mut sets: Vec<(&BinSet, usize)> = named.sets.into_iter().collect();
            sets.sort_unstable_by_key(|(_, number)| *number);
            let sets: Vec<&BinSet> = sets.into_iter().map(|(set, _)| set).collect();
            let partition = Partition::of(&sets)?;
            self.dimensions.push(Classes { dimension: named.dimension.clone(), sets: partition.classes });
            partitions.push(partition.of_sets);
        }
        for ((restricted, uncountable), place) in atlas.places {
            let set = self.all.get_mut(place)?;
            set.uncountable = uncountable;
            for (dimension, number) in restricted {
                set.within.push((dimension, partitions.get(dimension)?.get(number)?.clone()));
            }
        }
        Some(())
    }
}

/// Dimensions and their sets of bins by numbers, and sets of rows by those.
struct Atlas<'a> {
    named: Vec<Named<'a>>,
    numbers: BTreeMap<&'a Dimension, usize>,
    places: HashMap<(Restricted, bool), usize>,
}

struct Named<'a> {
    dimension: &'a Dimension,
    sets: HashMap<&'a BinSet, usize>,
}

/// Numbers of dimensions, and of the sets of bins that they are restricted to.
type Restricted = Vec<(usize, usize)>;

impl<'a> Atlas<'a> {
    fn of(regions: &[&'a Region], countable: impl Fn(&Dimension) -> bool) -> Self {
        let named: BTreeSet<&Dimension> =
            regions.iter().flat_map(|region| restrictions(region)).map(|(dimension, _)| dimension).collect();
        let named: Vec<&Dimension> =
            named.into_iter().filter(|dimension| **dimension == loads() || countable(dimension)).collect();
        let numbers = named.iter().zip(0..).map(|(dimension, number)| (*dimension, number)).collect();
        let named = named.into_iter().map(|dimension| Named { dimension, sets: HashMap::new() }).collect();
        Self { named, numbers, places: HashMap::new() }
    }

    /// The number of a set of rows; `None` for one that has none, whatever the data.
    fn place(&mut self, region: &'a Region) -> Option<usize> {
        if region.is_empty() {
            return None;
        }
        let (mut restricted, mut uncountable) = (Vec::new(), false);
        for (dimension, set) in restrictions(region) {
            let Some(number) = self.numbers.get(dimension) else {
                uncountable = true;
                continue;
            };
            let sets = &mut self.named.get_mut(*number)?.sets;
            let next = sets.len();
            restricted.push((*number, *sets.entry(set).or_insert(next)));
        }
        let next = self.places.len();
        Some(*self.places.entry((restricted, uncountable)).or_insert(next))
    }
}

/// What a region is restricted to: a set of all bins is no restriction.
fn restrictions(region: &Region) -> impl Iterator<Item = (&Dimension, &BinSet)> {
    let everything = BinSet::range(0, u32::MAX);
    region.sets().filter(move |(_, set)| **set != everything)
}

/// Most different sets of rows.
const MOST_SETS: usize = 32_768;

//! Atoms: the rows of a table, by which released sets they are in.

use std::collections::BTreeMap;

use super::precisions;
use crate::{
    history::{
        Cell, History, Quantity, Versions,
        blocks::{Atlas, Block},
        layers::{Earlier, earlier, present},
        loads,
    },
    space::{Facts, Region},
};

/// A table's rows cut by sets.
#[derive(Debug)]
pub(crate) struct Atoms {
    atlas: Atlas,
    atoms: Vec<Atom>,
    /// Rows in no set.
    rest: Vec<Block>,
    sets: Vec<Set>,
    /// Of each new cell its set, unless it would have made too many atoms, and how exactly it tells what was not told.
    new: Vec<Option<(usize, f64)>>,
}

/// Rows that are in the same sets.
#[derive(Debug, Clone)]
struct Atom {
    rows: Vec<Block>,
    /// Ascending.
    sets: Vec<usize>,
}

/// A released set of rows: how exactly each quantity of it is known, of all together and to the organisation that asks.
#[derive(Debug, Default, Clone)]
struct Set {
    together: BTreeMap<Quantity, f64>,
    organisation: BTreeMap<Quantity, f64>,
}

/// A cell as the budget sees it: which atoms it adds up, and how exactly.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) atoms: Vec<usize>,
    /// One over λ.
    pub(crate) precision: f64,
}

/// Atoms with their sizes, none without subjects.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) sizes: Vec<f64>,
    pub(crate) together: Vec<Observation>,
    pub(crate) organisation: Vec<Observation>,
    pub(crate) new: Vec<Option<Observation>>,
}

impl Atoms {
    /// By all that was released of these facts, and by the new cells as far as they fit. `None` if what was released does
    /// not.
    pub(crate) fn of(
        facts: &Facts,
        history: &History,
        cells: &[Cell],
        organisation: &str,
        current: &Versions,
    ) -> Option<Self> {
        let present = present(facts, current);
        let earlier = earlier(facts, history, current, &present);
        let ours = |cell: &&Cell| cell.region.facts() == facts;
        let fresh: Vec<Region> =
            cells.iter().filter(ours).map(|cell| cell.region.clone().within(loads(), present.clone())).collect();
        let atlas = Atlas::of(facts, earlier.iter().map(|earlier| &earlier.region).chain(&fresh))?;
        let rest = vec![atlas.block(&Region::all(facts.clone()))?];
        let mut atoms = Self { atlas, atoms: Vec::new(), rest, sets: Vec::new(), new: Vec::new() };
        let mut places: BTreeMap<Block, usize> = BTreeMap::new();
        for earlier in &earlier {
            atoms.add_earlier(earlier, organisation, &mut places)?;
        }
        let mut fresh = fresh.iter();
        for cell in cells {
            let region = if ours(&cell) { fresh.next() } else { None };
            let place = region.and_then(|region| atoms.add_new(cell, region, &mut places));
            atoms.new.push(place);
        }
        Some(atoms)
    }

    fn add_earlier(
        &mut self,
        earlier: &Earlier<'_>,
        organisation: &str,
        places: &mut BTreeMap<Block, usize>,
    ) -> Option<()> {
        let Some(block) = self.atlas.block(&earlier.region) else { return Some(()) };
        let place = self.place(block, places)?;
        let set = self.sets.get_mut(place)?;
        for (quantity, precision) in precisions(earlier.cell) {
            // Rows that were replaced were told of once, and are told of again.
            let add = |known: &mut f64| *known = if earlier.stale { *known + precision } else { known.max(precision) };
            set.together.entry(quantity.clone()).and_modify(add).or_insert(precision);
            if earlier.release.organisation == organisation {
                set.organisation.entry(quantity.clone()).and_modify(add).or_insert(precision);
            }
        }
        Some(())
    }

    fn add_new(&mut self, cell: &Cell, region: &Region, places: &mut BTreeMap<Block, usize>) -> Option<(usize, f64)> {
        let block = self.atlas.block(region)?;
        let place = self.place(block, places)?;
        let set = self.sets.get(place)?;
        let untold =
            |(quantity, precision): (&Quantity, f64)| (!set.together.contains_key(quantity)).then_some(precision);
        Some((place, precisions(cell).into_iter().filter_map(untold).sum()))
    }

    /// The set of these rows, which is made if it is not there.
    fn place(&mut self, block: Block, places: &mut BTreeMap<Block, usize>) -> Option<usize> {
        if let Some(place) = places.get(&block) {
            return Some(*place);
        }
        let place = self.cut(&block)?;
        places.insert(block, place);
        Some(place)
    }

    /// Cuts every atom in two by a further set; `None`, and nothing is cut, where that makes too many.
    fn cut(&mut self, block: &Block) -> Option<usize> {
        let mut cuts = Vec::new();
        for (place, atom) in self.atoms.iter().enumerate() {
            if atom.rows.iter().any(|rows| rows.meets(block)) {
                cuts.push((place, split(&atom.rows, block)?));
            }
        }
        let (alone, rest) = split(&self.rest, block)?;
        let divided = cuts.iter().filter(|(_, (_, outside))| !outside.is_empty()).count();
        let pieces: usize = cuts.iter().map(|(_, (inside, outside))| inside.len() + outside.len()).sum();
        if self.atoms.len() + divided >= MOST_CUT || pieces + alone.len() + rest.len() > MOST_PIECES {
            return None;
        }
        let set = self.sets.len();
        self.sets.push(Set::default());
        self.rest = rest;
        for (place, (inside, outside)) in cuts {
            let Some(atom) = self.atoms.get_mut(place) else { continue };
            let before = (!outside.is_empty()).then(|| Atom { rows: outside, sets: atom.sets.clone() });
            atom.rows = inside;
            atom.sets.push(set);
            self.atoms.extend(before);
        }
        if !alone.is_empty() {
            self.atoms.push(Atom { rows: alone, sets: vec![set] });
        }
        Some(set)
    }

    /// The rows of each atom.
    pub(crate) fn regions(&self) -> Vec<Vec<Region>> {
        let regions = |atom: &Atom| atom.rows.iter().map(|rows| self.atlas.region(rows)).collect();
        self.atoms.iter().map(regions).collect()
    }

    /// With the subjects of each atom. New cells are left out from the last one on until no more than `most` atoms are told
    /// apart; `None` if earlier ones tell more apart.
    pub(crate) fn settle(self, subjects: &[u64], most: usize) -> Option<Settled> {
        let told_apart = |sets: usize| {
            let mut merged: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
            for (atom, subjects) in self.atoms.iter().zip(subjects).filter(|(_, subjects)| **subjects > 0) {
                let within: Vec<usize> = atom.sets.iter().copied().filter(|set| *set < sets).collect();
                *merged.entry(within).or_default() += *subjects as f64;
            }
            merged.remove(&Vec::new());
            merged
        };
        let earlier = self.sets.iter().filter(|set| !set.together.is_empty()).count();
        let (mut low, mut high) = (earlier, self.sets.len());
        if told_apart(low).len() > most {
            return None;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if told_apart(middle).len() <= most { low = middle } else { high = middle - 1 }
        }
        let merged = told_apart(low);
        let mut atoms_of: Vec<Vec<usize>> = vec![Vec::new(); low];
        for (atom, sets) in merged.keys().enumerate() {
            sets.iter().for_each(|set| atoms_of.get_mut(*set).into_iter().for_each(|atoms| atoms.push(atom)));
        }
        let observed = |known: fn(&Set) -> f64| -> Vec<Observation> {
            let sets = atoms_of.iter().zip(&self.sets).map(|(atoms, set)| (atoms, known(set)));
            sets.filter(|(_, precision)| *precision > 0.0)
                .map(|(atoms, precision)| Observation { atoms: atoms.clone(), precision })
                .collect()
        };
        let new = |new: &Option<(usize, f64)>| {
            let (place, precision) = (*new)?;
            Some(Observation { atoms: atoms_of.get(place)?.clone(), precision })
        };
        Some(Settled {
            sizes: merged.values().copied().collect(),
            together: observed(|set| set.together.values().sum()),
            organisation: observed(|set| set.organisation.values().sum()),
            new: self.new.iter().map(new).collect(),
        })
    }
}

/// Disjoint rows inside and outside of a block.
fn split(rows: &[Block], block: &Block) -> Option<(Vec<Block>, Vec<Block>)> {
    let inside = rows.iter().filter_map(|rows| rows.and(block)).collect();
    let outside: Option<Vec<Vec<Block>>> = rows.iter().map(|rows| rows.minus(&[block], MOST_PIECES)).collect();
    Some((inside, outside?.concat()))
}

/// Most atoms before it is known which have no subject.
const MOST_CUT: usize = 16_384;
/// Most blocks that the atoms which a set cuts are made of.
const MOST_PIECES: usize = 65_536;

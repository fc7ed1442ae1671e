//! Atoms of an answer: the finest parts that its cells' regions cut the space into.
//!
//! Two points that lie in the same cells are of one atom, so an atom is written as the cells it lies in. Dimensions are
//! taken one by one: the bins of one fall into classes that no cell tells apart, and each part found so far is split by
//! them. A part that lies in a family's extent and in none of its cells holds no row, and is dropped as soon as that
//! shows; so a ROLLUP over two dimensions is split into its finest cells and never into more. Cost: for each part and
//! dimension, its cells times the classes that each of them spans.

use std::collections::{BTreeMap, BTreeSet};

use crate::space::{BinSet, Dimension, Region};

use super::Family;

/// Parts of the space, and which cells they are in. Cells are numbered through all families.
#[derive(Debug)]
pub(super) struct Atoms {
    /// Of each atom its cells, ascending.
    cells: Vec<Vec<usize>>,
    /// Of each cell its atoms, ascending.
    atoms: Vec<Vec<usize>>,
}

/// A dimension's bins, as far as anything tells them apart.
struct Classes {
    number: usize,
    /// Of each item its classes; `None` for all.
    spans: Vec<Option<Vec<usize>>>,
}

impl Atoms {
    /// Those of an answer; `None` where there are too many, or regions are not of the same facts.
    pub(super) fn of(families: &[Family]) -> Option<Self> {
        // Cells come first, so that their numbers are theirs; the extents follow.
        let cells: Vec<(usize, &Region)> = families
            .iter()
            .enumerate()
            .flat_map(|(family, of)| of.cells.iter().map(move |cell| (family, &cell.region)))
            .collect();
        let items: Vec<(usize, &Region)> =
            cells.iter().copied().chain(families.iter().map(|family| &family.extent).enumerate()).collect();
        let facts = items.first()?.1.facts();
        if items.len() > MOST_ITEMS || items.iter().any(|(_, region)| region.facts() != facts) {
            return None;
        }
        let dimensions: BTreeSet<&Dimension> =
            items.iter().flat_map(|(_, region)| region.sets().map(|(dimension, _)| dimension)).collect();
        let mut parts: BTreeSet<Vec<usize>> = BTreeSet::from([(0..items.len()).collect()]);
        let mut effort = 0;
        for dimension in dimensions {
            let classes = Classes::of(&items, dimension);
            let mut split = BTreeSet::new();
            for part in parts {
                for piece in classes.split(part, &mut effort)? {
                    if holds_rows(&piece, &items, cells.len(), families.len()) {
                        split.insert(piece);
                    }
                }
                if split.len() > MOST_ATOMS {
                    return None;
                }
            }
            parts = split;
        }
        let parts: BTreeSet<Vec<usize>> =
            parts.into_iter().map(|part| part.into_iter().filter(|item| *item < cells.len()).collect()).collect();
        let mut atoms = vec![Vec::new(); cells.len()];
        let parts: Vec<Vec<usize>> = parts.into_iter().filter(|part: &Vec<usize>| !part.is_empty()).collect();
        for (atom, part) in parts.iter().enumerate() {
            for cell in part {
                atoms.get_mut(*cell)?.push(atom);
            }
        }
        Some(Self { cells: parts, atoms })
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.cells.len()
    }

    /// The cells that an atom lies in.
    pub(super) fn cells(&self, atom: usize) -> &[usize] {
        self.cells.get(atom).map_or(&[], Vec::as_slice)
    }

    /// The atoms of a cell.
    pub(super) fn of_cell(&self, cell: usize) -> &[usize] {
        self.atoms.get(cell).map_or(&[], Vec::as_slice)
    }
}

impl Classes {
    fn of(items: &[(usize, &Region)], dimension: &Dimension) -> Self {
        let mut sets: BTreeMap<&BinSet, usize> = BTreeMap::new();
        for set in items.iter().filter_map(|(_, region)| region.bins(dimension)) {
            let next = sets.len();
            sets.entry(set).or_insert(next);
        }
        let mut ends: Vec<(u32, usize)> = sets
            .iter()
            .flat_map(|(set, place)| set.runs().flat_map(|(from, to)| [(from, *place), (to, *place)]))
            .collect();
        ends.sort_unstable();
        // The class of no set comes first: bins that nothing names.
        let mut classes: BTreeMap<Vec<usize>, usize> = BTreeMap::from([(Vec::new(), 0)]);
        let mut within: BTreeSet<usize> = BTreeSet::new();
        for (place, (bin, set)) in ends.iter().enumerate() {
            if !within.remove(set) {
                within.insert(*set);
            }
            if ends.get(place + 1).is_none_or(|(next, _)| next != bin) {
                let number = classes.len();
                classes.entry(within.iter().copied().collect()).or_insert(number);
            }
        }
        let mut spans_of_set = vec![Vec::new(); sets.len()];
        for (members, class) in &classes {
            for set in members {
                if let Some(spans) = spans_of_set.get_mut(*set) {
                    spans.push(*class);
                }
            }
        }
        let spans = items.iter().map(|(_, region)| {
            let set = sets.get(region.bins(dimension)?)?;
            Some(spans_of_set.get(*set).cloned().unwrap_or_default())
        });
        Self { number: classes.len(), spans: spans.collect() }
    }

    /// What of a part lies in each class; `None` past the bound of effort.
    fn split(&self, part: Vec<usize>, effort: &mut usize) -> Option<Vec<Vec<usize>>> {
        if part.iter().all(|item| matches!(self.spans.get(*item), Some(None))) {
            return Some(vec![part]);
        }
        let mut pieces = vec![Vec::new(); self.number];
        for item in part {
            match self.spans.get(item)? {
                None => pieces.iter_mut().for_each(|piece| piece.push(item)),
                Some(classes) => {
                    for class in classes {
                        pieces.get_mut(*class)?.push(item);
                    }
                }
            }
            *effort += self.spans.get(item)?.as_ref().map_or(self.number, Vec::len);
        }
        (*effort <= MOST_EFFORT).then_some(pieces)
    }
}

/// Whether rows can be there: wherever a family's extent is, one of its cells must be too.
fn holds_rows(part: &[usize], items: &[(usize, &Region)], cells: usize, families: usize) -> bool {
    let mut met = vec![false; families];
    // Cells are numbered before extents, and a part is ascending.
    for item in part {
        let family = items.get(*item).map_or(0, |(family, _)| *family);
        match met.get_mut(family) {
            Some(met) if *item < cells => *met = true,
            Some(met) if !*met => return false,
            Some(_) | None => {}
        }
    }
    !part.is_empty()
}

const MOST_ITEMS: usize = 20_000;
const MOST_ATOMS: usize = 20_000;
const MOST_EFFORT: usize = 20_000_000;

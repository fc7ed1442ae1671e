//! Which cells of a field lie within one, around it or across it, without looking at each.
//!
//! Cells are many and the sets of bins that they are made of are few. So of each set of each dimension is kept which cells
//! have, in that dimension, a set within it, around it or one that meets it; what holds of a cell is what holds in every
//! dimension.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use super::{
    blocks::{Block, meet},
    layers::Field,
    places::Places,
};
use crate::space::BinSet;

/// The cells of a field by their sets.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    field: &'a Field,
    dimensions: Vec<Sets<'a>>,
    rows: RefCell<HashMap<(u8, usize, Relation), Rc<Places>>>,
    across: RefCell<HashMap<usize, Rc<Places>>>,
}

/// The sets of one dimension, in order, and which cells have each.
#[derive(Debug, Default)]
struct Sets<'a> {
    sets: Vec<&'a BinSet>,
    cells: Vec<Vec<usize>>,
    /// Those that are not restricted.
    free: Vec<usize>,
}

/// How a cell's set in one dimension lies to one that is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Relation {
    Within,
    Around,
    Across,
}

impl<'a> Index<'a> {
    pub(crate) fn of(field: &'a Field) -> Self {
        let mut named: BTreeMap<u8, BTreeMap<&BinSet, Vec<usize>>> = BTreeMap::new();
        for (place, cell) in field.cells.iter().enumerate() {
            for (dimension, set) in cell.block.sets() {
                named.entry(*dimension).or_default().entry(set).or_default().push(place);
            }
        }
        let last = named.keys().last().copied();
        let sets = |dimension: u8| {
            let (sets, cells) = named.remove(&dimension).unwrap_or_default().into_iter().unzip();
            let restricts = |block: &Block| block.signature() & 1_u128.unbounded_shl(dimension.into()) != 0;
            let places = field.cells.iter().enumerate().filter(|(_, cell)| !restricts(&cell.block));
            Sets { sets, cells, free: places.map(|(place, _)| place).collect() }
        };
        let dimensions = last.into_iter().flat_map(|last| 0..=last).map(sets).collect();
        Self { field, dimensions, rows: RefCell::default(), across: RefCell::default() }
    }

    /// Of these, those that have no row but a cell's; itself too.
    pub(crate) fn within(&self, cell: usize, among: &Places) -> Places {
        self.those(cell, Relation::Within, among)
    }

    /// Of these, those that have every row of a cell; itself too.
    pub(crate) fn around(&self, cell: usize, among: &Places) -> Places {
        self.those(cell, Relation::Around, among)
    }

    /// Those that can have a row in common with a cell; itself too.
    pub(crate) fn across(&self, cell: usize) -> Rc<Places> {
        if let Some(known) = self.across.borrow().get(&cell) {
            return Rc::clone(known);
        }
        let count = self.field.cells.len();
        let found = Rc::new(self.those(cell, Relation::Across, &Places::of(count, 0..count)));
        let mut across = self.across.borrow_mut();
        if across.len().saturating_mul(count) > MOST_BITS {
            across.clear();
        }
        across.insert(cell, Rc::clone(&found));
        found
    }

    /// Of these, those that can have a row in common with a block.
    pub(crate) fn across_block(&self, block: &Block, among: &Places) -> Places {
        let mut found = among.clone();
        for (dimension, set) in block.sets() {
            let Some(sets) = self.dimensions.get(usize::from(*dimension)) else { continue };
            match sets.sets.binary_search(&set) {
                Ok(number) => found.keep(&self.row(*dimension, number, set, Relation::Across)),
                Err(_) => found.keep(&self.related(sets, set, Relation::Across)),
            }
        }
        found
    }

    fn those(&self, cell: usize, relation: Relation, among: &Places) -> Places {
        let mut found = among.clone();
        let Some(block) = self.field.cells.get(cell).map(|cell| &cell.block) else { return found };
        for (dimension, set) in block.sets() {
            let Some(sets) = self.dimensions.get(usize::from(*dimension)) else { continue };
            let Ok(number) = sets.sets.binary_search(&set) else { continue };
            found.keep(&self.row(*dimension, number, set, relation));
        }
        if relation == Relation::Around {
            for (dimension, sets) in (0..).zip(&self.dimensions) {
                if block.signature() & 1_u128.unbounded_shl(dimension) == 0 {
                    found.keep(&self.free(dimension, sets));
                }
            }
        }
        found
    }

    fn free(&self, dimension: u32, sets: &Sets<'_>) -> Rc<Places> {
        let key = (u8::try_from(dimension).unwrap_or(u8::MAX), usize::MAX, Relation::Around);
        let made = || Places::of(self.field.cells.len(), sets.free.iter().copied());
        self.kept(key, made)
    }

    fn row(&self, dimension: u8, number: usize, set: &BinSet, relation: Relation) -> Rc<Places> {
        self.kept((dimension, number, relation), || match self.dimensions.get(usize::from(dimension)) {
            Some(sets) => self.related(sets, set, relation),
            None => Places::none(self.field.cells.len()),
        })
    }

    fn kept(&self, key: (u8, usize, Relation), made: impl FnOnce() -> Places) -> Rc<Places> {
        if let Some(known) = self.rows.borrow().get(&key) {
            return Rc::clone(known);
        }
        let row = Rc::new(made());
        let mut rows = self.rows.borrow_mut();
        if rows.len().saturating_mul(self.field.cells.len()) > MOST_BITS {
            rows.clear();
        }
        rows.insert(key, Rc::clone(&row));
        row
    }

    fn related(&self, sets: &Sets<'_>, set: &BinSet, relation: Relation) -> Places {
        let holds = |other: &BinSet| match relation {
            Relation::Within => set.covers(other),
            Relation::Around => other.covers(set),
            Relation::Across => meet(set, other),
        };
        let mut related = Places::none(self.field.cells.len());
        for (_, cells) in sets.sets.iter().zip(&sets.cells).filter(|(other, _)| holds(other)) {
            cells.iter().for_each(|cell| related.add(*cell));
        }
        // What is not restricted has every bin; no set here has.
        if relation != Relation::Within {
            sets.free.iter().for_each(|cell| related.add(*cell));
        }
        related
    }
}

/// Most bits that are kept to be looked up again, of sets and of cells.
const MOST_BITS: usize = 1 << 29;

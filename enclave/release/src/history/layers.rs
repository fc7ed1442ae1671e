//! Released cells and new ones of one table, in the form in which they are compared, and in layers: cells of one release
//! that restrict the same dimensions and share no row, as those of one grouping do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Cell, History, Quantity, Release, Unit, Versions,
    blocks::{Atlas, Block},
    loads,
};
use crate::{
    budget,
    space::{BinSet, Dimension, Facts, Region},
};

/// All cells of one table's rows that an audit compares.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) atlas: Atlas,
    pub(crate) cells: Vec<Known>,
    pub(crate) layers: Vec<Vec<usize>>,
    /// Of each cell its layer.
    pub(crate) layer_of: Vec<usize>,
    /// The layers as they were told, with cells that were told before as well; those of the new cells last.
    pub(crate) sheets: Vec<Vec<usize>>,
    /// Of each cell its sheets.
    pub(crate) sheets_of: Vec<Vec<usize>>,
    /// The first sheet of the new cells.
    pub(crate) new_sheets: usize,
    /// Those of which somebody's part is judged: what [`Quantity::judged`] says of those that are told.
    pub(crate) quantities: Vec<Quantity>,
    /// Which of them are sums of something measured, by bits.
    pub(crate) sums: u64,
    /// The quantities, by bits, those together that the same cells tell.
    pub(crate) classes: Vec<u64>,
    pub(crate) units: Vec<Unit>,
}

/// A cell that was released, or is about to be.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) block: Block,
    /// What is told of it, one bit for each of the field's quantities.
    pub(crate) told: u64,
    /// By the field's units; `None` where they were not counted.
    pub(crate) subjects: Vec<Option<u64>>,
    /// The same, and of units that were not counted how many there are at most.
    pub(crate) most_subjects: Vec<Option<u64>>,
    /// Its rows are no longer as they were: replaced, or led elsewhere by a joined table. The rows at hand stand for them.
    pub(crate) stale: bool,
    /// What is told of it that may be added to or taken from what others tell, whatever its name.
    pub(crate) kinds: Kinds,
    /// The variance of its rounding error, where that of one contribution is 1.
    pub(crate) blur: f64,
    /// Where it is among the new cells; in several places where several are the same.
    pub(crate) new: Vec<usize>,
}

/// Kinds of numbers: those of how many there are, and sums of something measured. No number of one kind is a function of
/// numbers of the other alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) const ALL: Self = Self(3);
    const NONE: Self = Self(0);
    const NUMBERS: Self = Self(1);
    const SUMS: Self = Self(2);

    fn of<'a>(told: impl IntoIterator<Item = &'a Quantity>) -> Self {
        let kind = |told: &Quantity| match told.judged() {
            Quantity::Rows | Quantity::Subjects(_) => Self::NUMBERS,
            Quantity::Sum(_) => Self::SUMS,
        };
        told.into_iter().fold(Self::NONE, |kinds, told| Self(kinds.0 | kind(told).0))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Cells by release and the dimensions that they restrict.
type Groups = BTreeMap<(u64, u128), Vec<usize>>;

/// Why a table's cells cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooWide;

impl Field {
    /// Of these new cells of the same facts, with whatever was released of those; by their places in the question.
    pub(crate) fn of(
        facts: &Facts,
        history: &History,
        new: &[(usize, &Cell)],
        current: &Versions,
    ) -> Result<Self, TooWide> {
        let told = new.iter().flat_map(|(_, cell)| &cell.quantities);
        let quantities: BTreeSet<Quantity> = told.map(Quantity::judged).cloned().collect();
        let quantities: Vec<Quantity> = quantities.into_iter().collect();
        if quantities.len() > MOST_QUANTITIES {
            return Err(TooWide);
        }
        let present = present(facts, current);
        let earlier = earlier(facts, history, current, &present);
        let fresh: Vec<Region> =
            new.iter().map(|(_, cell)| cell.region.clone().within(loads(), present.clone())).collect();
        let regions = earlier.iter().map(|earlier| &earlier.region).chain(&fresh);
        let units: BTreeSet<&Unit> = new.iter().flat_map(|(_, cell)| cell.subjects.keys()).collect();
        let mut field = Self {
            atlas: Atlas::of(facts, regions).ok_or(TooWide)?,
            cells: Vec::new(),
            layers: Vec::new(),
            layer_of: Vec::new(),
            sheets: Vec::new(),
            sheets_of: Vec::new(),
            new_sheets: 0,
            sums: sums(&quantities),
            quantities,
            classes: Vec::new(),
            units: units.into_iter().cloned().collect(),
        };
        let mut groups: Groups = BTreeMap::new();
        let mut sheets: Groups = BTreeMap::new();
        let mut released: HashMap<Block, Vec<usize>> = HashMap::new();
        for Earlier { release, cell, region, stale } in &earlier {
            let Some(known) = field.known(cell, region, *stale) else { continue };
            let same = released.entry(known.block.clone()).or_default();
            if let Some(place) =
                same.iter().find(|place| field.cells.get(**place).is_some_and(|same| same.stale == *stale))
            {
                sheets.entry((release.sequence, known.block.signature())).or_default().push(*place);
                field.cells.get_mut(*place).into_iter().for_each(|same| same.tells_also(&known));
                continue;
            }
            same.push(field.cells.len());
            for groups in [&mut groups, &mut sheets] {
                groups.entry((release.sequence, known.block.signature())).or_default().push(field.cells.len());
            }
            field.cells.push(known);
        }
        field.add_new(new, &fresh, &released, (&mut groups, &mut sheets));
        field.layers = groups.into_values().flat_map(|group| field.split(group)).collect();
        field.layer_of = vec![0; field.cells.len()];
        for (layer, places) in field.layers.iter().enumerate() {
            places.iter().for_each(|place| field.layer_of.get_mut(*place).into_iter().for_each(|of| *of = layer));
        }
        let earlier = sheets.range(..(u64::MAX, 0)).map(|(_, group)| group.clone());
        field.sheets = earlier.flat_map(|group| field.split(distinct(group))).collect();
        field.new_sheets = field.sheets.len();
        let new = sheets.range((u64::MAX, 0)..).map(|(_, group)| group.clone());
        let new: Vec<Vec<usize>> = new.flat_map(|group| field.split(distinct(group))).collect();
        field.sheets.extend(new);
        field.sheets_of = vec![Vec::new(); field.cells.len()];
        for (sheet, places) in field.sheets.iter().enumerate() {
            places.iter().for_each(|place| field.sheets_of.get_mut(*place).into_iter().for_each(|of| of.push(sheet)));
        }
        field.classes = field.classes();
        Ok(field)
    }

    fn classes(&self) -> Vec<u64> {
        let mut alike: BTreeMap<Vec<bool>, u64> = BTreeMap::new();
        for bit in (0..self.quantities.len()).map(|bit| 1 << bit) {
            *alike.entry(self.cells.iter().map(|cell| cell.told & bit != 0).collect()).or_default() |= bit;
        }
        alike.into_values().collect()
    }

    /// What a cell tells of quantities that the new ones tell of as well.
    fn told(&self, cell: &Cell) -> u64 {
        let bits = cell.quantities.iter().filter_map(|told| self.quantities.binary_search(told.judged()).ok());
        bits.fold(0, |told, bit| told | 1 << bit)
    }

    fn known(&self, cell: &Cell, region: &Region, stale: bool) -> Option<Known> {
        let block = self.atlas.block(region)?;
        let subjects = self.units.iter().map(|unit| subjects(cell, unit)).collect();
        let most_subjects = self.units.iter().map(|unit| most_subjects(cell, unit)).collect();
        let blur = budget::error(cell);
        let kinds = Kinds::of(&cell.quantities);
        Some(Known { block, told: self.told(cell), subjects, most_subjects, stale, kinds, blur, new: Vec::new() })
    }

    /// New cells tell nothing new of what was released of the very same rows.
    fn add_new(
        &mut self,
        new: &[(usize, &Cell)],
        fresh: &[Region],
        released: &HashMap<Block, Vec<usize>>,
        (groups, sheets): (&mut Groups, &mut Groups),
    ) {
        let mut seen: HashMap<Block, usize> = HashMap::new();
        for ((place, cell), region) in new.iter().zip(fresh) {
            let Some(mut known) = self.known(cell, region, false) else { continue };
            let same = released.get(&known.block).into_iter().flatten();
            let same = same.filter_map(|place| Some((*place, self.cells.get(*place)?)));
            if let Some((place, same)) = same.into_iter().find(|(_, same)| !same.stale) {
                known.told &= !same.told;
                if known.told == 0 {
                    sheets.entry((u64::MAX, known.block.signature())).or_default().push(place);
                    continue;
                }
                let new = self.quantities.iter().enumerate().filter(|(bit, _)| known.told & (1 << bit) != 0);
                known.kinds = Kinds::of(new.map(|(_, quantity)| quantity));
            }
            if let Some(same) = seen.get(&known.block).and_then(|same| self.cells.get_mut(*same)) {
                same.tells_also(&known);
                same.new.push(*place);
                continue;
            }
            known.new.push(*place);
            seen.insert(known.block.clone(), self.cells.len());
            for groups in [&mut *groups, &mut *sheets] {
                groups.entry((u64::MAX, known.block.signature())).or_default().push(self.cells.len());
            }
            self.cells.push(known);
        }
    }

    /// Cells of one signature as layers.
    fn split(&self, group: Vec<usize>) -> Vec<Vec<usize>> {
        if self.apart(&group) {
            return vec![group];
        }
        let mut layers: Vec<Vec<usize>> = Vec::new();
        for place in group {
            let Some(cell) = self.cells.get(place) else { continue };
            let free = |layer: &&mut Vec<usize>| self.of_places(layer).all(|other| !other.block.meets(&cell.block));
            match layers.iter_mut().find(free) {
                Some(layer) => layer.push(place),
                None => layers.push(vec![place]),
            }
        }
        layers
    }

    /// Whether it can be seen at once that no two of these cells, which differ, share a row: in each dimension their sets
    /// are the same or apart.
    fn apart(&self, group: &[usize]) -> bool {
        let mut sets: BTreeMap<u8, BTreeSet<&BinSet>> = BTreeMap::new();
        for (dimension, set) in self.of_places(group).flat_map(|cell| cell.block.sets()) {
            sets.entry(*dimension).or_default().insert(set);
        }
        sets.values().all(|sets| {
            let union: BinSet = sets.iter().flat_map(|set| set.runs()).collect();
            union.count() == sets.iter().map(|set| set.count()).sum::<u64>()
        })
    }

    /// Places of the cells that are about to be released.
    pub(crate) fn new_cells(&self) -> impl Iterator<Item = usize> {
        self.cells.iter().enumerate().filter(|(_, cell)| !cell.new.is_empty()).map(|(place, _)| place)
    }

    /// The cells in these places.
    pub(crate) fn of_places<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Known> {
        places.iter().filter_map(|place| self.cells.get(*place))
    }
}

impl Known {
    /// The same rows are told of by another cell, too.
    fn tells_also(&mut self, other: &Self) {
        self.told |= other.told;
        self.kinds = Kinds(self.kinds.0 | other.kinds.0);
        self.blur = (self.blur.recip() + other.blur.recip()).recip();
    }
}

/// A join leads from a subject's name to the same name: where it was not counted, as nothing was joined, the subjects are
/// those whose name it is. Whoever of them has no partner is a subject, too.
fn subjects(cell: &Cell, unit: &Unit) -> Option<u64> {
    let name = |column: &str| column.rsplit(['.', '>']).next().map(str::to_owned);
    let led = || unit.0.rsplit_once('>').filter(|(key, led)| name(key) == name(led)).map(|(key, _)| key);
    let of = |unit: &str| cell.subjects.get(&Unit(unit.to_owned())).copied();
    of(&unit.0).or_else(|| of(led()?))
}

/// What a subject's own key leads to is one for each subject at most: of an answer without the join it is known so far.
fn most_subjects(cell: &Cell, unit: &Unit) -> Option<u64> {
    let counted = |unit: &str| cell.subjects.get(&Unit(unit.to_owned())).copied();
    let led = || unit.0.match_indices('>').filter_map(|(end, _)| unit.0.get(..end)).filter_map(counted).min();
    counted(&unit.0).or_else(led)
}

fn distinct(mut places: Vec<usize>) -> Vec<usize> {
    places.sort_unstable();
    places.dedup();
    places
}

fn sums(quantities: &[Quantity]) -> u64 {
    let sums = quantities.iter().enumerate().filter(|(_, quantity)| matches!(quantity, Quantity::Sum(_)));
    sums.fold(0, |sums, (bit, _)| sums | 1 << bit)
}

/// A cell that was released, with its rows as they can be compared with those at hand.
#[derive(Debug)]
pub(crate) struct Earlier<'a> {
    pub(crate) release: &'a Release,
    pub(crate) cell: &'a Cell,
    pub(crate) region: Region,
    pub(crate) stale: bool,
}

/// The loads of these facts that can be read.
pub(crate) fn present(facts: &Facts, current: &Versions) -> BinSet {
    current.0.get(facts).cloned().unwrap_or_default()
}

/// Cells released of these facts.
pub(crate) fn earlier<'a>(
    facts: &Facts,
    history: &'a History,
    current: &Versions,
    present: &BinSet,
) -> Vec<Earlier<'a>> {
    let mut earlier = Vec::new();
    for release in history.releases() {
        let read = release.versions.0.get(facts).cloned().unwrap_or_default();
        let replaced = !present.covers(&read);
        let moved = moved(release, facts, current);
        for cell in release.cells.iter().filter(|cell| cell.region.facts() == facts) {
            let leads = |(dimension, _): (&Dimension, &BinSet)| moved.iter().any(|table| through(dimension, table));
            let stale = replaced || cell.region.sets().any(leads);
            let rows = if replaced { present } else { &read };
            earlier.push(Earlier { release, cell, region: cell.region.clone().within(loads(), rows.clone()), stale });
        }
    }
    earlier
}

/// Joined tables that are not as they were.
fn moved(release: &Release, facts: &Facts, current: &Versions) -> Vec<Facts> {
    let joined = release.versions.0.iter().filter(|(table, _)| *table != facts);
    joined.filter(|(table, loads)| current.0.get(*table) != Some(*loads)).map(|(table, _)| table.clone()).collect()
}

/// Whether a dimension is one of the rows of this table that a join key leads to.
fn through(dimension: &Dimension, table: &Facts) -> bool {
    dimension.to_string().contains(&format!(">{table}."))
}

/// Most quantities that one question tells.
const MOST_QUANTITIES: usize = 64;

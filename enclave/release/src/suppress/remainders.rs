//! What remains of a released cell without the released cells inside it: told by subtraction, so judged like a cell.
//!
//! Which of them are taken away matters where families cross. Two ways are tried: one family's cells, then whatever else
//! fits, largest first, which finds the least remainder where each family refines another, as in a ROLLUP; and, where few
//! atoms are left open, all ways, up to a number of steps.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    rules::Counted,
    statistics::{CellStatistics, Contributions},
};

use super::{Answer, Target, Unaudited, atoms::Atoms};

/// Those that were judged already, each of some quantities.
#[derive(Debug, Default)]
pub(super) struct Remainders {
    seen: BTreeSet<(Vec<usize>, Vec<usize>)>,
    effort: usize,
}

/// A cell, and released ones inside it that share no row.
struct Remainder {
    atoms: Vec<usize>,
    without: Vec<usize>,
    /// What all of them count: of nothing else is a difference known.
    quantities: Vec<usize>,
}

/// The atoms that remain, and the cells that do not.
type Rest = (Vec<usize>, Vec<usize>);

impl Remainders {
    /// New ones that break the rules, or may. `additive` says of which units no subject is in two cells.
    pub(super) fn failing(
        &mut self,
        answer: &Answer<'_>,
        atoms: &Atoms,
        additive: &impl Fn(usize) -> bool,
    ) -> Result<Vec<Target>, Unaudited> {
        let mut failing = Vec::new();
        for cell in (0..answer.cells.len()).filter(|cell| answer.is_released(*cell)) {
            for remainder in self.of(cell, answer, atoms)? {
                if self.seen.insert((remainder.atoms.clone(), remainder.quantities.clone())) {
                    failing.extend(remainder.failing(cell, answer, atoms, additive));
                }
            }
        }
        Ok(failing)
    }

    /// Of a cell: without one family's cells, then also without what of other families lies in the rest, largest first.
    fn of(&mut self, cell: usize, answer: &Answer<'_>, atoms: &Atoms) -> Result<Vec<Remainder>, Unaudited> {
        let whole: BTreeSet<usize> = atoms.of_cell(cell).iter().copied().collect();
        if whole.len() < 2 {
            return Ok(Vec::new());
        }
        let touched: BTreeSet<usize> = whole.iter().flat_map(|atom| atoms.cells(*atom)).copied().collect();
        let mut inside: Vec<usize> = touched
            .into_iter()
            .filter(|other| answer.is_released(*other) && atoms.of_cell(*other).len() < whole.len())
            .filter(|other| atoms.of_cell(*other).iter().all(|atom| whole.contains(atom)))
            .collect();
        inside.sort_by_key(|other| std::cmp::Reverse(atoms.of_cell(*other).len()));
        let mut all = Vec::new();
        for (telling, quantities) in answer.by_what_they_count(cell, &inside) {
            let ways = self.ways(&whole, &telling, answer, atoms)?;
            let of_these = |(atoms, without)| Remainder { atoms, without, quantities: quantities.clone() };
            all.extend(ways.into_iter().map(of_these));
        }
        Ok(all)
    }

    /// What remains without some of those inside, and without which.
    fn ways(
        &mut self,
        whole: &BTreeSet<usize>,
        inside: &[usize],
        answer: &Answer<'_>,
        atoms: &Atoms,
    ) -> Result<Vec<Rest>, Unaudited> {
        let families: BTreeSet<usize> = inside.iter().map(|other| answer.family(*other)).collect();
        let mut all = Vec::new();
        for first in families {
            self.effort += whole.len() + inside.len();
            if self.effort > MOST_EFFORT {
                return Err(Unaudited);
            }
            let (firsts, others): (Vec<usize>, Vec<usize>) =
                inside.iter().copied().partition(|other| answer.family(*other) == first);
            let mut rest = whole.clone();
            let mut without = Vec::new();
            for part in [firsts, others] {
                for other in part {
                    if atoms.of_cell(other).iter().all(|atom| rest.contains(atom)) {
                        for atom in atoms.of_cell(other) {
                            rest.remove(atom);
                        }
                        without.push(other);
                    }
                }
                if !rest.is_empty() {
                    all.push((rest.iter().copied().collect(), without.clone()));
                }
            }
        }
        let mut search = Search { inside, atoms, steps: MOST_STEPS, found: BTreeMap::new() };
        let open = search.open(whole);
        if open.len() <= MOST_OPEN {
            search.decide(&open, whole, &mut Vec::new());
            all.extend(search.found);
        }
        Ok(all)
    }
}

/// All ways to take disjoint cells from one, found atom by atom.
struct Search<'a> {
    /// Released cells in it.
    inside: &'a [usize],
    atoms: &'a Atoms,
    steps: usize,
    /// What remains, and without which cells.
    found: BTreeMap<Vec<usize>, Vec<usize>>,
}

impl Search<'_> {
    /// The released cell that is this atom and nothing else: it can always be taken away, so it needs no deciding.
    fn alone(&self, atom: usize) -> Option<usize> {
        self.inside.iter().copied().find(|cell| self.atoms.of_cell(*cell) == [atom])
    }

    fn open(&self, whole: &BTreeSet<usize>) -> Vec<usize> {
        whole.iter().copied().filter(|atom| self.alone(*atom).is_none()).collect()
    }

    fn decide(&mut self, undecided: &[usize], rest: &BTreeSet<usize>, taken: &mut Vec<usize>) {
        let Some(steps) = self.steps.checked_sub(1) else { return };
        self.steps = steps;
        let Some((atom, others)) = undecided.split_first() else { return self.keep(rest, taken) };
        if rest.contains(atom) {
            for cell in self.inside {
                let of = self.atoms.of_cell(*cell);
                if of.contains(atom) && of.iter().all(|atom| rest.contains(atom)) {
                    let without = rest.iter().copied().filter(|atom| !of.contains(atom)).collect();
                    taken.push(*cell);
                    self.decide(others, &without, taken);
                    taken.pop();
                }
            }
        }
        self.decide(others, rest, taken);
    }

    fn keep(&mut self, rest: &BTreeSet<usize>, taken: &[usize]) {
        let alone: Vec<(usize, Option<usize>)> = rest.iter().map(|atom| (*atom, self.alone(*atom))).collect();
        let remains: Vec<usize> = alone.iter().filter(|(_, cell)| cell.is_none()).map(|(atom, _)| *atom).collect();
        let nothing_taken = taken.is_empty() && remains.len() == alone.len();
        if !remains.is_empty() && !nothing_taken {
            let without = taken.iter().copied().chain(alone.iter().filter_map(|(_, cell)| *cell)).collect();
            self.found.entry(remains).or_insert(without);
        }
    }
}

impl Remainder {
    /// As a target, unless it passes the rules at worst.
    fn failing(
        &self,
        cell: usize,
        answer: &Answer<'_>,
        atoms: &Atoms,
        additive: &impl Fn(usize) -> bool,
    ) -> Option<Target> {
        let (family, of) = answer.cells.get(cell)?;
        let within = self.cells_within(answer, atoms);
        // One that is a cell was judged as a cell, of what it tells.
        let judged = |other: &usize| {
            self.quantities.iter().all(|quantity| !family.tells(*quantity) || answer.tells(*other, *quantity))
        };
        if within.iter().any(|other| atoms.of_cell(*other).len() == self.atoms.len() && judged(other)) {
            return None;
        }
        let cover = self.cover(&within, answer, atoms);
        let units: Vec<Vec<Option<Contributions>>> = (0..of.statistics.units.len())
            .map(|unit| {
                let at_worst = |quantity| {
                    let counted = self.quantities.contains(&quantity);
                    counted.then(|| {
                        self.at_worst(cell, unit, quantity, additive(unit), &within, cover.as_deref(), answer)
                    })?
                };
                (0..family.told.len()).map(at_worst).collect()
            })
            .collect();
        let statistics = CellStatistics {
            units: units.iter().map(|unit| unit.iter().copied().flatten().collect()).collect(),
            categories: self.categories_at_worst(&within, answer),
        };
        // What the cells inside do not tell cannot be subtracted from what the cell does.
        let subtracted = units.first().map(Vec::as_slice).unwrap_or_default();
        let told: Vec<bool> = family.told.iter().zip(subtracted).filter_map(|(told, of)| of.and(*told)).collect();
        let counted = Counted { units: units.len(), told: &told, categories: statistics.categories.len() };
        let broken = answer.rules.judge(&statistics, counted);
        (!broken.is_empty()).then(|| Target { atoms: self.atoms.clone(), units, alike: super::alike(&broken) })
    }

    /// As many different values of each category as are in any cell within it.
    fn categories_at_worst(&self, within: &[usize], answer: &Answer<'_>) -> Vec<u64> {
        let of = |category: usize| {
            let cells = within.iter().filter_map(|cell| answer.cells.get(*cell));
            cells.filter_map(|(_, cell)| cell.statistics.categories.get(category)).copied().max().unwrap_or(0)
        };
        (0..answer.numbers.categories).map(of).collect()
    }

    /// Cells, of whatever fate, all of whose rows are in it.
    fn cells_within(&self, answer: &Answer<'_>, atoms: &Atoms) -> Vec<usize> {
        let rest: BTreeSet<usize> = self.atoms.iter().copied().collect();
        let touched: BTreeSet<usize> = self.atoms.iter().flat_map(|atom| atoms.cells(*atom)).copied().collect();
        let inside = |cell: &usize| atoms.of_cell(*cell).iter().all(|atom| rest.contains(atom));
        touched.into_iter().filter(|cell| *cell < answer.cells.len()).filter(inside).collect()
    }

    /// Cells of one family that make it up.
    fn cover(&self, within: &[usize], answer: &Answer<'_>, atoms: &Atoms) -> Option<Vec<usize>> {
        let families: BTreeSet<usize> = within.iter().map(|cell| answer.family(*cell)).collect();
        families.into_iter().find_map(|family| {
            let of: Vec<usize> = within.iter().copied().filter(|cell| answer.family(*cell) == family).collect();
            let covered: usize = of.iter().map(|cell| atoms.of_cell(*cell).len()).sum();
            (covered == self.atoms.len()).then_some(of)
        })
    }

    /// What is surely so: its total is a difference; it has as many subjects at least as the cell without all others, and
    /// as any cell within it; who brings most brings no more than in the cell, or in all parts together.
    #[expect(clippy::too_many_arguments, reason = "one place of a table, and what bounds it")]
    fn at_worst(
        &self,
        cell: usize,
        unit: usize,
        quantity: usize,
        additive: bool,
        within: &[usize],
        cover: Option<&[usize]>,
        answer: &Answer<'_>,
    ) -> Option<Contributions> {
        let of = |cell: usize| answer.contributions(cell, unit, quantity);
        let whole = of(cell)?;
        if additive
            && let Some(parts) = cover.and_then(|cover| cover.iter().map(|cell| of(*cell)).collect::<Option<Vec<_>>>())
        {
            let mut together = Contributions::NONE;
            parts.into_iter().for_each(|part| together.merge(part));
            return Some(together);
        }
        let without: Option<Vec<&Contributions>> = self.without.iter().map(|cell| of(*cell)).collect();
        let without = without?;
        let total = whole.total() - without.iter().map(|of| of.total()).sum::<f64>();
        let taken = without.iter().fold(0_u64, |sum, of| sum.saturating_add(of.subjects()));
        let inside = within.iter().filter_map(|cell| of(*cell)).map(Contributions::subjects).max().unwrap_or(0);
        let subjects = whole.subjects().saturating_sub(taken).max(inside);
        let in_parts = cover.and_then(|cover| cover.iter().map(|cell| Some(of(*cell)?.largest())).sum::<Option<f64>>());
        let largest = whole.largest().min(in_parts.unwrap_or(f64::INFINITY));
        Some(Contributions::bounded(subjects, largest, whole.second(), total))
    }
}

impl Answer<'_> {
    fn is_released(&self, cell: usize) -> bool {
        self.released.get(cell).is_some_and(|released| *released)
    }

    /// The place of a cell's family.
    fn family(&self, cell: usize) -> usize {
        let mut last = 0;
        self.families
            .iter()
            .position(|family| {
                last += family.cells.len();
                cell < last
            })
            .unwrap_or(usize::MAX)
    }

    /// Of these cells those that count the same of what one counts, and what.
    fn by_what_they_count(&self, cell: usize, others: &[usize]) -> BTreeMap<Vec<usize>, Vec<usize>> {
        let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        let quantities = self.cells.get(cell).map_or(0, |(family, _)| family.told.len());
        let counts = |cell: usize, quantity: usize| self.contributions(cell, 0, quantity).is_some();
        for quantity in (0..quantities).filter(|quantity| counts(cell, *quantity)) {
            let telling = others.iter().copied().filter(|other| counts(*other, quantity)).collect();
            alike.entry(telling).or_default().push(quantity);
        }
        alike
    }

    fn tells(&self, cell: usize, quantity: usize) -> bool {
        self.cells.get(cell).is_some_and(|(family, _)| family.tells(quantity))
    }

    fn contributions(&self, cell: usize, unit: usize, quantity: usize) -> Option<&Contributions> {
        let (family, of) = self.cells.get(cell)?;
        family.contributions(of, unit, quantity)
    }
}

const MOST_EFFORT: usize = 20_000_000;
/// Open atoms and steps of a search.
const MOST_OPEN: usize = 64;
const MOST_STEPS: usize = 2_000;

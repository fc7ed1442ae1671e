//! One additive number over the atoms of an answer, and what may be believed of it.
//!
//! A *world* gives each atom a number, none negative, such that every released cell adds up. The true one is known here;
//! another is written as what it differs by. A region is protected if there is a world where it has more, and one where it
//! has less, by as much as the rules say: its interval in the interval audit (Hundepool et al. 2012, on secondary suppression; Fischetti
//! and Salazar 2001, "the attacker's problem"). The solver is not trusted: a world counts once it has been added up here, so
//! that a solver that errs makes more be suppressed and never less. It is given no limit of time, so that what it finds
//! depends on nothing else.
//!
//! If there is no such world, one is chosen where as few cells as can be differ, weighted by what they are worth, and those
//! are suppressed (Robertson's and Sande's linear heuristic, CONFID, Statistics Canada).

use std::collections::{BTreeMap, BTreeSet};

use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};

use super::{
    Unaudited,
    atoms::Atoms,
    worlds::{World, Worlds},
};

/// One number of every cell that counts it, and of every atom in the true world (or one that looks the same).
#[derive(Debug)]
pub(super) struct Series {
    /// Of each cell; `None` for one that does not count it.
    pub(super) values: Vec<Option<f64>>,
    /// Of each atom; `None` for one of which no cell does.
    atoms: Vec<Option<f64>>,
    /// Of each atom the most that it can be, if there is such a bound.
    most: Option<Vec<f64>>,
    /// Others that look the same.
    worlds: Worlds,
}

/// Which way a world differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    More,
    Less,
}

/// A question to a series: may this region have so much more, or less?
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift<'a> {
    /// Its atoms.
    pub(super) region: &'a [usize],
    pub(super) way: Way,
    /// Above zero.
    pub(super) by: f64,
}

/// What linear programs may still cost: a number of steps fixed beforehand, so that no clock decides what is released.
#[derive(Debug)]
pub(super) struct Effort(u64);

/// Part of a sum that must not change.
type Terms = Vec<(Variable, f64)>;

/// A linear program over what each atom has more and what it has less.
struct Linear {
    problem: Problem,
    open: Vec<Option<(Variable, Variable)>>,
    rows: usize,
    columns: usize,
}

impl Series {
    /// Those of these cells, and what each atom can be at most; `None` where they do not add up.
    pub(super) fn new(
        values: Vec<Option<f64>>,
        most: Option<Vec<f64>>,
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<Option<Self>, Unaudited> {
        let mut of_atoms = vec![None; atoms.count()];
        for (cell, value) in values.iter().enumerate() {
            if let ([atom], Some(value)) = (atoms.of_cell(cell), value)
                && let Some(of_atom) = of_atoms.get_mut(*atom)
            {
                *of_atom = Some(*value);
            }
        }
        let mut series = Self { values, atoms: of_atoms, most, worlds: Worlds::default() };
        if !series.complete(atoms, effort)? {
            return Ok(None);
        }
        Ok(series.adds_up(atoms).then_some(series))
    }

    /// Gives the atoms that no cell is alone in any numbers with which the cells add up.
    fn complete(&mut self, atoms: &Atoms, effort: &mut Effort) -> Result<bool, Unaudited> {
        let scale = self.values.iter().flatten().fold(0.0, |most: f64, value| most.max(*value));
        if scale <= 0.0 {
            self.atoms = (0..atoms.count()).map(|atom| self.counts(atom, atoms).then_some(0.0)).collect();
            return Ok(true);
        }
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let mut open: Vec<Option<Variable>> = vec![None; atoms.count()];
        for (atom, variable) in open.iter_mut().enumerate() {
            if self.atoms.get(atom).is_some_and(Option::is_none) && self.counts(atom, atoms) {
                *variable = Some(problem.add_var(0.0, (0.0, self.most(atom) / scale)));
            }
        }
        if open.iter().all(Option::is_none) {
            return Ok(true);
        }
        let mut rows = 0;
        for (cell, value) in self.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let terms: Terms =
                atoms.of_cell(cell).iter().filter_map(|atom| Some((variable(&open, *atom)?, 1.0))).collect();
            let known: f64 = atoms.of_cell(cell).iter().filter_map(|atom| self.of_atom(*atom)).sum();
            if !terms.is_empty() {
                rows += 1;
                problem.add_constraint(terms.as_slice(), ComparisonOp::Eq, (value - known).max(0.0) / scale);
            }
        }
        let Some(found) = solved(&problem, rows, open.len(), effort)? else { return Ok(false) };
        for (atom, variable) in open.into_iter().enumerate() {
            if let (Some(variable), Some(of_atom)) = (variable, self.atoms.get_mut(atom)) {
                let most = self.most.as_ref().and_then(|most| most.get(atom)).copied().unwrap_or(f64::INFINITY);
                *of_atom = Some((found(variable) * scale).clamp(0.0, most));
            }
        }
        Ok(true)
    }

    fn counts(&self, atom: usize, atoms: &Atoms) -> bool {
        atoms.cells(atom).iter().any(|cell| self.values.get(*cell).is_some_and(Option::is_some))
    }

    /// Within what adding up floats can be off by.
    fn adds_up(&self, atoms: &Atoms) -> bool {
        self.values.iter().enumerate().all(|(cell, value)| {
            value.is_none_or(|value| {
                let sum: f64 = atoms.of_cell(cell).iter().filter_map(|atom| self.of_atom(*atom)).sum();
                (sum - value).abs() <= ADDING * value.max(sum)
            })
        })
    }

    pub(super) fn of_atom(&self, atom: usize) -> Option<f64> {
        self.atoms.get(atom).copied().flatten()
    }

    fn most(&self, atom: usize) -> f64 {
        self.most.as_ref().and_then(|most| most.get(atom)).copied().unwrap_or(f64::INFINITY)
    }

    /// How much less, and how much more, an atom can be: the first is not above zero, the second not below.
    fn room(&self, atom: usize) -> (f64, f64) {
        let value = self.of_atom(atom).unwrap_or(0.0);
        (-value, (self.most(atom) - value).max(0.0))
    }

    /// Whether a world that looks the same in all released cells has the shift.
    pub(super) fn allows(
        &mut self,
        shift: &Shift<'_>,
        released: &[bool],
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<bool, Unaudited> {
        if self.worlds.show(shift) {
            return Ok(true);
        }
        let (free, cells) = self.around(shift.region.to_vec(), released, atoms);
        if !shift.region.iter().any(|atom| free.contains(atom)) {
            return Ok(false);
        }
        let Some(world) = self.nearest((&free, &cells), shift, (atoms, effort))? else { return Ok(false) };
        let shown = world.shows(shift);
        self.worlds.add(world);
        Ok(shown)
    }

    /// Looks for worlds that have many of these shifts at once, so that fewer are looked for one by one.
    pub(super) fn explore(
        &mut self,
        shifts: &[Shift<'_>],
        released: &[bool],
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<(), Unaudited> {
        let single = |shift: &&Shift<'_>| shift.region.len() == 1 && !self.worlds.show(shift);
        let mut open: Vec<Shift<'_>> = shifts.iter().filter(single).copied().collect();
        let (free, cells) = self.around(open.iter().flat_map(|shift| shift.region).copied().collect(), released, atoms);
        for round in 0..MOST_ROUNDS {
            let before = open.len();
            if before < FEW {
                break;
            }
            let mut wished: Vec<Option<Shift<'_>>> = vec![None; atoms.count()];
            for shift in &open {
                let Some((atom, wish)) = shift.region.first().and_then(|atom| Some((*atom, wished.get_mut(*atom)?)))
                else {
                    continue;
                };
                // Of two ways one, another in each round: no world has both, and one atom's more is another's less.
                let turn = (atom.wrapping_mul(0x9E37_79B9) >> (7 + round)) & 1 == 0;
                if wish.is_none() || turn == (shift.way == Way::More) {
                    *wish = Some(*shift);
                }
            }
            let mut sizes: Vec<f64> = wished.iter().flatten().map(|shift| shift.by).collect();
            sizes.sort_by(f64::total_cmp);
            let Some(unit) = sizes.get(sizes.len() / 2).copied() else { break };
            let worth = |atom: usize| match wished.get(atom).copied().flatten() {
                Some(shift) => (shift.way.sign() * unit / shift.by, shift.by),
                None => (0.0, f64::INFINITY),
            };
            let Some(world) = self.farthest((&free, &cells), unit, worth, (atoms, effort))? else { break };
            open.retain(|shift| !world.shows(shift));
            self.worlds.add(world);
            if open.len() * 10 > before * 9 {
                break;
            }
        }
        Ok(())
    }

    /// A world with the shift where little else differs. Nothing differs to begin with, so that a solver only has to follow
    /// what the shift asks for.
    fn nearest(
        &self,
        (free, cells): (&BTreeSet<usize>, &BTreeSet<usize>),
        shift: &Shift<'_>,
        (atoms, effort): (&Atoms, &mut Effort),
    ) -> Result<Option<World>, Unaudited> {
        let mut linear = Linear::new(OptimizationDirection::Minimize, atoms.count());
        for atom in free {
            linear.open(*atom, [1.0, 1.0], self.room(*atom), shift.by);
        }
        for cell in cells {
            linear.sum(atoms.of_cell(*cell), 1.0, 0.0);
        }
        linear.sum(shift.region, shift.way.sign(), 1.0);
        self.found(&linear, cells, shift.by, atoms, effort)
    }

    /// The world where what is worth something differs most: `worth` says of an atom what it is worth, and how far it is to
    /// differ that way at most.
    fn farthest(
        &self,
        (free, cells): (&BTreeSet<usize>, &BTreeSet<usize>),
        unit: f64,
        worth: impl Fn(usize) -> (f64, f64),
        (atoms, effort): (&Atoms, &mut Effort),
    ) -> Result<Option<World>, Unaudited> {
        let mut linear = Linear::new(OptimizationDirection::Maximize, atoms.count());
        for atom in free {
            let (mut least, mut most) = self.room(*atom);
            let (worth, by) = worth(*atom);
            if worth > 0.0 {
                most = most.min(by);
            } else if worth < 0.0 {
                least = least.max(-by);
            }
            linear.open(*atom, [worth, -worth], (least, most), unit);
        }
        for cell in cells {
            linear.sum(atoms.of_cell(*cell), 1.0, 0.0);
        }
        self.found(&linear, cells, unit, atoms, effort)
    }

    fn found(
        &self,
        linear: &Linear,
        cells: &BTreeSet<usize>,
        unit: f64,
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<Option<World>, Unaudited> {
        let Some(by) = linear.solve(effort)? else { return Ok(None) };
        let by = by.into_iter().map(|by| by * unit).collect();
        let sums = cells.iter().map(|cell| atoms.of_cell(*cell));
        Ok(Some(World::new(by, |atom| self.room(atom), sums)))
    }

    /// Suppresses the released cells that differ in the world with the shift where they are worth least: whether there are
    /// any.
    pub(super) fn make_way(
        &mut self,
        shift: &Shift<'_>,
        released: &mut [bool],
        worth: &[f64],
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<bool, Unaudited> {
        let mut linear = Linear::new(OptimizationDirection::Minimize, atoms.count());
        for atom in (0..atoms.count()).filter(|atom| self.of_atom(*atom).is_some()) {
            // At the price of the cells that it is all of.
            let alone =
                atoms.cells(atom).iter().filter(|cell| self.told(**cell, released) && atoms.of_cell(**cell).len() == 1);
            let price: f64 = alone.filter_map(|cell| worth.get(*cell)).sum();
            linear.open(atom, [price, price], self.room(atom), shift.by);
        }
        let told: Vec<usize> = (0..worth.len()).filter(|cell| self.told(*cell, released)).collect();
        for cell in told.iter().filter(|cell| atoms.of_cell(**cell).len() > 1) {
            linear.sum_at_a_price(atoms.of_cell(*cell), worth.get(*cell).copied().unwrap_or(1.0));
        }
        linear.sum(shift.region, shift.way.sign(), 1.0);
        let by = linear.solve(effort)?.ok_or(Unaudited)?;
        let differs = |cell: &usize| {
            let by: f64 = atoms.of_cell(*cell).iter().filter_map(|atom| by.get(*atom)).sum();
            by.abs() > EXACT / 2.0
        };
        let (gone, stay): (Vec<usize>, Vec<usize>) = told.into_iter().partition(differs);
        for cell in &gone {
            released.get_mut(*cell).into_iter().for_each(|released| *released = false);
        }
        let by = by.into_iter().map(|by| by * shift.by).collect();
        let world = World::new(by, |atom| self.room(atom), stay.iter().map(|cell| atoms.of_cell(*cell)));
        if world.shows(shift) {
            self.worlds.add(world);
        }
        Ok(!gone.is_empty())
    }

    pub(super) fn shows(&self, shift: &Shift<'_>) -> bool {
        self.worlds.show(shift)
    }

    fn told(&self, cell: usize, released: &[bool]) -> bool {
        released.get(cell).is_some_and(|released| *released) && self.values.get(cell).is_some_and(Option::is_some)
    }

    /// The atoms that released cells leave open and that bear on a region, and the released cells that bind them.
    fn around(&self, region: Vec<usize>, released: &[bool], atoms: &Atoms) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let fixed = |atom: usize| {
            atoms.cells(atom).iter().any(|cell| self.told(*cell, released) && atoms.of_cell(*cell).len() == 1)
        };
        let mut free = BTreeSet::new();
        let mut cells = BTreeMap::new();
        let mut next = region;
        while let Some(atom) = next.pop() {
            if self.of_atom(atom).is_none() || fixed(atom) || !free.insert(atom) {
                continue;
            }
            for cell in atoms.cells(atom).iter().filter(|cell| self.told(**cell, released)) {
                let open = cells.entry(*cell).or_insert_with(|| {
                    next.extend(atoms.of_cell(*cell));
                    0_usize
                });
                *open += 1;
            }
        }
        // An atom that is the only open one of a released cell is what the others leave; then it binds others.
        let mut single: Vec<usize> = cells.iter().filter(|(_, open)| **open == 1).map(|(cell, _)| *cell).collect();
        while let Some(cell) = single.pop() {
            let Some(atom) = atoms.of_cell(cell).iter().find(|atom| free.remove(*atom)) else { continue };
            for cell in atoms.cells(*atom) {
                if let Some(open) = cells.get_mut(cell) {
                    *open -= 1;
                    if *open == 1 {
                        single.push(*cell);
                    }
                }
            }
        }
        (free, cells.into_iter().filter(|(_, open)| *open > 0).map(|(cell, _)| cell).collect())
    }
}

impl Linear {
    fn new(direction: OptimizationDirection, atoms: usize) -> Self {
        Self { problem: Problem::new(direction), open: vec![None; atoms], rows: 0, columns: 0 }
    }

    /// An atom that may differ, what more and what less of it is worth, and how much less and more it can be.
    fn open(&mut self, atom: usize, [more, less]: [f64; 2], (least, most): (f64, f64), unit: f64) {
        let more = self.problem.add_var(more, (0.0, most / unit));
        let less = self.problem.add_var(less, (0.0, -least / unit));
        self.columns += 2;
        if let Some(open) = self.open.get_mut(atom) {
            *open = Some((more, less));
        }
    }

    /// What atoms together must differ by.
    fn sum(&mut self, atoms: &[usize], weight: f64, by: f64) {
        let pairs = atoms.iter().filter_map(|atom| self.open.get(*atom).copied().flatten());
        let terms: Terms = pairs.flat_map(|(more, less)| [(more, weight), (less, -weight)]).collect();
        self.rows += 1;
        self.problem.add_constraint(terms.as_slice(), ComparisonOp::Eq, by);
    }

    /// Atoms that together must differ by nothing, or else for a price.
    fn sum_at_a_price(&mut self, atoms: &[usize], price: f64) {
        let (more, less) =
            (self.problem.add_var(price, (0.0, f64::INFINITY)), self.problem.add_var(price, (0.0, f64::INFINITY)));
        self.columns += 2;
        self.rows += 1;
        let pairs = atoms.iter().filter_map(|atom| self.open.get(*atom).copied().flatten());
        let terms: Terms =
            pairs.flat_map(|(more, less)| [(more, 1.0), (less, -1.0)]).chain([(more, -1.0), (less, 1.0)]).collect();
        self.problem.add_constraint(terms.as_slice(), ComparisonOp::Eq, 0.0);
    }

    /// What each atom differs by where it is worth most, or costs least.
    fn solve(&self, effort: &mut Effort) -> Result<Option<Vec<f64>>, Unaudited> {
        let Some(found) = solved(&self.problem, self.rows, self.columns, effort)? else { return Ok(None) };
        Ok(Some(self.open.iter().map(|pair| pair.map_or(0.0, |(more, less)| found(more) - found(less))).collect()))
    }
}

impl Way {
    fn sign(self) -> f64 {
        match self {
            Self::More => 1.0,
            Self::Less => -1.0,
        }
    }
}

impl Effort {
    /// For one answer.
    pub(super) fn for_an_answer() -> Self {
        Self(MOST_EFFORT)
    }

    /// Before a linear program of so many rows and columns is begun.
    pub(super) fn allow(&self, rows: usize, columns: usize) -> Result<(), Unaudited> {
        if rows > MOST_ROWS || columns > MOST_COLUMNS || self.0 == 0 { Err(Unaudited) } else { Ok(()) }
    }

    /// After so many steps of it. One that has no solution does not say how many it took.
    pub(super) fn spend(&mut self, rows: usize, columns: usize, steps: Option<u64>) {
        let (rows, columns) = (rows as u64, columns as u64);
        let steps = steps.unwrap_or(2 * rows).saturating_add(1);
        self.0 = self.0.saturating_sub(steps.saturating_mul(rows.saturating_add(columns)));
    }
}

fn variable(open: &[Option<Variable>], atom: usize) -> Option<Variable> {
    open.get(atom).copied().flatten()
}

/// What the solver found, whatever it claims of it.
fn solved(
    problem: &Problem,
    rows: usize,
    columns: usize,
    effort: &mut Effort,
) -> Result<Option<impl Fn(Variable) -> f64 + use<>>, Unaudited> {
    effort.allow(rows, columns)?;
    let solution = contained(|| problem.solve()).and_then(Result::ok).and_then(|outcome| outcome.into_solution().ok());
    effort.spend(rows, columns, solution.as_ref().map(|solution| solution.stats().lp_iterations));
    Ok(solution.map(|solution| {
        move |variable| {
            let value = solution.var_value(variable);
            if value.is_finite() { value } else { 0.0 }
        }
    }))
}

/// What a solver finds, unless it panics: then it has found nothing, and more is suppressed.
pub(super) fn contained<T>(solve: impl FnOnce() -> T) -> Option<T> {
    // What it leaves behind is not looked at again.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(solve)).ok()
}

/// How far from nothing what differs is, as a share of the shift.
const EXACT: f64 = 1e-6;
/// Worlds of many shifts at once, and of how many it is worth while to look for one.
const MOST_ROUNDS: usize = 16;
const FEW: usize = 4;
/// How far sums of floats may be off, relatively.
const ADDING: f64 = 1e-7;
/// Of one linear program, for its memory.
const MOST_ROWS: usize = 4_000;
const MOST_COLUMNS: usize = 48_000;
/// Steps of all linear programs of one answer, each times the rows and columns of its own: of three dimensions and a
/// thousand cells, a fifth of them broken, a quarter of it is spent, in some seconds.
const MOST_EFFORT: u64 = 200_000_000;

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

use std::collections::BTreeSet;

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use super::{Unaudited, atoms::Atoms};

/// One number of every cell that counts it, and of every atom in the true world (or one that looks the same).
#[derive(Debug)]
pub(super) struct Series {
    /// Of each cell; `None` for one that does not count it.
    pub(super) values: Vec<Option<f64>>,
    /// Of each atom; `None` for one of which no cell does.
    atoms: Vec<Option<f64>>,
    /// Of each atom the most that it can be, if there is such a bound.
    most: Option<Vec<f64>>,
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
pub(super) struct Effort(usize);

/// Part of a sum that must not change.
type Terms = Vec<(Variable, f64)>;

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
        let mut series = Self { values, atoms: of_atoms, most };
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
        effort.spend(rows, open.len())?;
        let Some(found) = solved(&problem) else { return Ok(false) };
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
        &self,
        shift: &Shift<'_>,
        released: &[bool],
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<bool, Unaudited> {
        let (free, cells) = self.around(shift.region, released, atoms);
        if !shift.region.iter().any(|atom| free.contains(atom)) {
            return Ok(false);
        }
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let sign = shift.way.sign();
        let mut open: Vec<Option<Variable>> = vec![None; atoms.count()];
        for atom in &free {
            let (least, most) = self.room(*atom);
            let worth = if shift.region.contains(atom) { sign } else { 0.0 };
            if let Some(variable) = open.get_mut(*atom) {
                *variable = Some(problem.add_var(worth, (least / shift.by, most / shift.by)));
            }
        }
        let terms = |region: &[usize], weight: f64| -> Terms {
            region.iter().filter_map(|atom| Some((variable(&open, *atom)?, weight))).collect()
        };
        for cell in &cells {
            problem.add_constraint(terms(atoms.of_cell(*cell), 1.0).as_slice(), ComparisonOp::Eq, 0.0);
        }
        problem.add_constraint(terms(shift.region, sign).as_slice(), ComparisonOp::Le, 1.0);
        effort.spend(cells.len() + 1, free.len())?;
        let Some(found) = solved(&problem) else { return Ok(false) };
        let world: Vec<f64> = open.iter().map(|variable| variable.map_or(0.0, &found)).collect();
        let sum = |region: &[usize]| region.iter().filter_map(|atom| world.get(*atom)).sum::<f64>();
        let beyond = |(atom, by): (usize, &f64)| {
            let (least, most) = self.room(atom);
            *by < least / shift.by - EXACT || *by > most / shift.by + EXACT
        };
        Ok(sign * sum(shift.region) >= 1.0 - EXACT
            && cells.iter().all(|cell| sum(atoms.of_cell(*cell)).abs() <= EXACT)
            && !world.iter().enumerate().any(beyond))
    }

    /// The released cells that differ in the world with the shift where they are worth least.
    pub(super) fn cheapest(
        &self,
        shift: &Shift<'_>,
        released: &[bool],
        worth: &[f64],
        atoms: &Atoms,
        effort: &mut Effort,
    ) -> Result<Vec<usize>, Unaudited> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let sign = shift.way.sign();
        let told = |cell: usize| self.told(cell, released);
        // What an atom has more, and what it has less: each at the price of the cells that it is all of.
        let mut open: Vec<Option<(Variable, Variable)>> = vec![None; atoms.count()];
        for (atom, pair) in open.iter_mut().enumerate() {
            if self.of_atom(atom).is_none() {
                continue;
            }
            let (least, most) = self.room(atom);
            let alone = atoms.cells(atom).iter().filter(|cell| told(**cell) && atoms.of_cell(**cell).len() == 1);
            let price: f64 = alone.filter_map(|cell| worth.get(*cell)).sum();
            let more = problem.add_var(price, (0.0, most / shift.by));
            *pair = Some((more, problem.add_var(price, (0.0, -least / shift.by))));
        }
        let terms = |region: &[usize], weight: f64| {
            let pairs = region.iter().filter_map(|atom| open.get(*atom).copied().flatten());
            pairs.flat_map(|(more, less)| [(more, weight), (less, -weight)]).collect::<Terms>()
        };
        let mut rows = 1;
        for (cell, price) in worth.iter().enumerate().filter(|(cell, _)| told(*cell)) {
            if atoms.of_cell(cell).len() > 1 {
                rows += 1;
                let more = problem.add_var(*price, (0.0, f64::INFINITY));
                let less = problem.add_var(*price, (0.0, f64::INFINITY));
                let mut sum = LinearExpr::empty();
                for (variable, weight) in terms(atoms.of_cell(cell), 1.0).into_iter().chain([(more, -1.0), (less, 1.0)])
                {
                    sum.add(variable, weight);
                }
                problem.add_constraint(sum, ComparisonOp::Eq, 0.0);
            }
        }
        problem.add_constraint(terms(shift.region, sign).as_slice(), ComparisonOp::Eq, 1.0);
        effort.spend(rows, 2 * (open.len() + rows))?;
        let found = solved(&problem).ok_or(Unaudited)?;
        let world: Vec<f64> =
            open.iter().map(|pair| pair.map_or(0.0, |(more, less)| found(more) - found(less))).collect();
        let differs = |cell: &usize| {
            let by: f64 = atoms.of_cell(*cell).iter().filter_map(|atom| world.get(*atom)).sum();
            told(*cell) && by.abs() > EXACT / 2.0
        };
        Ok((0..worth.len()).filter(differs).collect())
    }

    fn told(&self, cell: usize, released: &[bool]) -> bool {
        released.get(cell).is_some_and(|released| *released) && self.values.get(cell).is_some_and(Option::is_some)
    }

    /// The atoms that released cells leave open and that bear on a region, and the released cells that bind them.
    fn around(&self, region: &[usize], released: &[bool], atoms: &Atoms) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let fixed = |atom: usize| {
            atoms.cells(atom).iter().any(|cell| self.told(*cell, released) && atoms.of_cell(*cell).len() == 1)
        };
        let mut free = BTreeSet::new();
        let mut cells = BTreeSet::new();
        let mut next: Vec<usize> = region.to_vec();
        while let Some(atom) = next.pop() {
            if self.of_atom(atom).is_none() || fixed(atom) || !free.insert(atom) {
                continue;
            }
            for cell in atoms.cells(atom).iter().filter(|cell| self.told(**cell, released)) {
                if cells.insert(*cell) {
                    next.extend(atoms.of_cell(*cell));
                }
            }
        }
        (free, cells)
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

    pub(super) fn spend(&mut self, rows: usize, columns: usize) -> Result<(), Unaudited> {
        if rows > MOST_ROWS || columns > MOST_COLUMNS {
            return Err(Unaudited);
        }
        let cost = rows.saturating_add(1).saturating_mul(columns.saturating_add(1));
        self.0 = self.0.checked_sub(cost).ok_or(Unaudited)?;
        Ok(())
    }
}

fn variable(open: &[Option<Variable>], atom: usize) -> Option<Variable> {
    open.get(atom).copied().flatten()
}

/// What the solver found, whatever it claims of it.
fn solved(problem: &Problem) -> Option<impl Fn(Variable) -> f64 + use<>> {
    let solution = contained(|| problem.solve())?.ok()?.into_solution().ok()?;
    Some(move |variable| {
        let value = solution.var_value(variable);
        if value.is_finite() { value } else { 0.0 }
    })
}

/// What a solver finds, unless it panics: then it has found nothing, and more is suppressed.
pub(super) fn contained<T>(solve: impl FnOnce() -> T) -> Option<T> {
    // What it leaves behind is not looked at again.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(solve)).ok()
}

/// How far a sum in a world of shifts by one may be off: above the solver's tolerance, far below what is to be shown.
const EXACT: f64 = 1e-6;
/// How far sums of floats may be off, relatively.
const ADDING: f64 = 1e-7;
/// Of one linear program: its steps cost more than its rows times its columns, and no clock ends it.
const MOST_ROWS: usize = 2_000;
const MOST_COLUMNS: usize = 12_000;
/// Rows times columns of all linear programs of one answer.
const MOST_EFFORT: usize = 400_000_000;

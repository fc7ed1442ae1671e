//! The slow, obvious reference: exact rationals, and every corner of what is possible.

use super::{Cell, Contributions, Family, Fate, Table, name};

type Number = fn(&[u32]) -> i128;

/// What is audited, of a set of subjects.
pub(super) const NUMBERS: [(Number, &str); 2] = [
    (|subjects| subjects.len() as i128, "rows"),
    (|subjects| subjects.iter().map(|one| i128::from(*one)).sum(), "sum"),
];

/// Numbers above this stand for unbounded.
const BEYOND: i128 = 1_000_000;

pub(super) struct Audit<'a> {
    table: &'a Table,
    places: Vec<Vec<u32>>,
    /// Released cells as sets of finest cells, and all cells.
    released: Vec<(&'a Cell, Vec<usize>)>,
    empty: Vec<bool>,
}

impl<'a> Audit<'a> {
    pub(super) fn new(table: &'a Table, families: &'a [Family], fates: &[Vec<Fate>]) -> Self {
        let places = table.places();
        let mut released = Vec::new();
        for (cell, fate) in families.iter().zip(fates).flat_map(|(family, fates)| family.cells.iter().zip(fates)) {
            if *fate == Fate::Kept {
                released.push((cell, inside(cell, &places)));
            }
        }
        // In none of a family's cells: known to be empty.
        let listed = |place: usize| {
            families.iter().all(|family| family.cells.iter().any(|cell| inside(cell, &places).contains(&place)))
        };
        let empty = (0..places.len()).map(|place| !listed(place)).collect();
        Self { table, places, released, empty }
    }

    fn value(&self, atoms: &[usize], number: Number) -> i128 {
        atoms.iter().map(|atom| number(&self.table.subjects[*atom])).sum()
    }

    /// Between what a cell's number can be, for who sees what was released.
    pub(super) fn interval(&self, cell: &Cell, number: Number) -> (f64, f64) {
        let free: Vec<usize> = (0..self.places.len()).filter(|atom| !self.empty[*atom]).collect();
        // One more column and row bound it all: whatever is in no released cell could be anything.
        let mut rows: Vec<(Vec<i128>, i128)> = self
            .released
            .iter()
            .map(|(_, atoms)| {
                let mut row: Vec<i128> = free.iter().map(|atom| i128::from(atoms.contains(atom))).collect();
                row.push(0);
                (row, self.value(atoms, number))
            })
            .collect();
        rows.push((vec![1; free.len() + 1], BEYOND));
        let target = inside(cell, &self.places);
        let worth: Vec<i128> = free.iter().map(|atom| i128::from(target.contains(atom))).chain([0]).collect();
        corners(&rows, &worth)
    }

    /// A cell's number, and by how much it must stay uncertain: as the module doc of `suppress` says.
    pub(super) fn levels(&self, cell: &Cell, number: Number) -> (f64, f64, f64) {
        let atoms = inside(cell, &self.places);
        let subjects: Vec<u32> = atoms.iter().flat_map(|atom| self.table.subjects[*atom].clone()).collect();
        let value = number(&subjects) as f64;
        if number(&[7]) == 1 {
            let share = (value * 0.1).max(1.0);
            return (value, share.min(value), share.max(11.0 - value));
        }
        let mut of = Contributions::NONE;
        subjects.iter().for_each(|one| of.observe(f64::from(*one)));
        let (one, two, total) = (of.largest(), of.second(), of.total());
        let levels = [0.1 * total, one / 0.85 - total, (one + two) / 0.9 - total, 0.1 * one - (total - one - two)];
        let level = levels.into_iter().fold(0.0, f64::max);
        (value, level.min(value), level)
    }

    /// Fewest subjects that remain of a released cell without any disjoint released ones inside it.
    pub(super) fn smallest_remainder(&self) -> Option<(&'a Cell, usize)> {
        let mut smallest: Option<(&Cell, usize)> = None;
        for (cell, atoms) in &self.released {
            let inner: Vec<&Vec<usize>> = self
                .released
                .iter()
                .map(|(_, inner)| inner)
                .filter(|inner| inner.len() < atoms.len() && inner.iter().all(|atom| atoms.contains(atom)))
                .collect();
            self.remove(atoms.clone(), &inner, &mut |rest| {
                let subjects: usize = rest.iter().map(|atom| self.table.subjects[*atom].len()).sum();
                if subjects > 0 && smallest.is_none_or(|(_, few)| subjects < few) {
                    smallest = Some((cell, subjects));
                }
            });
        }
        smallest
    }

    fn remove(&self, rest: Vec<usize>, inner: &[&Vec<usize>], see: &mut impl FnMut(&[usize])) {
        let Some((first, others)) = inner.split_first() else { return see(&rest) };
        if first.iter().all(|atom| rest.contains(atom)) {
            let without = rest.iter().copied().filter(|atom| !first.contains(atom)).collect();
            self.remove(without, others, see);
        }
        self.remove(rest, others, see);
    }
}

fn inside(cell: &Cell, places: &[Vec<u32>]) -> Vec<usize> {
    let holds = |place: &[u32]| {
        place
            .iter()
            .enumerate()
            .all(|(dimension, bin)| cell.region.bins(&name(dimension)).is_none_or(|bins| bins.contains(*bin)))
    };
    (0..places.len()).filter(|place| holds(&places[*place])).collect()
}

/// The least and the most of what is worth something over all corners of `rows`, none negative.
fn corners(rows: &[(Vec<i128>, i128)], worth: &[i128]) -> (f64, f64) {
    let rows = independent(rows);
    let columns = worth.len();
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut basis: Vec<usize> = (0..rows.len()).collect();
    loop {
        if let Some(corner) = solve(&rows, &basis) {
            let value: f64 =
                basis.iter().zip(&corner).map(|(column, value)| worth[*column] as f64 * value.float()).sum();
            (least, most) = (least.min(value), most.max(value));
        }
        // The next choice of columns.
        let Some(place) = (0..basis.len()).rev().find(|place| basis[*place] < columns - basis.len() + place) else {
            return (least, most);
        };
        basis[place] += 1;
        for later in place + 1..basis.len() {
            basis[later] = basis[later - 1] + 1;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fraction(i128, i128);

impl Fraction {
    fn new(above: i128, below: i128) -> Self {
        let (mut one, mut other) = (above.abs(), below.abs());
        while other != 0 {
            (one, other) = (other, one % other);
        }
        let sign = below.signum() * one.max(1);
        Self(above / sign, below / sign)
    }

    fn minus_times(self, factor: Self, other: Self) -> Self {
        let (above, below) = (factor.0 * other.0, factor.1 * other.1);
        Self::new(self.0 * below - above * self.1, self.1 * below)
    }

    fn over(self, other: Self) -> Self {
        Self::new(self.0 * other.1, self.1 * other.0)
    }

    fn float(self) -> f64 {
        self.0 as f64 / self.1 as f64
    }
}

/// Gauss and Jordan: rows in terms of their first columns, those that say nothing new left out.
fn reduced(mut rows: Vec<Vec<Fraction>>, columns: usize) -> (Vec<Vec<Fraction>>, Vec<usize>) {
    let mut pivots: Vec<usize> = Vec::new();
    for column in 0..columns {
        let done = pivots.len();
        let Some(pivot) = (done..rows.len()).find(|row| rows[*row][column].0 != 0) else { continue };
        rows.swap(done, pivot);
        let by = rows[done][column];
        rows[done] = rows[done].iter().map(|entry| entry.over(by)).collect();
        let row = rows[done].clone();
        for (place, other) in rows.iter_mut().enumerate().filter(|(place, _)| *place != done) {
            let _ = place;
            let factor = other[column];
            *other = other.iter().zip(&row).map(|(entry, of_row)| entry.minus_times(factor, *of_row)).collect();
        }
        pivots.push(column);
    }
    rows.truncate(pivots.len());
    (rows, pivots)
}

fn fractions(rows: &[(Vec<i128>, i128)]) -> Vec<Vec<Fraction>> {
    rows.iter().map(|(row, value)| row.iter().chain([value]).map(|entry| Fraction(*entry, 1)).collect()).collect()
}

fn independent(rows: &[(Vec<i128>, i128)]) -> Vec<Vec<Fraction>> {
    reduced(fractions(rows), rows[0].0.len()).0
}

/// The corner of a basis, if it is one and nothing in it is negative.
fn solve(rows: &[Vec<Fraction>], basis: &[usize]) -> Option<Vec<Fraction>> {
    let chosen =
        rows.iter().map(|row| basis.iter().map(|column| row[*column]).chain(row.last().copied()).collect()).collect();
    let (solved, pivots) = reduced(chosen, basis.len());
    let corner: Vec<Fraction> = solved.iter().filter_map(|row| row.last().copied()).collect();
    (pivots.len() == basis.len() && corner.iter().all(|value| value.0 >= 0)).then_some(corner)
}

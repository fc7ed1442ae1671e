//! How much is known of contributions, and how much more a further cell tells.
//!
//! Only atoms of fewer subjects than one over the limit are looked at: the leverage of no other can exceed it. Of what was
//! released before, either the cells are solved for or the atoms, whichever are fewer; new cells are then taken one after
//! the other by what each shares with those taken before.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice, linalg::general_mat_mul};

use super::{
    atoms::Atoms,
    dense::{lower_by, transposed_by, whiten},
};

/// What is known of the contributions of small atoms, by earlier cells and those that were taken since.
#[derive(Debug, Clone)]
pub(crate) struct Leverage {
    /// Of each small atom.
    shares: Vec<f64>,
    /// What no contribution of the other atoms exceeds.
    others: f64,
    /// By new cell and small atom: k, once the cell's turn has come.
    gains: Array2<f64>,
    /// By new cells: x'Ny less what is known of it, to the right of the diagonal and on it.
    shared: Array2<f64>,
    /// By new cell, and one that was taken before it: by how much of the latter's k its own is smaller.
    taken: Array2<f64>,
    /// The end of the block of new cells of which all that were taken before it are accounted for.
    settled: usize,
}

/// Of one new cell: what it would add.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addition {
    cell: usize,
    /// x'Nk + λ.
    spread: f64,
    /// The largest leverage of a contribution that it tells more of.
    pub(crate) largest: f64,
}

impl Leverage {
    /// After earlier cells: of each set how exactly it is known, 0 for what was not told. `new` are the sets of new cells.
    /// `None` if it takes too much to work out, or arithmetic does not suffice.
    pub(crate) fn of(atoms: &Atoms, precisions: &[f64], new: &[usize], limit: f64) -> Option<Self> {
        let small = |size: &f64| size * limit < 1.0;
        let place = |(atom, size): (usize, &f64)| small(size).then_some(atom);
        let small_atoms: Vec<usize> = atoms.sizes.iter().enumerate().filter_map(place).collect();
        let others = atoms.sizes.iter().filter(|size| !small(size)).fold(0.0_f64, |most, size| most.max(1.0 / size));
        if small_atoms.is_empty() {
            let none = || Array2::zeros((0, 0));
            return Some(Self { shares: vec![], others, gains: none(), shared: none(), taken: none(), settled: 0 });
        }
        // Sets of the same rows are one that was told of several times.
        let mut told: BTreeMap<&[u32], (usize, f64)> = BTreeMap::new();
        for (set, (precision, within)) in precisions.iter().zip(&atoms.of_sets).enumerate() {
            if *precision > 0.0 && !within.is_empty() {
                told.entry(within).or_insert((set, 0.0)).1 += precision;
            }
        }
        let mut told: Vec<(usize, f64)> = told.into_values().collect();
        told.sort_unstable_by_key(|(set, _)| *set);
        let earlier = Earlier { atoms, told: &told, new, small: &small_atoms };
        let (shares, gains, shared) =
            if told.len() <= atoms.sizes.len() { earlier.by_cells()? } else { earlier.by_atoms()? };
        let taken = Array2::zeros((new.len(), new.len()));
        Some(Self { shares, others, gains, shared, taken, settled: 0 })
    }

    /// How many new cells can be priced beside these atoms.
    pub(crate) fn most(atoms: &Atoms, limit: f64) -> usize {
        let small = atoms.sizes.iter().filter(|size| **size * limit < 1.0).count();
        MOST_GAINS.checked_div(small).map_or(usize::MAX, |most| most.min(MOST_NEW))
    }

    /// What no contribution exceeds.
    pub(crate) fn largest(&self) -> f64 {
        self.shares.iter().copied().fold(self.others, f64::max)
    }

    /// What a new cell of this precision would add; each in its turn. `None` if arithmetic has worn out.
    pub(crate) fn with(&mut self, cell: usize, precision: f64) -> Option<Addition> {
        if self.shares.is_empty() {
            return Some(Addition { cell, spread: f64::INFINITY, largest: 0.0 });
        }
        self.settle(cell);
        let spread = self.shared.get((cell, cell))? + 1.0 / precision;
        (spread.is_finite() && spread > 0.0).then_some(())?;
        let mut largest = 0.0_f64;
        for (share, gain) in self.shares.iter().zip(self.gains.row(cell)) {
            let more = gain * gain / spread;
            // What is not a number compares with nothing.
            (share + more).is_finite().then_some(())?;
            if more > NOTHING {
                largest = largest.max(share + more);
            }
        }
        Some(Addition { cell, spread, largest })
    }

    /// L + k·k'/(x'Nk + λ).
    pub(crate) fn add(&mut self, Addition { cell, spread, .. }: Addition) {
        if self.shares.is_empty() {
            return;
        }
        let gain = self.gains.row(cell).to_owned();
        self.shares.iter_mut().zip(&gain).for_each(|(share, gain)| *share += gain * gain / spread);
        let shared: Array1<f64> = self.shared.row(cell).to_owned();
        for later in cell + 1..self.shared.nrows() {
            let factor = shared.get(later).map_or(0.0, |shared| shared / spread);
            if factor == 0.0 {
                continue;
            }
            self.taken.get_mut((later, cell)).into_iter().for_each(|taken| *taken = factor);
            let rest = self.shared.row_mut(later).into_iter().zip(&shared).skip(later);
            rest.for_each(|(value, shared)| *value -= factor * shared);
            if later < self.settled {
                self.gains.row_mut(later).zip_mut_with(&gain, |value, gain| *value -= factor * gain);
            }
        }
    }

    /// Takes account of all cells that were taken before a block of new ones: one multiplication.
    fn settle(&mut self, cell: usize) {
        if cell < self.settled {
            return;
        }
        let (from, to) = (cell, self.gains.nrows().min(cell + BLOCK));
        let (before, mut rest) = self.gains.view_mut().split_at(Axis(0), from);
        let mut block = rest.slice_axis_mut(Axis(0), Slice::from(..to - from));
        let taken = self.taken.slice_axis(Axis(0), Slice::from(from..to));
        general_mat_mul(-1.0, &taken.slice_axis(Axis(1), Slice::from(..from)), &before, 1.0, &mut block);
        self.settled = to;
    }
}

/// What was told before: sets with their precisions.
struct Earlier<'a> {
    atoms: &'a Atoms,
    /// Ascending.
    told: &'a [(usize, f64)],
    new: &'a [usize],
    small: &'a [usize],
}

/// Of small atoms their leverages, by new cells their k, and between new cells x'Ny less what is known of it.
type Solved = (Vec<f64>, Array2<f64>, Array2<f64>);

impl Earlier<'_> {
    /// With T'T = (G + Λ)⁻¹ and Gₙ = X·N·Xₙ': Lₐₐ = |T·xₐ|², k = x - X'T'T·Gₙ, and Xₙ·N·Xₙ' - Gₙ'T'T·Gₙ.
    fn by_cells(&self) -> Option<Solved> {
        let order = self.told.len();
        (order <= MOST_SOLVED).then_some(())?;
        let rows_of = self.rows_of();
        let mut whitening = self.shared_by_cells(&rows_of)?;
        whiten(&mut whitening.view_mut())?;
        let mut shared_with = Array2::<f64>::zeros((order, self.new.len()));
        let mut shared = Array2::<f64>::zeros((self.new.len(), self.new.len()));
        let news = self.news();
        for ((size, new), rows) in self.atoms.sizes.iter().zip(&news).zip(&rows_of) {
            for column in new {
                for row in rows {
                    *shared_with.get_mut((*row, *column))? += size;
                }
                for other in new {
                    *shared.get_mut((*other, *column))? += size;
                }
            }
        }
        let known = lower_by(&whitening.view(), &shared_with.view());
        general_mat_mul(-1.0, &known.t(), &known, 1.0, &mut shared);
        let solved = transposed_by(&whitening.view(), &known.view());
        let mut gains = Array2::<f64>::zeros((self.small.len(), self.new.len()));
        let mut sums: Vec<&[usize]> = Vec::with_capacity(self.small.len());
        for (atom, mut line) in self.small.iter().zip(gains.rows_mut()) {
            let rows = rows_of.get(*atom)?;
            rows.iter().for_each(|row| line -= &solved.row(*row));
            for new in news.get(*atom)? {
                *line.get_mut(*new)? += 1.0;
            }
            sums.push(rows);
        }
        Some((lengths(&whitening.view(), &sums), gains.t().as_standard_layout().into_owned(), shared))
    }

    /// Of each atom the places of the sets told that it is in, ascending.
    fn rows_of(&self) -> Vec<Vec<usize>> {
        let mut rows_of = vec![Vec::new(); self.atoms.sizes.len()];
        for (row, (set, _)) in self.told.iter().enumerate() {
            for atom in self.atoms.of_sets.get(*set).into_iter().flatten() {
                rows_of.get_mut(*atom as usize).into_iter().for_each(|rows: &mut Vec<usize>| rows.push(row));
            }
        }
        rows_of
    }

    /// The lower triangle of G + Λ, a row at a time.
    fn shared_by_cells(&self, rows_of: &[Vec<usize>]) -> Option<Array2<f64>> {
        let mut shared = Array2::<f64>::zeros((self.told.len(), self.told.len()));
        for ((row, mut line), (set, precision)) in shared.rows_mut().into_iter().enumerate().zip(self.told) {
            for atom in self.atoms.of_sets.get(*set)? {
                let size = self.atoms.sizes.get(*atom as usize)?;
                for other in rows_of.get(*atom as usize)?.iter().take_while(|other| **other <= row) {
                    *line.get_mut(*other)? += size;
                }
            }
            *line.get_mut(row)? += 1.0 / precision;
        }
        Some(shared)
    }

    /// With T'T = E = (1 + N^½·X'Λ⁻¹X·N^½)⁻¹ and U = N^½·Xₙ': Lₐₐ = (1 - Eₐₐ)/Nₐ, k = N^-½·E·U, and U'E·U.
    fn by_atoms(&self) -> Option<Solved> {
        let order = self.atoms.sizes.len();
        (order <= MOST_SOLVED).then_some(())?;
        let mut precision_of = vec![0.0; self.atoms.of_sets.len()];
        for (set, precision) in self.told {
            *precision_of.get_mut(*set)? = *precision;
        }
        let roots: Vec<f64> = self.atoms.sizes.iter().map(|size| size.sqrt()).collect();
        let mut whitening = Array2::<f64>::zeros((order, order));
        for (atom, mut line) in whitening.rows_mut().into_iter().enumerate() {
            for set in self.atoms.sets.get(atom)? {
                let precision = precision_of.get(*set as usize)?;
                for other in self.atoms.of_sets.get(*set as usize)?.iter().take_while(|other| **other as usize <= atom)
                {
                    *line.get_mut(*other as usize)? += precision;
                }
            }
            let root = *roots.get(atom)?;
            line.iter_mut().zip(&roots).for_each(|(weight, other)| *weight *= root * other);
            *line.get_mut(atom)? += 1.0;
        }
        whiten(&mut whitening.view_mut())?;
        let mut rooted = Array2::zeros((order, self.new.len()));
        for ((mut line, new), root) in rooted.rows_mut().into_iter().zip(self.news()).zip(&roots) {
            new.iter().for_each(|new| line.get_mut(*new).into_iter().for_each(|value| *value = *root));
        }
        let known = lower_by(&whitening.view(), &rooted.view());
        let solved = transposed_by(&whitening.view(), &known.view());
        let mut gains = Array2::zeros((self.new.len(), self.small.len()));
        let mut unknown = vec![0.0; order];
        for line in whitening.rows() {
            unknown.iter_mut().zip(line).for_each(|(unknown, value)| *unknown += value * value);
        }
        let mut shares = Vec::with_capacity(self.small.len());
        for (atom, mut column) in self.small.iter().zip(gains.columns_mut()) {
            let (size, root) = (self.atoms.sizes.get(*atom)?, roots.get(*atom)?);
            shares.push((1.0 - unknown.get(*atom)?) / size);
            column.iter_mut().zip(solved.row(*atom)).for_each(|(gain, solved)| *gain = solved / root);
        }
        Some((shares, gains, known.t().dot(&known)))
    }

    /// Of each atom the new cells that it is in.
    fn news(&self) -> Vec<Vec<usize>> {
        let mut news = vec![Vec::new(); self.atoms.sizes.len()];
        for (column, set) in self.new.iter().enumerate() {
            for atom in self.atoms.of_sets.get(*set).into_iter().flatten() {
                news.get_mut(*atom as usize).into_iter().for_each(|new| new.push(column));
            }
        }
        news
    }
}

/// Of each of these sums of columns of a lower triangular matrix, its squared length. A few rows at a time, which stay in
/// the processor's cache for all of them.
fn lengths(lower: &ArrayView2<'_, f64>, sums: &[&[usize]]) -> Vec<f64> {
    let mut lengths = vec![0.0; sums.len()];
    for from in (0..lower.nrows()).step_by(LANES) {
        let rows = lower.slice_axis(Axis(0), Slice::from(from..lower.nrows().min(from + LANES)));
        let end = lower.ncols().min(from + LANES);
        let mut columns = vec![[0.0; LANES]; end];
        for (lane, row) in rows.rows().into_iter().enumerate() {
            for (column, value) in columns.iter_mut().zip(row) {
                column.get_mut(lane).into_iter().for_each(|lane| *lane = *value);
            }
        }
        for (length, sum) in lengths.iter_mut().zip(sums) {
            let mut added = [0.0; LANES];
            for column in sum.iter().map_while(|column| columns.get(*column)) {
                added.iter_mut().zip(column).for_each(|(added, value)| *added += value);
            }
            *length += added.iter().map(|added| added * added).sum::<f64>();
        }
    }
    lengths
}

/// Most cells or atoms that are solved for: 72 MiB, and half of that once more while they are, which a zone has.
const MOST_SOLVED: usize = 3_072;
/// Most new cells of one question.
const MOST_NEW: usize = 4_096;
/// Most of what new cells tell of small atoms, one by one: 128 MiB.
const MOST_GAINS: usize = 1 << 24;
/// New cells of which those taken before are accounted for at once.
const BLOCK: usize = 32;
/// Rows that are added up at once.
const LANES: usize = 16;
/// A cell that adds no more than this to a contribution's leverage tells nothing of it.
const NOTHING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Atoms of up to 30 sets.
    fn atoms() -> impl Strategy<Value = Atoms> {
        let atom = (1_u32..9, proptest::collection::btree_set(0_u32..30, 1..12));
        proptest::collection::vec(atom, 1..60).prop_map(|atoms| {
            let (sizes, sets): (Vec<_>, Vec<_>) = atoms.into_iter().unzip();
            let sizes = sizes.into_iter().map(f64::from).collect();
            let sets: Vec<Vec<u32>> = sets.into_iter().map(|sets| sets.into_iter().collect()).collect();
            let having = |set: u32| (0..).zip(&sets).filter(move |(_, sets)| sets.contains(&set)).map(|(atom, _)| atom);
            let of_sets = (0..30).map(|set| having(set).collect()).collect();
            Atoms { sizes, of_sets, sets, uncountable: vec![false; 30] }
        })
    }

    fn alike(one: impl IntoIterator<Item = f64>, other: impl IntoIterator<Item = f64>) -> bool {
        one.into_iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-7)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn both_ways_to_solve_agree(
            atoms in atoms(),
            precisions in proptest::collection::vec(1e-3_f64..1e4, 30),
            new in proptest::collection::vec(0_usize..30, 1..50),
        ) {
            let told: Vec<(usize, f64)> = precisions.iter().copied().enumerate().take(20).collect();
            let small: Vec<usize> = (0..atoms.sizes.len()).step_by(2).collect();
            let earlier = Earlier { atoms: &atoms, told: &told, new: &new, small: &small };
            let (by_cells, by_atoms) = (earlier.by_cells().unwrap(), earlier.by_atoms().unwrap());
            prop_assert!(alike(by_cells.0, by_atoms.0));
            prop_assert!(alike(by_cells.1, by_atoms.1));
            prop_assert!(alike(by_cells.2, by_atoms.2));
        }

        // Beyond a block of new cells, some of them not taken.
        #[test]
        fn cells_taken_one_by_one_are_as_if_told_before(
            atoms in atoms(),
            precisions in proptest::collection::vec(1e-3_f64..1e4, 30),
            taken in proptest::collection::vec(any::<bool>(), 45),
        ) {
            let new: Vec<usize> = (0..45).map(|place| place % 30).collect();
            let mut one_by_one = Leverage::of(&atoms, &[0.0; 30], &new, 0.01).unwrap();
            let mut known = vec![0.0; 30];
            for (place, set) in new.iter().enumerate() {
                let addition = one_by_one.with(place, precisions[*set]).unwrap();
                if taken[place] {
                    one_by_one.add(addition);
                    known[*set] += precisions[*set];
                }
            }
            let before = Leverage::of(&atoms, &known, &[], 0.01).unwrap();
            prop_assert!(alike(one_by_one.shares, before.shares));
        }
    }

    #[test]
    fn what_arithmetic_has_worn_out_does_not_fit() {
        let sets = vec![vec![0]];
        let atoms = Atoms { sizes: vec![1.0], of_sets: sets.clone(), sets, uncountable: vec![false] };
        let mut known = Leverage::of(&atoms, &[0.0], &[0], 0.25).unwrap();
        known.shared.fill(-1e-3);
        assert!(known.with(0, 1e15).is_none());
    }
}

//! L of the information budget: atoms by atoms, dense, symmetric.

use super::atoms::Observation;

/// What is known of contributions: on the diagonal the share of each atom's, beside it what two have in common.
#[derive(Debug, Clone)]
pub(crate) struct Leverage {
    sizes: Vec<f64>,
    /// Row by row.
    known: Vec<f64>,
}

impl Leverage {
    /// After these observations of atoms of these sizes, none of them 0.
    pub(crate) fn of(sizes: &[f64], observations: &[Observation]) -> Self {
        let mut leverage = Self { sizes: sizes.to_vec(), known: vec![0.0; sizes.len() * sizes.len()] };
        if observations.len() < sizes.len() / 2 {
            observations.iter().for_each(|observation| leverage.add(observation));
        } else {
            leverage.all_at_once(observations);
        }
        leverage
    }

    /// The largest share of any contribution.
    pub(crate) fn largest(&self) -> f64 {
        self.rows().enumerate().filter_map(|(atom, row)| row.get(atom)).copied().fold(0.0, f64::max)
    }

    /// The largest share after one more observation.
    pub(crate) fn largest_with(&self, cell: &Observation) -> f64 {
        // Of nobody, or of what is known already.
        if cell.atoms.is_empty() || cell.precision <= 0.0 {
            return self.largest();
        }
        // What arithmetic has worn out is not known to fit.
        let Some((gain, spread)) = self.gain(cell) else { return f64::INFINITY };
        let diagonal = self.rows().enumerate().filter_map(|(atom, row)| row.get(atom));
        diagonal.zip(&gain).map(|(share, gain)| share + gain * gain / spread).fold(0.0, f64::max)
    }

    /// L + k·k'/(x'Nk + λ).
    pub(crate) fn add(&mut self, cell: &Observation) {
        let Some((gain, spread)) = self.gain(cell) else { return };
        for (row, factor) in self.known.chunks_exact_mut(gain.len()).zip(&gain).filter(|(_, factor)| **factor != 0.0) {
            let factor = factor / spread;
            row.iter_mut().zip(&gain).for_each(|(known, gain)| *known += factor * gain);
        }
    }

    /// k = x - L·N·x, and x'Nk + λ; nothing for a cell without subjects.
    fn gain(&self, cell: &Observation) -> Option<(Vec<f64>, f64)> {
        let mut gain = vec![0.0; self.sizes.len()];
        for atom in &cell.atoms {
            let size = self.sizes.get(*atom)?;
            for (gain, known) in gain.iter_mut().zip(self.row(*atom)?) {
                *gain -= known * size;
            }
        }
        cell.atoms.iter().for_each(|atom| gain.get_mut(*atom).into_iter().for_each(|gain| *gain += 1.0));
        let shared = |atom: &usize| Some(self.sizes.get(*atom)? * gain.get(*atom)?);
        let spread: f64 = cell.atoms.iter().filter_map(shared).sum::<f64>() + 1.0 / cell.precision;
        (!cell.atoms.is_empty() && spread.is_finite() && spread > 0.0).then_some((gain, spread))
    }

    /// N^-½·(1 - (1 + S)⁻¹)·N^-½ with S = N^½·W·N^½.
    pub(super) fn all_at_once(&mut self, observations: &[Observation]) {
        let atoms = self.sizes.len();
        for cell in observations {
            for atom in &cell.atoms {
                let Some(row) = self.known.chunks_exact_mut(atoms).nth(*atom) else { continue };
                cell.atoms.iter().for_each(|other| {
                    row.get_mut(*other).into_iter().for_each(|weight| *weight += cell.precision);
                });
            }
        }
        let roots: Vec<f64> = self.sizes.iter().map(|size| size.sqrt()).collect();
        for (atom, (row, root)) in self.known.chunks_exact_mut(atoms).zip(&roots).enumerate() {
            row.iter_mut().zip(&roots).for_each(|(weight, other)| *weight *= root * other);
            row.get_mut(atom).into_iter().for_each(|weight| *weight += 1.0);
        }
        invert(&mut self.known, atoms);
        for (atom, (row, root)) in self.known.chunks_exact_mut(atoms).zip(&roots).enumerate() {
            row.iter_mut().zip(&roots).for_each(|(rest, other)| *rest /= -root * other);
            row.get_mut(atom).into_iter().for_each(|known| *known += 1.0 / (root * root));
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.known.chunks_exact(self.sizes.len().max(1))
    }

    fn row(&self, atom: usize) -> Option<&[f64]> {
        self.rows().nth(atom)
    }
}

/// Inverts a symmetric matrix in place, none of whose eigenvalues is below 1, so that no pivot need be looked for
/// (Gauss-Jordan, as the sweep of Goodnight 1979).
fn invert(matrix: &mut [f64], order: usize) {
    if order == 0 {
        return;
    }
    for pivot in 0..order {
        let Some(row) = matrix.chunks_exact_mut(order).nth(pivot) else { return };
        let Some(head) = row.get_mut(pivot) else { return };
        let scale = 1.0 / std::mem::replace(head, 1.0);
        row.iter_mut().for_each(|value| *value *= scale);
        let swept = row.to_vec();
        for (_, row) in matrix.chunks_exact_mut(order).enumerate().filter(|(place, _)| *place != pivot) {
            let Some(head) = row.get_mut(pivot) else { return };
            let factor = std::mem::replace(head, 0.0);
            if factor != 0.0 {
                row.iter_mut().zip(&swept).for_each(|(value, swept)| *value -= factor * swept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arithmetic_has_worn_out_does_not_fit() {
        let known = Leverage { sizes: vec![1.0], known: vec![1.0 + 1e-12] };
        let exactly = |atoms: Vec<usize>| Observation { atoms, precision: 1e15 };
        assert_eq!(known.largest_with(&exactly(vec![0])), f64::INFINITY);
        assert_eq!(known.largest_with(&exactly(vec![])), known.largest());
    }
}

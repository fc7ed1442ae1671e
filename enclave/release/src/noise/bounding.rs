//! How much one subject can change: held to bounds before anything is added up.

/// What one subject's contribution to a sum is held to, and the lattice it lies on: whole steps, each a power of two, about
/// a thousand of them to the larger bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp {
    low: f64,
    high: f64,
    step: f64,
}

/// How far one subject's rows can move all numbers of an answer: the square of the Euclidean distance, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitivity(u128);

impl Clamp {
    /// Of declared bounds; `None` unless they are finite, in order, and not both nothing.
    pub fn new(low: f64, high: f64) -> Option<Self> {
        let widest = low.abs().max(high.abs());
        if !(low.is_finite() && high.is_finite() && low <= high && widest.is_normal()) {
            return None;
        }
        let step = (widest.log2().floor() - LATTICE_BITS).exp2();
        (step.is_normal() && widest / step <= f64::from(1_u32 << 12)).then_some(Self { low, high, step })
    }

    /// A contribution, held to the bounds, in steps. One that is no number is none.
    pub fn steps(&self, contribution: f64) -> i64 {
        (self.held(contribution) / self.step).round() as i64
    }

    /// What so many steps are.
    pub fn value(&self, steps: i64) -> f64 {
        steps as f64 * self.step
    }

    /// What so many contributions add up to, or fewer, with a lattice as wide.
    pub fn of_rows(&self, rows: u32) -> Option<Self> {
        Self::new(self.low.min(0.0) * f64::from(rows), self.high.max(0.0) * f64::from(rows))
    }

    /// A contribution, held to the bounds. One that is no number is none.
    pub fn held(&self, contribution: f64) -> f64 {
        if contribution.is_nan() { 0.0 } else { contribution.clamp(self.low, self.high) }
    }

    /// As bits: whoever keeps it has no floats there.
    pub fn to_bits(self) -> [u64; 2] {
        [self.low.to_bits(), self.high.to_bits()]
    }

    /// The most that one contribution can be, either way.
    fn reach(&self) -> u64 {
        self.steps(self.low).unsigned_abs().max(self.steps(self.high).unsigned_abs())
    }
}

impl Sensitivity {
    /// Of counts of distinct subjects, where each is counted in so many cells at most.
    pub fn subjects(cells: u32) -> Self {
        Self::rows(cells, 1)
    }

    /// Of counts of rows, where of each subject so many are counted in one cell, in so many cells at most.
    pub fn rows(cells: u32, rows: u32) -> Self {
        Self(u128::from(cells) * u128::from(rows).pow(2))
    }

    /// Of sums over subjects of what each brings to a cell, held to a clamp, in so many cells at most.
    pub fn sum(cells: u32, clamp: &Clamp) -> Self {
        Self(u128::from(cells) * u128::from(clamp.reach()).pow(2))
    }

    /// In squared steps.
    pub fn squared(self) -> u128 {
        self.0
    }
}

/// A mean from its noisy parts, held to where it can lie; `None` where the noisy count is not of any row.
pub fn mean(sum: f64, count: i64, clamp: &Clamp) -> Option<f64> {
    (count > 0).then(|| (sum / count as f64).clamp(clamp.low, clamp.high))
}

/// The larger bound is between this power of two and the next, in steps.
const LATTICE_BITS: f64 = 10.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_subject_moves_an_answer_further_than_its_sensitivity(
            (low, high) in (-1e6_f64..1e6, 0.0_f64..1e6).prop_map(|(low, width)| (low, low + width)),
            values in proptest::collection::vec(proptest::collection::vec(proptest::num::f64::ANY, 0..4), 0..5),
        ) {
            let clamp = Clamp::new(low, high).unwrap();
            let of_four = clamp.of_rows(4).unwrap();
            let moved: u128 = values
                .iter()
                .map(|rows| of_four.steps(rows.iter().map(|value| clamp.held(*value)).sum()).unsigned_abs())
                .map(|cell| u128::from(cell).pow(2))
                .sum();
            prop_assert!(moved <= Sensitivity::sum(5, &of_four).squared());
            let counted: u128 = values.iter().map(|rows| (rows.len() as u128).pow(2)).sum();
            prop_assert!(counted <= Sensitivity::rows(5, 4).squared());
        }

        #[test]
        fn a_contribution_within_bounds_is_kept_to_a_thousandth(high in 1e-3_f64..1e9, share in -1.0_f64..1.0) {
            let clamp = Clamp::new(-high, high).unwrap();
            let kept = clamp.value(clamp.steps(high * share));
            prop_assert!((kept - high * share).abs() <= high / 1000.0);
        }
    }

    #[test]
    fn bounds_that_are_none_are_refused() {
        for (low, high) in [(1.0, 0.0), (0.0, 0.0), (f64::NEG_INFINITY, 0.0), (0.0, f64::NAN), (0.0, 1e-310)] {
            assert_eq!(Clamp::new(low, high), None);
        }
    }

    #[test]
    fn a_mean_lies_where_it_can_lie() {
        let clamp = Clamp::new(0.0, 100.0).unwrap();
        let noisy = |sum: f64, count| mean(sum, count, &clamp);
        assert_eq!(noisy(50.0, 2), Some(25.0));
        assert_eq!((noisy(50.0, 0), noisy(50.0, -3)), (None, None));
        assert_eq!(noisy(-50.0, 2), Some(0.0));
    }
}

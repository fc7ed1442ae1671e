//! Dense symmetric matrices, in blocks, so that nearly all of the work is multiplication, on all processors. What comes out
//! does not depend on how many those are.

use std::{
    num::NonZero,
    sync::Mutex,
    thread::{self, Builder},
};

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice, linalg::general_mat_mul};

/// Replaces a positive definite A, of which the lower triangle is given and the rest is 0, by the lower triangular T with
/// T·A·T' = 1, so that A⁻¹ = T'·T. With A = (A₁₁ . / A₂₁ A₂₂), and L₂₁ = A₂₁·T₁₁' of its Cholesky factor: T₂₂ is that of
/// A₂₂ - L₂₁·L₂₁', and T₂₁ = -T₂₂·L₂₁·T₁₁. `None` if it is not positive definite, as far as arithmetic can tell.
pub(crate) fn whiten(matrix: &mut ArrayViewMut2<'_, f64>) -> Option<()> {
    let order = matrix.nrows();
    if order <= SMALL {
        return whiten_small(matrix);
    }
    let half = (order / 2).next_multiple_of(SMALL);
    let (upper, lower) = matrix.view_mut().split_at(Axis(0), half);
    let (mut first, mut right) = upper.split_at(Axis(1), half);
    let (mut below, mut second) = lower.split_at(Axis(1), half);
    right.fill(0.0);
    whiten(&mut first)?;
    let factor = by_transposed(&below.view(), &first.view());
    take_square(&mut second, &factor.view());
    whiten(&mut second)?;
    let moved = lower_by(&second.view(), &factor.view());
    in_strips(&mut below, Axis(1), |from, to, strip| {
        let right = rows(&columns(&first.view(), from, to), from, half);
        general_mat_mul(-1.0, &columns(&moved.view(), from, half), &right, 0.0, strip);
    });
    Some(())
}

/// T·B of a lower triangular T.
pub(crate) fn lower_by(lower: &ArrayView2<'_, f64>, other: &ArrayView2<'_, f64>) -> Array2<f64> {
    let mut product = Array2::zeros((lower.nrows(), other.ncols()));
    in_strips(&mut product.view_mut(), Axis(0), |from, to, strip| {
        general_mat_mul(1.0, &rows(&columns(lower, 0, to), from, to), &rows(other, 0, to), 0.0, strip);
    });
    product
}

/// T'·B of a lower triangular T.
pub(crate) fn transposed_by(lower: &ArrayView2<'_, f64>, other: &ArrayView2<'_, f64>) -> Array2<f64> {
    let order = lower.nrows();
    let mut product = Array2::zeros((order, other.ncols()));
    in_strips(&mut product.view_mut(), Axis(0), |from, to, strip| {
        let left = rows(&columns(lower, from, to), from, order);
        general_mat_mul(1.0, &left.t(), &rows(other, from, order), 0.0, strip);
    });
    product
}

/// B·T' of a lower triangular T.
fn by_transposed(other: &ArrayView2<'_, f64>, lower: &ArrayView2<'_, f64>) -> Array2<f64> {
    let mut product = Array2::zeros((other.nrows(), lower.nrows()));
    in_strips(&mut product.view_mut(), Axis(1), |from, to, strip| {
        let right = rows(&columns(lower, 0, to), from, to);
        general_mat_mul(1.0, &columns(other, 0, to), &right.t(), 0.0, strip);
    });
    product
}

/// A - L·L', in the lower triangle.
fn take_square(matrix: &mut ArrayViewMut2<'_, f64>, factor: &ArrayView2<'_, f64>) {
    in_strips(matrix, Axis(0), |from, to, strip| {
        let mut strip = strip.slice_axis_mut(Axis(1), Slice::from(..to));
        general_mat_mul(-1.0, &rows(factor, from, to), &rows(factor, 0, to).t(), 1.0, &mut strip);
    });
}

/// Works on each strip of a matrix, from where to where it goes, on its own. Other threads help if it is large and they can
/// be had.
fn in_strips(
    matrix: &mut ArrayViewMut2<'_, f64>,
    axis: Axis,
    work: impl Fn(usize, usize, &mut ArrayViewMut2<'_, f64>) + Sync,
) {
    let large = matrix.len() >= LARGE;
    let strips = matrix.axis_chunks_iter_mut(axis, STRIP).enumerate();
    let left: Mutex<Vec<_>> = Mutex::new(strips.map(|(place, strip)| (place * STRIP, strip)).collect());
    let go = || {
        while let Some((from, mut strip)) = left.lock().ok().and_then(|mut left| left.pop()) {
            let to = from + strip.len_of(axis);
            work(from, to, &mut strip);
        }
    };
    let helpers = if large { thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS) - 1 } else { 0 };
    thread::scope(|scope| {
        for _ in 0..helpers {
            if Builder::new().spawn_scoped(scope, go).is_err() {
                break;
            }
        }
        go();
    });
}

/// Cholesky and the inverse of its factor, row by row.
fn whiten_small(matrix: &mut ArrayViewMut2<'_, f64>) -> Option<()> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.nrows());
    let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(matrix.nrows());
    for (place, mut row) in matrix.rows_mut().into_iter().enumerate() {
        let mut made: Vec<f64> = Vec::with_capacity(place + 1);
        for (before, value) in factor.iter().zip(row.iter()) {
            made.push((value - dot(&made, before)) / before.last()?);
        }
        let square = row.get(place)? - dot(&made, &made);
        let head = (square.is_finite() && square > 0.0).then(|| square.sqrt())?;
        let mut inverted = vec![0.0; place + 1];
        for (factor, before) in made.iter().zip(&inverse) {
            inverted.iter_mut().zip(before).for_each(|(value, before)| *value -= factor * before / head);
        }
        *inverted.last_mut()? = 1.0 / head;
        made.push(head);
        row.fill(0.0);
        row.iter_mut().zip(&inverted).for_each(|(value, inverted)| *value = *inverted);
        factor.push(made);
        inverse.push(inverted);
    }
    Some(())
}

/// Of as much as both have.
fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn rows<'a>(matrix: &ArrayView2<'a, f64>, from: usize, to: usize) -> ArrayView2<'a, f64> {
    (*matrix).slice_axis_move(Axis(0), Slice::from(from..to))
}

fn columns<'a>(matrix: &ArrayView2<'a, f64>, from: usize, to: usize) -> ArrayView2<'a, f64> {
    (*matrix).slice_axis_move(Axis(1), Slice::from(from..to))
}

/// Order up to which rows are worked on singly.
const SMALL: usize = 32;
/// Rows or columns of a triangle that are multiplied at once: the zeros beside its diagonal within them are, too.
const STRIP: usize = 192;
/// Values of a matrix that is worth the start of a thread.
const LARGE: usize = 1 << 17;
/// Most processors that are used.
const MOST_THREADS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Positive definite, its diagonal over many orders of magnitude.
    fn drawn(order: usize, seed: u64) -> Array2<f64> {
        let mut state = seed | 1;
        let mut root = Array2::zeros((order, order));
        for value in &mut root {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *value = (state >> 40) as f64 / f64::from(1 << 24) - 0.5;
        }
        let mut matrix = root.dot(&root.t());
        for place in 0..order {
            matrix[[place, place]] += 0.01 * 1.1_f64.powi((place % 100) as i32);
        }
        matrix
    }

    fn triangle(matrix: &Array2<f64>) -> Array2<f64> {
        Array2::from_shape_fn(matrix.dim(), |(row, column)| if column <= row { matrix[[row, column]] } else { 0.0 })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        #[test]
        fn whitened_is_one(order in 1_usize..900, seed: u64) {
            let whole = drawn(order, seed);
            let mut lower = triangle(&whole);
            whiten(&mut lower.view_mut()).unwrap();
            prop_assert_eq!(&triangle(&lower), &lower);
            let one = lower.dot(&whole).dot(&lower.t());
            let off = (&one - &Array2::<f64>::eye(order)).iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            prop_assert!(off < 1e-8, "{off}");
            let other = drawn(order, seed.rotate_left(7));
            let same = |one: Array2<f64>, other: Array2<f64>| {
                one.iter().zip(&other).all(|(one, other)| (one - other).abs() <= 1e-9 * (1.0 + other.abs()))
            };
            prop_assert!(same(lower_by(&lower.view(), &other.view()), lower.dot(&other)));
            prop_assert!(same(transposed_by(&lower.view(), &other.view()), lower.t().dot(&other)));
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_not_whitened() {
        let mut flat = triangle(&Array2::ones((70, 70)));
        assert!(whiten(&mut flat.view_mut()).is_none());
    }
}

//! What leaves of a number, from the rows themselves.

use octroi_release::{Number, RowColumn};

use super::{
    question::{Figure, What},
    reference::{LEAST, subjects},
    world::{PERSON, Row},
};

impl Figure {
    /// Whether a number is what may be told of these rows.
    pub(crate) fn is_rounded_to(&self, number: Option<Number>, rows: &[&Row], units: &[RowColumn]) -> bool {
        let rows: Vec<&Row> = rows.iter().copied().filter(|row| !self.ill || row.ill).collect();
        let mut amounts: Vec<i128> = rows.iter().filter_map(|row| row.amount).map(i128::from).collect();
        amounts.sort_unstable();
        let (count, sum) = (amounts.len() as i128, amounts.iter().sum::<i128>());
        match (self.what, number) {
            (What::Rows, Some(Number::Whole(told))) => told == to_five(rows.len() as i128),
            (What::Persons, Some(Number::Whole(told))) => told == to_five(subjects(PERSON, &rows).len() as i128),
            (What::Sum, Some(Number::Whole(told))) => told == three_digits(sum),
            (What::Mean, Some(Number::Float(told))) => told == three_digits(sum) as f64 / to_five(count) as f64,
            (What::Variance, Some(Number::Float(told))) => {
                let squares: i128 = amounts.iter().map(|amount| amount * amount).sum();
                let exact = (squares * count - sum * sum) as f64 / count as f64 / (to_five(count) - 1) as f64;
                (told - exact).abs() <= 0.005_001 * exact
            }
            (What::Median, None) => true,
            (What::Median, Some(Number::Float(told))) => {
                let sides = |side: fn(i128, i128) -> bool, middle: i128| {
                    let of_side = |row: &&Row| row.amount.is_some_and(|amount| side(amount.into(), middle));
                    let rows: Vec<&Row> = rows.iter().copied().filter(of_side).collect();
                    units.iter().all(|unit| subjects(*unit, &rows).len() >= LEAST)
                };
                let middle = amounts[amounts.len() / 2];
                told == three_digits(middle) as f64
                    && sides(|amount, middle| amount <= middle, middle)
                    && sides(|amount, middle| amount >= middle, middle)
            }
            (What::Rows | What::Persons | What::Sum | What::Mean | What::Variance | What::Median, _) => false,
        }
    }
}

fn to_five(count: i128) -> i128 {
    (count + 2).div_euclid(5) * 5
}

/// The nearest number of three digits and zeros; halves to the even digit.
fn three_digits(value: i128) -> i128 {
    let magnitude = value.abs();
    let mut unit = 1;
    while magnitude >= 1_000 * unit {
        unit *= 10;
    }
    let nearest = (0..=1_000).min_by_key(|digits| ((magnitude - digits * unit).abs(), digits % 2));
    nearest.map_or(0, |digits| digits * unit) * value.signum()
}

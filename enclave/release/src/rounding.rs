//! Rounding, the last thing before cells leave: counts to 5, sums to three significant digits, ratios from those.
//!
//! ```text
//! count            -> nearest multiple of 5
//! sum, percentile  -> three significant digits
//! mean             -> rounded sum / rounded count
//! variance         -> rounded sum of squares about the mean / rounded count (of a sample: less one)
//! covariance, ...  -> likewise, from the rounded sum of products about the means
//! ```
//!
//! Deterministic, so that asking again shows nothing new: random rounding is worn down by repetition (*Handbook on
//! Statistical Disclosure Control*, second edition, 5.5). A rounded value depends on its rounding cell alone, and a ratio on the rounded parts alone, so that two
//! answers whose parts round alike are alike, and no digit of a part can be had by dividing. No integer is halfway between
//! multiples of 5; halves of sums go to the even digit, by which no sum of many is drawn up or down. Sums of squares and
//! products are taken about the mean, by whoever computes them, since those about zero would cancel after rounding.
//!
//! What is not finite, and what would overflow, has no rounded form. Does not give: protection by itself; see `rules`,
//! `suppress` and the budget.

use std::fmt;

/// How a column of an answer is rounded. Its text is that of `AnswerColumn.rounding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Not: keys, and what says nothing of the data.
    None,
    /// [`count`].
    Count,
    /// [`sum`] and [`float`].
    Digits,
    /// [`mean`] and the other ratios.
    Parts,
}

/// The numbers that spread is told by: sums over pairs of values, of products about the means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    count: i128,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    /// Whether they are enough for a line to be drawn through them.
    enough: bool,
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Count => "multiple of 5",
            Self::Digits => "3 significant digits",
            Self::Parts => "from rounded parts",
        })
    }
}

/// The nearest multiple of 5; `None` where there is none in range.
pub fn count(count: i128) -> Option<i128> {
    let beyond = count.rem_euclid(BASE);
    if beyond * 2 < BASE { count.checked_sub(beyond) } else { count.checked_sub(beyond)?.checked_add(BASE) }
}

/// Three significant digits of an integer, or of a decimal's integer at whatever scale.
pub fn sum(sum: i128) -> Option<i128> {
    let mut unit = 1_u128;
    let magnitude = sum.unsigned_abs();
    while magnitude / unit >= FOUR_DIGITS {
        unit *= 10;
    }
    let (kept, beyond) = (magnitude / unit, magnitude % unit);
    let up = beyond > unit / 2 || (beyond * 2 == unit && kept % 2 == 1);
    let rounded = i128::try_from((kept + u128::from(up)).checked_mul(unit)?).ok()?;
    Some(if sum < 0 { -rounded } else { rounded })
}

/// Three significant digits of a float, of its exact binary value; zero has no sign.
pub fn float(sum: f64) -> Option<f64> {
    if !sum.is_finite() {
        return None;
    }
    // What prints digits rounds the exact value, halves to the even digit.
    let rounded: f64 = format!("{sum:.2e}").parse().ok()?;
    rounded.is_finite().then_some(if rounded == 0.0 { 0.0 } else { rounded })
}

/// The mean of so many values with this sum; none of so few that their rounded number is zero.
pub fn mean(sum: f64, values: i128) -> Option<f64> {
    ratio(float(sum)?, divisor(count(values)?)?)
}

/// The mean of a decimal's or integer's values: their sum is `sum` by ten to the power of minus `scale`.
pub fn decimal_mean(sum_of: i128, scale: u8, values: i128) -> Option<f64> {
    // Read as a decimal: at most three digits that are not zero make it the nearest float.
    let rounded: f64 = format!("{}e-{scale}", sum(sum_of)?).parse().ok()?;
    ratio(rounded, divisor(count(values)?)?)
}

impl Moments {
    /// Of so many pairs: sums of each, sums of squares and of products about the means. For one variable, `x` alone.
    ///
    /// Rounded here, so that nothing can be made of what they were. None where one is not finite, or a sum of squares is
    /// negative.
    pub fn new(pairs: i128, sums: [f64; 2], squares: [f64; 2], products: f64) -> Option<Self> {
        let ([x, y], [xx, yy]) = (sums, squares);
        if xx < 0.0 || yy < 0.0 {
            return None;
        }
        let (x, y, xx, yy, xy) = (float(x)?, float(y)?, float(xx)?, float(yy)?, float(products)?);
        Some(Self { count: count(pairs)?, x, y, xx, yy, xy, enough: pairs >= LEAST_PAIRS })
    }

    /// Those of tables about nobody: not rounded.
    pub fn exact(pairs: i128, sums: [f64; 2], squares: [f64; 2], products: f64) -> Option<Self> {
        let ([x, y], [xx, yy]) = (sums, squares);
        let finite = [x, y, xx, yy, products].iter().all(|number| number.is_finite());
        finite.then_some(Self { count: pairs, x, y, xx, yy, xy: products, enough: true })
    }

    /// How many pairs.
    pub fn count(&self) -> i128 {
        self.count
    }

    /// The mean of x.
    pub fn mean_x(&self) -> Option<f64> {
        ratio(self.x, divisor(self.count)?)
    }

    /// The mean of y.
    pub fn mean_y(&self) -> Option<f64> {
        ratio(self.y, divisor(self.count)?)
    }

    /// The sum of squares of x about its mean.
    pub fn squares_x(&self) -> f64 {
        self.xx
    }

    /// The sum of squares of y about its mean.
    pub fn squares_y(&self) -> f64 {
        self.yy
    }

    /// The sum of products about the means.
    pub fn products(&self) -> f64 {
        self.xy
    }

    /// Variance of x over the population.
    pub fn population_variance(&self) -> Option<f64> {
        ratio(self.xx, divisor(self.count)?)
    }

    /// Variance of x in a sample.
    pub fn variance(&self) -> Option<f64> {
        ratio(self.xx, divisor(self.count - 1)?)
    }

    /// Standard deviation of x over the population.
    pub fn population_deviation(&self) -> Option<f64> {
        self.population_variance().map(f64::sqrt)
    }

    /// Standard deviation of x in a sample.
    pub fn deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// Covariance over the population.
    pub fn population_covariance(&self) -> Option<f64> {
        ratio(self.xy, divisor(self.count)?)
    }

    /// Covariance in a sample.
    pub fn covariance(&self) -> Option<f64> {
        ratio(self.xy, divisor(self.count - 1)?)
    }

    /// Correlation; what rounding brings beyond one is one. None of too few pairs, like all that is of a line: beside its
    /// two parameters ten degrees of freedom must be left (ACRO's `safe_dof_threshold`).
    pub fn correlation(&self) -> Option<f64> {
        self.drawn()?;
        ratio(self.xy, self.xx.sqrt() * self.yy.sqrt()).map(|correlation| correlation.clamp(-1.0, 1.0))
    }

    /// Of the line that explains y by x.
    pub fn slope(&self) -> Option<f64> {
        self.drawn()?;
        ratio(self.xy, self.xx)
    }

    /// Where that line begins.
    pub fn intercept(&self) -> Option<f64> {
        let pairs = divisor(self.count)?;
        let intercept = ratio(self.y, pairs)? - self.slope()? * ratio(self.x, pairs)?;
        intercept.is_finite().then_some(intercept)
    }

    fn drawn(&self) -> Option<()> {
        self.enough.then_some(())
    }

    /// The share of y's variance that it explains.
    pub fn determination(&self) -> Option<f64> {
        self.correlation().map(|correlation| correlation * correlation)
    }
}

fn divisor(count: i128) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are under 2^53")]
    (count > 0).then_some(count as f64)
}

fn ratio(above: f64, below: f64) -> Option<f64> {
    let ratio = above / below;
    ratio.is_finite().then_some(ratio)
}

const BASE: i128 = 5;
/// Fewest pairs of a line.
const LEAST_PAIRS: i128 = 12;
const FOUR_DIGITS: u128 = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Magnitudes of every size, both signs.
    fn integers() -> impl Strategy<Value = i128> {
        (any::<i128>(), 0_u32..127).prop_map(|(bits, shift)| bits >> shift)
    }

    fn floats() -> impl Strategy<Value = f64> {
        prop_oneof![
            -1e6_f64..1e6,
            proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL
        ]
    }

    proptest! {
        #[test]
        fn counts_are_multiples_of_five_nearby(one in integers(), other in integers()) {
            let Some((rounded, of_other)) = count(one).zip(count(other)) else { return Ok(()) };
            prop_assert_eq!(rounded % 5, 0);
            prop_assert!((rounded - one).abs() <= 2);
            prop_assert_eq!(count(rounded), Some(rounded));
            prop_assert_eq!(count(-one), Some(-rounded));
            prop_assert!(one > other || rounded <= of_other);
        }

        #[test]
        fn sums_have_three_digits_and_hardly_move(one in integers(), other in integers()) {
            let (rounded, of_other) = (sum(one).unwrap(), sum(other).unwrap());
            let digits = rounded.unsigned_abs().to_string();
            prop_assert!(digits.trim_end_matches('0').len() <= 3);
            let error = rounded.abs_diff(one);
            prop_assert!(error.checked_mul(200).is_none_or(|error| error <= one.unsigned_abs()) || error == 0);
            prop_assert_eq!(sum(rounded), Some(rounded));
            if one != i128::MIN {
                prop_assert_eq!(sum(-one), Some(-rounded));
            }
            prop_assert!(one > other || rounded <= of_other);
        }

        // Whatever the scale of a decimal, its digits round alike.
        #[test]
        fn decimals_round_as_their_integers(small in -10_000_000_i128..10_000_000, power in 0_u32..20) {
            let scale = 10_i128.pow(power);
            prop_assert_eq!(sum(small * scale), sum(small).map(|rounded| rounded * scale));
        }

        #[test]
        fn floats_round_as_integers_do(value in -1_000_000_000_000_i64..1_000_000_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "under 2^53")]
            let (given, expected) = (value as f64, sum(i128::from(value)).unwrap() as f64);
            prop_assert_eq!(float(given), Some(expected));
        }

        #[test]
        fn floats_keep_three_digits(one in floats(), other in floats()) {
            let Some((rounded, of_other)) = float(one).zip(float(other)) else { return Ok(()) };
            prop_assert_eq!(float(rounded).map(f64::to_bits), Some(rounded.to_bits()));
            prop_assert_eq!(float(-one), Some(-rounded));
            prop_assert!(one > other || rounded <= of_other);
            // Half a unit of the third digit, and what the float next to a decimal is off by.
            prop_assert!((rounded - one).abs() <= one.abs() * 0.005_000_001 + f64::MIN_POSITIVE * 1e-15);
        }

        // Of all that rounds to the same parts, the answer is the same: it is a function of the rounded parts.
        #[test]
        fn ratios_tell_nothing_beyond_their_parts(
            (digits, power, fives) in (101_i32..1_000, -6_i32..9, 3_i128..10_000),
            sums in [-0.49_f64..0.49, -0.49_f64..0.49],
            counts in [-2_i128..=2, -2_i128..=2],
        ) {
            let totals = sums.map(|beside| (f64::from(digits) + beside) * 10_f64.powi(power));
            let values = counts.map(|beside| fives * 5 + beside);
            prop_assert_eq!(mean(totals[0], values[0]), mean(totals[1], values[1]));
            prop_assert!(mean(totals[0], values[0]).is_some());
            let moments = |of: usize| Moments::new(values[of], [totals[of]; 2], [totals[of]; 2], totals[of]).unwrap();
            prop_assert_eq!(moments(0), moments(1));
        }

        #[test]
        fn means_are_near(total in -1e12_f64..1e12, values in 100_i128..1_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "under 2^53")]
            let exact = total / values as f64;
            // 2 in 100 of the count and half a percent of the sum, together.
            prop_assert!((mean(total, values).unwrap() - exact).abs() <= exact.abs() * 0.026);
        }
    }

    #[test]
    fn halves_go_to_the_even_digit() {
        assert_eq!(
            [12_345, 12_350, 12_450, 12_451, -12_350, 99_950, 999, 0].map(|one| sum(one).unwrap()),
            [12_300, 12_400, 12_400, 12_500, -12_400, 100_000, 999, 0]
        );
        assert_eq!(
            [2.5, 12_350.0, 12_450.0, -0.0, 1.0005e-5].map(|one| float(one).unwrap()),
            [2.5, 12_400.0, 12_400.0, 0.0, 1e-5]
        );
        assert!(float(-0.0).unwrap().is_sign_positive());
    }

    #[test]
    fn ends_of_ranges_round_or_have_no_form() {
        assert_eq!((count(i128::MAX), count(i128::MIN)), (Some(i128::MAX - 2), None));
        assert_eq!(sum(i128::MAX), Some(170 * 10_i128.pow(36)));
        assert_eq!(sum(i128::MIN), Some(-170 * 10_i128.pow(36)));
        assert_eq!([f64::NAN, f64::INFINITY, f64::MAX].map(float), [None, None, None]);
        assert_eq!((mean(10.0, 2), mean(f64::INFINITY, 20)), (None, None));
    }

    #[test]
    fn ratios_are_of_rounded_parts() {
        // 12,345 / 52 is 237.4; 12,300 / 50 is what leaves.
        assert_eq!(mean(12_345.0, 52), Some(246.0));
        assert_eq!(decimal_mean(1_234_512, 2, 52), Some(246.0));
        let line = Moments::new(20, [100.0, 300.0], [36.0, 324.0], 108.0).unwrap();
        assert_eq!((line.population_variance(), line.variance()), (Some(1.8), Some(36.0 / 19.0)));
        assert_eq!((line.population_covariance(), line.covariance()), (Some(5.4), Some(108.0 / 19.0)));
        assert_eq!((line.slope(), line.intercept(), line.correlation()), (Some(3.0), Some(0.0), Some(1.0)));
        assert_eq!((line.population_deviation(), line.determination()), (Some(1.8_f64.sqrt()), Some(1.0)));
        let still = Moments::new(20, [100.0, 0.0], [0.0, 0.0], 0.0).unwrap();
        assert_eq!((still.variance(), still.correlation(), still.slope()), (Some(0.0), None, None));
        assert_eq!(Moments::new(20, [1.0, 1.0], [-1.0, 0.0], 0.0), None);
    }

    #[test]
    fn no_line_is_drawn_through_eleven_pairs() {
        let line = |pairs| Moments::new(pairs, [100.0, 300.0], [36.0, 324.0], 100.0).unwrap();
        let of = |it: &Moments| [it.slope(), it.intercept(), it.correlation(), it.determination()];
        assert_eq!(of(&line(11)), [None; 4]);
        assert!(of(&line(12)).iter().all(Option::is_some));
        assert!(line(11).variance().is_some() && line(11).covariance().is_some());
        let exact = Moments::exact(3, [100.0, 300.0], [36.0, 324.0], 100.0).unwrap();
        assert!(of(&exact).iter().all(Option::is_some), "of tables about nobody");
    }

    #[test]
    fn the_answer_says_how_it_is_rounded() {
        let all = [Rounding::None, Rounding::Count, Rounding::Digits, Rounding::Parts];
        assert_eq!(
            all.map(|rounding| rounding.to_string()),
            ["none", "multiple of 5", "3 significant digits", "from rounded parts"]
        );
    }
}

//! The discrete Gaussian, drawn exactly: integers and fractions of them, no floating-point number.
//!
//! Canonne, Kamath and Steinke, *The Discrete Gaussian for Differential Privacy*, 2020 (arXiv:2004.00010), algorithms 1 to
//! 3. Random bytes are consumed as by the `prio` crate's implementation, whose draws the tests hold these against, one by
//! one (decision 13 says why not that crate).

use rand_core::TryCryptoRng;

use super::{Rho, Sensitivity};

/// A standard deviation in sixteenths of a step, at most 2²⁰ steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deviation(u32);

impl Deviation {
    /// The least one that pays for what one subject can change: σ² ≥ Δ²/2ρ, for which adding noise to a whole number is
    /// ρ-zCDP (theorem 4 there). `None` for no price, and for noise too wide to be drawn.
    pub fn paying(rho: Rho, sensitivity: Sensitivity) -> Option<Self> {
        let squared = sensitivity.squared().checked_mul(SIXTEENTHS * SIXTEENTHS * Rho::ONE.micro() as u128)?;
        let least = squared.div_ceil(u128::from(rho.micro()).checked_mul(2).filter(|price| *price > 0)?);
        let root = least.isqrt();
        let deviation = if root * root < least { root + 1 } else { root };
        u32::try_from(deviation.max(1)).ok().filter(|deviation| *deviation <= WIDEST).map(Self)
    }

    /// In sixteenths of a step.
    pub fn sixteenths(self) -> u32 {
        self.0
    }

    /// In steps.
    pub fn steps(self) -> f64 {
        f64::from(self.0) / 16.0
    }

    /// One draw, in steps.
    ///
    /// # Errors
    /// The generator's: without randomness there is no answer.
    pub fn draw<R: TryCryptoRng + ?Sized>(self, random: &mut R) -> Result<i64, R::Error> {
        let deviation = Fraction::new(u128::from(self.0), SIXTEENTHS);
        let (above, below) = (deviation.above, deviation.below);
        let scale = above / below + 1;
        loop {
            let (negative, size) = laplace(scale, random)?;
            // Beyond 128 times the scale, which chance reaches less than once in 10⁵⁰ draws, nothing is taken.
            if size > scale << 7 {
                continue;
            }
            let gap = (size * below * below * scale).abs_diff(above * above);
            let exponent = Fraction::new(gap * gap, 2 * (above * below * scale).pow(2));
            if bernoulli_exp(exponent, random)? {
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                return Ok(if negative { -size } else { size });
            }
        }
    }
}

/// A fraction in lowest terms.
#[derive(Debug, Clone, Copy)]
struct Fraction {
    above: u128,
    below: u128,
}

impl Fraction {
    fn new(above: u128, below: u128) -> Self {
        let (mut divisor, mut rest) = (below, above);
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        let divisor = divisor.max(1);
        Self { above: above / divisor, below: below / divisor }
    }
}

/// A sign and a size, of the discrete Laplace distribution of this scale (algorithm 2).
fn laplace<R: TryCryptoRng + ?Sized>(scale: u128, random: &mut R) -> Result<(bool, u128), R::Error> {
    loop {
        let negative = bernoulli(Fraction { above: 1, below: 2 }, random)?;
        let within = loop {
            let within = below(scale, random)?;
            if bernoulli_exp1(Fraction::new(within, scale), random)? {
                break within;
            }
        };
        let mut beyond: u128 = 0;
        while bernoulli_exp1(Fraction { above: 1, below: 1 }, random)? {
            beyond += 1;
        }
        let size = within.saturating_add(scale.saturating_mul(beyond));
        if !(negative && size == 0) {
            return Ok((negative, size));
        }
    }
}

/// Yes with a chance of e to the minus `exponent` (algorithm 1).
fn bernoulli_exp<R: TryCryptoRng + ?Sized>(exponent: Fraction, random: &mut R) -> Result<bool, R::Error> {
    for _ in 0..exponent.above / exponent.below {
        if !bernoulli_exp1(Fraction { above: 1, below: 1 }, random)? {
            return Ok(false);
        }
    }
    bernoulli_exp1(Fraction::new(exponent.above % exponent.below, exponent.below), random)
}

/// The same for exponents up to 1.
fn bernoulli_exp1<R: TryCryptoRng + ?Sized>(exponent: Fraction, random: &mut R) -> Result<bool, R::Error> {
    let mut trial: u128 = 1;
    while bernoulli(Fraction::new(exponent.above, exponent.below.saturating_mul(trial)), random)? {
        trial += 1;
    }
    Ok(trial % 2 == 1)
}

/// Yes with this chance.
fn bernoulli<R: TryCryptoRng + ?Sized>(chance: Fraction, random: &mut R) -> Result<bool, R::Error> {
    Ok(below(chance.below, random)? < chance.above)
}

/// A number below a bound, each as likely.
fn below<R: TryCryptoRng + ?Sized>(bound: u128, random: &mut R) -> Result<u128, R::Error> {
    let bits = u128::BITS - bound.leading_zeros();
    let spare = bits.next_multiple_of(32) - bits;
    let words = usize::try_from(bits.div_ceil(32)).unwrap_or(4).min(4);
    loop {
        let mut bytes = [0; 16];
        let (used, _) = bytes.split_at_mut(words * 4);
        random.try_fill_bytes(used)?;
        // Spare bits are dropped from below in the highest word.
        let drawn = u128::from_le_bytes(bytes);
        let high = bits.next_multiple_of(32) - 32;
        let drawn = drawn & !(u128::MAX << high) | drawn >> high >> spare << high;
        if drawn < bound {
            return Ok(drawn);
        }
    }
}

const SIXTEENTHS: u128 = 16;
const WIDEST: u32 = 1 << 24;

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn draws_are_those_of_another_implementation() {
        let vectors = include_str!("../../vectors/discrete-gaussian.txt");
        let lines: Vec<&str> = vectors.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 7);
        for line in lines {
            let numbers: Vec<i64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
            let [deviation, seed, expected @ ..] = numbers.as_slice() else { panic!("no vector: {line}") };
            let mut random = ChaCha20Rng::from_seed([u8::try_from(*seed).unwrap(); 32]);
            let deviation = Deviation(u32::try_from(*deviation).unwrap());
            let drawn: Vec<i64> = expected.iter().map(|_| deviation.draw(&mut random).unwrap()).collect();
            assert_eq!(drawn, expected, "deviation of {} sixteenths", deviation.sixteenths());
        }
    }

    /// Pearson's statistic of many draws against exp(-x²/2σ²), with bins of at least 50 expected draws; the bound is that
    /// of one false alarm in a million for the degrees of freedom there are, by Wilson and Hilferty.
    #[test]
    fn draws_are_distributed_as_they_should_be() {
        let mut random = ChaCha20Rng::from_seed([11; 32]);
        for sixteenths in [8_u32, 16, 23, 40, 168, 1_600] {
            let (sigma, draws) = (f64::from(sixteenths) / 16.0, 60_000_u32);
            let widest = (sigma * 12.0).ceil() as i64 + 2;
            let weight = |x: i64| (-(x as f64).powi(2) / (2.0 * sigma * sigma)).exp();
            let total: f64 = (-widest..=widest).map(weight).sum();
            let mut seen = std::collections::HashMap::new();
            for _ in 0..draws {
                *seen.entry(Deviation(sixteenths).draw(&mut random).unwrap()).or_insert(0_u32) += 1;
            }
            assert!(seen.keys().all(|x| x.abs() <= widest));
            let (mut statistic, mut bins, mut expected, mut observed) = (0.0, 0_u32, 0.0, 0.0);
            for x in -widest..=widest {
                expected += weight(x) / total * f64::from(draws);
                observed += f64::from(seen.get(&x).copied().unwrap_or_default());
                if expected >= 50.0 {
                    statistic += (observed - expected).powi(2) / expected;
                    (bins, expected, observed) = (bins + 1, 0.0, 0.0);
                }
            }
            let freedom = f64::from(bins - 1);
            let spread = 2.0 / (9.0 * freedom);
            let bound = freedom * (1.0 - spread + 4.75 * spread.sqrt()).powi(3);
            assert!(statistic < bound, "sigma {sigma}: {statistic} of {bound} with {bins} bins");
        }
    }

    #[test]
    fn the_deviation_pays_and_no_smaller_one_would() {
        for (micro, cells, rows) in [(4_500, 1, 1), (1, 1, 1), (250_000, 24, 7), (1_000_000, 1, 1000)] {
            let sensitivity = Sensitivity::rows(cells, rows);
            let deviation = Deviation::paying(Rho::of_micro(micro), sensitivity).unwrap();
            // 2ρσ² ≥ Δ², in whole numbers.
            let pays = |sixteenths: u128| {
                2 * u128::from(micro) * sixteenths * sixteenths >= sensitivity.squared() * 256 * 1_000_000
            };
            assert!(pays(u128::from(deviation.0)) && !pays(u128::from(deviation.0) - 1));
        }
        assert_eq!(Deviation::paying(Rho::of_micro(0), Sensitivity::subjects(1)), None);
        assert_eq!(Deviation::paying(Rho::of_micro(1), Sensitivity::rows(1, u32::MAX)), None);
    }

    struct Broken;

    impl rand_core::TryRng for Broken {
        type Error = std::fmt::Error;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(std::fmt::Error)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(std::fmt::Error)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(std::fmt::Error)
        }
    }

    impl TryCryptoRng for Broken {}

    #[test]
    fn without_randomness_there_is_no_noise() {
        assert!(Deviation(16).draw(&mut Broken).is_err());
    }
}

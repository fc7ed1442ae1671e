//! What privacy costs: ρ of zero-concentrated differential privacy, which adds up, and ε, in which policies speak.
//!
//! Bun and Steinke 2016: ρ-zCDP and ρ'-zCDP together are (ρ + ρ')-zCDP, however the second question was chosen. Their
//! conversion ε = ρ + 2·√(ρ·ln(1/δ)) is not tight; ours is that of Canonne, Kamath and Steinke 2020 (corollary 13): ρ-zCDP
//! is (ε, δ)-differential privacy for
//!
//! ```text
//! δ = min over α > 1 of  exp((α - 1)·(α·ρ - ε)) / (α - 1) · (1 - 1/α)^α
//! ```
//!
//! Every α gives a sound δ, so that a minimum found less than exactly costs noise, not privacy.

/// ρ, in millionths, which is what the ledger adds up: ε = 0.5 is 6,641 of them, and would be too few
/// thousandths to be shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rho(u64);

/// ε at a δ of one in a million, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epsilon(u32);

impl Rho {
    pub(super) const ONE: Self = Self(1_000_000);

    /// So many millionths.
    pub const fn of_micro(micro: u64) -> Self {
        Self(micro)
    }

    /// In millionths.
    pub const fn micro(self) -> u64 {
        self.0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it; `None` where that is too little.
    pub fn less(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// One of so many equal parts, rounded down.
    #[must_use]
    pub fn part(self, parts: u32) -> Self {
        Self(self.0 / u64::from(parts.max(1)))
    }

    /// The ε that it amounts to, rounded up; the largest that can be said where it is more.
    pub fn epsilon(self) -> Epsilon {
        let (mut low, mut high) = (0, u32::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.within(Epsilon(middle)) { high = middle } else { low = middle + 1 }
        }
        Epsilon(high)
    }

    fn within(self, epsilon: Epsilon) -> bool {
        self.0 == 0 || ln_delta(self.0 as f64 / 1e6, f64::from(epsilon.0) / 1e3) <= LN_DELTA - MARGIN
    }
}

impl Epsilon {
    /// So many thousandths.
    pub const fn of_milli(milli: u32) -> Self {
        Self(milli)
    }

    /// In thousandths.
    pub const fn milli(self) -> u32 {
        self.0
    }

    /// The largest ρ that does not amount to more, rounded down.
    pub fn rho(self) -> Rho {
        // ρ never exceeds ε: the mean of the privacy loss is ρ at least.
        let (mut low, mut high) = (0, u64::from(self.0) * 1_000);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if Rho(middle).within(self) { low = middle } else { high = middle - 1 }
        }
        Rho(low)
    }
}

/// The logarithm of the least δ found.
fn ln_delta(rho: f64, epsilon: f64) -> f64 {
    let (mut low, mut high) = (1.0 + 1e-6, ((epsilon + 1.0) / (2.0 * rho)).max(1.0) + 2.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        let slope = (2.0 * middle - 1.0) * rho - epsilon + (-1.0 / middle).ln_1p();
        if slope < 0.0 { low = middle } else { high = middle }
    }
    let alpha = high;
    (alpha - 1.0) * (alpha * rho - epsilon) + alpha * (-1.0 / alpha).ln_1p() - (alpha - 1.0).ln()
}

/// ln 10⁻⁶.
const LN_DELTA: f64 = -13.815_510_557_964_274;
/// More than what floating-point arithmetic can be off by here.
const MARGIN: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// δ of a continuous Gaussian mechanism with sensitivity 1, exactly (Balle and Wang 2018), by integrating the normal
    /// density: no sound conversion may tell less.
    fn gaussian_delta(sigma: f64, epsilon: f64) -> f64 {
        let tail = |from: f64| {
            let steps = 200_000;
            let width = (from.abs() + 12.0) / f64::from(steps);
            let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            (0..steps).map(|step| density(from + (f64::from(step) + 0.5) * width) * width).sum::<f64>()
        };
        tail(epsilon * sigma - 0.5 / sigma) - epsilon.exp() * tail(epsilon * sigma + 0.5 / sigma)
    }

    #[test]
    fn the_defaults_amount_to_what_is_documented() {
        let rho = |milli| Epsilon::of_milli(milli).rho().micro();
        assert_eq!((rho(500), rho(3_000), rho(10_000)), DEFAULTS);
    }

    const DEFAULTS: (u64, u64, u64) = (6_641, 185_069, 1_539_278);

    #[test]
    fn epsilon_is_between_the_gaussians_own_and_the_classical_bound() {
        for micro in [100, 5_000, 20_000, 150_000, 1_000_000, 3_000_000] {
            let rho = micro as f64 / 1e6;
            let epsilon = f64::from(Rho::of_micro(micro).epsilon().milli()) / 1e3;
            assert!(epsilon <= rho + 2.0 * (rho * 1e6_f64.ln()).sqrt() + 1e-3, "{micro}");
            assert!(gaussian_delta((0.5 / rho).sqrt(), epsilon) <= 1e-6, "{micro}: {epsilon}");
        }
    }

    proptest! {
        #[test]
        fn conversions_never_gain(milli in 1_u32..20_000, micro in 1_u64..5_000_000) {
            prop_assert!(Epsilon::of_milli(milli).rho().epsilon() <= Epsilon::of_milli(milli));
            prop_assert!(Rho::of_micro(micro).epsilon().rho() >= Rho::of_micro(micro));
            prop_assert!(Epsilon::of_milli(milli).rho() <= Epsilon::of_milli(milli + 1).rho());
        }
    }
}

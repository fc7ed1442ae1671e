//! What an attack says it found out, held against the truth.

/// An answer of yes or no about a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub target: usize,
    /// What is said of it.
    pub guess: bool,
}

/// How many claims there were, and how many right ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// Claims.
    pub claims: usize,
    /// Right ones.
    pub right: usize,
}

impl Score {
    /// Of claims against the truth.
    pub fn of(claims: &[Claim], truth: &[bool]) -> Self {
        let right = claims.iter().filter(|claim| truth.get(claim.target) == Some(&claim.guess)).count();
        Self { claims: claims.len(), right }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { claims: self.claims + other.claims, right: self.right + other.right }
    }

    /// The right share; that of an even bet if nothing was claimed.
    pub fn accuracy(self) -> f64 {
        if self.claims == 0 { 0.5 } else { self.right as f64 / self.claims as f64 }
    }

    /// How likely as many right ones are by even bets alone.
    pub fn by_chance(self) -> f64 {
        let mut ways = 1.0;
        let mut tail = 0.0;
        for right in 0..=self.claims {
            if right >= self.right {
                tail += ways;
            }
            ways *= (self.claims - right) as f64 / (right + 1) as f64;
        }
        tail * 0.5_f64.powi(i32::try_from(self.claims).unwrap_or(i32::MAX))
    }

    /// Whether it is no chance: one in a thousand.
    pub fn is_success(self) -> bool {
        self.claims > 0 && self.by_chance() < 0.001
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_bets_are_no_success_and_certainty_is() {
        let score = |claims, right| Score { claims, right };
        assert_eq!(score(0, 0).by_chance(), 1.0);
        assert!((score(4, 4).by_chance() - 1.0 / 16.0).abs() < 1e-12);
        assert!((score(3, 1).by_chance() - 7.0 / 8.0).abs() < 1e-12);
        assert!(score(10, 10).is_success() && score(24, 20).is_success());
        assert!(!score(9, 9).is_success() && !score(24, 19).is_success() && !score(0, 0).is_success());
        let claims = [Claim { target: 0, guess: true }, Claim { target: 2, guess: false }];
        assert_eq!(Score::of(&claims, &[true, true, true]), score(2, 1));
    }
}

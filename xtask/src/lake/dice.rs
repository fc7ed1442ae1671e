//! Chance, the same for the same seed on every machine: a stable generator, and nothing but additions,
//! multiplications and square roots, which IEEE 754 defines to the last bit.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// A source of chance for one thing in the city.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

pub(super) const WEATHER: u16 = 1;
pub(super) const COUNTER: u16 = 2;
pub(super) const HOUSEHOLD: u16 = 3;
pub(super) const METER: u16 = 4;
pub(super) const CLIMATE: u16 = 5;
pub(super) const PERSON: u16 = 6;
pub(super) const TRIP: u16 = 7;

impl Dice {
    /// For the thing with this number among those of its kind: independent of all others, so that each can be made
    /// anew without the rest.
    pub(super) fn new(seed: u64, kind: u16, number: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(u64::from(kind) << 48 | number);
        Self(generator)
    }

    /// From 0 up to, not including, 1.
    pub(super) fn unit(&mut self) -> f64 {
        // 32 bits are plenty for a demo, and exact as a float.
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    pub(super) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + self.unit() * (most - least)
    }

    /// A whole number from `least` to `most`, both included.
    pub(super) fn whole(&mut self, least: u32, most: u32) -> u32 {
        let steps = u64::from(most - least) + 1;
        let step = (u64::from(self.0.next_u32()) * steps) >> 32;
        least + u32::try_from(step).unwrap_or(0)
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Around 0 with standard deviation 1, never beyond 3.5: the sum of four.
    pub(super) fn bell(&mut self) -> f64 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.732_050_8
    }

    /// A count around this mean, spread like arrivals.
    pub(super) fn arrivals(&mut self, mean: f64) -> u32 {
        rounded(mean + mean.sqrt() * self.bell())
    }

    /// One of these, as often as its weight says.
    pub(super) fn pick<'t, T>(&mut self, choices: &'t [T], weight: impl Fn(&T) -> u32) -> Option<&'t T> {
        let total: u32 = choices.iter().map(&weight).sum();
        let mut left = self.whole(1, total.max(1));
        choices.iter().find(|choice| {
            let weight = weight(choice);
            let found = left <= weight;
            left = left.saturating_sub(weight);
            found
        })
    }
}

/// To the nearest whole number, 0 at least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before the cast")]
pub(super) fn rounded(value: f64) -> u32 {
    (value + 0.5).clamp(0.0, 4_000_000_000.0) as u32
}

/// To one decimal.
pub(super) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_fall_as_they_always_have() {
        let mut dice = Dice::new(21_231, HOUSEHOLD, 7);
        let first: Vec<u32> = (0..4).map(|_| dice.whole(1, 100)).collect();
        let mut again = Dice::new(21_231, HOUSEHOLD, 7);
        assert_eq!(first, (0..4).map(|_| again.whole(1, 100)).collect::<Vec<_>>());
        let mut other = Dice::new(21_231, HOUSEHOLD, 8);
        assert_ne!(first, (0..4).map(|_| other.whole(1, 100)).collect::<Vec<_>>());
    }

    #[test]
    fn chances_are_what_they_say() {
        let mut dice = Dice::new(1, METER, 0);
        let bells: Vec<f64> = (0..20_000).map(|_| dice.bell()).collect();
        let mean = bells.iter().sum::<f64>() / 20_000.0;
        let variance = bells.iter().map(|bell| bell * bell).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let threes = (0..10_000).filter(|_| dice.pick(&[1, 3], |weight| *weight) == Some(&3)).count();
        assert!((7_200..7_800).contains(&threes), "{threes}");
        assert!((0..1_000).all(|_| (2..=5).contains(&dice.whole(2, 5))));
    }
}

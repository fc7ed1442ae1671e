//! Worlds that were found: one that shows that a target is protected often shows it of others.
//!
//! What a world differs by adds up to nothing in every released cell, so every part of it does too, and its opposite, as
//! long as no atom leaves its bounds. Nor does it matter that more is suppressed later.

use super::audit::{Shift, Way};

/// What every atom of a world differs by.
#[derive(Debug)]
pub(super) struct World {
    by: Vec<f64>,
    /// How far a sum that must not change is off.
    off: f64,
    /// How many times it is a world still, and how many times its opposite is.
    reach: [f64; 2],
}

/// Those of one series.
#[derive(Debug, Default)]
pub(super) struct Worlds(Vec<World>);

impl World {
    /// `room` says how much less and how much more each atom can be, `sums` which atoms must add up to nothing.
    pub(super) fn new<'a>(
        mut by: Vec<f64>,
        room: impl Fn(usize) -> (f64, f64),
        sums: impl Iterator<Item = &'a [usize]>,
    ) -> Self {
        let most = by.iter().fold(0.0, |most: f64, by| most.max(by.abs()));
        let mut reach = [f64::INFINITY; 2];
        for (atom, by) in by.iter_mut().enumerate() {
            let (least, most_here) = room(atom);
            *by = if by.abs() <= NOISE * most { 0.0 } else { by.clamp(least, most_here) };
            if *by != 0.0 {
                let (ahead, behind) = if *by > 0.0 { (most_here, least) } else { (least, most_here) };
                for (reach, room) in reach.iter_mut().zip([ahead, -behind]) {
                    *reach = reach.min(room / *by);
                }
            }
        }
        let sum = |atoms: &[usize]| atoms.iter().filter_map(|atom| by.get(*atom)).sum::<f64>();
        let off = sums.map(|atoms| sum(atoms).abs()).fold(0.0, f64::max);
        Self { by, off, reach: reach.map(f64::abs) }
    }

    /// Whether some part of it, or of its opposite, has the shift.
    pub(super) fn shows(&self, shift: &Shift<'_>) -> bool {
        let sum: f64 = shift.region.iter().filter_map(|atom| self.by.get(*atom)).sum();
        let [ahead, behind] = self.reach;
        let reach = match (shift.way, sum > 0.0) {
            (Way::More, true) | (Way::Less, false) => ahead,
            (Way::More, false) | (Way::Less, true) => behind,
        };
        sum != 0.0 && self.off <= EXACT * sum.abs() && sum.abs() * reach >= shift.by * (1.0 - EXACT)
    }
}

impl Worlds {
    pub(super) fn show(&self, shift: &Shift<'_>) -> bool {
        self.0.iter().rev().any(|world| world.shows(shift))
    }

    /// Beyond a number of them the oldest is forgotten: it may have to be found again.
    pub(super) fn add(&mut self, world: World) {
        if self.0.len() >= (MOST_NUMBERS / world.by.len().max(1)).max(1) {
            self.0.remove(0);
        }
        self.0.push(world);
    }
}

/// What a solver leaves of zero, as a share of the most.
const NOISE: f64 = 1e-10;
/// How far a sum may be off, as a share of what is to be shown: above the solver's tolerance, far below protection.
const EXACT: f64 = 1e-6;
/// What is kept in memory of all worlds of a series.
const MOST_NUMBERS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(region: &[usize], way: Way, by: f64) -> Shift<'_> {
        Shift { region, way, by }
    }

    // Of the first two atoms the sum is known, and the second could have 3 less.
    #[test]
    fn a_part_of_a_world_and_its_opposite_are_worlds_within_what_atoms_can_be() {
        let room = |atom: usize| [(-9.0, f64::INFINITY), (-3.0, f64::INFINITY), (0.0, 0.0)][atom];
        let world = World::new(vec![2.0, -2.0, 1e-12], room, [[0, 1].as_slice()].into_iter());
        assert!(world.shows(&shift(&[0], Way::More, 3.0)) && !world.shows(&shift(&[0], Way::More, 3.1)));
        assert!(world.shows(&shift(&[0], Way::Less, 9.0)) && !world.shows(&shift(&[0], Way::Less, 9.1)));
        assert!(world.shows(&shift(&[1], Way::Less, 3.0)) && world.shows(&shift(&[1], Way::More, 9.0)));
        assert!(!world.shows(&shift(&[0, 1], Way::More, 0.1)) && !world.shows(&shift(&[2], Way::More, 0.1)));
    }

    #[test]
    fn what_does_not_add_up_is_no_world() {
        let room = |_| (-9.0, f64::INFINITY);
        let world = World::new(vec![2.0, -1.9], room, [[0, 1].as_slice()].into_iter());
        assert!(!world.shows(&shift(&[0], Way::More, 1.0)));
        // An atom that a solver takes below nothing is held at nothing: then its sum is off.
        let world = World::new(vec![12.0, -12.0], room, [[0, 1].as_slice()].into_iter());
        assert!(!world.shows(&shift(&[0], Way::More, 1.0)));
    }

    #[test]
    fn no_more_worlds_are_kept_than_memory_is_for() {
        let mut worlds = Worlds::default();
        for atom in 0..3 {
            let mut by = vec![0.0; MOST_NUMBERS / 2];
            by[atom] = 1.0;
            worlds.add(World::new(by, |_| (-1.0, 1.0), [].into_iter()));
        }
        let shown = |atom: usize| worlds.show(&shift(&[atom], Way::More, 1.0));
        assert_eq!([0, 1, 2].map(shown), [false, true, true]);
    }
}

//! Atoms: groups of rows, by which released sets they are in.

use std::collections::{BTreeMap, HashMap};

use super::{BudgetError, Group, sets::Sets};

/// Rows that are in the same sets, and which sets those are. None has no subject, none is in no set.
#[derive(Debug, Default, Clone)]
pub(crate) struct Atoms {
    /// How many subjects each has at least.
    pub(crate) sizes: Vec<f64>,
    /// Of each its sets, ascending.
    pub(crate) sets: Vec<Vec<u32>>,
    /// Of each set its atoms, ascending.
    pub(crate) of_sets: Vec<Vec<u32>>,
    /// Whether each set has to do with one that cannot be counted: none of its atoms is here.
    pub(crate) uncountable: Vec<bool>,
}

impl Atoms {
    /// Merges groups. A subject with rows in two of them must not count twice: it would make an atom larger than it is.
    /// Groups that differ in a fixed dimension have no subject in common, and add up; of the others the largest counts.
    ///
    /// # Errors
    /// [`BudgetError`].
    pub(crate) fn of(sets: &Sets, groups: &[Group], fixed: &[bool]) -> Result<Self, BudgetError> {
        if groups.len() > MOST_GROUPS {
            return Err(BudgetError::TooManyAtoms);
        }
        let membership = Membership::of(sets)?;
        let mut numbers: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut largest: BTreeMap<(usize, Vec<u32>), u64> = BTreeMap::new();
        for group in groups {
            let within = membership.sets(&group.classes).ok_or(BudgetError::Counts)?;
            if group.subjects == 0 || within.iter().all(|word| *word == 0) {
                continue;
            }
            let next = numbers.len();
            if next * within.len() > MOST_WORDS {
                return Err(BudgetError::TooManyAtoms);
            }
            let atom = *numbers.entry(within).or_insert(next);
            let own = group.classes.iter().zip(fixed).filter(|(_, fixed)| **fixed).map(|(class, _)| *class).collect();
            let subjects = largest.entry((atom, own)).or_default();
            *subjects = group.subjects.max(*subjects);
        }
        let mut atoms = Self { uncountable: vec![false; sets.all.len()], ..Self::default() };
        atoms.sizes = vec![0.0; numbers.len()];
        atoms.sets = vec![Vec::new(); numbers.len()];
        for ((atom, _), subjects) in largest {
            atoms.sizes.get_mut(atom).into_iter().for_each(|size| *size += subjects as f64);
        }
        for (within, atom) in numbers {
            atoms.sets.get_mut(atom).into_iter().for_each(|sets| *sets = listed(&within));
        }
        atoms.leave_out(sets);
        atoms.of_sets = vec![Vec::new(); sets.all.len()];
        for (atom, within) in (0..).zip(&atoms.sets) {
            for set in within {
                atoms.of_sets.get_mut(*set as usize).into_iter().for_each(|atoms| atoms.push(atom));
            }
        }
        Ok(atoms)
    }

    /// Takes out what shares a subject's rows with a set that cannot be counted, directly or through other sets.
    fn leave_out(&mut self, sets: &Sets) {
        if sets.all.iter().all(|set| !set.uncountable) {
            return;
        }
        let mut linked = Linked((0..sets.all.len()).collect());
        for within in &self.sets {
            within.iter().zip(within.iter().skip(1)).for_each(|(one, next)| linked.link(*one as usize, *next as usize));
        }
        let mut tainted = vec![false; sets.all.len()];
        for (place, _) in sets.all.iter().enumerate().filter(|(_, set)| set.uncountable) {
            tainted.get_mut(linked.first(place)).into_iter().for_each(|tainted| *tainted = true);
        }
        for (place, uncountable) in self.uncountable.iter_mut().enumerate() {
            *uncountable = tainted.get(linked.first(place)).copied().unwrap_or(true);
        }
        let kept = |within: &Vec<u32>| within.iter().all(|set| self.uncountable.get(*set as usize) == Some(&false));
        let kept: Vec<bool> = self.sets.iter().map(kept).collect();
        let mut of_sizes = kept.iter();
        self.sizes.retain(|_| of_sizes.next() == Some(&true));
        let mut of_sets = kept.iter();
        self.sets.retain(|_| of_sets.next() == Some(&true));
    }
}

/// Sets that share rows, by a first one of each lot.
struct Linked(Vec<usize>);

impl Linked {
    fn first(&mut self, of: usize) -> usize {
        let mut place = of;
        while let Some(next) = self.0.get(place).copied().filter(|next| *next != place) {
            let after = self.0.get(next).copied().unwrap_or(next);
            self.0.get_mut(place).into_iter().for_each(|first| *first = after);
            place = next;
        }
        place
    }

    fn link(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.0.get_mut(one.max(other)).into_iter().for_each(|first| *first = one.min(other));
    }
}

/// Of each dimension and class the sets that do not rule it out, one bit each: a group is in those that none of its classes
/// rules out.
struct Membership {
    words: usize,
    masks: Vec<Vec<Vec<u64>>>,
}

impl Membership {
    fn of(sets: &Sets) -> Result<Self, BudgetError> {
        let words = sets.all.len().div_ceil(64);
        let classes: usize = sets.dimensions.iter().map(|classes| classes.sets.len()).sum();
        if classes * words > MOST_WORDS {
            return Err(BudgetError::TooManyAtoms);
        }
        let mut masks: Vec<Vec<Vec<u64>>> =
            sets.dimensions.iter().map(|classes| vec![vec![0; words]; classes.sets.len()]).collect();
        for (place, set) in sets.all.iter().enumerate() {
            let mut within = set.within.iter().peekable();
            for (dimension, masks) in masks.iter_mut().enumerate() {
                match within.next_if(|(named, _)| *named == dimension) {
                    Some((_, classes)) => {
                        for class in classes {
                            masks.get_mut(*class as usize).into_iter().for_each(|mask| set_bit(mask, place));
                        }
                    }
                    None => masks.iter_mut().for_each(|mask| set_bit(mask, place)),
                }
            }
        }
        Ok(Self { words, masks })
    }

    /// `None` for what is no class of each dimension.
    fn sets(&self, classes: &[u32]) -> Option<Vec<u64>> {
        (classes.len() == self.masks.len()).then_some(())?;
        // Sets that no dimension restricts are not told apart from none: every set is of some loads.
        let mut all = vec![if self.masks.is_empty() { 0 } else { u64::MAX }; self.words];
        for (class, masks) in classes.iter().zip(&self.masks) {
            let mask = masks.get(*class as usize)?;
            all.iter_mut().zip(mask).for_each(|(word, mask)| *word &= mask);
        }
        Some(all)
    }
}

fn set_bit(mask: &mut [u64], bit: usize) {
    mask.get_mut(bit / 64).into_iter().for_each(|word| *word |= 1 << (bit % 64));
}

fn listed(words: &[u64]) -> Vec<u32> {
    let mut bits = Vec::new();
    for (place, word) in (0_u32..).zip(words) {
        let mut left = *word;
        while left != 0 {
            bits.push(place * 64 + left.trailing_zeros());
            left &= left - 1;
        }
    }
    bits
}

/// Most groups of rows.
const MOST_GROUPS: usize = 100_000;
/// Most words of 64 bits that say which sets groups or classes are in: 128 MiB.
const MOST_WORDS: usize = 1 << 24;

//! Sets of cells by their places in a field, as bits.

/// Places of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places(Vec<u64>);

impl Places {
    /// None, of so many that there are.
    pub(crate) fn none(cells: usize) -> Self {
        Self(vec![0; cells.div_ceil(64)])
    }

    /// Some, of so many that there are.
    pub(crate) fn of(cells: usize, places: impl IntoIterator<Item = usize>) -> Self {
        let mut some = Self::none(cells);
        places.into_iter().for_each(|place| some.add(place));
        some
    }

    pub(crate) fn add(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    pub(crate) fn remove(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    pub(crate) fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    /// Keeps those that the other has too.
    pub(crate) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    /// Drops those that the other has.
    pub(crate) fn drop(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }

    /// Adds those of the other.
    pub(crate) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether one of them is not among the other's.
    pub(crate) fn exceeds(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(word, other)| word & !other != 0)
    }

    /// The first place.
    pub(crate) fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// The places, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(number, word)| {
            std::iter::successors((*word != 0).then_some(*word), |word| {
                Some(word & (word - 1)).filter(|word| *word != 0)
            })
            .map(move |word| number * 64 + word.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_sets(
            one in proptest::collection::btree_set(0_usize..200, 0..40),
            other in proptest::collection::btree_set(0_usize..200, 0..40),
        ) {
            let of = |places: &BTreeSet<usize>| Places::of(200, places.iter().copied());
            let changed = |change: fn(&mut Places, &Places)| {
                let mut left = of(&one);
                change(&mut left, &of(&other));
                left.iter().collect::<BTreeSet<usize>>()
            };
            prop_assert_eq!(changed(Places::keep), &one & &other);
            prop_assert_eq!(changed(Places::drop), &one - &other);
            prop_assert_eq!(changed(Places::join), &one | &other);
            prop_assert_eq!(of(&one).exceeds(&of(&other)), !one.is_subset(&other));
            prop_assert_eq!(of(&one).is_empty(), one.is_empty());
            prop_assert!((0..200).all(|place| of(&one).has(place) == one.contains(&place)));
        }
    }
}

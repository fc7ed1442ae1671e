//! Sets of bins, as runs: hours of a year make few of them, and a set of a hundred thousand bins stays small.

/// Bins of one dimension: half-open runs of their numbers, ascending, none empty, none touching the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BinSet(Vec<(u32, u32)>);

/// The runs of a set.
pub type Runs<'a> = std::iter::Copied<std::slice::Iter<'a, (u32, u32)>>;

impl BinSet {
    /// The bins from one up to another.
    pub fn range(from: u32, to: u32) -> Self {
        Self(if from < to { vec![(from, to)] } else { Vec::new() })
    }

    /// One bin.
    pub fn one(bin: u32) -> Self {
        Self(bin.checked_add(1).map_or_else(Vec::new, |next| vec![(bin, next)]))
    }

    /// Half-open runs, ascending.
    pub fn runs(&self) -> Runs<'_> {
        self.0.iter().copied()
    }

    /// How many bins.
    pub fn count(&self) -> u64 {
        self.runs().map(|(from, to)| u64::from(to - from)).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a bin is one of them.
    pub fn contains(&self, bin: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= bin);
        after.checked_sub(1).and_then(|place| self.0.get(place)).is_some_and(|(_, to)| bin < *to)
    }

    /// Whether all of the other's are in this one.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(from, to)| {
            let after = self.0.partition_point(|(start, _)| start <= from);
            after.checked_sub(1).and_then(|place| self.0.get(place)).is_some_and(|(_, end)| to <= end)
        })
    }

    /// Those of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.runs().peekable(), other.runs().peekable());
        let mut both = Vec::new();
        while let (Some((from, to)), Some((other_from, other_to))) = (ours.peek().copied(), theirs.peek().copied()) {
            let (first, last) = (from.max(other_from), to.min(other_to));
            if first < last {
                both.push((first, last));
            }
            if to <= other_to {
                ours.next();
            } else {
                theirs.next();
            }
        }
        Self(both)
    }

    /// Those of either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.runs().chain(other.runs()).collect()
    }

    /// Those that the other lacks.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.and(&other.complement())
    }

    /// Whether both have one in common.
    pub fn meets(&self, other: &Self) -> bool {
        !self.and(other).is_empty()
    }

    /// How many both have in common.
    pub(crate) fn shared(&self, other: &Self) -> u64 {
        let (mut ours, mut theirs) = (self.runs(), other.runs());
        let (mut one, mut another) = (ours.next(), theirs.next());
        let mut shared = 0;
        while let (Some((from, to)), Some((start, end))) = (one, another) {
            shared += u64::from(to.min(end).saturating_sub(from.max(start)));
            if to <= end {
                one = ours.next();
            } else {
                another = theirs.next();
            }
        }
        shared
    }

    /// Every number that is not in it.
    fn complement(&self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut from = 0;
        for (start, end) in self.runs() {
            if from < start {
                rest.push((from, start));
            }
            from = end;
        }
        if from < u32::MAX {
            rest.push((from, u32::MAX));
        }
        Self(rest)
    }
}

/// The union of runs in whatever order.
impl FromIterator<(u32, u32)> for BinSet {
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(runs: I) -> Self {
        let mut sorted: Vec<(u32, u32)> = runs.into_iter().filter(|(from, to)| from < to).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (from, to) in sorted {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                Some(_) | None => merged.push((from, to)),
            }
        }
        Self(merged)
    }
}

/// The set of some bins.
impl FromIterator<u32> for BinSet {
    fn from_iter<I: IntoIterator<Item = u32>>(bins: I) -> Self {
        bins.into_iter().filter_map(|bin| Some((bin, bin.checked_add(1)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn listed(set: &BinSet) -> BTreeSet<u32> {
        set.runs().flat_map(|(from, to)| from..to).collect()
    }

    fn normal(set: &BinSet) -> bool {
        let runs: Vec<_> = set.runs().collect();
        runs.iter().all(|(from, to)| from < to) && runs.windows(2).all(|pair| pair[0].1 < pair[1].0)
    }

    proptest! {
        #[test]
        fn sets_of_bins_are_sets(
            one in proptest::collection::btree_set(0_u32..40, 0..30),
            other in proptest::collection::btree_set(0_u32..40, 0..30),
        ) {
            let (left, right): (BinSet, BinSet) = (one.iter().copied().collect(), other.iter().copied().collect());
            for (made, expected) in [
                (left.clone(), one.clone()),
                (left.and(&right), &one & &other),
                (left.or(&right), &one | &other),
                (left.minus(&right), &one - &other),
            ] {
                prop_assert!(normal(&made));
                prop_assert_eq!(made.count(), expected.len() as u64);
                prop_assert!((0..41).all(|bin| made.contains(bin) == expected.contains(&bin)));
                prop_assert_eq!(listed(&made), expected);
            }
            prop_assert_eq!(left.covers(&right), other.is_subset(&one));
            prop_assert_eq!(left.meets(&right), !one.is_disjoint(&other));
            prop_assert_eq!(left.shared(&right), one.intersection(&other).count() as u64);
        }
    }
}

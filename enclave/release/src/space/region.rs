//! Where a cell's rows are, whatever their values.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::BinSet;

/// The rows that a question is about: `dataset/table`, joined to at most one row each of others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facts(Arc<str>);

/// A dimension of facts: a column of theirs (`mode`), or of what a join key of theirs leads to
/// (`household>dataset/households.commune`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimension(Arc<str>);

/// Facts whose dimensions lie in sets of bins. A dimension that is not named is not restricted; the region of no
/// restriction is all rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    facts: Facts,
    sets: BTreeMap<Dimension, BinSet>,
}

impl Facts {
    /// Those of a table.
    pub fn new(dataset: &str, table: &str) -> Self {
        Self(format!("{dataset}/{table}").into())
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Dimension {
    /// A column of the facts' own.
    pub fn own(column: &str) -> Self {
        Self(column.into())
    }

    /// A dimension of the rows that a join key leads to.
    #[must_use]
    pub fn through(key: &str, facts: &Facts, dimension: &Self) -> Self {
        Self(format!("{key}>{facts}.{dimension}").into())
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Region {
    /// All of these facts.
    pub fn all(facts: Facts) -> Self {
        Self { facts, sets: BTreeMap::new() }
    }

    /// Of this region, what lies in these bins of a dimension.
    #[must_use]
    pub fn within(mut self, dimension: Dimension, bins: BinSet) -> Self {
        let narrowed = match self.sets.get(&dimension) {
            Some(set) => set.and(&bins),
            None => bins,
        };
        self.sets.insert(dimension, narrowed);
        self
    }

    /// The facts.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What it is restricted to.
    pub fn sets(&self) -> impl Iterator<Item = (&Dimension, &BinSet)> {
        self.sets.iter()
    }

    /// The bins of a dimension that it is restricted to; `None` for no restriction.
    pub fn bins(&self, dimension: &Dimension) -> Option<&BinSet> {
        self.sets.get(dimension)
    }

    /// Whether it has no row, whatever the data.
    pub fn is_empty(&self) -> bool {
        self.sets.values().any(BinSet::is_empty)
    }

    /// Whether it has every row of the other, whatever the data.
    pub fn covers(&self, other: &Self) -> bool {
        self.facts == other.facts
            && (other.is_empty()
                || self
                    .sets
                    .iter()
                    .all(|(dimension, set)| other.sets.get(dimension).is_some_and(|inner| set.covers(inner))))
    }

    /// The rows of both; `None` where they are of other facts or share no row, whatever the data.
    pub fn and(&self, other: &Self) -> Option<Self> {
        if self.facts != other.facts {
            return None;
        }
        let both =
            other.sets.iter().fold(self.clone(), |both, (dimension, set)| both.within(dimension.clone(), set.clone()));
        (!both.is_empty()).then_some(both)
    }

    /// Whether both can have a row in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.facts == other.facts
            && !self.is_empty()
            && !other.is_empty()
            && self.sets.iter().all(|(dimension, set)| other.sets.get(dimension).is_none_or(|inner| set.meets(inner)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn region(sets: &[Option<Vec<u32>>]) -> Region {
        let named = sets.iter().enumerate().filter_map(|(place, set)| Some((place, set.as_ref()?)));
        named.fold(Region::all(Facts::new("d", "t")), |region, (place, set)| {
            region.within(Dimension::own(&format!("d{place}")), set.iter().copied().collect())
        })
    }

    fn points(region: &Region) -> Vec<[u32; 3]> {
        let inside = |place: usize, bin: u32| {
            region.bins(&Dimension::own(&format!("d{place}"))).is_none_or(|set| set.contains(bin))
        };
        let all = (0..4).flat_map(|x| (0..4).flat_map(move |y| (0..4).map(move |z| [x, y, z])));
        all.filter(|point| point.iter().enumerate().all(|(place, bin)| inside(place, *bin))).collect()
    }

    proptest! {
        // Bins are 0..4, and the set of all four is not the same as no restriction: values can lie outside.
        #[test]
        fn regions_are_products_of_sets(
            one in proptest::collection::vec(proptest::option::of(proptest::collection::vec(0_u32..4, 0..4)), 3),
            other in proptest::collection::vec(proptest::option::of(proptest::collection::vec(0_u32..4, 0..4)), 3),
        ) {
            let (left, right) = (region(&one), region(&other));
            let (rows, others) = (points(&left), points(&right));
            let both: Vec<_> = rows.iter().filter(|point| others.contains(point)).copied().collect();
            prop_assert_eq!(left.and(&right).map_or_else(Vec::new, |region| points(&region)), both.clone());
            prop_assert_eq!(left.meets(&right), !both.is_empty());
            if left.covers(&right) {
                prop_assert!(others.iter().all(|point| rows.contains(point)));
            }
            prop_assert_eq!(left.is_empty(), rows.is_empty());
        }
    }

    #[test]
    fn what_is_not_restricted_covers_what_is() {
        let all = Region::all(Facts::new("d", "t"));
        let some = all.clone().within(Dimension::own("mode"), BinSet::range(0, 3));
        assert!(all.covers(&some) && !some.covers(&all));
        assert!(!Region::all(Facts::new("d", "u")).covers(&some));
        let far = Dimension::through("household", &Facts::new("d", "households"), &Dimension::own("commune"));
        assert_eq!(far.to_string(), "household>d/households.commune");
    }
}

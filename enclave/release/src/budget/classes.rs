//! Classes of a dimension's bins: bins that are in exactly the same of some sets are alike.

use crate::space::BinSet;

/// A dimension's bins by class, and the classes that sets are made of.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    /// Disjoint, all bins together.
    pub(crate) classes: Vec<BinSet>,
    /// Of each set its classes, ascending.
    pub(crate) of_sets: Vec<Vec<u32>>,
}

impl Partition {
    /// By these sets; `None` where they cut more finely than is looked at.
    pub(crate) fn of(sets: &[&BinSet]) -> Option<Self> {
        let mut edges: Vec<u32> = sets.iter().flat_map(|set| set.runs()).flat_map(|(from, to)| [from, to]).collect();
        edges.extend([0, u32::MAX]);
        edges.sort_unstable();
        edges.dedup();
        let spans = edges.len() - 1;
        let place = |edge: u32| edges.binary_search(&edge).unwrap_or(spans);
        let covered = |set: &BinSet| set.runs().flat_map(|(from, to)| place(from)..place(to)).collect::<Vec<usize>>();
        let mut class_of = vec![0_u32; spans];
        // Of each class how many spans it has, how many of those the set has that is looked at, and what those become.
        let mut all = vec![Split { spans, inside: 0, becomes: 0 }];
        let mut work = 0;
        for set in sets {
            let inside = covered(set);
            work += inside.len();
            if work > MOST_WORK || all.len() > MOST_CLASSES {
                return None;
            }
            split(&inside, &mut class_of, &mut all);
        }
        let mut runs: Vec<Vec<(u32, u32)>> = vec![Vec::new(); all.len()];
        for ((from, to), class) in edges.iter().zip(edges.iter().skip(1)).zip(&class_of) {
            runs.get_mut(*class as usize)?.push((*from, *to));
        }
        let of_set = |set: &&BinSet| {
            let inside = covered(set);
            let mut classes: Vec<u32> = inside.iter().filter_map(|span| class_of.get(*span).copied()).collect();
            classes.sort_unstable();
            classes.dedup();
            classes
        };
        let of_sets = sets.iter().map(of_set).collect();
        Some(Self { classes: runs.into_iter().map(|runs| runs.into_iter().collect()).collect(), of_sets })
    }
}

struct Split {
    spans: usize,
    inside: usize,
    becomes: u32,
}

/// Tells the spans inside from those of their classes that are not.
fn split(inside: &[usize], class_of: &mut [u32], all: &mut Vec<Split>) {
    let mut touched = Vec::new();
    for class in inside.iter().filter_map(|span| class_of.get(*span)) {
        let Some(split) = all.get_mut(*class as usize) else { continue };
        if split.inside == 0 {
            touched.push(*class);
        }
        split.inside += 1;
    }
    for class in touched {
        let next = all.len() as u32;
        let Some(split) = all.get_mut(class as usize) else { continue };
        let moved = std::mem::take(&mut split.inside);
        split.becomes = class;
        if moved < split.spans {
            split.spans -= moved;
            split.becomes = next;
            all.push(Split { spans: moved, inside: 0, becomes: next });
        }
    }
    for span in inside {
        let Some(class) = class_of.get_mut(*span) else { continue };
        *class = all.get(*class as usize).map_or(*class, |split| split.becomes);
    }
}

/// Most classes of one dimension.
const MOST_CLASSES: usize = 65_535;
/// Most spans of bins that the sets of one dimension have together.
const MOST_WORK: usize = 1 << 26;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bins_are_alike_if_they_are_in_the_same_sets(
            sets in proptest::collection::vec(proptest::collection::btree_set(0_u32..24, 0..20), 0..7),
        ) {
            let sets: Vec<BinSet> = sets.into_iter().map(|set| set.into_iter().collect()).collect();
            let partition = Partition::of(&sets.iter().collect::<Vec<_>>()).unwrap();
            let class_of = |bin: u32| {
                let mut having = (0..).zip(&partition.classes).filter(|(_, class)| class.contains(bin));
                let class: u32 = having.next().unwrap().0;
                assert!(having.next().is_none());
                class
            };
            let within = |bin: u32| sets.iter().map(|set| set.contains(bin)).collect::<Vec<_>>();
            for bin in 0..26 {
                for other in 0..26 {
                    prop_assert_eq!(class_of(bin) == class_of(other), within(bin) == within(other));
                }
                for (set, classes) in sets.iter().zip(&partition.of_sets) {
                    prop_assert_eq!(set.contains(bin), classes.contains(&class_of(bin)));
                }
            }
            let all: BinSet = partition.classes.iter().flat_map(BinSet::runs).collect();
            prop_assert_eq!(all, BinSet::range(0, u32::MAX));
        }
    }

    #[test]
    fn what_is_cut_too_finely_is_not_looked_at() {
        let sets: Vec<BinSet> = (0..70_000).map(BinSet::one).collect();
        assert!(Partition::of(&sets.iter().collect::<Vec<_>>()).is_none());
    }
}

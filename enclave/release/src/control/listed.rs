//! Declared keys that have no value: whether nothing is there, or nothing may leave, is not to be told apart.

use std::collections::HashSet;

use crate::{
    expression::{Expression, Literal},
    judge::roles::Ruling,
    plan::Step,
};

impl Ruling {
    /// Places of the keys, in the order in which the answer shows them; `None` unless there is one grouping set, the answer
    /// shows each key as it is, and all their declared values are texts or whole numbers and few enough to be listed.
    pub fn listed_keys(&self) -> Option<Vec<usize>> {
        let keys = self.keys().len();
        if keys == 0 || self.plan().sets.len() != 1 {
            return None;
        }
        let mut listed: Vec<usize> = Vec::with_capacity(keys);
        for place in self.shown().into_iter().flatten().filter(|place| *place < keys) {
            if !listed.contains(&place) {
                listed.push(place);
            }
        }
        let combinations =
            listed.iter().try_fold(1_usize, |product, key| product.checked_mul(self.domain(*key)?.len()));
        (listed.len() == keys && combinations? <= MOST_LISTED).then_some(listed)
    }

    /// The keys of the declared domain that no row has, in its order; of each, the values in the order of
    /// [`Self::listed_keys`]. `present` are the rows' keys in that same order. None where keys are not listed.
    pub fn keys_without_value(&self, present: &[Vec<Literal>]) -> Vec<Vec<Literal>> {
        let Some(listed) = self.listed_keys() else { return Vec::new() };
        let mut combinations = vec![Vec::new()];
        for domain in listed.iter().filter_map(|key| self.domain(*key)) {
            combinations = combinations
                .into_iter()
                .flat_map(|prefix: Vec<Literal>| {
                    domain.iter().map(move |value| prefix.iter().chain([value]).cloned().collect())
                })
                .collect();
        }
        let present: HashSet<String> = present.iter().map(|key| format!("{key:?}")).collect();
        combinations.retain(|key| !present.contains(&format!("{key:?}")));
        combinations
    }

    /// Every cell that there can be, by the values of its keys in the order of the only grouping set; none where they
    /// cannot be listed.
    pub fn every_cell(&self) -> Option<Vec<Vec<Literal>>> {
        let [set] = self.plan().sets.as_slice() else { return None };
        if self.keys().is_empty() {
            return Some(vec![Vec::new()]);
        }
        let listed = self.listed_keys()?;
        let places = set.iter().map(|key| listed.iter().position(|one| one == key)).collect::<Option<Vec<_>>>()?;
        let cells = self.keys_without_value(&[]).into_iter();
        cells.map(|values| places.iter().map(|place| values.get(*place).cloned()).collect()).collect()
    }

    /// Which cell column each column of the answer is, where it is just that.
    pub fn shown(&self) -> Vec<Option<usize>> {
        let mut shown: Vec<Option<usize>> = (0..self.cell_types().len()).map(Some).collect();
        for step in &self.plan().steps {
            if let Step::Project(columns) = step {
                let column = |expression: &Expression<usize>| {
                    let Expression::Column(place) = expression else { return None };
                    shown.get(*place).copied().flatten()
                };
                shown = columns.iter().map(column).collect();
            }
        }
        shown
    }

    /// The declared values of a key, where they can be listed.
    fn domain(&self, key: usize) -> Option<Vec<Literal>> {
        let values = self.keys().get(key)?.values().iter().map(|(value, _)| value);
        let there = values.filter(|value| !matches!(value, Literal::Null(_)));
        there
            .map(|value| matches!(value, Literal::String(_) | Literal::Integer(_)).then(|| value.clone()))
            .collect::<Option<Vec<_>>>()
            .filter(|values| !values.is_empty() && values.len() <= MOST_LISTED)
    }
}

/// Most keys that an answer lists as without value.
const MOST_LISTED: usize = 10_000;

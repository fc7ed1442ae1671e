//! An aggregate: how many different texts there are in each group.
//!
//! The engine's own counts the same, but makes each group a table for hundreds of texts to begin with, 30 KB that its
//! memory pool does not hear of. Of each subject in each cell texts are counted, mostly few: with ten thousand persons
//! that is more memory than a zone has. This one takes what the texts need, and says how much that is.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, ListBuilder, StringViewBuilder},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    scalar::ScalarValue,
};

/// The aggregate, of texts.
pub(super) fn different() -> Arc<AggregateUDF> {
    let signature = Signature::exact(vec![DataType::Utf8View], Volatility::Immutable);
    Arc::new(AggregateUDF::from(DifferentTexts { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DifferentTexts {
    signature: Signature,
}

/// Of each group, its texts.
#[derive(Debug, Default)]
struct Seen {
    groups: Vec<HashSet<Box<str>>>,
    /// What the texts take up.
    bytes: usize,
}

impl AggregateUDFImpl for DifferentTexts {
    fn name(&self) -> &str {
        "octroi_different"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _holds: &DataType) -> Result<ScalarValue, DataFusionError> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        Ok(vec![Arc::new(Field::new_list(format!("{}[texts]", arguments.name), text(), false))])
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>, DataFusionError> {
        Ok(Box::new(Seen::default()))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        Ok(Box::new(Seen::default()))
    }
}

impl Seen {
    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize_with(groups, HashSet::new);
        }
    }

    fn see(&mut self, text: &str, group: usize) -> Result<(), DataFusionError> {
        let seen = self.groups.get_mut(group).ok_or_else(out_of_step)?;
        if !seen.contains(text) {
            seen.insert(text.into());
            self.bytes += taken_by(text);
        }
        Ok(())
    }

    fn observe(
        &mut self,
        values: &[ArrayRef],
        groups: impl Iterator<Item = usize>,
        only: Option<&BooleanArray>,
    ) -> Result<(), DataFusionError> {
        let values = values.first().and_then(|values| values.as_string_view_opt()).ok_or_else(out_of_step)?;
        for (row, (value, group)) in values.iter().zip(groups).enumerate() {
            if let Some(value) = value.filter(|_| counts(only, row)) {
                self.see(value, group)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: impl Iterator<Item = usize>) -> Result<(), DataFusionError> {
        let lists = states.first().and_then(|lists| lists.as_list_opt::<i32>()).ok_or_else(out_of_step)?;
        for (list, group) in lists.iter().zip(groups) {
            let Some(list) = list else { continue };
            for text in list.as_string_view_opt().ok_or_else(out_of_step)?.iter().flatten() {
                self.see(text, group)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> Vec<HashSet<Box<str>>> {
        let taken = emit.take_needed(&mut self.groups);
        let freed: usize = taken.iter().flatten().map(|text| taken_by(text)).sum();
        self.bytes = self.bytes.saturating_sub(freed);
        taken
    }

    fn bytes(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<HashSet<Box<str>>>()
    }
}

impl GroupsAccumulator for Seen {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<(), DataFusionError> {
        self.grow(total_num_groups);
        self.observe(values, group_indices.iter().copied(), opt_filter)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<(), DataFusionError> {
        self.grow(total_num_groups);
        self.merge(values, group_indices.iter().copied())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef, DataFusionError> {
        let numbers = self.take(emit_to).iter().map(number).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Int64Array::from(numbers)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>, DataFusionError> {
        let taken = self.take(emit_to);
        Ok(vec![Arc::new(lists(taken.iter().map(|texts| texts.iter().map(AsRef::as_ref))))])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>, DataFusionError> {
        let values = values.first().and_then(|values| values.as_string_view_opt()).ok_or_else(out_of_step)?;
        let rows = values.iter().enumerate();
        Ok(vec![Arc::new(lists(rows.map(|(row, value)| value.filter(|_| counts(opt_filter, row)))))])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// Of all rows, as one group.
impl Accumulator for Seen {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.grow(1);
        self.observe(values, std::iter::repeat(0), None)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.grow(1);
        self.merge(states, std::iter::repeat(0))
    }

    fn evaluate(&mut self) -> Result<ScalarValue, DataFusionError> {
        self.grow(1);
        let numbers = GroupsAccumulator::evaluate(self, EmitTo::All)?;
        ScalarValue::try_from_array(&numbers, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        self.grow(1);
        let lists = GroupsAccumulator::state(self, EmitTo::All)?;
        lists.iter().map(|list| ScalarValue::try_from_array(list, 0)).collect()
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

fn counts(only: Option<&BooleanArray>, row: usize) -> bool {
    only.is_none_or(|only| only.is_valid(row) && only.value(row))
}

fn number(texts: &HashSet<Box<str>>) -> Result<i64, DataFusionError> {
    i64::try_from(texts.len()).map_err(|_| out_of_step())
}

fn lists<'a>(groups: impl Iterator<Item = impl IntoIterator<Item = &'a str>>) -> ListArray {
    let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(text());
    for texts in groups {
        texts.into_iter().for_each(|text| lists.values().append_value(text));
        lists.append(true);
    }
    lists.finish()
}

fn text() -> Field {
    Field::new_list_field(DataType::Utf8View, true)
}

fn taken_by(text: &str) -> usize {
    text.len() + BESIDE
}

fn out_of_step() -> DataFusionError {
    exec_datafusion_err!("the engine and the texts that it counts are out of step")
}

/// What a text takes up beside its letters, bytes: a set of one has four places of 17 bytes, and 16 more; both are
/// allocations. In a larger set it is less.
const BESIDE: usize = 128;

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;
    use crate::table::tests::Dice;

    const TEXTS: [&str; 5] =
        ["", "a", "b", "longer than what a view holds in itself", "longer than what a view holds, too"];

    /// Texts dealt out to partial accumulators, some of which give up their groups early, some of which are only
    /// converted; merged, they are what one set of each group is.
    #[test]
    fn different_texts_are_those_of_sets_however_the_rows_come() {
        let mut dice = Dice::new(11);
        for round in 0..200 {
            let groups = 1 + dice.below(6) as usize;
            let mut expected = vec![HashSet::new(); groups];
            let mut last = Seen::default();
            for _ in 0..dice.below(6) {
                let rows = dice.below(40) as usize;
                let of: Vec<usize> = (0..rows).map(|_| dice.below(groups as u64) as usize).collect();
                let values: Vec<Option<&str>> = (0..rows).map(|_| TEXTS.get(dice.below(6) as usize).copied()).collect();
                let only: BooleanArray = (0..rows).map(|_| *dice.one(&[Some(true), Some(false), None])).collect();
                for row in (0..rows).filter(|row| only.is_valid(*row) && only.value(*row)) {
                    expected[of[row]].extend(values[row]);
                }
                let values: [ArrayRef; 1] = [Arc::new(StringViewArray::from(values))];
                let mut part = Seen::default();
                match round % 3 {
                    0 => GroupsAccumulator::update_batch(&mut last, &values, &of, Some(&only), groups).unwrap(),
                    1 => {
                        let states = part.convert_to_state(&values, Some(&only)).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &states, &of, groups).unwrap();
                    }
                    _ => {
                        GroupsAccumulator::update_batch(&mut part, &values, &of, Some(&only), groups).unwrap();
                        let first = groups / 2;
                        let early = GroupsAccumulator::state(&mut part, EmitTo::First(first)).unwrap();
                        let (some, others): (Vec<_>, Vec<_>) = ((0..first).collect(), (first..groups).collect());
                        GroupsAccumulator::merge_batch(&mut last, &early, &some, groups).unwrap();
                        let late = GroupsAccumulator::state(&mut part, EmitTo::All).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &late, &others, groups).unwrap();
                        assert_eq!(part.bytes(), 0, "round {round}");
                    }
                }
            }
            last.grow(groups);
            let first = dice.below(groups as u64 + 1) as usize;
            let made = [EmitTo::First(first), EmitTo::All].map(|emit| last.evaluate_counts(emit));
            let expected: Vec<i64> = expected.iter().map(|texts: &HashSet<&str>| texts.len() as i64).collect();
            assert_eq!(made.concat(), expected, "round {round}");
        }
    }

    impl Seen {
        fn evaluate_counts(&mut self, emit: EmitTo) -> Vec<i64> {
            let made = GroupsAccumulator::evaluate(self, emit).unwrap();
            made.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
        }
    }

    #[test]
    fn all_rows_are_one_group() {
        let mut seen = Seen::default();
        assert_eq!(Accumulator::evaluate(&mut seen).unwrap(), ScalarValue::Int64(Some(0)));
        let values: ArrayRef = Arc::new(StringViewArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
        Accumulator::update_batch(&mut seen, &[values]).unwrap();
        let state = Accumulator::state(&mut seen).unwrap().first().unwrap().to_array_of_size(2).unwrap();
        let mut merged = Seen::default();
        Accumulator::merge_batch(&mut merged, &[state]).unwrap();
        assert_eq!(Accumulator::evaluate(&mut merged).unwrap(), ScalarValue::Int64(Some(2)));
    }

    /// As the allocator rounds: to 16 bytes, 8 of them its own, and never less than 32.
    #[test]
    fn no_less_memory_is_told_than_taken_and_little_more() {
        let allocated = |bytes: usize| (bytes + 8).next_multiple_of(16).max(32);
        for (groups, texts, length) in [(20_000, 1, 6), (20_000, 3, 30), (40, 2_000, 6), (1, 100_000, 10)] {
            let mut seen = Seen::default();
            seen.grow(groups);
            for (group, text) in (0..groups).flat_map(|group| (0..texts).map(move |text| (group, text))) {
                seen.see(&format!("{text:0length$}"), group).unwrap();
            }
            let buckets = |texts: &HashSet<Box<str>>| (texts.capacity() * 8).div_ceil(7).next_power_of_two();
            let of_sets: usize = seen.groups.iter().map(|texts| allocated(buckets(texts) * 17 + 16)).sum();
            let of_texts = groups * texts * allocated(length);
            let taken = of_sets + of_texts + seen.groups.capacity() * size_of::<HashSet<Box<str>>>();
            let told = seen.bytes();
            assert!((taken..3 * taken).contains(&told), "{groups} groups of {texts}: {told} bytes told, {taken} taken");
        }
    }
}

//! Counts the distinct subjects of each cell, and stops at the threshold: whether a cell is about 11 people or about
//! 11,000 is the same to the release check.
//!
//! Kept are hashes of 64 bits under a key that is random in each process, so that no one can choose values that collide;
//! two that do are counted once, which suppresses and never releases. A group that has enough is not looked at again:
//! beside a sum this costs little more than reading the column.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    mem::size_of,
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, UInt64Array},
    datatypes::{DataType, Date32Type, Field, FieldRef, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    scalar::ScalarValue,
};
use octroi_release::LeastSubjects;

/// The aggregate that counts distinct values up to `least`, for one query.
pub(super) fn subjects(least: LeastSubjects) -> Arc<AggregateUDF> {
    let most = usize::try_from(least.count()).unwrap_or(usize::MAX);
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(AggregateUDF::from(Subjects { most, key: Key(Arc::new(RandomState::new())), signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Subjects {
    most: usize,
    key: Key,
    signature: Signature,
}

/// The hashes' key, made for one query.
#[derive(Debug, Clone)]
struct Key(Arc<RandomState>);

/// Of each group, the hashes of the subjects seen, at most as many as need be.
#[derive(Debug)]
struct Seen {
    most: usize,
    key: Key,
    groups: Vec<Vec<u64>>,
    /// Of the hashes.
    capacity: usize,
}

impl AggregateUDFImpl for Subjects {
    fn name(&self) -> &str {
        "octroi_subjects"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::UInt64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _holds: &DataType) -> Result<ScalarValue, DataFusionError> {
        Ok(ScalarValue::UInt64(Some(0)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        Ok(vec![Arc::new(Field::new(format!("{}[seen]", arguments.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>, DataFusionError> {
        Ok(Box::new(self.seen()))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        Ok(Box::new(self.seen()))
    }
}

impl Subjects {
    fn seen(&self) -> Seen {
        Seen { most: self.most, key: self.key.clone(), groups: Vec::new(), capacity: 0 }
    }
}

impl Seen {
    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize_with(groups, Vec::new);
        }
    }

    /// Sees the values of rows, each in its group.
    fn see(
        &mut self,
        values: &dyn Array,
        groups: impl Iterator<Item = usize>,
        only: Option<&BooleanArray>,
    ) -> Result<(), DataFusionError> {
        let hash = hashes(values, &self.key)?;
        for (row, group) in groups.enumerate() {
            let Some(seen) = self.groups.get_mut(group) else { return Err(out_of_step()) };
            if seen.len() >= self.most || values.is_null(row) || only.is_some_and(|only| !kept(only, row)) {
                continue;
            }
            self.capacity += insert(seen, hash(row));
        }
        Ok(())
    }

    /// Takes over what others have seen.
    fn merge(&mut self, states: &dyn Array, groups: impl Iterator<Item = usize>) -> Result<(), DataFusionError> {
        let states = states.as_binary_opt::<i32>().ok_or_else(out_of_step)?;
        for (state, group) in states.iter().zip(groups) {
            let Some(seen) = self.groups.get_mut(group) else { return Err(out_of_step()) };
            for hash in state.unwrap_or_default().as_chunks().0 {
                if seen.len() >= self.most {
                    break;
                }
                self.capacity += insert(seen, u64::from_le_bytes(*hash));
            }
        }
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> Vec<Vec<u64>> {
        let taken = emit.take_needed(&mut self.groups);
        self.capacity = self.capacity.saturating_sub(taken.iter().map(Vec::capacity).sum());
        taken
    }

    fn bytes(&self) -> usize {
        self.capacity * size_of::<u64>() + self.groups.capacity() * size_of::<Vec<u64>>()
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
        self.see(one(values)?, group_indices.iter().copied(), opt_filter)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<(), DataFusionError> {
        self.grow(total_num_groups);
        self.merge(one(values)?, group_indices.iter().copied())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef, DataFusionError> {
        let counts = self.take(emit_to).into_iter().map(|seen| seen.len() as u64);
        Ok(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>, DataFusionError> {
        let mut states = BinaryBuilder::new();
        self.take(emit_to).iter().for_each(|seen| states.append_value(state_of(seen)));
        Ok(vec![Arc::new(states.finish())])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>, DataFusionError> {
        let values = one(values)?;
        let hash = hashes(values, &self.key)?;
        let mut states = BinaryBuilder::with_capacity(values.len(), values.len() * size_of::<u64>());
        for row in 0..values.len() {
            if values.is_null(row) || opt_filter.is_some_and(|only| !kept(only, row)) {
                states.append_value([]);
            } else {
                states.append_value(hash(row).to_le_bytes());
            }
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// Of all rows, as one group.
impl Accumulator for Seen {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.grow(1);
        if self.groups.first().is_some_and(|seen| seen.len() >= self.most) {
            return Ok(());
        }
        let values = one(values)?;
        self.see(values, std::iter::repeat_n(0, values.len()), None)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.grow(1);
        let states = one(states)?;
        self.merge(states, std::iter::repeat_n(0, states.len()))
    }

    fn evaluate(&mut self) -> Result<ScalarValue, DataFusionError> {
        Ok(ScalarValue::UInt64(Some(self.groups.first().map_or(0, Vec::len) as u64)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        let seen = self.groups.first().map(Vec::as_slice).unwrap_or_default();
        Ok(vec![ScalarValue::Binary(Some(state_of(seen)))])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// Two queries' keys are never the same.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

type HashOf<'a> = Box<dyn Fn(usize) -> u64 + 'a>;

/// The hash of the value in a row, which must not be missing.
fn hashes<'a>(values: &'a dyn Array, key: &'a Key) -> Result<HashOf<'a>, DataFusionError> {
    let key = &*key.0;
    Ok(match values.data_type() {
        DataType::Utf8View => {
            let values = values.as_string_view();
            Box::new(move |row| key.hash_one(values.value(row)))
        }
        DataType::Utf8 => {
            let values = values.as_string::<i32>();
            Box::new(move |row| key.hash_one(values.value(row)))
        }
        DataType::Int64 => {
            let values = values.as_primitive::<Int64Type>();
            Box::new(move |row| key.hash_one(values.value(row)))
        }
        DataType::Date32 => {
            let values = values.as_primitive::<Date32Type>();
            Box::new(move |row| key.hash_one(values.value(row)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = values.as_primitive::<TimestampMicrosecondType>();
            Box::new(move |row| key.hash_one(values.value(row)))
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>();
            Box::new(move |row| key.hash_one(values.value(row).to_bits()))
        }
        DataType::Boolean => {
            let values = values.as_boolean();
            Box::new(move |row| key.hash_one(values.value(row)))
        }
        _ => return Err(exec_datafusion_err!("a subject of a type that is not counted")),
    })
}

/// Adds a hash that is not there; how much capacity that took.
fn insert(seen: &mut Vec<u64>, hash: u64) -> usize {
    if seen.contains(&hash) {
        return 0;
    }
    let before = seen.capacity();
    seen.push(hash);
    seen.capacity() - before
}

fn state_of(seen: &[u64]) -> Vec<u8> {
    seen.iter().flat_map(|hash| hash.to_le_bytes()).collect()
}

fn kept(only: &BooleanArray, row: usize) -> bool {
    only.is_valid(row) && only.value(row)
}

fn one(arrays: &[ArrayRef]) -> Result<&dyn Array, DataFusionError> {
    arrays.first().map(AsRef::as_ref).ok_or_else(out_of_step)
}

fn out_of_step() -> DataFusionError {
    exec_datafusion_err!("the engine and its count of subjects are out of step")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::{Int64Array, StringViewArray};

    use super::*;
    use crate::table::tests::Dice;

    fn counter(most: usize) -> Seen {
        Seen { most, key: Key(Arc::new(RandomState::new())), groups: Vec::new(), capacity: 0 }
    }

    fn sibling(seen: &Seen) -> Seen {
        Seen { most: seen.most, key: seen.key.clone(), groups: Vec::new(), capacity: 0 }
    }

    fn counts(mut seen: Seen) -> Vec<u64> {
        let counts = GroupsAccumulator::evaluate(&mut seen, EmitTo::All).unwrap();
        counts.as_primitive::<arrow::datatypes::UInt64Type>().values().to_vec()
    }

    /// Rows dealt out to partial counters in batches, some of which give up their groups early, some of which are only
    /// converted; merged, they count what sets count.
    #[test]
    fn counts_are_those_of_sets_however_the_rows_come() {
        let mut dice = Dice::new(7);
        for round in 0..200 {
            let (groups, most) = (1 + dice.below(6) as usize, 1 + dice.below(12) as usize);
            let mut expected = vec![BTreeSet::new(); groups];
            let mut last = counter(most);
            for _ in 0..dice.below(6) {
                let rows = dice.below(40) as usize;
                let of: Vec<usize> = (0..rows).map(|_| dice.below(groups as u64) as usize).collect();
                let values: Vec<Option<i64>> =
                    (0..rows).map(|_| Some(dice.below(20) as i64).filter(|value| *value > 1)).collect();
                let only: BooleanArray = (0..rows).map(|_| *dice.one(&[Some(true), Some(false), None])).collect();
                for row in 0..rows {
                    if kept(&only, row) {
                        expected[of[row]].extend(values[row]);
                    }
                }
                let values: [ArrayRef; 1] = [Arc::new(Int64Array::from(values))];
                let mut part = sibling(&last);
                match round % 3 {
                    0 => GroupsAccumulator::update_batch(&mut last, &values, &of, Some(&only), groups).unwrap(),
                    1 => {
                        let states = part.convert_to_state(&values, Some(&only)).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &states, &of, groups).unwrap();
                    }
                    _ => {
                        GroupsAccumulator::update_batch(&mut part, &values, &of, Some(&only), groups).unwrap();
                        let first = part.groups.len() / 2;
                        let early = GroupsAccumulator::state(&mut part, EmitTo::First(first)).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &early, &(0..first).collect::<Vec<_>>(), groups)
                            .unwrap();
                        let late = GroupsAccumulator::state(&mut part, EmitTo::All).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &late, &(first..groups).collect::<Vec<_>>(), groups)
                            .unwrap();
                        assert_eq!(part.capacity, 0);
                    }
                }
            }
            last.grow(groups);
            let expected: Vec<u64> = expected.iter().map(|set| set.len().min(most) as u64).collect();
            assert_eq!(counts(last), expected, "round {round}");
        }
    }

    #[test]
    fn a_count_of_all_rows_stops_at_the_threshold_and_keeps_no_more() {
        let mut seen = counter(11);
        let texts: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..5_000).map(|one| format!("subject {}", one % 40))));
        Accumulator::update_batch(&mut seen, &[Arc::clone(&texts)]).unwrap();
        Accumulator::update_batch(&mut seen, &[texts]).unwrap();
        assert_eq!(Accumulator::evaluate(&mut seen).unwrap(), ScalarValue::UInt64(Some(11)));
        assert!(Accumulator::size(&seen) <= 16 * 8 + 4 * size_of::<Vec<u64>>());
        let mut none = counter(11);
        assert_eq!(Accumulator::evaluate(&mut none).unwrap(), ScalarValue::UInt64(Some(0)));
        let missing: ArrayRef = Arc::new(Int64Array::from(vec![None; 50]));
        Accumulator::update_batch(&mut none, &[missing]).unwrap();
        assert_eq!(Accumulator::evaluate(&mut none).unwrap(), ScalarValue::UInt64(Some(0)));
    }

    #[test]
    fn no_two_queries_hash_alike() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let [one, other] = [(); 2].map(|()| {
            let key = counter(1).key;
            hashes(values.as_ref(), &key).unwrap()(0)
        });
        assert_ne!(one, other);
    }
}

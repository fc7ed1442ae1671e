//! An aggregate of what each subject contributes to a cell: how many subjects there are, how much the two largest bring,
//! and how much all do ([`Contributions`]). Its rows are subjects, their contributions gathered before; a missing one is
//! nobody's.
//!
//! Of fixed size for each group, and mergeable, so that it spills and runs in parts as sums do.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StructArray, UInt64Array},
    datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt64Type},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    scalar::ScalarValue,
};
use octroi_release::statistics::Contributions;

/// The aggregate, of floats.
pub(super) fn contributions() -> Arc<AggregateUDF> {
    let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
    Arc::new(AggregateUDF::from(OfSubjects { signature }))
}

/// What the aggregate made of each group.
///
/// # Errors
/// None for a column that it made.
pub(super) fn read(column: &dyn Array) -> Result<Vec<Contributions>, DataFusionError> {
    let parts = column.as_struct_opt().ok_or_else(out_of_step)?;
    of_columns(parts.columns())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfSubjects {
    signature: Signature,
}

/// Of each group, what was observed.
#[derive(Debug, Default)]
struct Observed(Vec<Contributions>);

impl AggregateUDFImpl for OfSubjects {
    fn name(&self) -> &str {
        "octroi_contributions"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Struct(fields("")))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        Ok(fields(arguments.name).iter().map(Arc::clone).collect())
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>, DataFusionError> {
        Ok(Box::new(Observed::default()))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        Ok(Box::new(Observed::default()))
    }
}

impl Observed {
    fn grow(&mut self, groups: usize) {
        if self.0.len() < groups {
            self.0.resize(groups, Contributions::NONE);
        }
    }

    fn observe(
        &mut self,
        values: &[ArrayRef],
        groups: impl Iterator<Item = usize>,
        only: Option<&BooleanArray>,
    ) -> Result<(), DataFusionError> {
        let values = floats(values.first())?;
        for (row, (value, group)) in values.iter().zip(groups).enumerate() {
            let observed = self.0.get_mut(group).ok_or_else(out_of_step)?;
            if let Some(value) = value.filter(|_| only.is_none_or(|only| only.is_valid(row) && only.value(row))) {
                observed.observe(value);
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: impl Iterator<Item = usize>) -> Result<(), DataFusionError> {
        for (other, group) in of_columns(states)?.iter().zip(groups) {
            self.0.get_mut(group).ok_or_else(out_of_step)?.merge(other);
        }
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> Vec<ArrayRef> {
        to_columns(&emit.take_needed(&mut self.0))
    }
}

impl GroupsAccumulator for Observed {
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
        Ok(Arc::new(StructArray::try_new(fields(""), self.take(emit_to), None)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>, DataFusionError> {
        Ok(self.take(emit_to))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>, DataFusionError> {
        let mut each = Self::default();
        let rows = values.first().map_or(0, |values| values.len());
        each.grow(rows);
        each.observe(values, 0..rows, opt_filter)?;
        Ok(each.take(EmitTo::All))
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<Contributions>()
    }
}

/// Of all rows, as one group.
impl Accumulator for Observed {
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
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(""), self.take(EmitTo::All), None)?)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        self.grow(1);
        self.take(EmitTo::All).iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<Contributions>()
    }
}

fn fields(name: &str) -> Fields {
    let float = |part: &str| Field::new(format!("{name}[{part}]"), DataType::Float64, false);
    let subjects = Field::new(format!("{name}[subjects]"), DataType::UInt64, false);
    Fields::from(vec![subjects, float("largest"), float("second"), float("total")])
}

fn to_columns(all: &[Contributions]) -> Vec<ArrayRef> {
    let float = |part: fn([f64; 3]) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(all.iter().map(|one| part(one.parts().1))))
    };
    vec![
        Arc::new(UInt64Array::from_iter_values(all.iter().map(Contributions::subjects))),
        float(|[largest, _, _]| largest),
        float(|[_, second, _]| second),
        float(|[_, _, total]| total),
    ]
}

fn of_columns(columns: &[ArrayRef]) -> Result<Vec<Contributions>, DataFusionError> {
    let [subjects, largest, second, total] = columns else { return Err(out_of_step()) };
    let subjects = subjects.as_primitive_opt::<UInt64Type>().ok_or_else(out_of_step)?;
    let (largest, second, total) = (floats(Some(largest))?, floats(Some(second))?, floats(Some(total))?);
    let parts = largest.values().iter().zip(second.values()).zip(total.values());
    let parts = subjects.values().iter().zip(parts);
    Ok(parts
        .map(|(subjects, ((largest, second), total))| Contributions::from_parts(*subjects, [*largest, *second, *total]))
        .collect())
}

fn floats(column: Option<&ArrayRef>) -> Result<&Float64Array, DataFusionError> {
    column.and_then(|column| column.as_primitive_opt::<Float64Type>()).ok_or_else(out_of_step)
}

fn out_of_step() -> DataFusionError {
    exec_datafusion_err!("the engine and what it counts of subjects are out of step")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::Dice;

    /// Subjects dealt out to partial accumulators in batches, some of which give up their groups early, some of which are
    /// only converted; merged, they are what one list of each group is.
    #[test]
    fn contributions_are_those_of_lists_however_the_rows_come() {
        let mut dice = Dice::new(7);
        for round in 0..200 {
            let groups = 1 + dice.below(6) as usize;
            let mut expected = vec![Contributions::NONE; groups];
            let mut last = Observed::default();
            for _ in 0..dice.below(6) {
                let rows = dice.below(40) as usize;
                let of: Vec<usize> = (0..rows).map(|_| dice.below(groups as u64) as usize).collect();
                let values: Vec<Option<f64>> =
                    (0..rows).map(|_| Some(dice.below(64) as f64 / 4.0).filter(|value| *value > 0.5)).collect();
                let only: BooleanArray = (0..rows).map(|_| *dice.one(&[Some(true), Some(false), None])).collect();
                for row in 0..rows {
                    if let Some(value) = values[row].filter(|_| only.is_valid(row) && only.value(row)) {
                        expected[of[row]].observe(value);
                    }
                }
                let values: [ArrayRef; 1] = [Arc::new(Float64Array::from(values))];
                let mut part = Observed::default();
                match round % 3 {
                    0 => GroupsAccumulator::update_batch(&mut last, &values, &of, Some(&only), groups).unwrap(),
                    1 => {
                        let states = part.convert_to_state(&values, Some(&only)).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &states, &of, groups).unwrap();
                    }
                    _ => {
                        GroupsAccumulator::update_batch(&mut part, &values, &of, Some(&only), groups).unwrap();
                        let first = part.0.len() / 2;
                        let early = GroupsAccumulator::state(&mut part, EmitTo::First(first)).unwrap();
                        let (some, others): (Vec<_>, Vec<_>) = ((0..first).collect(), (first..groups).collect());
                        GroupsAccumulator::merge_batch(&mut last, &early, &some, groups).unwrap();
                        let late = GroupsAccumulator::state(&mut part, EmitTo::All).unwrap();
                        GroupsAccumulator::merge_batch(&mut last, &late, &others, groups).unwrap();
                    }
                }
            }
            last.grow(groups);
            let made = GroupsAccumulator::evaluate(&mut last, EmitTo::All).unwrap();
            assert_eq!(read(made.as_ref()).unwrap(), expected, "round {round}");
        }
    }

    #[test]
    fn all_rows_are_one_group_and_none_are_nobody() {
        let mut observed = Observed::default();
        let none = Accumulator::evaluate(&mut observed).unwrap().to_array().unwrap();
        assert_eq!(read(none.as_ref()).unwrap(), [Contributions::NONE]);
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(2.0), None, Some(5.0), Some(1.0)]));
        Accumulator::update_batch(&mut observed, &[values]).unwrap();
        let told = Accumulator::evaluate(&mut observed).unwrap().to_array().unwrap();
        assert_eq!(read(told.as_ref()).unwrap(), [Contributions::from_parts(3, [5.0, 2.0, 8.0])]);
    }
}

//! What is counted beside cells for a rule of their own: different categories, and subjects on each side of a quantile.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray},
    datatypes::{DataType, Float64Type},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    functions_aggregate::{
        count::count_udaf,
        min_max::{max_udaf, min_udaf},
    },
    logical_expr::{
        ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
    },
};
use octroi_release::{Expression, RowColumn, Type};

use super::{Raise, SUBJECT, call, cell_name, named, part_name};
use crate::engine::{counted::keyed, raise::unjudged};

/// Values of cells of one grouping set, by their keys as [`crate::engine::counted`] spells them, in order.
pub(in crate::engine) type OfCells = Vec<(String, u64)>;

impl Raise<'_> {
    /// How many different values each category has, of each combination of keys.
    pub(super) fn categories(
        &self,
        keys: &[Expression<RowColumn>],
        categories: &[RowColumn],
    ) -> Result<LogicalPlan, DataFusionError> {
        let different = categories.iter().map(|category| self.different(&Expression::Column(*category), None));
        let different = different.collect::<Result<Vec<_>, _>>()?.into_iter().enumerate();
        let different = different.map(|(place, one)| one.alias(part_name(place)));
        self.rows(&self.ruling.plan().rows)?.aggregate(self.named(keys.iter())?, different)?.build()
    }

    /// Of each cell of a set, how many subjects have a value of a figure's column that is no more than the one given for
    /// the cell, and how many one that is no less.
    pub(super) fn sides(
        &self,
        set: usize,
        figure: usize,
        unit: RowColumn,
        values: &OfCells,
    ) -> Result<LogicalPlan, DataFusionError> {
        let of = self.ruling.figures().get(figure).ok_or_else(unjudged)?;
        let [column] = of.present.as_slice() else { return Err(unjudged()) };
        let within = self.within(self.ruling.scope_condition(of.scope).as_ref(), &of.present)?;
        let value = self.columns.raise_as(&Expression::Column(*column), DataType::Float64)?;
        let subject = self.columns.raise(&Expression::Column(unit))?;
        let ends = [min_udaf(), max_udaf()].into_iter().enumerate();
        let ends =
            ends.map(|(place, end)| call(end, vec![value.clone()], false, within.clone()).alias(part_name(place)));
        let keys = self.keys(set)?;
        let holds = self.ruling.plan().sets.get(set).into_iter().flatten();
        let holds: Vec<Type> = holds.filter_map(|key| self.ruling.keys().get(*key)).map(|key| key.holds).collect();
        let by_cell: Vec<Expr> = (0..keys.len()).map(|place| named(cell_name(place))).collect();
        let side = |place: usize| {
            let signature = Signature::any(by_cell.len() + 1, Volatility::Immutable);
            let side = Side { above: place == 1, values: values.clone(), holds: holds.clone(), signature };
            let beside = ScalarUDF::from(side).call([&by_cell[..], &[named(part_name(place))]].concat());
            call(count_udaf(), vec![lit(1_i64)], false, Some(Box::new(beside))).alias(part_name(place))
        };
        let sides = [side(0), side(1)];
        self.rows(&self.ruling.plan().rows)?
            .filter(Expr::IsNotNull(subject.clone().into()))?
            .aggregate(keys.into_iter().chain([subject.alias(SUBJECT)]), ends)?
            .aggregate(by_cell.clone(), sides)?
            .build()
    }
}

/// Whether a number lies on a side of the value of its cell.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Side {
    above: bool,
    /// As bits.
    values: OfCells,
    holds: Vec<Type>,
    signature: Signature,
}

impl ScalarUDFImpl for Side {
    fn name(&self) -> &str {
        if self.above { "octroi_above" } else { "octroi_below" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let malformed = || exec_datafusion_err!("a side is of keys and a number");
        let (numbers, keys) = columns.split_last().ok_or_else(malformed)?;
        let numbers = numbers.as_primitive_opt::<Float64Type>().ok_or_else(malformed)?;
        let value = |row: usize| -> Result<Option<f64>, DataFusionError> {
            let key = keyed(keys, &self.holds, row).map_err(|_| malformed())?;
            let found = self.values.binary_search_by(|(of, _)| of.cmp(&key)).ok();
            Ok(found.and_then(|place| self.values.get(place)).map(|(_, bits)| f64::from_bits(*bits)))
        };
        let beside = numbers.iter().enumerate().map(|(row, number)| {
            let (Some(number), Some(value)) = (number, value(row)?) else { return Ok(Some(false)) };
            Ok(Some(if self.above { number >= value } else { number <= value }))
        });
        let beside: BooleanArray = beside.collect::<Result<Vec<Option<bool>>, DataFusionError>>()?.into();
        Ok(ColumnarValue::Array(Arc::new(beside) as ArrayRef))
    }
}

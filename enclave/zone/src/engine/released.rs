//! The cells that leave, as a relation for the steps over them, and what is said of how its columns are rounded.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, UInt64Array},
    datatypes::{DataType, Field, Schema, i256},
};
use datafusion::scalar::ScalarValue;
use octroi_release::{
    CountedCell, Expression, Literal, Number, ReleasedRow, Ruling, Step, Type, policy::total, rounding::Rounding,
};

use super::{
    raise::{
        form,
        plan::{NOISE, cell_name},
    },
    refusal::Cause,
};

/// Keys, then figures, in the forms of [`Ruling::cell_types`], then which figures have noise; grouping sets in the plan's order, and each in the order of
/// its keys: the engine's own could tell of cells that are left out.
///
/// # Errors
/// [`Cause::EngineFailed`] for numbers that are not of their type.
pub(super) fn batch(ruling: &Ruling, cells: &[CountedCell], rows: Vec<ReleasedRow>) -> Result<RecordBatch, Cause> {
    let mut told: Vec<(&CountedCell, ReleasedRow)> =
        rows.into_iter().filter_map(|row| Some((cells.get(row.cell)?, row))).collect();
    told.sort_by(|(one, _), (other, _)| {
        let keys = || one.keys.iter().zip(&other.keys).map(|(one, other)| total(one, other)).find(|by| by.is_ne());
        one.set.cmp(&other.set).then_with(|| keys().unwrap_or(std::cmp::Ordering::Equal))
    });
    let keys = ruling.keys().len();
    let column = |(place, holds): (usize, &Type)| -> Result<ArrayRef, Cause> {
        let to = form(*holds);
        let null = ScalarValue::try_from(&to)?;
        let value = |(cell, row): &(&CountedCell, ReleasedRow)| match place.checked_sub(keys) {
            None => key(ruling, cell, place).map_or(Ok(null.clone()), |literal| scalar(literal, &null)),
            Some(figure) => match row.numbers.get(figure).copied().flatten() {
                None => Ok(null.clone()),
                Some(number) => of_number(number, &to),
            },
        };
        let values = told.iter().map(value).collect::<Result<Vec<_>, Cause>>()?;
        // Of none, the type is not to be seen from the values.
        let values = if values.is_empty() { return Ok(arrow::array::new_empty_array(&to)) } else { values };
        Ok(ScalarValue::iter_to_array(values)?)
    };
    let columns = ruling.cell_types().iter().enumerate().map(column).collect::<Result<Vec<_>, _>>()?;
    let fields = ruling.cell_types().iter().enumerate();
    let fields = fields.map(|(place, holds)| Field::new(cell_name(place), form(*holds), true));
    let fields: Vec<Field> = fields.chain([Field::new(NOISE, DataType::UInt64, false)]).collect();
    let noise: ArrayRef = Arc::new(UInt64Array::from_iter_values(told.iter().map(|(_, row)| row.noise)));
    let columns = columns.into_iter().chain([noise]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|_| Cause::EngineFailed)
}

/// How each column of the answer is rounded.
pub(super) fn roundings(ruling: &Ruling) -> Vec<Rounding> {
    let keys = ruling.keys().iter().map(|_| Rounding::None);
    let mut roundings: Vec<Rounding> = keys.chain(ruling.rounding()).collect();
    for step in &ruling.plan().steps {
        if let Step::Project(columns) = step {
            roundings = columns.iter().map(|column| computed(column, &roundings)).collect();
        }
    }
    roundings
}

/// Of each column of the answer, the figures that it is computed of, by bits.
pub(super) fn figures(ruling: &Ruling) -> Vec<u64> {
    let keys = ruling.keys().iter().map(|_| 0);
    let figure = |place| 1_u64.checked_shl(place).unwrap_or_default();
    let mut figures: Vec<u64> = keys.chain((0..).take(ruling.figures().len()).map(figure)).collect();
    for step in &ruling.plan().steps {
        if let Step::Project(columns) = step {
            let of = |column: &Expression<usize>| {
                let mut of = 0;
                column.visit(&mut |inner| {
                    if let Expression::Column(place) = inner {
                        of |= figures.get(*place).copied().unwrap_or_default();
                    }
                });
                of
            };
            figures = columns.iter().map(of).collect();
        }
    }
    figures
}

fn computed(column: &Expression<usize>, from: &[Rounding]) -> Rounding {
    let of = |place: usize| from.get(place).copied().unwrap_or(Rounding::Parts);
    if let Expression::Column(place) = column {
        return of(*place);
    }
    let mut rounding = Rounding::None;
    column.visit(&mut |inner| {
        if let Expression::Column(place) = inner
            && of(*place) != Rounding::None
        {
            rounding = Rounding::Parts;
        }
    });
    rounding
}

/// The value of one of the plan's keys; none in a set that it is not of.
fn key<'a>(ruling: &Ruling, cell: &'a CountedCell, place: usize) -> Option<&'a Literal> {
    let at = ruling.plan().sets.get(cell.set)?.iter().position(|key| *key == place)?;
    cell.keys.get(at)
}

fn scalar(literal: &Literal, null: &ScalarValue) -> Result<ScalarValue, Cause> {
    let value = match literal {
        Literal::Null(_) => null.clone(),
        Literal::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Literal::Integer(value) => ScalarValue::Int64(Some(*value)),
        Literal::Float(value) => ScalarValue::Float64(Some(*value)),
        Literal::String(value) => ScalarValue::Utf8View(Some(value.clone())),
        Literal::Date(value) => ScalarValue::Date32(Some(*value)),
        Literal::Timestamp(value) => ScalarValue::TimestampMicrosecond(Some(*value), Some("UTC".into())),
    };
    if value.data_type() == null.data_type() { Ok(value) } else { Err(Cause::EngineFailed) }
}

fn of_number(number: Number, to: &DataType) -> Result<ScalarValue, Cause> {
    match (number, to) {
        (Number::Whole(value), DataType::Int64) => {
            Ok(ScalarValue::Int64(Some(i64::try_from(value).map_err(|_| Cause::EngineFailed)?)))
        }
        (Number::Whole(value), DataType::Decimal128(digits, 0)) => Ok(ScalarValue::Decimal128(Some(value), *digits, 0)),
        (Number::Whole(value), DataType::Decimal256(digits, 0)) => {
            Ok(ScalarValue::Decimal256(Some(i256::from_i128(value)), *digits, 0))
        }
        (Number::Float(value), DataType::Float64) => Ok(ScalarValue::Float64(Some(value))),
        (Number::Whole(_) | Number::Float(_), _) => Err(Cause::EngineFailed),
    }
}

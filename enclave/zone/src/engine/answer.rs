//! Released rows as they are told.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, UInt64Type,
    },
};
use octroi_attest::said::MOST_UNFOLDED;
use octroi_proto::wire::v1::{AnswerColumn, AnswerRow, AnswerTable, AnswerValue, answer_value::Value};
use octroi_release::{Literal, Ruling, Type, rounding::Rounding};
use prost::Message as _;

use super::{
    calendar::Written,
    execute::Outcome,
    question::Limits,
    refusal::Cause,
    released::{figures, roundings},
};

/// The answer, if it is within its limits.
///
/// # Errors
/// [`Cause::TooManyRows`].
pub(super) fn answer(ruling: &Ruling, outcome: &Outcome, limits: &Limits) -> Result<AnswerTable, Cause> {
    if outcome.rows.num_rows() > limits.rows {
        return Err(Cause::TooManyRows);
    }
    let cells =
        outcome.rows.num_rows() * (outcome.rows.num_columns() * size_of::<AnswerValue>() + size_of::<AnswerRow>());
    if cells > MOST_UNFOLDED / 2 {
        return Err(Cause::TooManyRows);
    }
    let rounded =
        if outcome.noise_alone { vec![Rounding::None; ruling.output_types().len()] } else { roundings(ruling) };
    let columns = outcome.rows.columns().iter().zip(ruling.output_types()).zip(&ruling.plan().output).zip(rounded);
    let columns =
        columns.map(|(((values, holds), named), rounded)| Told::new(values.as_ref(), *holds, &named.name, rounded));
    let mut columns = columns.collect::<Result<Vec<_>, _>>()?;
    spread(ruling, outcome, &mut columns);
    let noise = noise(ruling, &outcome.rows)?;
    let row = |row: usize| AnswerRow {
        values: columns.iter().map(|column| column.value(row)).collect(),
        noise: noise.get(row).copied().unwrap_or_default(),
    };
    let table = AnswerTable {
        rows: (0..outcome.rows.num_rows()).map(row).collect(),
        keys_without_value: keys_without_value(ruling, &outcome.kept)?,
        columns: columns.into_iter().map(|column| column.column).collect(),
        noise_epsilon: outcome.noise.as_ref().map_or(0, |drawn| drawn.reservation.price().epsilon().milli()),
    };
    if table.encoded_len() > limits.bytes.min(MOST_BYTES) { Err(Cause::TooManyRows) } else { Ok(table) }
}

/// How wide the noise of columns is that are a figure as it is.
fn spread(ruling: &Ruling, outcome: &Outcome, columns: &mut [Told]) {
    let Some(drawn) = &outcome.noise else { return };
    for (column, place) in columns.iter_mut().zip(ruling.shown()) {
        let figure = place.and_then(|place| place.checked_sub(ruling.keys().len()));
        let deviation = figure.and_then(|figure| drawn.deviations.get(figure).copied().flatten());
        // Four digits: it is read by eyes, and back from JSON to the bit.
        column.column.noise_deviation = deviation.and_then(|it| format!("{it:.3e}").parse().ok()).unwrap_or_default();
    }
}

/// Of each row, which of its values have noise.
fn noise(ruling: &Ruling, rows: &RecordBatch) -> Result<Vec<u64>, Cause> {
    let noise = rows.columns().last().and_then(|column| column.as_primitive_opt::<UInt64Type>());
    let noise = noise.ok_or(Cause::EngineFailed)?;
    let figures = figures(ruling);
    let of = |noisy: &u64| {
        let columns = (0..u64::BITS).zip(&figures).filter(|(_, of)| *of & noisy != 0);
        columns.fold(0, |bits, (column, _)| bits | 1 << column)
    };
    Ok(noise.values().iter().map(of).collect())
}

/// One column, its values converted.
struct Told {
    column: AnswerColumn,
    values: Vec<Option<Value>>,
}

impl Told {
    fn new(values: &dyn Array, holds: Type, name: &str, rounded: Rounding) -> Result<Self, Cause> {
        let (values, told) = match holds {
            Type::Boolean => {
                let values = values.as_boolean_opt().ok_or(Cause::EngineFailed)?;
                (values.iter().map(|value| value.map(Value::Boolean)).collect(), "boolean")
            }
            Type::Integer(_) => whole(values)?,
            Type::Float => {
                let values = values.as_primitive_opt::<Float64Type>().ok_or(Cause::EngineFailed)?;
                // No JSON has infinities; a quotient by zero is missing.
                let told = |value: Option<f64>| value.filter(|value| value.is_finite()).map(Value::Float);
                (values.iter().map(told).collect(), "float")
            }
            Type::String => {
                let values = values.as_string_view_opt().ok_or(Cause::EngineFailed)?;
                (values.iter().map(|value| value.map(|value| Value::String(value.to_owned()))).collect(), "string")
            }
            Type::Date => (moments(values)?, "date"),
            Type::Timestamp => (moments(values)?, "timestamp"),
        };
        let column = AnswerColumn {
            name: name.to_owned(),
            r#type: told.to_owned(),
            rounding: rounded.to_string(),
            noise_deviation: 0.0,
        };
        Ok(Self { column, values })
    }

    fn value(&self, row: usize) -> AnswerValue {
        AnswerValue { value: self.values.get(row).cloned().flatten() }
    }
}

type Values = (Vec<Option<Value>>, &'static str);

/// Whole numbers; floats if one of them does not fit into 64 bits.
fn whole(values: &dyn Array) -> Result<Values, Cause> {
    let narrow: Option<Vec<Option<i64>>> = match values.data_type() {
        DataType::Int64 => Some(values.as_primitive::<Int64Type>().iter().collect()),
        DataType::Decimal128(_, 0) => {
            let fit = |value: Option<i128>| value.map(i64::try_from).transpose().ok();
            values.as_primitive::<Decimal128Type>().iter().map(fit).collect()
        }
        DataType::Decimal256(_, 0) => {
            let fit = |value: Option<arrow::datatypes::i256>| match value.map(|value| value.to_i128()) {
                None => Some(None),
                Some(value) => value.and_then(|value| i64::try_from(value).ok()).map(Some),
            };
            values.as_primitive::<Decimal256Type>().iter().map(fit).collect()
        }
        _ => return Err(Cause::EngineFailed),
    };
    if let Some(narrow) = narrow {
        return Ok((narrow.into_iter().map(|value| value.map(Value::Integer)).collect(), "integer"));
    }
    let floats = arrow::compute::cast(values, &DataType::Float64).map_err(|_| Cause::EngineFailed)?;
    let floats = floats.as_primitive_opt::<Float64Type>().ok_or(Cause::EngineFailed)?;
    Ok((floats.iter().map(|value| value.map(Value::Float)).collect(), "float"))
}

/// In RFC 3339; missing where a year has more than four digits.
fn moments(values: &dyn Array) -> Result<Vec<Option<Value>>, Cause> {
    let told = |written: Option<Written>| written.map(|written| Value::String(written.to_string()));
    match values.data_type() {
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>().iter();
            Ok(days.map(|day| told(day.and_then(Written::day))).collect())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let moments = values.as_primitive::<TimestampMicrosecondType>().iter();
            Ok(moments.map(|moment| told(moment.and_then(Written::moment))).collect())
        }
        _ => Err(Cause::EngineFailed),
    }
}

fn keys_without_value(ruling: &Ruling, kept: &RecordBatch) -> Result<Vec<AnswerRow>, Cause> {
    let Some(listed) = ruling.listed_keys() else { return Ok(Vec::new()) };
    let columns = listed.iter().map(|key| kept.columns().get(*key).ok_or(Cause::EngineFailed));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let present =
        (0..kept.num_rows()).filter_map(|row| columns.iter().map(|column| key(column.as_ref(), row)).collect());
    let keys = ruling.keys_without_value(&present.collect::<Vec<_>>());
    let told = |key: Vec<Literal>| AnswerRow {
        values: key.into_iter().map(|value| AnswerValue { value: told(value) }).collect(),
        noise: 0,
    };
    Ok(keys.into_iter().map(told).collect())
}

/// A key's value, of a type that can have a domain.
fn key(column: &dyn Array, row: usize) -> Option<Literal> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8View => Some(Literal::String(column.as_string_view().value(row).to_owned())),
        DataType::Int64 => Some(Literal::Integer(column.as_primitive::<Int64Type>().value(row))),
        _ => None,
    }
}

fn told(value: Literal) -> Option<Value> {
    match value {
        Literal::String(value) => Some(Value::String(value)),
        Literal::Integer(value) => Some(Value::Integer(value)),
        Literal::Null(_) | Literal::Boolean(_) | Literal::Float(_) | Literal::Date(_) | Literal::Timestamp(_) => None,
    }
}

/// Of an answer, whatever its limits: it must fit into a frame.
const MOST_BYTES: usize = octroi_attest::frame::TO_HOST - 4_096;

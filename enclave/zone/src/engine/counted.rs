//! What the engine counted, as the release control reads it: cells of all grouping sets, and what their subjects bring.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

use std::collections::{BTreeMap, HashMap};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, UInt64Type,
    },
};
use octroi_release::{
    Aggregate, Aggregation, CountedCell, FinestCell, Literal, Part, Ruling, Total, Type,
    statistics::{CellStatistics, Contributions},
};

use super::{contributions, refusal::Cause};

/// What was counted of one grouping set.
pub(super) struct CountedSet {
    /// Its place in the plan.
    pub(super) set: usize,
    /// Its cells.
    pub(super) cells: RecordBatch,
    /// Of each unit, what its subjects contribute to the cells.
    pub(super) units: Vec<RecordBatch>,
}

impl CountedSet {
    /// The cells, with what was counted beside each: none where nobody contributes.
    pub(super) fn read(&self, ruling: &Ruling, categories: usize) -> Result<Vec<CountedCell>, Cause> {
        let keys = ruling.plan().sets.get(self.set).map_or(0, Vec::len);
        let holds = ruling.plan().sets.get(self.set).into_iter().flatten();
        let holds: Vec<Type> = holds.filter_map(|key| ruling.keys().get(*key)).map(|key| key.holds).collect();
        let units = self.units.iter().map(|batch| by_key(batch, &holds)).collect::<Result<Vec<_>, _>>()?;
        let of_cells = keys_of(&self.cells, &holds)?;
        let (parts, different) = parts(&self.cells, keys, ruling)?;
        let counted: Vec<usize> =
            (0..ruling.scopes().len()).map(|scope| ruling.told(scope).iter().flatten().count()).collect();
        let mut cells = Vec::with_capacity(of_cells.len());
        for (row, (key, parts)) in of_cells.into_iter().zip(parts).enumerate() {
            let written = spelled(&key);
            let of_units: Vec<Option<&Vec<Contributions>>> = units.iter().map(|unit| unit.get(&written)).collect();
            let mut first = 0;
            let mut scopes = Vec::with_capacity(counted.len());
            for (scope, count) in counted.iter().enumerate() {
                let of_unit = |unit: &Option<&Vec<Contributions>>| {
                    unit.and_then(|all| all.get(first..first + count))
                        .map_or_else(|| vec![Contributions::NONE; *count], <[Contributions]>::to_vec)
                };
                let of_scope = different.iter().skip(scope * categories).take(categories);
                scopes.push(CellStatistics {
                    units: of_units.iter().map(of_unit).collect(),
                    categories: of_scope.filter_map(|column| column.get(row).copied()).collect(),
                });
                first += count;
            }
            cells.push(CountedCell { set: self.set, keys: key, scopes, parts });
        }
        Ok(cells)
    }
}

/// The finest parts, of the units' batches: each with so many measures.
/// And of the categories' batch, if these were counted: each with how many different values there are.
pub(super) fn finest_cells(
    ruling: &Ruling,
    units: &[RecordBatch],
    measures: usize,
    categories: Option<&RecordBatch>,
) -> Result<Vec<FinestCell>, Cause> {
    let of_keys = ruling.keys().iter().map(|key| key.holds);
    let width = units.first().map_or(0, RecordBatch::num_columns).saturating_sub(measures);
    let holds: Vec<Type> = of_keys.chain(std::iter::repeat(Type::Boolean)).take(width).collect();
    let mut parts: BTreeMap<String, FinestCell> = BTreeMap::new();
    for (unit, batch) in units.iter().enumerate() {
        let columns = batch.columns().iter().skip(width).map(|column| contributions::read(column.as_ref()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for (row, keys) in keys_of(batch, &holds)?.into_iter().enumerate() {
            let nobody = || vec![vec![Contributions::NONE; measures]; units.len()];
            let none = || FinestCell { keys: keys.clone(), units: nobody(), categories: Vec::new() };
            let part = parts.entry(spelled(&keys)).or_insert_with(none);
            if let Some(of_unit) = part.units.get_mut(unit) {
                *of_unit = columns.iter().filter_map(|column| column.get(row).copied()).collect();
            }
        }
    }
    for (row, key) in categories.map(|batch| keys_of(batch, &holds)).transpose()?.unwrap_or_default().iter().enumerate()
    {
        let columns = categories.into_iter().flat_map(|batch| batch.columns().iter().skip(width));
        let different = columns.map(|column| Ok(whole(column.as_ref(), row)?.and_then(|it| u64::try_from(it).ok())));
        let different = different.map(|it| it.map(Option::unwrap_or_default)).collect::<Result<_, Cause>>()?;
        parts.get_mut(&spelled(key)).into_iter().for_each(|part| part.categories.clone_from(&different));
    }
    Ok(parts.into_values().collect())
}

/// The number in the only cell of a relation; none if it is missing.
pub(super) fn number(batch: &RecordBatch) -> Result<Option<i128>, Cause> {
    whole(batch.columns().first().ok_or(Cause::EngineFailed)?.as_ref(), 0)
}

/// Each row's contributions, by its key.
fn by_key(batch: &RecordBatch, holds: &[Type]) -> Result<HashMap<String, Vec<Contributions>>, Cause> {
    let columns = batch.columns().iter().skip(holds.len()).map(|column| contributions::read(column.as_ref()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let keys = keys_of(batch, holds)?.into_iter().enumerate();
    Ok(keys
        .map(|(row, key)| (spelled(&key), columns.iter().filter_map(|column| column.get(row).copied()).collect()))
        .collect())
}

/// The whole numbers behind the keys of one grouping set, by the key.
pub(super) fn whole_by_key(
    batch: &RecordBatch,
    ruling: &Ruling,
    set: usize,
) -> Result<HashMap<String, Vec<i64>>, Cause> {
    let holds = ruling.plan().sets.get(set).into_iter().flatten();
    let holds: Vec<Type> = holds.filter_map(|key| ruling.keys().get(*key)).map(|key| key.holds).collect();
    let number = |column: &ArrayRef, row| {
        let number = whole(column.as_ref(), row)?.unwrap_or_default();
        i64::try_from(number).map_err(|_| Cause::EngineFailed)
    };
    let keys = keys_of(batch, &holds)?.into_iter().enumerate();
    keys.map(|(row, key)| {
        let numbers = batch.columns().iter().skip(holds.len()).map(|column| number(column, row));
        Ok((spelled(&key), numbers.collect::<Result<_, Cause>>()?))
    })
    .collect()
}

/// Rows of whole numbers.
pub(super) fn whole_rows(batch: &RecordBatch) -> Result<Vec<Vec<i64>>, Cause> {
    let number = |column: &ArrayRef, row| {
        let number = whole(column.as_ref(), row)?.ok_or(Cause::EngineFailed)?;
        i64::try_from(number).map_err(|_| Cause::EngineFailed)
    };
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| number(column, row)).collect()).collect()
}

/// The keys of each row.
fn keys_of(batch: &RecordBatch, holds: &[Type]) -> Result<Vec<Vec<Literal>>, Cause> {
    (0..batch.num_rows()).map(|row| key(batch.columns(), holds, row)).collect()
}

/// The key of one row, spelled.
pub(super) fn keyed(columns: &[ArrayRef], holds: &[Type], row: usize) -> Result<String, Cause> {
    key(columns, holds, row).map(|key| spelled(&key))
}

/// A key as text: what cells are found by.
pub(super) fn spelled(key: &[Literal]) -> String {
    format!("{key:?}")
}

fn key(columns: &[ArrayRef], holds: &[Type], row: usize) -> Result<Vec<Literal>, Cause> {
    columns.iter().zip(holds).map(|(column, holds)| literal(column, *holds, row)).collect()
}

/// A value of a key, as policies name it.
fn literal(column: &ArrayRef, holds: Type, row: usize) -> Result<Literal, Cause> {
    if column.is_null(row) {
        return Ok(Literal::Null(holds));
    }
    Ok(match column.data_type() {
        DataType::Boolean => Literal::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => Literal::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Literal::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8View => Literal::String(column.as_string_view().value(row).to_owned()),
        DataType::Date32 => Literal::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Literal::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        _ => return Err(Cause::EngineFailed),
    })
}

/// Of each cell the parts of its figures; and the columns behind them, which count different values.
type Parts = (Vec<Vec<Part>>, Vec<Vec<u64>>);

fn parts(cells: &RecordBatch, keys: usize, ruling: &Ruling) -> Result<Parts, Cause> {
    let mut columns = cells.columns().iter().skip(keys);
    let mut of_cells = vec![Vec::new(); cells.num_rows()];
    for aggregate in &ruling.plan().aggregates {
        let taken: Vec<&ArrayRef> = columns.by_ref().take(width(aggregate.of)).collect();
        for (row, parts) in of_cells.iter_mut().enumerate() {
            parts.push(part(aggregate, &taken, row)?);
        }
    }
    let different = |column: &ArrayRef| {
        let counts = (0..column.len()).map(|row| whole(column.as_ref(), row));
        counts.map(|count| u64::try_from(count?.unwrap_or_default()).map_err(|_| Cause::EngineFailed)).collect()
    };
    Ok((of_cells, columns.map(different).collect::<Result<_, _>>()?))
}

/// How many columns a figure's parts are.
fn width(of: Aggregation) -> usize {
    match of {
        Aggregation::CountRows
        | Aggregation::Count
        | Aggregation::CountDistinct
        | Aggregation::Sum
        | Aggregation::Quantile(_) => 1,
        Aggregation::Mean => 2,
        Aggregation::Variance
        | Aggregation::PopulationVariance
        | Aggregation::Deviation
        | Aggregation::PopulationDeviation => 3,
        Aggregation::Correlation
        | Aggregation::Covariance
        | Aggregation::PopulationCovariance
        | Aggregation::Regression(_) => 6,
    }
}

fn part(aggregate: &Aggregate, columns: &[&ArrayRef], row: usize) -> Result<Part, Cause> {
    let column = |place: usize| columns.get(place).map(|column| column.as_ref()).ok_or(Cause::EngineFailed);
    let count = |place| whole(column(place)?, row).map(Option::unwrap_or_default);
    // What is missing is of no value, and no number.
    let number = |place| float(column(place)?, row).map(|number| number.unwrap_or(f64::NAN));
    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are under 2^53")]
    let times = |mean: f64, count: i128| mean * count as f64;
    Ok(match aggregate.of {
        Aggregation::CountRows | Aggregation::Count | Aggregation::CountDistinct => Part::Count(count(0)?),
        Aggregation::Sum => Part::Sum(total(column(0)?, row)?),
        Aggregation::Mean => Part::Mean(total(column(0)?, row)?, count(1)?),
        Aggregation::Quantile(_) => Part::Quantile(float(column(0)?, row)?),
        Aggregation::Variance
        | Aggregation::PopulationVariance
        | Aggregation::Deviation
        | Aggregation::PopulationDeviation => {
            let count = count(0)?;
            let (sums, squares) = ([number(1)?, 0.0], [times(number(2)?, count), 0.0]);
            Part::Spread { count, sums, squares, products: 0.0 }
        }
        Aggregation::Correlation
        | Aggregation::Covariance
        | Aggregation::PopulationCovariance
        | Aggregation::Regression(_) => {
            let count = count(0)?;
            let (mean_x, mean_y, squares_x, squares_y) = (number(1)?, number(2)?, number(3)?, number(4)?);
            let sums = [times(mean_x, count), times(mean_y, count)];
            Part::Spread { count, sums, squares: [squares_x, squares_y], products: number(5)? }
        }
    })
}

fn total(column: &dyn Array, row: usize) -> Result<Option<Total>, Cause> {
    match column.data_type() {
        DataType::Float64 => Ok(float(column, row)?.map(Total::Float)),
        _ => Ok(whole(column, row)?.map(Total::Whole)),
    }
}

fn whole(column: &dyn Array, row: usize) -> Result<Option<i128>, Cause> {
    if row >= column.len() || column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Decimal128(_, 0) => column.as_primitive::<Decimal128Type>().value(row),
        // No sum of 64-bit numbers of any table is longer.
        DataType::Decimal256(_, 0) => {
            column.as_primitive::<Decimal256Type>().value(row).to_i128().ok_or(Cause::EngineFailed)?
        }
        _ => return Err(Cause::EngineFailed),
    }))
}

fn float(column: &dyn Array, row: usize) -> Result<Option<f64>, Cause> {
    let column = column.as_primitive_opt::<Float64Type>().ok_or(Cause::EngineFailed)?;
    Ok(if row >= column.len() || column.is_null(row) { None } else { Some(column.value(row)) })
}

//! Parquet, not encrypted, of flat columns.

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use ::parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::ParquetError,
    file::{
        metadata::{PageIndexPolicy, ParquetMetaData},
        reader::{ChunkReader, Length},
    },
};
use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, TimeUnit},
};
use bytes::Bytes;

use super::{
    LoadError, Stop,
    report::{Failure, Rule},
    rows::Rows,
    unseal::Plaintext,
    value::{Cell, Value},
};
use crate::table::{Kind, Schema};

/// Reads rows until the last row group's end.
pub(super) fn read(plaintext: Plaintext, schema: &Schema, memory_bytes: u64, rows: &mut Rows) -> Result<(), Stop> {
    let file = Source::new(plaintext)?;
    let options =
        ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(PageIndexPolicy::Skip);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(unread)?;
    bounded(builder.metadata(), memory_bytes)?;
    let places = places(builder.schema(), schema)?;
    let reader = builder.with_projection(ProjectionMask::all()).with_batch_size(BATCH_ROWS).build().map_err(unread)?;
    let mut number = 0;
    for batch in reader {
        let batch = batch.map_err(|_| Failure::NotParquet)?;
        let columns = Columns::new(&batch, &places, schema)?;
        for row in 0..batch.num_rows() {
            number += 1;
            rows.row(number, &columns.cells(row))?;
        }
    }
    Ok(())
}

/// What a row group says it needs in memory is looked at before it is decoded.
fn bounded(metadata: &ParquetMetaData, memory_bytes: u64) -> Result<(), Failure> {
    let most = memory_bytes.max(LEAST_MEMORY_BYTES) / 2;
    let small = metadata.row_groups().iter().all(|group| {
        let mut sizes = group.columns().iter().map(|column| u64::try_from(column.uncompressed_size()).ok());
        let total = sizes.try_fold(0_u64, |total, size| total.checked_add(size?));
        total.is_some_and(|total| total <= most)
    });
    if small { Ok(()) } else { Err(Failure::TooLarge) }
}

/// Where each declared column is in the file; as with a CSV's header.
fn places(file: &arrow::datatypes::Schema, schema: &Schema) -> Result<Vec<Option<usize>>, Failure> {
    let mut places = vec![None; schema.columns().len()];
    for (at, field) in file.fields().iter().enumerate() {
        if field.data_type().is_nested() {
            return Err(Failure::TooDeep);
        }
        let position = schema.position(field.name()).ok_or(Failure::Header)?;
        let kind = schema.columns().get(position).ok_or(Failure::Header)?.kind;
        let place = places.get_mut(position).ok_or(Failure::Header)?;
        if place.replace(at).is_some() || !fits(field.data_type(), kind) {
            return Err(Failure::Header);
        }
    }
    let lacks_one = schema.columns().iter().zip(&places).any(|(column, place)| !column.nullable && place.is_none());
    if lacks_one { Err(Failure::Header) } else { Ok(places) }
}

/// Whether values of this type can be taken as of this kind; each one still has to fit.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow's types are many, ours few")]
fn fits(stored: &DataType, kind: Kind) -> bool {
    match stored {
        DataType::Dictionary(_, values) => fits(values, kind),
        DataType::Boolean => kind == Kind::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => kind == Kind::Float,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => kind == Kind::Text,
        DataType::Date32 => matches!(kind, Kind::Date | Kind::Timestamp),
        DataType::Timestamp(_, _) => kind == Kind::Timestamp,
        whole if whole.is_integer() => matches!(kind, Kind::Integer | Kind::Float),
        _ => false,
    }
}

/// One batch's columns, as the schema orders them.
struct Columns {
    columns: Vec<Option<Converted>>,
}

/// A column in its kind's Arrow type, and which of its rows had a value before.
struct Converted {
    values: Values,
    before: ArrayRef,
}

enum Values {
    Boolean(BooleanArray),
    Integer(Int64Array),
    Float(Float64Array),
    Text(StringArray),
    Date(Date32Array),
    Timestamp(TimestampMicrosecondArray),
}

impl Columns {
    fn new(batch: &RecordBatch, places: &[Option<usize>], schema: &Schema) -> Result<Self, Stop> {
        let column = |(place, column): (&Option<usize>, &crate::table::Column)| {
            let array = place.and_then(|place| batch.columns().get(place));
            array.map(|array| Converted::new(array, column.kind)).transpose()
        };
        Ok(Self { columns: places.iter().zip(schema.columns()).map(column).collect::<Result<_, _>>()? })
    }

    fn cells(&self, row: usize) -> Vec<Cell<'_>> {
        self.columns.iter().map(|column| column.as_ref().map_or(Ok(None), |column| column.cell(row))).collect()
    }
}

impl Converted {
    fn new(array: &ArrayRef, kind: Kind) -> Result<Self, Stop> {
        // What does not fit becomes null, and is told from a value that was missing by the array before.
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let wanted = match kind {
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Boolean | Kind::Integer | Kind::Float | Kind::Text | Kind::Date => kind.stored(),
        };
        let cast = cast_with_options(array, &wanted, &options).map_err(|_| LoadError::Failed)?;
        let any = cast.as_any();
        let values = match kind {
            Kind::Boolean => any.downcast_ref().cloned().map(Values::Boolean),
            Kind::Integer => any.downcast_ref().cloned().map(Values::Integer),
            Kind::Float => any.downcast_ref().cloned().map(Values::Float),
            Kind::Text => any.downcast_ref().cloned().map(Values::Text),
            Kind::Date => any.downcast_ref().cloned().map(Values::Date),
            Kind::Timestamp => any.downcast_ref().cloned().map(Values::Timestamp),
        };
        Ok(Self { values: values.ok_or(LoadError::Failed)?, before: Arc::clone(array) })
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        if self.before.is_null(row) {
            return Ok(None);
        }
        if self.values.array().is_null(row) {
            return Err(Rule::Type);
        }
        Ok(Some(match &self.values {
            Values::Boolean(values) => Value::Boolean(values.value(row)),
            Values::Integer(values) => Value::Integer(values.value(row)),
            Values::Float(values) => Value::Float(values.value(row)),
            Values::Text(values) => Value::Text(values.value(row)),
            Values::Date(values) => Value::Date(values.value(row)),
            Values::Timestamp(values) => Value::Timestamp(values.value(row)),
        }))
    }
}

impl Values {
    fn array(&self) -> &dyn Array {
        match self {
            Self::Boolean(values) => values,
            Self::Integer(values) => values,
            Self::Float(values) => values,
            Self::Text(values) => values,
            Self::Date(values) => values,
            Self::Timestamp(values) => values,
        }
    }
}

/// Plaintext that is read here and there.
struct Source {
    plaintext: Arc<Mutex<Plaintext>>,
    length: u64,
}

/// Reads on from a place of its own.
struct Place {
    plaintext: Arc<Mutex<Plaintext>>,
    position: u64,
}

impl Source {
    /// Finding the end authenticates the last chunk: a file cut short is seen at once.
    fn new(mut plaintext: Plaintext) -> Result<Self, Stop> {
        let length = plaintext.seek(SeekFrom::End(0))?;
        Ok(Self { plaintext: Arc::new(Mutex::new(plaintext)), length })
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Source {
    type T = BufReader<Place>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let place = Place { plaintext: Arc::clone(&self.plaintext), position: start };
        Ok(BufReader::with_capacity(HEADER_BYTES, place))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF("beyond the end".to_owned());
        // Before memory is taken for it.
        let end = start.checked_add(length as u64).ok_or_else(outside)?;
        if end > self.length {
            return Err(outside());
        }
        let mut bytes = vec![0; length];
        let mut place = Place { plaintext: Arc::clone(&self.plaintext), position: start };
        place.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

impl Read for Place {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut plaintext = self.plaintext.lock().unwrap_or_else(PoisonError::into_inner);
        plaintext.seek(SeekFrom::Start(self.position))?;
        let read = plaintext.read(buffer)?;
        self.position = self.position.saturating_add(read as u64);
        Ok(read)
    }
}

fn unread(_: ParquetError) -> Failure {
    Failure::NotParquet
}

const BATCH_ROWS: usize = 8 * 1024;
const HEADER_BYTES: usize = 4 * 1024;
const LEAST_MEMORY_BYTES: u64 = 64 << 20;

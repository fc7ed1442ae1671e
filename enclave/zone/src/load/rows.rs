//! Checked rows, gathered, put in order and written.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
        TimestampMicrosecondBuilder,
    },
    compute::{sort_to_indices, take_record_batch},
};
use octroi_proto::wire::zone;

use super::{
    LoadError, Stop,
    output::Output,
    report::{Failure, Report, Rule},
    value::{Cell, Value},
};
use crate::table::{FIRST_OFFSET, Kind, Schema, WriteError, Writer};

/// Takes rows in, holding at most one row group.
pub(super) struct Rows {
    schema: Schema,
    builders: Vec<Builder>,
    pending: usize,
    pending_bytes: usize,
    most_bytes: usize,
    writer: Writer<Output>,
    report: Report,
}

enum Builder {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Rows {
    pub(super) fn new(schema: Schema, writer: Writer<Output>, memory_bytes: u64) -> Self {
        // The rows, their sorted copy and their encoding are in memory at one time.
        let share = usize::try_from(memory_bytes / 8).unwrap_or(usize::MAX);
        Self {
            builders: schema.columns().iter().map(|column| Builder::new(column.kind)).collect(),
            schema,
            pending: 0,
            pending_bytes: 0,
            most_bytes: share.clamp(LEAST_GROUP_BYTES, MOST_GROUP_BYTES),
            writer,
            report: Report::default(),
        }
    }

    /// Takes a row, numbered from 1, with one cell for each column; or counts what is wrong with it.
    pub(super) fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), Stop> {
        let columns = self.schema.columns();
        let judged = columns.iter().zip(cells).map(|(column, cell)| match *cell {
            Ok(None) if !column.nullable => Err((Rule::Missing, column.name.as_str())),
            Ok(None) => Ok(None),
            Ok(Some(value)) => value.check(column).map(Some).map_err(|rule| (rule, column.name.as_str())),
            Err(rule) => Err((rule, column.name.as_str())),
        });
        let mut broken = judged.clone().filter_map(Result::err).peekable();
        if cells.len() != columns.len() {
            self.report.bad(number, [(Rule::Columns, "")]);
            return Ok(());
        }
        if broken.peek().is_some() {
            self.report.bad(number, broken);
            return Ok(());
        }
        for (builder, value) in self.builders.iter_mut().zip(judged.flatten()) {
            self.pending_bytes += value.map_or(1, Value::size);
            // INVARIANT: a value has its column's kind; were it not so, arrays of unequal length are no batch.
            builder.append(value);
        }
        self.pending += 1;
        if self.pending >= MOST_GROUP_ROWS || self.pending_bytes >= self.most_bytes { self.flush() } else { Ok(()) }
    }

    /// Counts a row that could not be read at all.
    pub(super) fn bad(&mut self, number: u64, rule: Rule) {
        self.report.bad(number, [(rule, "")]);
    }

    /// Ends the file and syncs it.
    pub(super) fn finish(mut self) -> Result<zone::Loaded, Stop> {
        self.flush()?;
        let (pins, output) = self.writer.finish().map_err(stopped)?;
        if pins.rows() == 0 {
            return Ok(zone::Loaded { report: Some(self.report.told(0, Some(Failure::NoValidRow))), file: None });
        }
        output.finish().map_err(|error| stopped(WriteError::Output(error)))?;
        let file = Some(pins.table_file(FIRST_OFFSET));
        Ok(zone::Loaded { report: Some(self.report.told(pins.rows(), None)), file })
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if self.pending == 0 {
            return Ok(());
        }
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        (self.pending, self.pending_bytes) = (0, 0);
        let rows = RecordBatch::try_new(self.schema.stored(), arrays).map_err(|_| LoadError::Failed)?;
        let ordered = self.by_subject(rows)?;
        self.writer.write(&ordered).map_err(stopped)
    }

    /// Rows of one subject next to each other, which makes counting subjects cheaper.
    fn by_subject(&self, rows: RecordBatch) -> Result<RecordBatch, LoadError> {
        let Some(subjects) = self.schema.subjects().first().and_then(|first| rows.columns().get(*first)) else {
            return Ok(rows);
        };
        let order = sort_to_indices(subjects, None, None).map_err(|_| LoadError::Failed)?;
        take_record_batch(&rows, &order).map_err(|_| LoadError::Failed)
    }
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::Float => Self::Float(Float64Builder::new()),
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    fn append(&mut self, value: Option<Value<'_>>) {
        match (self, value) {
            (Self::Boolean(builder), Some(Value::Boolean(value))) => builder.append_value(value),
            (Self::Integer(builder), Some(Value::Integer(value))) => builder.append_value(value),
            (Self::Float(builder), Some(Value::Float(value))) => builder.append_value(value),
            (Self::Text(builder), Some(Value::Text(value))) => builder.append_value(value),
            (Self::Date(builder), Some(Value::Date(value))) => builder.append_value(value),
            (Self::Timestamp(builder), Some(Value::Timestamp(value))) => builder.append_value(value),
            (Self::Boolean(builder), None) => builder.append_null(),
            (Self::Integer(builder), None) => builder.append_null(),
            (Self::Float(builder), None) => builder.append_null(),
            (Self::Text(builder), None) => builder.append_null(),
            (Self::Date(builder), None) => builder.append_null(),
            (Self::Timestamp(builder), None) => builder.append_null(),
            (
                Self::Boolean(_)
                | Self::Integer(_)
                | Self::Float(_)
                | Self::Text(_)
                | Self::Date(_)
                | Self::Timestamp(_),
                Some(_),
            ) => {}
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A full output is the input's fault.
fn stopped(error: WriteError) -> Stop {
    match error {
        WriteError::Output(error) if error.kind() == std::io::ErrorKind::StorageFull => Failure::TooLarge.into(),
        WriteError::Output(_) | WriteError::Keys | WriteError::Parquet => LoadError::Write(error).into(),
    }
}

const MOST_GROUP_ROWS: usize = 256 * 1024;
const LEAST_GROUP_BYTES: usize = 1 << 20;
const MOST_GROUP_BYTES: usize = 64 << 20;

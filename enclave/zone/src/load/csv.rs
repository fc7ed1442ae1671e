//! RFC 4180 with a header of column names, in any order.

use std::io::{BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, Reader};

use super::{
    Stop,
    report::{Failure, Rule},
    rows::Rows,
    value::{Cell, Value},
};
use crate::table::Schema;

/// Reads rows until the input ends.
pub(super) fn read(plaintext: impl Read, schema: &Schema, rows: &mut Rows) -> Result<(), Stop> {
    let mut records = Records::new(plaintext);
    let header = records.next()?.ok_or(Failure::Header)?;
    let header = Header::parse(&header, schema)?;
    let mut number = 0;
    while let Some(record) = records.next()? {
        number += 1;
        if !record.is_well_formed() {
            rows.bad(number, Rule::Syntax);
        } else if record.len() != header.fields {
            rows.bad(number, Rule::Columns);
        } else {
            rows.row(number, &header.cells(&record, schema))?;
        }
    }
    Ok(())
}

/// Where in a record each declared column is.
struct Header {
    fields: usize,
    places: Vec<Option<usize>>,
}

impl Header {
    /// Every name is a declared column's, and those that a row may not lack are there.
    fn parse(record: &Record<'_>, schema: &Schema) -> Result<Self, Failure> {
        let mut places = vec![None; schema.columns().len()];
        for field in 0..record.len() {
            let column = record.text(field).ok().and_then(|name| schema.position(name)).ok_or(Failure::Header)?;
            let place = places.get_mut(column).ok_or(Failure::Header)?;
            if place.replace(field).is_some() {
                return Err(Failure::Header);
            }
        }
        let lacks_one = schema.columns().iter().zip(&places).any(|(column, place)| !column.nullable && place.is_none());
        if lacks_one { Err(Failure::Header) } else { Ok(Self { fields: record.len(), places }) }
    }

    fn cells<'r>(&self, record: &'r Record<'_>, schema: &Schema) -> Vec<Cell<'r>> {
        let cell = |(column, place): (&crate::table::Column, &Option<usize>)| {
            let Some(place) = place else { return Ok(None) };
            match record.text(*place)? {
                "" => Ok(None),
                text => Value::from_text(column.kind, text).map(Some),
            }
        };
        schema.columns().iter().zip(&self.places).map(cell).collect()
    }
}

/// Records one after the other, in memory that grows to [`MOST_RECORD_BYTES`].
struct Records<R> {
    input: BufReader<R>,
    parser: Reader,
    fields: Vec<u8>,
    ends: Vec<usize>,
}

/// One record.
struct Record<'a> {
    fields: &'a [u8],
    ends: &'a [usize],
    quotes: usize,
}

impl<R: Read> Records<R> {
    fn new(input: R) -> Self {
        let input = BufReader::with_capacity(INPUT_BYTES, input);
        Self { input, parser: Reader::new(), fields: vec![0; LEAST_RECORD_BYTES], ends: vec![0; MOST_FIELDS] }
    }

    fn next(&mut self) -> Result<Option<Record<'_>>, Stop> {
        let (mut filled, mut ended, mut quotes) = (0, 0, 0);
        loop {
            let input = self.input.fill_buf()?;
            let fields = self.fields.get_mut(filled..).unwrap_or_default();
            let ends = self.ends.get_mut(ended..).unwrap_or_default();
            let (result, read, written, found) = self.parser.read_record(input, fields, ends);
            quotes += input.iter().take(read).filter(|byte| **byte == b'"').count();
            self.input.consume(read);
            filled += written;
            ended += found;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() < MOST_RECORD_BYTES => {
                    self.fields.resize(self.fields.len() * 2, 0);
                }
                // More likely a quote that is never closed than a row.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return Err(Failure::NotCsv.into()),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        let fields = self.fields.get(..filled).unwrap_or_default();
        Ok(Some(Record { fields, ends: self.ends.get(..ended).unwrap_or_default(), quotes }))
    }
}

impl Record<'_> {
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether every quote has its other one; the parser lets it pass.
    fn is_well_formed(&self) -> bool {
        self.quotes.is_multiple_of(2)
    }

    fn text(&self, field: usize) -> Result<&str, Rule> {
        let start = field.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        let bytes = start.zip(self.ends.get(field)).and_then(|(start, end)| self.fields.get(*start..*end));
        str::from_utf8(bytes.ok_or(Rule::Columns)?).map_err(|_| Rule::Syntax)
    }
}

const INPUT_BYTES: usize = 64 * 1024;
const LEAST_RECORD_BYTES: usize = 64 * 1024;
const MOST_RECORD_BYTES: usize = 1 << 20;
const MOST_FIELDS: usize = 1_000;

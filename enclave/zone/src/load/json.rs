//! JSON lines: one flat object a line.

use std::{
    borrow::Cow,
    fmt,
    io::{BufRead, BufReader, Read},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{
    Stop,
    report::Rule,
    rows::Rows,
    value::{Cell, Value},
};
use crate::table::{Kind, Schema};

/// Reads rows until the input ends. Empty lines are no rows.
pub(super) fn read(plaintext: impl Read, schema: &Schema, rows: &mut Rows) -> Result<(), Stop> {
    let mut lines = Lines { input: BufReader::with_capacity(INPUT_BYTES, plaintext), line: Vec::new() };
    let mut number = 0;
    while let Some(line) = lines.next()? {
        if line.is_ok_and(|line| line.trim_ascii().is_empty()) {
            continue;
        }
        number += 1;
        match line.and_then(|line| row(line, schema)) {
            Ok(row) => rows.row(number, &cells(&row, schema))?,
            Err(rule) => rows.bad(number, rule),
        }
    }
    Ok(())
}

/// Lines one after the other, in memory that grows to [`MOST_LINE_BYTES`].
struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// The next line without its end; one that is too long is passed over.
    fn next(&mut self) -> Result<Option<Result<&[u8], Rule>>, Stop> {
        self.line.clear();
        let (mut any, mut too_long) = (false, false);
        loop {
            let input = self.input.fill_buf()?;
            if input.is_empty() {
                break;
            }
            any = true;
            let end = input.iter().position(|byte| *byte == b'\n');
            let part = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
            too_long |= self.line.len() + part.len() > MOST_LINE_BYTES;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let read = part.len() + usize::from(end.is_some());
            self.input.consume(read);
            if end.is_some() {
                break;
            }
        }
        let line = if too_long { Err(Rule::Length) } else { Ok(self.line.as_slice()) };
        Ok(any.then_some(line))
    }
}

/// A value as JSON has it.
enum Scalar<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// An object, an array, or a number beyond 64 bits.
    Other,
}

/// By column; the outer `None` where the line does not name it.
type Row<'a> = Vec<Option<Scalar<'a>>>;

/// Parses a line.
fn row<'a>(line: &'a [u8], schema: &Schema) -> Result<Row<'a>, Rule> {
    let mut unknown = false;
    let mut parser = serde_json::Deserializer::from_slice(line);
    let row = Object { schema, unknown: &mut unknown }.deserialize(&mut parser);
    let row = row.and_then(|row| parser.end().map(|()| row)).map_err(|_| Rule::Syntax)?;
    if unknown { Err(Rule::Columns) } else { Ok(row) }
}

fn cells<'a>(row: &'a Row<'_>, schema: &Schema) -> Vec<Cell<'a>> {
    let cell = |(column, scalar): (&crate::table::Column, &'a Option<Scalar<'_>>)| {
        scalar.as_ref().map_or(Ok(None), |scalar| scalar.value(column.kind))
    };
    schema.columns().iter().zip(row).map(cell).collect()
}

impl Scalar<'_> {
    fn value(&self, kind: Kind) -> Cell<'_> {
        match (self, kind) {
            (Self::Null, _) => Ok(None),
            (Self::Boolean(value), Kind::Boolean) => Ok(Some(Value::Boolean(*value))),
            (Self::Integer(value), Kind::Integer) => Ok(Some(Value::Integer(*value))),
            #[expect(clippy::cast_precision_loss, reason = "JSON has one kind of number")]
            (Self::Integer(value), Kind::Float) => Ok(Some(Value::Float(*value as f64))),
            (Self::Float(value), Kind::Float) => Ok(Some(Value::Float(*value))),
            (Self::Text(text), Kind::Text | Kind::Date | Kind::Timestamp) => Value::from_text(kind, text).map(Some),
            (Self::Boolean(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) | Self::Other, _) => Err(Rule::Type),
        }
    }
}

/// Reads an object's members into the places of their columns.
struct Object<'s> {
    schema: &'s Schema,
    unknown: &'s mut bool,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Row<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Row<'de>, A::Error> {
        let mut row: Row<'de> = self.schema.columns().iter().map(|_| None).collect();
        while let Some(name) = members.next_key::<Name<'de>>()? {
            let Some(place) = self.schema.position(&name.0).and_then(|column| row.get_mut(column)) else {
                *self.unknown = true;
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            if place.replace(members.next_value()?).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(row)
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(name) => Ok(Self(name)),
            Scalar::Null | Scalar::Boolean(_) | Scalar::Integer(_) | Scalar::Float(_) | Scalar::Other => {
                Err(D::Error::custom("a member's name is text"))
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Other, Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar<'de>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

const INPUT_BYTES: usize = 64 * 1024;
const MOST_LINE_BYTES: usize = 1 << 20;

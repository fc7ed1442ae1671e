//! An answer as one JSON object: what HTTPS answers and `octroi query --json` prints, and, read back, what a receipt is
//! held against.

use octroi_proto::wire::v1::{self, AnswerColumn, AnswerRow, AnswerTable, AnswerValue, answer_value::Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ReceiptFile;

/// `{"verdict": "released", "columns": [..], "rows": [[..]], "keys_without_value": [[..]], "receipt": {..}}`, or
/// `{"verdict": "refused", "refusal": {"code": .., "text": ..}}`.
#[derive(Debug, Serialize)]
pub struct AnswerObject {
    verdict: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    table: Option<TableObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalObject>,
}

#[derive(Debug, Serialize)]
struct TableObject {
    columns: Vec<ColumnObject>,
    rows: Vec<Vec<serde_json::Value>>,
    keys_without_value: Vec<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<NoiseObject>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ColumnObject {
    name: String,
    r#type: String,
    rounding: String,
    /// The standard deviation of its noise, where it has some.
    #[serde(default, skip_serializing_if = "is_nothing")]
    noise_deviation: f64,
}

/// What of an answer has noise.
#[derive(Debug, Default, Serialize, Deserialize)]
struct NoiseObject {
    /// Thousandths of epsilon at a delta of one in a million.
    epsilon_thousandths: u32,
    /// Row and column of each value that has some, from 0.
    values: Vec<[usize; 2]>,
}

#[derive(Debug, Serialize)]
struct RefusalObject {
    code: String,
    text: String,
}

/// Text that is no such object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a released answer as `octroi query --json` printed it")]
pub struct InvalidAnswer;

impl AnswerObject {
    /// A refusal with this code and text.
    pub fn refused(code: impl Into<String>, text: impl Into<String>) -> Self {
        let refusal = RefusalObject { code: code.into(), text: text.into() };
        Self { verdict: "refused", table: None, receipt: None, refusal: Some(refusal) }
    }

    /// Its text, on one line.
    ///
    /// # Errors
    /// None that an answer gives.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

impl From<&v1::Answer> for AnswerObject {
    fn from(answer: &v1::Answer) -> Self {
        if answer.verdict() != v1::Verdict::Released {
            let v1::QueryRefusal { code, text } = answer.refusal.clone().unwrap_or_default();
            return Self::refused(code, text);
        }
        let AnswerTable { columns, rows, keys_without_value, noise_epsilon } = answer.table.clone().unwrap_or_default();
        let noise =
            (noise_epsilon > 0).then(|| NoiseObject { epsilon_thousandths: noise_epsilon, values: noisy(&rows) });
        let table = TableObject {
            columns: columns
                .into_iter()
                .map(|AnswerColumn { name, r#type, rounding, noise_deviation }| ColumnObject {
                    name,
                    r#type,
                    rounding,
                    noise_deviation,
                })
                .collect(),
            rows: rows.iter().map(values).collect(),
            keys_without_value: keys_without_value.iter().map(values).collect(),
            noise,
        };
        let receipt = answer.receipt.as_ref().and_then(ReceiptFile::new);
        Self { verdict: "released", table: Some(table), receipt, refusal: None }
    }
}

/// Row and column of every value with noise.
fn noisy(rows: &[AnswerRow]) -> Vec<[usize; 2]> {
    let of = |(row, it): (usize, &AnswerRow)| {
        let noise = it.noise;
        (0..it.values.len().min(64)).filter(move |column| noise >> column & 1 == 1).map(move |column| [row, column])
    };
    rows.iter().enumerate().flat_map(of).collect()
}

fn is_nothing(deviation: &f64) -> bool {
    *deviation == 0.0
}

fn values(row: &AnswerRow) -> Vec<serde_json::Value> {
    let value = |value: &AnswerValue| match &value.value {
        None => serde_json::Value::Null,
        Some(Value::Boolean(it)) => (*it).into(),
        Some(Value::Integer(it)) => (*it).into(),
        Some(Value::Float(it)) => (*it).into(),
        Some(Value::String(it)) => it.as_str().into(),
    };
    row.values.iter().map(value).collect()
}

/// The table of an answer that was printed. Numbers are read digit by digit: a float comes back as it was.
///
/// # Errors
/// [`InvalidAnswer`].
pub fn parse_answer(text: &str) -> Result<AnswerTable, InvalidAnswer> {
    #[derive(Deserialize)]
    struct Written<'a> {
        columns: Vec<ColumnObject>,
        #[serde(borrow)]
        rows: Vec<Vec<&'a RawValue>>,
        #[serde(borrow)]
        keys_without_value: Vec<Vec<&'a RawValue>>,
        #[serde(default)]
        noise: NoiseObject,
    }
    let Written { columns, rows, keys_without_value, noise } = serde_json::from_str(text).map_err(|_| InvalidAnswer)?;
    let cell = |(raw, column): (&&RawValue, &ColumnObject)| read(raw.get(), column.r#type == "float");
    let row = |row: &Vec<&RawValue>| {
        let values = row.iter().zip(&columns).map(cell).collect::<Result<_, _>>()?;
        if row.len() == columns.len() { Ok(AnswerRow { values, noise: 0 }) } else { Err(InvalidAnswer) }
    };
    // Keys are of strings and integers alone.
    let key = |key: &Vec<&RawValue>| {
        Ok(AnswerRow { values: key.iter().map(|raw| read(raw.get(), false)).collect::<Result<_, _>>()?, noise: 0 })
    };
    let mut rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    for [row, column] in noise.values {
        let it = rows.get_mut(row).filter(|it| column < it.values.len().min(64)).ok_or(InvalidAnswer)?;
        it.noise |= 1 << column;
    }
    Ok(AnswerTable {
        rows,
        noise_epsilon: noise.epsilon_thousandths,
        keys_without_value: keys_without_value.iter().map(key).collect::<Result<_, _>>()?,
        columns: columns
            .into_iter()
            .map(|ColumnObject { name, r#type, rounding, noise_deviation }| AnswerColumn {
                name,
                r#type,
                rounding,
                noise_deviation,
            })
            .collect(),
    })
}

fn read(raw: &str, float: bool) -> Result<AnswerValue, InvalidAnswer> {
    let value = match raw.as_bytes().first() {
        Some(b'n') => None,
        Some(b't' | b'f') => Some(Value::Boolean(raw == "true")),
        Some(b'"') => Some(Value::String(serde_json::from_str(raw).map_err(|_| InvalidAnswer)?)),
        Some(_) if float => Some(Value::Float(raw.parse().map_err(|_| InvalidAnswer)?)),
        Some(_) => Some(Value::Integer(raw.parse().map_err(|_| InvalidAnswer)?)),
        None => return Err(InvalidAnswer),
    };
    Ok(AnswerValue { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(rows: Vec<(Option<f64>, i64, String, bool)>) -> AnswerTable {
        let column = |kind: &str| AnswerColumn {
            name: kind.into(),
            r#type: kind.into(),
            rounding: "none".into(),
            noise_deviation: if kind == "integer" { 38.73 } else { 0.0 },
        };
        let value = |value| AnswerValue { value };
        let row = |(float, integer, text, boolean): (Option<f64>, i64, String, bool)| AnswerRow {
            values: vec![
                value(float.map(Value::Float)),
                value(Some(Value::Integer(integer))),
                value(Some(Value::String(text))),
                value(Some(Value::Boolean(boolean))),
            ],
            noise: if integer % 2 == 0 { 0b11 } else { 0 },
        };
        AnswerTable {
            columns: ["float", "integer", "string", "boolean"].map(column).into(),
            rows: rows.into_iter().map(row).collect(),
            keys_without_value: vec![AnswerRow { values: vec![value(Some(Value::Integer(7)))], noise: 0 }],
            noise_epsilon: 500,
        }
    }

    #[test]
    fn a_refusal_reads_as_every_client_sees_it() {
        let object = AnswerObject::refused("not_released", "no answer is released");
        let expected = r#"{"verdict":"refused","refusal":{"code":"not_released","text":"no answer is released"}}"#;
        assert_eq!(object.to_json().unwrap(), expected);
    }

    proptest! {
        #[test]
        fn an_answer_that_was_printed_is_read_back_to_the_bit(
            rows in proptest::collection::vec(
                (proptest::option::of(proptest::num::f64::NORMAL | proptest::num::f64::ZERO), any::<i64>(), ".*", any::<bool>()),
                0..5,
            ),
        ) {
            let table = table(rows);
            let answer = v1::Answer {
                verdict: v1::Verdict::Released.into(),
                table: Some(table.clone()),
                ..v1::Answer::default()
            };
            let text = AnswerObject::from(&answer).to_json().unwrap();
            prop_assert_eq!(parse_answer(&text).unwrap(), table);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = parse_answer(&text);
        }
    }
}

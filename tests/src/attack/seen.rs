//! What whoever asks gets to see.

use serde_json::Value;

use super::table::MISSING;

/// An answer, or that there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Groups.
    Rows(Vec<Row>),
    /// Withheld: the one refusal.
    Refused,
    /// Not allowed whatever the data, and why.
    Rejected(String),
}

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its keys, as they are told.
    pub keys: Vec<String>,
    /// Its figures; none for what was withheld.
    pub figures: Vec<Option<f64>>,
}

impl Seen {
    /// From what `octroi query --json` prints of a question with so many keys.
    pub fn of(answer: &Value, keys: usize) -> Self {
        if answer["verdict"] != "released" {
            let refusal = &answer["refusal"];
            return match refusal["code"].as_str() {
                Some("not_released") => Self::Refused,
                _ => Self::Rejected(format!("{}: {}", refusal["code"], refusal["text"])),
            };
        }
        let key = |value: &Value| match value {
            Value::Null => MISSING.to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = |row: &Value| {
            let cells = row.as_array().map(Vec::as_slice).unwrap_or_default();
            let (keys, figures) = cells.split_at(keys.min(cells.len()));
            Row { keys: keys.iter().map(key).collect(), figures: figures.iter().map(Value::as_f64).collect() }
        };
        Self::Rows(answer["rows"].as_array().into_iter().flatten().map(row).collect())
    }

    /// Its groups; none where it was refused.
    pub fn rows(&self) -> &[Row] {
        match self {
            Self::Rows(rows) => rows,
            Self::Refused | Self::Rejected(_) => &[],
        }
    }

    /// The group with these keys.
    pub fn row(&self, keys: &[&str]) -> Option<&Row> {
        self.rows().iter().find(|row| row.keys == keys)
    }
}

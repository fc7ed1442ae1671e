//! What commands print: aligned tables for eyes, JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use octroi_proto::{to_json, wire::v1};
use prost::{Message, Name};
use serde_json::Value;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// JSON instead of text.
    pub(crate) json: bool,
}

impl Output {
    /// One line for eyes; nothing for programs.
    pub(crate) fn say(self, sentence: impl AsRef<str>) {
        if !self.json {
            line(sentence.as_ref());
        }
    }

    /// A message: JSON, or the sentence.
    pub(crate) fn done<M: Message + Name>(self, message: &M, sentence: impl AsRef<str>) {
        if self.json {
            self.value(&to_json(message));
        } else {
            line(sentence.as_ref());
        }
    }

    /// One JSON value on one line.
    pub(crate) fn value(self, value: &Value) {
        line(&value.to_string());
    }

    /// A list: one JSON object a line, or a table.
    pub(crate) fn list<M: Message + Name>(self, items: &[M], columns: &[&str], row: impl Fn(&M) -> Vec<String>) {
        if self.json {
            for item in items {
                self.value(&to_json(item));
            }
        } else if items.is_empty() {
            line("nothing to show");
        } else {
            let mut table = aligned();
            table.set_header(columns.iter().map(|column| column.to_uppercase()));
            for item in items {
                table.add_row(row(item));
            }
            show(&table);
        }
    }

    /// Rows for eyes, under a header; nothing for programs.
    pub(crate) fn rows(self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        if self.json {
            return;
        }
        let mut table = aligned();
        table.set_header(header);
        table.add_rows(rows);
        show(&table);
    }

    /// Names and values for eyes; nothing for programs.
    pub(crate) fn fields<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) {
        if self.json {
            return;
        }
        let mut table = aligned();
        table.add_rows(fields.into_iter().map(|(name, value)| [name, value]));
        show(&table);
    }

    /// A message field by field: JSON, or a table of two columns.
    pub(crate) fn record<M: Message + Name>(self, message: &M) {
        let value = to_json(message);
        if self.json {
            return self.value(&value);
        }
        let mut table = aligned();
        flatten(&mut table, "", &value);
        show(&table);
    }
}

/// A table without lines, as wide as the terminal.
fn aligned() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn show(table: &Table) {
    for text in table.to_string().lines() {
        line(text.trim_end());
    }
}

fn flatten(table: &mut Table, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let path = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(table, &path, value);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let words: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            table.add_row([name, &words.join(", ")]);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(table, &format!("{name}[{index}]"), item);
            }
        }
        Value::String(text) => {
            table.add_row([name, text]);
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => {
            table.add_row([name, &other.to_string()]);
        }
    }
}

/// Prints a line; a reader that has gone away is no error.
pub(super) fn line(text: &str) {
    let _gone = writeln!(io::stdout().lock(), "{text}");
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn bar(length: u64, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A time for eyes: to the second, UTC.
pub(crate) fn time(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| octroi_proto::Instant::from_second(at.seconds).ok()).map(|at| at.to_string()).unwrap_or_default()
}

/// A title in French, or in English.
pub(crate) fn title(description: &v1::DatasetDescription) -> String {
    ["fr", "en"].iter().find_map(|language| description.title.get(*language)).cloned().unwrap_or_default()
}

//! Names that the gateway knows of the dataset: those that may be written, and those that may not.

use std::{collections::BTreeSet, ops::Bound, sync::LazyLock};

use octroi_proto::{DatasetDescription, Domain, TableSchema};
use regex::Regex;

use super::{
    Code, Hit, Known,
    pattern::{after, before, pattern, previous, stands_alone},
};

/// The names of one dataset.
#[derive(Debug)]
pub(super) struct Lexicon<'a> {
    /// The contact point's, in lower case.
    email: String,
    /// Names of tables and columns, and declared values, in lower case.
    shown: BTreeSet<String>,
    /// Columns that no table shows.
    hidden: BTreeSet<&'a str>,
    /// Keys of objects, and the last segments of those that have several.
    keys: BTreeSet<&'a str>,
}

impl<'a> Lexicon<'a> {
    pub(super) fn of(description: &DatasetDescription, known: &Known<'a>) -> Self {
        let tables = known.schema.map(|schema| schema.tables()).unwrap_or_default();
        let shown: BTreeSet<String> = tables.iter().flat_map(shown).collect();
        let columns = tables.iter().flat_map(TableSchema::columns).filter(|column| column.hidden);
        let hidden = columns.map(|column| column.name.as_str()).filter(|name| !shown.contains(*name)).collect();
        let keys = known.keys.iter().map(|key| key.as_str());
        let names = keys.flat_map(|key| [Some(key), key.rsplit_once('/').map(|(_, name)| name)]).flatten();
        Self {
            email: description.contact_point.email.to_ascii_lowercase(),
            shown,
            hidden,
            keys: names.filter(|name| is_telling(name)).collect(),
        }
    }

    /// Whether it is a name or a value that the schema itself shows.
    pub(super) fn shows(&self, word: &str) -> bool {
        self.shown.contains(&word.trim().to_lowercase())
    }

    /// Whether it is the contact point's e-mail address.
    pub(super) fn is_contact(&self, email: &str) -> bool {
        self.email == email.to_ascii_lowercase()
    }

    /// Keys of stored objects, and their names without folders.
    pub(super) fn keys(&self, text: &str) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        if self.keys.is_empty() {
            return hits;
        }
        for (start, _) in text.char_indices() {
            let inside = previous(text, start).is_some_and(char::is_alphanumeric);
            if inside || hits.last().is_some_and(|hit| start < hit.range.end) {
                continue;
            }
            if let Some(length) = self.key_at(text, start) {
                hits.push(Hit::new(Code::ObjectKey, start..start + length));
            }
        }
        hits
    }

    /// The length of the longest key that stands here as a word of its own.
    fn key_at(&self, text: &str, start: usize) -> Option<usize> {
        let rest = text.get(start..)?;
        let mut bound = rest;
        // Of all keys up to `bound` the last is a beginning of `rest`, or shares with it whatever could be one.
        while let Some(key) = self.keys.range::<str, _>((Bound::Unbounded, Bound::Included(bound))).next_back() {
            let shared = shared(key, rest);
            if shared == key.len() && stands_alone(text, &(start..start + shared)) {
                return Some(shared);
            }
            let shorter = if shared == key.len() { key.char_indices().next_back()?.0 } else { shared };
            bound = rest.get(..shorter).filter(|bound| !bound.is_empty())?;
        }
        None
    }

    /// Names of hidden columns: such as no text has by chance, and words where they are quoted or called a column.
    pub(super) fn hidden_columns(&self, text: &str) -> Vec<Hit> {
        let plain = text.to_ascii_lowercase();
        let found = self.hidden.iter().flat_map(|name| plain.match_indices(*name));
        let named = found.filter(|(start, name)| {
            stands_alone(&plain, &(*start..start + name.len()))
                && (is_technical(name) || is_named_as_column(&plain, *start, name))
        });
        named.map(|(start, name)| Hit::new(Code::HiddenColumn, start..start + name.len())).collect()
    }
}

/// The names of a table and of the columns that it shows, and the values declared of those.
fn shown(table: &TableSchema) -> Vec<String> {
    let columns = table.columns().iter().filter(|column| !column.hidden);
    let words = columns.flat_map(|column| {
        let values: Vec<String> = match &column.domain {
            Some(Domain::Strings(texts)) => texts.iter().map(|text| text.to_lowercase()).collect(),
            Some(Domain::Integers(numbers)) => numbers.iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        };
        values.into_iter().chain([column.name.to_string()])
    });
    words.chain([table.name().to_string()]).collect()
}

/// Whether a key is no word that a text could have by chance: `flights` is, `2026/flights.csv` is not.
fn is_telling(key: &str) -> bool {
    key.len() >= 5 && key.contains(['/', '.', '_']) && key.chars().any(char::is_alphabetic)
}

/// Whether a column's name is no word of a language.
fn is_technical(name: &str) -> bool {
    name.contains(|c: char| c == '_' || c.is_ascii_digit())
}

fn is_named_as_column(text: &str, start: usize, name: &str) -> bool {
    let ahead = before(text, start, 32);
    let behind = after(text, start + name.len(), 8);
    let quoted = ahead.trim_end().ends_with(OPENING) && behind.trim_start().starts_with(CLOSING);
    let of_table = ahead.ends_with('.') && !ahead.trim_end_matches('.').ends_with(char::is_whitespace);
    quoted || of_table || COLUMN.is_match(ahead)
}

/// Bytes that two texts begin with alike, whole characters.
fn shared(one: &str, other: &str) -> usize {
    let alike = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    alike.map(|(c, _)| c.len_utf8()).sum()
}

/// Opening quotes. An apostrophe is none, since French has them before words.
const OPENING: [char; 4] = ['"', '«', '“', '`'];

/// Closing quotes.
const CLOSING: [char; 4] = ['"', '»', '”', '`'];

/// Words that announce the name of a column.
static COLUMN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?:colonnes?|columns?|champs?|fields?|variables?|attributs?|attributes?)(?:\s+(?:cach[ée]e?s?|",
        r"hidden))?\s*:?\s*$",
    ])
});

//! The metadata linter: finds in a description what tells of the data itself, before it is published.
//!
//! ```text
//! DatasetDescription -> texts, field by field -> rules -> findings: which rule, where, and what to write instead
//! ```
//!
//! It is pure. It trusts that the description was parsed, so that every text is bounded, and that [`Known`] is about
//! the same dataset. A finding says where it is and repeats nothing of the text, so that it can stand in an error and
//! a log.
//!
//! It gives no promise that a text without findings is harmless: rules know forms, in French and English whatever the
//! text's tag says. A person's name in running text, a value written in words or a place that only locals know are for
//! the steward to see.

use std::ops::Range;

use octroi_proto::{DatasetDescription, DatasetSchema, Level, ObjectKey};

use self::{
    names::Lexicon,
    text::{Kind, Text, texts},
};
use super::Language;

pub use code::{Code, Severity};

mod advice;
mod code;
mod counts;
mod extremes;
mod machines;
mod names;
mod pattern;
mod persons;
mod places;
mod quantity;
#[cfg(test)]
mod tests;
mod text;
mod values;

/// What else is known of the dataset. Without it the rules about hidden columns and stored objects find nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Its tables. Their names, their columns and the values declared of those may be written, but for what is hidden.
    pub schema: Option<&'a DatasetSchema>,
    /// Keys of its stored objects.
    pub keys: &'a [ObjectKey],
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub code: Code,
    /// Whether it stands against publication.
    pub severity: Severity,
    /// Path of the field: `description.fr`, `keywords[2]`, `discovery.spatial[0].box`.
    pub field: String,
    /// Where in the field; `None` when something is missing or too short.
    pub place: Option<Place>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In UTF-8.
    pub bytes: Range<usize>,
    /// The first character, counted from 1.
    pub first: usize,
    /// The last character, counted from 1.
    pub last: usize,
}

/// What one rule says of one text.
#[derive(Debug, Clone)]
struct Hit {
    code: Code,
    range: Range<usize>,
}

/// Reads all that is published of a description's words. What blocks comes first, then advice, each in the order of
/// the fields and of the words in them, [`MOST_FINDINGS`] at most.
pub fn lint(description: &DatasetDescription, known: &Known<'_>) -> Vec<Finding> {
    let lexicon = Lexicon::of(description, known);
    let texts = texts(description);
    let mut findings: Vec<Finding> = texts.iter().flat_map(|text| read(text, &lexicon, description.level)).collect();
    findings.extend(advice::missing(description));
    findings.sort_by_key(|finding| finding.severity);
    findings.truncate(MOST_FINDINGS);
    findings
}

impl Finding {
    /// Whether the dataset cannot be published like this.
    pub fn blocks(&self) -> bool {
        self.severity == Severity::Blocks
    }

    /// One sentence: what was found, and what to write instead. Lower-case and without full stop, to follow the field's
    /// path and a colon; it repeats nothing of the text.
    pub fn explain(&self, language: Language) -> String {
        let (found, instead) = self.code.words(language);
        match (&self.place, language) {
            (None, Language::French) => format!("{found} : {instead}"),
            (None, Language::English) => format!("{found}: {instead}"),
            (Some(place), Language::French) => {
                format!("les caractères {} à {} {found} : {instead}", place.first, place.last)
            }
            (Some(place), Language::English) => format!("characters {}-{} {found}: {instead}", place.first, place.last),
        }
    }

    /// The words that it is about, from the description that was read: for whoever wrote it, and for nobody else.
    pub fn excerpt(&self, description: &DatasetDescription) -> Option<String> {
        let bytes = self.place.as_ref()?.bytes.clone();
        let text = texts(description).into_iter().find(|text| text.field == self.field)?;
        text.words.get(bytes).map(ToOwned::to_owned)
    }
}

/// What the rules say of one text, each stretch of it explained once: what begins within something that an earlier rule
/// found, and that is as grave, is not told again.
fn read(text: &Text<'_>, lexicon: &Lexicon<'_>, level: Level) -> Vec<Finding> {
    let mut told: Vec<(Hit, Severity)> = Vec::new();
    for hit in hits(text, lexicon, level) {
        let Some(severity) = hit.code.severity(level) else { continue };
        let explained = |(other, grave): &(Hit, Severity)| *grave <= severity && other.range.contains(&hit.range.start);
        if !told.iter().any(explained) {
            told.push((hit, severity));
        }
    }
    told.sort_by_key(|(hit, _)| hit.range.start);
    told.into_iter().filter_map(|(hit, severity)| finding(hit, severity, text)).collect()
}

/// `None` for a range that is none of the text's, which no rule gives.
fn finding(hit: Hit, severity: Severity, text: &Text<'_>) -> Option<Finding> {
    let first = text.words.get(..hit.range.start)?.chars().count() + 1;
    let length = text.words.get(hit.range.clone())?.chars().count();
    let place = Place { bytes: hit.range, first, last: first + length.saturating_sub(1) };
    Some(Finding { code: hit.code, severity, field: text.field.clone(), place: Some(place) })
}

/// What every rule for this kind of text finds, the most telling rules first.
fn hits(text: &Text<'_>, lexicon: &Lexicon<'_>, level: Level) -> Vec<Hit> {
    let words = text.words.as_ref();
    match text.kind {
        Kind::Prose => prose(words, lexicon, level),
        Kind::Organisation => organisation(words, lexicon),
        Kind::Version => [lexicon.keys(words), machines::paths(words), machines::hosts(words)].concat(),
        Kind::Iri => [machines::addresses(words), lexicon.keys(words)].concat(),
        Kind::Email => machines::hosts(words),
        Kind::Bounds => places::bounds(words, level),
    }
}

fn prose(words: &str, lexicon: &Lexicon<'_>, level: Level) -> Vec<Hit> {
    let plain = machines::without_addresses(words);
    [
        machines::addresses(words),
        lexicon.keys(words),
        machines::paths(&plain),
        machines::hosts(&plain),
        machines::internet_addresses(&plain),
        lexicon.hidden_columns(&plain),
        persons::found(&plain, lexicon),
        places::streets(&plain),
        places::coordinates(&plain, level),
        values::found(&plain, lexicon),
        extremes::found(&plain),
        counts::found(&plain),
    ]
    .concat()
}

/// An office has an address and a telephone, which are nobody's secret.
fn organisation(words: &str, lexicon: &Lexicon<'_>) -> Vec<Hit> {
    let plain = machines::without_addresses(words);
    let mut persons = persons::found(&plain, lexicon);
    persons.retain(|hit| hit.code != Code::TelephoneNumber);
    [
        machines::addresses(words),
        lexicon.keys(words),
        machines::paths(&plain),
        machines::hosts(&plain),
        machines::internet_addresses(&plain),
        persons,
    ]
    .concat()
}

impl Hit {
    fn new(code: Code, range: Range<usize>) -> Self {
        Self { code, range }
    }
}

/// Findings told at once: whoever repairs these is told of the rest.
pub const MOST_FINDINGS: usize = 100;

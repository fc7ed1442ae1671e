//! A dataset's description as a TOML file. What is missing is left to the gateway to say, with everything else.

use std::{collections::BTreeMap, fs, path::Path, str::FromStr};

use octroi_proto::{Impact, Level, Visibility, wire::v1};
use serde::Deserialize;

use crate::command::CommandError;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DescriptionFile {
    id: String,
    level: Option<String>,
    title: BTreeMap<String, String>,
    description: BTreeMap<String, String>,
    keywords: Vec<String>,
    publisher: String,
    owner: String,
    steward: String,
    contact_point: Option<ContactFile>,
    impact: ImpactFile,
    purposes: Vec<String>,
    licence: String,
    retention: String,
    agreement_required: Option<bool>,
    metadata_visibility: Option<String>,
    discovery: Option<DiscoveryFile>,
}

/// `[discovery]`: the keys are those of the message.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DiscoveryFile {
    keywords: BTreeMap<String, Vec<String>>,
    themes: Vec<String>,
    frequency: String,
    languages: Vec<String>,
    temporal: Vec<TemporalFile>,
    spatial: Vec<SpatialFile>,
    version: String,
    landing_page: String,
    high_value_categories: Vec<String>,
    legislation: Vec<String>,
    derived_from: Vec<String>,
    standards: Vec<String>,
    limitation: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TemporalFile {
    from: String,
    to: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SpatialFile {
    name: String,
    iri: String,
    r#box: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ContactFile {
    name: String,
    email: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ImpactFile {
    confidentiality: Option<String>,
    integrity: Option<String>,
    availability: Option<String>,
}

/// Reads what a file says, by whatever understands it; `what` it should be is told with what is wrong.
///
/// # Errors
/// When the file cannot be read or not be understood.
pub(super) fn read_as<T>(
    path: &Path,
    what: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, CommandError> {
    let text = fs::read_to_string(path).map_err(|source| CommandError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|problem| CommandError::Malformed { path: path.to_owned(), what, problem })
}

/// Reads a description.
///
/// # Errors
/// When the file cannot be read, is not TOML, has a key that is none, or a word that is on no list.
pub(super) fn read(path: &Path) -> Result<v1::DatasetDescription, CommandError> {
    read_as(path, "a dataset's description", parse)
}

fn parse(text: &str) -> Result<v1::DatasetDescription, String> {
    let file: DescriptionFile = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(v1::DatasetDescription {
        id: file.id,
        title: file.title,
        description: file.description,
        keywords: file.keywords,
        publisher: file.publisher,
        owner: file.owner,
        steward: file.steward,
        contact_point: file.contact_point.map(|it| v1::ContactPoint { name: it.name, email: it.email }),
        level: word::<Level>("level", file.level)?.map_or(0, |it| it.to_wire().into()),
        confidentiality: word::<Impact>("impact.confidentiality", file.impact.confidentiality)?
            .map_or(0, |it| it.to_wire().into()),
        integrity: word::<Impact>("impact.integrity", file.impact.integrity)?.map_or(0, |it| it.to_wire().into()),
        availability: word::<Impact>("impact.availability", file.impact.availability)?
            .map_or(0, |it| it.to_wire().into()),
        purposes: file.purposes,
        licence: file.licence,
        retention: file.retention,
        agreement_required: file.agreement_required,
        metadata_visibility: word::<Visibility>("metadata_visibility", file.metadata_visibility)?
            .map_or(0, |it| it.to_wire().into()),
        discovery: file.discovery.map(Into::into),
    })
}

impl From<DiscoveryFile> for v1::Discovery {
    fn from(it: DiscoveryFile) -> Self {
        Self {
            keywords: it.keywords.into_iter().map(|(language, words)| (language, v1::Keywords { words })).collect(),
            themes: it.themes,
            frequency: it.frequency,
            languages: it.languages,
            temporal: it.temporal.into_iter().map(|it| v1::TemporalCoverage { from: it.from, to: it.to }).collect(),
            spatial: it
                .spatial
                .into_iter()
                .map(|it| v1::SpatialCoverage { name: it.name, iri: it.iri, r#box: it.r#box })
                .collect(),
            version: it.version,
            landing_page: it.landing_page,
            high_value_categories: it.high_value_categories,
            legislation: it.legislation,
            derived_from: it.derived_from,
            standards: it.standards,
            limitation: it.limitation,
        }
    }
}

fn word<T: FromStr<Err: std::fmt::Display>>(field: &str, text: Option<String>) -> Result<Option<T>, String> {
    text.map(|text| text.parse().map_err(|problem| format!("`{field}` {problem}"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_left_to_the_gateway() {
        let description = parse("id = \"abc\"").unwrap();
        assert_eq!((description.id.as_str(), description.level, description.agreement_required), ("abc", 0, None));
    }

    #[test]
    fn unknown_keys_and_words_are_refused() {
        assert!(parse("identifier = \"abc\"").unwrap_err().contains("identifier"));
        assert!(parse("level = \"secret\"").unwrap_err().contains("`public`, `quasi-sensitive`, `sensitive`"));
    }
}

//! A dataset's description as people write it: a TOML file, or a line of JSON. What is missing is left to the gateway to
//! say, with everything else.

use std::{collections::BTreeMap, fs, path::Path, str::FromStr};

use octroi_proto::{Impact, Level, Visibility, wire::v1};
use serde::{Deserialize, Serialize};

use crate::command::CommandError;

/// A description, word by word. A key that is none is refused where it is read.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenDescription {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<String>,
    pub(super) title: BTreeMap<String, String>,
    pub(super) description: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) keywords: Vec<String>,
    pub(super) publisher: String,
    pub(super) owner: String,
    pub(super) steward: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contact_point: Option<WrittenContact>,
    pub(super) impact: WrittenImpact,
    pub(super) purposes: Vec<String>,
    pub(super) licence: String,
    pub(super) retention: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agreement_required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata_visibility: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) discovery: Option<WrittenDiscovery>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenContact {
    pub(super) name: String,
    pub(super) email: String,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenImpact {
    confidentiality: Option<String>,
    integrity: Option<String>,
    availability: Option<String>,
}

/// `[discovery]`: the keys are those of the message.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenDiscovery {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keywords: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) themes: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) frequency: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) languages: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) temporal: Vec<WrittenPeriod>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) spatial: Vec<WrittenPlace>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) landing_page: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) high_value_categories: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) legislation: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) derived_from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) standards: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) limitation: String,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenPeriod {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) from: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) to: String,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenPlace {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) iri: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) r#box: String,
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
    toml::from_str::<WrittenDescription>(text).map_err(|error| error.to_string())?.into_wire()
}

impl WrittenDescription {
    /// The description on the wire.
    ///
    /// # Errors
    /// A sentence when a word is on no list.
    pub(super) fn into_wire(self) -> Result<v1::DatasetDescription, String> {
        let impact = |field: &str, text| {
            word::<Impact>(&format!("impact.{field}"), text).map(|it| it.map_or(0, |it| it.to_wire().into()))
        };
        Ok(v1::DatasetDescription {
            id: self.id,
            title: self.title,
            description: self.description,
            keywords: self.keywords,
            publisher: self.publisher,
            owner: self.owner,
            steward: self.steward,
            contact_point: self.contact_point.map(|it| v1::ContactPoint { name: it.name, email: it.email }),
            level: word::<Level>("level", self.level)?.map_or(0, |it| it.to_wire().into()),
            confidentiality: impact("confidentiality", self.impact.confidentiality)?,
            integrity: impact("integrity", self.impact.integrity)?,
            availability: impact("availability", self.impact.availability)?,
            purposes: self.purposes,
            licence: self.licence,
            retention: self.retention,
            agreement_required: self.agreement_required,
            metadata_visibility: word::<Visibility>("metadata_visibility", self.metadata_visibility)?
                .map_or(0, |it| it.to_wire().into()),
            discovery: self.discovery.map(Into::into),
        })
    }
}

impl From<v1::DatasetDescription> for WrittenDescription {
    fn from(it: v1::DatasetDescription) -> Self {
        let impact = |number| Impact::from_wire(number).ok().flatten().map(|it| it.to_string());
        Self {
            level: Level::from_wire(it.level).ok().flatten().map(|it| it.to_string()),
            metadata_visibility: Visibility::from_wire(it.metadata_visibility).ok().flatten().map(|it| it.to_string()),
            impact: WrittenImpact {
                confidentiality: impact(it.confidentiality),
                integrity: impact(it.integrity),
                availability: impact(it.availability),
            },
            contact_point: it.contact_point.map(|it| WrittenContact { name: it.name, email: it.email }),
            discovery: it.discovery.map(Into::into),
            id: it.id,
            title: it.title,
            description: it.description,
            keywords: it.keywords,
            publisher: it.publisher,
            owner: it.owner,
            steward: it.steward,
            purposes: it.purposes,
            licence: it.licence,
            retention: it.retention,
            agreement_required: it.agreement_required,
        }
    }
}

impl From<WrittenDiscovery> for v1::Discovery {
    fn from(it: WrittenDiscovery) -> Self {
        let period = |it: WrittenPeriod| v1::TemporalCoverage { from: it.from, to: it.to };
        let place = |it: WrittenPlace| v1::SpatialCoverage { name: it.name, iri: it.iri, r#box: it.r#box };
        Self {
            keywords: it.keywords.into_iter().map(|(language, words)| (language, v1::Keywords { words })).collect(),
            themes: it.themes,
            frequency: it.frequency,
            languages: it.languages,
            temporal: it.temporal.into_iter().map(period).collect(),
            spatial: it.spatial.into_iter().map(place).collect(),
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

impl From<v1::Discovery> for WrittenDiscovery {
    fn from(it: v1::Discovery) -> Self {
        let period = |it: v1::TemporalCoverage| WrittenPeriod { from: it.from, to: it.to };
        let place = |it: v1::SpatialCoverage| WrittenPlace { name: it.name, iri: it.iri, r#box: it.r#box };
        Self {
            keywords: it.keywords.into_iter().map(|(language, keywords)| (language, keywords.words)).collect(),
            themes: it.themes,
            frequency: it.frequency,
            languages: it.languages,
            temporal: it.temporal.into_iter().map(period).collect(),
            spatial: it.spatial.into_iter().map(place).collect(),
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

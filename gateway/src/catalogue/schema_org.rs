//! A dataset in the words that search engines read: `Dataset` of schema.org, as JSON-LD for the dataset's page.
//!
//! Shaped after Google Search Central's guidelines for datasets, which say more than schema.org does: a description of
//! at most 5,000 characters, the contact under its organisation, a box as `south west north east`, periods as ISO 8601
//! with `..` for an open end. Texts are in the page's language where they exist in it. Links to bytes are there for
//! what everybody may fetch alone. It gives no words that a page could be left by: [`DataBlock`].

use std::fmt;

use octroi_proto::{
    Localised,
    dataset::{Origin, SpatialCoverage, TemporalCoverage, Theme},
};
use serde_json::{Value, json};

use super::{
    File, Language, Published, Site,
    address::Link,
    vocabulary::{THEMES, theme, word},
    words,
};

/// JSON that stands between `<script type="application/ld+json">` and `</script>` as it is: it has no `<`, `>` or `&`
/// in it, nor the line separators that end a line of JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataBlock(String);

impl DataBlock {
    /// These characters stand within strings alone, where JSON has another way to write them (RFC 8259, section 7).
    fn new(value: &Value) -> Self {
        let mut block = String::new();
        for character in value.to_string().chars() {
            match character {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    block.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                _ => block.push(character),
            }
        }
        Self(block)
    }
}

impl fmt::Display for DataBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is published of a dataset, for a page in this language.
pub(super) fn dataset(site: &Site, dataset: &Published, language: Language) -> DataBlock {
    let said = what(site, dataset, language)
        .into_iter()
        .chain(who(site, dataset, language))
        .chain(when_and_where(dataset))
        .chain(ways(site, dataset, language));
    DataBlock::new(&object(said))
}

/// A property and its value.
type Said = (&'static str, Value);

fn what(site: &Site, dataset: &Published, language: Language) -> [Said; 13] {
    let it = site.base.iri(&Link::dataset(&dataset.id));
    let elsewhere = |url: &String| json!({ "@type": "WebPage", "url": url });
    let origin = |origin: &Origin| match origin {
        Origin::Dataset(id) => json!(site.base.iri(&Link::dataset(id)).as_str()),
        Origin::Elsewhere(iri) => json!(iri),
    };
    [
        ("@context", json!("https://schema.org/")),
        ("@type", json!("Dataset")),
        ("@id", json!(it.as_str())),
        ("url", json!(it.as_str())),
        ("identifier", json!(dataset.id.as_str())),
        ("name", json!(text(&dataset.title, language))),
        ("description", json!(words::beginning(text(&dataset.description, language), MOST_DESCRIPTION))),
        ("keywords", json!(dataset.tags())),
        ("about", one_or_all(dataset.themes.iter().map(|code| subject(*code, language)).collect())),
        ("inLanguage", one_or_all(dataset.languages.iter().map(|code| json!(words::language_tag(*code))).collect())),
        ("version", json!(dataset.version)),
        ("isBasedOn", one_or_all(dataset.origins.iter().map(origin).collect())),
        ("subjectOf", json!(dataset.landing_page.as_ref().map(elsewhere))),
    ]
}

/// Whoever answers for the data is named as its creator: of who collected it nothing is kept.
fn who(site: &Site, dataset: &Published, language: Language) -> [Said; 3] {
    let part = |name: &str| site.base.iri(&Link::dataset(&dataset.id).part(name)).into_string();
    let contact = json!({
        "@type": "ContactPoint",
        "name": dataset.contact_point.name,
        "email": dataset.contact_point.email,
    });
    let creator = json!({
        "@type": "Organization",
        "@id": part("owner"),
        "name": dataset.owner,
        "contactPoint": contact,
    });
    let publisher = json!({ "@type": "Organization", "@id": part("publisher"), "name": dataset.publisher });
    let catalogue = json!({
        "@type": "DataCatalog",
        "@id": site.base.iri(&Link::catalogue()).as_str(),
        "name": format!("{} {}", language.of("Données de", "Data of"), site.publisher),
    });
    [("creator", creator), ("publisher", publisher), ("includedInDataCatalog", catalogue)]
}

fn when_and_where(dataset: &Published) -> [Said; 4] {
    [
        ("datePublished", json!(dataset.issued.map(|at| at.to_string()))),
        ("dateModified", json!(dataset.modified.to_string())),
        ("temporalCoverage", one_or_all(dataset.temporal.iter().map(period).collect())),
        ("spatialCoverage", one_or_all(dataset.spatial.iter().map(place).collect())),
    ]
}

/// On what terms the data is to be had, and where. Of what is lent nobody says that it costs nothing, nor that it does.
fn ways(site: &Site, dataset: &Published, language: Language) -> [Said; 5] {
    let conditions = dataset.current.then(|| words::conditions_of_access(dataset.level, language));
    let access = dataset.lends().then(|| site.base.iri(&Link::access(&dataset.id)).into_string());
    let files: Vec<Value> = dataset.files.iter().map(|file| download(site, dataset, file)).collect();
    [
        ("license", json!(dataset.licence)),
        ("isAccessibleForFree", json!(dataset.shows_files().then_some(true))),
        ("conditionsOfAccess", json!(conditions)),
        ("usageInfo", json!(access)),
        ("distribution", json!(files)),
    ]
}

fn text(texts: &Localised, language: Language) -> &str {
    texts.preferring(language.code()).1
}

fn subject(code: Theme, language: Language) -> Value {
    json!({
        "@type": "DefinedTerm",
        "name": words::theme(code, language),
        "termCode": code.code(),
        "url": word(theme::PREFIX, code.code()).as_str(),
        "inDefinedTermSet": THEMES,
    })
}

/// An interval of ISO 8601-2, whose open end is `..`.
fn period(it: &TemporalCoverage) -> Value {
    let [from, to] = [it.from, it.to].map(|day| day.map_or_else(|| "..".to_owned(), |day| day.to_string()));
    json!(format!("{from}/{to}"))
}

fn place(it: &SpatialCoverage) -> Value {
    let shape = it.bounds.as_ref().map(|bounds| {
        let [west, south, east, north] = bounds.edges();
        json!({ "@type": "GeoShape", "box": format!("{south} {west} {north} {east}") })
    });
    object([("@type", json!("Place")), ("name", json!(it.name)), ("sameAs", json!(it.iri)), ("geo", json!(shape))])
}

fn download(site: &Site, dataset: &Published, file: &File) -> Value {
    json!({
        "@type": "DataDownload",
        "name": file.key.as_str(),
        "contentUrl": site.base.iri(&Link::file(&dataset.id, &file.key)).as_str(),
        "encodingFormat": file.media_type.as_str().split(';').next().unwrap_or_default().trim(),
        "contentSize": format!("{} B", file.length),
        "dateModified": file.stored.to_string(),
    })
}

/// What is known of these: neither null nor an empty list.
fn object(said: impl IntoIterator<Item = Said>) -> Value {
    let known = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    let said = said.into_iter().filter(|(_, value)| known(value));
    Value::Object(said.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A single value by itself, since not every reader expects a list.
fn one_or_all(mut values: Vec<Value>) -> Value {
    if values.len() > 1 { Value::Array(values) } else { values.pop().unwrap_or(Value::Null) }
}

/// Characters of a description, at most (Google Search Central, "Dataset").
const MOST_DESCRIPTION: usize = 5_000;

#[cfg(test)]
mod tests;

//! The words of a description, field by field.

use std::borrow::Cow;

use octroi_proto::{
    ContactPoint, DatasetDescription, Localised,
    dataset::{Discovery, Origin, SpatialCoverage},
};

/// What a text is, and so what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Words about the data.
    Prose,
    /// Who: an organisation or a desk, perhaps with its address.
    Organisation,
    /// A version, which may look like a number of any kind.
    Version,
    /// An IRI and nothing else.
    Iri,
    /// An e-mail address that is meant to be published.
    Email,
    /// A box in degrees.
    Bounds,
}

/// One text.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// Path of its field.
    pub(super) field: String,
    /// What it is.
    pub(super) kind: Kind,
    /// What it says.
    pub(super) words: Cow<'a, str>,
}

/// All that is published and that somebody wrote, in the order of the fields.
pub(super) fn texts(description: &DatasetDescription) -> Vec<Text<'_>> {
    // Field by field, so that a new one is decided upon here.
    let DatasetDescription {
        id: _,
        title,
        description,
        keywords,
        publisher,
        owner,
        steward: _,
        contact_point: ContactPoint { name, email },
        level: _,
        confidentiality: _,
        integrity: _,
        availability: _,
        purposes,
        licence,
        retention: _,
        agreement_required: _,
        visibility: _,
        discovery,
    } = description;
    let mut texts = Vec::new();
    texts.extend(localised("title", title));
    texts.extend(localised("description", description));
    texts.extend(listed("keywords", Kind::Prose, keywords.iter().map(String::as_str)));
    texts.push(text("publisher", Kind::Organisation, publisher));
    texts.push(text("owner", Kind::Organisation, owner));
    texts.push(text("contact_point.name", Kind::Organisation, name));
    texts.push(text("contact_point.email", Kind::Email, email));
    texts.extend(listed("purposes", Kind::Prose, purposes.iter().map(|purpose| purpose.as_str())));
    texts.push(text("licence", Kind::Iri, licence));
    texts.extend(discovered(discovery));
    texts
}

fn discovered(discovery: &Discovery) -> Vec<Text<'_>> {
    let Discovery {
        keywords,
        themes: _,
        frequency: _,
        languages: _,
        temporal: _,
        spatial,
        version,
        landing_page,
        high_value_categories: _,
        legislation,
        derived_from,
        standards,
        limitation: _,
    } = discovery;
    let mut texts = Vec::new();
    for (language, words) in keywords {
        let field = format!("discovery.keywords.{language}");
        texts.extend(listed(&field, Kind::Prose, words.iter().map(String::as_str)));
    }
    texts.extend(spatial.iter().enumerate().flat_map(|(index, it)| place(index, it)));
    texts.extend(version.iter().map(|it| text("discovery.version", Kind::Version, it)));
    texts.extend(landing_page.iter().map(|it| text("discovery.landing_page", Kind::Iri, it)));
    texts.extend(listed("discovery.legislation", Kind::Iri, legislation.iter().map(String::as_str)));
    for (index, origin) in derived_from.iter().enumerate() {
        match origin {
            Origin::Dataset(_) => {}
            Origin::Elsewhere(iri) => texts.push(text(format!("discovery.derived_from[{index}]"), Kind::Iri, iri)),
        }
    }
    texts.extend(listed("discovery.standards", Kind::Iri, standards.iter().map(String::as_str)));
    texts
}

fn place(index: usize, coverage: &SpatialCoverage) -> Vec<Text<'_>> {
    let SpatialCoverage { name, iri, bounds } = coverage;
    let field = |part: &str| format!("discovery.spatial[{index}].{part}");
    let name = name.iter().map(|it| text(field("name"), Kind::Prose, it.as_str()));
    let iri = iri.iter().map(|it| text(field("iri"), Kind::Iri, it.as_str()));
    let bounds = bounds.iter().map(|it| text(field("box"), Kind::Bounds, it.to_string()));
    name.chain(iri).chain(bounds).collect()
}

fn localised<'a>(field: &'a str, localised: &'a Localised) -> impl Iterator<Item = Text<'a>> {
    localised.iter().map(move |(language, words)| text(format!("{field}.{language}"), Kind::Prose, words))
}

fn listed<'a>(field: &str, kind: Kind, words: impl Iterator<Item = &'a str>) -> Vec<Text<'a>> {
    words.enumerate().map(|(index, words)| text(format!("{field}[{index}]"), kind, words)).collect()
}

fn text<'a>(field: impl Into<String>, kind: Kind, words: impl Into<Cow<'a, str>>) -> Text<'a> {
    Text { field: field.into(), kind, words: words.into() }
}

//! What else is said of a dataset, as terms and what stands under each: how to find it, and how to judge it.

use std::borrow::Cow;

use octroi_proto::{
    Level,
    dataset::{Bounds, Limitation, Origin, SpatialCoverage, TemporalCoverage},
};

use super::super::{Language, Published, Site, address::Link, vocabulary::HIGH_VALUE_REGULATION, words};

/// A term with at least one value.
pub(super) struct Fact<'a> {
    pub(super) term: &'static str,
    pub(super) values: Vec<Value<'a>>,
}

/// Text, perhaps in a language of its own, perhaps leading somewhere.
pub(super) struct Value<'a> {
    pub(super) text: Cow<'a, str>,
    /// The language of the text, where it is known and need not be the page's.
    pub(super) language: Option<&'a str>,
    pub(super) href: Option<Cow<'a, str>>,
}

impl<'a> Value<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), language: None, href: None }
    }

    fn link(text: impl Into<Cow<'a, str>>, href: impl Into<Cow<'a, str>>) -> Self {
        Self { href: Some(href.into()), ..Self::text(text) }
    }

    /// A link that says where it leads.
    fn address(iri: &'a str) -> Self {
        Self::link(iri, iri)
    }
}

/// The facts that there are, in the order in which pages show them.
pub(super) fn facts<'a>(site: &Site, dataset: &'a Published, language: Language) -> Vec<Fact<'a>> {
    let fact = |french, english, values| Fact { term: language.of(french, english), values };
    let themes = dataset.themes.iter().map(|code| Value::text(words::theme(*code, language)));
    let frequency = dataset.frequency.iter().map(|code| Value::text(words::frequency(*code, language)));
    let languages = dataset.languages.iter().map(|code| Value::text(words::data_language(*code, language)));
    let categories =
        dataset.high_value_categories.iter().map(|code| Value::text(words::high_value_category(*code, language)));
    let facts = [
        fact("Mots-clés", "Keywords", keywords(dataset)),
        fact("Thèmes", "Themes", themes.collect()),
        fact("Lieux", "Places", dataset.spatial.iter().flat_map(|it| place(it, language)).collect()),
        fact("Période", "Period", dataset.temporal.iter().filter_map(|it| period(it, language)).collect()),
        fact("Mise à jour", "Updated", frequency.collect()),
        fact("Langue des données", "Language of the data", languages.collect()),
        fact("Version", "Version", dataset.version.iter().map(Value::text).collect()),
        fact("Normes", "Standards", dataset.standards.iter().map(|iri| Value::address(iri)).collect()),
        fact("Établi à partir de", "Made from", origins(site, dataset, language)),
        fact("Données de forte valeur", "High-value data", categories.collect()),
        fact("Textes applicables", "Laws that apply", laws(dataset)),
        fact(
            "Page de présentation",
            "Landing page",
            dataset.landing_page.iter().map(|iri| Value::address(iri)).collect(),
        ),
        fact("Motif de non-diffusion", "Why it is not public", limitation(dataset, language)),
    ];
    facts.into_iter().filter(|fact| !fact.values.is_empty()).collect()
}

/// Those of no language first, then those of each.
fn keywords(dataset: &Published) -> Vec<Value<'_>> {
    let plain = Value::text(dataset.keywords.join(", "));
    let localised = dataset
        .localised_keywords
        .iter()
        .map(|(language, keywords)| Value { language: Some(language.as_str()), ..Value::text(keywords.join(", ")) });
    std::iter::once(plain).chain(localised).filter(|value| !value.text.is_empty()).collect()
}

fn place(it: &SpatialCoverage, language: Language) -> Vec<Value<'_>> {
    let named = match (&it.name, &it.iri) {
        (Some(name), Some(iri)) => Some(Value::link(name, iri)),
        (Some(name), None) => Some(Value::text(name)),
        (None, Some(iri)) => Some(Value::address(iri)),
        (None, None) => None,
    };
    let bounds = it.bounds.as_ref().map(|bounds| Value::text(edges(bounds, language)));
    named.into_iter().chain(bounds).collect()
}

fn edges(bounds: &Bounds, language: Language) -> String {
    let [west, south, east, north] = bounds.edges();
    match language {
        Language::French => format!("ouest {west}°, sud {south}°, est {east}°, nord {north}°"),
        Language::English => format!("west {west}°, south {south}°, east {east}°, north {north}°"),
    }
}

fn period(it: &TemporalCoverage, language: Language) -> Option<Value<'static>> {
    let text = match (it.from, it.to) {
        (Some(from), Some(to)) => match language {
            Language::French => format!("du {from} au {to}"),
            Language::English => format!("{from} to {to}"),
        },
        (Some(from), None) => format!("{} {from}", language.of("depuis le", "since")),
        (None, Some(to)) => format!("{} {to}", language.of("jusqu’au", "until")),
        (None, None) => return None,
    };
    Some(Value::text(text))
}

fn origins<'a>(site: &Site, dataset: &'a Published, language: Language) -> Vec<Value<'a>> {
    let origin = |origin: &'a Origin| match origin {
        Origin::Dataset(id) => Value::link(id.as_str(), site.base.href(&Link::dataset(id).speaking(language))),
        Origin::Elsewhere(iri) => Value::address(iri),
    };
    dataset.origins.iter().map(origin).collect()
}

/// Those that are named, after the one that makes data of high value what it is.
fn laws(dataset: &Published) -> Vec<Value<'_>> {
    let regulation = (!dataset.high_value_categories.is_empty()).then_some(HIGH_VALUE_REGULATION);
    let others = dataset.legislation.iter().map(String::as_str).filter(|law| *law != HIGH_VALUE_REGULATION);
    regulation.into_iter().chain(others).map(Value::address).collect()
}

/// Why the public has no access; personal data unless another reason is given, as in the feed.
fn limitation(dataset: &Published, language: Language) -> Vec<Value<'static>> {
    if dataset.level == Level::Public {
        return Vec::new();
    }
    let letter = dataset.limitation.unwrap_or(Limitation::PERSONAL_DATA);
    let article = language.of("directive INSPIRE, article 13(1)", "INSPIRE directive, Article 13(1)");
    vec![Value::text(format!("{} ({article}({letter}))", words::limitation(letter, language)))]
}

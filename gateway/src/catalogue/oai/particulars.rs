//! What both formats say of a dataset, in words that their readers share.

use std::collections::BTreeSet;

use octroi_proto::{
    DatasetId, Level, Localised, Purpose,
    dataset::{Limitation, Origin},
};

use super::super::{Language, Published, Site, address::Link, vocabulary::limitation};

/// The IRI of a dataset here.
pub(super) fn iri(site: &Site, dataset: &DatasetId) -> String {
    site.base.iri(&Link::dataset(dataset)).into_string()
}

/// Where access to a dataset is asked for, if it is lent.
pub(super) fn access_page(site: &Site, dataset: &Published) -> Option<String> {
    dataset.lends().then(|| site.base.iri(&Link::access(&dataset.id)).into_string())
}

/// Language and text, the catalogue's first language first.
pub(super) fn in_order(texts: &Localised) -> impl Iterator<Item = (&str, &str)> {
    Localised::LANGUAGES.into_iter().filter_map(move |language| texts.iter().find(|(it, _)| *it == language))
}

/// Who gets at the data, as OpenAIRE's guidelines have it: the IRI, and the words for it.
pub(super) fn access(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Public => ("info:eu-repo/semantics/openAccess", "Open Access"),
        Level::QuasiSensitive => ("info:eu-repo/semantics/restrictedAccess", "Restricted Access"),
        Level::Sensitive => ("info:eu-repo/semantics/closedAccess", "Closed Access"),
    }
}

/// Why the public has no access, and INSPIRE's IRI for that.
pub(super) fn limitation(dataset: &Published) -> Option<(Limitation, String)> {
    let letter = dataset.limitation.unwrap_or(Limitation::PERSONAL_DATA);
    let iri = || format!("{}INSPIRE_Directive_Article13_1{letter}", limitation::PREFIX);
    (dataset.level != Level::Public).then(|| (letter, iri()))
}

/// What the data may be used for (requirement 49).
pub(super) fn scope(dataset: &Published, language: Language) -> String {
    let purposes: Vec<&str> = dataset.purposes.iter().map(Purpose::as_str).collect();
    match language {
        Language::French => format!("Usages prévus : {}", purposes.join(" ; ")),
        Language::English => format!("Intended uses: {}", purposes.join("; ")),
    }
}

/// The IRI of what a dataset was made from.
pub(super) fn origin(site: &Site, origin: &Origin) -> String {
    match origin {
        Origin::Dataset(id) => iri(site, id),
        Origin::Elsewhere(iri) => iri.clone(),
    }
}

/// The media types of the files that anyone may download, without parameters, each once.
pub(super) fn media_types(dataset: &Published) -> BTreeSet<String> {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    dataset.files.iter().map(|file| essence(file.media_type.as_str())).collect()
}

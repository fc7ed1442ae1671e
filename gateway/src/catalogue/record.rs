//! What a search shows of each dataset.

use octroi_proto::{Localised, time::to_wire, wire::v1::CatalogueRecord};

use super::Published;

/// The published fields that a list shows.
pub fn record(dataset: &Published) -> CatalogueRecord {
    let texts =
        |texts: &Localised| texts.iter().map(|(language, text)| (language.to_owned(), text.to_owned())).collect();
    CatalogueRecord {
        id: dataset.id.to_string(),
        title: texts(&dataset.title),
        description: texts(&dataset.description),
        keywords: dataset.tags(),
        publisher: dataset.publisher.clone(),
        level: dataset.level.to_wire().into(),
        licence: dataset.licence.clone(),
        themes: dataset.themes.iter().map(|theme| theme.code().to_owned()).collect(),
        issued: dataset.issued.map(to_wire),
        modified: Some(to_wire(dataset.modified)),
    }
}

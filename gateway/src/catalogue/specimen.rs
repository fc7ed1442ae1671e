//! Pages of datasets for tests.

use std::num::NonZeroU64;

use octroi_proto::{Dataset, DatasetState, Level, ObjectVersion, StoredObject, Visibility, wire::v1};
use uuid::Uuid;

use super::{MOST_FILES, Page, Published, Site};
use crate::authorise::{
    Seen,
    tests::fixture::{self, EPOCH},
};

pub(super) fn site() -> Site {
    Site {
        base: "https://data.dijon.example".parse().unwrap(),
        api: "https://api.dijon.example:8444".parse().unwrap(),
        publisher: "Dijon métropole".to_owned(),
        contact: "donnees@dijon.example".to_owned(),
    }
}

pub(super) fn object(dataset: &str, key: &str, length: u64) -> StoredObject {
    let dataset = dataset.parse().unwrap();
    StoredObject {
        at: ObjectVersion { dataset, uuid: Uuid::from_bytes([1; 16]), version_id: Uuid::from_bytes([2; 16]) },
        version: 1,
        key: key.parse().unwrap(),
        length,
        sha256: [3; 32],
        media_type: "text/csv; charset=utf-8".parse().unwrap(),
        sealed_sha256: [4; 32],
        sealed_length: length + 100,
        stored: fixture::at(EPOCH - 70),
        stored_by: "metropole".parse().unwrap(),
    }
}

/// A published dataset; its links are open if it is public, as the gate would say.
pub(super) fn published(dataset: &Dataset) -> Published {
    let open = dataset.description.level == Level::Public && dataset.state == DatasetState::Published;
    let id = dataset.description.id.as_str();
    let files = [object(id, "2026/compteurs n°1.csv", 1_234_567), object(id, "lisez-moi.txt", 12)];
    Published::of(Seen::for_test(dataset, open), |_| true).with_files(files, MOST_FILES)
}

/// One of each level.
pub(super) fn page() -> Page {
    let hidden = fixture::dataset("menages", Level::Sensitive, DatasetState::Published);
    let datasets = [
        fixture::dataset("capteurs", Level::QuasiSensitive, DatasetState::Published),
        fixture::visible(hidden, Visibility::Public),
        fixture::dataset("velos", Level::Public, DatasetState::Published),
    ];
    let number = |number| NonZeroU64::new(number).unwrap();
    Page { number: number(2), last: number(3), total: 203, datasets: datasets.iter().map(published).collect() }
}

/// The only page of a catalogue of these.
pub(super) fn only_page(datasets: Vec<Published>) -> Page {
    Page { number: NonZeroU64::MIN, last: NonZeroU64::MIN, total: datasets.len() as u64, datasets }
}

/// A dataset with all that may be said of one.
pub(super) fn described(level: Level) -> Dataset {
    let mut dataset = fixture::dataset("velos", level, DatasetState::Published);
    let mut wire = v1::DatasetDescription::from(&dataset.description);
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let words = |language: &str, word: &str| (language.to_owned(), v1::Keywords { words: texts(&[word]) });
    wire.discovery = Some(v1::Discovery {
        keywords: [words("fr", "vélo"), words("en", "bicycle")].into(),
        themes: texts(&["ENVI", "TRAN"]),
        frequency: "HOURLY".to_owned(),
        languages: texts(&["FRA"]),
        temporal: vec![v1::TemporalCoverage { from: "2019-01-01".to_owned(), to: "2026-06-30".to_owned() }],
        spatial: vec![v1::SpatialCoverage {
            name: "Dijon métropole".to_owned(),
            iri: "https://sws.geonames.org/11071625/".to_owned(),
            r#box: "4.90,47.20,5.20,47.40".to_owned(),
        }],
        version: "3".to_owned(),
        landing_page: "https://www.metropole-dijon.example/velo".to_owned(),
        high_value_categories: texts(&["mobility"]),
        legislation: texts(&["https://www.legifrance.gouv.fr/eli/loi/2019/12/24/2019-1428/jo/texte"]),
        derived_from: texts(&["compteurs-bruts", "https://example.org/d"]),
        standards: texts(&["https://www.netex.example"]),
        limitation: String::new(),
    });
    dataset.description = wire.try_into().unwrap();
    dataset
}

/// A dataset whose texts are these; what must never be published carries `planted`.
pub(super) fn worded(level: Level, words: &str, planted: &str) -> Dataset {
    let mut dataset = fixture::dataset("velos", level, DatasetState::Published);
    let mut wire = v1::DatasetDescription::from(&dataset.description);
    let both = |text: &str| [("fr".to_owned(), text.to_owned()), ("en".to_owned(), text.to_owned())].into();
    wire.title = both(words);
    wire.description = both(words);
    wire.keywords = vec![words.to_owned()];
    wire.publisher = words.to_owned();
    wire.owner = words.to_owned();
    wire.purposes = vec![words.to_owned()];
    wire.steward = planted.to_owned();
    wire.retention = "P77Y".to_owned();
    wire.contact_point = Some(v1::ContactPoint { name: words.to_owned(), email: "a@b.example".to_owned() });
    dataset.description = wire.try_into().unwrap();
    dataset.revision = 776_655;
    dataset
}

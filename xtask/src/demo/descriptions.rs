//! Holds `config/demo/` to what the gateway accepts, and to the lake that it describes.

use std::{collections::BTreeMap, fs, path::PathBuf};

use octroi_proto::{DatasetDescription, Level, wire::v1};
use toml::{Table, Value};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/demo")
}

fn files() -> BTreeMap<String, Table> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path).unwrap().parse().unwrap());
        }
    }
    files
}

fn text(table: &Table, key: &str) -> String {
    table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let listed = table.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    listed.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

fn inner(table: &Table, key: &str) -> Table {
    table.get(key).and_then(Value::as_table).cloned().unwrap_or_default()
}

fn languages(table: &Table, key: &str) -> BTreeMap<String, String> {
    inner(table, key).into_iter().map(|(language, text)| (language, text.as_str().unwrap().to_owned())).collect()
}

fn description(table: &Table) -> DatasetDescription {
    let impact = |of: &str| match text(&inner(table, "impact"), of).as_str() {
        "L" => v1::Impact::Low.into(),
        "M" => v1::Impact::Moderate.into(),
        "H" => v1::Impact::High.into(),
        other => panic!("no impact: {other}"),
    };
    let visibility = match text(table, "metadata_visibility").as_str() {
        "" => v1::Visibility::Unspecified,
        word => word.parse::<octroi_proto::Visibility>().unwrap().to_wire(),
    };
    let contact = inner(table, "contact_point");
    let wire = v1::DatasetDescription {
        id: text(table, "id"),
        title: languages(table, "title"),
        description: languages(table, "description"),
        keywords: texts(table, "keywords"),
        publisher: text(table, "publisher"),
        owner: text(table, "owner"),
        steward: text(table, "steward"),
        contact_point: Some(v1::ContactPoint { name: text(&contact, "name"), email: text(&contact, "email") }),
        level: text(table, "level").parse::<Level>().unwrap().to_wire().into(),
        confidentiality: impact("confidentiality"),
        integrity: impact("integrity"),
        availability: impact("availability"),
        purposes: texts(table, "purposes"),
        licence: text(table, "licence"),
        retention: text(table, "retention"),
        agreement_required: table.get("agreement_required").and_then(Value::as_bool),
        metadata_visibility: visibility.into(),
        discovery: table.get("discovery").and_then(Value::as_table).map(discovery),
    };
    wire.try_into().unwrap()
}

/// What the descriptions here say to portals, with no key left over.
fn discovery(table: &Table) -> v1::Discovery {
    const READ: [&str; 8] = [
        "themes",
        "frequency",
        "languages",
        "temporal",
        "spatial",
        "high_value_categories",
        "derived_from",
        "limitation",
    ];
    let unread: Vec<&String> = table.keys().filter(|key| !READ.contains(&key.as_str())).collect();
    assert!(unread.is_empty(), "not read here yet: {unread:?}");
    let listed = |key: &str| table.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let period = |it: &Table| v1::TemporalCoverage { from: text(it, "from"), to: text(it, "to") };
    let place =
        |it: &Table| v1::SpatialCoverage { name: text(it, "name"), iri: text(it, "iri"), r#box: text(it, "box") };
    v1::Discovery {
        themes: texts(table, "themes"),
        frequency: text(table, "frequency"),
        languages: texts(table, "languages"),
        temporal: listed("temporal").iter().filter_map(Value::as_table).map(period).collect(),
        spatial: listed("spatial").iter().filter_map(Value::as_table).map(place).collect(),
        high_value_categories: texts(table, "high_value_categories"),
        derived_from: texts(table, "derived_from"),
        limitation: text(table, "limitation"),
        ..v1::Discovery::default()
    }
}

#[test]
fn every_description_is_complete_and_in_both_languages() {
    for (name, table) in files() {
        let description = description(&table);
        assert_eq!(description.id.as_str(), name);
        assert_eq!((description.title.iter().count(), description.description.iter().count()), (2, 2), "{name}");
    }
}

#[test]
fn the_lake_and_the_descriptions_have_the_same_datasets() {
    let lake: std::collections::BTreeSet<&str> = crate::lake::DATASETS.iter().copied().collect();
    assert_eq!(lake, files().keys().map(String::as_str).collect());
}

#[test]
fn the_demo_hands_over_no_sensitive_dataset() {
    let files = files();
    for id in super::plot::DATASETS {
        assert!(description(&files[id]).level < Level::Sensitive, "{id}");
    }
    let lent = description(&files[super::plot::LENT]);
    assert!(lent.level == Level::QuasiSensitive && !lent.agreement_required);
    assert!(lent.purposes.iter().any(|purpose| purpose.as_str() == super::plot::PURPOSE));
    let agreed = description(&files[super::plot::AGREED]);
    assert!(agreed.level == Level::QuasiSensitive && agreed.agreement_required);
    assert!(agreed.purposes.iter().any(|purpose| purpose.as_str() == super::plot::AGREED_PURPOSE));
    assert_eq!(description(&files[super::plot::PUBLIC]).level, Level::Public);
    for id in super::plot::ASKED {
        let asked = description(&files[id]);
        assert_eq!(asked.level, Level::Sensitive, "{id}");
        assert!(asked.purposes.iter().any(|purpose| purpose.as_str() == super::plot::ASKED_PURPOSE), "{id}");
    }
}

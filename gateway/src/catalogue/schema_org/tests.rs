use octroi_proto::{DatasetState, Level, wire::v1};
use proptest::prelude::*;

use super::{Language::*, *};
use crate::{
    authorise::{Seen, tests::fixture},
    catalogue::{
        MOST_FILES,
        specimen::{described, object, published, site, worded},
    },
};

fn parsed(shown: &Published, language: Language) -> Value {
    serde_json::from_str(&dataset(&site(), shown, language).to_string()).unwrap()
}

fn pretty(shown: &Published, language: Language) -> String {
    serde_json::to_string_pretty(&parsed(shown, language)).unwrap()
}

#[test]
fn the_block_is_as_it_was() {
    insta::assert_snapshot!("public", pretty(&published(&described(Level::Public)), French));
    insta::assert_snapshot!("lent", pretty(&published(&described(Level::QuasiSensitive)), English));
    let bare = fixture::dataset("menages", Level::Sensitive, DatasetState::Published);
    insta::assert_snapshot!("sensitive", pretty(&published(&bare), French));
}

#[test]
fn only_public_files_are_linked_to() {
    for level in Level::ALL {
        let shown = published(&described(*level));
        let block = parsed(&shown, French);
        let public = *level == Level::Public;
        assert_eq!(block["distribution"].as_array().map(Vec::len), public.then_some(2), "{level}");
        assert_eq!(block["isAccessibleForFree"].as_bool(), public.then_some(true), "{level}");
        assert_eq!(block.to_string().contains("/files/"), public, "{level}");
        assert_eq!(block["usageInfo"].is_string(), *level == Level::QuasiSensitive, "{level}");
        assert!(block["conditionsOfAccess"].is_string(), "{level}");
    }
}

#[test]
fn what_is_withdrawn_offers_no_way() {
    for level in Level::ALL {
        let block = parsed(&published(&fixture::dataset("velos", *level, DatasetState::Withdrawn)), French);
        for name in ["distribution", "isAccessibleForFree", "conditionsOfAccess", "usageInfo"] {
            assert!(block.get(name).is_none(), "{level} {name}");
        }
    }
}

#[test]
fn periods_and_boxes_are_written_as_search_engines_read_them() {
    let mut dataset = described(Level::Public);
    let block = parsed(&published(&dataset), French);
    assert_eq!(block["temporalCoverage"], "2019-01-01/2026-06-30");
    assert_eq!(block["spatialCoverage"]["geo"]["box"], "47.20 4.90 47.40 5.20");
    assert_eq!(block["inLanguage"], "fr");
    let day = Some("2019-01-01".parse().unwrap());
    dataset.description.discovery.temporal =
        vec![TemporalCoverage { from: day, to: None }, TemporalCoverage { from: None, to: day }];
    let block = parsed(&published(&dataset), French);
    assert_eq!(block["temporalCoverage"], json!(["2019-01-01/..", "../2019-01-01"]));
}

#[test]
fn words_are_in_the_pages_language_where_they_exist_in_it() {
    let shown = published(&described(Level::Public));
    assert_eq!(parsed(&shown, French)["name"], "Mesures");
    assert_eq!(parsed(&shown, English)["name"], "Readings");
    // The fixture is described in French alone.
    assert_eq!(parsed(&shown, English)["description"], "Des mesures.");
    assert_eq!(parsed(&shown, English)["about"][1]["name"], "Transport");
}

#[test]
fn a_parent_that_nobody_may_know_of_is_not_named() {
    let dataset = described(Level::Public);
    let shown = Published::of(Seen::for_test(&dataset, false), |_| false);
    assert_eq!(parsed(&shown, French)["isBasedOn"], "https://example.org/d");
}

#[test]
fn a_long_description_is_cut() {
    let mut dataset = described(Level::Public);
    let mut wire = v1::DatasetDescription::from(&dataset.description);
    wire.description = [("fr".to_owned(), "mot ".repeat(2_000))].into();
    dataset.description = wire.try_into().unwrap();
    let block = parsed(&published(&dataset), French);
    let length = block["description"].as_str().unwrap().chars().count();
    assert!((4_990..=5_000).contains(&length), "{length}");
}

proptest! {
    #[test]
    fn whatever_the_words_the_block_cannot_be_left_and_says_them(
        words in "[^\\p{Cc}]{0,20}(</script>|</ScRiPt |<!--|<script|-->|\\u{2028}|\\u{2029}|\\\\|\"|&lt;){1,4}[^\\p{Cc}]{0,20}",
        key in "[^/\\\\\\p{Cc}.]{0,10}(<!--|<script>|&quot;|\u{2028})[^/\\\\\\p{Cc}.]{0,10}",
        level in proptest::sample::select(Level::ALL),
    ) {
        let words = words.trim();
        prop_assume!(!words.is_empty() && !words.contains("planted"));
        let mut dataset = worded(level, words, "planted-steward");
        let discovery = &mut dataset.description.discovery;
        discovery.version = Some(words.to_owned());
        discovery.keywords = [("fr".to_owned(), vec![words.to_owned()])].into();
        discovery.spatial = vec![SpatialCoverage { name: Some(words.to_owned()), iri: None, bounds: None }];
        let shown = published(&dataset).with_files([object("velos", &key, 1)], MOST_FILES);
        let block = super::dataset(&site(), &shown, French).to_string();
        prop_assert!(!block.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{}", block);
        prop_assert!(!block.contains("planted") && !block.contains("P77Y") && !block.contains("776655"));
        let parsed: Value = serde_json::from_str(&block).unwrap();
        for said in [&parsed["name"], &parsed["version"], &parsed["keywords"][0], &parsed["spatialCoverage"]["name"]] {
            prop_assert_eq!(said, words);
        }
        if level == Level::Public {
            prop_assert_eq!(&parsed["distribution"][0]["name"], key.as_str());
        }
    }
}

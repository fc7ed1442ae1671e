use std::collections::BTreeSet;

use octroi_proto::DatasetState;
use oxjsonld::JsonLdParser;
use oxttl::TurtleParser;
use proptest::prelude::*;

use super::*;
use crate::{
    authorise::tests::fixture,
    catalogue::specimen::{object, page, published, site, worded},
};

fn parsed_turtle(bytes: &[u8]) -> BTreeSet<String> {
    TurtleParser::new().for_slice(bytes).map(|triple| triple.unwrap().to_string()).collect()
}

fn parsed_json_ld(bytes: &[u8]) -> BTreeSet<String> {
    JsonLdParser::new()
        .for_slice(bytes)
        .map(|quad| {
            let quad = quad.unwrap();
            assert!(quad.graph_name.is_default_graph());
            Triple::from(quad).to_string()
        })
        .collect()
}

fn built(page: &Page, format: &str) -> BTreeSet<String> {
    catalogue(&site(), page, format).iter().map(ToString::to_string).collect()
}

#[test]
fn the_two_formats_say_the_same() {
    let turtle = parsed_turtle(&turtle(&site(), &page()).unwrap());
    let json_ld = parsed_json_ld(&json_ld(&site(), &page()).unwrap());
    assert_eq!(turtle, built(&page(), "ttl"));
    assert_eq!(json_ld, built(&page(), "jsonld"));
    let same: BTreeSet<String> = json_ld.iter().map(|it| it.replace("/catalog.jsonld", "/catalog.ttl")).collect();
    assert_eq!(turtle, same);
}

#[test]
fn the_turtle_is_as_it_was() {
    insta::assert_snapshot!(String::from_utf8(turtle(&site(), &page()).unwrap()).unwrap());
}

#[test]
fn each_level_has_its_own_way_to_the_data() {
    let turtle = String::from_utf8(turtle(&site(), &page()).unwrap()).unwrap();
    assert!(turtle.contains("<https://data.dijon.example/dataset/velos/files/2026/compteurs%20n%C2%B01.csv>"));
    assert!(turtle.contains("dcat:accessURL <https://data.dijon.example/access/capteurs>"));
    assert!(!turtle.contains("/dataset/capteurs/files/") && !turtle.contains("/dataset/menages/files/"));
    assert!(!turtle.contains("/access/menages") && !turtle.contains("/access/velos"));
    assert_eq!(turtle.matches("dcat:downloadURL").count(), 2);
}

#[test]
fn what_is_withdrawn_offers_no_way() {
    for level in [Level::Public, Level::QuasiSensitive] {
        let withdrawn = published(&fixture::dataset("velos", level, DatasetState::Withdrawn));
        assert!(distributions(&site(), &withdrawn).is_empty());
    }
}

#[test]
fn pages_lead_from_one_to_the_next() {
    let first = Page { after: None, ..page() };
    let last = Page { next: None, ..page() };
    let text = |page: &Page| String::from_utf8(turtle(&site(), page).unwrap()).unwrap();
    assert!(text(&first).contains("hydra:next <https://data.dijon.example/catalog.ttl?after=velos>"));
    assert!(!text(&last).contains("hydra:next"));
    assert!(text(&last).contains("hydra:first <https://data.dijon.example/catalog.ttl>"));
}

#[test]
fn an_empty_catalogue_is_a_catalogue() {
    let empty = Page { after: None, datasets: Vec::new(), next: None };
    assert_eq!(parsed_turtle(&turtle(&site(), &empty).unwrap()), built(&empty, "ttl"));
    assert_eq!(parsed_json_ld(&json_ld(&site(), &empty).unwrap()), built(&empty, "jsonld"));
}

proptest! {
    #[test]
    fn whatever_the_words_both_formats_parse_and_show_nothing_else(
        words in "[^\\p{Cc}]{1,60}",
        key in "[^/\\\\\\p{Cc}.]{1,20}",
        level in proptest::sample::select(Level::ALL),
    ) {
        prop_assume!(!words.trim().is_empty() && !words.contains("planted"));
        let dataset = worded(level, &words, "planted-steward");
        let shown = published(&dataset).with_files([object("velos", &key, 1)]);
        let page = Page { after: None, datasets: vec![shown], next: None };
        let (turtle, json_ld) = (turtle(&site(), &page).unwrap(), json_ld(&site(), &page).unwrap());
        prop_assert_eq!(parsed_turtle(&turtle), built(&page, "ttl"));
        prop_assert_eq!(parsed_json_ld(&json_ld), built(&page, "jsonld"));
        for bytes in [turtle, json_ld] {
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(!text.contains("planted") && !text.contains("P77Y") && !text.contains("776655"));
        }
    }
}

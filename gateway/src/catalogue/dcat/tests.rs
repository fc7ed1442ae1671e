use std::collections::BTreeSet;

use octroi_proto::{DatasetState, Level};
use oxjsonld::JsonLdParser;
use oxrdf::{Graph as Set, Triple, dataset::CanonicalizationAlgorithm};
use oxrdfxml::RdfXmlParser;
use oxttl::TurtleParser;
use proptest::prelude::*;

use super::*;
use crate::{
    authorise::tests::fixture,
    catalogue::{
        MOST_FILES,
        specimen::{described, object, only_page, page, published, site, worded},
    },
};

fn parsed(bytes: &[u8], format: Format) -> BTreeSet<String> {
    let triples: Vec<Triple> = match format {
        Format::Turtle => TurtleParser::new().for_slice(bytes).map(Result::unwrap).collect(),
        Format::RdfXml => RdfXmlParser::new().for_slice(bytes).map(Result::unwrap).collect(),
        Format::JsonLd => {
            let quads = JsonLdParser::new().for_slice(bytes).map(Result::unwrap);
            quads.inspect(|quad| assert!(quad.graph_name.is_default_graph())).map(Triple::from).collect()
        }
    };
    canonical(triples.iter())
}

/// The triples with the labels of unnamed nodes made comparable.
fn canonical<'a>(triples: impl IntoIterator<Item = &'a Triple>) -> BTreeSet<String> {
    let mut set = Set::from_iter(triples.into_iter().map(Triple::as_ref));
    set.canonicalize(CanonicalizationAlgorithm::Unstable);
    set.iter().map(|triple| triple.to_string()).collect()
}

fn written(page: &Page, format: Format) -> Vec<u8> {
    catalogue(&site(), page, Addressed::Plainly, format).unwrap()
}

fn built(page: &Page) -> BTreeSet<String> {
    canonical(page_graph(&site(), page, Addressed::Plainly).triples())
}

fn turtle(page: &Page) -> String {
    String::from_utf8(catalogue(&site(), page, Addressed::BySuffix(Format::Turtle), Format::Turtle).unwrap()).unwrap()
}

fn full() -> Page {
    only_page(Level::ALL.iter().map(|level| published(&described(*level))).collect())
}

#[test]
fn the_three_formats_say_the_same() {
    for page in [page(), full(), only_page(Vec::new())] {
        for format in Format::ALL {
            assert_eq!(parsed(&written(&page, format), format), built(&page), "{format:?}");
        }
    }
}

#[test]
fn the_turtle_is_as_it_was() {
    insta::assert_snapshot!("page", turtle(&page()));
    let full = published(&described(Level::QuasiSensitive));
    let full = dataset(&site(), &full, Format::Turtle).unwrap();
    insta::assert_snapshot!("dataset", String::from_utf8(full).unwrap());
}

#[test]
fn each_level_has_its_own_way_to_the_data() {
    let turtle = turtle(&page());
    assert!(turtle.contains("<https://data.dijon.example/dataset/velos/files/2026/compteurs%20n%C2%B01.csv>"));
    assert!(turtle.contains("dcat:accessURL <https://data.dijon.example/access/capteurs>"));
    assert!(!turtle.contains("/dataset/capteurs/files/") && !turtle.contains("/dataset/menages/files/"));
    assert!(!turtle.contains("/access/menages") && !turtle.contains("/access/velos"));
    assert_eq!(turtle.matches("dcat:downloadURL").count(), 2);
    assert_eq!(turtle.matches("dcat:servesDataset").count(), 2);
}

#[test]
fn what_is_withdrawn_offers_no_way() {
    for level in Level::ALL {
        let withdrawn = published(&fixture::dataset("velos", *level, DatasetState::Withdrawn));
        assert!(dataset::distributions(&site(), &withdrawn).is_empty());
        assert_eq!(Service::of(&withdrawn), None);
    }
}

#[test]
fn pages_lead_from_one_to_the_next_in_their_own_format() {
    let second = turtle(&page());
    assert!(second.contains("hydra:next <https://data.dijon.example/catalog.ttl?page=3>"));
    assert!(second.contains("hydra:previous <https://data.dijon.example/catalog.ttl>"));
    assert!(second.contains("hydra:totalItems 203"));
    let last = turtle(&Page { last: page().number, ..page() });
    assert!(!last.contains("hydra:next"));
    let plain = String::from_utf8(written(&page(), Format::Turtle)).unwrap();
    assert!(plain.contains("hydra:next <https://data.dijon.example/catalog?page=3>"));
}

#[test]
fn a_parent_that_nobody_may_know_of_is_not_named() {
    let dataset = described(Level::Public);
    let seen = crate::authorise::Seen::for_test(&dataset, false);
    let shown = Published::of(seen, |_| false);
    let turtle = String::from_utf8(super::dataset(&site(), &shown, Format::Turtle).unwrap()).unwrap();
    assert!(!turtle.contains("compteurs-bruts") && turtle.contains("<https://example.org/d>"));
}

proptest! {
    #[test]
    fn whatever_the_words_every_format_parses_and_shows_nothing_else(
        words in "[^\\p{Cc}]{1,60}",
        key in "[^/\\\\\\p{Cc}.]{1,20}",
        level in proptest::sample::select(Level::ALL),
    ) {
        prop_assume!(!words.trim().is_empty() && !words.contains("planted"));
        let dataset = worded(level, &words, "planted-steward");
        let shown = published(&dataset).with_files([object("velos", &key, 1)], MOST_FILES);
        let page = only_page(vec![shown]);
        for format in Format::ALL {
            let bytes = written(&page, format);
            prop_assert_eq!(parsed(&bytes, format), built(&page));
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(!text.contains("planted") && !text.contains("P77Y") && !text.contains("776655"));
        }
    }
}

use octroi_proto::{DatasetState, dataset::SpatialCoverage};
use proptest::prelude::*;

use super::{Language::*, *};
use crate::{
    authorise::tests::fixture,
    catalogue::specimen::{described, only_page, page, published, site, worded},
};

fn shown(level: Level) -> Published {
    published(&fixture::dataset("velos", level, DatasetState::Published))
}

/// A dataset of which everything that is free text is these words.
fn wordy(level: Level, words: &str) -> Published {
    let mut dataset = worded(level, words, "planted-steward");
    let words = words.trim().to_owned();
    let discovery = &mut dataset.description.discovery;
    discovery.version = Some(words.clone());
    discovery.keywords = [("fr".to_owned(), vec![words.clone()])].into();
    discovery.spatial = vec![SpatialCoverage { name: Some(words), iri: None, bounds: None }];
    published(&dataset)
}

/// A page without its block of data, if it has one, after a look at whether anything in it could end it.
fn without_data(page: &str) -> String {
    let Some((before, rest)) = page.split_once("<script type=\"application/ld+json\">") else {
        return page.to_owned();
    };
    let (data, after) = rest.split_once("</script>").unwrap();
    assert!(!data.contains(['<', '>', '&']), "{data}");
    serde_json::from_str::<serde_json::Value>(data).unwrap();
    format!("{before}{after}")
}

#[test]
fn pages_are_as_they_were() {
    insta::assert_snapshot!("start", start(&site(), &page(), French).unwrap());
    insta::assert_snapshot!("public", dataset(&site(), &shown(Level::Public), French).unwrap());
    insta::assert_snapshot!("quasi_sensitive", dataset(&site(), &shown(Level::QuasiSensitive), English).unwrap());
    insta::assert_snapshot!("described", dataset(&site(), &published(&described(Level::Public)), French).unwrap());
    let lent = published(&described(Level::QuasiSensitive));
    insta::assert_snapshot!("described_in_english", dataset(&site(), &lent, English).unwrap());
    insta::assert_snapshot!("access", access(&site(), &shown(Level::QuasiSensitive), English).unwrap().unwrap());
}

#[test]
fn a_page_says_which_language_it_speaks_and_where_the_other_is() {
    for (language, other) in [(French, "en"), (English, "fr")] {
        let page = dataset(&site(), &shown(Level::Public), language).unwrap();
        assert!(page.contains(&format!("<html lang=\"{}\">", language.code())));
        assert!(page.contains(&format!(
            "<link rel=\"alternate\" hreflang=\"{other}\" href=\"https://data.dijon.example/dataset/velos?lang={other}\">"
        )));
    }
    let page = start(&site(), &page(), English).unwrap();
    assert!(page.contains("<link rel=\"canonical\" href=\"https://data.dijon.example/?page=2&#38;lang=en\">"));
    assert!(
        page.contains("<link rel=\"alternate\" hreflang=\"x-default\" href=\"https://data.dijon.example/?page=2\">")
    );
    // The fixture is described in French alone, and an English page says so.
    let english = dataset(&site(), &shown(Level::Public), English).unwrap();
    assert!(english.contains("<div lang=\"fr\">"));
}

#[test]
fn links_to_files_are_for_public_data_alone() {
    assert!(dataset(&site(), &shown(Level::Public), French).unwrap().contains("/dataset/velos/files/"));
    let lent = dataset(&site(), &shown(Level::QuasiSensitive), French).unwrap();
    assert!(!lent.contains("/files/") && lent.contains("/access/velos?lang=fr"));
    let asked = dataset(&site(), &shown(Level::Sensitive), French).unwrap();
    assert!(!asked.contains("/files/") && !asked.contains("/access/"));
}

#[test]
fn only_what_is_lent_can_be_asked_for() {
    assert!(access(&site(), &shown(Level::Public), French).unwrap().is_none());
    assert!(access(&site(), &shown(Level::Sensitive), French).unwrap().is_none());
    let withdrawn = published(&fixture::dataset("velos", Level::QuasiSensitive, DatasetState::Withdrawn));
    assert!(access(&site(), &withdrawn, French).unwrap().is_none());
}

#[test]
fn sizes_read_as_people_write_them() {
    for (bytes, french, english) in [
        (0, "0 octets", "0 bytes"),
        (999, "999 octets", "999 bytes"),
        (1_000, "1,0 ko", "1.0 kB"),
        (1_234_567, "1,2 Mo", "1.2 MB"),
        (u64::MAX, "18446744,0 To", "18446744.0 TB"),
    ] {
        assert_eq!(size(bytes, French), french);
        assert_eq!(size(bytes, English), english);
    }
}

#[test]
fn programs_find_their_documents() {
    let start = start(&site(), &page(), French).unwrap();
    let dataset = dataset(&site(), &shown(Level::Sensitive), French).unwrap();
    for format in Format::ALL {
        let (media_type, suffix) = (format.media_type(), format.suffix());
        for (page, path) in [(&start, "/catalog"), (&dataset, "/dataset/velos")] {
            let absolute = format!("https://data.dijon.example{path}.{suffix}");
            assert!(page.contains(&format!("<link rel=\"alternate\" type=\"{media_type}\" href=\"{absolute}\">")));
            assert!(page.contains(&format!("<a href=\"{path}.{suffix}\" type=\"{media_type}\">")));
        }
    }
}

#[test]
fn codes_are_shown_by_their_names() {
    let described = published(&described(Level::Sensitive));
    let page = dataset(&site(), &described, French).unwrap();
    for words in ["<dd>Transports</dd>", "<dd>toutes les heures</dd>", "<dd>français</dd>", "<dd>Mobilité</dd>"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains("<dd lang=\"en\">bicycle</dd>"));
    assert!(page.contains("<dd>du 2019-01-01 au 2026-06-30</dd>"));
    assert!(page.contains("la confidentialité des données à caractère personnel"));
    assert!(page.contains("<a href=\"/dataset/compteurs-bruts?lang=fr\">compteurs-bruts</a>"));
    let page = dataset(&site(), &described, English).unwrap();
    assert!(page.contains("<dd>Transport</dd>") && page.contains("<dd>every hour</dd>"));
    assert!(page.contains("the confidentiality of personal data (INSPIRE directive, Article 13(1)(f))"));
    assert!(!dataset(&site(), &shown(Level::Public), French).unwrap().contains("INSPIRE"));
}

#[test]
fn a_summary_is_short_and_in_one_line() {
    let paragraphs = vec!["Des mesures\nhoraires.", "Et d’autres."];
    assert_eq!(Text { language: "fr", paragraphs }.summary(), "Des mesures horaires. Et d’autres.");
    let long = "mot ".repeat(100);
    let summary = Text { language: "fr", paragraphs: vec![long.as_str()] }.summary();
    assert!(summary.ends_with("mot…") && summary.chars().count() <= 160, "{summary}");
}

#[test]
fn nothing_on_a_page_can_run() {
    let words = "<script>alert(1)</script>\" onload='x'";
    for level in Level::ALL {
        let shown = wordy(*level, words);
        let one = only_page(vec![shown.clone()]);
        let described = dataset(&site(), &shown, French).unwrap();
        assert_eq!(described.matches("<script").count(), 1);
        let pages = [
            start(&site(), &one, French).unwrap(),
            without_data(&described),
            access(&site(), &shown, French).unwrap().unwrap_or_default(),
        ];
        for page in pages {
            assert!(!page.contains("<script") && !page.contains("onload='"), "{page}");
            assert!(!page.contains("style=") && !page.contains("javascript:"), "{page}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_words_nothing_else_is_shown(
        words in "[^\\p{Cc}]{0,30}(</script>|<!--|<script|\\u{2028}|\"|&)?[^\\p{Cc}]{1,30}",
        level in proptest::sample::select(Level::ALL),
    ) {
        prop_assume!(!words.trim().is_empty() && !words.contains("planted"));
        let shown = wordy(level, &words);
        let tags = |text: &str| text.matches('<').count();
        let plain = wordy(level, "plain");
        for language in Language::ALL {
            let page = dataset(&site(), &shown, language).unwrap();
            prop_assert!(!page.contains("planted") && !page.contains("P77Y") && !page.contains("776655"));
            prop_assert_eq!(tags(&page), tags(&dataset(&site(), &plain, language).unwrap()));
            prop_assert_eq!(tags(&without_data(&page)) + 2, tags(&page));
        }
    }
}

use octroi_proto::DatasetState;
use proptest::prelude::*;

use super::{Language::*, *};
use crate::{
    authorise::tests::fixture,
    catalogue::specimen::{only_page, page, published, site, worded},
};

fn shown(level: Level) -> Published {
    published(&fixture::dataset("velos", level, DatasetState::Published))
}

#[test]
fn pages_are_as_they_were() {
    insta::assert_snapshot!("start", start(&site(), &page(), French).unwrap());
    insta::assert_snapshot!("public", dataset(&site(), &shown(Level::Public), French).unwrap());
    insta::assert_snapshot!("quasi_sensitive", dataset(&site(), &shown(Level::QuasiSensitive), English).unwrap());
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
fn nothing_on_a_page_can_run() {
    let words = "<script>alert(1)</script>\" onload='x'";
    for level in Level::ALL {
        let shown = published(&worded(*level, words, "planted-steward"));
        let one = only_page(vec![shown.clone()]);
        let pages = [
            start(&site(), &one, French).unwrap(),
            dataset(&site(), &shown, French).unwrap(),
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
        words in "[^\\p{Cc}]{1,60}",
        level in proptest::sample::select(Level::ALL),
    ) {
        prop_assume!(!words.trim().is_empty() && !words.contains("planted"));
        let shown = published(&worded(level, &words, "planted-steward"));
        let tags = |text: &str| text.matches('<').count();
        let plain = published(&worded(level, "plain", "planted-steward"));
        for language in Language::ALL {
            let page = dataset(&site(), &shown, language).unwrap();
            prop_assert!(!page.contains("planted") && !page.contains("P77Y") && !page.contains("776655"));
            prop_assert_eq!(tags(&page), tags(&dataset(&site(), &plain, language).unwrap()));
        }
    }
}

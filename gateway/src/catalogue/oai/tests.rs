use std::io;

use octroi_proto::{DatasetState, Level};
use proptest::prelude::*;
use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};
use ring::hmac;

use super::{xml::is_possible, *};
use crate::{
    authorise::tests::fixture::{self, EPOCH},
    catalogue::{
        MOST_FILES, Site,
        specimen::{described, object, published, site, worded},
    },
};

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
}

fn asked(arguments: &[(&str, &str)]) -> Asked {
    let arguments: Vec<(String, String)> =
        arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse(&arguments, &site().base, &key()).unwrap()
}

/// What is answered to these arguments.
fn answered(arguments: &[(&str, &str)], write: impl FnOnce(&Answer<'_>) -> io::Result<Vec<u8>>) -> String {
    written(&site(), &asked(arguments).echo, write)
}

/// Each element on its own line: text has no `<`.
fn written(site: &Site, echo: &Echo, write: impl FnOnce(&Answer<'_>) -> io::Result<Vec<u8>>) -> String {
    let answer = Answer { site, at: fixture::at(EPOCH), echo };
    String::from_utf8(write(&answer).unwrap()).unwrap().replace("><", ">\n<")
}

fn header(dataset: &str, level: Level, deleted: bool) -> Header {
    let sets = SetSpec::smallest(level.as_str(), ["ENVI", "TRAN"], "Dijon métropole");
    Header { dataset: dataset.parse().unwrap(), datestamp: fixture::at(EPOCH - 60), sets, deleted }
}

fn record(published: &Published, level: Level) -> Record<'_> {
    Record { header: header("velos", level, false), published: Some(published) }
}

fn part(arguments: &[(&str, &str)]) -> Part {
    match asked(arguments).request {
        Request::ListIdentifiers(part) | Request::ListRecords(part) => part,
        Request::Identify | Request::ListMetadataFormats { .. } | Request::ListSets | Request::GetRecord { .. } => {
            panic!("no list")
        }
    }
}

/// The elements that have text alone, with it.
fn texts(xml: &str) -> Vec<(String, String)> {
    assert!(xml.chars().all(is_possible));
    let mut reader = Reader::from_str(xml);
    let (mut open, mut texts): (Vec<String>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    let mut text = String::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                for attribute in start.attributes() {
                    attribute.unwrap().decode_and_unescape_value(reader.decoder()).unwrap();
                }
                open.push(String::from_utf8(start.name().as_ref().to_vec()).unwrap());
                text.clear();
            }
            Event::Text(it) => text.push_str(&it.decode().unwrap()),
            Event::GeneralRef(it) => text.push_str(resolve_predefined_entity(&it.decode().unwrap()).unwrap()),
            Event::End(_) => texts.push((open.pop().unwrap(), std::mem::take(&mut text))),
            Event::Decl(_) => {}
            Event::Eof => break,
            Event::Empty(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {
                panic!("never written")
            }
        }
    }
    assert!(open.is_empty());
    texts
}

const LIST: &[(&str, &str)] = &[("verb", "ListRecords"), ("metadataPrefix", "oai_dc"), ("set", "theme")];

#[test]
fn what_describes_the_repository_is_as_it_was() {
    let identify = answered(&[("verb", "Identify")], |answer| {
        answer.identify("donnees@metropole-dijon.example", fixture::at(EPOCH - 80))
    });
    insta::assert_snapshot!("identify", identify);
    insta::assert_snapshot!("formats", answered(&[("verb", "ListMetadataFormats")], |answer| answer.formats()));
    let sets = answered(&[("verb", "ListSets")], |answer| answer.sets(["Divia", "Dijon métropole"]));
    insta::assert_snapshot!("sets", sets);
}

#[test]
fn records_are_as_they_were() {
    let arguments = |prefix: Prefix| {
        [("verb", "GetRecord"), ("identifier", "oai:data.dijon.example:velos"), ("metadataPrefix", prefix.name())]
    };
    for (name, level, prefix) in [
        ("dublin_core_of_public", Level::Public, Prefix::OaiDc),
        ("dublin_core_of_lent", Level::QuasiSensitive, Prefix::OaiDc),
        ("datacite_of_public", Level::Public, Prefix::OaiDatacite),
        ("datacite_of_lent", Level::QuasiSensitive, Prefix::OaiDatacite),
    ] {
        let published = published(&described(level));
        let record = record(&published, level);
        insta::assert_snapshot!(name, answered(&arguments(prefix), |answer| answer.record(&record, prefix)));
    }
}

#[test]
fn lists_are_as_they_were() {
    let (velos, gone) = (published(&described(Level::Public)), header("capteurs", Level::QuasiSensitive, true));
    let records = [record(&velos, Level::Public), Record { header: gone.clone(), published: None }];
    let headers = [header("velos", Level::Public, false), gone];
    let next = Cursor { after: 41, delivered: 2, total: Some(4) };
    let first = answered(LIST, |answer| answer.records(&records, &part(LIST), Some(next), &key()));
    insta::assert_snapshot!("records", first);
    let arguments = [("verb", "ListIdentifiers"), ("metadataPrefix", "oai_dc")];
    let last = Part { cursor: Some(next), ..part(&arguments) };
    insta::assert_snapshot!(
        "identifiers",
        answered(&arguments, |answer| answer.identifiers(&headers, &last, None, &key()))
    );
}

#[test]
fn problems_are_as_they_were() {
    let problems =
        answered(LIST, |answer| answer.problems(&[Problem::IdDoesNotExist, Problem::CannotDisseminateFormat]));
    insta::assert_snapshot!("problems", problems);
    let bad = parse(&[("verb".to_owned(), "<script>".to_owned())], &site().base, &key()).unwrap_err();
    insta::assert_snapshot!("bad_verb", written(&site(), &bad.echo, |answer| answer.problems(&bad.problems)));
}

#[test]
fn a_token_leads_to_the_rest_of_the_list() {
    let gone = Record { header: header("capteurs", Level::Public, true), published: None };
    let next = Cursor { after: 41, delivered: 1, total: None };
    let first = answered(LIST, |answer| answer.records(std::slice::from_ref(&gone), &part(LIST), Some(next), &key()));
    let (_, token) = texts(&first).into_iter().find(|(name, _)| name == "resumptionToken").unwrap();
    let rest = [("verb", "ListRecords"), ("resumptionToken", token.as_str())];
    assert_eq!(part(&rest), Part { cursor: Some(next), ..part(LIST) });
    let last = answered(&rest, |answer| answer.records(std::slice::from_ref(&gone), &part(&rest), None, &key()));
    assert!(last.contains("<resumptionToken cursor=\"1\">\n</resumptionToken>"));
    let whole = answered(LIST, |answer| answer.records(std::slice::from_ref(&gone), &part(LIST), None, &key()));
    assert!(!whole.contains("resumptionToken"));
}

#[test]
fn an_empty_part_matches_nothing() {
    for empty in [
        answered(LIST, |answer| answer.records(&[], &part(LIST), None, &key())),
        answered(LIST, |answer| answer.identifiers(&[], &part(LIST), None, &key())),
    ] {
        assert!(empty.contains("<error code=\"noRecordsMatch\">") && !empty.contains("<ListRecords>"));
    }
}

#[test]
fn what_is_deleted_shows_no_metadata() {
    let velos = published(&described(Level::Public));
    for (deleted, published) in [(true, Some(&velos)), (true, None), (false, None)] {
        let record = Record { header: header("velos", Level::Public, deleted), published };
        let arguments = [("verb", "ListSets")];
        let text = answered(&arguments, |answer| answer.record(&record, Prefix::OaiDatacite));
        assert!(text.contains("<header status=\"deleted\">") && !text.contains("<metadata>"));
    }
}

#[test]
fn only_a_domain_name_explains_its_identifiers() {
    let site = Site { base: "http://127.0.0.1:8080/o".parse().unwrap(), ..site() };
    let identify = written(&site, &Echo::default(), |answer| answer.identify("a@b.example", fixture::at(EPOCH)));
    assert!(!identify.contains("<description>"));
    assert!(identify.contains("<baseURL>http://127.0.0.1:8080/o/oai</baseURL>"));
}

#[test]
fn files_are_counted_and_neither_named_nor_linked() {
    for (level, size) in [(Level::Public, true), (Level::QuasiSensitive, false), (Level::Sensitive, false)] {
        let published = published(&fixture::dataset("velos", level, DatasetState::Published));
        let record = record(&published, level);
        for prefix in Prefix::ALL {
            let text = answered(LIST, |answer| answer.record(&record, prefix));
            assert!(!text.contains("compteurs") && !text.contains("lisez-moi") && !text.contains("/files/"));
            assert_eq!(text.contains("text/csv"), size);
            assert_eq!(text.contains("1234579 bytes"), size && prefix == Prefix::OaiDatacite);
        }
    }
}

#[test]
fn more_files_than_are_known_are_not_summed() {
    let objects = [object("velos", "a.csv", 5), object("velos", "b.csv", 5)];
    let published = published(&described(Level::Public)).with_files(objects, 1);
    let record = record(&published, Level::Public);
    let text = answered(LIST, |answer| answer.record(&record, Prefix::OaiDatacite));
    assert!(text.contains("<size>more than 1 files</size>") && !text.contains("bytes"));
}

#[test]
fn a_parent_that_nobody_may_know_of_is_not_named() {
    let dataset = described(Level::Public);
    let shown = Published::of(crate::authorise::Seen::for_test(&dataset, false), |_| false);
    for prefix in Prefix::ALL {
        let text = answered(LIST, |answer| answer.record(&record(&shown, Level::Public), prefix));
        assert!(!text.contains("compteurs-bruts") && text.contains("https://example.org/d"));
    }
}

proptest! {
    #[test]
    fn whatever_the_words_every_record_parses_and_shows_nothing_else(
        words in "[^\\p{Cc}]{1,60}",
        level in proptest::sample::select(Level::ALL),
        prefix in proptest::sample::select(&Prefix::ALL[..]),
    ) {
        prop_assume!(!words.trim().is_empty() && !words.contains("planted"));
        let dataset = worded(level, &words, "planted-steward");
        let published = published(&dataset).with_files([object("velos", "planted/key.csv", 1)], MOST_FILES);
        let answer = |answer: &Answer<'_>| answer.record(&record(&published, level), prefix);
        let site = site();
        let answer = answer(&Answer { site: &site, at: fixture::at(EPOCH), echo: &Echo::default() }).unwrap();
        let text = String::from_utf8(answer).unwrap();
        prop_assert!(!text.contains("planted") && !text.contains("P77Y") && !text.contains("776655"));
        let expected: String =
            words.trim().chars().map(|c| if is_possible(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
        let (title, creator) = match prefix {
            Prefix::OaiDc => ("dc:title", "dc:creator"),
            Prefix::OaiDatacite => ("title", "creatorName"),
        };
        let texts = texts(&text);
        for element in [title, creator] {
            let found: Vec<&String> = texts.iter().filter(|(name, _)| name == element).map(|(_, text)| text).collect();
            prop_assert!(!found.is_empty() && found.iter().all(|text| **text == expected), "{element}: {found:?}");
        }
    }

    #[test]
    fn whatever_the_names_every_set_parses(names in proptest::collection::vec(".{0,40}", 0..5)) {
        let site = site();
        let answer = Answer { site: &site, at: fixture::at(EPOCH), echo: &Echo::default() };
        let text = String::from_utf8(answer.sets(names.iter().map(String::as_str)).unwrap()).unwrap();
        let specs = texts(&text).into_iter().filter(|(name, _)| name == "setSpec");
        prop_assert!(specs.count() >= 19);
    }
}

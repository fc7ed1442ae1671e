//! OAI-PMH, sitemaps and what search engines read.

use std::collections::BTreeSet;

use octroi_tests::City;

use crate::catalogue::{city, id, shown};

/// What the gateway answers to these arguments.
fn ask(city: &City, arguments: &str) -> String {
    let answer = city.curl(&[&city.public(&format!("oai?{arguments}"))]).expect(200);
    assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
    answer.text()
}

/// The contents of all elements of this name.
fn elements<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let open = format!("<{name}");
    let inside = text.split(open.as_str()).skip(1).filter(|rest| rest.starts_with(['>', ' ']));
    inside.filter_map(|rest| rest.split_once('>')?.1.split("</").next()).collect()
}

fn identifiers(text: &str) -> BTreeSet<String> {
    let headers = elements(text, "identifier").into_iter().filter_map(|it| it.strip_prefix("oai:localhost:"));
    headers.map(str::to_owned).collect()
}

fn code(text: &str) -> Option<&str> {
    text.split("<error code=\"").nth(1)?.split('"').next()
}

#[test]
fn a_harvest_finds_every_record_once_even_over_a_restart() {
    let mut city = city();
    let mut found = BTreeSet::new();
    let mut arguments = "verb=ListRecords&metadataPrefix=oai_dc".to_owned();
    let mut parts = 0;
    loop {
        let text = ask(&city, &arguments);
        let here = identifiers(&text);
        assert!(found.is_disjoint(&here));
        found.extend(here);
        parts += 1;
        match elements(&text, "resumptionToken").first().copied().unwrap_or_default() {
            "" => break,
            token => arguments = format!("verb=ListRecords&resumptionToken={token}"),
        }
        city.stop();
        city.serve();
    }
    assert_eq!((parts, found), (2, shown()));
    // Another verb cannot use it, nor can anybody write one.
    let token = arguments.rsplit('=').next().unwrap();
    for bad in [format!("verb=ListIdentifiers&resumptionToken={token}"), "verb=ListRecords&resumptionToken=x".into()] {
        assert_eq!(code(&ask(&city, &bad)), Some("badResumptionToken"), "{bad}");
    }
}

#[test]
fn what_left_the_catalogue_stays_as_a_deleted_record() {
    let city = city();
    let before = ask(&city, "verb=Identify");
    let now = elements(&before, "responseDate")[0].to_owned();
    city.octroi("claire", &["dataset", "withdraw", &id(3), "--reason", "superseded"]).expect();
    city.octroi("claire", &["dataset", "raise", &id(6), "sensitive", "--reason", "a mistake"]).expect();
    let changed = ask(&city, &format!("verb=ListIdentifiers&metadataPrefix=oai_dc&from={now}"));
    assert!(identifiers(&changed).is_superset(&[id(3), id(6)].into()), "{changed}");
    assert_eq!(changed.matches("status=\"deleted\"").count(), 2);
    let gone = ask(&city, &format!("verb=GetRecord&metadataPrefix=oai_datacite&identifier=oai:localhost:{}", id(6)));
    assert!(gone.contains("status=\"deleted\"") && !gone.contains("<metadata>") && !gone.contains("Données n° 6"));
    // Hidden, or never there: told alike.
    for absent in [id(9), "jeu-999".to_owned()] {
        let text = ask(&city, &format!("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:localhost:{absent}"));
        assert_eq!(code(&text), Some("idDoesNotExist"));
    }
}

#[test]
fn sets_and_dates_choose_and_every_error_is_the_protocols() {
    let city = city();
    let chosen = |more: &str| identifiers(&ask(&city, &format!("verb=ListIdentifiers&metadataPrefix=oai_dc&{more}")));
    assert_eq!(chosen("set=level:quasi-sensitive").len(), 30);
    assert_eq!(chosen("set=level:sensitive").len(), 15);
    assert_eq!(chosen("set=theme:TRAN").len(), 135);
    assert_eq!(chosen("set=organisation:ville-de-chenove").len(), 60);
    assert_eq!(chosen("from=2020-01-01&until=2100-01-01").len(), 135);
    for (arguments, expected) in [
        ("", "badVerb"),
        ("verb=Steal", "badVerb"),
        ("verb=Identify&verb=Identify", "badVerb"),
        ("verb=Identify&more=1", "badArgument"),
        ("verb=ListRecords", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=yesterday", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2026-01-02&until=2026-01-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=marc21", "cannotDisseminateFormat"),
        ("verb=ListRecords&metadataPrefix=oai_dc&until=1999-01-01", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=level:secret", "noRecordsMatch"),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:elsewhere:x", "idDoesNotExist"),
        ("verb=ListIdentifiers&resumptionToken=%3Cscript%3E", "badResumptionToken"),
    ] {
        let text = ask(&city, arguments);
        assert_eq!(code(&text), Some(expected), "{arguments}: {text}");
        assert!(!text.contains("<script"));
    }
    let posted = city.curl(&["--data", "verb=ListMetadataFormats", &city.public("oai")]).expect(200).text();
    assert_eq!(elements(&posted, "metadataPrefix"), ["oai_dc", "oai_datacite"]);
}

#[test]
fn search_engines_find_what_everybody_may_see() {
    let city = city();
    let sitemap = city.curl(&[&city.public("sitemap.xml")]).expect(200).text();
    for number in 0..150 {
        let named = sitemap.contains(&format!("/dataset/{}<", id(number)));
        assert_eq!(named, shown().contains(&id(number)), "{number}");
    }
    assert_eq!(sitemap.matches("<lastmod>").count(), 135);
    city.curl(&[&city.public("sitemap-2.xml")]).expect(404);
    let robots = city.curl(&[&city.public("robots.txt")]).expect(200).text();
    assert!(robots.contains(&format!("Sitemap: {}", city.public("sitemap.xml"))), "{robots}");
    let page = city.curl(&["--header", "Accept: text/html", &city.public(&format!("dataset/{}", id(0)))]);
    let page = page.expect(200).text();
    assert!(page.contains("application/ld+json") && page.contains("\"@type\":\"Dataset\""), "{page}");
    assert!(page.contains("rel=\"alternate\"") && page.contains(&format!("/dataset/{}.ttl", id(0))));
}

//! What everybody gets: the catalogue, pages, downloads.

use octroi_tests::{City, contains, files_below};

const COUNTS: &str = "hour,counter,count\n2026-01-01T00:00Z,place-darcy,41\n2026-01-01T01:00Z,place-darcy,17\n";

fn city() -> City {
    let city = City::start(&[]);
    city.staff();
    city.dataset("counters", "public", "");
    let file = city.file("counts.csv", COUNTS);
    let put = [
        "object",
        "put",
        "counters",
        file.to_str().unwrap(),
        "--key",
        "2026/comptes été.csv",
        "--media-type",
        "text/csv",
    ];
    city.octroi("claire", &put).expect();
    city
}

#[test]
fn files_download_with_ranges_conditions_and_no_account() {
    let city = city();
    let url = city.public("dataset/counters/files/2026/comptes%20%C3%A9t%C3%A9.csv");
    let whole = city.curl(&[&url]).expect(200);
    assert_eq!(whole.text(), COUNTS);
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("text/csv", "bytes"));
    assert!(whole.header("octroi-owner").contains("Direction") && !whole.header("octroi-scope").is_empty());
    let tag = whole.header("etag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");

    let part = city.curl(&["--range", "5-11", &url]).expect(206);
    assert_eq!(part.text(), &COUNTS[5..12]);
    assert_eq!(part.header("content-range"), format!("bytes 5-11/{}", COUNTS.len()));
    let end = city.curl(&["--range", "-3", &url]).expect(206);
    assert_eq!(end.text(), &COUNTS[COUNTS.len() - 3..]);
    let past = city.curl(&["--range", "100000-", &url]).expect(416);
    assert_eq!(past.header("content-range"), format!("bytes */{}", COUNTS.len()));
    // What is no range is no reason to refuse (RFC 9110 section 14.2).
    city.curl(&["--header", "Range: lines=1-2", &url]).expect(200);

    city.curl(&["--header", &format!("If-None-Match: {tag}"), &url]).expect(304);
    city.curl(&["--header", "If-Match: \"other\"", &url]).expect(412);
    city.curl(&["--range", "0-1", "--header", "If-Range: \"other\"", &url]).expect(200);
    let head = city.curl(&["--head", &url]).expect(200);
    assert_eq!(head.header("content-length"), COUNTS.len().to_string());
    assert!(head.body.is_empty());
}

#[test]
fn public_files_lie_sealed_too() {
    let city = city();
    for (path, bytes) in files_below(&city.data().join("objects")) {
        assert!(!contains(&bytes, b"place-darcy"), "{} holds plaintext", path.display());
    }
    assert_eq!(files_below(&city.data().join("objects")).len(), 1);
}

#[test]
fn the_catalogue_lists_what_is_published() {
    let city = city();
    city.dataset("climate", "quasi-sensitive", "");
    let turtle = city.curl(&[&city.public("catalog.ttl")]).expect(200);
    assert!(turtle.header("content-type").starts_with("text/turtle"), "{}", turtle.header("content-type"));
    for needle in [
        "dcat:Catalog",
        "dcat:downloadURL",
        "comptes%20%C3%A9t%C3%A9.csv",
        "/access/climate",
        "access-right/PUBLIC",
        "access-right/RESTRICTED",
    ] {
        assert!(turtle.text().contains(needle), "{needle} is not in {}", turtle.text());
    }
    // rdflib, which is not ours, reads the same graph from each syntax.
    let folder = city.beside("rdf");
    std::fs::create_dir(&folder).unwrap();
    for (suffix, media_type) in
        [("ttl", "text/turtle"), ("jsonld", "application/ld+json"), ("rdf", "application/rdf+xml")]
    {
        let document = city.curl(&[&city.public(&format!("catalog.{suffix}"))]).expect(200);
        assert_eq!(document.header("content-type"), format!("{media_type}; charset=utf-8"));
        std::fs::write(folder.join(format!("catalog.{suffix}")), &document.body).unwrap();
        let accept = format!("Accept: {media_type}");
        let negotiated = city.curl(&["--header", &accept, &city.public("catalog")]).expect(200);
        assert_eq!(negotiated.header("content-type"), format!("{media_type}; charset=utf-8"));
        let alone = city.curl(&[&city.public(&format!("dataset/counters.{suffix}"))]).expect(200);
        assert!(alone.text().contains("dataset/counters") && !alone.text().contains("dataset/climate"));
    }
    octroi_tests::python("same_graph.py", &[folder.to_str().unwrap()]).expect();
    let page = city.curl(&["--header", "Accept: text/html", &city.public("catalog")]).expect(200);
    assert!(page.text().contains("<html"));
    city.curl(&["--header", "Accept: image/png", &city.public("catalog")]).expect(406);
}

#[test]
fn a_harvester_that_has_the_page_already_is_told_so() {
    let city = city();
    let url = city.public("catalog.ttl");
    let first = city.curl(&[&url]).expect(200);
    let (tag, modified) = (first.header("etag"), first.header("last-modified"));
    let by_tag = format!("If-None-Match: {tag}");
    let by_date = format!("If-Modified-Since: {modified}");
    for condition in [&by_tag, &by_date] {
        let again = city.curl(&["--header", condition, &url]).expect(304);
        assert!(again.body.is_empty() && again.header("etag") == tag);
    }
    let head = city.curl(&["--head", &url]).expect(200);
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    let packed = city.curl(&["--header", "Accept-Encoding: gzip", &url]).expect(200);
    assert_eq!((packed.header("content-encoding"), packed.header("etag")), ("gzip", tag));
    assert!(packed.body.len() * 2 < first.body.len());
    let unpacked = city.curl(&["--compressed", &url]).expect(200);
    assert_eq!(unpacked.body, first.body);

    // What changed is sent: another dataset, or another file.
    city.put("claire", "counters", "b.csv", "1").expect();
    let changed = city.curl(&["--header", &by_tag, &url]).expect(200);
    assert!(changed.text().contains("b.csv") && changed.header("etag") != tag);
    city.curl(&[&city.public("catalog.ttl?page=2")]).expect(404);
    for malformed in ["0", "-1", "x", "1.5", "99999999999999999999"] {
        city.curl(&[&city.public(&format!("catalog.ttl?page={malformed}"))]).expect(400);
    }
}

#[test]
fn pages_are_readable_in_french_and_english() {
    let city = city();
    let french = city.curl(&["--header", "Accept-Language: fr", &city.public("dataset/counters")]).expect(200);
    assert!(
        french.text().contains("<html lang=\"fr\"") && french.text().contains("Données de counters"),
        "{}",
        french.text()
    );
    let english = city.curl(&[&city.public("dataset/counters?lang=en")]).expect(200);
    assert!(english.text().contains("<html lang=\"en\"") && english.text().contains("Data of counters"));
    // What search engines read is data: nothing runs.
    let data = english.text().matches("<script type=\"application/ld+json\">").count();
    assert_eq!((english.text().matches("<script").count(), data), (1, 1));
    assert!(english.header("content-security-policy").contains("default-src"));
    city.curl(&[&city.public("")]).expect(200);
}

#[test]
fn nothing_else_is_there() {
    let city = city();
    for path in [
        "admin",
        "v1/datasets",
        "dataset/COUNTERS",
        "dataset/../octroi.toml",
        "dataset/counters/files/",
        "dataset/counters/files/%2e%2e/x",
    ] {
        city.curl(&["--path-as-is", &city.public(path)]).expect(404);
    }
    city.curl(&["--request", "DELETE", &city.public("catalog.ttl")]).expect(405);
    // Uploads are for callers with credentials, on the other listener.
    city.curl(&["--upload-file", "/etc/hostname", &city.public("dataset/counters/files/x")]).expect(405);
}

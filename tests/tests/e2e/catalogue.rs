//! The catalogue as portals read it: many datasets, page by page, while they change.

use std::{collections::BTreeSet, fmt::Write as _, thread, time::Duration};

use octroi_tests::City;
use serde_json::{Value, json};

/// So many that there are two pages of datasets that everybody may know of.
const RECORDS: usize = 150;

/// A gateway with datasets of every level, imported at once. A portal may ask as fast as the tests do.
pub(crate) fn city() -> City {
    let city = City::start(&[("limits", "requests_per_second", "10000")]);
    city.staff();
    let mut lines = String::new();
    for number in 0..RECORDS {
        writeln!(lines, "{}", record(number)).unwrap();
    }
    let file = city.file("records.jsonl", lines);
    let imported = city.octroi("claire", &["dataset", "import", file.to_str().unwrap(), "--publish"]).expect();
    assert!(imported.out.contains("150 registered, 0 updated, 0 unchanged, 0 refused"), "{}", imported.out);
    city
}

fn record(number: usize) -> Value {
    let (level, visibility) = match number % 10 {
        0..=5 => ("public", None),
        6 | 7 => ("quasi-sensitive", None),
        8 => ("sensitive", Some("public")),
        _ => ("sensitive", Some("hidden")),
    };
    let mut record = json!({
        "id": id(number),
        "level": level,
        "title": { "fr": format!("Données n° {number} de l’été à Chenôve"), "en": format!("Data {number}") },
        "description": { "fr": "Mesures relevées chaque année, à l’échelle de la commune." },
        "keywords": ["mobilité", format!("mot{}", number % 3)],
        "publisher": if number.is_multiple_of(2) { "Dijon Métropole" } else { "Ville de Chenôve" },
        "owner": "Direction des mobilités",
        "steward": "claire",
        "contact_point": { "name": "Guichet de la donnée", "email": "donnees@metropole-dijon.example" },
        "impact": { "confidentiality": "L", "integrity": "L", "availability": "L" },
        "purposes": ["network planning"],
        "licence": "https://www.etalab.gouv.fr/licence-ouverte-open-licence",
        "retention": "P5Y",
        "agreement_required": false,
        "discovery": {
            "themes": ["TRAN"],
            "frequency": "ANNUAL",
            "languages": ["FRA"],
            "temporal": [{ "from": "2019-01-01", "to": "2024-12-31" }],
            "spatial": [{ "name": "Chenôve", "box": "4.98,47.28,5.03,47.31" }],
        },
    });
    if let Some(visibility) = visibility {
        record["metadata_visibility"] = json!(visibility);
    }
    record
}

pub(crate) fn id(number: usize) -> String {
    format!("jeu-{number:03}")
}

fn is_shown(number: usize) -> bool {
    number % 10 != 9
}

pub(crate) fn shown() -> BTreeSet<String> {
    (0..RECORDS).filter(|number| is_shown(*number)).map(id).collect()
}

/// The datasets on one page of the feed, and the address of the next.
fn page(city: &City, url: &str) -> (BTreeSet<String>, Option<String>) {
    let text = city.curl(&[url]).expect(200).text();
    let ids = text.lines().filter_map(|line| line.trim().strip_prefix("dct:identifier \"")?.split('"').next());
    let ids = ids.filter(|id| id.starts_with("jeu-")).map(str::to_owned).collect();
    let next = text.split("hydra:next <").nth(1).and_then(|rest| rest.split('>').next()).map(str::to_owned);
    (ids, next)
}

#[test]
fn pages_hold_every_dataset_once_while_others_come_and_go() {
    let city = city();
    let (mut seen, next) = page(&city, &city.public("catalog.ttl"));
    let next = next.expect("a second page");
    assert!(next.ends_with("/catalog.ttl?page=2"), "{next}");
    assert_eq!(seen.len(), 100);
    // Between the pages, one of the first page goes, one of it changes, and a new one comes.
    city.octroi("claire", &["dataset", "withdraw", &id(0), "--reason", "superseded"]).expect();
    city.dataset("jeu-nouveau", "public", "");
    let (second, last) = page(&city, &next);
    assert_eq!(last, None);
    assert!(seen.is_disjoint(&second));
    seen.extend(second);
    let mut expected = shown();
    expected.insert("jeu-nouveau".to_owned());
    assert_eq!(seen, expected);
    let (first, _) = page(&city, &city.public("catalog.ttl"));
    assert_eq!(first.len(), 99, "its place stays empty");
    let text = city.curl(&[&city.public("catalog.ttl")]).expect(200).text();
    assert!(text.contains("hydra:totalItems 135"), "one went and one came");
}

#[test]
fn an_import_is_repeated_without_a_change_and_lowers_no_level() {
    let city = city();
    let exported = city.octroi("claire", &["dataset", "export"]).expect().out;
    assert_eq!(exported.lines().count(), RECORDS);
    let file = city.file("exported.jsonl", &exported);
    let again = city.octroi("claire", &["dataset", "import", file.to_str().unwrap()]).expect().out;
    assert!(again.contains("0 registered, 0 updated, 150 unchanged, 0 refused"), "{again}");

    let mut lowered = record(6);
    lowered["level"] = json!("public");
    let mut changed = record(0);
    changed["title"]["fr"] = json!("Un autre titre");
    let broken = json!({ "id": "jeu-000", "level": "public", "colour": "red" });
    let file = city.file("mixed.jsonl", format!("{lowered}\n\n{changed}\n{broken}\nnot json\n"));
    let mixed = city.octroi("claire", &["dataset", "import", file.to_str().unwrap(), "--json"]);
    let outcomes: Vec<(String, String)> = mixed
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|it| (it["place"].as_str().unwrap().to_owned(), it["outcome"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [("line 1", "refused"), ("line 3", "updated"), ("line 4", "refused"), ("line 5", "refused")];
    assert_eq!(outcomes, expected.map(|(place, outcome)| (place.to_owned(), outcome.to_owned())));
    assert!(mixed.err.contains("3 records were refused"), "{}", mixed.err);
}

/// An action's answer, once the search index shows what was published.
fn action(city: &City, name: &str, arguments: &[&str]) -> Value {
    let url = city.public(&format!("api/3/action/{name}"));
    let mut curl = vec!["--get"];
    for argument in arguments {
        curl.extend(["--data-urlencode", argument]);
    }
    curl.push(&url);
    let answer = city.curl(&curl).expect(200);
    let value: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(value["success"], true, "{value}");
    value["result"].clone()
}

pub(crate) fn indexed(city: &City, count: usize) {
    for _ in 0..100 {
        if action(city, "package_search", &["rows=0"])["count"] == count {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the index does not show {count} datasets");
}

fn names(result: &Value) -> Vec<&str> {
    result["results"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
}

#[test]
fn ckan_clients_find_and_page() {
    let city = city();
    indexed(&city, 135);
    let all: BTreeSet<String> = action(&city, "package_list", &[])
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(all, shown());
    let mut paged = Vec::new();
    for start in ["start=0", "start=100", "start=200"] {
        let page = action(&city, "package_search", &["q=*:*", "rows=100", start, "sort=id asc"]);
        paged.extend(names(&page).into_iter().map(str::to_owned));
    }
    assert_eq!(paged, shown().into_iter().collect::<Vec<_>>());

    let found = action(&city, "package_search", &["q=chenove donnee", "fq=organization:ville-de-chenove", "rows=1000"]);
    assert!(names(&found).iter().all(|name| name[4..].parse::<usize>().unwrap() % 2 == 1) && found["count"] == 60);
    let facets = action(&city, "package_search", &["rows=0", "facet.field=[\"organization\",\"tags\",\"level\"]"]);
    assert_eq!(facets["facets"]["level"], json!({ "public": 90, "quasi-sensitive": 30, "sensitive": 15 }));
    assert_eq!(facets["search_facets"]["tags"]["items"][0]["name"], "mobilité");
    let recent =
        action(&city, "package_search", &["fq=metadata_modified:[2020-01-01T00:00:00.123456Z TO *]", "rows=0"]);
    assert_eq!(recent["count"], 135);
    let old = action(&city, "package_search", &["fq=metadata_modified:[* TO 2020-01-01T00:00:00Z]", "rows=0"]);
    assert_eq!(old["count"], 0);

    assert_eq!(action(&city, "organization_list", &[]), json!(["dijon-metropole", "ville-de-chenove"]));
    let organization = action(&city, "organization_show", &["id=ville-de-chenove"]);
    assert_eq!((&organization["title"], &organization["package_count"]), (&json!("Ville de Chenôve"), &json!(60)));
    assert!(action(&city, "tag_list", &[]).as_array().unwrap().contains(&json!("mot1")));
    assert_eq!(action(&city, "site_read", &[]), true);
    let posted = ["--json", "{\"id\": \"jeu-006\"}", &city.public("api/action/package_show")];
    let package: Value = serde_json::from_slice(&city.curl(&posted).expect(200).body).unwrap();
    let package = &package["result"];
    assert!(package["resources"][0]["url"].as_str().unwrap().ends_with("/access/jeu-006"));

    city.octroi("claire", &["dataset", "withdraw", "jeu-006", "--reason", "superseded"]).expect();
    indexed(&city, 134);
    let gone = city.curl(&[&city.public("api/3/action/package_show?id=jeu-006")]).expect(404).text();
    // What is hidden, withdrawn or never was there is told alike.
    for other in ["jeu-009", "jeu-999", "x", "../../etc"] {
        let absent = city.curl(&[&city.public(&format!("api/3/action/package_show?id={other}"))]).expect(404).text();
        assert_eq!(absent, gone);
    }
}

#[test]
fn what_ckan_clients_get_wrong_is_said_in_their_own_way() {
    let city = city();
    let error = |path: &str, status: u16| {
        let answer = city.curl(&[&city.public(&format!("api/3/action/{path}"))]).expect(status);
        assert!(answer.header("content-type").starts_with("application/json"), "{path}");
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    assert_eq!(error("package_search?rows=many", 409)["error"]["__type"], "Validation Error");
    assert_eq!(error("package_search?q=title:%22", 400)["error"]["__type"], "Search Query Error");
    assert_eq!(error("package_search?fq=%3Cscript%3E:1", 400)["success"], false);
    assert_eq!(error("package_search?sort=colour", 400)["error"]["__type"], "Search Query Error");
    assert_eq!(error("organization_show?id=%3Cb%3E", 404)["error"]["__type"], "Not Found Error");
    assert!(error("no_such_action", 400).as_str().unwrap().starts_with("Bad request"));
    let malformed = ["--json", "{\"id\"", &city.public("api/3/action/package_show")];
    city.curl(&malformed).expect(400);
    let large = city.file("large.json", vec![b' '; 2 << 20]);
    let large =
        ["--http1.1", "--data-binary", &format!("@{}", large.display()), &city.public("api/3/action/package_show")];
    city.curl(&large).expect(413);
}

#[test]
fn a_harvester_that_is_too_fast_is_told_when_to_come_back() {
    let city = City::start(&[("limits", "requests_per_second", "1")]);
    let answers: Vec<_> = (0..8).map(|_| city.curl(&[&city.public("catalog.ttl")])).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one of eight at once is refused");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(answers[0].status, 200);
}

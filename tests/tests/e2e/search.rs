//! One search over all levels, trimmed to whoever asks.

use std::{thread, time::Duration};

use octroi_tests::{Answer, City};
use serde_json::Value;

/// One dataset of every kind that a search must tell apart; each has the word `sonde` and one of its own.
fn city() -> City {
    let city = City::start(&[]);
    city.staff();
    city.onboard("voltaic", "voltaic", "vendor");
    city.dataset("sonde-ouverte", "public", "discovery.keywords.fr = [\"sonde\", \"anis\"]");
    city.dataset("sonde-pretee", "quasi-sensitive", "discovery.keywords.fr = [\"sonde\", \"badiane\"]");
    city.dataset(
        "sonde-membres",
        "sensitive",
        "metadata_visibility = \"members\"\ndiscovery.keywords.fr = [\"sonde\", \"cumin\"]",
    );
    city.dataset(
        "sonde-cachee",
        "sensitive",
        "metadata_visibility = \"hidden\"\ndiscovery.keywords.fr = [\"sonde\", \"safran\"]",
    );
    until(|| ids(&ask_as(&city, "claire", "q=sonde")).len() == 4);
    city
}

/// What follows the register half a second later is asked for until it is there.
fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..100 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("it never came");
}

fn ask(city: &City, query: &str) -> Answer {
    city.curl(&[&city.public(&format!("api/search?{query}"))])
}

fn ask_as(city: &City, who: &str, query: &str) -> Value {
    let answer = city.curl_as(who, &[&city.api(&format!("api/search?{query}"))]).expect(200);
    serde_json::from_str(&answer.text()).unwrap()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap()
}

fn ids(found: &Value) -> Vec<&str> {
    let records = found["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<&str> = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn everyone_finds_what_they_may_know_of_and_nothing_else_is_counted() {
    let city = city();
    let everybodys = json(&ask(&city, "q=sonde&facets=level,tags").expect(200));
    assert_eq!(ids(&everybodys), ["sonde-ouverte", "sonde-pretee"]);
    assert_eq!(everybodys["total"], 2);
    let text = everybodys.to_string();
    assert!(!text.contains("cumin") && !text.contains("safran") && !text.contains("\"sensitive"), "{text}");

    let members = ask_as(&city, "voltaic", "q=sonde&facets=level,tags");
    assert_eq!(ids(&members), ["sonde-membres", "sonde-ouverte", "sonde-pretee"]);
    assert_eq!(members["total"], 3);
    let text = members.to_string();
    assert!(text.contains("cumin") && !text.contains("safran"), "{text}");

    let stewards = ask_as(&city, "claire", "q=sonde&facets=level&page_size=2&sort=name%20asc");
    assert_eq!((ids(&stewards), &stewards["total"]), (vec!["sonde-cachee", "sonde-membres"], &4.into()));
    assert_eq!(stewards["facets"][0]["values"][0], serde_json::json!({ "value": "sensitive", "datasets": 2 }));
    assert_eq!(ids(&ask_as(&city, "claire", "q=sonde&start=2&sort=name%20asc")), ["sonde-ouverte", "sonde-pretee"]);
}

#[test]
fn what_is_hidden_is_answered_as_what_is_absent() {
    let city = city();
    for conditions in ["", "&facets=tags,level,organization", "&start=5", "&sort=name%20desc"] {
        for (hidden, absent) in
            [("safran", "poivre"), ("tags:safran", "tags:poivre"), ("id:sonde-cachee", "id:sonde-x")]
        {
            let query = |word: &str| format!("q={word}{conditions}");
            assert_eq!(json(&ask(&city, &query(hidden))), json(&ask(&city, &query(absent))), "{hidden}{conditions}");
            let asked = |word: &str| ask_as(&city, "voltaic", &query(word));
            assert_eq!(asked(hidden), asked(absent), "{hidden}{conditions}");
        }
    }
    assert_eq!(json(&ask(&city, "q=cumin")), json(&ask(&city, "q=poivre")));
    city.octroi("claire", &["dataset", "withdraw", "sonde-pretee", "--reason", "an error"]).expect();
    until(|| json(&ask(&city, "q=badiane")) == json(&ask(&city, "q=poivre")));
    assert_eq!(ask_as(&city, "voltaic", "q=badiane"), ask_as(&city, "voltaic", "q=poivre"));
}

#[test]
fn bad_questions_are_told_what_to_mend() {
    let city = City::start(&[]);
    for (query, words) in [
        ("q=secret:1", "names a field that is not searched"),
        ("q=%22", "is no query"),
        ("sort=colour", "`score`, `name`"),
        ("facets=steward", "must be among `organization`"),
        ("facets=tags,tags,tags,tags,tags,tags,tags", "must be at most six"),
        ("page_size=2000", "must be at most 1000"),
        ("colour=red", "not known here"),
        ("start=-1", "not of its form"),
    ] {
        let answer = ask(&city, query).expect(400);
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
    }
}

#[test]
fn members_search_from_the_command_line() {
    let city = city();
    let found = city.octroi("voltaic", &["dataset", "search", "SONDES", "--filter", "-level:public"]).expect();
    assert!(found.out.contains("sonde-pretee") && found.out.contains("sonde-membres"), "{}", found.out);
    assert!(!found.out.contains("sonde-ouverte") && !found.out.contains("sonde-cachee"), "{}", found.out);
    let counted = city.octroi("claire", &["dataset", "search", "sonde", "--facet", "level"]).expect();
    assert!(counted.out.lines().any(|line| line.split_whitespace().eq(["sensitive", "2"])), "{}", counted.out);
}

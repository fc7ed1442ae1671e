//! From a harvested record to the data: what a portal's reader does who follows `accessURL`.

use octroi_tests::City;

/// The only IRI behind `property` in Turtle that contains `part`.
fn iri<'a>(turtle: &'a str, property: &str, part: &str) -> &'a str {
    let mut found: Vec<&str> = turtle
        .split(&format!("{property} <"))
        .skip(1)
        .filter_map(|behind| behind.split('>').next())
        .filter(|iri| iri.contains(part))
        .collect();
    found.dedup();
    assert_eq!(found.len(), 1, "{property} with {part}: {found:?}");
    found[0]
}

#[test]
fn whoever_follows_a_harvested_access_url_gets_to_the_data_by_a_grant() {
    let mut city = City::start(&[]);
    city.staff();
    city.onboard("voltaic", "voltaic", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    city.put("claire", "climate", "2026/a.csv", "heure,degres\n1,21\n").expect();

    // The record, as a portal has it.
    let feed = city.curl(&[&city.public("catalog.ttl")]).expect(200).text();
    let page = iri(&feed, "dcat:accessURL", "climate").to_owned();
    assert!(!feed.contains("downloadURL") && !feed.contains("a.csv"), "{feed}");

    // The page says where to ask.
    let page = city.curl(&[&page]).expect(200).text();
    let url = page.split("POST ").nth(1).and_then(|behind| behind.split_whitespace().next()).unwrap();
    assert!(url.starts_with("https://") && url.ends_with("/v1/datasets/climate/requests"), "{url}");

    // Before the grant, and for strangers, there is nothing.
    let objects = url.replace("/requests", "/objects");
    let object = format!("{objects}/2026/a.csv");
    city.curl(&[&object]).expect(401);
    city.curl_as("voltaic", &[&object]).expect(403);

    let asked = city.curl_as("voltaic", &["--data", r#"{"purpose": "research", "actions": ["fetch"]}"#, url]);
    let request: serde_json::Value = serde_json::from_slice(&asked.expect(201).body).unwrap();
    let id = request["id"].as_str().unwrap();
    city.curl_as("voltaic", &[&object]).expect(403);
    let grant = city.octroi("claire", &["request", "grant", id, "--days", "2", "--json"]).expect().json();

    assert_eq!(city.curl_as("voltaic", &[&object]).expect(200).text(), "heure,degres\n1,21\n");
    city.curl(&[&object]).expect(401);

    city.octroi("claire", &["grant", "revoke", grant["id"].as_str().unwrap(), "--reason", "over"]).expect();
    city.curl_as("voltaic", &[&object]).expect(403);
    city.stop();
}

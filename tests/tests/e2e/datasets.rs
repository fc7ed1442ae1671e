//! Registering, describing, publishing, withdrawing, raising.

use octroi_tests::{City, description};

#[test]
fn a_dataset_lives_its_life() {
    let city = City::start(&[]);
    city.staff();
    let file = city.file("counters.toml", description("counters", "public", ""));
    let file = file.to_str().unwrap();
    let registered = city.octroi("claire", &["dataset", "register", file, "--json"]).expect().json();
    assert_eq!((&registered["state"], &registered["revision"]), (&"draft".into(), &1.into()));
    city.octroi("claire", &["dataset", "register", file]).refused("taken");
    // A draft is nobody else's business.
    city.curl(&[&city.public("dataset/counters")]).expect(404);
    city.octroi("claire", &["dataset", "publish", "counters"]).expect();
    city.curl(&[&city.public("dataset/counters")]).expect(200);
    city.octroi("claire", &["dataset", "describe", file, "--revision", "1"]).refused("changed");
    city.octroi("claire", &["dataset", "describe", file, "--revision", "2"]).expect();
    city.octroi("claire", &["dataset", "withdraw", "counters", "--reason", "sensor fault"]).expect();
    city.curl(&[&city.public("dataset/counters")]).expect(404);
    assert!(!city.curl(&[&city.public("catalog.ttl")]).expect(200).text().contains("counters"));
}

#[test]
fn every_violation_is_listed_by_field_at_once() {
    let city = City::start(&[]);
    city.staff();
    let file = city.file("bad.toml", "id = \"X\"\nlicence = \"free\"\n[title]\nde = \"Titel\"");
    let said = city.octroi("claire", &["dataset", "register", file.to_str().unwrap()]);
    for field in [
        "id",
        "title",
        "description",
        "publisher",
        "owner",
        "steward",
        "contact_point",
        "confidentiality",
        "integrity",
        "availability",
        "purposes",
        "licence",
        "retention",
        "agreement_required",
    ] {
        assert!(said.err.contains(&format!("\n  {field}: ")), "{field} is missing in: {}", said.err);
    }
    said.refused("does not accept");
    assert_eq!(city.octroi("claire", &["dataset", "list", "--json"]).expect().out, "");
}

#[test]
fn levels_only_rise_and_links_die_at_once() {
    let city = City::start(&[]);
    city.staff();
    city.dataset("counters", "public", "");
    city.put("claire", "counters", "a.csv", "hour,count\n1,7\n").expect();
    let link = city.public("dataset/counters/files/a.csv");
    city.curl(&[&link]).expect(200);
    city.octroi("claire", &["dataset", "raise", "counters", "public", "--reason", "x"]).refused("");
    city.octroi("claire", &["dataset", "raise", "counters", "sensitive", "--reason", "homes can be told apart"])
        .expect();
    city.curl(&[&link]).expect(404);
    city.curl(&[&city.public("dataset/counters")]).expect(404);
    city.octroi("claire", &["dataset", "raise", "counters", "quasi-sensitive", "--reason", "x"]).refused("");
    // Not by describing it either.
    let file = city.file("lower.toml", description("counters", "public", ""));
    city.octroi("claire", &["dataset", "describe", file.to_str().unwrap()]).refused("");
    // Nor does its own steward get a sensitive object out.
    city.octroi("claire", &["object", "get", "counters", "a.csv"]).refused("");
}

#[test]
fn a_dataset_without_a_level_is_sensitive_and_hidden() {
    let city = City::start(&[]);
    city.staff();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    let text = description("homes", "sensitive", "").replace("level = \"sensitive\"\n", "");
    let file = city.file("homes.toml", text);
    let registered = city.octroi("claire", &["dataset", "register", file.to_str().unwrap(), "--json"]).expect().json();
    assert_eq!(registered["description"]["level"], "sensitive");
    assert_eq!(registered["description"]["metadata_visibility"], "hidden");
    city.octroi("claire", &["dataset", "publish", "homes"]).expect();
    // Hidden cannot be told from absent: not by status, not by words, not by headers.
    for path in ["dataset/homes", "access/homes", "dataset/homes/files/a"] {
        let hidden = city.curl(&[&city.public(path)]);
        let absent = city.curl(&[&city.public(&path.replace("homes", "nowhere"))]);
        let told = |answer: &octroi_tests::Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("date");
            (answer.status, headers, answer.text().replace("homes", "nowhere"))
        };
        assert_eq!(told(&hidden), told(&absent), "{path}");
        assert_eq!(hidden.status, 404);
    }
    for arguments in [["dataset", "show"], ["object", "list"]] {
        let hidden = city.octroi("voltaic", &[arguments[0], arguments[1], "homes"]);
        let absent = city.octroi("voltaic", &[arguments[0], arguments[1], "nowhere"]);
        assert_eq!(hidden.err, absent.err);
    }
    assert!(!city.octroi("voltaic", &["dataset", "list"]).expect().out.contains("homes"));
}

#[test]
fn members_see_what_is_for_members() {
    let city = City::start(&[]);
    city.staff();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("trips", "sensitive", "metadata_visibility = \"members\"");
    city.dataset("census", "sensitive", "metadata_visibility = \"public\"");
    city.octroi("voltaic", &["dataset", "show", "trips"]).expect();
    city.curl(&[&city.public("dataset/trips")]).expect(404);
    city.curl(&[&city.public("dataset/census")]).expect(200);
    let catalogue = city.curl(&[&city.public("catalog.ttl")]).expect(200).text();
    assert!(catalogue.contains("dataset/census") && !catalogue.contains("dataset/trips"));
}

#[test]
fn only_its_own_steward_manages_a_dataset() {
    let city = City::start(&[]);
    city.staff();
    city.onboard("paul", "dijon-metropole", "steward");
    city.dataset("counters", "public", "");
    for who in ["paul", "marc", "operator"] {
        city.octroi(who, &["dataset", "publish", "counters"]).refused("policy");
        city.put(who, "counters", "a", "1").refused("policy");
    }
    for who in ["paul", "marc"] {
        city.octroi(who, &["dataset", "withdraw", "counters", "--reason", "x"]).refused("policy");
    }
    // Taking away does not wait for claire; an operator is told no more of it than it could see.
    let taken = city.octroi("operator", &["dataset", "withdraw", "counters", "--reason", "leak", "--json"]).expect();
    let taken = taken.json();
    assert_eq!((&taken["description"]["id"], &taken["state"]), (&"counters".into(), &"withdrawn".into()));
    assert!(taken["description"]["steward"].as_str().unwrap_or_default().is_empty(), "{taken}");
    city.octroi("operator", &["dataset", "raise", "counters", "sensitive", "--reason", "leak"]).expect();
    let file = city.file("other.toml", description("other", "public", ""));
    city.octroi("operator", &["dataset", "register", file.to_str().unwrap()]).refused("policy");
}

#[test]
fn what_tells_of_the_data_is_not_published() {
    let city = City::start(&[]);
    city.staff();
    let told = octroi_tests::description("climate", "quasi-sensitive", "").replace(
        "Une série d'essai.",
        "Températures du 12 rue Monge, par exemple 19,5 °C ; 20,1 °C (/srv/lake/a.csv).",
    );
    let file = city.file("climate.toml", &told);
    let path = file.to_str().unwrap();
    let linted = city.plain(&["dataset", "lint", path, "--json"]);
    let codes: Vec<String> = linted
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|finding| finding["severity"] == "blocks")
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    assert!(codes.len() >= 3 && linted.err.contains("stand against publication"), "{codes:?} {}", linted.err);
    city.octroi("claire", &["dataset", "register", path]).expect();
    let refused = city.octroi("claire", &["dataset", "publish", "climate"]);
    refused.refused("description.fr");
    assert!(!city.curl(&[&city.public("catalog.ttl")]).expect(200).text().contains("Monge"));
    let mended = city.file("mended.toml", octroi_tests::description("climate", "quasi-sensitive", ""));
    city.octroi("claire", &["dataset", "describe", mended.to_str().unwrap()]).expect();
    city.octroi("claire", &["dataset", "publish", "climate"]).expect();
    // Nor may what is published come to tell it.
    city.octroi("claire", &["dataset", "describe", path]).refused("description.fr");
}

#[test]
fn what_the_demo_says_of_its_datasets_can_be_published() {
    let city = City::start(&[]);
    city.staff();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/demo");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut published = 0;
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let id = file.file_stem().unwrap().to_str().unwrap();
        city.octroi("claire", &["dataset", "register", file.to_str().unwrap()]).expect();
        city.octroi("claire", &["dataset", "publish", id]).expect();
        published += 1;
    }
    assert!(published >= 14);
    let feed = city.curl(&[&city.public("catalog.ttl")]).expect(200).text();
    assert!(feed.contains("data-theme/TRAN") && feed.contains("INSPIRE_Directive_Article13_1f"), "{feed}");
}

//! What may leave is declared by the steward, known to those who may ask, in the evidence and in every receipt.

use std::fs;

use octroi_tests::{City, repository, rows};
use serde_json::{Value, json};

use super::{COUNT, METERS, fill};

/// Of the meters: months in quarters, and at least so many households.
const POLICY: &str = r#"
[[tables]]
name = "meters"
units = [{ column = "household", space = "household" }]
columns = [
  { name = "household", role = "identifier" },
  { name = "district", role = "dimension", groups = [{ name = "outskirts", values = ["nord", "sud"] }] },
  { name = "month", role = "dimension", cuts = [4, 7, 10] },
  { name = "wh", role = "measure", low = 0, high = 10000 },
]
[cells]
least_subjects = 15
"#;

fn declare(city: &City, who: &str, text: &str) -> octroi_tests::Said {
    let file = city.file("policy.toml", text);
    city.octroi(who, &["dataset", "policy", "energie", file.to_str().unwrap(), "--json"])
}

/// The policy's digest in the receipt of a question, which is verified first.
fn receipted(city: &City) -> String {
    let receipt = city.beside("receipt.json");
    let path = receipt.to_str().unwrap();
    let words = ["--dataset", "energie", "--purpose", "research", "--json", "--receipt", path, COUNT];
    assert_eq!(rows(&city.query("lena", &words).expect().json()).len(), 1);
    let checkpoint = city.beside("checkpoint");
    fs::write(&checkpoint, city.curl(&[&city.public("log/checkpoint")]).expect(200).body).unwrap();
    let verified = city.octroi("lena", &["verify", path, "--checkpoint", checkpoint.to_str().unwrap(), "--json"]);
    verified.expect().json()["release"]["policy_sha256"].as_str().expect("a digest").to_owned()
}

#[test]
fn the_policy_is_declared_shown_and_in_evidence_and_receipts() {
    let city = City::asking(&[]);
    fill(&city);
    city.onboard("audrey", "cour-des-comptes", "auditor");
    city.octroi("lena", &["dataset", "policy", "energie"]).refused("");

    for other in ["lena", "marc", "operator"] {
        declare(&city, other, POLICY).refused("policy");
    }
    let declared = declare(&city, "claire", POLICY).expect().json();
    assert_eq!(declared["policy"]["revision"], 1, "{declared}");
    assert_eq!(declared["looser"], json!(["tables[meters]: may be asked"]));
    let shown = city.octroi("lena", &["dataset", "policy", "energie", "--json"]).expect().json();
    assert_eq!(shown, declared["policy"]);
    assert_eq!(shown["cells"]["two_largest_share"], 90, "what was left out has its default: {shown}");
    let said = city.octroi("lena", &["dataset", "policy", "energie"]).expect();
    assert!(said.out.contains("outskirts = nord or sud") && said.out.contains("cut at 4, 7, 10"), "{}", said.out);
    let first = receipted(&city);

    // By the other way in, and looser.
    let monthly: Value = (2..=12).collect();
    let body = json!({"tables": [{
        "name": "meters",
        "units": [{"column": "household", "space": "household"}],
        "columns": [{"name": "month", "role": "dimension", "cuts": monthly}],
    }]});
    let url = city.api("v1/datasets/energie/policy");
    city.curl_as("lena", &["--data", &body.to_string(), &url]).expect(403);
    let answer = city.curl_as("claire", &["--data", &body.to_string(), &url]).expect(200);
    let declared: Value = serde_json::from_slice(&answer.body).unwrap();
    let looser = ["tables[meters].columns[month]: finer bins", "cells.least_subjects: a laxer threshold"];
    assert_eq!((&declared["policy"]["revision"], &declared["looser"]), (&json!(2), &json!(looser)));
    let answer = city.curl_as("lena", &[&url]).expect(200);
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), declared["policy"]);
    assert_ne!(receipted(&city), first);

    let entries = city.octroi("audrey", &["evidence", "list", "--json"]).expect().json_lines();
    let declarations: Vec<_> = entries.iter().filter(|entry| entry["action"] == "DeclarePolicy").collect();
    let last = declarations.last().expect("declarations are evidence");
    assert_eq!(last["actor"]["principal"], "claire", "{last}");
    assert_eq!(last["policy_declared"], declared, "{last}");
}

#[test]
fn a_policy_and_a_schema_that_do_not_fit_are_refused() {
    let city = City::start(&[]);
    city.staff();
    city.dataset("sans-table", "sensitive", "");
    let file = city.file("policy.toml", POLICY);
    let words = ["dataset", "policy", "sans-table", file.to_str().unwrap()];
    city.octroi("claire", &words).refused("octroi dataset schema");
    city.sensitive("energie", "vm", &[METERS]);
    declare(&city, "claire", &POLICY.replace("15", "10")).refused("cells.least_subjects");
    declare(&city, "claire", &POLICY.replace("\"wh\"", "\"tenant\"")).refused("is hidden");
    declare(&city, "claire", &POLICY.replace("role = \"measure\"", "role = \"mesure\"")).refused("one of `identifier`");
    declare(&city, "claire", &POLICY.replace("high", "hihg")).refused("hihg");
    declare(&city, "claire", POLICY).expect();
    let schema = fs::read_to_string(city.beside("energie.schema.toml")).unwrap();
    let hiding = city.file("hiding.toml", schema.replace("integer\", nullable", "integer\", hidden = true, nullable"));
    let words = ["dataset", "schema", "energie", hiding.to_str().unwrap()];
    city.octroi("claire", &words).refused("tables[meters].columns[wh]");
    declare(&city, "claire", &POLICY.replace("  { name = \"wh\", role = \"measure\", low = 0, high = 10000 },\n", ""))
        .expect();
    city.octroi("claire", &words).expect();
}

#[test]
fn the_policies_of_the_demo_fit_its_schemas() {
    let city = City::start(&[]);
    city.staff();
    let folder = repository().join("config");
    // Each after what it joins.
    let order = ["nyc-flights", "menages", "personnes", "electricite-menages", "climat-logements", "trajets-vehicules"];
    for id in order {
        city.dataset(id, "sensitive", "");
        for (kind, path) in [("schema", "demo/schemas"), ("policy", "release")] {
            let file = folder.join(path).join(format!("{id}.toml"));
            city.octroi("claire", &["dataset", kind, id, file.to_str().unwrap()]).expect();
        }
    }
    assert_eq!(fs::read_dir(folder.join("release")).unwrap().count(), order.len());
}

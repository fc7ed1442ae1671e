//! What may link what: read from cargo's own resolution, not from good intentions.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Name and direct dependencies (not those of tests) of every package, by its id.
fn packages() -> BTreeMap<String, (String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // What other systems alone would need may not have been fetched.
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(octroi_tests::repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: BTreeMap<_, _> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let linked =
        |dependency: &&Value| dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let node = |node: &Value| {
        let id = text(&node["id"]);
        let dependencies = node["deps"].as_array().unwrap().iter().filter(linked).map(|it| text(&it["pkg"])).collect();
        (id.clone(), (names[&id].clone(), dependencies))
    };
    nodes.iter().map(node).collect()
}

/// Names of all that is linked into a package.
fn linked_into(name: &str) -> BTreeSet<String> {
    let packages = packages();
    let mut waiting: Vec<_> = packages.iter().filter(|(_, (it, _))| it == name).map(|(id, _)| id.clone()).collect();
    assert_eq!(waiting.len(), 1, "one package is called {name}");
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id.clone()) {
            waiting.extend(packages[&id].1.iter().cloned());
        }
    }
    seen.iter().map(|id| packages[id].0.clone()).collect()
}

#[test]
fn the_gateway_links_no_engine_no_release_code_and_one_tls() {
    let linked = linked_into("octroi");
    assert!(linked.contains("rustls") && linked.contains("ring"));
    for forbidden in [
        "octroi-zone",
        "octroi-release",
        "datafusion",
        "arrow",
        "parquet",
        "aws-lc-rs",
        "aws-lc-sys",
        "openssl-sys",
        "native-tls",
    ] {
        assert!(!linked.contains(forbidden), "the gateway links {forbidden}");
    }
}

#[test]
fn the_contract_knows_nobody_who_keeps_it() {
    let linked = linked_into("octroi-proto");
    let ours: Vec<_> = linked.iter().filter(|name| name.starts_with("octroi")).collect();
    assert_eq!(ours, ["octroi-proto"]);
    // What it links of the network comes with tonic's types; of storage and keys it knows nothing.
    for forbidden in ["sled", "object_store", "reqwest", "aes-gcm", "cedar-policy"] {
        assert!(!linked.contains(forbidden), "the contract links {forbidden}");
    }
}

#[test]
fn what_judges_knows_no_engine_and_what_attests_no_host() {
    let ours = |name| linked_into(name).into_iter().filter(|it| it.starts_with("octroi")).collect::<Vec<_>>();
    assert_eq!(ours("octroi-release"), ["octroi-proto", "octroi-release"]);
    assert_eq!(ours("octroi-attest"), ["octroi-attest", "octroi-proto"]);
    assert_eq!(ours("octroi-host"), ["octroi-attest", "octroi-host", "octroi-proto"]);
    assert_eq!(ours("octroi-zone"), ["octroi-attest", "octroi-proto", "octroi-release", "octroi-zone"]);
    assert!(!linked_into("octroi-release").contains("datafusion"));
}

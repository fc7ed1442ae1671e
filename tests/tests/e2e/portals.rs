//! The portals' own harvesters, validators and clients, each on a catalogue of 135 datasets that everybody may know of.

use std::collections::BTreeMap;

use octroi_tests::{City, Portal, portal, repository};
use serde_json::Value;

use crate::catalogue::{city, id, indexed, shown};

/// What a program prints: one JSON document a line.
fn printed(city: &City, of: Portal, script: &str, arguments: &[&str]) -> Vec<Value> {
    let said = portal(of, script, &city.authority(), arguments).expect();
    said.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{script}: {line}"))).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list `{name}`: {value}"))
}

/// `../shared/standards/FOLDER`, where it is: the published files are not part of the clone.
fn standards(folder: &str) -> Option<String> {
    let path = repository().join("../shared/standards").join(folder);
    if path.is_dir() {
        return path.canonicalize().ok()?.to_str().map(str::to_owned);
    }
    println!("skipped: there is no {}", path.display());
    None
}

#[test]
fn ckan_harvests_every_dataset_in_each_syntax() {
    let city = city();
    city.put("claire", &id(0), "comptes été.csv", "a,b\n").expect();
    let feeds = ["ttl", "rdf", "jsonld"].map(|suffix| city.public(&format!("catalog.{suffix}")));
    let feeds: Vec<&str> = feeds.iter().map(String::as_str).collect();
    let jobs = printed(&city, Portal::Ckan, "harvest_ckan_dcat.py", &feeds);
    assert_eq!(jobs.len(), 3);
    for job in &jobs {
        assert!(list(job, "gather_errors").is_empty(), "{job}");
        assert_eq!((list(job, "objects").len(), list(job, "packages").len()), (135, 135));
        let failed: Vec<_> = list(job, "objects").iter().filter(|it| !list(it, "errors").is_empty()).collect();
        assert!(failed.is_empty(), "{failed:?}");
    }
    // The same datasets each time, and not new ones.
    assert!(list(&jobs[1], "objects").iter().all(|it| it["report"] == "updated" || it["report"] == "not modified"));
    indexed(&city, 135);
    let [job] = printed(&city, Portal::Ckan, "harvest_ckan.py", &[city.public("").trim_end_matches('/')])
        .try_into()
        .expect("one job");
    assert_eq!((list(&job, "gather_errors").len(), list(&job, "packages").len()), (0, 135));
}

#[test]
fn data_gouv_fr_knows_what_is_restricted() {
    let city = city();
    let [job] = printed(&city, Portal::Udata, "harvest_udata.py", &["dcat", &city.public("catalog.ttl")])
        .try_into()
        .expect("one job");
    assert_eq!((&job["status"], list(&job, "errors").len()), (&"done".into(), 0), "{}", job["errors"]);
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    for dataset in list(&job, "datasets") {
        *levels.entry(dataset["access_type"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(levels, BTreeMap::from([("open", 90), ("restricted", 45)]));
    let failed: Vec<_> = list(&job, "items").iter().filter(|it| it["status"] == "failed").collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn every_answer_is_as_the_published_schemas_have_it() {
    let city = city();
    city.put("claire", &id(0), "comptes été.csv", "a,b\n").expect();
    let pages = [city.public("catalog"), city.public("catalog?page=2")];
    let feeds = printed(&city, Portal::Ckan, "check_pages.py", &["feed", &pages[0], &pages[1]]).remove(0);
    for feed in feeds.as_array().unwrap() {
        assert_eq!(feed["differences"], serde_json::json!({}));
        assert!(feed["triples"].as_u64().unwrap() > 1_000, "{feed}");
    }
    let (open, lent) = (city.public(&format!("dataset/{}", id(0))), city.public(&format!("dataset/{}", id(6))));
    let pages = printed(&city, Portal::Ckan, "check_pages.py", &["page", &open, &lent]).remove(0);
    let embedded = |number: usize| pages[number]["json-ld"][0].clone();
    assert_eq!((&embedded(0)["@type"], &embedded(1)["@type"]), (&"Dataset".into(), &"Dataset".into()));
    assert!(embedded(0).to_string().contains("contentUrl") && !embedded(1).to_string().contains("contentUrl"));
    if let Some(shapes) = standards("shapes") {
        let checked = printed(&city, Portal::Ckan, "check_shapes.py", &[&shapes, &city.public("catalog.ttl")]);
        for (file, found) in checked[0]["shapes"].as_object().unwrap() {
            assert_eq!(found["violations"], serde_json::json!({}), "{file}");
        }
        assert_eq!(checked[0]["pages"], 2);
    }
    let all = printed(&city, Portal::Ckan, "ask_ckan.py", &[city.public("").trim_end_matches('/'), "velo"]);
    for way in ["get", "post"] {
        assert_eq!(list(&all[0][way], "package_list").len(), 135, "{way}");
        assert_eq!(all[0][way]["absent"]["error"], "NotFound");
    }
}

#[test]
fn oai_harvesters_and_schemas_agree() {
    let mut city = city();
    // The schema wants an address with a dot in its host.
    city.set(&[("gateway", "contact", "\"donnees@metropole-dijon.fr\"")]);
    city.stop();
    city.serve();
    city.octroi("claire", &["dataset", "withdraw", &id(3), "--reason", "superseded"]).expect();
    let oai = city.public("oai");
    let harvested = printed(&city, Portal::Ckan, "harvest_oai.py", &[&oai]).remove(0).to_string();
    assert!(shown().iter().all(|id| harvested.contains(&format!("oai:localhost:{id}"))));
    if let Some(schemas) = standards("xsd") {
        let checked = printed(&city, Portal::Ckan, "check_oai.py", &[&schemas, &oai]).remove(0);
        for answers in checked.as_array().unwrap() {
            assert_eq!(
                (answers["answers"] == answers["valid"], &answers["complaints"]),
                (true, &serde_json::json!([]))
            );
        }
    }
}

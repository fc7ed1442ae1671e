//! Real and realistic data: New York's flights of 2013, with the aircraft as the subject, and the synthetic Dijon.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use octroi_tests::{City, lake, repository, rows};
use serde_json::{Value, json};

/// A table as its file has it: named fields of each row.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).expect("`cargo xtask test` makes the lake");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().expect("a header");
    lines.map(|fields| names.iter().cloned().zip(fields).collect()).collect()
}

/// A dataset of `config/demo`, declared and loaded.
fn stocked(city: &City, id: &str, table: &str, file: &Path) -> Value {
    city.dataset(id, "sensitive", "metadata_visibility = \"members\"");
    let schema = repository().join(format!("config/demo/schemas/{id}.toml"));
    city.octroi("claire", &["dataset", "schema", id, schema.to_str().unwrap()]).expect();
    let report = city.load(id, table, file, &[]).expect().json();
    city.let_ask("lena", id);
    report
}

#[test]
fn flights_are_asked_and_every_cell_is_about_enough_aircraft() {
    let file = lake().join("nyc-flights/flights.csv");
    let city = City::asking(&[]);
    let report = stocked(&city, "nyc-flights", "flights", &file);
    let all = table(&file);
    let known: Vec<_> = all.iter().filter(|row| !row["tailnum"].is_empty()).collect();
    assert_eq!(report["rows"], known.len(), "{report}");
    assert_eq!(report["bad_by_rule"], json!({ "missing": all.len() - known.len() }));

    // By carrier and destination: many small cells, which only a few aircraft ever flew.
    let mut cells = BTreeMap::<(String, String), (u64, i64, BTreeSet<&str>)>::new();
    for row in &known {
        let cell = cells.entry((row["carrier"].clone(), row["dest"].clone())).or_default();
        cell.0 += 1;
        cell.1 += row["distance"].parse::<i64>().unwrap();
        cell.2.insert(&row["tailnum"]);
    }
    let expected: Vec<Value> = cells
        .iter()
        .filter(|(_, cell)| cell.2.len() >= 11)
        .map(|((carrier, dest), cell)| json!([carrier, dest, cell.0, cell.1]))
        .collect();
    assert!(expected.len() < cells.len(), "some cells must be too small");
    let answer = city.ask(
        "lena",
        "nyc-flights",
        "SELECT carrier, dest, COUNT(*) AS flights, SUM(distance) AS miles FROM flights \
         GROUP BY carrier, dest ORDER BY carrier, dest",
    );
    assert_eq!(rows(&answer), expected);
    // A hidden column cannot be asked, and an aircraft is no group.
    city.query(
        "lena",
        &["--dataset", "nyc-flights", "--purpose", "research", "SELECT flight, COUNT(*) FROM flights GROUP BY flight"],
    )
    .refused("flight");
    let alone = city.ask("lena", "nyc-flights", "SELECT tailnum, COUNT(*) n FROM flights GROUP BY tailnum");
    assert_eq!(alone["verdict"], "refused");
}

#[test]
fn meters_and_dwellings_of_the_synthetic_dijon_are_joined() {
    let city = City::asking(&[]);
    let (meters, dwellings) = (lake().join("electricite-menages/compteurs.csv"), lake().join("menages/menages.csv"));
    stocked(&city, "electricite-menages", "compteurs", &meters);
    stocked(&city, "menages", "menages", &dwellings);
    let heating: BTreeMap<String, String> =
        table(&dwellings).into_iter().map(|row| (row["household"].clone(), row["heating"].clone())).collect();
    let mut cells = BTreeMap::<&str, (i64, i64, BTreeSet<String>)>::new();
    for row in table(&meters) {
        let cell = cells.entry(&heating[&row["household"]]).or_default();
        cell.0 += 1;
        cell.1 += row["watt_hours"].parse::<i64>().unwrap();
        cell.2.insert(row["household"].clone());
    }
    let expected: Vec<Value> = cells
        .iter()
        .filter(|(_, cell)| cell.2.len() >= 11)
        .map(|(heating, cell)| json!([heating, cell.0, cell.1]))
        .collect();
    let sql = "SELECT m.heating, COUNT(*) AS readings, SUM(c.watt_hours) AS watt_hours FROM compteurs c \
               JOIN menages.menages m ON c.household = m.household GROUP BY m.heating ORDER BY m.heating";
    let words = ["--dataset", "electricite-menages", "--dataset", "menages", "--purpose", "research", "--json", sql];
    let answer = city.query("lena", &words).expect().json();
    assert_eq!(rows(&answer), expected);
}

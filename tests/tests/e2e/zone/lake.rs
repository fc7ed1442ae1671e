//! Real and realistic data, under the policies of the demo: New York's flights of 2013, with the aircraft as the subject,
//! and the synthetic Dijon.

use std::{collections::BTreeMap, fs, path::Path};

use octroi_tests::{
    City,
    disclosure::{Cell, Told},
    lake, repository, rows,
};
use serde_json::{Value, json};

/// A row as its file has it, by the names of its fields.
type Row = BTreeMap<String, String>;

fn table(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).expect("`cargo xtask test` makes the lake");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().expect("a header");
    lines.map(|fields| names.iter().cloned().zip(fields).collect()).collect()
}

fn number(text: &str) -> i64 {
    text.parse().expect("a whole number")
}

/// A dataset of `config/demo` with its policy of `config/release`, loaded.
fn stocked(city: &City, id: &str, table: &str) -> Value {
    city.dataset(id, "sensitive", "metadata_visibility = \"members\"");
    for (kind, folder) in [("schema", "demo/schemas"), ("policy", "release")] {
        let file = repository().join(format!("config/{folder}/{id}.toml"));
        city.octroi("claire", &["dataset", kind, id, file.to_str().unwrap()]).expect();
    }
    let report = city.load(id, table, &lake().join(format!("{id}/{table}.csv")), &[]).expect().json();
    city.let_ask("lena", id);
    report
}

/// Asks several datasets together.
fn asked(city: &City, datasets: &[&str], sql: &str) -> Value {
    let named = datasets.iter().flat_map(|dataset| ["--dataset", dataset]);
    let words: Vec<&str> = named.chain(["--purpose", "research", "--json", sql]).collect();
    city.query("lena", &words).expect().json()
}

#[test]
fn flights_are_asked_and_every_cell_is_about_enough_aircraft() {
    let city = City::asking(&[]);
    let report = stocked(&city, "nyc-flights", "flights");
    let all = table(&lake().join("nyc-flights/flights.csv"));
    let known: Vec<_> = all.iter().filter(|row| !row["tailnum"].is_empty()).collect();
    assert_eq!(report["rows"], known.len(), "{report}");
    assert_eq!(report["bad_by_rule"], json!({ "missing": all.len() - known.len() }));

    // By carrier and destination: many small cells, which only a few aircraft ever flew.
    let mut cells = BTreeMap::<(&str, &str), Cell>::new();
    for row in &known {
        let cell = cells.entry((&row["carrier"], &row["dest"])).or_default();
        cell.add(&[&row["tailnum"]], Some(number(&row["distance"])));
    }
    let shown = |cell: &Cell| cell.leaves(&[Told::Rows, Told::Values]);
    let expected: Vec<Value> = cells
        .iter()
        .filter(|(_, cell)| shown(cell))
        .map(|((carrier, dest), cell)| json!([carrier, dest, cell.count(), cell.sum(), cell.mean()]))
        .collect();
    assert!(expected.len() < cells.len(), "some cells must be too small");
    let answer = city.ask(
        "lena",
        "nyc-flights",
        "SELECT carrier, dest, COUNT(*) AS flights, SUM(distance) AS miles, AVG(distance) AS mean FROM flights \
         GROUP BY carrier, dest ORDER BY carrier, dest",
    );
    assert_eq!(rows(&answer), expected);
    // A hidden column cannot be asked, and an aircraft is no group.
    let words = |sql| ["--dataset", "nyc-flights", "--purpose", "research", sql];
    city.query("lena", &words("SELECT flight, COUNT(*) FROM flights GROUP BY flight")).refused("flight");
    city.query("lena", &words("SELECT tailnum, COUNT(*) n FROM flights GROUP BY tailnum")).refused("identifier");
}

/// Totals beside their parts: what is missing of a total's parts cannot be had by subtraction.
#[test]
fn totals_of_flights_uncover_nothing() {
    let city = City::asking(&[]);
    stocked(&city, "nyc-flights", "flights");
    let all = table(&lake().join("nyc-flights/flights.csv"));
    let flights = all.iter().filter(|row| !row["tailnum"].is_empty());
    let mut cells = BTreeMap::<(&str, &str), Cell>::new();
    for row in flights {
        cells.entry((&row["carrier"], &row["origin"])).or_default().add(&[&row["tailnum"]], None);
    }
    let answer = city.ask(
        "lena",
        "nyc-flights",
        "SELECT carrier, origin, COUNT(*) AS flights FROM flights GROUP BY ROLLUP (carrier, origin)",
    );
    // What has noise, as the budget would keep it back, tells nothing exactly.
    let noisy = answer["noise"]["values"].as_array().into_iter().flatten();
    let noisy: Vec<usize> = noisy.map(|at| usize::try_from(at[0].as_u64().unwrap()).unwrap()).collect();
    let told: BTreeMap<(&str, &str), i64> = rows(&answer)
        .iter()
        .enumerate()
        .filter(|(row, _)| !noisy.contains(row))
        .map(|(_, row)| row)
        .map(|row| ((row[0].as_str().unwrap_or(ALL), row[1].as_str().unwrap_or(ALL)), row[2].as_i64().unwrap()))
        .collect();
    let is_told = |key: &(&str, &str)| told.contains_key(key);
    for (key, cell) in &cells {
        assert!(!is_told(key) || (cell.leaves(&[Told::Rows]) && told[key] == cell.count()), "{key:?}");
    }
    assert!(cells.values().any(|cell| !cell.leaves(&[Told::Rows])), "some cells must be too small");
    assert!(cells.keys().filter(|key| is_told(key)).count() * 2 > cells.len(), "most of it is told");
    let carriers: Vec<&str> = cells.keys().map(|(carrier, _)| *carrier).collect();
    for carrier in carriers.into_iter().filter(|carrier| is_told(&(carrier, ALL))) {
        let parts = cells.iter().filter(|((of, _), _)| *of == carrier);
        let missing: Vec<&Cell> = parts.filter(|(key, _)| !is_told(key)).map(|(_, cell)| cell).collect();
        assert!(
            missing.is_empty() || (missing.len() > 1 && Cell::together(missing.iter().copied()).leaves(&[Told::Rows])),
            "what is missing of {carrier} is its total less the rest: {answer}"
        );
    }
    if is_told(&(ALL, ALL)) {
        let missing: Vec<&Cell> =
            cells.iter().filter(|(key, _)| !is_told(key) && !is_told(&(key.0, ALL))).map(|(_, cell)| cell).collect();
        assert!(missing.is_empty() || Cell::together(missing).leaves(&[Told::Rows]), "{answer}");
    }
}

#[test]
fn meters_and_dwellings_of_the_synthetic_dijon_are_joined() {
    let city = City::asking(&[]);
    stocked(&city, "menages", "menages");
    stocked(&city, "electricite-menages", "compteurs");
    let dwellings = table(&lake().join("menages/menages.csv"));
    let heating: BTreeMap<&str, &str> =
        dwellings.iter().map(|row| (row["household"].as_str(), row["heating"].as_str())).collect();
    let mut cells = BTreeMap::<&str, Cell>::new();
    let readings = table(&lake().join("electricite-menages/compteurs.csv"));
    for row in &readings {
        let household = row["household"].as_str();
        cells.entry(heating[household]).or_default().add(&[household], Some(number(&row["watt_hours"])));
    }
    let all = cells.len();
    cells.retain(|_, cell| cell.leaves(&[Told::Rows, Told::Values]));
    assert!((2..all).contains(&cells.len()), "some are told and some are not");
    let expected: Vec<Value> =
        cells.iter().map(|(heating, cell)| json!([heating, cell.count(), cell.sum(), cell.mean()])).collect();
    let sql = "SELECT m.heating, COUNT(*) AS readings, SUM(c.watt_hours) AS watt_hours, AVG(c.watt_hours) AS mean \
               FROM compteurs c JOIN menages.menages m ON c.household = m.household \
               GROUP BY m.heating ORDER BY m.heating";
    assert_eq!(rows(&asked(&city, &["electricite-menages", "menages"], sql)), expected);
}

#[test]
fn trips_are_about_enough_persons_and_enough_households() {
    let city = City::asking(&[]);
    stocked(&city, "menages", "menages");
    stocked(&city, "personnes", "personnes");
    stocked(&city, "trajets-vehicules", "trajets");
    let people = table(&lake().join("personnes/personnes.csv"));
    let home: BTreeMap<&str, &Row> = people.iter().map(|row| (row["person"].as_str(), row)).collect();
    let mut cells = BTreeMap::<(usize, &str), Cell>::new();
    let trips = table(&lake().join("trajets-vehicules/trajets.csv"));
    for row in &trips {
        let person = home[row["person"].as_str()];
        let age = [15, 30, 45, 60, 75].iter().filter(|point| number(&person["age"]) >= **point).count();
        let cell = cells.entry((age, &row["vehicle"])).or_default();
        cell.add(&[&row["person"], &person["household"]], Some(number(&row["minutes"])));
    }
    let all = cells.len();
    cells.retain(|_, cell| cell.leaves(&[Told::Rows, Told::Values]));
    assert!((2..all).contains(&cells.len()), "some are told and some are not");
    let expected: Vec<Value> = cells.values().map(|cell| json!([cell.count(), cell.sum()])).collect();
    let sql = "SELECT COUNT(*) AS trips, SUM(t.minutes) AS minutes FROM trajets t \
               JOIN personnes.personnes p ON t.person = p.person GROUP BY bin(p.age), t.vehicle";
    let answer = asked(&city, &["trajets-vehicules", "personnes"], sql);
    let sorted = |rows: &[Value]| {
        let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(rows(&answer)), sorted(&expected));
}

/// In the place of a key that a total is over.
const ALL: &str = "all";

//! Measures the process sandbox for `cargo xtask bench zone`: `sandbox TABLE PYTHON ROUNDS`.
//!
//! A whole gateway, a table loaded as any steward would, and a researcher's command that asks it, in turn with DuckDB
//! on the same rows as Parquet in clear. What the command takes is measured from outside: its start, TLS, permits,
//! evidence, keys, the sandbox, the receipt, and the wait for the release tick, which is 100 ms here. DuckDB is started
//! anew each time too, but its query alone counts. Prints a line of JSON for each figure.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use octroi_tests::{City, Declared, repository, rows};
use serde_json::{Value, json};

/// The rows that the guest of benchmarks makes.
const READINGS: Declared<'_> = Declared {
    name: "readings",
    columns: &[
        ("household", "integer", ""),
        ("hour", "integer", ""),
        ("district", "string", ""),
        ("watt_hours", "integer", ""),
    ],
    subjects: &["household"],
};

/// What groups by, and as which figure. Every household is in every hour, and in one district.
const QUESTIONS: [(&str, [&str; 4]); 2] = [
    ("hour", ["sandbox.hour.wall", "sandbox.hour.cpu", "duckdb.hour.wall", "duckdb.hour.cpu"]),
    ("district", ["sandbox.district.wall", "sandbox.district.cpu", "duckdb.district.wall", "duckdb.district.cpu"]),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [table, python, rounds] = words.as_slice() else { panic!("usage: sandbox TABLE PYTHON ROUNDS") };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let plain = Path::new(table).join("plain.parquet");
    let mut city = City::asking(&[("zone", "backends", "[\"process\"]"), ("zone", "query_seconds", "300")]);
    city.sensitive("energie", "process", &[READINGS]);
    city.load("energie", "readings", &plain, &[]).expect();
    city.let_ask("lena", "energie");
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (by, names) in QUESTIONS {
        let ours = format!("SELECT {by}, SUM(watt_hours) AS total FROM readings GROUP BY {by} ORDER BY {by}");
        // What the zone counts by itself, asked of DuckDB in words.
        let theirs = ours.replace(" FROM", ", COUNT(DISTINCT household) AS subjects FROM");
        ask(&mut city, &ours);
        for _ in 0..rounds {
            let (answer, wall, cpu) = ask(&mut city, &ours);
            let peer = duckdb(python, &plain, &theirs);
            assert_eq!(totals(&rows_of(&answer)), totals(peer["rows"].as_array().expect("rows")), "the same answer");
            let measured = [milliseconds(wall), milliseconds(cpu), number(&peer["wall"]), number(&peer["cpu"])];
            for (name, value) in names.into_iter().zip(measured) {
                figures.entry(name).or_default().push(value);
            }
        }
    }
    for (figure, values) in figures {
        println!("{}", json!({ "figure": figure, "values": values }));
    }
}

/// The answer, the command's wall time, and the CPU of the gateway's processes and all they started.
fn ask(city: &mut City, sql: &str) -> (Value, Duration, Duration) {
    let gateway = city.serving().pid();
    let (begun, cpu) = (Instant::now(), cpu_below(gateway));
    let words = ["--dataset", "energie", "--purpose", "research", "--backend", "process", "--json", sql];
    let answer = city.query("lena", &words).expect().json();
    (answer, begun.elapsed(), cpu_below(gateway).saturating_sub(cpu))
}

fn duckdb(python: &str, file: &Path, sql: &str) -> Value {
    let script = repository().join("tests/bench/duckdb_once.py");
    let output = Command::new(python).arg(script).arg(file).arg(sql).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one object")
}

fn rows_of(answer: &Value) -> Vec<Value> {
    rows(answer).to_vec()
}

/// The first two cells of each row, as text.
fn totals(rows: &[Value]) -> Vec<[String; 2]> {
    let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    rows.iter().map(|row| [text(&row[0]), text(&row[1])]).collect()
}

/// Of a process, its descendants, and those that these have waited for.
fn cpu_below(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which is in parentheses: utime, stime, cutime and cstime are the 14th to 17th field.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace()).into_iter().flatten();
    let ticks: u64 = fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = children
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    Duration::from_millis(ticks * TICK_MILLISECONDS) + children.into_iter().map(cpu_below).sum::<Duration>()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// USER_HZ, which is 100 on every Linux that we run on.
const TICK_MILLISECONDS: u64 = 10;

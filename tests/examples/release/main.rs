//! Attacks and honest analyses against whole gateways, for `cargo xtask bench release`: `release WHAT BACKEND REPORT`.
//!
//! ```text
//! fixed           every fixed attack, each on a town of its own
//! reconstruction  400 questions, and linear algebra, on hamlets
//! refusals        whether a cell is withheld, by what it would have told
//! timing          two worlds that differ in what one person has, told apart by when answers come
//! honest          ordinary analyses alone, in one sequence, varied, and after another organisation's poisoning
//! ```
//! Prints a line of JSON for each figure, and appends to REPORT what a person wants to read: each attack, and of each that
//! succeeded what it asked and saw.

mod fixed;
mod honest;
mod reconstruction;
mod refusals;
mod timing;

use std::{collections::BTreeMap, fs::File, io::Write as _, sync::Mutex};

use octroi_tests::{City, attack::arena};
use serde_json::json;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, backend, report, more @ ..] = words.as_slice() else { panic!("usage: release WHAT BACKEND REPORT") };
    let report = File::options().create(true).append(true).open(report).expect("a file to report to");
    let bench = Bench { backend, more, report: Mutex::new(report), figures: Mutex::new(BTreeMap::new()) };
    match what.as_str() {
        "fixed" => fixed::measure(&bench),
        "reconstruction" => reconstruction::measure(&bench),
        "refusals" => refusals::measure(&bench),
        "timing" => timing::measure(&bench),
        "honest" => honest::measure(&bench),
        other => panic!("`{other}` is nothing that is measured"),
    }
    for (figure, values) in bench.figures.lock().expect("nobody panicked").iter() {
        println!("{}", json!({ "figure": figure, "values": values }));
    }
}

/// What is measured with, and what was.
struct Bench<'a> {
    /// `vm` or `process`.
    backend: &'a str,
    /// Names that attacks must contain, or parts of honest use, if not all are tried; or how many runs there are.
    more: &'a [String],
    report: Mutex<File>,
    figures: Mutex<BTreeMap<&'static str, Vec<f64>>>,
}

impl Bench<'_> {
    /// A gateway whose zones are of the one kind, with ticks of so many milliseconds.
    fn city(&self, tick: u32) -> City {
        let (backends, tick) = (format!("[{:?}]", self.backend), tick.to_string());
        let settings = [
            ("zone", "backends", backends.as_str()),
            ("zone", "release_tick_milliseconds", &tick),
            ("zone", "waiting", "2"),
            ("zone", "query_seconds", "300"),
            ("log", "level", "\"info\""),
        ];
        // Without a machine to make there is no template either.
        arena::city(&settings)
    }

    /// Whether this part is to be tried.
    fn asks(&self, part: &str) -> bool {
        self.more.is_empty() || self.more.iter().any(|more| more == part)
    }

    fn figure(&self, figure: &'static str, value: f64) {
        self.figures.lock().expect("nobody panicked").entry(figure).or_default().push(value);
    }

    fn say(&self, line: &str) {
        let mut report = self.report.lock().expect("nobody panicked");
        writeln!(report, "{line}").expect("the report takes lines");
    }
}

/// Ticks of all but the timing.
const TICK: u32 = 100;
/// Questions at a time.
const LANES: usize = 3;

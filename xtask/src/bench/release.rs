//! `cargo xtask bench release`.
//!
//! ```text
//! example `release` of octroi-tests    attacks and honest analyses against whole gateways
//! example `history` of octroi-release  the audit and the budget by themselves, after 5,000 cells
//! example `zones` of octroi-host       ten million rows in a zone, beside the guest of benchmarks, which protects nothing
//! ```
//! What asks few questions is asked of virtual machines; what asks hundreds, of the process sandbox, which runs the same
//! engine. Each table says which. What a person wants to read, attack by attack, stands behind the tables.

use std::{fs, io, path::PathBuf, process::Command};

use super::{
    BenchError, Options,
    figure::{Figures, Goal},
    table::{Table, Wanted},
    zone::{Desk, TCG, example, measure},
};
use crate::{
    image::{self, Guest},
    prepare::{self, Need},
    process, progress,
    project::Project,
};

/// What can be measured by itself.
pub(super) fn part_names() -> Vec<&'static str> {
    PARTS.iter().map(|part| part.what).chain([BY_ITSELF, WHAT_IT_COSTS]).collect()
}

/// Measures release control. The tables, and what is read behind them.
pub(super) fn run(project: &Project, options: &Options) -> Result<(Vec<Table>, String), BenchError> {
    prepare::machine(project, &[Need::CCompiler, Need::Curl, Need::Qemu])?;
    progress::heading("building what measures");
    let build = ["build", "--workspace", "--exclude", "octroi-zone", "--locked", "--bins", "--examples"];
    process::run(&mut project.cargo(&build)).map_err(BenchError::Build)?;
    process::run(&mut image::library_bench(project)).map_err(BenchError::Build)?;
    image::make(project, Guest::Engine, &image::folder(project), false)?;
    image::make(project, Guest::Bench, &image::bench_folder(project), false)?;
    let desk = Desk::new()?;
    let report = desk.file("report.md");
    let mut tables = Vec::new();
    let wanted = |name: &str| options.parts.is_empty() || options.parts.iter().any(|part| part == name);
    for part in PARTS.iter().filter(|part| wanted(part.what)) {
        let mut ask = example(project, "release");
        ask.args([part.what, part.zones]).arg(&report).env("OCTROI_ZONE_IMAGE", image::folder(project));
        let title = format!("{}, zones of kind `{}`", part.title, part.zones);
        tables.push(Table::new(title, part.wanted, &measure(part.title, &mut ask)?));
    }
    if wanted(BY_ITSELF) {
        tables.push(Table::new("The history by itself".to_owned(), HISTORY, &history(project, options)?));
    }
    if wanted(WHAT_IT_COSTS) {
        let title = format!("{} rows of {SUBJECTS} subjects in a virtual machine", options.rows);
        tables.push(Table::new(title, COST, &cost(project, options, &desk)?));
    }
    match fs::read_to_string(&report) {
        Ok(text) => Ok((tables, text)),
        // What writes none was not measured.
        Err(none) if none.kind() == io::ErrorKind::NotFound => Ok((tables, String::new())),
        Err(source) => Err(BenchError::Folder { path: report, source }),
    }
}

fn history(project: &Project, options: &Options) -> Result<Figures, BenchError> {
    let mut ask = Command::new(image::library_bench_program(project));
    ask.arg(options.rounds.to_string());
    measure("the audit and the budget", &mut ask)
}

fn cost(project: &Project, options: &Options, desk: &Desk) -> Result<Figures, BenchError> {
    let table: PathBuf = desk.table(project, options.rows)?;
    let mut ask = example(project, "zones");
    ask.args([image::folder(project), image::bench_folder(project), table]);
    ask.args([TCG, &options.rounds.min(MOST_COSTS).to_string(), "cost"]);
    measure("what protection costs", &mut ask)
}

/// A part of the attacks and analyses.
struct Part {
    /// As the example calls it.
    what: &'static str,
    zones: &'static str,
    title: &'static str,
    wanted: &'static [Wanted],
}

/// Parts that no gateway is asked for.
const BY_ITSELF: &str = "history";
const WHAT_IT_COSTS: &str = "cost";

const PARTS: &[Part] = &[
    Part { what: "fixed", zones: "vm", title: "Fixed attacks", wanted: FIXED },
    Part { what: "reconstruction", zones: "process", title: "Reconstruction by 400 questions", wanted: REBUILT },
    Part { what: "refusals", zones: "process", title: "The refusal channel", wanted: REFUSALS },
    Part { what: "timing", zones: "vm", title: "The timing channel", wanted: TIMING },
    Part { what: "honest", zones: "process", title: "Honest analyses", wanted: HONEST },
];

const fn row(figure: &'static str, what: &'static str, unit: &'static str, goal: Goal) -> Wanted {
    Wanted { figure, what, unit, goal, peer: None }
}

const FIXED: &[Wanted] = &[
    row("fixed.attacks", "attacks", "", Goal::AtLeast(100.0)),
    row("fixed.succeeded", "that succeeded", "", Goal::AtMost(0.0)),
    row("fixed.claims", "claims", "", Goal::None),
    row("fixed.right", "right ones, an even bet being 50", "%", Goal::None),
    row("fixed.questions", "questions", "", Goal::None),
];

const REBUILT: &[Wanted] = &[
    row("rebuilt.beyond", "small groups rebuilt beyond the prior, mean of the hamlets", "points", Goal::AtMost(5.0)),
    row("rebuilt.worst", "the same, worst hamlet", "points", Goal::None),
    row("rebuilt.share", "rebuilt", "%", Goal::None),
    row("rebuilt.prior", "likeliest without asking", "%", Goal::None),
    row("rebuilt.rules", "rebuilt where the cell rules alone protect", "%", Goal::None),
    row("rebuilt.told", "cells told", "", Goal::None),
    row("rebuilt.refused", "questions that told nothing", "", Goal::None),
];

const REFUSALS: &[Wanted] = &[
    row(
        "refusals.accuracy",
        "secret told by whether a cell is withheld, worst form of question",
        "%",
        Goal::AtMost(55.0),
    ),
    row("refusals.targets", "targets of each form", "", Goal::AtLeast(200.0)),
];

const TIMING: &[Wanted] = &[
    row("timing.area", "area under the curve, asking at any time", "", Goal::AtMost(0.6)),
    row("timing.aimed", "the same, aiming at ticks", "", Goal::AtMost(0.6)),
];

const HONEST: &[Wanted] = &[
    row("alone.analyses", "ordinary analyses", "", Goal::AtLeast(50.0)),
    row("alone.blocked", "alone: blocked", "", Goal::AtMost(0.0)),
    row("alone.cells", "alone: cells released of those that pass", "%", Goal::AtLeast(99.0)),
    row("alone.error", "alone: median relative error", "%", Goal::AtMost(0.2)),
    row("sequence.blocked", "in one sequence: blocked", "", Goal::AtMost(1.0)),
    row("sequence.cells", "in one sequence: cells", "%", Goal::None),
    row("varied.cells", "200 varied in a row: cells by tier 1", "%", Goal::AtLeast(97.0)),
    row("varied.blocked", "the same: blocked", "", Goal::None),
    row("varied.error", "the same: median relative error", "%", Goal::AtMost(0.2)),
    row("noise.cells", "the same with noise instead of refusal: cells", "%", Goal::AtLeast(99.0)),
    row("poisoned.blocked", "after poisoning: blocked", "%", Goal::AtMost(5.0)),
    row("poisoned.cells", "after poisoning: cells", "%", Goal::None),
];

const HISTORY: &[Wanted] = &[
    row("history.cells", "cells released before", "", Goal::AtLeast(5_000.0)),
    row("audit.wall", "pairwise audit of a question", "ms", Goal::AtMost(100.0)),
    row("audit.new", "its cells", "", Goal::None),
    row("audit.counted", "remainders to be counted", "", Goal::None),
    row("budget.wall", "information budget of a question", "ms", Goal::AtMost(2_000.0)),
    row("budget.sets", "different sets released before", "", Goal::None),
    row("budget.groups", "groups of rows", "", Goal::None),
    row("history.bytes", "the history", "MiB", Goal::None),
    row("history.decoded", "read", "ms", Goal::None),
];

const COST: &[Wanted] = &[
    beside("protected.24", "24 groups, peer unprotected, wall", "open.24", Goal::TimesPeer(3.0)),
    beside("protected.24.cpu", "the same, CPU", "open.24.cpu", Goal::None),
    beside("protected.576", "576 groups, peer unprotected, wall", "open.576", Goal::TimesPeer(6.0)),
    beside("protected.576.cpu", "the same, CPU", "open.576.cpu", Goal::None),
];

const fn beside(figure: &'static str, what: &'static str, peer: &'static str, goal: Goal) -> Wanted {
    Wanted { figure, what, unit: "ms", goal, peer: Some(peer) }
}

/// As the guest of benchmarks makes them.
const SUBJECTS: u32 = 200_000;
/// Each takes a minute.
const MOST_COSTS: u16 = 5;

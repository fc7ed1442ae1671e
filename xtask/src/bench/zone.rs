//! `cargo xtask bench zone`.
//!
//! ```text
//! guest of benchmarks -make--> two tables --> example `zones` of octroi-host: clones, questions, reads, in VMs
//!                                        └--> example `sandbox` of octroi-tests: a gateway and DuckDB, in turn
//! ```
//! The guest is built as the image's is. What runs on the host is built in the profile of the tests: nearly all of what
//! is measured is QEMU's and the guest's, and it makes the rest slower, not quicker, than it will be.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    BenchError, Options,
    figure::{Figures, Goal},
    table::{Table, Wanted},
};
use crate::{
    image::{self, Guest},
    prepare::{self, Need, Python},
    process,
    progress::{self, Wait},
    project::Project,
};

/// Measures zones.
pub(super) fn run(project: &Project, options: &Options) -> Result<Vec<Table>, BenchError> {
    prepare::machine(project, &[Need::CCompiler, Need::Curl, Need::Python, Need::Qemu])?;
    let python = Python::ready(project, &project.root().join("tests/bench/requirements.txt"))?;
    progress::heading("building what measures");
    let build = ["build", "--workspace", "--exclude", "octroi-zone", "--locked", "--bins", "--examples"];
    process::run(&mut project.cargo(&build)).map_err(BenchError::Build)?;
    image::make(project, Guest::Engine, &image::folder(project), false)?;
    image::make(project, Guest::Bench, &image::bench_folder(project), false)?;

    let desk = Desk::new()?;
    let (small, large) = (desk.table(project, SMALL)?, desk.table(project, options.rows)?);
    let rounds = options.rounds.to_string();
    let mut tables = Vec::new();
    for accelerator in accelerators() {
        let mut zones = example(project, "zones");
        zones.args([image::folder(project), image::bench_folder(project), small.clone()]).args([accelerator, &rounds]);
        match measure(&format!("zones under {}", accelerator.to_uppercase()), &mut zones) {
            Ok(figures) => {
                let title = format!("Virtual machines under {}", accelerator.to_uppercase());
                // The goals are TCG's; with KVM the same is told.
                let goal = |wanted: &Wanted| if accelerator == TCG { wanted.goal } else { Goal::None };
                let wanted: Vec<_> = ZONES.iter().map(|wanted| Wanted { goal: goal(wanted), ..*wanted }).collect();
                tables.push(Table::new(title, &wanted, &figures));
            }
            // It may be there and not work: guests die that are started with it.
            Err(error) if accelerator != TCG => {
                println!("{} does not work here", accelerator.to_uppercase());
                progress::failure(&error);
            }
            Err(error) => return Err(error),
        }
    }
    let mut sandbox = example(project, "sandbox");
    sandbox.arg(large).arg(python.interpreter()).arg(options.rounds.min(MOST_SANDBOXES).to_string());
    sandbox.env("OCTROI_ZONE_IMAGE", image::folder(project));
    let figures = measure("the process sandbox and DuckDB", &mut sandbox)?;
    tables.push(Table::new(format!("Process sandbox, {} rows, beside DuckDB", options.rows), SANDBOX, &figures));
    Ok(tables)
}

/// KVM where there is one to try.
fn accelerators() -> impl Iterator<Item = &'static str> {
    [TCG].into_iter().chain(fs::exists("/dev/kvm").unwrap_or(false).then_some("kvm"))
}

pub(super) fn example(project: &Project, name: &str) -> Command {
    project.command(project.target().join("debug/examples").join(name))
}

pub(super) fn measure(what: &str, command: &mut Command) -> Result<Figures, BenchError> {
    let wait = Wait::begin(&format!("measuring {what}"));
    let printed = process::output(command).map_err(BenchError::Measure)?;
    wait.done();
    Figures::parse(&printed)
}

/// Where tables lie while they are used.
pub(super) struct Desk(PathBuf);

impl Desk {
    pub(super) fn new() -> Result<Self, BenchError> {
        let path = std::env::temp_dir().join(format!("octroi-bench-{}", std::process::id()));
        fs::create_dir(&path).map_err(|source| BenchError::Folder { path: path.clone(), source })?;
        Ok(Self(path))
    }

    /// A file of this name.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A table of so many rows, in clear and encrypted.
    pub(super) fn table(&self, project: &Project, rows: u32) -> Result<PathBuf, BenchError> {
        let folder = self.0.join(rows.to_string());
        let mut make = Command::new(image::guest_program(project, Guest::Bench));
        make.arg("make").arg(&folder).arg(rows.to_string());
        process::quietly(&format!("making a table of {rows} rows"), &mut make).map_err(BenchError::Measure)?;
        Ok(folder)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        // A temporary folder; whoever clears those away finds it.
        let _ = fs::remove_dir_all(path);
    }
}

const fn row(figure: &'static str, what: &'static str, unit: &'static str, goal: Goal) -> Wanted {
    Wanted { figure, what, unit, goal, peer: None }
}

const fn beside(figure: &'static str, what: &'static str, peer: &'static str, goal: Goal) -> Wanted {
    Wanted { figure, what, unit: "ms", goal, peer: Some(peer) }
}

const ZONES: &[Wanted] = &[
    row("pooled.wall", "pooled clone: asked until it reads its data, wall", "ms", Goal::AtMost(60.0)),
    row("pooled.cpu", "the same, CPU", "ms", Goal::None),
    row("pooled.attached", "of which until it runs with its disk, wall", "ms", Goal::None),
    row("pooled.planned", "of which until it asks for keys, wall", "ms", Goal::None),
    row("pooled.answered", "asked until the answer, a million rows, wall", "ms", Goal::None),
    row("clone.wall", "cold clone: nothing until its first answer, wall", "ms", Goal::AtMost(150.0)),
    row("clone.cpu", "the same, CPU", "ms", Goal::AtMost(130.0)),
    row("engine.wall", "start of its engine, besides, wall", "ms", Goal::None),
    row("engine.cpu", "the same, CPU", "ms", Goal::None),
    row("clone.memory", "private memory before its engine starts", "MiB", Goal::AtMost(32.0)),
    row("engine.memory", "private memory after", "MiB", Goal::AtMost(64.0)),
    row("disk.read", "disk reads in the guest", "MiB/s", Goal::AtLeast(250.0)),
    beside("encrypted.wall", "a million rows encrypted, peer in clear, wall", "plain.wall", Goal::TimesPeer(1.5)),
    beside("encrypted.cpu", "the same, CPU", "plain.cpu", Goal::None),
];

const SANDBOX: &[Wanted] = &[
    beside("sandbox.hour.wall", "sum by hour, wall", "duckdb.hour.wall", Goal::TimesPeer(1.5)),
    beside("sandbox.hour.cpu", "the same, CPU", "duckdb.hour.cpu", Goal::None),
    beside("sandbox.district.wall", "sum by district, wall", "duckdb.district.wall", Goal::TimesPeer(1.5)),
    beside("sandbox.district.cpu", "the same, CPU", "duckdb.district.cpu", Goal::None),
];

pub(super) const TCG: &str = "tcg";
/// Rows of the table that virtual machines are asked.
const SMALL: u32 = 1_000_000;
/// Each takes seconds, and so does DuckDB's.
const MOST_SANDBOXES: u16 = 10;

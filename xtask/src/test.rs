//! `cargo xtask test`: everything that must hold, in the order of its cost, stopping at the first that does not.

#[cfg(test)]
mod container;
mod count;
mod step;
#[cfg(test)]
mod threats;

use std::time::{Duration, Instant};

use clap::Args;

use self::{count::Count, step::Step};
use crate::{
    prepare::{self, Need, PrepareError, Python, PythonError},
    process::ProcessError,
    progress,
    project::Project,
};
pub(crate) use step::StepError;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run this step alone (may be given several times)
    #[arg(long, value_enum)]
    only: Vec<Step>,
    /// List the steps and end
    #[arg(long)]
    list: bool,
}

/// Why the tests are not passed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    /// The machine lacks something.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The Python of the tests.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// A tool cannot be installed.
    #[error("a tool is missing")]
    Tool(#[from] ProcessError),
    /// A step failed.
    #[error("step `{step}` failed: see above; run it alone with `cargo xtask test --only {step}`")]
    Step {
        step: Step,
        #[source]
        source: StepError,
    },
}

/// What became of a step.
#[derive(Debug)]
enum Outcome {
    Passed,
    /// Nothing to do, and why.
    Skipped(&'static str),
    Failed,
}

/// Prepares the machine and runs the steps.
pub(crate) fn run(project: &Project, options: &Options) -> Result<(), TestError> {
    if options.list {
        Step::ALL.iter().for_each(|step| println!("{step:<8} {}", step.purpose()));
        return Ok(());
    }
    let steps = if options.only.is_empty() { Step::ALL } else { &options.only };
    let kit = Kit::prepare(project, steps)?;
    let mut report = Report::default();
    let result = steps.iter().try_for_each(|step| report.run(*step, &kit));
    report.print();
    result
}

/// What the steps work with.
#[derive(Debug)]
pub(crate) struct Kit<'a> {
    project: &'a Project,
    /// Present when a step runs tests.
    pythons: Vec<(&'static str, Python)>,
}

impl<'a> Kit<'a> {
    /// Before anything runs, so that a machine that cannot run the last step says so at once.
    fn prepare(project: &'a Project, steps: &[Step]) -> Result<Self, TestError> {
        progress::heading("preparing");
        let needs: Vec<Need> = steps.iter().flat_map(|step| step.needs()).copied().collect();
        prepare::machine(project, &needs)?;
        for step in steps {
            if let Some(tool) = step.tool(project) {
                tool.ready(project)?;
            }
        }
        let wanted = if needs.contains(&Need::Python) { PYTHONS } else { &[] };
        let mut pythons = Vec::new();
        for (variable, requirements) in wanted {
            pythons.push((*variable, Python::ready(project, &project.root().join("tests").join(requirements))?));
        }
        println!("ready");
        Ok(Self { project, pythons })
    }
}

/// How tests are told of each environment, and what it holds. CKAN and udata want packages of different versions.
const PYTHONS: &[(&str, &str)] = &[
    ("OCTROI_PYTHON", "requirements.txt"),
    ("OCTROI_PYTHON_CKAN", "harvest-ckan.txt"),
    ("OCTROI_PYTHON_UDATA", "harvest-udata.txt"),
];

#[derive(Debug, Default)]
struct Report {
    rows: Vec<(Step, Outcome, Duration)>,
    tests: Count,
    /// The runner's own words, for those who look for them.
    summaries: Vec<String>,
}

impl Report {
    fn run(&mut self, step: Step, kit: &Kit<'_>) -> Result<(), TestError> {
        progress::heading(&format!("{step}: {}", step.purpose()));
        let begun = Instant::now();
        let result = step.run(kit, &mut |line| {
            if let Some(count) = Count::in_line(line) {
                self.tests += count;
                // Crates without doc tests close on a line of noughts, which says nothing.
                if count != Count::default() {
                    self.summaries.push(line.trim().to_owned());
                }
            }
        });
        let outcome = match &result {
            Ok(None) => Outcome::Passed,
            Ok(Some(reason)) => Outcome::Skipped(reason),
            Err(_) => Outcome::Failed,
        };
        if let Outcome::Skipped(reason) = &outcome {
            println!("skipped: {reason}");
        }
        self.rows.push((step, outcome, begun.elapsed()));
        result.map(|_| ()).map_err(|source| TestError::Step { step, source })
    }

    fn print(&self) {
        progress::heading("summary");
        let mut total = Duration::ZERO;
        for (step, outcome, took) in &self.rows {
            total += *took;
            let word = match outcome {
                Outcome::Passed => "passed",
                Outcome::Skipped(_) => "skipped",
                Outcome::Failed => "FAILED",
            };
            println!("{:<10}{word:<10}{:>14}", step.to_string(), progress::spoken(*took));
        }
        println!("{:<20}{:>14}", "together", progress::spoken(total));
        for summary in &self.summaries {
            println!("{summary}");
        }
        if self.tests != Count::default() {
            println!("{}", self.tests);
        }
    }
}

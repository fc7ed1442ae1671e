//! `cargo xtask bench NAME`: how fast it is, against the goals and against others run side by side.
//!
//! ```text
//! programs that measure -> Figures -> Table: p50, p95, goal, met or not, ratio to a peer
//! ```
//! Measures on this machine, as it is and as busy as it is, and says both. Writes no file: docs/BENCHMARKS.md is kept by
//! hand, with tables that `--markdown` prints. No test looks at these times.

mod figure;
mod machine;
mod release;
mod table;
mod zone;

use std::{io, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    image::ImageError,
    prepare::{PrepareError, PythonError},
    process::ProcessError,
    project::Project,
};

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure
    name: Name,
    /// How often each thing is measured; what takes seconds, less often
    #[arg(long, default_value_t = 20)]
    rounds: u16,
    /// Rows of the table that the process sandbox is asked, and that protection is measured on
    #[arg(long, default_value_t = 10_000_000)]
    rows: u32,
    /// Measure this part of `release` alone (may be given several times)
    #[arg(long = "part", value_name = "PART", value_parser = release::part_names())]
    parts: Vec<String>,
    /// Print tables as Markdown
    #[arg(long)]
    markdown: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Zones: clones, questions, reads, and the process sandbox against DuckDB
    Zone,
    /// Release control: attacks, honest analyses, and what it costs
    Release,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The machine lacks something.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// What measures does not build.
    #[error("what measures does not build")]
    Build(#[source] ProcessError),
    /// There is no image to measure.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// What is compared with cannot be had.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// Measuring failed.
    #[error("measuring failed")]
    Measure(#[source] ProcessError),
    /// A line of what was measured makes no sense.
    #[error("`{line}` is not a figure")]
    Figure {
        line: String,
        #[source]
        source: serde_json::Error,
    },
    /// A folder cannot be used.
    #[error("`{path}` cannot be used")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Measures, and prints what was measured.
pub(crate) fn run(project: &Project, options: &Options) -> Result<(), BenchError> {
    let before = machine::load();
    let (tables, behind) = match options.name {
        Name::Zone => (zone::run(project, options)?, String::new()),
        Name::Release => release::run(project, options)?,
    };
    println!();
    for line in machine::describe(project) {
        println!("{line}");
    }
    println!("Load (1, 5, 15 minutes) before: {before}, after: {}", machine::load());
    for table in tables {
        println!("\n{}", if options.markdown { table.markdown() } else { table.plain() });
    }
    println!("{behind}");
    Ok(())
}

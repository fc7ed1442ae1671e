//! `octroi registry`: the index of the register, while the gateway is stopped.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::{CommandError, Output};
use crate::{
    registry::{
        RegistrySettings,
        offline::{self, CheckReport, DifferenceKind},
    },
    serve::become_serve_user,
    settings::Settings,
};

/// What to do. The gateway must not be running.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare the index with the evidence, row by row
    Check {
        /// The settings, `octroi.toml`
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make the index anew from the evidence
    Rebuild {
        /// The settings, `octroi.toml`
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

pub(crate) fn run(command: &Command, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Check { config } => {
            let report = offline::check(&settings(config)?)?;
            tell(&report, output);
            if report.differences.is_empty() { Ok(()) } else { Err(CommandError::IndexDiffers) }
        }
        Command::Rebuild { config } => {
            let entries = offline::rebuild(&settings(config)?)?;
            if output.json {
                output.value(&json!({ "entries": entries }));
            }
            output.say(format!("the index is made anew from {entries} entries"));
            Ok(())
        }
    }
}

/// Where the register is; from here on this process is serve's user, as the files are.
fn settings(config: &Path) -> Result<RegistrySettings, CommandError> {
    let settings = Settings::load(config)?;
    become_serve_user(&settings.process)?;
    Ok(settings.registry_settings())
}

fn tell(report: &CheckReport, output: Output) {
    let word = |kind| match kind {
        DifferenceKind::Missing => "missing",
        DifferenceKind::Surplus => "surplus",
        DifferenceKind::Other => "other",
    };
    let rows = report.differences.iter();
    if output.json {
        let differences: Vec<_> =
            rows.map(|it| json!({ "table": it.table, "key": it.key, "kind": word(it.kind) })).collect();
        let (entries, rows, more) = (report.entries, report.rows, report.more);
        output.value(&json!({ "entries": entries, "rows": rows, "differences": differences, "more": more }));
        return;
    }
    for it in rows {
        output.say(format!("{:<8} {} {}", word(it.kind), it.table, it.key));
    }
    output.say(format!(
        "{} rows from {} entries, {} differences",
        report.rows,
        report.entries,
        report.differences.len()
    ));
}

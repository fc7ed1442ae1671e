//! `octroi dataset lint`: what stands against publication, before anything is sent. Without the schema and the stored
//! objects, which the gateway looks at besides.

use std::path::PathBuf;

use clap::Args;
use octroi_proto::DatasetDescription;
use serde_json::json;

use super::file;
use crate::{
    catalogue::{
        Language,
        lint::{Finding, Known, lint},
    },
    command::{CommandError, Output},
};

/// What to read.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// The description, TOML
    file: PathBuf,
    /// The language to explain in: fr or en
    #[arg(long, default_value = "en")]
    lang: String,
}

pub(in crate::command) fn run(options: &Lint, output: Output) -> Result<(), CommandError> {
    let wire = file::read(&options.file)?;
    let malformed = |problem: String| CommandError::Malformed {
        path: options.file.clone(),
        what: "a dataset's description",
        problem,
    };
    let description = DatasetDescription::try_from(wire).map_err(|violations| malformed(violations.to_string()))?;
    let language = Language::choose(Some(&options.lang), None);
    let findings = lint(&description, &Known::default());
    for finding in &findings {
        show(finding, language, output);
    }
    let against = findings.iter().filter(|finding| finding.blocks()).count();
    if findings.is_empty() {
        output.say("nothing found");
    }
    if against > 0 { Err(CommandError::NotPublishable { findings: against }) } else { Ok(()) }
}

fn show(finding: &Finding, language: Language, output: Output) {
    let (field, explained) = (&finding.field, finding.explain(language));
    let severity = if finding.blocks() { "blocks" } else { "advice" };
    if output.json {
        let place = finding.place.as_ref().map(|place| json!([place.first, place.last]));
        output.value(&json!({
            "code": finding.code.as_str(), "severity": severity, "field": field, "place": place, "explained": explained,
        }));
        return;
    }
    let place = finding.place.as_ref().map(|place| format!(", characters {}-{}", place.first, place.last));
    output.say(format!("{severity}: `{field}`{}: {explained} ({})", place.unwrap_or_default(), finding.code.as_str()));
}

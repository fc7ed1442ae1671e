//! `octroi verify`: offline, with nothing but two files and the log's key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{CommandError, Output, profile::Profile};
use crate::evidence::{self, VerifierKey};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  octroi evidence export 42 --out entry.json\n  octroi evidence checkpoint --out checkpoint\n  \
    octroi verify entry.json --checkpoint checkpoint --key 'octroi.dijon.example/log+1f2e3d4c+AQ...'"
)]
pub(crate) struct Args {
    /// The file that `octroi evidence export` wrote
    file: PathBuf,
    /// A checkpoint of the log that you trust: your own, a monitor's, or the current one
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// The log's verifier key; the profile's `log_key` if not given
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
}

pub(crate) fn run(args: &Args, profile: Option<&Path>, output: Output) -> Result<(), CommandError> {
    let key = match (&args.key, profile) {
        (Some(key), _) => Some(key.clone()),
        (None, Some(profile)) => Profile::load(profile)?.log_key,
        (None, None) => None,
    };
    let key = key.ok_or_else(|| {
        CommandError::Usage("this needs the log's key: give `--key` or a profile with `log_key`".to_owned())
    })?;
    let key: VerifierKey =
        key.parse().map_err(|_| CommandError::Usage("this is no verifier key: ask the operator for it".to_owned()))?;
    let not_proven =
        |problem: String| CommandError::NotProven(format!("`{}` does not hold: {problem}", args.file.display()));
    let verified = evidence::verify(&read(&args.file)?, &read(&args.checkpoint)?, &key)
        .map_err(|it| not_proven(it.to_string()))?;
    if output.json {
        output.value(&json!({ "verified": true, "entry": octroi_proto::to_json(verified.entry()) }));
    } else {
        output.record(verified.entry());
        output.say("verified: the log commits to this entry");
    }
    Ok(())
}

/// A file as text. What is not UTF-8 is replaced, and so fails like any other altered file.
fn read(path: &Path) -> Result<String, CommandError> {
    let bytes = fs::read(path).map_err(|source| CommandError::File { doing: "read", path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

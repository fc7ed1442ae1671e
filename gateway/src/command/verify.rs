//! `octroi verify`: offline, with nothing but a few files and the log's key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use octroi_proto::{to_json, wire::v1};
use prost::Message as _;
use serde_json::json;

use super::{CommandError, Output, profile::Profile};
use crate::{
    evidence::{self, VerifierKey},
    zone::{self, ReceiptFile, VerifiedReceipt},
};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  octroi evidence export 42 --out entry.json
  octroi evidence checkpoint --out checkpoint
  octroi verify entry.json --checkpoint checkpoint --key 'octroi.dijon.example/log+1f2e3d4c+AQ...'
  octroi verify receipt.json --checkpoint checkpoint --sql question.sql --answer answer.json")]
pub(crate) struct Args {
    /// A receipt, as `octroi query --receipt` wrote it, or an entry, as `octroi evidence export` did
    file: PathBuf,
    /// A checkpoint of the log that you trust: your own, a monitor's, or the current one
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// The log's verifier key; the profile's `log_key` if not given
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// Check also that the receipt is for the question in this file, byte for byte
    #[arg(long, value_name = "FILE")]
    sql: Option<PathBuf>,
    /// Check also that the receipt is for this answer, as `octroi query --json` printed it
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, profile: Option<&Path>, output: Output) -> Result<(), CommandError> {
    let key = verifier_key(args, profile)?;
    let (text, checkpoint) = (read(&args.file)?, read(&args.checkpoint)?);
    let not_proven =
        |problem: String| CommandError::NotProven(format!("`{}` does not hold: {problem}", args.file.display()));
    if ReceiptFile::claims(&text) {
        let sql = args.sql.as_deref().map(question).transpose()?;
        let answer = args.answer.as_deref().map(answer).transpose()?;
        let verified = zone::verify(&text, &checkpoint, &key, sql.as_deref(), answer.as_ref());
        show(&verified.map_err(|it| not_proven(it.to_string()))?, args, output);
        return Ok(());
    }
    if args.sql.is_some() || args.answer.is_some() {
        return Err(CommandError::Usage("`--sql` and `--answer` go with a receipt".to_owned()));
    }
    let verified = evidence::verify(&text, &checkpoint, &key).map_err(|it| not_proven(it.to_string()))?;
    if output.json {
        let (head, given) = (verified.head().size, verified.given().size);
        let entry = to_json(verified.entry());
        output.value(&json!({ "verified": true, "checkpoint": head, "given_checkpoint": given, "entry": entry }));
    } else {
        output.record(verified.entry());
        output.say(verified.statement());
    }
    Ok(())
}

fn verifier_key(args: &Args, profile: Option<&Path>) -> Result<VerifierKey, CommandError> {
    let key = match (&args.key, profile) {
        (Some(key), _) => Some(key.clone()),
        (None, Some(profile)) => Profile::load(profile)?.log_key,
        (None, None) => None,
    };
    let key = key.ok_or_else(|| {
        CommandError::Usage("this needs the log's key: give `--key` or a profile with `log_key`".to_owned())
    })?;
    key.parse().map_err(|_| CommandError::Usage("this is no verifier key: ask the operator for it".to_owned()))
}

/// What a receipt shows, and what it does not.
fn show(verified: &VerifiedReceipt, args: &Args, output: Output) {
    let (release, launch, entry) = (verified.release(), verified.launch(), verified.entry());
    let mut checked = vec!["entry"];
    checked.extend(args.sql.is_some().then_some("sql"));
    checked.extend(args.answer.is_some().then_some("answer"));
    if output.json {
        let at = entry.entry().at.as_ref().map(|at| super::output::time(Some(at)));
        return output.value(&json!({
            "verified": true,
            "checked": checked,
            "checkpoint": entry.head().size,
            "given_checkpoint": entry.given().size,
            "sequence": entry.entry().sequence,
            "released_at": at,
            "release": to_json(release),
            "launch": to_json(launch),
            "measurement": MEASUREMENT,
        }));
    }
    let tables = release.tables.iter().map(|it| format!("{}.{} version {}", it.dataset, it.table, it.version));
    let empty = "none (a process sandbox has no template)".to_owned();
    let template = if launch.template.is_empty() { empty } else { hex::encode(&launch.template) };
    let fields = [
        ("released", super::output::time(entry.entry().at.as_ref())),
        ("purpose", release.purpose.clone()),
        ("tables", tables.collect::<Vec<_>>().join(", ")),
        ("owners", release.owners.join(", ")),
        ("least subjects", release.least_subjects.to_string()),
        ("backend", launch.backend.clone()),
        ("accelerator", launch.accelerator.clone()),
        ("image", format!("{} ({MEASUREMENT})", hex::encode(&launch.image))),
        ("template", format!("{template} ({MEASUREMENT})")),
        ("history", history(release)),
        ("noise", noise(release)),
        ("policy", hex::encode(&release.policy_sha256)),
        ("configuration", hex::encode(&release.configuration_sha256)),
        ("answer", hex::encode(&release.answer_sha256)),
        ("notice", release.notice.clone()),
    ];
    output.fields(fields.iter().map(|(name, value)| (*name, value.as_str())));
    output.say(entry.statement());
    output.say(format!("checked: {}", checked.join(", ")));
}

/// Where the release stands among all of the same rows.
fn history(release: &v1::ReleasedAnswer) -> String {
    let v1::ReleasedAnswer { history_table, history_sequence, history_sha256, .. } = release;
    if history_table.is_empty() {
        return "none (the answer is about nobody)".to_owned();
    }
    format!("release {history_sequence} of {history_table}, {}", hex::encode(history_sha256))
}

/// What the answer's noise cost.
fn noise(release: &v1::ReleasedAnswer) -> String {
    match release.noise_epsilon {
        0 => "none".to_owned(),
        thousandths => format!("epsilon {} at a delta of one in a million", f64::from(thousandths) / 1_000.0),
    }
}

/// The question in a file. An editor's last line feed is not part of it.
fn question(path: &Path) -> Result<String, CommandError> {
    let text = read(path)?;
    Ok(text.strip_suffix('\n').map_or(text.clone(), str::to_owned))
}

/// An answer in a file: the JSON that was printed, or the encoded table.
fn answer(path: &Path) -> Result<v1::AnswerTable, CommandError> {
    let bytes = read_bytes(path)?;
    let printed = std::str::from_utf8(&bytes).ok().and_then(|text| zone::parse_answer(text).ok());
    let encoded = || v1::AnswerTable::decode(bytes.as_slice()).ok().filter(|table| table.encode_to_vec() == bytes);
    printed.or_else(encoded).ok_or_else(|| CommandError::Malformed {
        path: path.to_owned(),
        what: "an answer",
        problem: zone::InvalidAnswer.to_string(),
    })
}

/// A file as text. What is not UTF-8 is replaced, and so fails like any other altered file.
fn read(path: &Path) -> Result<String, CommandError> {
    Ok(String::from_utf8_lossy(&read_bytes(path)?).into_owned())
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|source| CommandError::File { doing: "read", path: path.to_owned(), source })
}

/// What the launch's measurements are worth.
const MEASUREMENT: &str = "host-signed launch measurement";

//! `octroi dataset import` and `export`: many records at once, in and out.
//!
//! Each record is registered, or described anew, as a whole or not at all; a record that is refused keeps no other back.
//! Nothing is fetched: what a file does not say is in the defaults, or missing. No record lowers a level: the gateway
//! refuses that.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use futures::{StreamExt as _, stream};
use octroi_proto::{to_json, wire::v1};
use serde_json::{Value, json};
use tonic::Code;

use super::{dcat, file::WrittenDescription};
use crate::command::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    output::{bar, line},
};

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The records
    file: PathBuf,
    /// What they are written in; told by the file's name if not given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// A description (TOML) of what every record says that does not say otherwise
    #[arg(long)]
    defaults: Option<PathBuf>,
    /// Put what is registered into the feeds
    #[arg(long)]
    publish: bool,
    /// Only say what would be sent
    #[arg(long)]
    dry_run: bool,
}

/// What records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A JSON object a line, with the keys of a description
    Jsonl,
    /// DCAT in Turtle
    Ttl,
    /// DCAT in JSON-LD that names no context elsewhere
    Jsonld,
}

/// What became of a record.
#[derive(Debug)]
enum Outcome {
    Registered,
    Updated,
    Unchanged,
    Refused(String),
}

/// A record of the file: where it stands, and what it says.
pub(super) struct Record {
    pub(super) place: String,
    pub(super) said: Result<Value, String>,
}

pub(super) async fn run(import: Import, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let records = read(&import)?;
    let defaults = import.defaults.as_deref().map(defaults).transpose()?.unwrap_or(json!({}));
    let bar = bar(records.len() as u64, "{bar:40} {pos}/{len} records");
    let (publish, dry_run) = (import.publish, import.dry_run);
    let tasks = records.into_iter().map(|Record { place, said }| {
        let description = said.and_then(|said| describe(&defaults, said));
        async move {
            let id = description.as_ref().map(|it| it.id.clone()).unwrap_or_default();
            let outcome = match description {
                Ok(description) if dry_run => Ok(show(&description, output)),
                Ok(description) => send(connection, description, publish).await,
                Err(problem) => Ok(Outcome::Refused(problem)),
            };
            (place, id, outcome)
        }
    });
    let mut tally = Tally::default();
    let mut done = stream::iter(tasks).buffered(AT_ONCE);
    while let Some((place, id, outcome)) = done.next().await {
        bar.inc(1);
        tally.count(&place, &id, &outcome?, output);
    }
    bar.finish_and_clear();
    tally.finish(output)
}

/// `octroi dataset export`: every dataset the caller may know of, a line each, as `import` reads it.
pub(super) async fn export(connection: &Connection) -> Result<(), CommandError> {
    let datasets = every(async |page_token| {
        let request = v1::ListDatasetsRequest { page_size: PAGE, page_token };
        let page = connection.datasets().list(request).await?.into_inner();
        for description in page.datasets.into_iter().filter_map(|dataset| dataset.description) {
            let written = serde_json::to_string(&WrittenDescription::from(description)).unwrap_or_default();
            line(&written);
        }
        Ok((Vec::<()>::new(), page.next_page_token))
    });
    datasets.await.map(drop)
}

fn read(import: &Import) -> Result<Vec<Record>, CommandError> {
    let path = &import.file;
    let format = import.format.or_else(|| format_of(path)).ok_or_else(|| {
        CommandError::Usage("the file's name does not tell its format: give `--format jsonl`, `ttl` or `jsonld`".into())
    })?;
    let failed = |source| CommandError::File { doing: "read", path: path.clone(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut file = BufReader::new(file.take(MOST_BYTES + 1));
    let malformed = |problem| CommandError::Malformed { path: path.clone(), what: "a list of records", problem };
    if format == Format::Jsonl {
        let lines = (1..).zip(file.by_ref().lines());
        let records = lines.filter(|(_, line)| line.as_ref().map_or(true, |line| !line.trim().is_empty()));
        let record = |(number, line): (u64, std::io::Result<String>)| {
            let said = serde_json::from_str(&line.map_err(failed)?).map_err(|error| error.to_string());
            Ok(Record { place: format!("line {number}"), said })
        };
        let records = records.map(record).collect::<Result<_, CommandError>>()?;
        return if file.get_ref().limit() == 0 { Err(malformed(too_large())) } else { Ok(records) };
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(malformed(too_large()));
    }
    dcat::records(&bytes, format).map_err(malformed)
}

fn too_large() -> String {
    format!("it is larger than {MOST_BYTES} bytes: split it")
}

fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "ttl" => Some(Format::Ttl),
        "jsonld" | "json" => Some(Format::Jsonld),
        _ => None,
    }
}

fn defaults(path: &Path) -> Result<Value, CommandError> {
    super::file::read_as(path, "a description", |text| {
        let written: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        serde_json::to_value(written).map_err(|error| error.to_string())
    })
}

/// The record over the defaults: object in object, and everything else whole.
fn describe(defaults: &Value, said: Value) -> Result<v1::DatasetDescription, String> {
    let mut whole = defaults.clone();
    overlay(&mut whole, said);
    serde_json::from_value::<WrittenDescription>(whole).map_err(|error| error.to_string())?.into_wire()
}

fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

fn show(description: &v1::DatasetDescription, output: Output) -> Outcome {
    output.value(&to_json(description));
    Outcome::Unchanged
}

/// Registers the dataset, or describes it anew if it is there and says something else. What is not the record's fault
/// ends the import.
async fn send(
    connection: &Connection,
    description: v1::DatasetDescription,
    publish: bool,
) -> Result<Outcome, CommandError> {
    let mut datasets = connection.datasets();
    let id = description.id.clone();
    let there = match datasets.get(v1::GetDatasetRequest { id: id.clone() }).await {
        Ok(there) => Some(there.into_inner()),
        // An id that is none is refused with all the rest that is wrong.
        Err(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => None,
        Err(status) => return Err(status.into()),
    };
    let changed = match &there {
        None => datasets.register(v1::RegisterDatasetRequest { description: Some(description) }).await,
        Some(there) if there.description.as_ref() == Some(&description) => return Ok(Outcome::Unchanged),
        Some(there) => {
            let request = v1::DescribeDatasetRequest { description: Some(description), revision: there.revision };
            datasets.describe(request).await
        }
    };
    let outcome = if there.is_none() { Outcome::Registered } else { Outcome::Updated };
    let changed = match changed {
        Ok(changed) => changed.into_inner(),
        Err(status) => return refused(status),
    };
    if publish
        && changed.state() == v1::DatasetState::Draft
        && let Err(status) = datasets.publish(v1::PublishDatasetRequest { id }).await
    {
        return refused(status);
    }
    Ok(outcome)
}

/// What is said against a record is the record's; everything else ends the import.
fn refused(status: tonic::Status) -> Result<Outcome, CommandError> {
    let the_records = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::NotFound
            | Code::Aborted
    );
    let error = CommandError::from(status);
    if the_records { Ok(Outcome::Refused(error.to_string())) } else { Err(error) }
}

#[derive(Debug, Default)]
struct Tally {
    registered: u64,
    updated: u64,
    unchanged: u64,
    refused: u64,
}

impl Tally {
    fn count(&mut self, place: &str, id: &str, outcome: &Outcome, output: Output) {
        let (count, word, problem) = match outcome {
            Outcome::Registered => (&mut self.registered, "registered", None),
            Outcome::Updated => (&mut self.updated, "updated", None),
            Outcome::Unchanged => (&mut self.unchanged, "unchanged", None),
            Outcome::Refused(problem) => (&mut self.refused, "refused", Some(problem)),
        };
        *count += 1;
        if output.json {
            output.value(&json!({ "place": place, "id": id, "outcome": word, "problem": problem }));
        } else if let Some(problem) = problem {
            output.say(format!("{place}: {id}: refused: {problem}"));
        }
    }

    fn finish(self, output: Output) -> Result<(), CommandError> {
        let Self { registered, updated, unchanged, refused } = self;
        output.say(format!("{registered} registered, {updated} updated, {unchanged} unchanged, {refused} refused"));
        if refused > 0 { Err(CommandError::NotAllImported { refused }) } else { Ok(()) }
    }
}

/// Records sent before the first of them is answered.
const AT_ONCE: usize = 32;
/// Bytes of a file.
const MOST_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stands_over_the_defaults() {
        let defaults = json!({ "steward": "claire", "title": { "en": "none" }, "purposes": ["any"] });
        let said = json!({ "id": "velos", "title": { "fr": "Vélos" }, "purposes": ["planning"], "level": "public" });
        let description = describe(&defaults, said).unwrap();
        assert_eq!(description.steward, "claire");
        assert_eq!((description.title["fr"].as_str(), description.title["en"].as_str()), ("Vélos", "none"));
        assert_eq!(description.purposes, ["planning"]);
        assert!(describe(&defaults, json!({ "identifier": "x" })).unwrap_err().contains("identifier"));
        assert!(describe(&defaults, json!({ "level": "secret" })).unwrap_err().contains("level"));
    }

    #[test]
    fn what_is_exported_is_read_back_as_it_was() {
        let said = json!({
            "id": "velos", "level": "public", "title": { "fr": "Vélos" }, "description": { "fr": "Passages." },
            "publisher": "Dijon", "owner": "Dijon", "steward": "claire", "purposes": ["any"],
            "contact_point": { "name": "Guichet", "email": "a@b.example" },
            "impact": { "confidentiality": "L", "integrity": "M", "availability": "H" },
            "licence": "https://example.org/l", "retention": "P5Y", "agreement_required": false,
            "discovery": { "themes": ["TRAN"], "temporal": [{ "from": "2019-01-01" }], "keywords": { "fr": ["vélo"] } },
        });
        let description = describe(&json!({}), said).unwrap();
        let line = serde_json::to_value(WrittenDescription::from(description.clone())).unwrap();
        assert_eq!(describe(&json!({}), line).unwrap(), description);
    }
}

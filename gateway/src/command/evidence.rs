//! `octroi evidence`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use octroi_proto::wire::v1;

use super::{CommandError, Connection, Output, output::time};
use crate::evidence::{
    ProofFile, TilePath, VerifierKey,
    monitor::{Tiles, check_continuation},
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List entries (auditors)
    List {
        /// First entry
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most this many, and at most 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Write an entry with its salt and a proof that it is in the log (auditors)
    Export {
        /// Sequence of the entry
        id: u64,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Fetch the log's current signed checkpoint
    Checkpoint {
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Check that the log only grew since the last look, and remember this look
    Monitor {
        /// Where the last checkpoint seen is kept; made at the first look
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
    },
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    match command {
        Command::List { from, limit } => list(from, limit, connection, output).await,
        Command::Export { id, out } => {
            let request = v1::ExportEvidenceRequest { sequence: id };
            let evidence = connection.evidence().export(request).await?.into_inner();
            let file = ProofFile::from(&evidence).to_json().map_err(|_| CommandError::Nonsense)?;
            write(&out, file.as_bytes())?;
            output.done(&evidence, format!("entry {id} with its proof: {}", out.display()));
            Ok(())
        }
        Command::Checkpoint { out } => {
            let checkpoint = checkpoint(connection).await?;
            write(&out, checkpoint.as_bytes())?;
            output.say(format!("checkpoint: {}", out.display()));
            Ok(())
        }
        Command::Monitor { state } => watch(&state, connection, output).await,
    }
}

async fn list(from: u64, limit: u32, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let request = v1::ListEvidenceRequest { from, page_size: limit };
    let v1::ListEvidenceResponse { entries, next } = connection.evidence().list(request).await?.into_inner();
    output.list(&entries, &["entry", "at", "who", "what", "policies"], |entry| {
        let actor = entry.actor.clone().unwrap_or_default();
        let who = if actor.principal.is_empty() { actor.credential } else { actor.principal };
        let refused = matches!(entry.record, Some(v1::entry::Record::Refused(_)));
        let what = if refused { format!("{} (refused)", entry.action) } else { entry.action.clone() };
        vec![entry.sequence.to_string(), time(entry.at.as_ref()), who, what, entry.policies.join(", ")]
    });
    if let Some(next) = next {
        output.say(format!("there are more: --from {next}"));
    }
    Ok(())
}

async fn checkpoint(connection: &Connection) -> Result<String, CommandError> {
    let bytes = connection.public("log/checkpoint").await?.ok_or(CommandError::Nonsense)?;
    String::from_utf8(bytes).map_err(|_| CommandError::Nonsense)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    fs::write(path, bytes).map_err(|source| CommandError::File { doing: "write", path: path.to_owned(), source })
}

/// Looks at the log: signed by its key, and a continuation of what was seen before.
async fn watch(state: &Path, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let key = log_key(connection)?;
    let open = |text: &str| key.open(text).map_err(|problem| CommandError::NotProven(problem.to_string()));
    let text = checkpoint(connection).await?;
    let newer = open(&text)?;
    let before = seen(state)?;
    if let Some(before) = &before {
        let older = open(before)?;
        let tiles = Public { connection };
        // The check is synchronous and waits for downloads.
        tokio::task::block_in_place(|| check_continuation(older, newer, &tiles))
            .map_err(|problem| CommandError::NotProven(problem.to_string()))?;
    }
    write(state, text.as_bytes())?;
    let look = if before.is_some() { "it continues what was seen before" } else { "this is the first look at it" };
    output.say(format!("the log has {} entries; {look}", newer.size));
    if output.json {
        output.value(&serde_json::json!({ "size": newer.size }));
    }
    Ok(())
}

/// The checkpoint of the last look, if there was one.
fn seen(state: &Path) -> Result<Option<String>, CommandError> {
    match fs::read_to_string(state) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CommandError::File { doing: "read", path: state.to_owned(), source }),
    }
}

fn log_key(connection: &Connection) -> Result<VerifierKey, CommandError> {
    let text = connection.profile().log_key.as_deref();
    let text =
        text.ok_or_else(|| CommandError::Usage("the profile has no `log_key`: ask the operator for it".to_owned()))?;
    text.parse().map_err(|_| {
        CommandError::Usage("the profile's `log_key` is no verifier key: ask the operator for it".to_owned())
    })
}

/// The tiles that the public listener serves.
struct Public<'a> {
    connection: &'a Connection,
}

impl Tiles for Public<'_> {
    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let fetched = tokio::runtime::Handle::current().block_on(self.connection.public(&format!("log/{path}")))?;
        fetched.ok_or_else(|| format!("there is no `{path}`").into())
    }
}

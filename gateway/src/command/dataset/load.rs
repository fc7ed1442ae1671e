//! `octroi dataset load`: rows sealed on the way out, so that nobody but a zone can read them.
//!
//! The age format (C2SP age), with the dataset's ingest key for its one recipient; any age client makes the same.

use std::{
    fs::File,
    io::{self, Read as _, Write},
    iter,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use age::x25519::Recipient;
use clap::Args;
use octroi_proto::{
    TableFormat,
    wire::v1::{self, load_table_request::Part},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::command::{CommandError, Connection, Output, object::progress};

/// What to load where.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Which dataset
    dataset: String,
    /// Into which table of its schema
    table: String,
    /// The rows
    file: PathBuf,
    /// What they are written in: csv, jsonl or parquet; told by the file's name if not given
    #[arg(long)]
    format: Option<TableFormat>,
    /// Put them into the place of all rows that are there
    #[arg(long)]
    replace: bool,
}

pub(super) async fn run(load: Load, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let Load { dataset, table, file: path, format, replace } = load;
    let format = format.or_else(|| format_of(&path)).ok_or_else(|| {
        CommandError::Usage(
            "the file's name does not tell its format: give `--format csv`, `jsonl` or `parquet`".into(),
        )
    })?;
    let failed = |source| CommandError::File { doing: "read", path: path.clone(), source };
    let file = File::open(&path).map_err(failed)?;
    let key = connection.tables().get_ingest_key(v1::GetIngestKeyRequest { dataset: dataset.clone() }).await?;
    let recipient: Recipient = key.into_inner().recipient.parse().map_err(|_| CommandError::Nonsense)?;
    let header = v1::LoadTableHeader { dataset, table, format: format.to_wire().into(), replace, length: 0 };
    let (sender, receiver) = mpsc::channel(2);
    let sealing = tokio::task::spawn_blocking(move || seal(file, &recipient, header, &sender));
    let mut tables = connection.tables();
    let (sealed, answer) = tokio::join!(sealing, tables.load(ReceiverStream::new(receiver)));
    sealed.map_err(io::Error::other).and_then(|sealed| sealed).map_err(failed)?;
    told(&answer?.into_inner(), output);
    Ok(())
}

fn told(report: &v1::LoadReport, output: Output) {
    let mut text = format!("{} rows; the table's version is {}", report.rows, report.version);
    if report.bad_rows > 0 {
        text = format!("{text}\n{} bad rows left out; the first:", report.bad_rows);
    }
    output.done(report, text);
    if !output.json && !report.first_bad_rows.is_empty() {
        let shown = report.first_bad_rows.get(..SHOWN).unwrap_or(&report.first_bad_rows);
        output
            .list(shown, &["row", "rule", "column"], |it| vec![it.row.to_string(), it.rule.clone(), it.column.clone()]);
    }
}

fn format_of(path: &Path) -> Option<TableFormat> {
    match path.extension()?.to_str()? {
        "csv" => Some(TableFormat::Csv),
        "jsonl" | "ndjson" => Some(TableFormat::JsonLines),
        "parquet" => Some(TableFormat::Parquet),
        _ => None,
    }
}

/// Sends the header, then the file as an age file. A gateway that stopped listening has answered, and its answer says
/// why: no error then.
fn seal(
    mut file: File,
    recipient: &Recipient,
    header: v1::LoadTableHeader,
    sender: &mpsc::Sender<v1::LoadTableRequest>,
) -> io::Result<()> {
    let plain = file.metadata()?.len();
    let bar = progress(plain);
    let encryptor = age::Encryptor::with_recipients(iter::once(recipient as &dyn age::Recipient));
    let written = Arc::<AtomicU64>::default();
    let parts = Parts { sender: sender.clone(), gathered: Vec::new(), written: Arc::clone(&written) };
    let mut sealer = encryptor.map_err(io::Error::other)?.wrap_output(parts)?;
    // age wrote its header, which is far shorter than a part: nothing was sent yet.
    let length = written.load(Ordering::Relaxed).saturating_add(payload_length(plain));
    let header = Part::Header(v1::LoadTableHeader { length, ..header });
    let mut open = sender.blocking_send(v1::LoadTableRequest { part: Some(header) }).is_ok();
    let mut buffer = vec![0; PART];
    while open {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        bar.inc(count as u64);
        open = listening(sealer.write_all(buffer.get(..count).unwrap_or_default()))?;
    }
    if open {
        listening(sealer.finish().and_then(|mut parts| parts.send()))?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Whether the gateway still listens.
fn listening(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Bytes of an age file behind its header and nonce: chunks of 64 KiB, each with a tag of 16 bytes, at least one.
fn payload_length(plain: u64) -> u64 {
    plain.saturating_add(plain.div_ceil(AGE_CHUNK).max(1).saturating_mul(16))
}

/// Gathers what age writes into messages.
struct Parts {
    sender: mpsc::Sender<v1::LoadTableRequest>,
    gathered: Vec<u8>,
    written: Arc<AtomicU64>,
}

impl Parts {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::take(&mut self.gathered);
        if chunk.is_empty() {
            return Ok(());
        }
        let request = v1::LoadTableRequest { part: Some(Part::Chunk(chunk)) };
        self.sender.blocking_send(request).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if self.gathered.len() >= PART {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes to a message, or a little more; the gateway takes at most 1 MiB.
const PART: usize = 256 * 1024;
const AGE_CHUNK: u64 = 64 * 1024;
/// Bad rows listed for eyes.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use age::x25519::Identity;

    use super::*;

    /// What the gateway would get for a file of so many bytes.
    fn sent(length: usize) -> (v1::LoadTableHeader, Vec<u8>, Identity) {
        let identity = Identity::generate();
        let recipient = identity.to_public();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'a'; length]).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let sealing = std::thread::spawn(move || seal(file, &recipient, v1::LoadTableHeader::default(), &sender));
        let Some(Part::Header(header)) = receiver.blocking_recv().unwrap().part else { panic!("no header") };
        let mut sealed = Vec::new();
        while let Some(request) = receiver.blocking_recv() {
            let Some(Part::Chunk(chunk)) = request.part else { panic!("no chunk") };
            assert!(!chunk.is_empty() && chunk.len() <= 1 << 20);
            sealed.extend(chunk);
        }
        sealing.join().unwrap().unwrap();
        (header, sealed, identity)
    }

    #[test]
    fn what_is_sent_is_an_age_file_of_the_length_said_before() {
        for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 700_001] {
            let (header, sealed, identity) = sent(length);
            assert_eq!(header.length, sealed.len() as u64, "{length}");
            assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
            let mut plain = Vec::new();
            let decryptor = age::Decryptor::new(sealed.as_slice()).unwrap();
            decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).unwrap().read_to_end(&mut plain).unwrap();
            assert_eq!(plain, vec![b'a'; length]);
        }
    }

    #[test]
    fn a_gateway_that_has_answered_already_is_no_error() {
        let recipient = Identity::generate().to_public();
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        assert!(seal(tempfile::tempfile().unwrap(), &recipient, v1::LoadTableHeader::default(), &sender).is_ok());
    }

    #[test]
    fn formats_are_told_by_names() {
        for (name, format) in [
            ("a.csv", Some(TableFormat::Csv)),
            ("a.jsonl", Some(TableFormat::JsonLines)),
            ("a.ndjson", Some(TableFormat::JsonLines)),
            ("b/a.parquet", Some(TableFormat::Parquet)),
            ("a.xlsx", None),
            ("a", None),
        ] {
            assert_eq!(format_of(Path::new(name)), format, "{name}");
        }
    }
}

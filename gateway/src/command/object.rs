//! `octroi object`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::ProgressBar;
use octroi_proto::wire::v1::{self, get_object_response, put_object_request};
use ring::digest;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    output::{bar, time},
};

/// Bytes to a message; the gateway takes at most 1 MiB.
const CHUNK: usize = 256 * 1024;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Upload a file
    Put {
        /// Which dataset
        dataset: String,
        /// The file
        file: PathBuf,
        /// The object's key; the file's name if none is given
        #[arg(long)]
        key: Option<String>,
        /// What it is; `application/octet-stream` if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        media_type: String,
        /// Only if no object has this key
        #[arg(long)]
        if_absent: bool,
    },
    /// Download an object, or a range of it
    Get {
        /// Which dataset
        dataset: String,
        /// The object's key
        key: String,
        /// Where to write it; the last part of the key if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// First byte
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        offset: u64,
        /// So many bytes; to the end if not given
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        length: u64,
    },
    /// Show an object's metadata
    Head {
        /// Which dataset
        dataset: String,
        /// The object's key
        key: String,
    },
    /// List a dataset's objects
    List {
        /// Which dataset
        dataset: String,
        /// Only keys that begin with this
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Delete an object: its key is destroyed, then its bytes
    Delete {
        /// Which dataset
        dataset: String,
        /// The object's key
        key: String,
    },
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Put { dataset, file, key, media_type, if_absent } => {
            let key = key.or_else(|| Some(file.file_name()?.to_str()?.to_owned()));
            let key = key.ok_or_else(|| CommandError::Usage("the file's name is no key: give `--key`".to_owned()))?;
            let head = v1::PutObjectHead { dataset, key, media_type, if_version: 0, if_absent, length: None };
            let object = put(head, &file, connection).await?;
            output.done(&object, format!("{} bytes as {}, version {}", object.length, object.key, object.version));
            Ok(())
        }
        Command::Get { dataset, key, out, offset, length } => {
            let name = key.rsplit('/').next().unwrap_or(&key).to_owned();
            let out = out.unwrap_or_else(|| PathBuf::from(name));
            let request = v1::GetObjectRequest { dataset, key, offset, length, if_version: 0 };
            let head = get(request, &out, connection).await?;
            let notice = head.notice.clone().unwrap_or_default();
            output.done(&head, format!("{}; owner: {}; scope of use: {}", out.display(), notice.owner, notice.scope));
            Ok(())
        }
        Command::Head { dataset, key } => {
            output.record(&connection.objects().head(v1::HeadObjectRequest { dataset, key }).await?.into_inner());
            Ok(())
        }
        Command::List { dataset, prefix } => list(dataset, prefix, connection, output).await,
        Command::Delete { dataset, key } => {
            let request = v1::DeleteObjectRequest { dataset, key: key.clone(), if_version: 0 };
            let answer = connection.objects().delete(request).await?.into_inner();
            output.done(&answer, format!("{key} is deleted"));
            Ok(())
        }
    }
}

async fn list(dataset: String, prefix: String, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let objects = every(async |page_token| {
        let (dataset, prefix) = (dataset.clone(), prefix.clone());
        let request = v1::ListObjectsRequest { dataset, prefix, page_size: PAGE, page_token };
        let page = connection.objects().list(request).await?.into_inner();
        Ok((page.objects, page.next_page_token))
    })
    .await?;
    output.list(&objects, &["key", "version", "bytes", "media type", "stored"], |it| {
        let (version, length) = (it.version.to_string(), it.length.to_string());
        vec![it.key.clone(), version, length, it.media_type.clone(), time(it.stored.as_ref())]
    });
    Ok(())
}

async fn put(mut head: v1::PutObjectHead, path: &Path, connection: &Connection) -> Result<v1::Object, CommandError> {
    let failed = |source| CommandError::File { doing: "read", path: path.to_owned(), source };
    let mut file = File::open(path).await.map_err(failed)?;
    let length = file.metadata().await.map_err(failed)?.len();
    // The gateway refuses what falls short of it, so a file that fails in mid-read never becomes half an object.
    head.length = Some(length);
    let bar = progress(length);
    let (sender, receiver) = mpsc::channel(2);
    let read = async move {
        let part = put_object_request::Part::Head(head);
        let mut open = sender.send(v1::PutObjectRequest { part: Some(part) }).await.is_ok();
        while open {
            let mut chunk = Vec::with_capacity(CHUNK);
            let count = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await?;
            if count == 0 {
                break;
            }
            bar.inc(count as u64);
            let part = put_object_request::Part::Data(chunk.into());
            // A gateway that stopped listening has answered, and its answer says why.
            open = sender.send(v1::PutObjectRequest { part: Some(part) }).await.is_ok();
        }
        bar.finish_and_clear();
        Ok::<_, std::io::Error>(())
    };
    let mut objects = connection.objects();
    let (read, answer) = tokio::join!(read, objects.put(ReceiverStream::new(receiver)));
    read.map_err(failed)?;
    Ok(answer?.into_inner())
}

async fn get(
    request: v1::GetObjectRequest,
    out: &Path,
    connection: &Connection,
) -> Result<v1::GetObjectHead, CommandError> {
    let whole = request.offset == 0 && request.length == 0;
    let wanted = request.length;
    let offset = request.offset;
    let mut parts = connection.objects().get(request).await?.into_inner();
    let Some(get_object_response::Part::Head(head)) = parts.message().await?.and_then(|first| first.part) else {
        return Err(CommandError::Nonsense);
    };
    let object = head.object.clone().unwrap_or_default();
    let rest = object.length.saturating_sub(offset);
    let bar = progress(if wanted == 0 { rest } else { wanted.min(rest) });
    // Under another name until it is whole: half a file must not look like one.
    let partial = partial_name(out);
    let failed = |source| CommandError::File { doing: "write", path: partial.clone(), source };
    let mut file = File::create(&partial).await.map_err(failed)?;
    let mut sha256 = digest::Context::new(&digest::SHA256);
    while let Some(part) = parts.message().await? {
        let Some(get_object_response::Part::Data(data)) = part.part else { return Err(CommandError::Nonsense) };
        sha256.update(&data);
        file.write_all(&data).await.map_err(failed)?;
        bar.inc(data.len() as u64);
    }
    bar.finish_and_clear();
    if whole && sha256.finish().as_ref() != object.sha256 {
        return Err(CommandError::DigestMismatch);
    }
    file.sync_all().await.map_err(failed)?;
    tokio::fs::rename(&partial, out).await.map_err(failed)?;
    Ok(head)
}

fn partial_name(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// A bar of bytes.
pub(super) fn progress(bytes: u64) -> ProgressBar {
    bar(bytes, "{bar:40} {bytes}/{total_bytes} {bytes_per_sec}")
}

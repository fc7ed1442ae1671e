//! From a zone's output disk to the object store.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

use bytes::{Bytes, BytesMut};
use octroi_proto::{FileId, StoredTableFile, wire::v1};
use ring::digest::{self, digest};

use super::{DISK_START, DurableTableFile, LoadError};
use crate::object::store::Upload;

/// What the zone says lies on its disk; within bounds, and not yet found true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pins {
    file: FileId,
    length: u64,
    footer_sha256: [u8; 32],
    footer_length: u64,
    rows: u64,
}

impl Pins {
    /// `None` if a file cannot be so, or its footer is larger than a footer is.
    pub(super) fn new(file: FileId, length: u64, footer: ([u8; 32], u64), rows: u64) -> Option<Self> {
        let (footer_sha256, footer_length) = footer;
        let pins = Self { file, length, footer_sha256, footer_length, rows };
        let possible = StoredTableFile::try_from(v1::StoredTableFile::from(&pins.stored([0; 32]))).is_ok();
        (possible && footer_length <= MOST_FOOTER).then_some(pins)
    }

    fn stored(&self, sha256: [u8; 32]) -> StoredTableFile {
        let Self { file: id, length, footer_sha256, footer_length, rows } = self.clone();
        StoredTableFile { id, length, sha256, footer_sha256, footer_length, rows }
    }
}

/// Copies the file to the store. What is copied is what is hashed, whatever the zone may still be writing.
pub(super) async fn keep(output: File, pins: Pins, mut upload: Upload) -> Result<DurableTableFile, LoadError> {
    let output = Arc::new(output);
    let mut tail = BytesMut::new();
    let footer_length = usize::try_from(pins.footer_length).unwrap_or(usize::MAX);
    let mut copied = 0;
    while copied < pins.length {
        let piece = read(&output, copied, PIECE.min(pins.length - copied)).await.map_err(LoadError::Spool)?;
        if copied == 0 && !piece.starts_with(MAGIC) {
            return Err(LoadError::Lied("its file is not an encrypted one"));
        }
        copied += piece.len() as u64;
        tail.extend_from_slice(&piece);
        let surplus = tail.len().saturating_sub(footer_length);
        drop(tail.split_to(surplus));
        upload.write(piece).await?;
    }
    // Before the upload's end, so that nothing is there under that name.
    if digest(&digest::SHA256, &tail).as_ref() != pins.footer_sha256 || !tail.ends_with(MAGIC) {
        return Err(LoadError::Lied("its file is not as it says"));
    }
    let (_, sha256) = upload.finish().await?;
    Ok(DurableTableFile::new(pins.stored(sha256)))
}

async fn read(file: &Arc<File>, at: u64, length: u64) -> io::Result<Bytes> {
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut piece, DISK_START + at)?;
        Ok(piece.into())
    });
    read.await.map_err(io::Error::other)?
}

/// Parquet with an encrypted footer begins and ends with it.
const MAGIC: &[u8] = b"PARE";
/// Bytes read at once.
const PIECE: u64 = 1 << 20;
/// Bytes of a footer: a kilobyte for each column of each row group is ample.
const MOST_FOOTER: u64 = 64 << 20;

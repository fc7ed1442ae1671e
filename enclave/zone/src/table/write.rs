//! From record batches to an encrypted file.

use std::{
    fmt,
    io::{self, Write},
};

use arrow::record_batch::RecordBatch;
use octroi_attest::{FileId, FileKeys};
use octroi_proto::wire::zone;
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    errors::ParquetError,
};
use ring::digest;

use super::{Column, Schema, aad_prefix, layout};

/// Writes one encrypted Parquet file. Holds one row group.
pub struct Writer<W: Write + Send> {
    parquet: ArrowWriter<Sink<W>>,
    file: FileId,
    prefix: String,
    rows: u64,
}

/// By what a file is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    file: FileId,
    prefix: String,
    length: u64,
    footer_sha256: [u8; 32],
    footer_length: u64,
    rows: u64,
}

/// Why no file was made. Nothing of what was written can be used.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A column without key would be stored in clear.
    #[error("the keys are not those of the table's columns")]
    Keys,
    /// The output took no more.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// Arrow or Parquet refused; its text may name values, so it is not kept.
    #[error("the rows cannot be written as Parquet")]
    Parquet,
}

/// Passes on what is written, keeping the footer.
struct Sink<W> {
    output: Option<W>,
    length: u64,
    footer: Option<Vec<u8>>,
    failed: Option<io::Error>,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file of `schema`'s table.
    ///
    /// # Errors
    /// [`WriteError::Keys`] unless `keys` has one for each column and none besides.
    pub fn new(output: W, dataset: &str, schema: &Schema, keys: &FileKeys) -> Result<Self, WriteError> {
        let has_key = |column: &Column| keys.columns.contains_key(&column.name);
        if keys.columns.len() != schema.columns().len() || !schema.columns().iter().all(has_key) {
            return Err(WriteError::Keys);
        }
        let prefix = aad_prefix(dataset, schema.table(), keys.file_id);
        let properties = layout::writer_properties(keys, &prefix).map_err(|_| WriteError::Parquet)?;
        let sink = Sink { output: Some(output), length: 0, footer: None, failed: None };
        // The Arrow schema would lie in the footer a second time; the types need no hint.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let parquet =
            ArrowWriter::try_new_with_options(sink, schema.stored(), options).map_err(|_| WriteError::Parquet)?;
        Ok(Self { parquet, file: keys.file_id, prefix, rows: 0 })
    }

    /// Adds rows, as one row group; `rows` has the schema's stored form.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), WriteError> {
        let written = self.parquet.write(rows).and_then(|()| self.parquet.flush());
        written.map_err(|error| self.failure(error))?;
        self.rows = self.rows.saturating_add(rows.num_rows() as u64);
        Ok(())
    }

    /// Ends the file. Nothing is synced: that is the output's owner's to do.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn finish(mut self) -> Result<(Pins, W), WriteError> {
        // Whatever comes after this point is the footer.
        self.parquet.sync().map_err(WriteError::Output)?;
        self.parquet.inner_mut().footer = Some(Vec::new());
        let finished = self.parquet.finish().map(drop);
        finished.map_err(|error| self.failure(error))?;
        let sink = self.parquet.inner_mut();
        let footer = sink.footer.take().unwrap_or_default();
        let length = sink.length;
        let output = sink.output.take().ok_or(WriteError::Parquet)?;
        let pins = Pins {
            file: self.file,
            prefix: self.prefix,
            length,
            footer_sha256: sha256(&footer),
            footer_length: footer.len() as u64,
            rows: self.rows,
        };
        Ok((pins, output))
    }

    fn failure(&mut self, _: ParquetError) -> WriteError {
        self.parquet.inner_mut().failed.take().map_or(WriteError::Parquet, WriteError::Output)
    }
}

impl<W: Write + Send> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("file", &self.file).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Pins {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Rows in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// As the registry is told, for a file that begins at this offset of a disk.
    pub fn table_file(&self, disk_offset: u64) -> zone::TableFile {
        zone::TableFile {
            file_id: self.file.as_bytes().to_vec(),
            aad_prefix: self.prefix.clone(),
            disk_offset,
            length: self.length,
            footer_sha256: self.footer_sha256.to_vec(),
            footer_length: self.footer_length,
            rows: self.rows,
        }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let output = self.output.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        if let Err(error) = output.write_all(buffer) {
            // The Parquet crate turns it into text: kept aside.
            let kind = error.kind();
            self.failed = Some(error);
            return Err(kind.into());
        }
        self.length = self.length.saturating_add(buffer.len() as u64);
        if let Some(footer) = &mut self.footer {
            footer.extend_from_slice(buffer);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.as_mut().map_or(Ok(()), Write::flush)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

//! Taking rows in: what a steward sealed becomes an encrypted file of the table (docs/TABLES.md).
//!
//! Trusts the keys and the declared schema, which come sealed or from the registry. Trusts neither the input, which may
//! be anything, nor the disks, which hold ciphertext in and ciphertext out. No value of a row is in any report, error or
//! log: a bad row is a rule, a number and a column's name. Memory is bounded whatever the input; what a hostile
//! Parquet file can still make its decoder allocate ends this zone alone.
//!
//! ```text
//! data disk -> unseal (age) -> csv | json | parquet -> rows (check, sort by subject) -> table::Writer -> output disk
//!                  └ stanzas out, keys back                └ report
//! ```

mod csv;
mod json;
mod output;
mod parquet;
mod report;
mod rows;
#[cfg(test)]
mod tests;
mod unseal;
mod value;

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use octroi_attest::{FileId, FileKeys, OpenKeys};
use octroi_proto::wire::{v1, zone};

use self::{output::Output, report::Failure, rows::Rows};
use crate::table::{Disk, FIRST_OFFSET, Schema, SchemaError, WriteError, Writer, aad_prefix};

/// Why a load came to nothing without a report: nobody is told more than that it failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The request contradicts itself.
    #[error("the load's request makes no sense")]
    Request,
    /// The declared schema cannot be used.
    #[error("the declared schema cannot be used")]
    Schema(#[from] SchemaError),
    /// No keys came back, or others than were asked for.
    #[error("the keys of this load were not given")]
    NoKeys,
    /// A disk failed.
    #[error("a disk failed")]
    Disk(#[from] io::Error),
    /// The table could not be written.
    #[error("the table cannot be written")]
    Write(#[source] WriteError),
    /// The code failed.
    #[error("the loader failed")]
    Failed,
}

/// Why reading rows ended early.
#[derive(Debug)]
enum Stop {
    /// The input is at fault: the steward is told.
    Failure(Failure),
    Error(LoadError),
}

/// Loads one file of rows. `keys` sends the age header's stanzas to whoever holds the ingest key and gives back what
/// was sealed to this zone; `None` if nothing came.
///
/// What it returns is told to serve: a report, and the pins of the file written, if there is one. The output is synced.
///
/// # Errors
/// [`LoadError`]; nothing of what was written is to be used.
pub fn run(
    load: &zone::Load,
    input: &Disk,
    output: File,
    keys: impl FnOnce(zone::LoadKeyRequest) -> Option<OpenKeys>,
) -> Result<zone::Loaded, LoadError> {
    // Whatever else fails is one load.
    let run = || Job::parse(load)?.run(input, output, keys);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(LoadError::Failed))
}

/// A `Load`, parsed.
struct Job {
    dataset: String,
    schema: Schema,
    format: Format,
    input_length: u64,
    file: FileId,
    output_bytes: u64,
    memory_bytes: u64,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
    Parquet,
}

impl Job {
    fn parse(load: &zone::Load) -> Result<Self, LoadError> {
        let schema = Schema::parse(load.schema.as_ref().ok_or(LoadError::Request)?)?;
        let file = FileId::try_from(load.file_id.as_slice()).map_err(|_| LoadError::Request)?;
        if load.aad_prefix != aad_prefix(&load.dataset, schema.table(), file) {
            return Err(LoadError::Request);
        }
        Ok(Self {
            dataset: load.dataset.clone(),
            schema,
            format: match load.format() {
                v1::TableFormat::Unspecified => return Err(LoadError::Request),
                v1::TableFormat::Csv => Format::Csv,
                v1::TableFormat::JsonLines => Format::JsonLines,
                v1::TableFormat::Parquet => Format::Parquet,
            },
            input_length: load.input_length,
            file,
            output_bytes: load.output_bytes,
            memory_bytes: load.limits.as_ref().map_or(0, |limits| limits.memory_bytes),
        })
    }

    fn run(
        self,
        input: &Disk,
        output: File,
        keys: impl FnOnce(zone::LoadKeyRequest) -> Option<OpenKeys>,
    ) -> Result<zone::Loaded, LoadError> {
        let end = FIRST_OFFSET.checked_add(self.input_length).ok_or(LoadError::Request)?;
        let opened = match unseal::open(input, FIRST_OFFSET..end, self.file, keys) {
            Ok(opened) => opened,
            Err(Stop::Failure(failure)) => return Ok(failure.alone()),
            Err(Stop::Error(error)) => return Err(error),
        };
        let mut rows = self.rows(output, &opened.keys)?;
        let read = match self.format {
            Format::Csv => csv::read(opened.plaintext, &self.schema, &mut rows),
            Format::JsonLines => json::read(opened.plaintext, &self.schema, &mut rows),
            Format::Parquet => {
                // The decoder panics on some files that are damaged, and the steward is to know that this is one.
                let read = || parquet::read(opened.plaintext, &self.schema, self.memory_bytes, &mut rows);
                catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(Failure::NotParquet.into()))
            }
        };
        match read.and_then(|()| rows.finish()) {
            Ok(finished) => Ok(finished),
            Err(Stop::Failure(failure)) => Ok(failure.alone()),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    fn rows(&self, output: File, keys: &FileKeys) -> Result<Rows, LoadError> {
        let output = Output::new(output, FIRST_OFFSET, self.output_bytes);
        let writer = Writer::new(output, &self.dataset, &self.schema, keys).map_err(LoadError::Write)?;
        Ok(Rows::new(self.schema.clone(), writer, self.memory_bytes))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Self {
        Self::Error(error)
    }
}

/// Reading plaintext: a disk that fails is ours, anything else is the age file's.
impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Failure(Failure::Damaged)
    }
}

//! One CSV file of the lake: rows are typed, and stream to disk.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

/// A file of the lake.
#[derive(Debug)]
pub(crate) struct Written {
    /// The dataset that it belongs to.
    pub(crate) dataset: &'static str,
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Rows, the heading not counted.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
}

impl Written {
    /// The file's name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be written")]
pub(crate) struct TableError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A file being written.
#[derive(Debug)]
pub(super) struct Table {
    dataset: &'static str,
    path: PathBuf,
    rows: u64,
    writer: csv::Writer<BufWriter<File>>,
}

impl Table {
    /// `FOLDER/DATASET/NAME`, emptied.
    pub(super) fn create(folder: &Path, dataset: &'static str, name: &str) -> Result<Self, TableError> {
        let path = folder.join(dataset).join(name);
        let file = fs::create_dir_all(folder.join(dataset)).and_then(|()| File::create(&path));
        match file {
            Ok(file) => Ok(Self { dataset, path, rows: 0, writer: csv::Writer::from_writer(BufWriter::new(file)) }),
            Err(source) => Err(TableError { path, source }),
        }
    }

    /// Adds a row; the names of its fields are the heading.
    pub(super) fn add(&mut self, row: &impl Serialize) -> Result<(), TableError> {
        self.rows += 1;
        self.writer.serialize(row).map_err(|source| TableError { path: self.path.clone(), source: source.into() })
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<Written, TableError> {
        let Self { dataset, path, rows, writer } = self;
        let length = writer
            .into_inner()
            .map_err(|error| error.into_error())
            .and_then(|mut file| file.flush())
            .and_then(|()| fs::metadata(&path));
        match length {
            Ok(metadata) => Ok(Written { dataset, path, rows, bytes: metadata.len() }),
            Err(source) => Err(TableError { path, source }),
        }
    }
}

//! Undoing: a file's keys are destroyed first, which is what makes it unreadable; then it goes.
//!
//! A file that may have to be undone is marked before there is anything of it, and for as long as that is not settled: a
//! file in the folder of marks, named like the table's. What a killed process left is found by its mark at the next start
//! and undone then, unless the register names it. Nothing that has no mark is ever touched.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use octroi_proto::{DatasetId, FileId};
use tokio::{runtime::Handle, time};

use super::{Keys, LoadError, Register};
use crate::{durable, object::Backend};

/// The folder of marks.
#[derive(Debug, Clone)]
pub(super) struct Marks(PathBuf);

/// That a file may have to be undone.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    dataset: DatasetId,
    file: FileId,
}

impl Marks {
    /// The marks in this folder, which is made, and those that an earlier process left there.
    pub(super) fn open(folder: PathBuf) -> io::Result<(Self, Vec<Mark>)> {
        durable::ensure_folder(&folder)?;
        let mut left = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            match Mark::parse(&path, &fs::read(&path)?) {
                Some(mark) => left.push(mark),
                // Torn while it was written, so before anything was done under it.
                None => fs::remove_file(&path)?,
            }
        }
        Ok((Self(folder), left))
    }

    /// Marks a file. Durable when this returns.
    pub(super) async fn mark(&self, dataset: &DatasetId, file: FileId) -> io::Result<Mark> {
        let mark = Mark { path: self.0.join(file.to_string()), dataset: dataset.clone(), file };
        let (path, text) = (mark.path.clone(), dataset.to_string());
        let written = tokio::task::spawn_blocking(move || durable::create(&path, text.as_bytes(), 0o600));
        written.await.map_err(io::Error::other)??;
        Ok(mark)
    }
}

impl Mark {
    fn parse(path: &Path, text: &[u8]) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let file = FileId::new(u128::from_str_radix(name, 16).ok()?.to_be_bytes());
        let dataset = std::str::from_utf8(text).ok()?.parse().ok()?;
        (file.to_string() == name).then(|| Self { path: path.to_owned(), dataset, file })
    }

    /// Settled: nothing is to be undone any more.
    fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            // The next start looks at it again, and finds that there is nothing to do.
            tracing::warn!(%error, file = %self.file, "the mark of a load was not removed");
        }
    }
}

/// Looks at what was left marked: undoes what nothing names. What the register cannot be asked about stays.
pub(super) async fn sweep<R: Register, K: Keys>(left: Vec<Mark>, register: &R, keys: &K, backend: &Backend) {
    for mark in left {
        match register.names(&mark.dataset, mark.file) {
            Ok(true) => mark.remove(),
            Ok(false) => {
                tracing::warn!(dataset = %mark.dataset, file = %mark.file, "undoing a load that was cut short");
                undo(keys, backend, mark).await;
            }
            Err(error) => tracing::error!(%error, file = %mark.file, "whether a load was cut short is not known"),
        }
    }
}

/// Shreds a marked file; what cannot be undone now stays marked.
async fn undo<K: Keys>(keys: &K, backend: &Backend, mark: Mark) {
    if shred(keys, backend, &mark.dataset, mark.file).await {
        mark.remove();
    }
}

/// Destroys a file's keys and deletes it, as far as that can be done now. What is left is counted and logged; nothing
/// names it any more. Whether all is gone.
async fn shred<K: Keys>(keys: &K, backend: &Backend, dataset: &DatasetId, file: FileId) -> bool {
    let mut gone = true;
    let mut pause = Duration::from_millis(100);
    for attempt in 1..=ATTEMPTS {
        match keys.destroy(dataset, file).await {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS => {
                gone = false;
                left_over("keys", dataset, file, &error);
            }
            Err(_) => time::sleep(pause).await,
        }
        pause *= 2;
    }
    if let Err(error) = backend.delete_file(&file.path(dataset)).await {
        gone = false;
        left_over("bytes", dataset, file, &error);
    }
    gone
}

/// Shreds a file that a table named until now.
pub(super) async fn replaced<K: Keys>(marks: &Marks, keys: &K, backend: &Backend, dataset: &DatasetId, file: FileId) {
    match marks.mark(dataset, file).await {
        Ok(mark) => undo(keys, backend, mark).await,
        Err(error) => {
            tracing::error!(%error, %file, "a file that was replaced could not be marked");
            shred(keys, backend, dataset, file).await;
        }
    }
}

/// A file that no table names yet. Dropped, it is shredded.
#[derive(Debug)]
pub(super) struct Draft<K: Keys> {
    keys: K,
    backend: Backend,
    mark: Option<Mark>,
}

impl<K: Keys> Draft<K> {
    /// Marks the file, before there is anything of it.
    pub(super) async fn begin(
        marks: &Marks,
        keys: K,
        backend: Backend,
        dataset: &DatasetId,
        file: FileId,
    ) -> Result<Self, LoadError> {
        let mark = Some(marks.mark(dataset, file).await.map_err(LoadError::Spool)?);
        Ok(Self { keys, backend, mark })
    }

    /// A table may name it from here on: what is to become of it is said by [`Pending::named`] or [`Pending::discard`];
    /// if neither is, the next start finds out.
    pub(super) fn pending(mut self) -> Pending<K> {
        Pending { keys: self.keys.clone(), backend: self.backend.clone(), mark: self.mark.take() }
    }

    /// No table names it.
    pub(super) async fn discard(self) {
        self.pending().discard().await;
    }
}

/// A file that a table may name.
#[derive(Debug)]
pub(super) struct Pending<K> {
    keys: K,
    backend: Backend,
    mark: Option<Mark>,
}

impl<K: Keys> Pending<K> {
    /// A table names it, for good.
    pub(super) fn named(self) {
        if let Some(mark) = self.mark {
            mark.remove();
        }
    }

    /// No table names it after all.
    pub(super) async fn discard(self) {
        if let Some(mark) = self.mark {
            undo(&self.keys, &self.backend, mark).await;
        }
    }
}

impl<K: Keys> Drop for Draft<K> {
    fn drop(&mut self) {
        let Some(mark) = self.mark.take() else { return };
        let (keys, backend) = (self.keys.clone(), self.backend.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { undo(&keys, &backend, mark).await });
        }
    }
}

fn left_over(what: &'static str, dataset: &DatasetId, file: FileId, error: &(dyn Error + 'static)) {
    metrics::counter!("octroi_table_leftovers_total", "what" => what).increment(1);
    tracing::error!(what, %dataset, %file, error, "a table's file that nothing names was left behind");
}

const ATTEMPTS: u32 = 3;

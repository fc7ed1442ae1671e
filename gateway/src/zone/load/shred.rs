//! Undoing: a file's keys are destroyed first, which is what makes it unreadable; then it goes.

use std::{error::Error, time::Duration};

use octroi_proto::{DatasetId, FileId};
use tokio::{runtime::Handle, time};

use super::Keys;
use crate::object::Backend;

/// Destroys a file's keys and deletes it, as far as that can be done now. What is left is counted and logged; nothing
/// names it any more.
pub(super) async fn shred<K: Keys>(keys: &K, backend: &Backend, dataset: &DatasetId, file: FileId) {
    let mut pause = Duration::from_millis(100);
    for attempt in 1..=ATTEMPTS {
        match keys.destroy(dataset, file).await {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS => left_over("keys", dataset, file, &error),
            Err(_) => time::sleep(pause).await,
        }
        pause *= 2;
    }
    if let Err(error) = backend.delete_file(&file.path(dataset)).await {
        left_over("bytes", dataset, file, &error);
    }
}

/// A file that no table names yet. Dropped, it is shredded.
#[derive(Debug)]
pub(super) struct Draft<K: Keys> {
    keys: K,
    backend: Backend,
    dataset: DatasetId,
    file: FileId,
    keep: bool,
}

impl<K: Keys> Draft<K> {
    pub(super) fn new(keys: K, backend: Backend, dataset: &DatasetId, file: FileId) -> Self {
        Self { keys, backend, dataset: dataset.clone(), file, keep: false }
    }

    /// From here on a table may name it: dropping it does nothing.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }

    /// No table names it after all.
    pub(super) async fn discard(mut self) {
        self.keep = true;
        shred(&self.keys, &self.backend, &self.dataset, self.file).await;
    }
}

impl<K: Keys> Drop for Draft<K> {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let (keys, backend, dataset, file) = (self.keys.clone(), self.backend.clone(), self.dataset.clone(), self.file);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { shred(&keys, &backend, &dataset, file).await });
        }
    }
}

fn left_over(what: &'static str, dataset: &DatasetId, file: FileId, error: &(dyn Error + 'static)) {
    metrics::counter!("octroi_table_leftovers_total", "what" => what).increment(1);
    tracing::error!(what, %dataset, %file, error, "a table's file that nothing names was left behind");
}

const ATTEMPTS: u32 = 3;

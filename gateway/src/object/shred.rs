//! Undoing: an object version's key is destroyed first, which is what makes its bytes unreadable; then they go.

use std::time::Duration;

use octroi_proto::ObjectVersion;
use tokio::{runtime::Handle, time};

use super::Backend;
use crate::keys;

/// Destroys a version's key and deletes its bytes, as far as that can be done now. What is left is counted and
/// logged; nothing names it any more.
pub(super) async fn shred(keys: &keys::Client, backend: &Backend, at: &ObjectVersion) {
    let mut pause = Duration::from_millis(100);
    for attempt in 1..=ATTEMPTS {
        match keys.destroy(at).await {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS => left_over("key", at, &error),
            Err(_) => time::sleep(pause).await,
        }
        pause *= 2;
    }
    if let Err(error) = backend.delete(at).await {
        left_over("bytes", at, &error);
    }
}

/// An object version that no one has named yet. Dropped, it is shredded.
#[derive(Debug)]
pub(super) struct Draft {
    keys: keys::Client,
    backend: Backend,
    at: ObjectVersion,
    keep: bool,
}

impl Draft {
    pub(super) fn new(keys: keys::Client, backend: Backend, at: ObjectVersion) -> Self {
        Self { keys, backend, at, keep: false }
    }

    /// From here on it may have a name: dropping it does nothing.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }

    /// It has no name after all.
    pub(super) async fn discard(mut self) {
        self.keep = true;
        shred(&self.keys, &self.backend, &self.at).await;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let (keys, backend, at) = (self.keys.clone(), self.backend.clone(), self.at.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { shred(&keys, &backend, &at).await });
        }
    }
}

fn left_over(what: &'static str, at: &ObjectVersion, error: &(dyn std::error::Error + 'static)) {
    metrics::counter!("octroi_object_leftovers_total", "what" => what).increment(1);
    tracing::error!(what, uuid = %at.uuid, version_id = %at.version_id, error, "a version that nothing names was left behind");
}

const ATTEMPTS: u32 = 3;

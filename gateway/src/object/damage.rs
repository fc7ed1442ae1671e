//! Stored bytes that are not what was sealed: said once for each version, so that strangers who ask for a damaged
//! object again and again cannot fill the evidence.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use octroi_proto::{
    StoredObject,
    wire::v1::{self, entry},
};
use uuid::Uuid;

use super::{Register, fetch::record_later};
use crate::authorise::Decided;

/// What was found damaged since the gateway started.
#[derive(Debug, Default)]
pub(super) struct Damage(Mutex<HashSet<Uuid>>);

impl Damage {
    /// Says in the evidence, to the metrics and in the log that a version is damaged, the first time that it is seen.
    pub(super) fn report<R: Register>(&self, register: &R, decided: &Decided, object: &StoredObject) {
        metrics::counter!("octroi_object_integrity_failures_total").increment(1);
        if !self.is_news(object.at.version_id) {
            return;
        }
        tracing::error!(uuid = %object.at.uuid, version_id = %object.at.version_id, "stored bytes fail authentication");
        let failure = v1::IntegrityFailure {
            dataset: object.at.dataset.to_string(),
            key: object.key.to_string(),
            version: object.version,
        };
        record_later(register, decided, entry::Record::IntegrityFailure(failure));
    }

    fn is_news(&self, version_id: Uuid) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < MOST && known.insert(version_id)
    }
}

/// Versions reported until the next start, at most: whoever damages more has damaged the store.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_news_once() {
        let damage = Damage::default();
        let [one, other] = [1, 2].map(|byte| Uuid::from_bytes([byte; 16]));
        assert!(damage.is_news(one) && damage.is_news(other));
        assert!(!damage.is_news(one));
    }
}

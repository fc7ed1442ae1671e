//! An entry before it has its place in the log.

use octroi_proto::{Instant, wire::v1};

use crate::authorise::Decided;

/// What is to be recorded: everything of an entry but its sequence and its moment.
#[derive(Debug, Clone)]
pub struct Draft {
    actor: v1::Actor,
    action: &'static str,
    policies: Vec<String>,
    reason: String,
    record: v1::entry::Record,
}

impl Draft {
    /// What follows from a decision.
    pub fn decided(decided: &Decided, record: v1::entry::Record) -> Self {
        Self {
            actor: decided.actor.clone(),
            action: decided.action,
            policies: decided.policies.clone(),
            reason: decided.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            record,
        }
    }

    /// What the gateway does of its own accord; no policy decides it.
    pub fn gateway(action: &'static str, record: v1::entry::Record) -> Self {
        let actor = v1::Actor { credential: "gateway".to_owned(), ..v1::Actor::default() };
        Self { actor, action, policies: Vec::new(), reason: String::new(), record }
    }

    /// What stands once this is recorded.
    pub fn record(&self) -> &v1::entry::Record {
        &self.record
    }

    /// The entry at its place.
    pub fn into_entry(self, sequence: u64, at: Instant) -> v1::Entry {
        v1::Entry {
            sequence,
            at: Some(octroi_proto::time::to_wire(at)),
            actor: Some(self.actor),
            action: self.action.to_owned(),
            policies: self.policies,
            reason: self.reason,
            record: Some(self.record),
        }
    }
}

//! Anonymous and unauthenticated traffic, counted, so that strangers cannot fill the disk: one entry a minute,
//! whatever they do.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use octroi_proto::{Instant, wire::v1};

use super::Draft;

/// How a counted request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was answered.
    Allowed,
    /// The policy refused it.
    Refused,
    /// Its credential was no good.
    Unauthenticated,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Unauthenticated => "unauthenticated",
        })
    }
}

/// Counts of the minute that runs.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    from: Option<Instant>,
    requests: BTreeMap<(&'static str, Outcome), u64>,
}

impl Tally {
    /// Counts one request. Actions are compiled in, so their number is bounded; past [`MOST`] pairs the rest is
    /// counted as `Other`.
    pub fn count(&self, action: &'static str, outcome: Outcome, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.from.get_or_insert(now);
        let known = counts.requests.len() < MOST || counts.requests.contains_key(&(action, outcome));
        let key = (if known { action } else { "Other" }, outcome);
        let count = counts.requests.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// What was counted since the last time, if anything was; counting begins anew.
    pub fn flush(&self) -> Option<Draft> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let from = counts.from?;
        let requests = counts.requests.into_iter().map(|((action, outcome), n)| (format!("{action} {outcome}"), n));
        let traffic = v1::Traffic { from: Some(octroi_proto::time::to_wire(from)), requests: requests.collect() };
        Some(Draft::gateway("Count", v1::entry::Record::Traffic(traffic)))
    }
}

/// The most pairs of action and outcome kept apart.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_one_entry() {
        let at = Instant::from_second(1_790_000_000).unwrap();
        let tally = Tally::default();
        assert!(tally.flush().is_none());
        tally.count("ReadMetadata", Outcome::Allowed, at);
        tally.count("ReadMetadata", Outcome::Allowed, at);
        tally.count("FetchObject", Outcome::Refused, at);
        let draft = tally.flush().unwrap();
        let v1::entry::Record::Traffic(traffic) = draft.record() else { panic!("{draft:?}") };
        let counted: Vec<_> = traffic.requests.iter().map(|(key, n)| (key.as_str(), *n)).collect();
        assert_eq!(counted, [("FetchObject refused", 1), ("ReadMetadata allowed", 2)]);
        assert_eq!(traffic.from.unwrap().seconds, 1_790_000_000);
        assert!(tally.flush().is_none());
    }

    #[test]
    fn the_number_of_kinds_is_bounded() {
        let at = Instant::from_second(0).unwrap();
        let tally = Tally::default();
        for n in 0..2_000 {
            tally.count(Box::leak(format!("Action{n}").into_boxed_str()), Outcome::Allowed, at);
        }
        let counts = tally.0.lock().unwrap();
        assert!(counts.requests.len() <= MOST + 3);
        assert_eq!(counts.requests.values().sum::<u64>(), 2_000);
    }
}

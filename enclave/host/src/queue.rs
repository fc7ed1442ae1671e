//! Who is next: organisations take turns, each in the order in which its own requests came.
//!
//! Pure; [`Turns`] wakes those whose turn it is. Bounded in total and per organisation, so that whoever asks a great
//! deal fills its own line and nobody else's. Does not give: an order among an organisation's own people.

mod turns;

use std::collections::{BTreeMap, VecDeque};

use octroi_proto::OrganisationId;

pub use turns::{Turn, Turns};

/// How many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// In all.
    pub total: usize,
    /// Of one organisation.
    pub per_organisation: usize,
}

/// As many wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many wait for a zone as may")]
pub struct QueueFull;

/// Those who wait, by organisation.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// No line is empty.
    lines: BTreeMap<OrganisationId, VecDeque<T>>,
    /// The organisations that have a line, the next one first.
    order: VecDeque<OrganisationId>,
    waiting: usize,
    bounds: Bounds,
}

impl<T> Queue<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { lines: BTreeMap::new(), order: VecDeque::new(), waiting: 0, bounds }
    }

    /// Joins the organisation's line at its end.
    pub(crate) fn join(&mut self, organisation: &OrganisationId, who: T) -> Result<(), QueueFull> {
        let line = self.lines.get(organisation).map_or(0, VecDeque::len);
        if self.waiting >= self.bounds.total || line >= self.bounds.per_organisation {
            return Err(QueueFull);
        }
        if line == 0 {
            self.order.push_back(organisation.clone());
        }
        self.lines.entry(organisation.clone()).or_default().push_back(who);
        self.waiting += 1;
        Ok(())
    }

    /// The first of the organisation whose turn it is, which then goes behind all others that wait.
    pub(crate) fn next(&mut self) -> Option<T> {
        let organisation = self.order.pop_front()?;
        let line = self.lines.get_mut(&organisation)?;
        let who = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&organisation);
        } else {
            self.order.push_back(organisation);
        }
        self.waiting = self.waiting.saturating_sub(1);
        who
    }

    /// Leaves the line before it is its turn; whether it was in it.
    pub(crate) fn leave(&mut self, organisation: &OrganisationId, is_me: impl Fn(&T) -> bool) -> bool {
        let Some(line) = self.lines.get_mut(organisation) else { return false };
        let Some(place) = line.iter().position(is_me) else { return false };
        line.remove(place);
        if line.is_empty() {
            self.lines.remove(organisation);
            self.order.retain(|other| other != organisation);
        }
        self.waiting = self.waiting.saturating_sub(1);
        true
    }
}

#[cfg(test)]
mod tests;

//! Shares: how much of the station one organisation may take up.
//!
//! A question has its share from its admission to its verdict, so before its tables are packed, while it waits for a zone
//! and while it has one. Bounded like the zone host's own queue, it refuses at once whom that would refuse in the end,
//! before anything was spent on it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use octroi_proto::OrganisationId;

/// The shares that are taken.
#[derive(Debug)]
pub(super) struct Shares {
    /// Of one organisation.
    most: usize,
    taken: Mutex<HashMap<OrganisationId, usize>>,
}

/// One question's. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Share<'a> {
    shares: &'a Shares,
    organisation: OrganisationId,
}

impl Shares {
    /// So many for each organisation.
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// A share, if the organisation has one left.
    pub(super) fn take(&self, organisation: OrganisationId) -> Option<Share<'_>> {
        let mut taken = self.lock();
        let count = taken.get(&organisation).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        taken.insert(organisation.clone(), count + 1);
        drop(taken);
        Some(Share { shares: self, organisation })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrganisationId, usize>> {
        // Whoever panicked did so outside these few lines, none of which leaves a count half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        match taken.get_mut(&self.organisation) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                taken.remove(&self.organisation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organisation_has_its_own_and_gets_them_back() {
        let shares = Shares::new(2);
        let of = |name: &str| shares.take(name.parse().unwrap());
        let held = [of("aaa").unwrap(), of("aaa").unwrap()];
        assert!(of("aaa").is_none());
        assert!(of("bbb").is_some());
        drop(held);
        assert!(shares.lock().is_empty(), "nothing is kept of those who have left");
        assert!(of("aaa").is_some());
    }
}

//! How fast requests may come from one address: a harvester that asks too fast is told when to ask again.

use std::{fmt, net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};

use super::seats::neighbourhood;

/// The pace of one listener.
pub struct Pace(RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>);

/// Requests came too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many requests came from your address: wait as long as `retry-after` says (setting `limits.requests_per_second`)"
)]
pub struct TooFast {
    /// How long to wait.
    pub wait: Duration,
}

impl Pace {
    /// So many requests a second from each address, and four times as many at once.
    pub fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = per_second.saturating_mul(BURST);
        Self(RateLimiter::hashmap(Quota::per_second(per_second).allow_burst(burst)))
    }

    /// Leave for one request.
    ///
    /// # Errors
    /// [`TooFast`] with how long to wait.
    pub(super) fn step(&self, address: IpAddr) -> Result<(), TooFast> {
        if self.0.len() >= MOST_ADDRESSES {
            // Who has kept to the pace is as good as new.
            self.0.retain_recent();
        }
        let check = self.0.check_key(&neighbourhood(address));
        check.map_err(|until| TooFast { wait: until.wait_time_from(DefaultClock::default().now()) })
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").finish_non_exhaustive()
    }
}

/// How many seconds' requests may come at once: a page and all that is on it.
const BURST: NonZeroU32 = const { NonZeroU32::new(4).unwrap() };
/// Addresses remembered before those that have kept to the pace are forgotten.
const MOST_ADDRESSES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_pace() {
        let pace = Pace::new(1);
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..4 {
            assert_eq!(pace.step(one), Ok(()));
        }
        let refused = pace.step(one).unwrap_err();
        assert!(refused.wait > Duration::ZERO && refused.wait <= Duration::from_secs(1));
        assert_eq!(pace.step(other), Ok(()));
        assert_eq!(pace.step("2001:db8::1".parse().unwrap()), Ok(()));
    }
}

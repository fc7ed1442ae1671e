//! Release ticks: answers leave at multiples of one interval, so that when one leaves says little of how long it took.

use std::time::Duration;

use tokio::time::{self, Instant};

/// Moments at which answers leave.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    from: Instant,
    every: Duration,
}

impl Ticks {
    /// Ticks from now on, this far apart.
    pub fn every(every: Duration) -> Self {
        Self { from: Instant::now(), every: every.max(SHORTEST) }
    }

    /// Waits for the next tick.
    pub async fn next(&self) {
        time::sleep(self.wait(self.from.elapsed())).await;
    }

    /// How long until the tick after this moment; never nothing, so that what ends on a tick waits like all else.
    fn wait(&self, since: Duration) -> Duration {
        let every = self.every.as_nanos();
        let into = since.as_nanos() % every;
        Duration::from_nanos(u64::try_from(every - into).unwrap_or(u64::MAX))
    }
}

const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_ends_leaves_at_the_next_multiple(every in 1_u64..10_000, since in 0_u64..1_000_000_000) {
            let ticks = Ticks { from: Instant::now(), every: Duration::from_millis(every) };
            let since = Duration::from_micros(since);
            let wait = ticks.wait(since);
            prop_assert!(wait > Duration::ZERO && wait <= ticks.every);
            prop_assert_eq!((since + wait).as_nanos() % ticks.every.as_nanos(), 0);
        }
    }

    #[tokio::test]
    async fn what_ends_at_different_moments_leaves_together() {
        let ticks = Ticks::every(Duration::from_millis(500));
        let leave = |after: u64| async move {
            time::sleep(Duration::from_millis(after)).await;
            ticks.next().await;
            ticks.from.elapsed().as_millis() / 500
        };
        let left = futures::future::join_all([1, 170, 300, 510].map(leave)).await;
        assert_eq!(left, [1, 1, 1, 2]);
    }
}

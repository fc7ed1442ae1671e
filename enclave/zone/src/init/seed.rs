//! What makes a clone unlike all others.

use std::{fs::File, io, time::Duration};

use octroi_proto::wire::zone as wire;
use zeroize::Zeroizing;

use crate::sys;

/// A clone's own randomness, and the time it woke up at.
pub(super) struct Seed {
    entropy: Zeroizing<[u8; sys::SEED]>,
    since_1970: Duration,
}

/// Why a clone has no seed; it must not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeedError {
    /// The first message is another.
    #[error("the host's first message must be a seed")]
    Missing,
    /// Too little, or no time.
    #[error("a seed is 64 bytes and a time after 1970")]
    Malformed,
    /// The kernel does not take it.
    #[error("the kernel does not take the seed")]
    Refused(#[source] io::Error),
}

impl Seed {
    /// Parses what the host sent.
    pub(super) fn parse(wire: &wire::Seed) -> Result<Self, SeedError> {
        let entropy = <[u8; sys::SEED]>::try_from(wire.entropy.as_slice()).map_err(|_| SeedError::Malformed)?;
        let now = wire.now.ok_or(SeedError::Malformed)?;
        let seconds = u64::try_from(now.seconds).map_err(|_| SeedError::Malformed)?;
        let nanoseconds = u32::try_from(now.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
        let since_1970 = Duration::new(seconds, nanoseconds.ok_or(SeedError::Malformed)?);
        Ok(Self { entropy: Zeroizing::new(entropy), since_1970 })
    }

    /// Gives it to the kernel.
    pub(super) fn plant(&self) -> Result<(), SeedError> {
        let random = File::options().write(true).open("/dev/random").map_err(SeedError::Refused)?;
        sys::reseed(&random, &self.entropy).map_err(SeedError::Refused)?;
        sys::set_wall_clock(self.since_1970).map_err(SeedError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use octroi_proto::{Instant, time};

    use super::*;

    fn seed(bytes: usize, seconds: i64, nanos: i32) -> Result<Seed, SeedError> {
        let mut now = time::to_wire(Instant::UNIX_EPOCH);
        (now.seconds, now.nanos) = (seconds, nanos);
        Seed::parse(&wire::Seed { entropy: vec![7; bytes], now: Some(now) })
    }

    #[test]
    fn a_seed_is_whole_or_none() {
        assert_eq!(seed(64, 1_700_000_000, 5).unwrap().since_1970, Duration::new(1_700_000_000, 5));
        for (bytes, seconds, nanos) in
            [(0, 1, 0), (63, 1, 0), (65, 1, 0), (64, -1, 0), (64, 1, -1), (64, 1, 1_000_000_000)]
        {
            assert!(seed(bytes, seconds, nanos).is_err(), "{bytes} {seconds} {nanos}");
        }
        assert!(Seed::parse(&wire::Seed { entropy: vec![7; 64], now: None }).is_err());
    }
}

//! Numbers with a unit and limits; the limits are part of the type, and a default outside them does not compile.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A number outside its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be between {least} and {most} {unit}")]
pub struct OutOfLimit {
    /// The least allowed.
    pub least: u64,
    /// The most allowed.
    pub most: u64,
    /// Of what.
    pub unit: &'static str,
}

macro_rules! limited {
    ($(#[$doc:meta])* $name:ident in $unit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name<const LEAST: u64, const MOST: u64>(u64);

        impl<const LEAST: u64, const MOST: u64> $name<LEAST, MOST> {
            /// A constant; outside the limits it does not compile.
            pub(crate) const fn of(value: u64) -> Self {
                assert!(LEAST <= value && value <= MOST);
                Self(value)
            }

            /// A value within the limits.
            ///
            /// # Errors
            /// [`OutOfLimit`] when it is not.
            pub fn new(value: u64) -> Result<Self, OutOfLimit> {
                if (LEAST..=MOST).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(OutOfLimit { least: LEAST, most: MOST, unit: $unit })
                }
            }
        }

        impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for $name<LEAST, MOST> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = i64::deserialize(deserializer)?;
                let refused = || de::Error::custom(OutOfLimit { least: LEAST, most: MOST, unit: $unit });
                u64::try_from(value).ok().and_then(|value| Self::new(value).ok()).ok_or_else(refused)
            }
        }
    };
}

limited! {
    /// A size.
    Bytes in "bytes"
}
limited! {
    /// A number of things.
    Count in "in number"
}
limited! {
    /// A length of time.
    Seconds in "seconds"
}
limited! {
    /// A length of time.
    Milliseconds in "milliseconds"
}
limited! {
    /// A length of time.
    Days in "days"
}

impl<const LEAST: u64, const MOST: u64> Bytes<LEAST, MOST> {
    /// The size.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The size, for memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The size, for formats that count in 32 bits.
    pub fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl<const LEAST: u64, const MOST: u64> Count<LEAST, MOST> {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number, for memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The number, for protocols that count in 32 bits.
    pub fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl<const LEAST: u64, const MOST: u64> Seconds<LEAST, MOST> {
    /// The time.
    pub fn get(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl<const LEAST: u64, const MOST: u64> Milliseconds<LEAST, MOST> {
    /// The time.
    pub fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<const LEAST: u64, const MOST: u64> Days<LEAST, MOST> {
    /// The time.
    pub fn get(self) -> Duration {
        Duration::from_secs(self.0 * 86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_their_edges() {
        assert!(Seconds::<1, 60>::new(1).is_ok() && Seconds::<1, 60>::new(60).is_ok());
        assert!(Seconds::<1, 60>::new(0).is_err());
        let refused = Seconds::<1, 60>::new(61).unwrap_err();
        assert_eq!(refused.to_string(), "must be between 1 and 60 seconds");
    }
}

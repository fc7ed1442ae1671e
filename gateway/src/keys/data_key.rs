//! The key of one object version, and the suites it may be used with.

use std::fmt;

use ring::hkdf;
use secrecy::{ExposeSecret as _, SecretBox};

/// The key of one object version: 256 random bits. It gives out nothing but keys derived from it.
pub struct DataKey {
    key: SecretBox<[u8; 32]>,
    suites: Suites,
}

/// A way of sealing. Never inferred from the sealed bytes alone: a [`DataKey`] says which ones it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// Suite 1: HKDF-SHA-256, HMAC-SHA-256, AES-256-GCM in chunks.
    Aes256Gcm,
}

/// A set of suites by number; numbers this build does not know are kept but match no [`Suite`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suites(u32);

impl DataKey {
    pub(crate) fn new(key: SecretBox<[u8; 32]>, suites: Suites) -> Self {
        Self { key, suites }
    }

    /// The suites that it may be used with.
    pub fn suites(&self) -> Suites {
        self.suites
    }

    /// HKDF-Extract (RFC 5869) over the key.
    pub(crate) fn extract(&self, salt: &[u8; 32]) -> hkdf::Prk {
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.key.expose_secret())
    }

    /// The bytes, for the one message that carries them from `octroi keys` to `octroi serve`.
    pub(in crate::keys) fn expose(&self) -> &[u8; 32] {
        self.key.expose_secret()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("suites", &self.suites).finish_non_exhaustive()
    }
}

impl Suite {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Aes256Gcm];

    /// Its number in headers and on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::Aes256Gcm => 1,
        }
    }

    /// The suite of this number.
    pub fn of(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|suite| suite.number() == number)
    }
}

impl Suites {
    /// What a new key allows.
    pub const CURRENT: Self = Self(1 << 1);

    /// Whether it holds this one.
    pub fn allow(self, suite: Suite) -> bool {
        self.0 & (1 << suite.number()) != 0
    }

    /// The set as bits: bit n stands for suite n.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// The set that these bits stand for.
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The numbers in the set, rising.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..u32::BITS).filter(move |number| self.0 & (1 << number) != 0)
    }

    /// The set of these numbers; those of 32 and above are left out.
    pub fn from_numbers(numbers: impl IntoIterator<Item = u32>) -> Self {
        Self(numbers.into_iter().filter(|number| *number < u32::BITS).fold(0, |bits, number| bits | 1 << number))
    }
}

#[cfg(test)]
impl DataKey {
    pub(crate) fn for_test(byte: u8) -> Self {
        Self::new(SecretBox::new(Box::new([byte; 32])), Suites::CURRENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_survive_the_wire_and_unknown_ones_allow_nothing() {
        assert_eq!(Suites::from_numbers(Suites::CURRENT.numbers()), Suites::CURRENT);
        assert!(Suites::CURRENT.allow(Suite::Aes256Gcm));
        assert!(!Suites::from_numbers([0, 2, 31, 32, 4_000]).allow(Suite::Aes256Gcm));
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", DataKey::for_test(0xAB)).to_lowercase().contains("ab, ab"));
        assert!(!format!("{:?}", DataKey::for_test(171)).contains("171"));
    }
}

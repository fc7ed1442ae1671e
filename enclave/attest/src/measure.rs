//! Measurements: a SHA-256 over the named parts that an image is made of.
//!
//! ```text
//! Parts: (name, digest or text), in order --canonical encoding--> SHA-256 = Measurement
//! ```
//!
//! The listing is published beside its measurement, so that whoever builds the same parts can compute the same one.
//! Trusts whoever measured. Does not give: what a part does.

use std::{fmt, io, str::FromStr};

use octroi_proto::wire::zone as wire;
use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};

/// SHA-256 over what was launched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Measurement([u8; 32]);

/// What is no measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a SHA-256: 32 bytes, or 64 hexadecimal digits")]
pub struct InvalidMeasurement;

/// What an image is made of, in the order measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    value: String,
}

/// Why parts are no listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// A name that is none.
    #[error("a part's name must be 1-63 of a-z, 0-9, `.`, `_` and `-`")]
    Name,
    /// Two parts of one name.
    #[error("each part must have a name of its own")]
    Twice,
    /// Too much of it.
    #[error("an image must have at most {MOST_PARTS} parts, and each at most {MOST_BYTES} bytes of text")]
    TooMany,
}

impl Measurement {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Measures bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finished(digest(&SHA256, bytes))
    }

    /// Measures all that a reader gives.
    ///
    /// # Errors
    /// The reader's.
    pub fn of_reader(reader: &mut impl io::Read) -> io::Result<Self> {
        let mut context = Context::new(&SHA256);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Self::finished(context.finish())),
                Ok(length) => context.update(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn finished(digest: ring::digest::Digest) -> Self {
        // INVARIANT: a SHA-256 has 32 bytes.
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl Parts {
    /// No parts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part by its measurement.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn push_measured(&mut self, name: &str, measured: Measurement) -> Result<(), PartsError> {
        self.push_text(name, &measured.to_string())
    }

    /// Adds a part that is the text itself: a command line, arguments, a profile.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn push_text(&mut self, name: &str, text: &str) -> Result<(), PartsError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=63).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(PartsError::Name);
        }
        if self.has(name) {
            return Err(PartsError::Twice);
        }
        if self.0.len() >= MOST_PARTS || text.len() > MOST_BYTES {
            return Err(PartsError::TooMany);
        }
        self.0.push(Part { name: name.to_owned(), value: text.to_owned() });
        Ok(())
    }

    /// Name and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|part| (part.name.as_str(), part.value.as_str()))
    }

    /// Whether the image is for benchmarks and never for data: it has a part named `bench`.
    pub fn are_for_benchmarks(&self) -> bool {
        self.has("bench")
    }

    /// The image's measurement: SHA-256 of `octroi image v1\0`, then of each part its name and its value, either after
    /// its length as a little-endian `u32`.
    pub fn measurement(&self) -> Measurement {
        let mut bytes = b"octroi image v1\0".to_vec();
        for text in self.iter().flat_map(|(name, value)| [name, value]) {
            // INVARIANT: at most MOST_BYTES.
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Measurement::of(&bytes)
    }

    /// A listing from the wire.
    ///
    /// # Errors
    /// [`PartsError`].
    pub fn parse(wire: &[wire::Part]) -> Result<Self, PartsError> {
        let mut parts = Self::new();
        wire.iter().try_for_each(|part| parts.push_text(&part.name, &part.value))?;
        Ok(parts)
    }

    /// As it is written on the wire.
    pub fn to_wire(&self) -> Vec<wire::Part> {
        self.iter().map(|(name, value)| wire::Part { name: name.to_owned(), value: value.to_owned() }).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|part| part.name == name)
    }
}

impl From<[u8; 32]> for Measurement {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Measurement {
    type Error = InvalidMeasurement;
    fn try_from(bytes: &[u8]) -> Result<Self, InvalidMeasurement> {
        bytes.try_into().map(Self).map_err(|_| InvalidMeasurement)
    }
}

impl FromStr for Measurement {
    type Err = InvalidMeasurement;
    fn from_str(digits: &str) -> Result<Self, InvalidMeasurement> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidMeasurement)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Measurement {
    type Error = InvalidMeasurement;
    fn try_from(digits: String) -> Result<Self, InvalidMeasurement> {
        digits.parse()
    }
}

impl From<Measurement> for String {
    fn from(measurement: Measurement) -> Self {
        measurement.to_string()
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Measurement({self})")
    }
}

const MOST_PARTS: usize = 256;
const MOST_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_measurement_is_computed_by_anyone_from_the_listing() {
        let mut parts = Parts::new();
        parts.push_text("cmdline", "quiet").unwrap();
        parts.push_measured("kernel", Measurement::of(b"abc")).unwrap();
        // Computed with Python's hashlib and struct.
        assert_eq!(
            parts.iter().last(),
            Some(("kernel", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        );
        assert_eq!(parts.measurement().to_string(), "37f5f17030348a34bf71ebf5973d1cbd8c7df3a1d74ab7e0be76a8cbbfc393fe");
    }

    #[test]
    fn names_are_plain_and_each_is_used_once() {
        let mut parts = Parts::new();
        for bad in ["", "Kernel", "ke rnel", &"k".repeat(64)] {
            assert_eq!(parts.push_text(bad, ""), Err(PartsError::Name), "{bad}");
        }
        assert_eq!(parts.push_text("kernel", &"k".repeat(MOST_BYTES + 1)), Err(PartsError::TooMany));
        parts.push_text("kernel", "").unwrap();
        assert_eq!(parts.push_text("kernel", ""), Err(PartsError::Twice));
        assert!(!parts.are_for_benchmarks());
        parts.push_text("bench", "").unwrap();
        assert!(parts.are_for_benchmarks());
    }

    #[test]
    fn a_measurement_reads_what_it_shows_and_nothing_else() {
        let measured = Measurement::of_reader(&mut &b"abc"[..]).unwrap();
        assert_eq!(measured, Measurement::of(b"abc"));
        assert_eq!(measured.to_string().parse(), Ok(measured));
        let shown = measured.to_string();
        for bad in ["", "zz", shown.trim_start_matches('b'), &format!("{shown}0"), &format!(" {shown}")] {
            assert_eq!(bad.parse::<Measurement>(), Err(InvalidMeasurement));
        }
    }

    fn listing() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[a-c]{1,2}", "[a-c]{0,3}"), 0..4)
    }

    fn parts(listing: &[(String, String)]) -> Option<Parts> {
        let mut parts = Parts::new();
        listing.iter().try_for_each(|(name, value)| parts.push_text(name, value)).ok().map(|()| parts)
    }

    proptest! {
        /// Small alphabets, so that a missing length or separator would collide.
        #[test]
        fn different_listings_measure_differently(one in listing(), two in listing()) {
            if let (Some(first), Some(second)) = (parts(&one), parts(&two)) {
                prop_assert_eq!(first.measurement() == second.measurement(), one == two);
                prop_assert_eq!(Parts::parse(&first.to_wire()), Ok(first));
            }
        }
    }
}

//! The header: what a sealed object says of itself, and how that is checked before anything is opened.

use std::{fmt, ops::Range};

use ring::{aead, digest, hkdf, hmac};
use uuid::Uuid;

use super::{ChunkSize, Layout, Opening, Refusal, chunk::ChunkCipher};
use crate::keys::{DataKey, Suite};

/// Bytes of a header.
pub const HEADER_BYTES: usize = AUTHENTICATED_BYTES + 32;

/// The part number of an object that is sealed in one part: all that version 1 knows.
pub const WHOLE: u32 = 0;

/// What a sealed object is: sealed into the header, and named by whoever opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The object's identity.
    pub uuid: Uuid,
    /// The version's identity.
    pub version_id: Uuid,
    /// [`WHOLE`], or from 1 the part of a multipart object (not read yet: refused).
    pub part: u32,
}

/// A header that was read and not yet verified: nothing in it may be relied on.
#[derive(Clone)]
pub struct Header {
    suite: u16,
    chunk: ChunkSize,
    salt: [u8; 32],
    commitment: [u8; 32],
    place: Place,
    mac: [u8; 32],
    encoded: [u8; HEADER_BYTES],
}

/// Bytes that are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Not 148 bytes.
    #[error("it must be {HEADER_BYTES} bytes")]
    Length,
    /// It begins otherwise.
    #[error("it does not begin as sealed objects do")]
    Magic,
    /// Another version of the format.
    #[error("format version {0} is not supported: use a newer octroi")]
    Version(u16),
    /// No chunk size.
    #[error("its chunk size {0}")]
    ChunkSize(#[from] super::InvalidChunkSize),
}

/// A header whose key, MAC and identity were checked: the way to plaintext.
pub struct Verified {
    chunk: ChunkSize,
    cipher: ChunkCipher,
}

impl Header {
    /// Reads a header. Total: any bytes are a header or an error.
    ///
    /// # Errors
    /// [`InvalidHeader`] says what is wrong first.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidHeader> {
        let encoded: [u8; HEADER_BYTES] = bytes.try_into().map_err(|_| InvalidHeader::Length)?;
        let (magic, rest) = field::<8>(&encoded)?;
        if magic != MAGIC {
            return Err(InvalidHeader::Magic);
        }
        let (version, rest) = field(rest)?;
        if u16::from_be_bytes(version) != VERSION {
            return Err(InvalidHeader::Version(u16::from_be_bytes(version)));
        }
        let (suite, rest) = field(rest)?;
        let (chunk, rest) = field(rest)?;
        let chunk = ChunkSize::new(u32::from_be_bytes(chunk))?;
        let (salt, rest) = field(rest)?;
        let (commitment, rest) = field(rest)?;
        let (uuid, rest) = field(rest)?;
        let (version_id, rest) = field(rest)?;
        let (part, rest) = field(rest)?;
        let (mac, _) = field(rest)?;
        let place = Place {
            uuid: Uuid::from_bytes(uuid),
            version_id: Uuid::from_bytes(version_id),
            part: u32::from_be_bytes(part),
        };
        Ok(Self { suite: u16::from_be_bytes(suite), chunk, salt, commitment, place, mac, encoded })
    }

    /// Checks, in this order: the suite is one that the key allows; the header commits to the key (in constant
    /// time); its MAC; that it is the object, version and part that was asked for.
    ///
    /// # Errors
    /// [`Refusal`] says which check failed first.
    pub fn verify(self, key: &DataKey, place: &Place) -> Result<Verified, Refusal> {
        let suite = Suite::of(self.suite).filter(|suite| key.suites().allow(*suite)).ok_or(Refusal::Suite)?;
        let derived = Derived::new(key, &self.salt, suite, self.place.part).map_err(|_| Refusal::Commitment)?;
        if !derived.commits_to(&self.commitment) {
            return Err(Refusal::Commitment);
        }
        let (authenticated, _) = self.encoded.split_at(AUTHENTICATED_BYTES);
        hmac::verify(&derived.mac, authenticated, &self.mac).map_err(|_| Refusal::Mac)?;
        if self.place != *place {
            return Err(Refusal::Place);
        }
        Ok(Verified { chunk: self.chunk, cipher: derived.cipher(&self.encoded) })
    }
}

impl Verified {
    /// Makes ready to open a range of an object whose plaintext has this length. The length must come from
    /// authenticated data (the register); that the last chunk stands where it says is checked when it is opened.
    ///
    /// # Errors
    /// [`Refusal::Length`] when the range does not lie within the length, or the length in no object.
    pub fn range(self, length: u64, range: &Range<u64>) -> Result<Opening, Refusal> {
        let layout = Layout::new(self.chunk, length).map_err(|_| Refusal::Length)?;
        let span = layout.cover(range).map_err(|_| Refusal::Length)?;
        Ok(Opening::new(self.cipher, layout, span))
    }

    /// The layout of an object of this length sealed under this header.
    ///
    /// # Errors
    /// [`Refusal::Length`] when no object has this length.
    pub fn layout(&self, length: u64) -> Result<Layout, Refusal> {
        Layout::new(self.chunk, length).map_err(|_| Refusal::Length)
    }
}

/// A new header and the cipher for the chunks under it.
pub(super) fn compose(
    key: &DataKey,
    place: &Place,
    chunk: ChunkSize,
    salt: &[u8; 32],
) -> Result<([u8; HEADER_BYTES], ChunkCipher), Refusal> {
    let suite = Suite::Aes256Gcm;
    if !key.suites().allow(suite) {
        return Err(Refusal::Suite);
    }
    let derived = Derived::new(key, salt, suite, place.part).map_err(|_| Refusal::Commitment)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&suite.number().to_be_bytes());
    bytes.extend_from_slice(&chunk.bytes().to_be_bytes());
    bytes.extend_from_slice(salt);
    bytes.extend_from_slice(&derived.commitment);
    bytes.extend_from_slice(place.uuid.as_bytes());
    bytes.extend_from_slice(place.version_id.as_bytes());
    bytes.extend_from_slice(&place.part.to_be_bytes());
    let mac = hmac::sign(&derived.mac, &bytes);
    bytes.extend_from_slice(mac.as_ref());
    let encoded: [u8; HEADER_BYTES] = bytes.try_into().map_err(|_| Refusal::Header(InvalidHeader::Length))?;
    let cipher = derived.cipher(&encoded);
    Ok((encoded, cipher))
}

/// What HKDF-SHA-256 (RFC 5869) makes of the data key, the salt, the suite and the part number.
struct Derived {
    encryption: aead::UnboundKey,
    commitment: [u8; 32],
    mac: hmac::Key,
    prefix: [u8; 7],
}

impl Derived {
    fn new(key: &DataKey, salt: &[u8; 32], suite: Suite, part: u32) -> Result<Self, ring::error::Unspecified> {
        let prk = key.extract(salt);
        let (suite, part) = (suite.number().to_be_bytes(), part.to_be_bytes());
        let info = |purpose: &'static [u8]| [INFO, purpose, &suite, &part];
        let mut commitment = [0; 32];
        prk.expand(&info(b"commitment"), Bytes(32))?.fill(&mut commitment)?;
        let mut prefix = [0; 7];
        prk.expand(&info(b"nonce"), Bytes(7))?.fill(&mut prefix)?;
        Ok(Self {
            encryption: prk.expand(&info(b"encryption"), &aead::AES_256_GCM)?.into(),
            commitment,
            mac: prk.expand(&info(b"header-mac"), hmac::HMAC_SHA256)?.into(),
            prefix,
        })
    }

    /// In constant time: equal texts have equal MACs, and ring compares MACs so.
    fn commits_to(&self, commitment: &[u8; 32]) -> bool {
        hmac::verify(&self.mac, commitment, hmac::sign(&self.mac, &self.commitment).as_ref()).is_ok()
    }

    fn cipher(self, header: &[u8; HEADER_BYTES]) -> ChunkCipher {
        let mut header_digest = [0; 32];
        header_digest.copy_from_slice(digest::digest(&digest::SHA256, header).as_ref());
        ChunkCipher::new(self.encryption, self.prefix, header_digest)
    }
}

struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("suite", &self.suite).field("place", &self.place).finish_non_exhaustive()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("chunk", &self.chunk).finish_non_exhaustive()
    }
}

fn field<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), InvalidHeader> {
    bytes.split_first_chunk().map(|(field, rest)| (*field, rest)).ok_or(InvalidHeader::Length)
}

/// A byte above 127 and a line feed: bytes that a transfer as text would change.
const MAGIC: [u8; 8] = *b"\x89OCTROI\n";
const VERSION: u16 = 1;
/// Magic, version, suite, chunk size, salt, commitment, two UUIDs, part number.
const AUTHENTICATED_BYTES: usize = 8 + 2 + 2 + 4 + 32 + 32 + 16 + 16 + 4;
const INFO: &[u8] = b"octroi/sealed-object/v1/";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place = Place { uuid: Uuid::from_bytes([1; 16]), version_id: Uuid::from_bytes([2; 16]), part: WHOLE };

    #[test]
    fn a_header_is_148_bytes_and_verifies() {
        let key = DataKey::for_test(7);
        let (header, _) = compose(&key, &PLACE, ChunkSize::DEFAULT, &[3; 32]).unwrap();
        assert_eq!(header.len(), 148);
        Header::parse(&header).unwrap().verify(&key, &PLACE).unwrap();
    }

    #[test]
    fn another_place_or_key_is_refused() {
        let key = DataKey::for_test(7);
        let (header, _) = compose(&key, &PLACE, ChunkSize::DEFAULT, &[3; 32]).unwrap();
        let verify = |key: &DataKey, place: Place| Header::parse(&header).unwrap().verify(key, &place).unwrap_err();
        assert_eq!(verify(&DataKey::for_test(8), PLACE), Refusal::Commitment);
        for place in [
            Place { uuid: Uuid::from_bytes([9; 16]), ..PLACE },
            Place { version_id: Uuid::from_bytes([9; 16]), ..PLACE },
            Place { part: 1, ..PLACE },
        ] {
            assert_eq!(verify(&key, place), Refusal::Place);
        }
        let none = DataKey::new(Box::new([7; 32]).into(), crate::keys::Suites::from_numbers([2]));
        assert_eq!(verify(&none, PLACE), Refusal::Suite);
        assert_eq!(compose(&none, &PLACE, ChunkSize::DEFAULT, &[3; 32]).err(), Some(Refusal::Suite));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Header::parse(&bytes);
        }

        #[test]
        fn bytes_that_begin_well_are_never_verified(tail in proptest::collection::vec(any::<u8>(), 138)) {
            let bytes = [&MAGIC[..], &VERSION.to_be_bytes(), &tail].concat();
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert!(header.verify(&DataKey::for_test(7), &PLACE).is_err());
            }
        }
    }
}

//! One chunk: AES-256-GCM (NIST SP 800-38D) under a nonce that says where it stands.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::Refusal;

/// Seals and opens the chunks of one object. Nonces never repeat under a key: they are the chunk's place, and a
/// key belongs to one salt.
pub(super) struct ChunkCipher {
    key: LessSafeKey,
    prefix: [u8; 7],
    header_digest: [u8; 32],
}

impl ChunkCipher {
    pub(super) fn new(key: UnboundKey, prefix: [u8; 7], header_digest: [u8; 32]) -> Self {
        debug_assert!(key.algorithm() == &AES_256_GCM);
        Self { key: LessSafeKey::new(key), prefix, header_digest }
    }

    /// Seals in place and appends the tag. Fails only beyond AES-GCM's limits, which no chunk size reaches.
    pub(super) fn seal(&self, index: u32, last: bool, chunk: &mut Vec<u8>) -> Result<(), Refusal> {
        let place = place(index, last);
        self.key
            .seal_in_place_append_tag(self.nonce(&place), self.associated(&place), chunk)
            .map_err(|_| Refusal::Chunk { index })
    }

    /// Opens in place; the plaintext's length on success. On failure the buffer holds nothing of use.
    pub(super) fn open(&self, index: u32, last: bool, chunk: &mut [u8]) -> Result<usize, Refusal> {
        let place = place(index, last);
        self.key
            .open_in_place(self.nonce(&place), self.associated(&place), chunk)
            .map(|plaintext| plaintext.len())
            .map_err(|_| Refusal::Chunk { index })
    }

    /// Prefix (7), index (4), last (1).
    fn nonce(&self, place: &[u8; 5]) -> Nonce {
        let mut nonce = [0; 12];
        let (prefix, rest) = nonce.split_at_mut(self.prefix.len());
        prefix.copy_from_slice(&self.prefix);
        rest.copy_from_slice(place);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Header digest (32), index (4), last (1).
    fn associated(&self, place: &[u8; 5]) -> Aad<[u8; 37]> {
        let mut data = [0; 37];
        let (digest, rest) = data.split_at_mut(self.header_digest.len());
        digest.copy_from_slice(&self.header_digest);
        rest.copy_from_slice(place);
        Aad::from(data)
    }
}

/// Index, big-endian, and 1 for the last chunk.
fn place(index: u32, last: bool) -> [u8; 5] {
    let [a, b, c, d] = index.to_be_bytes();
    [a, b, c, d, u8::from(last)]
}

//! From plaintext to sealed chunks.

use std::{fmt, mem};

use bytes::{Buf as _, Bytes};
use zeroize::Zeroize as _;

use super::{ChunkSize, HEADER_BYTES, Place, Refusal, TAG_BYTES, TooLong, chunk::ChunkCipher, header};
use crate::keys::DataKey;

/// Seals one object, a chunk at a time. Holds one chunk of plaintext, erased when it is dropped.
pub struct Sealer {
    cipher: ChunkCipher,
    size: usize,
    pending: Vec<u8>,
    /// Index of the chunk in `pending`; past `u32::MAX` it cannot be sealed.
    index: u64,
}

impl Sealer {
    /// A sealer and the header that comes before its chunks. The salt must be random and never used before under
    /// this key.
    ///
    /// # Errors
    /// [`Refusal::Suite`] when the key allows none that we seal with.
    pub fn begin(
        key: &DataKey,
        place: &Place,
        chunk: ChunkSize,
        salt: &[u8; 32],
    ) -> Result<(Self, [u8; HEADER_BYTES]), Refusal> {
        let (header, cipher) = header::compose(key, place, chunk, salt)?;
        let size = chunk.bytes() as usize;
        Ok((Self { cipher, size, pending: buffer(size), index: 0 }, header))
    }

    /// Takes from `data` until it is empty (`None`) or a chunk is sealed; call again while it returns a chunk.
    ///
    /// # Errors
    /// [`TooLong`] beyond 2^32 chunks.
    pub fn push(&mut self, data: &mut Bytes) -> Result<Option<Bytes>, TooLong> {
        // A full chunk waits until more comes: only then is it known not to be the last.
        if self.pending.len() == self.size && !data.is_empty() {
            return self.seal(false).map(Some);
        }
        let taken = data.split_to(data.len().min(self.size - self.pending.len()));
        self.pending.extend_from_slice(&taken);
        if data.has_remaining() { self.seal(false).map(Some) } else { Ok(None) }
    }

    /// Seals the last chunk.
    ///
    /// # Errors
    /// [`TooLong`] beyond 2^32 chunks.
    pub fn finish(mut self) -> Result<Bytes, TooLong> {
        self.seal(true)
    }

    fn seal(&mut self, last: bool) -> Result<Bytes, TooLong> {
        let index = u32::try_from(self.index).map_err(|_| TooLong)?;
        self.cipher.seal(index, last, &mut self.pending).map_err(|_| TooLong)?;
        self.index += 1;
        let next = if last { Vec::new() } else { buffer(self.size) };
        Ok(mem::replace(&mut self.pending, next).into())
    }
}

/// Room for a chunk and its tag, so that sealing moves no plaintext elsewhere.
fn buffer(size: usize) -> Vec<u8> {
    Vec::with_capacity(size + TAG_BYTES as usize)
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.pending.zeroize();
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("index", &self.index).finish_non_exhaustive()
    }
}

//! Limits of what is sealed.

use super::seal::{ChunkSize, InvalidChunkSize};
use crate::settings;

/// Limits on objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of plaintext one object may have.
    pub max_object_bytes: u64,
    /// Bytes of plaintext to a sealed chunk, of objects stored from now on.
    pub chunk_bytes: ChunkSize,
}

impl TryFrom<&settings::Objects> for Limits {
    type Error = InvalidChunkSize;

    fn try_from(settings: &settings::Objects) -> Result<Self, InvalidChunkSize> {
        let max_object_bytes = settings.max_object_bytes.get();
        Ok(Self { max_object_bytes, chunk_bytes: ChunkSize::new(settings.chunk_bytes.as_u32())? })
    }
}

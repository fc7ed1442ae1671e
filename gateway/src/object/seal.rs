//! The sealed-object format, version 1 (`docs/SEALED-OBJECT.md`): from bytes to sealed chunks and back. Pure: no
//! I/O, no clock, no randomness.
//!
//! ```text
//! seal:  Sealer::begin -> header | push -> chunk, chunk, ... | finish -> last chunk
//! open:  Header::parse -> verify (suite, commitment, MAC, identity) -> Verified -> range -> Opening -> plaintext
//! ```
//!
//! Trusts: the data key, and the plaintext length that the caller takes from the register. Gives no byte of
//! plaintext before the tag of its chunk is verified. Does not hide the length, and does not authenticate who
//! sealed: whoever holds the data key can.

mod chunk;
mod header;
mod layout;
mod opener;
mod sealer;
#[cfg(test)]
mod tamper;

pub use header::{HEADER_BYTES, Header, InvalidHeader, Place, Verified, WHOLE};
pub use layout::{ChunkSize, InvalidChunkSize, Layout, OutOfBounds, Span, TAG_BYTES, TooLong};
pub use opener::Opening;
pub use sealer::Sealer;

/// Why stored bytes are not what was sealed. All of them mean the same to a caller: nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The header is not one.
    #[error("the sealed object's header is malformed: {0}")]
    Header(#[from] InvalidHeader),
    /// The key does not allow the header's suite.
    #[error("the sealed object names a suite that its key does not allow")]
    Suite,
    /// Sealed under another key.
    #[error("the sealed object does not commit to its data key")]
    Commitment,
    /// The header was changed.
    #[error("the sealed object's header fails authentication")]
    Mac,
    /// Another object's, another version's or another part's bytes.
    #[error("the sealed object is not the one that was asked for")]
    Place,
    /// The recorded length is beyond what this chunk size can hold, or the range beyond the length.
    #[error("the sealed object cannot have the recorded length")]
    Length,
    /// A chunk was changed, moved, or is not the last although it should be.
    #[error("chunk {index} of the sealed object fails authentication")]
    Chunk {
        /// Its index, from 0.
        index: u32,
    },
    /// Fewer bytes than the length demands.
    #[error("the sealed object ends too early")]
    Truncated,
    /// More bytes than the length allows.
    #[error("the sealed object has bytes after its end")]
    Surplus,
}

//! From sealed chunks to plaintext.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{Layout, Refusal, Span, chunk::ChunkCipher};

/// Opens a range of one object, a chunk at a time. Holds one sealed chunk.
pub struct Opening {
    cipher: ChunkCipher,
    layout: Layout,
    /// What is still to be opened; `first` is the next chunk.
    span: Span,
    pending: BytesMut,
}

impl Opening {
    pub(super) fn new(cipher: ChunkCipher, layout: Layout, span: Span) -> Self {
        Self { cipher, layout, span, pending: BytesMut::new() }
    }

    /// The bytes of the sealed object that must be pushed, in order, and no others.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Whether everything was opened.
    pub fn is_complete(&self) -> bool {
        self.span.first == self.span.end
    }

    /// Takes from `sealed` until it is empty (`None`) or a chunk is opened; call again while it returns plaintext.
    /// What it returns lies within the range and is authenticated.
    ///
    /// # Errors
    /// [`Refusal`]; nothing of that chunk nor after it comes out.
    pub fn push(&mut self, sealed: &mut Bytes) -> Result<Option<Bytes>, Refusal> {
        if self.is_complete() {
            return if sealed.is_empty() { Ok(None) } else { Err(Refusal::Surplus) };
        }
        let whole = usize::try_from(self.layout.sealed_chunk(self.span.first)).map_err(|_| Refusal::Length)?;
        if self.pending.capacity() == 0 {
            self.pending.reserve(whole);
        }
        let missing = whole.saturating_sub(self.pending.len());
        self.pending.extend_from_slice(&sealed.split_to(sealed.len().min(missing)));
        if self.pending.len() < whole { Ok(None) } else { self.open().map(Some) }
    }

    /// Ends. An object that ends too early is no shorter object: it is an error.
    ///
    /// # Errors
    /// [`Refusal::Truncated`] when not all chunks came.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.is_complete() { Ok(()) } else { Err(Refusal::Truncated) }
    }

    fn open(&mut self) -> Result<Bytes, Refusal> {
        let index = u32::try_from(self.span.first).map_err(|_| Refusal::Length)?;
        let last = self.span.first + 1 == self.layout.chunks();
        let mut chunk = std::mem::take(&mut self.pending);
        let length = self.cipher.open(index, last, &mut chunk)?;
        chunk.truncate(length);
        let skip = usize::try_from(self.span.skip).map_or(length, |skip| skip.min(length));
        let mut plaintext = chunk.freeze().split_off(skip);
        plaintext.truncate(usize::try_from(self.span.take).unwrap_or(usize::MAX));
        self.span.first += 1;
        self.span.skip = 0;
        self.span.take -= plaintext.len() as u64;
        Ok(plaintext)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("span", &self.span).finish_non_exhaustive()
    }
}

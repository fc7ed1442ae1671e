//! Where plaintext lies in a sealed object: arithmetic, and nothing else.

use std::ops::Range;

use super::header::HEADER_BYTES;

/// Bytes of an AES-GCM tag, one after each chunk.
pub const TAG_BYTES: u64 = 16;

/// Bytes of plaintext in each chunk but the last: a power of two from 4 KiB to 1 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSize(u32);

/// A number that is not a chunk size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a power of two from 4096 to 1048576 (bytes)")]
pub struct InvalidChunkSize;

/// More plaintext than 2^32 chunks hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object must fit into 2^32 chunks")]
pub struct TooLong;

/// A range that does not lie within the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range does not lie within the object")]
pub struct OutOfBounds;

/// A sealed object of a known length. An empty object is one empty chunk; every other ends with a chunk that is not
/// empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    chunk: ChunkSize,
    length: u64,
}

/// The chunks that hold a range of plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Index of the first chunk.
    pub first: u64,
    /// Index after the last one; always above `first`.
    pub end: u64,
    /// Their bytes in the sealed object.
    pub sealed: Range<u64>,
    /// Bytes of plaintext in the first chunk before the range.
    pub skip: u64,
    /// Bytes of plaintext in the range.
    pub take: u64,
}

impl ChunkSize {
    /// 64 KiB.
    pub const DEFAULT: Self = Self(64 * 1024);

    /// The chunk size of this many bytes.
    ///
    /// # Errors
    /// [`InvalidChunkSize`] for anything but a power of two from 4 KiB to 1 MiB.
    pub fn new(bytes: u32) -> Result<Self, InvalidChunkSize> {
        let allowed = bytes.is_power_of_two() && (4 * 1024..=1024 * 1024).contains(&bytes);
        if allowed { Ok(Self(bytes)) } else { Err(InvalidChunkSize) }
    }

    /// In bytes.
    pub fn bytes(self) -> u32 {
        self.0
    }

    pub(super) fn sealed_bytes(self) -> u64 {
        u64::from(self.0) + TAG_BYTES
    }
}

impl Layout {
    /// The layout of `length` bytes of plaintext.
    ///
    /// # Errors
    /// [`TooLong`] when it takes more than 2^32 chunks: an index is 32 bits.
    pub fn new(chunk: ChunkSize, length: u64) -> Result<Self, TooLong> {
        let layout = Self { chunk, length };
        if layout.chunks() <= 1 << 32 { Ok(layout) } else { Err(TooLong) }
    }

    /// How many chunks; at least one.
    pub fn chunks(self) -> u64 {
        self.length.div_ceil(u64::from(self.chunk.0)).max(1)
    }

    /// Bytes of the whole sealed object.
    pub fn sealed_length(self) -> u64 {
        HEADER_BYTES as u64 + self.length + self.chunks() * TAG_BYTES
    }

    /// Bytes of this sealed chunk, its tag included.
    pub(super) fn sealed_chunk(self, index: u64) -> u64 {
        let size = u64::from(self.chunk.0);
        self.length.saturating_sub(index * size).min(size) + TAG_BYTES
    }

    /// The chunks that hold this range. The empty range of an empty object is its one chunk, so that it too is
    /// authenticated; any other empty range is out of bounds.
    ///
    /// # Errors
    /// [`OutOfBounds`] when the range does not lie within the object.
    pub fn cover(self, range: &Range<u64>) -> Result<Span, OutOfBounds> {
        if range.end > self.length || (range.is_empty() && (self.length > 0 || range.start > 0)) {
            return Err(OutOfBounds);
        }
        let size = u64::from(self.chunk.0);
        let first = range.start / size;
        let end = range.end.div_ceil(size).max(first + 1);
        let offset = |index: u64| HEADER_BYTES as u64 + index * self.chunk.sealed_bytes();
        Ok(Span {
            first,
            end,
            sealed: offset(first)..offset(end).min(self.sealed_length()),
            skip: range.start - first * size,
            take: range.end - range.start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunk_sizes_are_powers_of_two_within_limits() {
        for good in [4096, 65_536, 1 << 20] {
            assert_eq!(ChunkSize::new(good).unwrap().bytes(), good);
        }
        for bad in [0, 1, 2048, 4095, 4097, 65_535, 1 << 21, u32::MAX] {
            assert!(ChunkSize::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn edges() {
        let layout = |length| Layout::new(ChunkSize::DEFAULT, length).unwrap();
        assert_eq!(layout(0).chunks(), 1);
        assert_eq!(layout(0).sealed_length(), 148 + 16);
        assert_eq!(layout(65_536).chunks(), 1);
        assert_eq!(layout(65_537).chunks(), 2);
        let span = layout(10 << 30).cover(&(5 << 30..(5 << 30) + 65_536)).unwrap();
        assert_eq!(span.end - span.first, 1);
        let span = layout(10 << 30).cover(&((5 << 30) + 1..(5 << 30) + 65_537)).unwrap();
        assert_eq!(span.end - span.first, 2);
        assert!(Layout::new(ChunkSize::DEFAULT, (1 << 48) + 1).is_err());
        assert!(Layout::new(ChunkSize::DEFAULT, 1 << 48).is_ok());
        assert!(Layout::new(ChunkSize::DEFAULT, u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn a_span_holds_its_range_and_no_chunk_more(length in 1u64..5_000_000, a in 0u64..5_000_000, b in 0u64..5_000_000) {
            let layout = Layout::new(ChunkSize::new(4096).unwrap(), length).unwrap();
            let range = a.min(b)..a.max(b);
            match layout.cover(&range) {
                Err(OutOfBounds) => prop_assert!(range.end > length || range.is_empty()),
                Ok(span) => {
                    prop_assert!(span.first * 4096 + span.skip == range.start && span.skip < 4096);
                    prop_assert_eq!(span.take, range.end - range.start);
                    prop_assert!(span.end * 4096 >= range.end && (span.end - 1) * 4096 < range.end);
                    let sealed: u64 = (span.first..span.end).map(|index| layout.sealed_chunk(index)).sum();
                    prop_assert_eq!(span.sealed.end - span.sealed.start, sealed);
                    prop_assert!(span.sealed.end <= layout.sealed_length());
                }
            }
        }
    }
}

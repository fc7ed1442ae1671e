//! Ranges of bytes, as callers ask for them.

use std::ops::Range;

/// A range of an object whose length is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// All of it, and no range was asked for.
    Whole,
    /// From this byte to the end.
    From(u64),
    /// From the first to the last, both included; the last is not before the first.
    Between(u64, u64),
    /// This many from the end.
    Last(u64),
}

/// A range of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The bytes.
    pub bytes: Range<u64>,
    /// Whether the answer is a partial one (HTTP 206): a range was asked for and there are bytes to give.
    pub partial: bool,
}

/// A range that begins at or past the end (HTTP 416).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range begins past the end: the object has {length} bytes")]
pub struct Unsatisfiable {
    /// The object's length.
    pub length: u64,
}

impl ByteRange {
    /// The value of a `Range` header (RFC 9110 section 14.2). What is malformed, of another unit, or several ranges at
    /// once is ignored, as the RFC allows: the answer is then the whole object.
    pub fn from_header(value: &str) -> Self {
        Self::parse(value).unwrap_or(Self::Whole)
    }

    /// `length` bytes from `offset`, as gRPC asks; a length of 0 means to the end.
    pub fn from_offset(offset: u64, length: u64) -> Self {
        match (offset, length) {
            (0, 0) => Self::Whole,
            (offset, 0) => Self::From(offset),
            (offset, length) => Self::Between(offset, offset.saturating_add(length - 1)),
        }
    }

    /// The range of an object of this length.
    ///
    /// # Errors
    /// [`Unsatisfiable`] when it begins at or past the end, or asks for the last 0 bytes.
    pub fn resolve(self, length: u64) -> Result<Resolved, Unsatisfiable> {
        let unsatisfiable = Unsatisfiable { length };
        let bytes = match self {
            Self::Whole => return Ok(Resolved { bytes: 0..length, partial: false }),
            Self::Last(0) => return Err(unsatisfiable),
            // No header can say which part of nothing an answer is.
            Self::Last(_) if length == 0 => return Ok(Resolved { bytes: 0..0, partial: false }),
            Self::Last(count) => length.saturating_sub(count)..length,
            Self::From(first) => first..length,
            Self::Between(first, last) => first..length.min(last.saturating_add(1)),
        };
        if bytes.is_empty() { Err(unsatisfiable) } else { Ok(Resolved { bytes, partial: true }) }
    }

    fn parse(value: &str) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }
}

/// Digits; a number beyond 2^64 is past any end, so the greatest one stands for it.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_9110() {
        let of = |value: &str| ByteRange::from_header(value).resolve(10_000).map(|range| range.bytes);
        assert_eq!(of("bytes=0-499"), Ok(0..500));
        assert_eq!(of("bytes=500-999"), Ok(500..1000));
        assert_eq!(of("bytes=-500"), Ok(9_500..10_000));
        assert_eq!(of("bytes=9500-"), Ok(9_500..10_000));
        assert_eq!(of("bytes=0-0"), Ok(0..1));
        assert_eq!(of("BYTES=9999-20000"), Ok(9_999..10_000));
        assert_eq!(of("bytes=-20000"), Ok(0..10_000));
        assert_eq!(of("bytes=0-99999999999999999999999"), Ok(0..10_000));
        for unsatisfiable in ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(unsatisfiable), Err(Unsatisfiable { length: 10_000 }), "{unsatisfiable}");
        }
    }

    #[test]
    fn what_is_not_one_range_of_bytes_is_ignored() {
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "bytes=0-0,-1",
            "lines=0-4",
            "bytes=+1-2",
            "bytes= 1 - 2",
            "bytes=1--2",
            "bytes=0x1-2",
            "bytes=١-٢",
        ] {
            assert_eq!(ByteRange::from_header(ignored), ByteRange::Whole, "{ignored}");
        }
    }

    #[test]
    fn nothing_can_be_fetched_of_nothing() {
        assert_eq!(ByteRange::Whole.resolve(0), Ok(Resolved { bytes: 0..0, partial: false }));
        assert_eq!(ByteRange::Last(5).resolve(0), Ok(Resolved { bytes: 0..0, partial: false }));
        assert!(ByteRange::From(0).resolve(0).is_err());
        assert_eq!(ByteRange::from_offset(u64::MAX, u64::MAX).resolve(5), Err(Unsatisfiable { length: 5 }));
        assert_eq!(ByteRange::from_offset(2, 2).resolve(5).unwrap().bytes, 2..4);
    }

    proptest! {
        #[test]
        fn any_header_gives_a_range_within_the_object_or_an_error(value in "(bytes=)?[0-9,\\- a-z]{0,30}", length in any::<u64>()) {
            if let Ok(Resolved { bytes, partial }) = ByteRange::from_header(&value).resolve(length) {
                prop_assert!(bytes.start <= bytes.end && bytes.end <= length);
                prop_assert!(!partial || !bytes.is_empty());
            }
        }

        #[test]
        fn any_text_is_parsed(value in ".{0,60}") {
            let _ = ByteRange::from_header(&value);
        }

        #[test]
        fn a_written_range_is_the_one_that_is_read(first in 0u64..5_000, count in 1u64..5_000, length in 1u64..5_000) {
            let resolved = ByteRange::from_header(&format!("bytes={first}-{}", first + count - 1)).resolve(length);
            if first < length {
                prop_assert_eq!(resolved.unwrap().bytes, first..length.min(first + count));
            } else {
                prop_assert!(resolved.is_err());
            }
        }
    }
}

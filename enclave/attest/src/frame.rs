//! Messages on a channel: a little-endian `u32` length, then one message of so many bytes.
//!
//! ```text
//! Message -> encode -> bytes        write: the same, into a writer
//! bytes -> Decoder::pull -> frame   read: the same, from a reader
//! ```
//!
//! What the other side sends is taken as hostile: a length above the limit is refused before anything is kept, and
//! memory grows with what arrived, never with what was announced. Does not give: order, freshness or secrecy; nor a
//! bound on what a frame unfolds to when its message is decoded: of a zone's, [`crate::said`] has one.

use std::io::{self, Read, Write};

use prost::Message;

/// Most bytes of a message to a zone.
pub const TO_ZONE: usize = 1024 * 1024;

/// Most bytes of a message from a zone.
pub const TO_HOST: usize = 16 * 1024 * 1024;

/// Why a frame was not read or written. Nothing more can be read from a channel after one of these.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The message, or the length announced, is above the limit.
    #[error("the frame is longer than the {limit} bytes that this channel allows")]
    TooLong {
        /// Most bytes allowed.
        limit: usize,
    },
    /// The message, once decoded, would take too much memory.
    #[error("the frame holds more parts than a message of a zone may have")]
    Unfolds,
    /// The bytes are not the message expected.
    #[error("the frame does not hold the message expected here")]
    Malformed,
    /// The channel ended inside a frame.
    #[error("the channel ended inside a frame")]
    Torn,
    /// The channel failed.
    #[error("the channel failed")]
    Channel(#[source] io::Error),
}

/// The frame of a message.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn encode(message: &impl Message, limit: usize) -> Result<Vec<u8>, FrameError> {
    let too_long = || FrameError::TooLong { limit };
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(HEADER + length);
    bytes.extend_from_slice(&header(length, limit)?);
    message.encode(&mut bytes).map_err(|_| too_long())?;
    Ok(bytes)
}

/// What goes before a frame of so many bytes.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn header(length: usize, limit: usize) -> Result<[u8; HEADER], FrameError> {
    let announced = u32::try_from(length).ok().filter(|_| length <= limit);
    announced.map(u32::to_le_bytes).ok_or(FrameError::TooLong { limit })
}

/// The message in a frame, its length left off.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn decode<M: Message + Default>(frame: &[u8]) -> Result<M, FrameError> {
    M::decode(frame).map_err(|_| FrameError::Malformed)
}

/// Writes a message and flushes it.
///
/// # Errors
/// [`FrameError::TooLong`], [`FrameError::Channel`].
pub fn write(channel: &mut impl Write, message: &impl Message, limit: usize) -> Result<(), FrameError> {
    let bytes = encode(message, limit)?;
    channel.write_all(&bytes).and_then(|()| channel.flush()).map_err(FrameError::Channel)
}

/// Reads a message; `None` when the channel ended before one began.
///
/// # Errors
/// [`FrameError`].
pub fn read<M: Message + Default>(channel: &mut impl Read, limit: usize) -> Result<Option<M>, FrameError> {
    read_bytes(channel, limit)?.map(|frame| decode(&frame)).transpose()
}

/// Reads a frame, its length left off; `None` when the channel ended before one began.
///
/// # Errors
/// [`FrameError`], but not [`FrameError::Malformed`].
pub fn read_bytes(channel: &mut impl Read, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut header = Vec::with_capacity(HEADER);
    channel.take(HEADER as u64).read_to_end(&mut header).map_err(FrameError::Channel)?;
    let Some(announced) = header.first_chunk() else {
        return if header.is_empty() { Ok(None) } else { Err(FrameError::Torn) };
    };
    let length = length(*announced, limit)?;
    let mut frame = Vec::new();
    channel.take(length as u64).read_to_end(&mut frame).map_err(FrameError::Channel)?;
    if frame.len() == length { Ok(Some(frame)) } else { Err(FrameError::Torn) }
}

/// Takes a channel apart into frames, from pieces of any size. Holds less than one frame at any time.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    header: [u8; HEADER],
    /// How much of the header is there.
    begun: usize,
    frame: Vec<u8>,
}

impl Decoder {
    /// A decoder of frames of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, header: [0; HEADER], begun: 0, frame: Vec::new() }
    }

    /// Takes no frame that is longer than this from now on.
    pub fn limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes from the front of `bytes` what belongs to the frame under way, and gives the frame once it is whole, its
    /// length left off. Call it until it gives `None`: then all of `bytes` is taken.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn pull(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        for place in self.header.iter_mut().skip(self.begun) {
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            (*place, *bytes) = (*first, rest);
            self.begun += 1;
        }
        let missing = length(self.header, self.limit)?.saturating_sub(self.frame.len());
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.frame.extend_from_slice(taken);
        *bytes = rest;
        if taken.len() < missing {
            return Ok(None);
        }
        self.begun = 0;
        Ok(Some(std::mem::take(&mut self.frame)))
    }

    /// The end of the channel: an error when it is inside a frame.
    ///
    /// # Errors
    /// [`FrameError::Torn`].
    pub fn end(&self) -> Result<(), FrameError> {
        if self.begun == 0 { Ok(()) } else { Err(FrameError::Torn) }
    }
}

fn length(header: [u8; HEADER], limit: usize) -> Result<usize, FrameError> {
    usize::try_from(u32::from_le_bytes(header))
        .ok()
        .filter(|length| *length <= limit)
        .ok_or(FrameError::TooLong { limit })
}

const HEADER: usize = 4;

#[cfg(test)]
mod tests {
    use octroi_proto::wire::zone::{LeaseRequest, Ready, SignedLaunch};
    use proptest::prelude::*;

    use super::*;

    fn message(signature: Vec<u8>) -> SignedLaunch {
        SignedLaunch { launch: vec![7; 3], signature }
    }

    /// All frames in `bytes`, given to a decoder in pieces of these sizes, and whether it ended well.
    fn pulled(bytes: &[u8], sizes: &[usize], limit: usize) -> Result<(Vec<Vec<u8>>, bool), FrameError> {
        let (mut decoder, mut frames, mut rest) = (Decoder::new(limit), Vec::new(), bytes);
        let mut sizes = sizes.iter().copied().cycle();
        while !rest.is_empty() {
            let (mut piece, later) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
            while let Some(frame) = decoder.pull(&mut piece)? {
                frames.push(frame);
            }
            assert!(piece.is_empty());
            assert!(decoder.frame.capacity() <= 2 * bytes.len() + 64);
            rest = later;
        }
        Ok((frames, decoder.end().is_ok()))
    }

    #[test]
    fn the_encoding_is_a_little_endian_length_and_the_message() {
        let bytes = encode(&Ready { public_key: vec![9; 2] }, 4).unwrap();
        assert_eq!(bytes, [4, 0, 0, 0, 0x0A, 2, 9, 9]);
        assert!(matches!(encode(&Ready { public_key: vec![9; 3] }, 4), Err(FrameError::TooLong { limit: 4 })));
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_kept() {
        for bytes in [[5, 0, 0, 0], [255; 4]] {
            assert!(matches!(read_bytes(&mut &bytes[..], 4), Err(FrameError::TooLong { limit: 4 })));
            assert!(matches!(Decoder::new(4).pull(&mut &bytes[..]), Err(FrameError::TooLong { limit: 4 })));
        }
    }

    #[test]
    fn what_was_announced_and_never_came_costs_no_memory() {
        let mut decoder = Decoder::new(TO_HOST);
        let bytes = [&u32::try_from(TO_HOST).unwrap().to_le_bytes()[..], &[1; 100]].concat();
        assert!(decoder.pull(&mut &bytes[..]).unwrap().is_none());
        assert!(decoder.frame.capacity() < 1_000);
        assert!(matches!(decoder.end(), Err(FrameError::Torn)));
        assert!(matches!(read_bytes(&mut &bytes[..], TO_HOST), Err(FrameError::Torn)));
    }

    #[test]
    fn an_end_between_frames_is_an_end_and_an_empty_frame_is_a_frame() {
        assert!(read::<Ready>(&mut io::empty(), 9).unwrap().is_none());
        assert_eq!(read::<Ready>(&mut &[0; 4][..], 9).unwrap(), Some(Ready::default()));
        assert!(matches!(read::<Ready>(&mut &[0; 3][..], 9), Err(FrameError::Torn)));
        assert!(matches!(read::<LeaseRequest>(&mut &[1, 0, 0, 0, 0x0A][..], 9), Err(FrameError::Malformed)));
        assert_eq!(pulled(&[0; 9], &[1], 9).unwrap(), (vec![vec![], vec![]], false));
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80).prop_map(message), 0..6),
            sizes in prop::collection::vec(1usize..40, 1..8),
        ) {
            let mut bytes = Vec::new();
            for message in &messages {
                write(&mut bytes, message, 100).unwrap();
            }
            let mut reader = bytes.as_slice();
            for message in &messages {
                prop_assert_eq!(&read::<SignedLaunch>(&mut reader, 100).unwrap().unwrap(), message);
            }
            prop_assert!(read::<SignedLaunch>(&mut reader, 100).unwrap().is_none());
            let (frames, whole) = pulled(&bytes, &sizes, 100).unwrap();
            let frames: Vec<_> = frames.iter().map(|frame| decode::<SignedLaunch>(frame).unwrap()).collect();
            prop_assert!(whole);
            prop_assert_eq!(frames, messages);
        }

        #[test]
        fn any_bytes_are_the_same_frames_however_they_come(
            bytes in prop::collection::vec(prop_oneof![3 => 0u8..6, 1 => any::<u8>()], 0..200),
            sizes in prop::collection::vec(1usize..40, 1..8),
        ) {
            let (mut reader, mut frames) = (bytes.as_slice(), Vec::new());
            let read = loop {
                match read_bytes(&mut reader, 64) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break Ok((frames, true)),
                    Err(FrameError::Torn) => break Ok((frames, false)),
                    Err(error) => break Err(error.to_string()),
                }
            };
            prop_assert_eq!(pulled(&bytes, &sizes, 64).map_err(|error| error.to_string()), read);
        }
    }
}

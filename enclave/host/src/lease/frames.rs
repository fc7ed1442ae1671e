//! Frames over asynchronous streams.

use bytes::{Buf as _, BytesMut};
use octroi_attest::{
    frame::{self, Decoder, FrameError},
    said,
};
use octroi_proto::wire::zone::{self as wire, to_host};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// Frames that arrive on a stream. Giving up on [`Incoming::next`] loses nothing.
#[derive(Debug)]
pub(crate) struct Incoming<R> {
    source: R,
    decoder: Decoder,
    arrived: BytesMut,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(crate) fn new(source: R, limit: usize) -> Self {
        Self { source, decoder: Decoder::new(limit), arrived: BytesMut::new() }
    }

    /// Takes no frame that is longer than this from now on.
    fn limit(&mut self, limit: usize) {
        self.decoder.limit(limit);
    }

    /// The next frame, its length left off; `None` when the stream ended before one began.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            let mut rest = &self.arrived[..];
            let pulled = self.decoder.pull(&mut rest);
            let left = rest.len();
            self.arrived.advance(self.arrived.len().saturating_sub(left));
            if let Some(frame) = pulled? {
                return Ok(Some(frame));
            }
            self.arrived.reserve(AT_A_TIME);
            if self.source.read_buf(&mut self.arrived).await.map_err(FrameError::Channel)? == 0 {
                self.decoder.end()?;
                return Ok(None);
            }
        }
    }
}

/// The channel to a leased zone. Dropping it kills the zone.
#[derive(Debug)]
pub struct Frames {
    incoming: Incoming<OwnedReadHalf>,
    outgoing: OwnedWriteHalf,
}

/// Why nothing came from a zone.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The zone ended, of itself or by its deadline.
    #[error("the zone has ended")]
    Ended,
    /// What came is not a message, or too long a one.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Frames {
    pub(super) fn new(incoming: Incoming<OwnedReadHalf>, outgoing: OwnedWriteHalf) -> Self {
        Self { incoming, outgoing }
    }

    /// Says something to the zone. Waits until it is on its way; to be awaited to its end.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], or [`FrameError::Channel`] when the zone has ended.
    pub async fn send(&mut self, message: &wire::ToZone) -> Result<(), FrameError> {
        let bytes = frame::encode(message, frame::TO_ZONE)?;
        self.outgoing.write_all(&bytes).await.map_err(FrameError::Channel)
    }

    /// What the zone says next, in at most so many bytes: hostile. Giving up on it loses nothing.
    ///
    /// # Errors
    /// [`ReceiveError`]; nothing more will come.
    pub async fn receive(&mut self, most: usize) -> Result<to_host::Message, ReceiveError> {
        self.incoming.limit(most.min(frame::TO_HOST));
        let frame = self.incoming.next().await?.ok_or(ReceiveError::Ended)?;
        Ok(said::decode(&frame)?)
    }
}

/// Room for what arrives at once.
const AT_A_TIME: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use octroi_proto::wire::zone::Ready;

    #[tokio::test]
    async fn a_reader_that_gave_up_has_lost_nothing() {
        let (mut near, far) = tokio::io::duplex(8);
        let mut incoming = Incoming::new(far, 100);
        let bytes = frame::encode(&Ready { public_key: vec![7; 32] }, 100).unwrap();
        let (first, second) = bytes.split_at(7);
        near.write_all(first).await.unwrap();
        let early = tokio::time::timeout(std::time::Duration::from_millis(10), incoming.next()).await;
        assert!(early.is_err());
        let late = async {
            near.write_all(second).await.unwrap();
            near.write_all(&bytes).await.unwrap();
            drop(near);
        };
        let read = async {
            for _ in 0..2 {
                let frame = incoming.next().await.unwrap().unwrap();
                assert_eq!(frame::decode::<Ready>(&frame).unwrap().public_key, vec![7; 32]);
            }
            assert!(incoming.next().await.unwrap().is_none());
        };
        tokio::join!(late, read);
    }
}

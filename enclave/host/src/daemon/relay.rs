//! Between a caller and its zone: whole messages, one at a time each way, none handed on that is not known by its kind.
//! A caller's are decoded; a zone's are as its caller is to find them, and cost no more memory here than their length.
//!
//! At most one message each way is in memory, and none is read before the last one was taken, so a zone that floods
//! waits. A conversation is short: what goes beyond it, or has no place in it, ends the lease.

use octroi_attest::{
    frame::{self, FrameError},
    said::Word,
};
use octroi_proto::wire::zone::{ToZone, to_zone::Message as FromCaller};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};

use crate::lease::Incoming;

/// What ended a conversation.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The zone said its last word, and it was handed on.
    #[error("the work was done")]
    Done,
    /// The caller closed its connection.
    #[error("its caller left")]
    CallerLeft,
    /// The zone closed its channel.
    #[error("the zone ended without an answer")]
    ZoneEnded,
    /// What the caller sent has no place here.
    #[error("its caller said something that has no place here")]
    CallerOdd,
    /// What the zone sent has no place here.
    #[error("the zone said something that has no place here")]
    ZoneOdd,
    /// The zone said too much.
    #[error("the zone said more than a conversation has")]
    ZoneFlooded,
    /// What the zone sent is no message.
    #[error("the zone sent what is no message: {0}")]
    ZoneGarbled(FrameError),
}

/// Hands on until something ends it.
pub(super) async fn relay<C, Z>(caller: C, zone: Z) -> End
where
    C: AsyncRead + AsyncWrite + Unpin,
    Z: AsyncRead + AsyncWrite + Unpin,
{
    let (from_caller, to_caller) = split(caller);
    let (from_zone, to_zone) = split(zone);
    tokio::select! {
        end = inward(from_caller, to_zone) => end,
        end = outward(from_zone, to_caller) => end,
    }
}

async fn inward<C: AsyncRead + Unpin, Z: AsyncWrite + Unpin>(caller: ReadHalf<C>, mut zone: WriteHalf<Z>) -> End {
    let mut caller = Incoming::new(caller, frame::TO_ZONE);
    for _ in 0..MOST_TO_ZONE {
        let message: ToZone = match next(&mut caller).await {
            Ok(Some(message)) => message,
            Ok(None) | Err(FrameError::Channel(_) | FrameError::Torn) => return End::CallerLeft,
            Err(FrameError::TooLong { .. } | FrameError::Unfolds | FrameError::Malformed) => return End::CallerOdd,
        };
        match &message.message {
            Some(FromCaller::Question(_) | FromCaller::Load(_) | FromCaller::Keys(_)) => {}
            // Seeds are the zone host's own to give.
            Some(FromCaller::Seed(_)) | None => return End::CallerOdd,
        }
        let Ok(bytes) = frame::encode(&message, frame::TO_ZONE) else { return End::CallerOdd };
        if zone.write_all(&bytes).await.is_err() {
            // It has ended; what it said before that is still on its way out, and has the last word.
            return std::future::pending().await;
        }
    }
    // Nothing more to say; but its leaving is still to be noticed.
    match next::<_, ToZone>(&mut caller).await {
        Ok(None) | Err(FrameError::Channel(_) | FrameError::Torn) => End::CallerLeft,
        Ok(Some(_)) | Err(FrameError::TooLong { .. } | FrameError::Unfolds | FrameError::Malformed) => End::CallerOdd,
    }
}

async fn outward<Z: AsyncRead + Unpin, C: AsyncWrite + Unpin>(zone: ReadHalf<Z>, mut caller: WriteHalf<C>) -> End {
    let mut zone = Incoming::new(zone, frame::TO_HOST);
    for _ in 0..MOST_TO_HOST {
        let heard = match zone.next().await {
            Ok(Some(frame)) => Word::of(&frame).map(|word| (word, frame)),
            Ok(None) | Err(FrameError::Channel(_)) => return End::ZoneEnded,
            Err(error) => Err(error),
        };
        let (word, frame) = match heard {
            Ok(heard) => heard,
            Err(error) => return End::ZoneGarbled(error),
        };
        let last = match word {
            Word::KeyRequest | Word::LoadKeyRequest => false,
            Word::Rejected | Word::Answer | Word::Withheld | Word::Loaded | Word::Checked => true,
            Word::Warm | Word::Ready => return End::ZoneOdd,
        };
        let Ok(header) = frame::header(frame.len(), frame::TO_HOST) else { return End::ZoneOdd };
        if caller.write_all(&header).await.is_err() || caller.write_all(&frame).await.is_err() {
            return End::CallerLeft;
        }
        if last {
            return End::Done;
        }
    }
    End::ZoneFlooded
}

async fn next<R: AsyncRead + Unpin, M: prost::Message + Default>(
    incoming: &mut Incoming<R>,
) -> Result<Option<M>, FrameError> {
    incoming.next().await?.map(|frame| frame::decode(&frame)).transpose()
}

/// Work, keys.
const MOST_TO_ZONE: usize = 2;
/// A request for keys and a last word, with one to spare.
const MOST_TO_HOST: usize = 3;

#[cfg(test)]
mod tests;

//! Whether a connection still lives: what it has in flight, and since when the other side has taken nothing.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

/// The signs of life of one connection.
#[derive(Debug)]
pub(super) struct Vitals {
    opened: Instant,
    in_flight: AtomicUsize,
    last: AtomicU64,
    offers: Mutex<Vec<Weak<Offer>>>,
}

/// A judgement of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something moves, or is the gateway's to move.
    Alive,
    /// Nothing is in flight, and has not been for long.
    Idle,
    /// An answer's body has not been taken for long.
    Stalled,
}

/// Since when a piece of a body waits to be taken; zero while the gateway has none to give.
#[derive(Debug, Default)]
struct Offer(AtomicU64);

/// One request, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Vitals>);

impl Vitals {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            in_flight: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            offers: Mutex::default(),
        })
    }

    /// Counts a request in.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Judges, where `idle` is how long is long.
    pub(super) fn judge(&self, idle: Duration) -> Verdict {
        let long_ago = self.now().saturating_sub(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.retain(|offer| offer.strong_count() > 0);
        let waits = |offer: &Weak<Offer>| {
            let since = offer.upgrade().map_or(0, |offer| offer.0.load(Ordering::Relaxed));
            since != 0 && since < long_ago
        };
        if offers.iter().any(waits) {
            Verdict::Stalled
        } else if self.in_flight.load(Ordering::Relaxed) == 0 && self.last.load(Ordering::Relaxed) < long_ago {
            Verdict::Idle
        } else {
            Verdict::Alive
        }
    }

    /// Milliseconds since the connection was opened, from 1.
    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl InFlight {
    /// The answer's body, watched until its end.
    pub(super) fn answer(self, body: Body) -> Body {
        let offer = Arc::new(Offer::default());
        let mut offers = self.0.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.push(Arc::downgrade(&offer));
        drop(offers);
        Body::new(Watched { body, offer, in_flight: self })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.last.store(self.0.now(), Ordering::Relaxed);
    }
}

struct Watched {
    body: Body,
    offer: Arc<Offer>,
    in_flight: InFlight,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // hyper polls only once what it had before is on its way, so being polled is progress.
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let waits_since = match &polled {
            Poll::Ready(Some(Ok(_))) => self.in_flight.0.now(),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => 0,
        };
        self.offer.0.store(waits_since, Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    const IDLE: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn nothing_in_flight_is_idle_after_a_while() {
        let vitals = Vitals::new();
        assert_eq!(vitals.judge(IDLE), Verdict::Alive);
        let request = vitals.begin();
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(vitals.judge(IDLE), Verdict::Alive);
        drop(request);
        assert_eq!(vitals.judge(IDLE), Verdict::Alive);
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(vitals.judge(IDLE), Verdict::Idle);
    }

    #[tokio::test]
    async fn a_body_that_is_not_taken_is_stalled_and_one_that_is_not_there_yet_is_not() {
        let vitals = Vitals::new();
        let pieces = futures::stream::iter([Ok::<_, std::io::Error>("one"), Ok("two")]);
        let mut body = vitals.begin().answer(Body::from_stream(pieces));
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(vitals.judge(IDLE), Verdict::Alive);
        body.frame().await.unwrap().unwrap();
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(vitals.judge(IDLE), Verdict::Stalled);
        body.frame().await.unwrap().unwrap();
        assert_eq!(vitals.judge(IDLE), Verdict::Alive);
        assert!(body.frame().await.is_none());
        drop(body);
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(vitals.judge(IDLE), Verdict::Idle);
    }
}

//! Bodies that callers send: none may stand still, and those of calls that do not stream are small and arrive in
//! time.

use std::{
    convert::Infallible,
    future::Future as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};
use tower::{Layer, Service};

use crate::{
    answer::{Problem, Protocol},
    settings::Limits,
};

/// A caller that stopped sending its request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's body stopped arriving: send it again, without pauses")]
pub struct Stalled;

/// Why a body was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is, or would be, over the limit.
    #[error("send a body of at most {most} bytes")]
    TooLarge {
        /// The most bytes.
        most: usize,
    },
    /// All callers together send more at once than is taken in.
    #[error("the gateway is taking in as many bodies as it may: try again in a moment")]
    Crowded,
    /// It was not whole in time.
    #[error("the request's body did not arrive whole in time: send it again")]
    TooSlow,
}

/// When a request last moved: its head, or a piece of its body.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    begun: Instant,
    last: Arc<AtomicU64>,
}

impl Progress {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), last: Arc::default() }
    }

    pub(super) fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn moved(&self) {
        self.extend(Duration::ZERO);
    }

    /// As if it moved once more so much later.
    fn extend(&self, by: Duration) {
        let until = u64::try_from((self.begun.elapsed() + by).as_millis()).unwrap_or(u64::MAX);
        self.last.fetch_max(until, Ordering::Relaxed);
    }
}

/// In a request's extensions: a call whose answer takes longer than others' says so.
#[derive(Debug, Clone)]
pub struct Patience(Progress);

impl Patience {
    pub(super) fn new(progress: Progress) -> Self {
        Self(progress)
    }

    /// Lets the answer take so much longer from now on than `limits.request_seconds`.
    pub fn extend(&self, by: Duration) {
        self.0.extend(by);
    }
}

/// A request's body that may not stand still for longer than `idle`.
pub(super) struct Arriving<B> {
    body: B,
    idle: Duration,
    progress: Progress,
    waits: Option<Pin<Box<Sleep>>>,
}

impl<B> Arriving<B> {
    pub(super) fn new(body: B, idle: Duration, progress: Progress) -> Self {
        Self { body, idle, progress, waits: None }
    }
}

impl<B> HttpBody for Arriving<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waits = None;
            self.progress.moved();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle = self.idle;
        let waits = self.waits.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        waits.as_mut().poll(cx).map(|()| Some(Err(Stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// For the routes of calls that do not stream: takes in the whole body, of at most `limits.body_bytes` and within
/// `limits.request_seconds`, before the call begins.
#[derive(Debug, Clone)]
pub struct SmallBodyLayer {
    bytes: usize,
    time: Duration,
    /// Room for all bodies together, in KiB; a body keeps its share until its call is answered.
    room: Arc<Semaphore>,
}

impl SmallBodyLayer {
    /// With these limits.
    pub fn new(limits: &Limits) -> Self {
        let room = Arc::new(Semaphore::new(limits.bodies_bytes.as_usize() / KIB));
        Self { bytes: limits.body_bytes.as_usize(), time: limits.request_seconds.get(), room }
    }
}

const KIB: usize = 1024;

impl<S> Layer<S> for SmallBodyLayer {
    type Service = SmallBody<S>;

    fn layer(&self, inner: S) -> SmallBody<S> {
        SmallBody { limits: self.clone(), inner }
    }
}

/// A service behind a [`SmallBodyLayer`].
#[derive(Debug, Clone)]
pub struct SmallBody<S> {
    limits: SmallBodyLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for SmallBody<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone takes the place of the service that was made ready.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let limits = self.limits.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match limits.take_in(parts.headers.get(header::CONTENT_LENGTH), body).await {
                Ok((body, _share)) => inner.call(Request::from_parts(parts, body)).await,
                Err(error) => Ok(Problem::from(error).respond(Protocol::of(&parts.headers))),
            }
        })
    }
}

impl SmallBodyLayer {
    async fn take_in(&self, announced: Option<&HeaderValue>, body: Body) -> Result<(Body, Share), BodyError> {
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.bytes as u64) {
            return Err(BodyError::TooLarge { most: self.bytes });
        }
        tokio::time::timeout(self.time, self.collect(body)).await.unwrap_or(Err(BodyError::TooSlow))
    }

    async fn collect(&self, mut body: Body) -> Result<(Body, Share), BodyError> {
        let (mut taken, mut share) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::TooSlow)?.into_data() else { continue };
            if taken.len() + data.len() > self.bytes {
                return Err(BodyError::TooLarge { most: self.bytes });
            }
            let wanted = u32::try_from(data.len().div_ceil(KIB)).unwrap_or(u32::MAX);
            let more = Arc::clone(&self.room).try_acquire_many_owned(wanted).map_err(|_| BodyError::Crowded)?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            taken.extend_from_slice(&data);
        }
        Ok((Body::from(taken.freeze()), share))
    }
}

/// A body's share of the room for all.
type Share = Option<OwnedSemaphorePermit>;

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use tower::ServiceExt as _;

    fn behind(bytes: usize) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> {
        let room = Arc::new(Semaphore::new(8));
        SmallBodyLayer { bytes, time: Duration::from_millis(300), room }.layer(tower::service_fn(
            |request: Request<Body>| async move { Ok::<_, Infallible>(Response::new(request.into_body())) },
        ))
    }

    async fn status(request: Request<Body>) -> StatusCode {
        behind(1024).oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn all_bodies_together_have_room_and_no_more() {
        let room = Arc::new(Semaphore::new(8));
        let layer = SmallBodyLayer { bytes: 6 * KIB, time: Duration::from_millis(300), room };
        let first = layer.take_in(None, Body::from(vec![7; 5 * KIB])).await.unwrap();
        let second = layer.take_in(None, Body::from(vec![7; 5 * KIB])).await;
        assert_eq!(second.unwrap_err(), BodyError::Crowded);
        drop(first);
        assert!(layer.take_in(None, Body::from(vec![7; 5 * KIB])).await.is_ok());
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_pass_whole() {
        let response = behind(1024).oneshot(Request::new(Body::from(vec![7; 1024]))).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 1024);
        assert_eq!(status(Request::new(Body::from(vec![7; 1025]))).await, StatusCode::PAYLOAD_TOO_LARGE);
        let announced = Request::builder().header("content-length", "4096").body(Body::empty()).unwrap();
        assert_eq!(status(announced).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn bodies_that_do_not_arrive_are_given_up() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(status(Request::new(never)).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_body_that_stands_still_is_cut_and_one_that_trickles_is_not() {
        let idle = Duration::from_millis(400);
        let trickle = futures::stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(if n < 3 { 200 } else { 2000 })).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), n + 1))
        });
        let progress = Progress::begin();
        let mut body = Arriving::new(Body::from_stream(trickle), idle, progress.clone());
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert!(progress.last() >= progress.begun + Duration::from_millis(500));
        assert!(body.frame().await.unwrap().unwrap_err().is::<Stalled>());
    }
}

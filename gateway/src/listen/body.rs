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
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::{Instant, Sleep};
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
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
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
#[derive(Debug, Clone, Copy)]
pub struct SmallBodyLayer {
    bytes: usize,
    time: Duration,
}

impl SmallBodyLayer {
    /// With these limits.
    pub fn new(limits: &Limits) -> Self {
        Self { bytes: limits.body_bytes.as_usize(), time: limits.request_seconds.get() }
    }
}

impl<S> Layer<S> for SmallBodyLayer {
    type Service = SmallBody<S>;

    fn layer(&self, inner: S) -> SmallBody<S> {
        SmallBody { limits: *self, inner }
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
        let limits = self.limits;
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match limits.take_in(parts.headers.get(header::CONTENT_LENGTH), body).await {
                Ok(body) => inner.call(Request::from_parts(parts, body)).await,
                Err(error) => Ok(Problem::from(error).respond(Protocol::of(&parts.headers))),
            }
        })
    }
}

impl SmallBodyLayer {
    async fn take_in(self, announced: Option<&HeaderValue>, body: Body) -> Result<Body, BodyError> {
        let too_large = BodyError::TooLarge { most: self.bytes };
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.bytes as u64) {
            return Err(too_large);
        }
        match tokio::time::timeout(self.time, Limited::new(body, self.bytes).collect()).await {
            Ok(Ok(whole)) => Ok(Body::from(whole.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
            Ok(Err(_)) | Err(_) => Err(BodyError::TooSlow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use tower::ServiceExt as _;

    fn behind(bytes: usize) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> {
        SmallBodyLayer { bytes, time: Duration::from_millis(300) }.layer(tower::service_fn(
            |request: Request<Body>| async move { Ok::<_, Infallible>(Response::new(request.into_body())) },
        ))
    }

    async fn status(request: Request<Body>) -> StatusCode {
        behind(1024).oneshot(request).await.unwrap().status()
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

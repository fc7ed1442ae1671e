//! What one listener shows: how it is entered, the names it answers for, its limits, and what stands behind it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt as _;

use super::{
    Names, Pace, Peer,
    body::{Arriving, Patience, Progress},
    vitals::Vitals,
};
use crate::{
    answer::{Problem, Protocol},
    settings::Limits,
};

/// How a listener is entered.
#[derive(Debug, Clone)]
pub enum Door {
    /// By a TLS handshake.
    Tls(Arc<rustls::ServerConfig>),
    /// Without: for loopback only.
    Plain,
}

/// No answer within `limits.request_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gateway did not get to an answer in time: try again later")]
pub struct TookTooLong;

/// One listener, all but its socket.
#[derive(Debug, Clone)]
pub struct Front {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// How it is entered.
    pub door: Door,
    /// The names it answers for.
    pub names: Names,
    /// What callers may use up.
    pub limits: Limits,
    /// How fast requests may come from one address, where strangers ask.
    pub pace: Option<Arc<Pace>>,
    /// What stands behind it.
    pub routes: Router,
}

impl Front {
    /// Answers one request of a connection.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        vitals: Arc<Vitals>,
    ) -> Result<Response<Body>, Infallible> {
        let in_flight = vitals.begin();
        let progress = Progress::begin();
        let (mut parts, body) = request.into_parts();
        let protocol = Protocol::of(&parts.headers);
        let paced = self.pace.as_ref().map_or(Ok(()), |pace| pace.step(peer.address));
        let named = self.names.check(&parts.uri, &parts.headers, peer.server_name.as_deref());
        let response = match (paced, named) {
            (Err(error), _) => self.refuse(error, "pace").respond(protocol),
            (Ok(()), Ok(())) => {
                parts.extensions.insert(peer);
                parts.extensions.insert(Patience::new(progress.clone()));
                let body = Arriving::new(body, self.limits.idle_seconds.get(), progress.clone());
                let answer = self.routes.clone().oneshot(Request::from_parts(parts, Body::new(body)));
                match in_time(self.limits.request_seconds.get(), &progress, answer).await {
                    Some(Ok(response)) => response,
                    None => self.refuse(TookTooLong, "time").respond(protocol),
                }
            }
            (Ok(()), Err(error)) => self.refuse(error, "authority").respond(protocol),
        };
        Ok(response.map(|body| in_flight.answer(body)))
    }

    fn refuse(&self, error: impl Into<Problem>, reason: &'static str) -> Problem {
        metrics::counter!("octroi_requests_refused_total", "listener" => self.name, "reason" => reason).increment(1);
        error.into()
    }
}

/// What `answer` gives, unless `limit` passes without any of the request arriving: an upload may take as long as it
/// keeps moving, and what follows its end has `limit`.
async fn in_time<F: Future>(limit: Duration, progress: &Progress, answer: F) -> Option<F::Output> {
    tokio::pin!(answer);
    let mut deadline = Instant::now() + limit;
    loop {
        if let Ok(answered) = timeout_at(deadline, &mut answer).await {
            return Some(answered);
        }
        let later = progress.last() + limit;
        if later <= deadline {
            return None;
        }
        deadline = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn an_answer_has_its_time_and_an_upload_that_moves_has_more() {
        let limit = Duration::from_millis(400);
        let progress = Progress::begin();
        assert!(in_time(limit, &progress, tokio::time::sleep(limit / 4)).await.is_some());
        assert!(in_time(limit, &Progress::begin(), std::future::pending::<()>()).await.is_none());

        let progress = Progress::begin();
        Patience::new(progress.clone()).extend(limit);
        assert!(in_time(limit, &progress, tokio::time::sleep(limit * 3 / 2)).await.is_some(), "it said so");

        let slow = futures::stream::iter(0..5).then(move |_| async move {
            tokio::time::sleep(limit / 2).await;
            Ok::<_, std::io::Error>("piece")
        });
        let progress = Progress::begin();
        let body = Arriving::new(Body::from_stream(slow), limit, progress.clone());
        assert!(in_time(limit, &progress, body.collect()).await.unwrap().is_ok());
    }
}

//! Plain HTTP for this machine: whether the process lives, whether it is ready, and its metrics. No data, no names.

use std::io::{self, Write};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;

use super::Names;
use crate::settings::AuthorityName;

/// The metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("another metrics recorder is installed in this process")]
pub struct RecorderInstalled;

/// Installs the recorder that all of the process's metrics go to.
///
/// # Errors
/// [`RecorderInstalled`] when the process already has one.
pub fn install_recorder() -> Result<PrometheusHandle, RecorderInstalled> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| RecorderInstalled)?;
    Ok(handle)
}

/// `/health`: the process answers. `/ready`: it takes requests and is not about to stop. `/metrics`: Prometheus text.
pub fn routes(ready: watch::Receiver<bool>, recorder: PrometheusHandle) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(move || std::future::ready(readiness(*ready.borrow()))))
        .route("/metrics", get(move || std::future::ready(render(&recorder))))
}

/// The names by which this machine calls itself: a web page elsewhere that resolves its own name to this machine
/// gets nothing.
pub fn names() -> Names {
    let names = ["localhost", "127.0.0.1", "::1"];
    Names::new(names.into_iter().filter_map(|name| name.parse::<AuthorityName>().ok()))
}

fn readiness(ready: bool) -> Response {
    if ready { "ready\n".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response() }
}

fn render(recorder: &PrometheusHandle) -> Response {
    recorder.run_upkeep();
    let mut page = Page(Vec::new());
    match recorder.render_to_write(&mut page) {
        Ok(()) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page.0).into_response(),
        Err(_) => (StatusCode::INSUFFICIENT_STORAGE, "too many metrics\n").into_response(),
    }
}

/// A page that does not grow without bound.
struct Page(Vec<u8>);

impl Write for Page {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.0.len() + more.len() > LARGEST_PAGE {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LARGEST_PAGE: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn health_readiness_and_metrics() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let (ready, readiness) = watch::channel(false);
        let routes = routes(readiness, recorder.handle());
        let ask = async |path: &str| {
            let response = routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
            (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
        };
        assert_eq!(ask("/health").await.0, 200);
        assert_eq!(ask("/ready").await.0, 503);
        ready.send_replace(true);
        assert_eq!(ask("/ready").await.0, 200);
        metrics::with_local_recorder(&recorder, || metrics::counter!("octroi_test_total").increment(2));
        let (status, page) = ask("/metrics").await;
        assert_eq!(status, 200);
        assert!(String::from_utf8_lossy(&page).contains("octroi_test_total 2"));
    }
}

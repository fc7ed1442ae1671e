//! How the stations before the services say no: as the protocol's own error, with a sentence that says what to do.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// A no, in the words of both protocols. It holds nothing that the caller did not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For HTTP.
    pub status: StatusCode,
    /// For gRPC.
    pub code: tonic::Code,
    /// The kind, a few words.
    pub title: &'static str,
    /// What to do, one sentence.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// The answer to a request with these headers: a trailers-only gRPC status, or `application/problem+json`
    /// (RFC 9457).
    pub fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = if speaks_grpc(request) {
            tonic::Status::new(self.code, self.detail.clone()).into_http()
        } else {
            self.problem()
        };
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 11.6.1: a 401 names a scheme that would do.
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"octroi\""));
        }
        response
    }

    fn problem(&self) -> Response<Body> {
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = Response::new(Body::from(problem.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Whether a request with these headers is a gRPC call.
pub fn speaks_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = kind.strip_prefix(b"application/grpc".as_slice());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    const NO: Refusal = Refusal {
        status: StatusCode::UNAUTHORIZED,
        code: tonic::Code::Unauthenticated,
        title: "not authenticated",
        detail: Cow::Borrowed("present a token"),
    };

    #[tokio::test]
    async fn a_problem_for_http() {
        let response = NO.respond(&HeaderMap::new());
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().contains_key("www-authenticate"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["status"], &problem["detail"]), (&401.into(), &"present a token".into()));
    }

    #[test]
    fn a_status_for_grpc() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc+proto"));
        let response = NO.respond(&headers);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], "16");
        headers.insert("content-type", HeaderValue::from_static("application/grpcx"));
        assert!(!speaks_grpc(&headers));
    }
}

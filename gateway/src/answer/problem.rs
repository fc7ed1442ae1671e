//! What is said of a request that was not done, in the words of both protocols.

use std::{borrow::Cow, collections::HashMap};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use octroi_proto::Violations;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A no, ready to be said. It holds nothing that the caller may not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: Code,
    detail: Cow<'static, str>,
    violations: Option<Violations>,
    reason: Option<Reason>,
    /// For HTTP: what the status asks for beside the body.
    header: Option<(HeaderName, HeaderValue)>,
    /// For HTTP: whether it is a sentence alone, and no object.
    plain: bool,
}

/// A word for programs, and the part of what they sent that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reason {
    code: &'static str,
    /// Bytes, from and to.
    place: Option<(u32, u32)>,
}

/// What a request speaks, and so how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC: errors are statuses.
    Grpc,
    /// Plain HTTP: errors are problem details (RFC 9457).
    Http,
}

impl Problem {
    /// This status over HTTP and this code over gRPC, with a sentence that says what to do.
    pub(super) fn new(status: StatusCode, code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        // RFC 9110, section 11.6.1: a 401 names a scheme that would do.
        let scheme = HeaderValue::from_static("Bearer realm=\"octroi\"");
        let header = (status == StatusCode::UNAUTHORIZED).then_some((header::WWW_AUTHENTICATE, scheme));
        Self { status, code, detail: detail.into(), violations: None, reason: None, header, plain: false }
    }

    pub(super) fn with_violations(self, violations: Violations) -> Self {
        Self { violations: Some(violations), ..self }
    }

    pub(super) fn with_reason(self, code: &'static str, place: Option<(u32, u32)>) -> Self {
        Self { reason: Some(Reason { code, place }), ..self }
    }

    /// As a sentence alone: clients that look for a result in any object take an object without one for an empty one.
    pub(crate) fn plainly(self) -> Self {
        Self { plain: true, ..self }
    }

    pub(super) fn with_header(self, name: HeaderName, value: &str) -> Self {
        Self { header: HeaderValue::try_from(value).ok().map(|value| (name, value)), ..self }
    }

    /// The answer to a request: a trailers-only gRPC status, or `application/problem+json`.
    pub fn respond(self, protocol: Protocol) -> Response {
        match protocol {
            Protocol::Grpc => Status::from(self).into_http(),
            Protocol::Http => self.into_response(),
        }
    }
}

impl Protocol {
    /// Of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let rest = kind.strip_prefix(b"application/grpc".as_slice());
        let grpc = rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')));
        if grpc { Self::Grpc } else { Self::Http }
    }
}

/// With every violation as a `google.rpc.BadRequest` detail, and a reason as a `google.rpc.ErrorInfo`.
impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        if problem.violations.is_none() && problem.reason.is_none() {
            return Self::new(problem.code, problem.detail);
        }
        let mut details = ErrorDetails::new();
        for violation in problem.violations.iter().flat_map(Violations::iter) {
            details.add_bad_request_violation(&violation.field, &violation.problem);
        }
        if let Some(Reason { code, place }) = problem.reason {
            let place = place.map(|(from, to)| [("from", from), ("to", to)]).into_iter().flatten();
            let place = place.map(|(name, at)| (name.to_owned(), at.to_string()));
            details.set_error_info(code, "octroi", place.collect::<HashMap<_, _>>());
        }
        Self::with_error_details(problem.code, problem.detail, details)
    }
}

/// RFC 9457 problem details, of the type that says no more than its HTTP status.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.plain {
            let headers = HeaderMap::from_iter(self.header);
            return (self.status, headers, self.detail).into_response();
        }
        let mut body = json!({
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(violations), Some(body)) = (self.violations, body.as_object_mut()) {
            let list = violations.iter().map(|it| json!({ "field": it.field, "problem": it.problem })).collect();
            body.insert("violations".to_owned(), list);
        }
        if let (Some(Reason { code, place }), Some(body)) = (self.reason, body.as_object_mut()) {
            body.insert("code".to_owned(), code.into());
            if let Some((from, to)) = place {
                body.insert("from".to_owned(), from.into());
                body.insert("to".to_owned(), to.into());
            }
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header);
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::answer::Refusal;

    #[test]
    fn violations_reach_grpc_callers_by_field() {
        let status = Status::from(Refusal::field("licence", "must be an absolute IRI"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, "licence");
    }

    #[test]
    fn a_reason_reaches_programs_of_both_protocols() {
        let problem = Problem::from(Refusal::Forbidden).with_reason("syntax", Some((3, 9)));
        let status = Status::from(problem.clone());
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["from"].as_str()), ("syntax", "3"));
        let body = problem.into_response().into_body();
        let body = futures::executor::block_on(body.collect()).unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["to"]), (&"syntax".into(), &9.into()));
    }

    #[tokio::test]
    async fn a_problem_for_http() {
        let response = Problem::from(Refusal::Unauthenticated).respond(Protocol::of(&HeaderMap::new()));
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert!(response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["status"], &problem["title"]), (&401.into(), &"Unauthorized".into()));
    }

    #[test]
    fn problems_over_http_say_where_the_end_is() {
        let response = Refusal::OutOfRange { length: 7 }.into_response();
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes */7");
    }

    #[test]
    fn a_status_for_grpc() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
        let response = Problem::from(Refusal::Unauthenticated).respond(Protocol::of(&headers));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], "16");
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpcx"));
        assert_eq!(Protocol::of(&headers), Protocol::Http);
    }
}

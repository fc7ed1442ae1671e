//! The one place where failures become answers. Callers learn the kind and what to do; the log learns the cause.

use std::{error::Error, fmt};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use octroi_proto::Violations;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Why a request was not done, as a caller may know it.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// What was sent is wrong; every violation by field.
    Invalid(Violations),
    /// Nobody proved to be anybody, and somebody is needed.
    Unauthenticated,
    /// The policy says no.
    Forbidden,
    /// There is no such thing, or none that the caller may know of.
    NotFound,
    /// There is such a thing, but this cannot be done to it over HTTPS.
    WrongMethod,
    /// There is such a thing already.
    Exists(String),
    /// The thing is not in a state in which this can be done.
    Precondition(String),
    /// It changed since the caller looked.
    Changed,
    /// A range that begins at or past the end of so many bytes.
    OutOfRange {
        /// Bytes there are.
        length: u64,
    },
    /// Over a limit, which this setting governs.
    TooLarge {
        /// The setting.
        setting: &'static str,
        /// Its value.
        limit: u64,
    },
    /// A queue is full.
    Busy,
    /// What is stored fails authentication.
    DataLoss,
    /// The evidence cannot be written, so nothing that needs it is done.
    Unavailable,
    /// It failed here; the log says why.
    Internal,
}

impl Refusal {
    /// One field, one problem.
    pub fn field(field: &'static str, problem: impl ToString) -> Self {
        Self::Invalid(Violations::one(field, problem))
    }

    /// A failure of the gateway's own: the cause is logged here and told to nobody.
    pub fn internal(cause: &(dyn Error + 'static)) -> Self {
        tracing::error!(cause = %Chain(cause), "request failed");
        Self::Internal
    }

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
            Self::WrongMethod => Code::Unimplemented,
            Self::Exists(_) => Code::AlreadyExists,
            Self::Precondition(_) => Code::FailedPrecondition,
            Self::Changed => Code::Aborted,
            Self::OutOfRange { .. } => Code::OutOfRange,
            Self::TooLarge { .. } | Self::Busy => Code::ResourceExhausted,
            Self::DataLoss => Code::DataLoss,
            Self::Unavailable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Exists(_) | Self::Precondition(_) => StatusCode::CONFLICT,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::OutOfRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::DataLoss | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The word for it in evidence and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::WrongMethod => "wrong_method",
            Self::Exists(_) => "exists",
            Self::Precondition(_) => "precondition",
            Self::Changed => "changed",
            Self::OutOfRange { .. } => "out_of_range",
            Self::TooLarge { .. } => "too_large",
            Self::Busy => "busy",
            Self::DataLoss => "data_loss",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(violations) => violations.fmt(f),
            Self::Unauthenticated => f.write_str("this needs a client certificate or a token: name a profile that has one"),
            Self::Forbidden => f.write_str("the policy does not allow this: ask the dataset's steward"),
            Self::NotFound => f.write_str("there is no such thing here, or none that you may see: check its name"),
            Self::WrongMethod => f.write_str("this cannot be done here: the `allow` header says what can"),
            Self::Exists(sentence) | Self::Precondition(sentence) => f.write_str(sentence),
            Self::Changed => f.write_str("it has changed since you looked: look again and repeat"),
            Self::OutOfRange { length } => write!(f, "the range begins at or past the end: there are {length} bytes"),
            Self::TooLarge { setting, limit } => write!(f, "this is over the limit of {limit} (setting `{setting}`)"),
            Self::Busy => f.write_str("the gateway is at its limit: try again in a moment"),
            Self::DataLoss => f.write_str("what is stored here fails authentication and was withheld: tell the operator"),
            Self::Unavailable => f.write_str("the gateway cannot write its evidence and does nothing without: tell the operator"),
            Self::Internal => f.write_str("this failed inside the gateway: try again, and tell the operator if it persists"),
        }
    }
}

impl Error for Refusal {}

impl From<Violations> for Refusal {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let sentence = refusal.to_string();
        match &refusal {
            Refusal::Invalid(violations) => {
                let mut details = ErrorDetails::new();
                for violation in violations.iter() {
                    details.add_bad_request_violation(&violation.field, &violation.problem);
                }
                Self::with_error_details(refusal.code(), sentence, details)
            }
            _ => Self::new(refusal.code(), sentence),
        }
    }
}

/// RFC 9457 problem details.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": self.to_string() });
        if let (Self::Invalid(violations), Some(body)) = (&self, body.as_object_mut()) {
            let list = violations.iter().map(|it| json!({ "field": it.field, "problem": it.problem })).collect();
            body.insert("violations".to_owned(), serde_json::Value::Array(list));
        }
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Busy => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::OutOfRange { length } => {
                if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
                    headers.insert(header::CONTENT_RANGE, range);
                }
            }
            _ => {}
        }
        response
    }
}

/// An error and what caused it, on one line.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_reach_grpc_callers_by_field() {
        let status = Status::from(Refusal::field("licence", "must be an absolute IRI"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, "licence");
    }

    #[tokio::test]
    async fn problems_over_https_say_where_the_end_is() {
        let response = Refusal::OutOfRange { length: 7 }.into_response();
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes */7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}

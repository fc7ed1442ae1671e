//! What the services refuse, by kind.

use std::{error::Error, fmt};

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use octroi_proto::Violations;
use tonic::{Code, Status};

use super::{Chain, Problem};
use crate::zone::Rejection;

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
    /// There is such a thing, but in no form that the caller accepts.
    NotAcceptable,
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
    /// The question itself is not allowed, whatever the data.
    Question(Rejection),
    /// No zone could be had.
    NoZone,
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

    /// The word for it in evidence and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::WrongMethod => "wrong_method",
            Self::NotAcceptable => "not_acceptable",
            Self::Exists(_) => "exists",
            Self::Precondition(_) => "precondition",
            Self::Changed => "changed",
            Self::OutOfRange { .. } => "out_of_range",
            Self::TooLarge { .. } => "too_large",
            Self::Question(_) => "question",
            Self::NoZone => "no_zone",
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
            Self::Unauthenticated => f.write_str("this needs a client certificate or a bearer token: present one"),
            Self::Forbidden => f.write_str("the policy does not allow this: it takes a live grant, or another role"),
            Self::NotFound => f.write_str("there is no such thing here, or none that you may see: check its name"),
            Self::WrongMethod => f.write_str("this cannot be done here: the `allow` header says what can"),
            Self::NotAcceptable => {
                f.write_str("there is no such form of this: accept text/turtle, application/ld+json, application/rdf+xml or text/html")
            }
            Self::Exists(sentence) | Self::Precondition(sentence) => f.write_str(sentence),
            Self::Changed => f.write_str("it has changed since you looked: look again and repeat"),
            Self::OutOfRange { length } => write!(f, "the range begins at or past the end: there are {length} bytes"),
            Self::TooLarge { setting, limit } => {
                write!(f, "this is too large: send at most {limit} (setting `{setting}`)")
            }
            Self::Question(rejection) => f.write_str(rejection.text()),
            Self::NoZone => f.write_str("no zone could be had: try again, and tell the operator if it persists"),
            Self::Busy => f.write_str("the gateway is at its limit: try again in a moment"),
            Self::DataLoss => {
                f.write_str("what is stored here fails authentication and was withheld: tell the operator")
            }
            Self::Unavailable => {
                f.write_str("the gateway cannot write its evidence and does nothing without: tell the operator")
            }
            Self::Internal => {
                f.write_str("this failed inside the gateway: try again, and tell the operator if it persists")
            }
        }
    }
}

impl Error for Refusal {}

impl From<Violations> for Refusal {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

/// The one table of what is what in both protocols.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let problem = |status, code| Self::new(status, code, detail);
        match refusal {
            Refusal::Invalid(violations) => {
                problem(StatusCode::BAD_REQUEST, Code::InvalidArgument).with_violations(violations)
            }
            Refusal::Unauthenticated => problem(StatusCode::UNAUTHORIZED, Code::Unauthenticated),
            Refusal::Forbidden => problem(StatusCode::FORBIDDEN, Code::PermissionDenied),
            Refusal::NotFound => problem(StatusCode::NOT_FOUND, Code::NotFound),
            Refusal::WrongMethod => problem(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Refusal::NotAcceptable => problem(StatusCode::NOT_ACCEPTABLE, Code::InvalidArgument),
            Refusal::Exists(_) => problem(StatusCode::CONFLICT, Code::AlreadyExists),
            Refusal::Precondition(_) => problem(StatusCode::CONFLICT, Code::FailedPrecondition),
            Refusal::Changed => problem(StatusCode::PRECONDITION_FAILED, Code::Aborted),
            Refusal::OutOfRange { length } => problem(StatusCode::RANGE_NOT_SATISFIABLE, Code::OutOfRange)
                .with_header(header::CONTENT_RANGE, &format!("bytes */{length}")),
            Refusal::TooLarge { .. } => problem(StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            Refusal::Question(rejection) => {
                let (code, place) = (rejection.code(), rejection.place());
                problem(StatusCode::BAD_REQUEST, Code::InvalidArgument).with_reason(code, place)
            }
            Refusal::NoZone => problem(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            Refusal::Busy => {
                problem(StatusCode::SERVICE_UNAVAILABLE, Code::ResourceExhausted).with_header(header::RETRY_AFTER, "1")
            }
            Refusal::DataLoss => problem(StatusCode::INTERNAL_SERVER_ERROR, Code::DataLoss),
            Refusal::Unavailable => problem(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            Refusal::Internal => problem(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// For failures of the gateway's own, whatever they are.
pub(crate) trait OrInternal<T> {
    /// The value, or a refusal that says nothing of the cause; the log has it.
    fn or_internal(self) -> Result<T, Refusal>;
}

impl<T, E: Error + 'static> OrInternal<T> for Result<T, E> {
    fn or_internal(self) -> Result<T, Refusal> {
        self.map_err(|cause| Refusal::internal(&cause))
    }
}

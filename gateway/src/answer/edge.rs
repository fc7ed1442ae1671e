//! What the stations before the services say no with.

use http::{StatusCode, header};
use tonic::Code;

use super::Problem;
use crate::{
    authenticate::AuthenticationError,
    listen::{AuthorityError, BodyError, TooFast, TookTooLong},
};

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        let status = match error {
            AuthorityError::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            AuthorityError::Missing
            | AuthorityError::Repeated
            | AuthorityError::Contradictory
            | AuthorityError::Malformed => StatusCode::BAD_REQUEST,
        };
        Self::new(status, Code::InvalidArgument, error.to_string())
    }
}

impl From<TooFast> for Problem {
    fn from(error: TooFast) -> Self {
        // RFC 9110, section 10.2.3: whole seconds, so that the next request is not too early again.
        let seconds = error.wait.as_secs().saturating_add(1).to_string();
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted, error.to_string())
            .with_header(header::RETRY_AFTER, &seconds)
            .plainly()
    }
}

impl From<TookTooLong> for Problem {
    fn from(error: TookTooLong) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, Code::DeadlineExceeded, error.to_string())
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let (status, code) = match error {
            BodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            BodyError::Crowded => (StatusCode::SERVICE_UNAVAILABLE, Code::ResourceExhausted),
            BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<AuthenticationError> for Problem {
    fn from(error: AuthenticationError) -> Self {
        let (status, code) = if error.is_ours() {
            (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
        } else {
            (StatusCode::UNAUTHORIZED, Code::Unauthenticated)
        };
        Self::new(status, code, error.to_string())
    }
}

//! What a request brings to prove who sends it.

use std::fmt;

use http::{HeaderMap, header};

use crate::listen::{Peer, PeerCertificate};

/// What a request brings to prove who sends it: one credential or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// Nothing.
    Nothing,
    /// A certificate that TLS verified.
    Certificate(&'a PeerCertificate),
    /// A token that nobody has verified yet.
    Token(BearerToken<'a>),
}

/// A bearer token (RFC 6750), not verified. Its text is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a>(&'a str);

/// Why credentials cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PresentedError {
    /// A certificate and a token.
    #[error("present a client certificate or a token, not both")]
    Both,
    /// More than one `Authorization` header.
    #[error("give the `Authorization` header once")]
    Repeated,
    /// Another scheme.
    #[error("give the `Authorization` header as `Bearer` and a token")]
    Scheme,
    /// Not the characters of a token, or too many.
    #[error("the token is not one: give it as the issuer gave it, at most 8192 characters")]
    NotAToken,
}

impl<'a> Presented<'a> {
    /// Reads what a request brings.
    ///
    /// # Errors
    /// [`PresentedError`] when it brings two credentials, or one that is not clearly any.
    pub fn of(peer: &'a Peer, headers: &'a HeaderMap) -> Result<Self, PresentedError> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let first = given.next();
        if given.next().is_some() {
            return Err(PresentedError::Repeated);
        }
        match (peer.certificate.as_ref(), first) {
            (None, None) => Ok(Self::Nothing),
            (Some(certificate), None) => Ok(Self::Certificate(certificate)),
            (None, Some(value)) => BearerToken::parse(value.as_bytes()).map(Self::Token),
            (Some(_), Some(_)) => Err(PresentedError::Both),
        }
    }
}

impl<'a> BearerToken<'a> {
    /// Reads the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`PresentedError`] when it is not `Bearer` and a token of a bearable size.
    pub fn parse(value: &'a [u8]) -> Result<Self, PresentedError> {
        let (scheme, token) = value.split_at_checked(SCHEME.len()).ok_or(PresentedError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(PresentedError::Scheme);
        }
        let token = token.trim_ascii();
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=');
        if token.is_empty() || token.len() > LONGEST_TOKEN || !token.iter().all(allowed) {
            return Err(PresentedError::NotAToken);
        }
        std::str::from_utf8(token).map(Self).map_err(|_| PresentedError::NotAToken)
    }

    /// The token's text, for who verifies it.
    pub(super) fn expose(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

const SCHEME: &[u8] = b"Bearer ";
const LONGEST_TOKEN: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bearer_token_and_nothing_else() {
        assert_eq!(BearerToken::parse(b"Bearer a.b-c").unwrap().expose(), "a.b-c");
        assert_eq!(BearerToken::parse(b"bearer  a.b-c ").unwrap().expose(), "a.b-c");
        assert_eq!(BearerToken::parse(b"Basic YTpi"), Err(PresentedError::Scheme));
        assert_eq!(BearerToken::parse(b"Bearer"), Err(PresentedError::Scheme));
        assert_eq!(BearerToken::parse(b"Bearer "), Err(PresentedError::NotAToken));
        assert_eq!(BearerToken::parse(b"Bearer a b"), Err(PresentedError::NotAToken));
        let huge = [b"Bearer ".as_slice(), &[b'a'; LONGEST_TOKEN + 1]].concat();
        assert_eq!(BearerToken::parse(&huge), Err(PresentedError::NotAToken));
        assert_eq!(format!("{:?}", BearerToken("secret")), "BearerToken(..)");
    }

    proptest! {
        #[test]
        fn any_header_is_a_token_or_a_refusal(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = BearerToken::parse(&value);
        }

        #[test]
        fn any_text_after_the_scheme_is_a_token_or_a_refusal(text in ".{0,40}") {
            let value = format!("Bearer {text}");
            if let Ok(token) = BearerToken::parse(value.as_bytes()) {
                prop_assert_eq!(token.expose(), text.trim());
            }
        }
    }
}

//! A JSON Web Token (RFC 7519, and RFC 8725 for what to beware of): from text to what its issuer vouches for.

use jsonwebtoken::{Algorithm, Validation};
use octroi_proto::{Instant, OidcSubject};
use serde::{Deserialize, Deserializer};

use super::{BearerToken, jwks::Key};
use crate::settings::{Oidc, TokenAlgorithm};

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a signed JSON Web Token that we understand.
    #[error("the token is not a JSON Web Token signed by an algorithm that is accepted here")]
    Malformed,
    /// Its issuer is not configured.
    #[error("the token is from an issuer that is not accepted here: get one from an issuer that is")]
    Issuer,
    /// Its algorithm is not on the issuer's list.
    #[error("the token is signed by an algorithm that is not accepted from its issuer")]
    Algorithm,
    /// Its issuer has no such key.
    #[error("the token's key is not among its issuer's: get a new token")]
    UnknownKey,
    /// The issuer's keys cannot be had.
    #[error("the keys of the token's issuer cannot be had now: try again later")]
    KeysUnavailable,
    /// Its signature is not by that key.
    #[error("the token's signature is wrong: get a new token")]
    Signature,
    /// It is for somebody else.
    #[error("the token is for another audience: get one for this gateway")]
    Audience,
    /// It is over.
    #[error("the token has expired: get a new one")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet: check the clocks")]
    NotYet,
    /// A claim is missing, or not of its kind.
    #[error("the token lacks a claim, or has one that cannot be read: `iss`, `sub`, `aud` and `exp` must be there")]
    Claims,
}

impl TokenError {
    /// The word for it in metrics and logs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Issuer => "token_issuer",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::KeysUnavailable => "token_keys_unavailable",
            Self::Signature => "token_signature",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::Claims => "token_claims",
        }
    }
}

/// What a token says of itself, before anything is verified: enough to find the key to verify it with.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) algorithm: TokenAlgorithm,
    pub(super) key: Option<String>,
    pub(super) issuer: String,
}

/// What an issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vouched {
    /// Whom.
    pub(super) subject: OidcSubject,
    /// Until when, its clock's leeway included.
    pub(super) until: Instant,
}

#[derive(Deserialize)]
struct OfIssuer {
    iss: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(deserialize_with = "moment")]
    exp: Instant,
    #[serde(default, deserialize_with = "optional_moment")]
    nbf: Option<Instant>,
    #[serde(default, deserialize_with = "optional_moment")]
    iat: Option<Instant>,
}

impl Claimed {
    /// Reads a token without believing it.
    pub(super) fn parse(token: BearerToken<'_>) -> Result<Self, TokenError> {
        let header = jsonwebtoken::decode_header(token.expose()).map_err(|_| TokenError::Malformed)?;
        // RFC 7515, section 4.1.11: extensions that we do not understand; and nothing is encrypted or compressed here.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(TokenError::Malformed);
        }
        let algorithm = TokenAlgorithm::ALL.into_iter().find(|known| jwa(*known) == header.alg);
        let algorithm = algorithm.ok_or(TokenError::Malformed)?;
        let of: OfIssuer =
            jsonwebtoken::dangerous::insecure_decode_claims(token.expose()).map_err(|_| TokenError::Claims)?;
        Ok(Self { algorithm, key: header.kid, issuer: of.iss })
    }

    /// Verifies the token by its issuer's key and our rules.
    pub(super) fn verify(
        self,
        token: BearerToken<'_>,
        key: &Key,
        rules: &Oidc,
        now: Instant,
    ) -> Result<Vouched, TokenError> {
        let mut validation = Validation::new(jwa(self.algorithm));
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        validation.set_issuer(&[rules.issuer.as_str()]);
        validation.set_audience(&[&rules.audience]);
        // Times are compared below, by the gateway's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token.expose(), key.decoding(), &validation)
            .map_err(|error| kind(error.kind()))?
            .claims;
        let leeway = rules.leeway_seconds.get();
        let until = claims.exp.checked_add(leeway).map_err(|_| TokenError::Claims)?;
        let begins = claims.nbf.into_iter().chain(claims.iat).max();
        if until <= now {
            return Err(TokenError::Expired);
        }
        if begins.is_some_and(|begins| begins.saturating_sub(leeway).is_ok_and(|early| early > now)) {
            return Err(TokenError::NotYet);
        }
        if claims.sub.is_empty() || claims.sub.len() > LONGEST_SUBJECT {
            return Err(TokenError::Claims);
        }
        Ok(Vouched { subject: OidcSubject { issuer: self.issuer, subject: claims.sub }, until })
    }
}

/// The library's name of an algorithm.
pub(super) fn jwa(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        TokenAlgorithm::RS256 => Algorithm::RS256,
        TokenAlgorithm::RS384 => Algorithm::RS384,
        TokenAlgorithm::RS512 => Algorithm::RS512,
        TokenAlgorithm::PS256 => Algorithm::PS256,
        TokenAlgorithm::PS384 => Algorithm::PS384,
        TokenAlgorithm::PS512 => Algorithm::PS512,
        TokenAlgorithm::ES256 => Algorithm::ES256,
        TokenAlgorithm::ES384 => Algorithm::ES384,
        TokenAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

// The library's own messages may quote the token, so only their kind is kept.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is non-exhaustive")]
fn kind(error: &jsonwebtoken::errors::ErrorKind) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error {
        ErrorKind::InvalidSignature | ErrorKind::InvalidRsaKey(_) | ErrorKind::InvalidEcdsaKey => TokenError::Signature,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => TokenError::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
            TokenError::Claims
        }
        _ => TokenError::Malformed,
    }
}

/// A NumericDate (RFC 7519, section 2): seconds, perhaps with a fraction, which is dropped.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let refused = || serde::de::Error::custom("not a time");
    let number = serde_json::Number::deserialize(deserializer)?;
    let seconds = match number.as_i64() {
        Some(whole) => whole,
        None => number.as_f64().filter(|seconds| seconds.abs() < LATEST).map(whole_seconds).ok_or_else(refused)?,
    };
    Instant::from_second(seconds).map_err(|_| refused())
}

fn optional_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
    moment(deserializer).map(Some)
}

#[expect(clippy::cast_possible_truncation, reason = "the caller bounds it far below 2^53")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds as i64
}

const LONGEST_SUBJECT: usize = 255;
/// Beyond any time that can be told.
const LATEST: f64 = 1e12;

#[cfg(test)]
mod tests;

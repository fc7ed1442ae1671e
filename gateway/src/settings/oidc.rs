//! `[[oidc]]`: issuers whose bearer tokens are accepted.

use std::path::PathBuf;

use serde::Deserialize;

use super::{FetchUrl, Seconds};

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its URL, byte for byte as in its tokens.
    pub issuer: FetchUrl,
    /// The audience that tokens for this gateway carry.
    pub audience: String,
    /// The signature algorithms accepted.
    #[serde(default = "algorithms", deserialize_with = "some_algorithms")]
    pub algorithms: Vec<TokenAlgorithm>,
    /// Where its keys are; absent, `issuer` + `/.well-known/openid-configuration` is asked.
    #[serde(default)]
    pub jwks_uri: Option<FetchUrl>,
    /// The authorities that its server's certificate may come from, PEM; absent, the machine's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How far its clock may be from ours.
    #[serde(default = "leeway")]
    pub leeway_seconds: Seconds<0, 300>,
    /// How long its keys are trusted without being fetched again.
    #[serde(default = "cache")]
    pub cache_seconds: Seconds<10, 86_400>,
    /// The least time between two fetches of its keys.
    #[serde(default = "refetch")]
    pub refetch_seconds: Seconds<1, 3600>,
}

/// The signature algorithms there are to choose from: asymmetric ones only, so that a public key is never a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub enum TokenAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl TokenAlgorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];
}

fn algorithms() -> Vec<TokenAlgorithm> {
    vec![TokenAlgorithm::RS256, TokenAlgorithm::ES256, TokenAlgorithm::EdDSA]
}

fn some_algorithms<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<TokenAlgorithm>, D::Error> {
    let list = Vec::<TokenAlgorithm>::deserialize(deserializer)?;
    if list.is_empty() { Err(serde::de::Error::custom("must name at least one algorithm")) } else { Ok(list) }
}

const fn leeway() -> Seconds<0, 300> {
    Seconds::of(30)
}

const fn cache() -> Seconds<10, 86_400> {
    Seconds::of(3600)
}

const fn refetch() -> Seconds<1, 3600> {
    Seconds::of(10)
}

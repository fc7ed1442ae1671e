//! An issuer's public keys (RFC 7517): parsed, and each held to the algorithms that it may verify.

use std::sync::Arc;

use jsonwebtoken::{
    DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;

use super::token::jwa;
use crate::settings::TokenAlgorithm;

/// The keys of an issuer.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySet(Vec<Arc<Key>>);

/// A public key for signatures.
pub(super) struct Key {
    id: Option<String>,
    family: Family,
    algorithm: Option<KeyAlgorithm>,
    decoding: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// What an issuer calls its keys is not a set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys are not a JSON Web Key Set")]
pub(super) struct InvalidKeySet;

#[derive(Deserialize)]
struct Written {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Parses a key set. Keys of kinds that we do not use are left out, so that an issuer may have them.
    pub(super) fn parse(json: &[u8]) -> Result<Self, InvalidKeySet> {
        let written: Written = serde_json::from_slice(json).map_err(|_| InvalidKeySet)?;
        let keys = written.keys.into_iter().take(MOST_KEYS);
        let keys = keys.filter_map(|key| Key::parse(&serde_json::from_value(key).ok()?).map(Arc::new));
        Ok(Self(keys.collect()))
    }

    /// The key that a token names; where it names none, the only one that fits.
    pub(super) fn find(&self, id: Option<&str>, algorithm: TokenAlgorithm) -> Option<Arc<Key>> {
        let mut fitting = self.0.iter().filter(|key| key.fits(algorithm));
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).cloned(),
            None => {
                let only = fitting.next()?;
                fitting.next().is_none().then(|| Arc::clone(only))
            }
        }
    }
}

impl Key {
    fn parse(jwk: &Jwk) -> Option<Self> {
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let operations = jwk.common.key_operations.as_ref();
        let verifies = operations.is_none_or(|list| list.contains(&KeyOperations::Verify));
        if !signs || !verifies {
            return None;
        }
        let family = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Family::Rsa,
            AlgorithmParameters::EllipticCurve(key) => curve(&key.curve)?,
            AlgorithmParameters::OctetKeyPair(key) => curve(&key.curve)?,
            AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_) | _ => return None,
        };
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        let sound = match decoding.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => RSA_BYTES.contains(&n.len()) && e.len() <= 8,
            DecodingKeyKind::SecretOrDer(point) => point.len() <= 97,
        };
        let common = &jwk.common;
        sound.then(|| Self { id: common.key_id.clone(), family, algorithm: common.key_algorithm, decoding })
    }

    /// Whether the key is of the kind that an algorithm takes, and its issuer meant it for that algorithm.
    fn fits(&self, algorithm: TokenAlgorithm) -> bool {
        let family = match algorithm {
            TokenAlgorithm::RS256
            | TokenAlgorithm::RS384
            | TokenAlgorithm::RS512
            | TokenAlgorithm::PS256
            | TokenAlgorithm::PS384
            | TokenAlgorithm::PS512 => Family::Rsa,
            TokenAlgorithm::ES256 => Family::P256,
            TokenAlgorithm::ES384 => Family::P384,
            TokenAlgorithm::EdDSA => Family::Ed25519,
        };
        family == self.family && self.algorithm.is_none_or(|meant| meant == KeyAlgorithm::from(jwa(algorithm)))
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("family", &self.family).finish_non_exhaustive()
    }
}

fn curve(curve: &EllipticCurve) -> Option<Family> {
    match curve {
        EllipticCurve::P256 => Some(Family::P256),
        EllipticCurve::P384 => Some(Family::P384),
        EllipticCurve::Ed25519 => Some(Family::Ed25519),
        EllipticCurve::P521 | _ => None,
    }
}

const MOST_KEYS: usize = 64;
/// Moduli of 2048 to 8192 bits: less is weak, more is work.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1025;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn set(keys: &serde_json::Value) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn keys_that_must_not_verify_are_left_out() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let small = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtV";
        let keys = set(&json!([
            { "kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256" },
            { "kty": "RSA", "kid": "small", "n": small, "e": "AQAB" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "enc", "use": "enc", "x": x },
            { "kty": "what", "kid": "odd" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "good", "use": "sig", "x": x },
        ]));
        assert_eq!(keys.0.len(), 1);
        assert!(keys.find(Some("good"), TokenAlgorithm::EdDSA).is_some());
        assert!(keys.find(None, TokenAlgorithm::EdDSA).is_some());
        assert!(keys.find(Some("good"), TokenAlgorithm::ES256).is_none());
        assert!(keys.find(Some("shared"), TokenAlgorithm::RS256).is_none());
    }

    #[test]
    fn without_a_name_two_keys_are_none() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        assert!(set(&json!([key, key])).find(None, TokenAlgorithm::EdDSA).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = KeySet::parse(&bytes);
        }
    }
}

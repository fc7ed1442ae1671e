use super::*;
use crate::authenticate::jwks::KeySet;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// A key pair made for these tests, of no use anywhere else.
const RSA: &[u8] = include_bytes!("rsa-test-key.pem");
const NOW: i64 = 1_790_000_000;

fn now() -> Instant {
    Instant::from_second(NOW).unwrap()
}

fn rules() -> Oidc {
    let text = "issuer = \"https://i.example\"\naudience = \"octroi\"\nalgorithms = [\"RS256\", \"EdDSA\"]\n";
    toml::from_str(text).unwrap()
}

fn signing() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA).unwrap()
}

fn public() -> Jwk {
    let mut key = Jwk::from_encoding_key(&signing(), Algorithm::RS256).unwrap();
    key.common.key_id = Some("one".to_owned());
    key
}

fn key() -> Arc<Key> {
    let set = json!({ "keys": [public()] }).to_string();
    KeySet::parse(set.as_bytes()).unwrap().find(Some("one"), TokenAlgorithm::RS256).unwrap()
}

fn claims() -> Value {
    json!({ "iss": "https://i.example", "sub": "s-1", "aud": "octroi", "exp": NOW + 300, "iat": NOW - 10 })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

fn token(claims: &Value) -> String {
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &signing()).unwrap()
}

fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(value);
    format!("{}.{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()), part(signature))
}

fn verify(token: &str) -> Result<Vouched, TokenError> {
    let value = format!("Bearer {token}");
    let token = BearerToken::parse(value.as_bytes()).unwrap();
    Claimed::parse(token)?.verify(token, &key(), &rules(), now())
}

#[test]
fn a_good_token_vouches_for_its_subject() {
    let vouched = verify(&token(&claims())).unwrap();
    assert_eq!(vouched.subject, OidcSubject { issuer: "https://i.example".into(), subject: "s-1".into() });
    assert_eq!(vouched.until.as_second(), NOW + 330);
    assert!(verify(&token(&with("aud", json!(["other", "octroi"])))).is_ok());
    assert!(verify(&token(&with("exp", json!((NOW + 300) as f64 + 0.5)))).is_ok());
}

#[test]
fn every_claim_is_held_to_its_rule() {
    for (key, value, error) in [
        ("aud", json!("other"), TokenError::Audience),
        ("aud", json!(["other"]), TokenError::Audience),
        ("aud", Value::Null, TokenError::Claims),
        ("iss", json!("https://evil.example"), TokenError::Issuer),
        ("iss", json!(["https://i.example"]), TokenError::Claims),
        ("sub", Value::Null, TokenError::Claims),
        ("sub", json!(""), TokenError::Claims),
        ("sub", json!("s".repeat(256)), TokenError::Claims),
        ("sub", json!(7), TokenError::Claims),
        ("exp", Value::Null, TokenError::Claims),
        ("exp", json!("soon"), TokenError::Claims),
        ("exp", json!(1e300), TokenError::Claims),
        ("exp", json!(NOW - 30), TokenError::Expired),
        ("nbf", json!(NOW + 31), TokenError::NotYet),
        ("iat", json!(NOW + 31), TokenError::NotYet),
    ] {
        assert_eq!(verify(&token(&with(key, value.clone()))), Err(error), "{key} {value}");
    }
    // Within the leeway of 30 seconds.
    assert!(verify(&token(&with("exp", json!(NOW - 29)))).is_ok());
    assert!(verify(&token(&with("nbf", json!(NOW + 30)))).is_ok());
}

#[test]
fn no_signature_is_no_proof() {
    for none in ["none", "None", "NONE", ""] {
        assert_eq!(verify(&by_hand(&json!({ "alg": none }), &claims(), b"")), Err(TokenError::Malformed));
    }
}

#[test]
fn a_public_key_is_not_a_shared_secret() {
    let secret = serde_json::to_vec(&public()).unwrap();
    for secret in [secret.as_slice(), RSA, b"secret"] {
        let forged = encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(verify(&forged), Err(TokenError::Malformed));
    }
}

#[test]
fn altered_tokens_are_refused() {
    let good = token(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other = BASE64_URL_SAFE_NO_PAD.encode(with("sub", json!("s-2")).to_string());
    assert_eq!(verify(&format!("{header}.{other}.{signature}")), Err(TokenError::Signature));
    assert_eq!(verify(&format!("{message}.")), Err(TokenError::Signature));
    assert!(verify(message).is_err());
}

#[test]
fn another_algorithm_of_the_same_key_is_not_what_was_signed() {
    let header = json!({ "alg": "RS512", "kid": "one" });
    assert_eq!(verify(&by_hand(&header, &claims(), &[0; 256])), Err(TokenError::Signature));
}

#[test]
fn extensions_and_embedded_keys_are_not_followed() {
    let critical = json!({ "alg": "RS256", "crit": ["exp"], "exp": 1 });
    assert_eq!(verify(&by_hand(&critical, &claims(), &[0; 256])), Err(TokenError::Malformed));
    let embedded = json!({ "alg": "RS256", "jwk": public(), "jku": "https://evil.example/keys" });
    assert_eq!(verify(&by_hand(&embedded, &claims(), &[0; 256])), Err(TokenError::Signature));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_is_a_refusal(text in "[A-Za-z0-9_.=-]{1,80}") {
        prop_assert!(verify(&text).is_err());
    }

    #[test]
    fn any_header_and_claims_are_a_refusal(header in "\\PC{0,30}", claims in "\\PC{0,30}") {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.AAAA", part(&header), part(&claims));
        prop_assert!(verify(&token).is_err());
    }
}

use super::*;
use crate::clock::{Clock as _, ManualClock};
use axum::{Json, Router, routing::get};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

const NOW: i64 = 1_790_000_000;

/// An issuer on a loopback socket.
struct Login {
    url: String,
    keys: Arc<Mutex<Value>>,
    fetches: Arc<AtomicUsize>,
    clock: Arc<ManualClock>,
}

impl Login {
    async fn open() -> Self {
        let keys = Arc::new(Mutex::new(json!({ "keys": [] })));
        let fetches = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let document = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let serve_keys = {
            let (keys, fetches) = (Arc::clone(&keys), Arc::clone(&fetches));
            move || {
                fetches.fetch_add(1, Ordering::SeqCst);
                std::future::ready(Json(keys.lock().unwrap().clone()))
            }
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(move || std::future::ready(Json(document))))
            .route("/keys", get(serve_keys));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, keys, fetches, clock: ManualClock::at(NOW) }
    }

    fn issuers(&self) -> Issuers {
        let text = format!("issuer = \"{}\"\naudience = \"octroi\"\ncache_seconds = 600\n", self.url);
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        Issuers::start(&[toml::from_str(&text).unwrap()], &clock).unwrap()
    }

    fn publish(&self, keys: &[&Pair]) {
        *self.keys.lock().unwrap() = json!({ "keys": keys.iter().map(|pair| &pair.public).collect::<Vec<_>>() });
    }

    async fn verify(&self, issuers: &Issuers, pair: &Pair) -> Result<Vouched, TokenError> {
        let now = self.clock.now();
        let claims = json!({ "iss": self.url, "sub": "s-1", "aud": "octroi", "exp": now.as_second() + 60 });
        let header = Header { kid: Some(pair.id.to_owned()), ..Header::new(jsonwebtoken::Algorithm::ES256) };
        let value = format!("Bearer {}", encode(&header, &claims, &pair.signing).unwrap());
        issuers.verify(BearerToken::parse(value.as_bytes()).unwrap(), now).await
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

struct Pair {
    id: &'static str,
    signing: EncodingKey,
    public: Value,
}

fn pair(id: &'static str) -> Pair {
    let key = rcgen::KeyPair::generate().unwrap();
    let signing = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let point = key.public_key_raw();
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": part(&point[1..33]), "y": part(&point[33..]),
    });
    Pair { id, signing, public }
}

#[tokio::test]
async fn keys_are_discovered_once_and_kept() {
    let (login, one) = (Login::open().await, pair("one"));
    login.publish(&[&one]);
    let issuers = login.issuers();
    for _ in 0..5 {
        assert_eq!(login.verify(&issuers, &one).await.unwrap().subject.subject, "s-1");
    }
    assert_eq!(login.fetches(), 1);
}

#[tokio::test]
async fn rotation_is_followed_and_no_faster_than_the_interval() {
    let (login, one, two) = (Login::open().await, pair("one"), pair("two"));
    login.publish(&[&one]);
    let issuers = login.issuers();
    login.verify(&issuers, &one).await.unwrap();
    login.publish(&[&two]);
    assert_eq!(login.verify(&issuers, &two).await, Err(TokenError::UnknownKey));
    assert_eq!(login.fetches(), 1);
    login.wait(10);
    login.verify(&issuers, &two).await.unwrap();
    assert_eq!(login.verify(&issuers, &one).await, Err(TokenError::UnknownKey));
    assert_eq!(login.fetches(), 2);
}

#[tokio::test]
async fn many_unknown_keys_at_once_are_one_fetch() {
    let (login, one, two) = (Login::open().await, pair("one"), pair("two"));
    login.publish(&[&one]);
    let issuers = login.issuers();
    login.verify(&issuers, &one).await.unwrap();
    login.wait(10);
    let asked = (0..30).map(|_| login.verify(&issuers, &two));
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer, Err(TokenError::UnknownKey));
    }
    assert_eq!(login.fetches(), 2);
}

#[tokio::test]
async fn a_foreign_signature_under_a_known_name_is_refused() {
    let (login, one, forger) = (Login::open().await, pair("one"), pair("one"));
    login.publish(&[&one]);
    assert_eq!(login.verify(&login.issuers(), &forger).await, Err(TokenError::Signature));
}

#[tokio::test]
async fn stale_keys_serve_until_they_are_too_old() {
    let (login, one) = (Login::open().await, pair("one"));
    login.publish(&[&one]);
    let issuers = login.issuers();
    login.verify(&issuers, &one).await.unwrap();
    *login.keys.lock().unwrap() = json!("out of order");
    login.wait(599);
    login.verify(&issuers, &one).await.unwrap();
    login.wait(1);
    assert_eq!(login.verify(&issuers, &one).await, Err(TokenError::KeysUnavailable));
    login.publish(&[&one]);
    login.wait(10);
    login.verify(&issuers, &one).await.unwrap();
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let (login, one) = (Login::open().await, pair("one"));
    *login.keys.lock().unwrap() = json!({ "keys": [one.public], "padding": "x".repeat(LARGEST_ANSWER) });
    assert_eq!(login.verify(&login.issuers(), &one).await, Err(TokenError::KeysUnavailable));
}

#[tokio::test]
async fn other_issuers_and_other_algorithms_are_refused() {
    let (login, other, one) = (Login::open().await, Login::open().await, pair("one"));
    login.publish(&[&one]);
    assert_eq!(other.verify(&login.issuers(), &one).await, Err(TokenError::Issuer));
    let text = format!("issuer = \"{}\"\naudience = \"octroi\"\nalgorithms = [\"EdDSA\"]\n", login.url);
    let clock: SharedClock = Arc::clone(&login.clock) as SharedClock;
    let strict = Issuers::start(&[toml::from_str(&text).unwrap()], &clock).unwrap();
    assert_eq!(login.verify(&strict, &one).await, Err(TokenError::Algorithm));
    assert_eq!(login.verify(&Issuers::default(), &one).await, Err(TokenError::Issuer));
}

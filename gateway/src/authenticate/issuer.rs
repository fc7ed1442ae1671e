//! Configured issuers, and their keys: fetched by one task per issuer, kept while they are fresh enough.

use std::{path::PathBuf, sync::Arc, time::Duration};

use octroi_proto::Instant;
use reqwest::{Certificate, Client, redirect::Policy};
use serde::Deserialize;
use tokio::sync::{Notify, watch};

use super::{
    BearerToken, TokenError,
    jwks::{Key, KeySet},
    token::{Claimed, Vouched},
};
use crate::{
    clock::SharedClock,
    settings::{FetchUrl, Oidc, TokenAlgorithm},
};

/// All issuers whose tokens are accepted.
#[derive(Debug, Clone, Default)]
pub struct Issuers(Arc<[Issuer]>);

/// Why an issuer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its authority's certificate cannot be read.
    #[error("cannot read `oidc.ca` at `{path}`: {cause}")]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// There is no way to fetch its keys.
    #[error("cannot set up fetching the keys of `{issuer}`: check `oidc.ca`: {cause}")]
    Client {
        /// Whose.
        issuer: String,
        /// Why.
        cause: reqwest::Error,
    },
}

#[derive(Debug)]
struct Issuer {
    rules: Oidc,
    fetched: watch::Receiver<Fetched>,
    wanted: Arc<Notify>,
}

/// The outcome of the fetches so far.
#[derive(Debug, Clone, Default)]
struct Fetched {
    keys: KeySet,
    /// When these keys came.
    at: Option<Instant>,
    /// When they were last asked for, in vain or not.
    tried: Option<Instant>,
    tries: u64,
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {LARGEST_ANSWER} bytes")]
    TooLarge,
    #[error("the discovery document is not one, names another issuer, or no https `jwks_uri`")]
    Discovery,
    #[error(transparent)]
    Keys(#[from] super::jwks::InvalidKeySet),
}

impl Issuers {
    /// Sets up the configured issuers, and begins to fetch their keys. Needs a tokio runtime; the tasks end with the
    /// last clone of what this returns.
    ///
    /// # Errors
    /// [`IssuerError`] when one cannot be used at all; one that cannot be reached now is tried again later.
    pub fn start(configured: &[Oidc], clock: &SharedClock) -> Result<Self, IssuerError> {
        configured
            .iter()
            .map(|rules| Issuer::start(rules.clone(), Arc::clone(clock)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whom a token speaks for.
    pub(super) async fn verify(&self, token: BearerToken<'_>, now: Instant) -> Result<Vouched, TokenError> {
        let claimed = Claimed::parse(token)?;
        let issuer = self.0.iter().find(|issuer| issuer.rules.issuer.as_str() == claimed.issuer);
        let issuer = issuer.ok_or(TokenError::Issuer)?;
        if !issuer.rules.algorithms.contains(&claimed.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let key = issuer.key(claimed.key.as_deref(), claimed.algorithm, now).await?;
        claimed.verify(token, &key, &issuer.rules, now)
    }
}

impl Issuer {
    fn start(rules: Oidc, clock: SharedClock) -> Result<Self, IssuerError> {
        let client = client(&rules)?;
        let (sender, fetched) = watch::channel(Fetched::default());
        let wanted = Arc::new(Notify::new());
        wanted.notify_one();
        let fetcher = Fetcher { rules: rules.clone(), client, clock };
        tokio::spawn(fetcher.run(sender, Arc::clone(&wanted)));
        Ok(Self { rules, fetched, wanted })
    }

    /// The key that a token names. One that is not known is asked for, unless that was done just now.
    async fn key(&self, id: Option<&str>, algorithm: TokenAlgorithm, now: Instant) -> Result<Arc<Key>, TokenError> {
        let mut fetched = self.fetched.clone();
        let known = fetched.borrow_and_update().clone();
        if let Some(key) = known.key(id, algorithm, now, &self.rules) {
            if known.is_stale(now, &self.rules) {
                self.wanted.notify_one();
            }
            return Ok(key);
        }
        if known.tried_just_now(now, &self.rules) {
            return Err(known.lack(now, &self.rules));
        }
        self.wanted.notify_one();
        let newer = fetched.wait_for(|newer| newer.tries > known.tries);
        let newer = match tokio::time::timeout(FETCH_TIME, newer).await {
            Ok(Ok(newer)) => newer.clone(),
            Ok(Err(_)) | Err(_) => return Err(TokenError::KeysUnavailable),
        };
        newer.key(id, algorithm, now, &self.rules).ok_or_else(|| newer.lack(now, &self.rules))
    }
}

impl Fetched {
    /// The key, while it may be trusted.
    fn key(&self, id: Option<&str>, algorithm: TokenAlgorithm, now: Instant, rules: &Oidc) -> Option<Arc<Key>> {
        self.is_trusted(now, rules).then(|| self.keys.find(id, algorithm)).flatten()
    }

    fn is_trusted(&self, now: Instant, rules: &Oidc) -> bool {
        self.at.is_some_and(|at| !older(at, rules.cache_seconds.get(), now))
    }

    /// Half way to not being trusted: time to fetch again while nobody waits.
    fn is_stale(&self, now: Instant, rules: &Oidc) -> bool {
        self.at.is_none_or(|at| older(at, rules.cache_seconds.get() / 2, now))
    }

    fn tried_just_now(&self, now: Instant, rules: &Oidc) -> bool {
        self.tried.is_some_and(|tried| !older(tried, rules.refetch_seconds.get(), now))
    }

    fn lack(&self, now: Instant, rules: &Oidc) -> TokenError {
        if self.is_trusted(now, rules) { TokenError::UnknownKey } else { TokenError::KeysUnavailable }
    }
}

fn older(at: Instant, than: Duration, now: Instant) -> bool {
    at.checked_add(than).is_ok_and(|end| end <= now)
}

/// The task that fetches one issuer's keys, one fetch at a time.
struct Fetcher {
    rules: Oidc,
    client: Client,
    clock: SharedClock,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: FetchUrl,
}

impl Fetcher {
    async fn run(self, fetched: watch::Sender<Fetched>, wanted: Arc<Notify>) {
        loop {
            tokio::select! {
                () = wanted.notified() => {}
                () = fetched.closed() => return,
            }
            let now = self.clock.now();
            if fetched.borrow().tried_just_now(now, &self.rules) {
                continue;
            }
            let outcome = self.fetch().await;
            if let Err(error) = &outcome {
                tracing::warn!(issuer = self.rules.issuer.as_str(), %error, "cannot fetch the issuer's keys");
            }
            fetched.send_modify(|fetched| {
                fetched.tried = Some(now);
                fetched.tries += 1;
                if let Ok(keys) = outcome {
                    fetched.keys = keys;
                    fetched.at = Some(now);
                }
            });
        }
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let place = match &self.rules.jwks_uri {
            Some(place) => place.clone(),
            None => self.discover().await?,
        };
        Ok(KeySet::parse(&self.read(place.as_str()).await?)?)
    }

    /// OpenID Connect Discovery 1.0, section 4.
    async fn discover(&self) -> Result<FetchUrl, FetchError> {
        let issuer = self.rules.issuer.as_str();
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self.read(&place).await?;
        let document: Discovery = serde_json::from_slice(&document).map_err(|_| FetchError::Discovery)?;
        if document.issuer == issuer { Ok(document.jwks_uri) } else { Err(FetchError::Discovery) }
    }

    async fn read(&self, place: &str) -> Result<Vec<u8>, FetchError> {
        let mut response = self.client.get(place).send().await?.error_for_status()?;
        let mut content = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if content.len() + piece.len() > LARGEST_ANSWER {
                return Err(FetchError::TooLarge);
            }
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }
}

fn client(rules: &Oidc) -> Result<Client, IssuerError> {
    let refused = |cause| IssuerError::Client { issuer: rules.issuer.as_str().to_owned(), cause };
    // No redirects and no proxy from the environment: keys come from where the settings say.
    let mut builder = Client::builder().redirect(Policy::none()).no_proxy().timeout(FETCH_TIME / 2).use_rustls_tls();
    if let Some(path) = &rules.ca {
        let pem = std::fs::read(path).map_err(|cause| IssuerError::Unreadable { path: path.clone(), cause })?;
        builder = builder.tls_built_in_root_certs(false);
        for certificate in Certificate::from_pem_bundle(&pem).map_err(refused)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(refused)
}

const LARGEST_ANSWER: usize = 256 * 1024;
/// For a token to wait for its key: discovery and keys, each half.
const FETCH_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;

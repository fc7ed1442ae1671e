//! `octroi.toml`, parsed once at start into [`Settings`]: every value has a default, a unit and a limit, and what is
//! not understood is refused with its file, key and reason.
//!
//! Trusts the file's owner, not its contents. Holds no secret: those stand in files of their own, named here, and
//! [`Settings::check_secrets`] refuses one that others may read.

mod address;
mod limited;
mod load;
mod objects;
mod oidc;
mod process;
mod zone;

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

pub use address::{AuthorityName, BaseUrl, FetchUrl, InvalidAddress, LogOrigin, LoopbackAddress};
pub use limited::{Bytes, Count, Days, Milliseconds, OutOfLimit, Seconds};
pub use load::{SettingsError, TEMPLATE};
pub use objects::{ObjectStoreSettings, Objects, S3};
pub use oidc::{Oidc, TokenAlgorithm};
pub use process::{Account, InvalidAccount, Process, UnknownAccount, UserSetting};
pub use zone::{Backends, Zone};

/// All settings. Paths are absolute once loaded.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What the gateway is called.
    pub gateway: Gateway,
    /// Where it listens.
    pub listen: Listen,
    /// The server's certificate.
    pub tls: Tls,
    /// What callers may use up.
    pub limits: Limits,
    /// The users that the processes run as.
    pub process: Process,
    /// The key process.
    pub keys: Keys,
    /// The evidence store.
    pub evidence: Evidence,
    /// The register's index.
    pub registry: Registry,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// The policies.
    pub policy: Policy,
    /// Where sealed objects lie.
    pub objects: Objects,
    /// Where questions on sensitive data run.
    pub zone: Zone,
    /// Issuers whose tokens are accepted.
    pub oidc: Vec<Oidc>,
    /// What is written about the process's life.
    pub log: Log,
    /// SHA-256 of the file they were read from, for the evidence of a start.
    #[serde(skip)]
    pub(crate) sha256: [u8; 32],
}

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// The permanent URL that the public listener is known by.
    pub base: BaseUrl,
    /// The catalogue's title.
    pub name: String,
    /// Who publishes the catalogue.
    pub organisation: String,
    /// The e-mail address that operators of harvesters write to; without one, the postmaster of the base's host.
    pub contact: Option<String>,
    /// The name of the evidence log; never changes once the log has an entry.
    pub log_origin: LogOrigin,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            base: BaseUrl::default(),
            name: "Octroi".to_owned(),
            organisation: "Octroi".to_owned(),
            contact: None,
            log_origin: LogOrigin::default(),
        }
    }
}

/// `[listen]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// HTTPS for everybody.
    pub public: Public,
    /// gRPC and HTTPS for callers with a certificate or a token.
    pub api: Api,
    /// Plain HTTP for this machine: health and metrics.
    pub loopback: Loopback,
}

/// `[listen.public]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Public {
    /// Where.
    pub address: SocketAddr,
    /// The authorities it answers for.
    pub names: Vec<AuthorityName>,
    /// Whether TLS 1.2 with ECDHE and AEAD is offered besides 1.3.
    pub tls12: bool,
}

impl Default for Public {
    fn default() -> Self {
        Self { address: ([0, 0, 0, 0], 8443).into(), names: vec![AuthorityName::default()], tls12: false }
    }
}

/// `[listen.api]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Where.
    pub address: SocketAddr,
    /// The authorities it answers for.
    pub names: Vec<AuthorityName>,
}

impl Default for Api {
    fn default() -> Self {
        Self { address: ([0, 0, 0, 0], 8444).into(), names: vec![AuthorityName::default()] }
    }
}

/// `[listen.loopback]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loopback {
    /// Where; a loopback address.
    pub address: LoopbackAddress,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The server's certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM; a secret file.
    pub key: PathBuf,
    /// The authority that client certificates must come from, PEM.
    pub authority: PathBuf,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: "tls/server.pem".into(),
            key: "tls/server.key".into(),
            authority: "authority/ca.pem".into(),
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Request line and headers together.
    pub header_bytes: Bytes<8192, 65_536>,
    /// A request's body where the call does not stream.
    pub body_bytes: Bytes<1024, 16_777_216>,
    /// All such bodies together, while their calls are answered.
    pub bodies_bytes: Bytes<1_048_576, 17_179_869_184>,
    /// Requests at once on one HTTP/2 connection.
    pub concurrent_streams: Count<1, 1000>,
    /// From a request, or the last piece of its body, to the head of its answer.
    pub request_seconds: Seconds<1, 600>,
    /// Without progress, on a connection or in a body.
    pub idle_seconds: Seconds<1, 3600>,
    /// A TLS handshake.
    pub handshake_seconds: Seconds<1, 60>,
    /// From the opening of a connection, or the end of an answer, to the end of the next request's headers.
    pub header_seconds: Seconds<1, 120>,
    /// Connections at once from one address, per listener.
    pub connections_per_address: Count<1, 100_000>,
    /// Connections at once, per listener.
    pub connections: Count<1, 100_000>,
    /// Requests a second from one address, on the public listener.
    pub requests_per_second: Count<1, 100_000>,
    /// For requests in flight to finish once the gateway is told to stop.
    pub drain_seconds: Seconds<1, 600>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: const { Bytes::of(16_384) },
            body_bytes: const { Bytes::of(1_048_576) },
            bodies_bytes: const { Bytes::of(67_108_864) },
            concurrent_streams: const { Count::of(64) },
            request_seconds: const { Seconds::of(30) },
            idle_seconds: const { Seconds::of(60) },
            handshake_seconds: const { Seconds::of(10) },
            header_seconds: const { Seconds::of(15) },
            connections_per_address: const { Count::of(64) },
            connections: const { Count::of(2000) },
            requests_per_second: const { Count::of(100) },
            drain_seconds: const { Seconds::of(20) },
        }
    }
}

/// `[keys]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Whether `octroi serve` starts the key process itself.
    pub start: bool,
    /// The key process's Unix socket.
    pub socket: PathBuf,
    /// The key process's folder.
    pub folder: PathBuf,
    /// How long client certificates last.
    pub certificate_days: Days<1, 825>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            start: true,
            socket: "run/keys.sock".into(),
            folder: "keys".into(),
            certificate_days: const { Days::of(365) },
        }
    }
}

/// `[evidence]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// Its folder.
    pub folder: PathBuf,
    /// Between signed checkpoints.
    pub checkpoint_seconds: Seconds<1, 3600>,
    /// Entries that may wait to be written.
    pub queue: Count<16, 65_536>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            folder: "state/evidence".into(),
            checkpoint_seconds: const { Seconds::of(10) },
            queue: const { Count::of(1024) },
        }
    }
}

/// `[registry]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    /// Its folder.
    pub folder: PathBuf,
    /// Memory for the index's cache.
    pub cache_bytes: Bytes<1_048_576, 17_179_869_184>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { folder: "state/registry".into(), cache_bytes: const { Bytes::of(67_108_864) } }
    }
}

/// `[catalogue]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Catalogue {
    /// Memory for pages that were written, packed.
    pub cache_bytes: Bytes<1_048_576, 17_179_869_184>,
    /// The folder of the search index.
    pub search: PathBuf,
    /// The key under which harvesters are told how far they came; a secret file.
    pub resumption_key: PathBuf,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            cache_bytes: const { Bytes::of(134_217_728) },
            search: "state/search".into(),
            resumption_key: "state/resumption.key".into(),
        }
    }
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The folder of the Cedar schema and policies.
    pub folder: PathBuf,
}

impl Default for Policy {
    fn default() -> Self {
        Self { folder: "policy".into() }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Lines for people or for programs.
    pub format: LogFormat,
    /// What to write: a level, or directives such as `info,octroi::listen=debug`.
    pub level: LogLevel,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel("info".to_owned()) }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Directives that `tracing-subscriber` understands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LogLevel(String);

impl LogLevel {
    /// The directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Log directives that cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `error`, `warn`, `info`, `debug`, `trace`, `off`, or directives such as `info,octroi::listen=debug`")]
pub struct InvalidLogLevel;

impl TryFrom<String> for LogLevel {
    type Error = InvalidLogLevel;

    fn try_from(text: String) -> Result<Self, InvalidLogLevel> {
        let understood = !text.trim().is_empty() && tracing_subscriber::EnvFilter::try_new(&text).is_ok();
        if understood { Ok(Self(text)) } else { Err(InvalidLogLevel) }
    }
}

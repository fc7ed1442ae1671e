//! The handshakes: TLS 1.3 on ring. The public listener never asks for a certificate; the api listener asks for one
//! of the gateway's own authority, does without, and resumes no session, so that every connection proves its key.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    time_provider::TimeProvider,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, UnixTime,
    pem::{self, PemObject as _},
};

use crate::{
    clock::SharedClock,
    secret_file::{self, SecretFileError},
    settings::Settings,
};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {cause}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The private key's file is not fit for use.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// A file is not PEM, or does not hold what it should.
    #[error("`{path}` does not hold what it should: {cause}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: pem::Error,
    },
    /// The certificate and the key are not a pair, or of a kind that is not supported.
    #[error("`tls.certificate` and `tls.key` cannot be used together: {0}")]
    Pair(rustls::Error),
    /// The client authority cannot be used.
    #[error("`tls.authority` cannot be used: {0}")]
    Authority(#[from] VerifierBuilderError),
}

/// The gateway's certificate and the authority of its clients, from which every listener's TLS is made.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authority: Arc<RootCertStore>,
    clock: SharedClock,
}

impl Identity {
    /// Reads `tls.certificate`, `tls.key` and `tls.authority`.
    ///
    /// # Errors
    /// [`TlsError`] when one cannot be read, or does not hold what it should.
    pub fn load(settings: &Settings, clock: SharedClock) -> Result<Self, TlsError> {
        let path = &settings.tls.key;
        let pem = secret_file::read(path)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|cause| TlsError::Pem { path: path.clone(), cause })?;
        let mut authority = RootCertStore::empty();
        for certificate in certificates(&settings.tls.authority)? {
            authority.add(certificate).map_err(TlsError::Pair)?;
        }
        Ok(Self { chain: certificates(&settings.tls.certificate)?, key, authority: Arc::new(authority), clock })
    }

    /// TLS for the public listener.
    ///
    /// # Errors
    /// [`TlsError::Pair`] when certificate and key do not go together.
    pub fn public(&self, tls12: bool) -> Result<Arc<ServerConfig>, TlsError> {
        // ring's suites for TLS 1.2 are all ECDHE with an AEAD.
        let versions: &[_] = if tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
        Ok(Arc::new(self.config(versions, None)?))
    }

    /// TLS for the api listener.
    ///
    /// # Errors
    /// [`TlsError`] when certificate and key do not go together, or the authority cannot be used.
    pub fn api(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let authority = Arc::clone(&self.authority);
        let verifier = WebPkiClientVerifier::builder_with_provider(authority, provider()).allow_unauthenticated();
        let mut config = self.config(&[&TLS13], Some(verifier.build()?))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    fn config(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<ServerConfig, TlsError> {
        let time = Arc::new(ClockTime(Arc::clone(&self.clock)));
        let builder = ServerConfig::builder_with_details(provider(), time)
            .with_protocol_versions(versions)
            .map_err(TlsError::Pair)?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let pair = builder.with_single_cert(self.chain.clone(), self.key.clone_key());
        let mut config = pair.map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.max_early_data_size = 0;
        Ok(config)
    }
}

/// The cryptography of every handshake.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { path: path.to_owned(), cause };
    let pem = std::fs::read(path).map_err(unreadable)?;
    let refused = |cause| TlsError::Pem { path: path.to_owned(), cause };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(refused)?;
    if chain.is_empty() { Err(refused(pem::Error::NoItemsFound)) } else { Ok(chain) }
}

/// TLS by the gateway's clock.
#[derive(Debug)]
struct ClockTime(SharedClock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

//! Makes the secrets of a data folder: each by the station that will use it.

use std::{error::Error, fs, time::Duration};

use octroi_proto::{CertificateDigest, Credential, Instant};
use rcgen::{CertificateParams, KeyPair};
use zeroize::Zeroizing;

use super::{Founding, Foundry};
use crate::{
    clock::{Clock, SystemClock},
    evidence::LogKey,
    keys::{
        authority::{Authority, Issued},
        root::RootKey,
    },
    registry::{Founder, Registry},
    secret_file,
    settings::AuthorityName,
};

/// The real thing.
pub(super) struct Founders {
    pub(super) clock: SystemClock,
}

type Failure = Box<dyn Error + Send + Sync>;

impl Foundry for Founders {
    fn found(&self, founding: &Founding<'_>) -> Result<String, Failure> {
        let (settings, now) = (founding.settings, self.clock.now());
        drop(RootKey::create(&settings.keys.folder.join("root.key"))?);
        let authority_key = settings.keys.folder.join("authority.key");
        let name = format!("Octroi {}", settings.gateway.base.host());
        let authority = Authority::create(&authority_key, &settings.tls.authority, &name, now)?;
        let names: Vec<_> = founding.names.iter().map(AuthorityName::text).collect();
        let server = authority.issue_server(&names, SERVER, now)?;
        fs::write(&settings.tls.certificate, server.certificate)?;
        secret_file::create(&settings.tls.key, server.key.as_bytes())?;
        let operator = operator(founding, &authority, now)?;
        let sha256 = CertificateDigest::of(&operator.certificate);
        let founder = Founder {
            name: founding.operator.clone(),
            organisation: founding.organisation.clone(),
            credential: Credential::Certificate { sha256, expires: operator.expires },
        };
        Registry::found(&settings.registry_settings(), settings.gateway.log_origin.as_str(), founder, now)?;
        let log_key = LogKey::load(&settings.evidence.folder.join("log.key"))?;
        Ok(log_key.verifier_key().to_string())
    }
}

/// The first operator's certificate and key.
fn operator(founding: &Founding<'_>, authority: &Authority, now: Instant) -> Result<Issued, Failure> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::new(Vec::new())?.serialize_request(&key)?;
    let validity = founding.settings.keys.certificate_days.get();
    let issued = authority.issue_client(request.der(), &founding.operator, &founding.organisation, validity, now)?;
    fs::write(&founding.operator_certificate, issued.chain_pem())?;
    secret_file::create(&founding.operator_key, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    Ok(issued)
}

/// How long the server's first certificate lasts: what browsers accept at most.
const SERVER: Duration = Duration::from_secs(397 * 86_400);

//! The gateway's own small certificate authority: one root, certificates for clients and for the gateway's listeners.
//!
//! ECDSA P-256 with SHA-256 throughout: what rustls on ring, OpenSSL and gRPC's clients all speak. Its certificates
//! say who someone is; what they may do, and whether they still may, is the register's to say. Revocation is there
//! too: nothing here is ever taken back.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use octroi_proto::{Instant, OrganisationId, PrincipalName};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
    SubjectPublicKeyInfo,
};
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};
use zeroize::Zeroizing;

use crate::{
    durable,
    secret_file::{self, SecretFileError},
};

/// The authority, ready to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    expires: Instant,
}

/// A certificate for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// DER.
    pub certificate: Vec<u8>,
    /// The authority's own certificate, DER.
    pub issuer: Vec<u8>,
    /// When the certificate ends.
    pub expires: Instant,
}

/// A certificate for a listener, and its key.
pub struct ServerIdentity {
    /// PEM.
    pub certificate: String,
    /// PKCS#8, PEM.
    pub key: Zeroizing<String>,
}

impl Issued {
    /// The certificate and its issuer, PEM.
    pub fn chain_pem(&self) -> String {
        [&self.certificate, &self.issuer].map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()))).concat()
    }
}

/// Why there is no authority to work with.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its key cannot be read or made, or others can read it.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// Its certificate cannot be read or written.
    #[error("cannot use `{}`: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("`{}` must hold {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The files belong to two authorities.
    #[error("the authority's key does not belong to its certificate: restore both from one backup")]
    Mismatch,
    /// It could not be made.
    #[error("cannot make the authority: {0}")]
    Make(#[from] IssueError),
}

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No PKCS#10 request, or more than one.
    #[error(
        "the certificate request must be one PKCS#10 structure in DER, without extensions beyond names and key usage"
    )]
    Request,
    /// Whoever made the request does not hold its key.
    #[error("the certificate request is not signed by its own key")]
    Possession,
    /// A key we do not certify.
    #[error("the certificate request's key must be ECDSA P-256 or P-384, Ed25519, or RSA of at least 2048 bits")]
    Key,
    /// A name that no certificate can carry.
    #[error("the server's names must be DNS names or IP addresses")]
    Name,
    /// The authority itself has ended, or the dates are out of range.
    #[error("the authority's certificate has ended: make a new authority")]
    Ended,
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random,
    /// The signature could not be made.
    #[error("cannot sign the certificate: {0}")]
    Sign(#[source] rcgen::Error),
}

impl Authority {
    /// Makes an authority for ten years: its key (mode 0600) and its certificate (PEM, mode 0644), both new files.
    ///
    /// # Errors
    /// [`AuthorityError`], also when a file exists.
    pub fn create(key: &Path, certificate: &Path, name: &str, now: Instant) -> Result<Self, AuthorityError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::Sign)?;
        let validity = Validity::new(now, TEN_YEARS, None)?;
        let mut params = params(&validity)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let signed = params.self_signed(&pair).map_err(IssueError::Sign)?;
        secret_file::create(key, Zeroizing::new(pair.serialize_pem()).as_bytes())?;
        durable::create(certificate, signed.pem().as_bytes(), 0o644).map_err(at(certificate))?;
        let der = signed.der().to_vec();
        let issuer = Issuer::from_ca_cert_der(signed.der(), pair).map_err(IssueError::Sign)?;
        Ok(Self { issuer, certificate: der, expires: validity.end })
    }

    /// Reads an authority from its two files.
    ///
    /// # Errors
    /// [`AuthorityError`]; a key that group or others can read is refused.
    pub fn load(key: &Path, certificate: &Path) -> Result<Self, AuthorityError> {
        let malformed = |path: &Path, expected| AuthorityError::Malformed { path: path.to_owned(), expected };
        let text = secret_file::read(key)?;
        let pair = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| KeyPair::from_pem(text).ok())
            .ok_or_else(|| malformed(key, "a private key in PEM (PKCS#8)"))?;
        let text = std::fs::read(certificate).map_err(at(certificate))?;
        let not_a_certificate = || malformed(certificate, "one certificate in PEM");
        let der = pem::parse(&text).map_err(|_| not_a_certificate())?.into_contents();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| not_a_certificate())?;
        if parsed.public_key().subject_public_key.data != pair.public_key_raw() {
            return Err(AuthorityError::Mismatch);
        }
        let expires = Instant::from_second(parsed.validity().not_after.timestamp()).map_err(|_| not_a_certificate())?;
        let issuer = Issuer::from_ca_cert_der(&der.as_slice().into(), pair).map_err(|_| not_a_certificate())?;
        Ok(Self { issuer, certificate: der, expires })
    }

    /// The authority's certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Certifies the key of a PKCS#10 request for a principal. Of the request only the public key is used; its
    /// signature shows that whoever made it holds the private key.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue_client(
        &self,
        request: &[u8],
        principal: &PrincipalName,
        organisation: &OrganisationId,
        validity: Duration,
        now: Instant,
    ) -> Result<Issued, IssueError> {
        let key = requested_key(request)?;
        let validity = Validity::new(now, validity, Some(self.expires))?;
        let mut params = params(&validity)?;
        params.distinguished_name.push(DnType::CommonName, principal.as_str());
        params.distinguished_name.push(DnType::OrganizationName, organisation.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let signed = params.signed_by(&key, &self.issuer).map_err(IssueError::Sign)?;
        Ok(Issued { certificate: signed.der().to_vec(), issuer: self.certificate.clone(), expires: validity.end })
    }

    /// Makes a key and a certificate for the gateway's listeners. Names are DNS names and IP addresses.
    ///
    /// # Errors
    /// [`IssueError::Name`] when one is neither, or none is given.
    pub fn issue_server(
        &self,
        names: &[String],
        validity: Duration,
        now: Instant,
    ) -> Result<ServerIdentity, IssueError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::Sign)?;
        let mut params = params(&Validity::new(now, validity, Some(self.expires))?)?;
        params.distinguished_name.push(DnType::CommonName, names.first().ok_or(IssueError::Name)?.as_str());
        params.subject_alt_names = CertificateParams::new(names).map_err(|_| IssueError::Name)?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let signed = params.signed_by(&pair, &self.issuer).map_err(IssueError::Sign)?;
        Ok(ServerIdentity { certificate: signed.pem(), key: Zeroizing::new(pair.serialize_pem()) })
    }
}

/// The public key of a request whose signature was checked.
fn requested_key(request: &[u8]) -> Result<SubjectPublicKeyInfo, IssueError> {
    if request.len() > MOST_REQUEST_BYTES {
        return Err(IssueError::Request);
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it is, it is not a request we accept")]
    CertificateSigningRequestParams::from_der(&request.into()).map_err(|error| match error {
        rcgen::Error::InvalidCertificationRequestSignature => IssueError::Possession,
        rcgen::Error::UnsupportedSignatureAlgorithm => IssueError::Key,
        _ => IssueError::Request,
    })?;
    let (rest, parsed) = X509CertificationRequest::from_der(request).map_err(|_| IssueError::Request)?;
    if !rest.is_empty() {
        return Err(IssueError::Request);
    }
    // From the request's own key information: rcgen would infer the kind of key from the kind of signature.
    SubjectPublicKeyInfo::from_der(parsed.certification_request_info.subject_pki.raw).map_err(|_| IssueError::Key)
}

struct Validity {
    start: Instant,
    end: Instant,
}

impl Validity {
    /// From a little before now, for clocks that are a little behind, until at most the issuer's end.
    fn new(now: Instant, length: Duration, limit: Option<Instant>) -> Result<Self, IssueError> {
        let start = now.checked_sub(CLOCK_SKEW).map_err(|_| IssueError::Ended)?;
        let end = now.checked_add(length).map_err(|_| IssueError::Ended)?;
        let end = limit.map_or(end, |limit| end.min(limit));
        // Certificates count in seconds.
        let end = Instant::from_second(end.as_second()).map_err(|_| IssueError::Ended)?;
        if end > now { Ok(Self { start, end }) } else { Err(IssueError::Ended) }
    }
}

fn params(validity: &Validity) -> Result<CertificateParams, IssueError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| IssueError::Random)?;
    // Positive and never short (RFC 5280 section 4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7F | 0x40;
    }
    let mut params = CertificateParams::default();
    // rcgen speaks the `time` crate's dates.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(validity.start)?;
    params.not_after = epoch + since_epoch(validity.end)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn since_epoch(at: Instant) -> Result<Duration, IssueError> {
    u64::try_from(at.as_second()).map(Duration::from_secs).map_err(|_| IssueError::Ended)
}

fn at(certificate: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    move |source| AuthorityError::Certificate { path: certificate.to_owned(), source }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").finish_non_exhaustive()
    }
}

const TEN_YEARS: Duration = Duration::from_secs(3_652 * 86_400);
const CLOCK_SKEW: Duration = Duration::from_secs(3_600);
const MOST_REQUEST_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn now() -> Instant {
        Instant::from_second(1_790_000_000).unwrap()
    }

    fn authority(folder: &Path) -> Authority {
        Authority::create(&folder.join("authority.key"), &folder.join("ca.pem"), "Dijon", now()).unwrap()
    }

    fn request(pair: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::new(["ignored.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "someone else");
        params.serialize_request(pair).unwrap().der().to_vec()
    }

    fn issue(authority: &Authority, request: &[u8]) -> Result<Issued, IssueError> {
        let (name, organisation) = ("voltaic-bot".parse().unwrap(), "voltaic-sas".parse().unwrap());
        authority.issue_client(request, &name, &organisation, Duration::from_secs(86_400), now())
    }

    #[test]
    fn a_client_certificate_carries_our_names_and_their_key() {
        let folder = tempfile::tempdir().unwrap();
        authority(folder.path());
        let authority = Authority::load(&folder.path().join("authority.key"), &folder.path().join("ca.pem")).unwrap();
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            let pair = KeyPair::generate_for(algorithm).unwrap();
            let issued = issue(&authority, &request(&pair)).unwrap();
            let (_, leaf) = x509_parser::parse_x509_certificate(&issued.certificate).unwrap();
            let (_, root) = x509_parser::parse_x509_certificate(&issued.issuer).unwrap();
            leaf.verify_signature(Some(root.public_key())).unwrap();
            assert_eq!(leaf.subject().to_string(), "CN=voltaic-bot, O=voltaic-sas");
            assert_eq!(leaf.public_key().subject_public_key.data, pair.public_key_raw());
            assert!(leaf.subject_alternative_name().unwrap().is_none());
            let usage = leaf.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.client_auth && !usage.server_auth && !leaf.is_ca() && root.is_ca());
            assert_eq!(leaf.validity().not_after.timestamp(), issued.expires.as_second());
            assert_eq!(issued.expires, now() + Duration::from_secs(86_400));
        }
    }

    #[test]
    fn a_request_that_shows_no_possession_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut request = request(&pair);
        assert!(matches!(issue(&authority, &[&request[..], &[0]].concat()), Err(IssueError::Request)));
        assert!(matches!(issue(&authority, &[]), Err(IssueError::Request)));
        assert!(matches!(issue(&authority, &[0x30; 9_000]), Err(IssueError::Request)));
        let last = request.len() - 1;
        request[last] ^= 1;
        assert!(matches!(issue(&authority, &request), Err(IssueError::Possession)));
    }

    #[test]
    fn no_certificate_outlives_the_authority() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let late = now() + TEN_YEARS;
        assert!(matches!(authority.issue_server(&names, TEN_YEARS, late), Err(IssueError::Ended)));
        let long = authority.issue_server(&names, TEN_YEARS * 2, now()).unwrap();
        let der = pem::parse(long.certificate).unwrap().into_contents();
        let (_, leaf) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(leaf.validity().not_after.timestamp(), late.as_second());
        assert!(leaf.extended_key_usage().unwrap().unwrap().value.server_auth);
        assert_eq!(leaf.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 2);
        assert!(matches!(authority.issue_server(&[], TEN_YEARS, now()), Err(IssueError::Name)));
    }

    #[test]
    fn the_key_is_private_and_belongs_to_its_certificate() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        authority(folder.path());
        authority(other.path());
        let (key, certificate) = (folder.path().join("authority.key"), folder.path().join("ca.pem"));
        assert!(matches!(Authority::load(&key, &other.path().join("ca.pem")), Err(AuthorityError::Mismatch)));
        assert!(matches!(Authority::load(&key, &key), Err(AuthorityError::Malformed { .. })));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Authority::load(&key, &certificate),
            Err(AuthorityError::Key(SecretFileError::Exposed { .. }))
        ));
    }
}

//! Who is at the other end of a connection, as far as TLS can tell.

use std::{net::IpAddr, sync::Arc};

use octroi_proto::{CertificateDigest, Instant};
use rustls_pki_types::CertificateDer;

/// The other end of a connection; in the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Its certificate, whose chain to the gateway's own authority TLS has verified, and whose key it holds.
    pub certificate: Option<PeerCertificate>,
    /// The server name it asked for, if any (SNI).
    pub server_name: Option<Arc<str>>,
}

/// What matters about a verified certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of its DER.
    pub digest: CertificateDigest,
    /// When it begins.
    pub from: Instant,
    /// When it ends.
    pub until: Instant,
}

/// A certificate that TLS accepted and that still cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client certificate cannot be read")]
pub struct InvalidCertificate;

impl PeerCertificate {
    /// Reads a certificate that TLS has verified.
    ///
    /// # Errors
    /// [`InvalidCertificate`] when it is not X.509, or its times are out of all range.
    pub fn of(der: &CertificateDer<'_>) -> Result<Self, InvalidCertificate> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| InvalidCertificate)?;
        let moment = |time: x509_parser::time::ASN1Time| Instant::from_second(time.timestamp());
        let validity = certificate.validity();
        Ok(Self {
            digest: CertificateDigest::of(der),
            from: moment(validity.not_before).map_err(|_| InvalidCertificate)?,
            until: moment(validity.not_after).map_err(|_| InvalidCertificate)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(PeerCertificate::of(&CertificateDer::from(bytes)), Err(InvalidCertificate));
        }
    }
}

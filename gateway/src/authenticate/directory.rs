//! What authentication needs to know of the register.

use octroi_proto::{CertificateDigest, OidcSubject, Organisation, OrganisationId, Principal};

/// The register, as authentication sees it.
pub trait Directory: Send + Sync + 'static {
    /// The principal that a certificate was issued to.
    ///
    /// # Errors
    /// [`DirectoryError`] when the register cannot be read.
    fn principal_by_certificate(&self, digest: &CertificateDigest) -> Result<Option<Principal>, DirectoryError>;

    /// The principal that is bound to an issuer's subject.
    ///
    /// # Errors
    /// [`DirectoryError`] when the register cannot be read.
    fn principal_by_oidc(&self, subject: &OidcSubject) -> Result<Option<Principal>, DirectoryError>;

    /// An organisation.
    ///
    /// # Errors
    /// [`DirectoryError`] when the register cannot be read.
    fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>, DirectoryError>;

    /// Counts, for the evidence, that somebody was turned away.
    fn turned_away(&self);
}

/// The register cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the register cannot be read")]
pub struct DirectoryError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

//! Why a caller is not let in.

use super::{DirectoryError, PresentedError, TokenError};

/// Why a caller is not let in. Each message is for the caller, who knows already what it says.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The credentials cannot be read.
    #[error(transparent)]
    Presented(#[from] PresentedError),
    /// The token does not prove anything.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nobody has this certificate.
    #[error("the client certificate belongs to no principal: have it registered, or connect without it")]
    UnknownCertificate,
    /// The certificate's time has not come, or is over.
    #[error("the client certificate is not valid at this time: get a new one")]
    CertificateTime,
    /// Nobody is bound to the token's subject.
    #[error("the token's subject is bound to no principal: have `octroi principal add --oidc` done for it")]
    UnknownSubject,
    /// The principal has not been approved yet.
    #[error("this principal waits for approval: a steward and a second person have to approve it")]
    Waiting,
    /// The principal is revoked.
    #[error("this principal is revoked: ask for a new one")]
    Revoked,
    /// Its organisation is revoked, or unknown.
    #[error("this principal's organisation is revoked")]
    OrganisationRevoked,
    /// It cannot be told who calls.
    #[error("it cannot be told now who calls: try again later")]
    Directory(#[from] DirectoryError),
    /// A request that did not come through a listener.
    #[error("it cannot be told now who calls: try again later")]
    NoPeer,
}

impl AuthenticationError {
    /// The word for it in metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Presented(_) => "unreadable",
            Self::Token(error) => error.word(),
            Self::UnknownCertificate => "unknown_certificate",
            Self::CertificateTime => "certificate_time",
            Self::UnknownSubject => "unknown_subject",
            Self::Waiting => "waiting",
            Self::Revoked => "revoked",
            Self::OrganisationRevoked => "organisation_revoked",
            Self::Directory(_) => "directory",
            Self::NoPeer => "no_peer",
        }
    }

    /// Whether the caller is not to blame.
    pub(crate) fn is_ours(&self) -> bool {
        match self {
            Self::Directory(_) | Self::NoPeer | Self::Token(TokenError::KeysUnavailable) => true,
            Self::Presented(_)
            | Self::Token(_)
            | Self::UnknownCertificate
            | Self::CertificateTime
            | Self::UnknownSubject
            | Self::Waiting
            | Self::Revoked
            | Self::OrganisationRevoked => false,
        }
    }
}

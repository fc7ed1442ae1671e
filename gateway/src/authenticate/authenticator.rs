//! From what is presented to who calls.

use http::HeaderMap;
use octroi_proto::{Credential, Instant, Principal, PrincipalState};

use super::{AuthenticationError, BearerToken, Caller, CredentialKind, Directory, Issuers, Member, Presented};
use crate::{
    clock::SharedClock,
    listen::{Peer, PeerCertificate},
};

/// Tells who calls.
#[derive(Debug)]
pub struct Authenticator<D> {
    directory: D,
    issuers: Issuers,
    clock: SharedClock,
}

impl<D: Directory> Authenticator<D> {
    /// By this register and these issuers.
    pub fn new(directory: D, issuers: Issuers, clock: SharedClock) -> Self {
        Self { directory, issuers, clock }
    }

    /// Tells who sends a request with these headers.
    ///
    /// # Errors
    /// [`AuthenticationError`] when a credential is presented that does not prove an active principal. A bad
    /// credential never makes anybody anonymous.
    pub async fn authenticate(&self, peer: &Peer, headers: &HeaderMap) -> Result<Caller, AuthenticationError> {
        let now = self.clock.now();
        match Presented::of(peer, headers)? {
            Presented::Nothing => Ok(Caller::Anonymous),
            Presented::Certificate(certificate) => self.by_certificate(certificate, now).map(Caller::Member),
            Presented::Token(token) => self.by_token(token, now).await.map(Caller::Member),
        }
    }

    /// Counts that somebody was turned away.
    pub(super) fn turned_away(&self) {
        self.directory.turned_away();
    }

    fn by_certificate(&self, certificate: &PeerCertificate, now: Instant) -> Result<Member, AuthenticationError> {
        // TLS has looked at the times already, when the connection was opened.
        if now < certificate.from || certificate.until <= now {
            return Err(AuthenticationError::CertificateTime);
        }
        let principal = self.directory.principal_by_certificate(&certificate.digest)?;
        let principal = principal.ok_or(AuthenticationError::UnknownCertificate)?;
        match &principal.credential {
            Credential::Certificate { sha256, .. } if *sha256 == certificate.digest => {}
            Credential::Certificate { .. } | Credential::Oidc(_) => {
                return Err(AuthenticationError::UnknownCertificate);
            }
        }
        self.member(principal, CredentialKind::Certificate, certificate.until)
    }

    async fn by_token(&self, token: BearerToken<'_>, now: Instant) -> Result<Member, AuthenticationError> {
        let vouched = self.issuers.verify(token, now).await?;
        let principal = self.directory.principal_by_oidc(&vouched.subject)?;
        let principal = principal.ok_or(AuthenticationError::UnknownSubject)?;
        match &principal.credential {
            Credential::Oidc(subject) if *subject == vouched.subject => {}
            Credential::Certificate { .. } | Credential::Oidc(_) => return Err(AuthenticationError::UnknownSubject),
        }
        self.member(principal, CredentialKind::Token, vouched.until)
    }

    /// A principal that may act, of an organisation that may.
    fn member(
        &self,
        principal: Principal,
        credential: CredentialKind,
        until: Instant,
    ) -> Result<Member, AuthenticationError> {
        match principal.state {
            PrincipalState::Waiting => return Err(AuthenticationError::Waiting),
            PrincipalState::Revoked => return Err(AuthenticationError::Revoked),
            PrincipalState::Active => {}
        }
        let organisation = self.directory.organisation(&principal.organisation)?;
        if organisation.is_none_or(|organisation| organisation.revoked) {
            return Err(AuthenticationError::OrganisationRevoked);
        }
        Ok(Member::new(principal, credential, until))
    }
}

#[cfg(test)]
pub(super) mod tests;

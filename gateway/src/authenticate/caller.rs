//! What authentication hands on.

use std::sync::Arc;

use octroi_proto::{Instant, Principal};

/// Who calls. Only [`crate::authenticate`] makes one; everything behind it takes one.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody in particular: no credential was presented. Anonymous is a principal too.
    Anonymous,
    /// A principal of the register, active when it was looked up.
    Member(Member),
}

/// A principal who proved who it is.
#[derive(Debug, Clone)]
pub struct Member {
    principal: Arc<Principal>,
    credential: CredentialKind,
    until: Instant,
}

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A client certificate of the gateway's own authority.
    Certificate,
    /// A bearer token of a configured OIDC issuer.
    Token,
}

impl Member {
    pub(in crate::authenticate) fn new(principal: Principal, credential: CredentialKind, until: Instant) -> Self {
        Self { principal: Arc::new(principal), credential, until }
    }

    /// The principal as it stood when it was looked up.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// How it proved who it is.
    pub fn credential(&self) -> CredentialKind {
        self.credential
    }

    /// When the credential ends.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// A member whom nobody authenticated, until this moment.
    #[cfg(test)]
    pub(crate) fn for_test(principal: Principal, until: Instant) -> Self {
        Self::new(principal, CredentialKind::Certificate, until)
    }
}

impl Caller {
    /// The word for the credential in evidence and in answers.
    pub fn credential(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Member(member) => match member.credential {
                CredentialKind::Certificate => "certificate",
                CredentialKind::Token => "token",
            },
        }
    }

    /// The member, unless the caller is anonymous.
    pub fn member(&self) -> Option<&Member> {
        match self {
            Self::Anonymous => None,
            Self::Member(member) => Some(member),
        }
    }
}

//! Principals: who calls, for which organisation, in which role.

use ring::digest;

use crate::{
    Instant, OrganisationId, PrincipalName, Violations,
    dataset::{listed, required},
    id::line,
    object, time,
    violation::Check,
    wire::v1,
};

/// What a principal is to the gateway. A caller without credentials has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Manages datasets and decides on access.
    Steward,
    /// The second person in approvals.
    Reviewer,
    /// Runs the gateway; reads no data.
    Operator,
    /// Reads evidence.
    Auditor,
    /// Asks sensitive data.
    Researcher,
    /// Borrows quasi-sensitive data under a grant.
    Vendor,
    /// Harvests metadata.
    Harvester,
    /// Sends data.
    Device,
}

listed!(Role, Role, "`steward`, `reviewer`, `operator`, `auditor`, `researcher`, `vendor`, `harvester`, `device`", {
    Steward = "steward",
    Reviewer = "reviewer",
    Operator = "operator",
    Auditor = "auditor",
    Researcher = "researcher",
    Vendor = "vendor",
    Harvester = "harvester",
    Device = "device",
});

/// Where a principal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalState {
    /// Waits for approvals.
    Waiting,
    /// May do what its role and grants allow.
    Active,
    /// For good.
    Revoked,
}

listed!(PrincipalState, PrincipalState, "`waiting`, `active`, `revoked`", {
    Waiting = "waiting",
    Active = "active",
    Revoked = "revoked",
});

/// SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateDigest(pub [u8; 32]);

impl CertificateDigest {
    /// That of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(sha256)
    }
}

/// A person of an OIDC issuer: `iss` and `sub`, never the e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OidcSubject {
    /// The issuer's URL, byte for byte as in its tokens.
    pub issuer: String,
    /// The subject, 1-255 characters.
    pub subject: String,
}

impl TryFrom<v1::OidcSubject> for OidcSubject {
    type Error = Violations;

    fn try_from(wire: v1::OidcSubject) -> Result<Self, Violations> {
        let mut check = Check::default();
        let issuer = check.field("oidc.issuer", line(&wire.issuer, 500));
        let subject = check.field("oidc.subject", line(&wire.subject, 255));
        let parsed = (|| Some(Self { issuer: issuer?, subject: subject? }))();
        check.finish(parsed)
    }
}

/// How a principal proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A certificate of the gateway's own authority.
    Certificate {
        /// Which one.
        sha256: CertificateDigest,
        /// When it ends.
        expires: Instant,
    },
    /// Tokens of an OIDC issuer for this subject.
    Oidc(OidcSubject),
}

/// One person's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who approved.
    pub by: PrincipalName,
    /// Whether as a steward.
    pub steward: bool,
    /// When.
    pub at: Instant,
}

/// A principal as the register keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name, never reused.
    pub name: PrincipalName,
    /// Whom it acts for.
    pub organisation: OrganisationId,
    /// What it is to the gateway.
    pub role: Role,
    /// Where it stands.
    pub state: PrincipalState,
    /// How it proves who it is.
    pub credential: Credential,
    /// Who approved it so far.
    pub approvals: Vec<Approval>,
    /// Who added it; absent for the operator that `octroi init` made.
    pub added_by: Option<PrincipalName>,
    /// When.
    pub added: Instant,
    /// One more at each change of state.
    pub generation: u64,
}

impl From<&Principal> for v1::Principal {
    fn from(principal: &Principal) -> Self {
        let (certificate_sha256, certificate_expires, oidc) = match &principal.credential {
            Credential::Certificate { sha256, expires } => (sha256.0.to_vec(), Some(time::to_wire(*expires)), None),
            Credential::Oidc(OidcSubject { issuer, subject }) => {
                (Vec::new(), None, Some(v1::OidcSubject { issuer: issuer.clone(), subject: subject.clone() }))
            }
        };
        Self {
            name: principal.name.to_string(),
            organisation: principal.organisation.to_string(),
            role: principal.role.to_wire().into(),
            state: principal.state.to_wire().into(),
            certificate_sha256,
            certificate_expires,
            oidc,
            approvals: principal
                .approvals
                .iter()
                .map(|approval| v1::Approval {
                    by: approval.by.to_string(),
                    steward: approval.steward,
                    at: Some(time::to_wire(approval.at)),
                })
                .collect(),
            added_by: principal.added_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            added: Some(time::to_wire(principal.added)),
            generation: principal.generation,
        }
    }
}

impl TryFrom<v1::Principal> for Principal {
    type Error = Violations;

    fn try_from(wire: v1::Principal) -> Result<Self, Violations> {
        let mut check = Check::default();
        let name = check.field("name", wire.name.parse());
        let organisation = check.field("organisation", wire.organisation.parse());
        let role = check.field("role", required(Role::from_wire(wire.role)));
        let state = check.field("state", required(PrincipalState::from_wire(wire.state)));
        let credential = credential(&mut check, wire.oidc, &wire.certificate_sha256, wire.certificate_expires);
        let approvals: Option<Vec<_>> =
            wire.approvals.into_iter().map(|approval| parse_approval(&mut check, approval)).collect();
        let added_by = check.field("added_by", optional_name(&wire.added_by));
        let added = check.field("added", time::parse(wire.added));
        let parsed = (|| {
            Some(Self {
                name: name?,
                organisation: organisation?,
                role: role?,
                state: state?,
                credential: credential?,
                approvals: approvals?,
                added_by: added_by?,
                added: added?,
                generation: wire.generation,
            })
        })();
        check.finish(parsed)
    }
}

fn credential(
    check: &mut Check,
    oidc: Option<v1::OidcSubject>,
    sha256: &[u8],
    expires: Option<prost_types::Timestamp>,
) -> Option<Credential> {
    if let Some(oidc) = oidc {
        return check.field("oidc", OidcSubject::try_from(oidc)).map(Credential::Oidc);
    }
    let sha256 = check.field("certificate_sha256", object::digest(sha256));
    let expires = check.field("certificate_expires", time::parse(expires));
    Some(Credential::Certificate { sha256: CertificateDigest(sha256?), expires: expires? })
}

fn parse_approval(check: &mut Check, wire: v1::Approval) -> Option<Approval> {
    let v1::Approval { by, steward, at } = wire;
    let by = check.field("approvals.by", by.parse());
    let at = check.field("approvals.at", time::parse(at));
    Some(Approval { by: by?, steward, at: at? })
}

/// A name that may be empty.
pub(crate) fn optional_name(text: &str) -> Result<Option<PrincipalName>, crate::id::InvalidLabel> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// An organisation as the register keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// A revoked organisation has no live principal and no live grant, and gets no new ones.
    pub revoked: bool,
    /// One more at each change.
    pub generation: u64,
    /// When its first principal was added.
    pub added: Instant,
}

impl From<&Organisation> for v1::Organisation {
    fn from(organisation: &Organisation) -> Self {
        Self {
            id: organisation.id.to_string(),
            revoked: organisation.revoked,
            generation: organisation.generation,
            added: Some(time::to_wire(organisation.added)),
        }
    }
}

impl TryFrom<v1::Organisation> for Organisation {
    type Error = Violations;

    fn try_from(wire: v1::Organisation) -> Result<Self, Violations> {
        let mut check = Check::default();
        let id = check.field("id", wire.id.parse());
        let added = check.field("added", time::parse(wire.added));
        let parsed = (|| Some(Self { id: id?, revoked: wire.revoked, generation: wire.generation, added: added? }))();
        check.finish(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_survives_the_wire() {
        let at = Instant::from_second(1_790_000_000).unwrap();
        let principal = Principal {
            name: "voltaic".parse().unwrap(),
            organisation: "voltaic-sas".parse().unwrap(),
            role: Role::Vendor,
            state: PrincipalState::Waiting,
            credential: Credential::Certificate { sha256: CertificateDigest([7; 32]), expires: at },
            approvals: vec![Approval { by: "claire".parse().unwrap(), steward: true, at }],
            added_by: None,
            added: at,
            generation: 3,
        };
        assert_eq!(Principal::try_from(v1::Principal::from(&principal)).unwrap(), principal);
        let bound = Principal {
            credential: Credential::Oidc(OidcSubject { issuer: "https://i".into(), subject: "s".into() }),
            ..principal
        };
        assert_eq!(Principal::try_from(v1::Principal::from(&bound)).unwrap(), bound);
    }

    #[test]
    fn a_role_that_is_on_no_list_is_refused() {
        assert!(Principal::try_from(v1::Principal { role: 77, ..Default::default() }).is_err());
        assert!("admin".parse::<Role>().is_err());
    }
}

//! A caller as the policies see it: read from the register anew, since what authentication saw may be over.

use cedar_policy::{Entity, EntityUid};
use octroi_proto::{Instant, Principal, PrincipalState, Role};

use super::{
    denied::Undecided,
    entity::{self, Kind, PrincipalFacts},
    register::Register,
};
use crate::authenticate::{Caller, Member};

/// Who asks.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) uid: EntityUid,
    pub(super) entities: Vec<Entity>,
    /// When the credential ends.
    pub(super) until: Option<Instant>,
    pub(super) anonymous: bool,
    /// A credential that is worth nothing any more. The policies forbid everything then; this only chooses the words.
    pub(super) worthless: bool,
}

impl Asker {
    pub(super) fn of(caller: &Caller, register: &dyn Register, now: Instant) -> Result<Self, Undecided> {
        match caller {
            Caller::Anonymous => Ok(Self {
                uid: entity::anonymous(),
                entities: Vec::new(),
                until: None,
                anonymous: true,
                worthless: false,
            }),
            Caller::Member(member) => Self::member(member, register, now),
        }
    }

    fn member(member: &Member, register: &dyn Register, now: Instant) -> Result<Self, Undecided> {
        let seen = member.principal();
        // One whom the register knows no more, or knows as another, has no standing.
        let principal = match register.principal(&seen.name)? {
            Some(current) if current.organisation == seen.organisation => current,
            Some(_) | None => Principal { state: PrincipalState::Revoked, ..seen.clone() },
        };
        let (organisation, revoked) = match register.organisation(&principal.organisation)? {
            Some(organisation) => (entity::organisation(&organisation)?, organisation.revoked),
            None => (entity::missing_organisation(&principal.organisation)?, true),
        };
        Ok(Self {
            uid: Kind::Principal.uid(principal.name.as_str()),
            entities: vec![PrincipalFacts::from(&principal).entity()?, organisation],
            until: Some(member.until()),
            anonymous: false,
            worthless: revoked || principal.state != PrincipalState::Active || member.until() <= now,
        })
    }

    /// Somebody of this role and name, in good standing and of no organisation: asked about, never permitted.
    pub(super) fn imagined(name: &str, role: Role, now: Instant) -> Result<Self, Undecided> {
        let until = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now);
        let facts = PrincipalFacts { name, organisation: "", role, state: PrincipalState::Active };
        Ok(Self {
            uid: Kind::Principal.uid(name),
            entities: vec![facts.entity()?, entity::organisation_facts("", false)?],
            until: Some(until),
            anonymous: false,
            worthless: false,
        })
    }
}

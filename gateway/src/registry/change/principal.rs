//! Principals and organisations: added, approved by two people, revoked for good.

use octroi_proto::{
    Approval, Credential, Instant, Organisation, OrganisationId, Principal, PrincipalName, PrincipalState, Role,
    wire::v1::{self, entry::Record},
};

use super::{Change, ChangeError, Subject, View, actor};
use crate::authorise::{self as action, Permit};

/// Adds a principal. Its organisation comes into being with the first one.
///
/// Until the register has its first steward nobody could approve, so an operator's adding suffices for the roles that
/// approve or watch. That is over for good with the first steward, whatever becomes of it: from then on a new steward
/// needs a steward's approval like anyone else, and if none should be left, nobody can be approved any more. So the
/// last one cannot be revoked ([`ChangeError::LastSteward`]).
#[derive(Debug, Clone)]
pub struct AddPrincipal {
    /// Its name, never used before.
    pub name: PrincipalName,
    /// Whom it acts for.
    pub organisation: OrganisationId,
    /// What it is to the gateway.
    pub role: Role,
    /// How it proves who it is.
    pub credential: Credential,
}

/// Approves a waiting principal.
#[derive(Debug, Clone, Copy)]
pub struct ApprovePrincipal;

/// Revokes a principal for good; not the last active steward.
#[derive(Debug, Clone, Copy)]
pub struct RevokePrincipal;

/// Revokes an organisation with every principal and every grant it has; not the one of the last active steward.
#[derive(Debug, Clone)]
pub struct RevokeOrganisation {
    /// Which one.
    pub id: OrganisationId,
}

/// What went with an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offboarded {
    /// The organisation, revoked.
    pub organisation: Organisation,
    /// Principals that were revoked with it.
    pub principals_revoked: usize,
    /// Grants that were revoked with it.
    pub grants_revoked: usize,
}

impl Change for AddPrincipal {
    type Action = action::AddPrincipal;
    type Outcome = Principal;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Principal), ChangeError> {
        let actor = actor(permit, view)?;
        if view.principal(&self.name)?.is_some() {
            return Err(ChangeError::Taken(Subject::Principal));
        }
        self.credential_is_free(view)?;
        if view.organisation(&self.organisation)?.is_some_and(|organisation| organisation.revoked) {
            return Err(ChangeError::OrganisationRevoked);
        }
        let founding = self.founded_by(&actor) && !view.any_principal(|other| other.role == Role::Steward)?;
        let active = founding || self.role == Role::Harvester;
        let approvals = founding.then(|| Approval { by: actor.name.clone(), steward: false, at: now });
        Ok(recorded(Principal {
            name: self.name.clone(),
            organisation: self.organisation.clone(),
            role: self.role,
            state: if active { PrincipalState::Active } else { PrincipalState::Waiting },
            credential: self.credential.clone(),
            approvals: approvals.into_iter().collect(),
            added_by: Some(actor.name),
            added: now,
            generation: 1,
        }))
    }
}

impl AddPrincipal {
    fn credential_is_free(&self, view: &View<'_>) -> Result<(), ChangeError> {
        let (holder, subject) = match &self.credential {
            Credential::Certificate { sha256, .. } => (view.principal_by_certificate(sha256)?, Subject::Certificate),
            Credential::Oidc(oidc) => (view.principal_by_oidc(oidc)?, Subject::OidcSubject),
        };
        if holder.is_some() { Err(ChangeError::Taken(subject)) } else { Ok(()) }
    }

    /// Whether this actor could found the register with this role, before there is any steward.
    fn founded_by(&self, actor: &Principal) -> bool {
        let founding = match self.role {
            Role::Steward | Role::Reviewer | Role::Operator | Role::Auditor => true,
            Role::Researcher | Role::Vendor | Role::Harvester | Role::Device => false,
        };
        founding && actor.role == Role::Operator
    }
}

impl Change for ApprovePrincipal {
    type Action = action::ApprovePrincipal;
    type Outcome = Principal;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Principal), ChangeError> {
        let actor = actor(permit, view)?;
        let mut principal = current(&permit.target().name, view)?;
        match principal.state {
            PrincipalState::Waiting => {}
            PrincipalState::Active | PrincipalState::Revoked => return Err(state(&principal, "waiting")),
        }
        if !approves(actor.role) {
            return Err(ChangeError::NotApprover);
        }
        if actor.name == principal.name {
            return Err(ChangeError::OwnApproval);
        }
        if principal.approvals.iter().any(|approval| approval.by == actor.name) {
            return Err(ChangeError::ApprovedAlready);
        }
        if view.organisation(&principal.organisation)?.is_none_or(|organisation| organisation.revoked) {
            return Err(ChangeError::OrganisationRevoked);
        }
        principal.approvals.push(Approval { by: actor.name, steward: actor.role == Role::Steward, at: now });
        if approved(&principal.approvals, view)? {
            principal.state = PrincipalState::Active;
            principal.generation += 1;
        }
        Ok(recorded(principal))
    }
}

impl Change for RevokePrincipal {
    type Action = action::RevokePrincipal;
    type Outcome = Principal;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        _: Instant,
    ) -> Result<(Record, Principal), ChangeError> {
        actor(permit, view)?;
        let principal = current(&permit.target().name, view)?;
        match principal.state {
            PrincipalState::Waiting | PrincipalState::Active => {}
            PrincipalState::Revoked => return Err(state(&principal, "waiting or active")),
        }
        if is_active_steward(&principal) {
            a_steward_remains(view, |other| other.name != principal.name)?;
        }
        Ok(recorded(revoked(principal)))
    }
}

impl Change for RevokeOrganisation {
    type Action = action::RevokeOrganisation;
    type Outcome = Offboarded;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Offboarded), ChangeError> {
        let actor = actor(permit, view)?;
        let organisation = view.organisation(&self.id)?.ok_or(ChangeError::Absent(Subject::Organisation))?;
        if organisation.revoked {
            return Err(ChangeError::OrganisationRevoked);
        }
        let organisation = Organisation { revoked: true, generation: organisation.generation + 1, ..organisation };
        let mut members = view.members(&self.id)?;
        members.retain(|member| member.state != PrincipalState::Revoked);
        if members.iter().any(is_active_steward) {
            a_steward_remains(view, |other| other.organisation != self.id)?;
        }
        let principals: Vec<v1::Principal> = members.into_iter().map(|member| (&revoked(member)).into()).collect();
        let mut grants = view.grants_to(&self.id)?;
        grants.retain(|grant| grant.revoked.is_none());
        for grant in &mut grants {
            grant.revoked = Some(now);
            grant.revoked_by = Some(actor.name.clone());
        }
        let outcome = Offboarded {
            organisation: organisation.clone(),
            principals_revoked: principals.len(),
            grants_revoked: grants.len(),
        };
        let record = v1::OffboardedOrganisation {
            organisation: Some((&organisation).into()),
            principals,
            grants: grants.iter().map(Into::into).collect(),
        };
        Ok((Record::Offboarding(record), outcome))
    }
}

/// Two different people, a steward among them, who are still active.
fn approved(approvals: &[Approval], view: &View<'_>) -> Result<bool, ChangeError> {
    let (mut people, mut stewards) = (0, 0);
    for approval in approvals {
        if view.principal(&approval.by)?.is_some_and(|by| by.state == PrincipalState::Active) {
            people += 1;
            stewards += u32::from(approval.steward);
        }
    }
    Ok(people >= 2 && stewards >= 1)
}

fn approves(role: Role) -> bool {
    match role {
        Role::Steward | Role::Reviewer | Role::Operator => true,
        Role::Auditor | Role::Researcher | Role::Vendor | Role::Harvester | Role::Device => false,
    }
}

/// Whether among those who stay there is a steward who can approve the next one.
fn a_steward_remains(view: &View<'_>, stays: impl Fn(&Principal) -> bool) -> Result<(), ChangeError> {
    let remains = view.any_principal(|other| is_active_steward(other) && stays(other))?;
    if remains { Ok(()) } else { Err(ChangeError::LastSteward) }
}

fn is_active_steward(principal: &Principal) -> bool {
    principal.role == Role::Steward && principal.state == PrincipalState::Active
}

fn revoked(principal: Principal) -> Principal {
    Principal { state: PrincipalState::Revoked, generation: principal.generation + 1, ..principal }
}

fn current(name: &PrincipalName, view: &View<'_>) -> Result<Principal, ChangeError> {
    view.principal(name)?.ok_or(ChangeError::Absent(Subject::Principal))
}

fn recorded(principal: Principal) -> (Record, Principal) {
    (Record::Principal((&principal).into()), principal)
}

fn state(principal: &Principal, must: &'static str) -> ChangeError {
    ChangeError::State { subject: Subject::Principal, is: principal.state.as_str(), must }
}

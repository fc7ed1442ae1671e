//! Requests for access and what becomes of them.

use jiff::{ToSpan as _, tz::TimeZone};
use octroi_proto::{
    AccessRequest, AgreementId, Dataset, DatasetState, GrantAction, GrantId, Instant, Level, Purpose, Reason,
    RequestId, RequestState, Role, Violations, Visibility,
    wire::v1::{self, entry::Record},
};

use super::{Change, ChangeError, Subject, UnfitAgreement, View, actor, current, own};
use crate::authorise::{self as action, Permit};

/// Asks for access: a vendor to a quasi-sensitive dataset, a researcher to a sensitive one.
#[derive(Debug, Clone)]
pub struct RequestAccess {
    /// What for; one of the dataset's purposes.
    pub purpose: Purpose,
    /// To do what; as [`octroi_proto::access::parse_actions`] gives it.
    pub actions: Vec<GrantAction>,
}

/// Grants what was asked.
#[derive(Debug, Clone)]
pub struct Grant {
    /// When it ends; within two years.
    pub expires: Instant,
    /// What it rests on; needed where the dataset demands one.
    pub agreement: Option<AgreementId>,
}

/// Refuses what was asked.
#[derive(Debug, Clone)]
pub struct Refuse {
    /// Told to the one who asked.
    pub reason: Reason,
}

/// Revokes a grant.
#[derive(Debug, Clone, Copy)]
pub struct RevokeGrant;

impl Change for RequestAccess {
    type Action = action::RequestAccess;
    type Outcome = AccessRequest;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, AccessRequest), ChangeError> {
        let actor = actor(permit, view)?;
        let dataset = current(&permit.target().description.id, view)?;
        let borrower = match actor.role {
            Role::Vendor => Level::QuasiSensitive,
            Role::Researcher => Level::Sensitive,
            Role::Steward | Role::Reviewer | Role::Operator | Role::Auditor | Role::Harvester | Role::Device => {
                return Err(ChangeError::NotLent);
            }
        };
        if borrower != dataset.description.level {
            return Err(ChangeError::LevelUnfit { level: dataset.description.level });
        }
        lendable(&dataset, &self.actions)?;
        if dataset.description.visibility == Visibility::Hidden {
            return Err(ChangeError::Absent(Subject::Dataset));
        }
        if !dataset.description.purposes.contains(&self.purpose) {
            return Err(Violations::one("purpose", "must be one of the dataset's purposes").into());
        }
        if view.organisation(&actor.organisation)?.is_none_or(|organisation| organisation.revoked) {
            return Err(ChangeError::OrganisationRevoked);
        }
        Ok(asked(AccessRequest {
            id: RequestId::new(view.fresh_id(now)),
            dataset: dataset.description.id,
            principal: actor.name,
            organisation: actor.organisation,
            purpose: self.purpose.clone(),
            actions: self.actions.clone(),
            state: RequestState::Waiting,
            made: now,
            decided_by: None,
            decided: None,
            reason: String::new(),
            grant: None,
        }))
    }
}

impl Change for Grant {
    type Action = action::DecideRequest;
    type Outcome = octroi_proto::Grant;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, octroi_proto::Grant), ChangeError> {
        let request = waiting(&permit.target().request.id, view)?;
        let (dataset, actor) = own(&request.dataset, permit, view)?;
        lendable(&dataset, &request.actions)?;
        if !dataset.description.purposes.contains(&request.purpose) {
            return Err(Violations::one("purpose", "is no longer one of the dataset's purposes").into());
        }
        if view.organisation(&request.organisation)?.is_none_or(|organisation| organisation.revoked) {
            return Err(ChangeError::OrganisationRevoked);
        }
        if self.expires <= now || self.expires > two_years_after(now) {
            return Err(Violations::one("expires", "must be in the future and at most two years ahead").into());
        }
        self.rests(&request, &dataset, view, now)?;
        let grant = octroi_proto::Grant {
            id: GrantId::new(view.fresh_id(now)),
            dataset: request.dataset.clone(),
            organisation: request.organisation.clone(),
            actions: request.actions.clone(),
            purpose: request.purpose.clone(),
            agreement: self.agreement.clone(),
            expires: self.expires,
            granted_by: actor.name.clone(),
            granted: now,
            revoked: None,
            revoked_by: None,
        };
        let request = AccessRequest {
            state: RequestState::Granted,
            decided_by: Some(actor.name),
            decided: Some(now),
            grant: Some(grant.id),
            ..request
        };
        let record = v1::GrantedRequest { request: Some((&request).into()), grant: Some((&grant).into()) };
        Ok((Record::GrantedRequest(record), grant))
    }
}

impl Grant {
    /// Whether what the grant rests on carries it: a live agreement of the one who asks that covers the dataset, or
    /// none where none is demanded.
    fn rests(
        &self,
        request: &AccessRequest,
        dataset: &Dataset,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(), ChangeError> {
        let Some(id) = &self.agreement else {
            let demanded = dataset.description.agreement_required;
            return if demanded { Err(ChangeError::AgreementRequired) } else { Ok(()) };
        };
        let agreement = view.agreement(id)?.ok_or(ChangeError::AgreementUnfit(UnfitAgreement::Absent))?;
        if agreement.organisation != request.organisation {
            return Err(ChangeError::AgreementUnfit(UnfitAgreement::OtherOrganisation));
        }
        if !agreement.datasets.contains(&request.dataset) {
            return Err(ChangeError::AgreementUnfit(UnfitAgreement::OtherDataset));
        }
        if agreement.review_due <= now {
            return Err(ChangeError::AgreementUnfit(UnfitAgreement::ReviewDue));
        }
        Ok(())
    }
}

impl Change for Refuse {
    type Action = action::DecideRequest;
    type Outcome = AccessRequest;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, AccessRequest), ChangeError> {
        let request = waiting(&permit.target().request.id, view)?;
        let (_, actor) = own(&request.dataset, permit, view)?;
        Ok(asked(AccessRequest {
            state: RequestState::Refused,
            decided_by: Some(actor.name),
            decided: Some(now),
            reason: self.reason.to_string(),
            ..request
        }))
    }
}

impl Change for RevokeGrant {
    type Action = action::RevokeGrant;
    type Outcome = octroi_proto::Grant;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, octroi_proto::Grant), ChangeError> {
        let actor = actor(permit, view)?;
        let grant = view.grant(&permit.target().grant.id)?.ok_or(ChangeError::Absent(Subject::Grant))?;
        if grant.revoked.is_some() {
            return Err(ChangeError::State { subject: Subject::Grant, is: "revoked", must: "live" });
        }
        let grant = octroi_proto::Grant { revoked: Some(now), revoked_by: Some(actor.name), ..grant };
        Ok((Record::Grant((&grant).into()), grant))
    }
}

/// Only what is published is lent: quasi-sensitive data to be fetched and stored, sensitive data to be asked and for
/// nothing else.
fn lendable(dataset: &Dataset, actions: &[GrantAction]) -> Result<(), ChangeError> {
    let asks = |action: &GrantAction| *action == GrantAction::Ask;
    match dataset.description.level {
        level @ Level::Public => return Err(ChangeError::LevelUnfit { level }),
        Level::QuasiSensitive if actions.iter().any(asks) => {
            return Err(Violations::one("actions", "must be `fetch` or `store`: the dataset is not sensitive").into());
        }
        level @ Level::Sensitive if !actions.iter().all(asks) => return Err(ChangeError::LevelUnfit { level }),
        Level::QuasiSensitive | Level::Sensitive => {}
    }
    match dataset.state {
        DatasetState::Published => Ok(()),
        state @ (DatasetState::Draft | DatasetState::Withdrawn) => {
            Err(ChangeError::State { subject: Subject::Dataset, is: state.as_str(), must: "published" })
        }
    }
}

fn waiting(id: &RequestId, view: &View<'_>) -> Result<AccessRequest, ChangeError> {
    let request = view.request(id)?.ok_or(ChangeError::Absent(Subject::Request))?;
    match request.state {
        RequestState::Waiting => Ok(request),
        state @ (RequestState::Granted | RequestState::Refused) => {
            Err(ChangeError::State { subject: Subject::Request, is: state.as_str(), must: "waiting" })
        }
    }
}

fn two_years_after(now: Instant) -> Instant {
    now.to_zoned(TimeZone::UTC).checked_add(2.years()).map_or(now, |then| then.timestamp())
}

fn asked(request: AccessRequest) -> (Record, AccessRequest) {
    (Record::AccessRequest((&request).into()), request)
}

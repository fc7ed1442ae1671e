//! Agreements with organisations.

use octroi_proto::{Agreement, Instant, Violations, wire::v1::entry::Record};

use super::{Change, ChangeError, Subject, View, actor};
use crate::authorise::{self as action, Permit};

/// Records a signed agreement.
#[derive(Debug, Clone)]
pub struct AddAgreement {
    /// What it says; who recorded it and when is filled in.
    pub agreement: Agreement,
}

impl Change for AddAgreement {
    type Action = action::AddAgreement;
    type Outcome = Agreement;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Agreement), ChangeError> {
        let actor = actor(permit, view)?;
        if view.agreement(&self.agreement.id)?.is_some() {
            return Err(ChangeError::Taken(Subject::Agreement));
        }
        let organisation = view.organisation(&self.agreement.organisation)?;
        if organisation.ok_or(ChangeError::Absent(Subject::Organisation))?.revoked {
            return Err(ChangeError::OrganisationRevoked);
        }
        for dataset in &self.agreement.datasets {
            if view.dataset(dataset)?.is_none() {
                return Err(Violations::one("datasets", "must all be registered: one is not").into());
            }
        }
        if self.agreement.review_due <= now {
            return Err(Violations::one("review_due", "must be in the future").into());
        }
        let agreement = Agreement { added_by: Some(actor.name), added: Some(now), ..self.agreement.clone() };
        Ok((Record::Agreement((&agreement).into()), agreement))
    }
}

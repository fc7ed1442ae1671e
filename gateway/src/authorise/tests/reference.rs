//! The rules in plain Rust, slow and obvious: what the policies must say.

use octroi_proto::{
    AccessRequest, Agreement, Dataset, DatasetState, Grant, GrantAction, Instant, Level, Organisation, Principal,
    PrincipalState, Role, Visibility,
};

/// Everything that a decision can rest on.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: Instant,
    /// The caller, its organisation and the end of its credential; `None` for anonymous.
    pub(super) caller: Option<(Principal, Organisation, Instant)>,
    pub(super) dataset: Dataset,
    /// Grants on the dataset, each with its agreement where it names one.
    pub(super) grants: Vec<(Grant, Option<Agreement>)>,
    pub(super) request: AccessRequest,
    /// The principal that is approved or revoked.
    pub(super) other: Principal,
}

impl World {
    pub(super) fn allows(&self, action: &str) -> bool {
        if let Some((principal, organisation, until)) = &self.caller {
            let live = principal.state == PrincipalState::Active && !organisation.revoked && self.now < *until;
            if !live {
                return false;
            }
        }
        let published = self.dataset.state == DatasetState::Published;
        let level = self.dataset.description.level;
        let own = self.is(Role::Steward) && self.name() == Some(self.dataset.description.steward.as_str());
        match action {
            "Probe" | "ReadLog" => true,
            "ReadMetadata" => own || self.is(Role::Auditor) || (published && self.metadata_is_open()),
            "RegisterDataset" | "AddAgreement" => self.is(Role::Steward),
            "DescribeDataset" | "PublishDataset" | "DecideRequest" => own,
            "WithdrawDataset" | "RaiseLevel" => own || self.is(Role::Operator),
            "AddPrincipal" | "RevokePrincipal" | "RevokeOrganisation" => {
                self.is(Role::Steward) || self.is(Role::Operator)
            }
            "ApprovePrincipal" => {
                let approver = self.is(Role::Steward) || self.is(Role::Reviewer) || self.is(Role::Operator);
                approver && self.name() != Some(self.other.name.as_str())
            }
            "ListPrincipals" | "ListAgreements" => {
                [Role::Steward, Role::Reviewer, Role::Operator, Role::Auditor].iter().any(|role| self.is(*role))
            }
            "ListAccess" => self.caller.is_some(),
            "RequestAccess" => match level {
                Level::Public => false,
                Level::QuasiSensitive => self.is(Role::Vendor) && published,
                Level::Sensitive => self.is(Role::Researcher) && published && self.metadata_is_open(),
            },
            "ReadRequest" => own || self.is(Role::Auditor) || self.acts_for(self.request.organisation.as_str()),
            "ReadGrant" => own || self.is(Role::Auditor) || self.acts_for(self.grants[0].0.organisation.as_str()),
            "RevokeGrant" => own || self.is(Role::Operator),
            "ReadEvidence" => self.is(Role::Auditor),
            "FetchObject" | "ListObjects" => match level {
                Level::Public => published || own,
                Level::QuasiSensitive => own || self.borrows(GrantAction::Fetch),
                Level::Sensitive => false,
            },
            "StoreObject" => match level {
                Level::Public => own,
                Level::QuasiSensitive => own || self.borrows(GrantAction::Store),
                Level::Sensitive => false,
            },
            "DeleteObject" => own,
            "DeclareSchema" | "DeclarePolicy" | "LoadTable" => own && level == Level::Sensitive,
            "ReadSchema" | "ReadPolicy" => {
                let member = self.caller.is_some() && level == Level::Sensitive && published;
                own || self.is(Role::Auditor) || (member && self.metadata_is_open())
            }
            "AskDataset" => {
                self.is(Role::Researcher)
                    && level == Level::Sensitive
                    && self.metadata_is_open()
                    && self.lent_for(GrantAction::Ask)
            }
            unknown => panic!("{unknown}"),
        }
    }

    fn is(&self, role: Role) -> bool {
        self.caller.as_ref().is_some_and(|(principal, _, _)| principal.role == role)
    }

    fn name(&self) -> Option<&str> {
        self.caller.as_ref().map(|(principal, _, _)| principal.name.as_str())
    }

    fn acts_for(&self, organisation: &str) -> bool {
        self.caller.as_ref().is_some_and(|(principal, _, _)| principal.organisation.as_str() == organisation)
    }

    fn metadata_is_open(&self) -> bool {
        match (self.dataset.description.level, self.dataset.description.visibility) {
            (Level::Public | Level::QuasiSensitive, _) | (Level::Sensitive, Visibility::Public) => true,
            (Level::Sensitive, Visibility::Members) => self.caller.is_some(),
            (Level::Sensitive, Visibility::Hidden) => false,
        }
    }

    fn borrows(&self, action: GrantAction) -> bool {
        self.is(Role::Vendor) && self.lent_for(action)
    }

    fn lent_for(&self, action: GrantAction) -> bool {
        self.dataset.state == DatasetState::Published
            && self.grants.iter().any(|(grant, agreement)| self.lends(grant, agreement.as_ref(), action))
    }

    fn lends(&self, grant: &Grant, agreement: Option<&Agreement>, action: GrantAction) -> bool {
        let live = grant.revoked.is_none() && self.now < grant.expires && grant.actions.contains(&action);
        let carried = match (&grant.agreement, agreement) {
            (None, _) => !self.dataset.description.agreement_required,
            (Some(_), None) => false,
            (Some(_), Some(agreement)) => {
                self.now < agreement.review_due
                    && agreement.organisation == grant.organisation
                    && agreement.datasets.contains(&self.dataset.description.id)
            }
        };
        live && carried && self.acts_for(grant.organisation.as_str())
    }
}

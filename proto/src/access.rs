//! Agreements, requests for access, and grants.

use crate::{
    AgreementId, DatasetId, GrantId, Instant, Level, OrganisationId, PrincipalName, Purpose, RequestId, Violations,
    dataset::{listed, required},
    id::paragraph,
    principal::optional_name,
    time,
    violation::Check,
    wire::v1,
};

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantAction {
    /// Download and list objects.
    Fetch,
    /// Upload objects.
    Store,
    /// Ask questions of a sensitive dataset.
    Ask,
}

listed!(GrantAction, GrantAction, "`fetch`, `store`, `ask`", { Fetch = "fetch", Store = "store", Ask = "ask" });

impl GrantAction {
    /// What whoever asks for access to a dataset of this level wants, unless they say otherwise.
    pub fn usual(level: Level) -> Self {
        match level {
            Level::Public | Level::QuasiSensitive => Self::Fetch,
            Level::Sensitive => Self::Ask,
        }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// For the steward to decide.
    Waiting,
    /// A grant was made.
    Granted,
    /// The steward said no.
    Refused,
}

listed!(RequestState, RequestState, "`waiting`, `granted`, `refused`", {
    Waiting = "waiting",
    Granted = "granted",
    Refused = "refused",
});

/// What an agreement says, with the four fields of measure 3.1.2 (requirement 44).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its id.
    pub id: AgreementId,
    /// Who signed it.
    pub organisation: OrganisationId,
    /// The datasets it covers; at least one.
    pub datasets: Vec<DatasetId>,
    /// Information handled.
    pub information: String,
    /// Functions performed on it.
    pub functions: String,
    /// How it is operated.
    pub operation: String,
    /// Scope of responsibility.
    pub responsibility: String,
    /// Past this moment every grant under it stops (requirement 45).
    pub review_due: Instant,
    /// Who recorded it; absent in what a caller submits.
    pub added_by: Option<PrincipalName>,
    /// When it was recorded; the moment of parsing's caller for what is submitted.
    pub added: Option<Instant>,
}

impl From<&Agreement> for v1::Agreement {
    fn from(it: &Agreement) -> Self {
        Self {
            id: it.id.to_string(),
            organisation: it.organisation.to_string(),
            datasets: it.datasets.iter().map(ToString::to_string).collect(),
            information: it.information.clone(),
            functions: it.functions.clone(),
            operation: it.operation.clone(),
            responsibility: it.responsibility.clone(),
            review_due: Some(time::to_wire(it.review_due)),
            added_by: it.added_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            added: it.added.map(time::to_wire),
        }
    }
}

impl TryFrom<v1::Agreement> for Agreement {
    type Error = Violations;

    fn try_from(wire: v1::Agreement) -> Result<Self, Violations> {
        let mut check = Check::default();
        let id = check.field("id", wire.id.parse());
        let organisation = check.field("organisation", wire.organisation.parse());
        let datasets = check.field("datasets", datasets(&wire.datasets));
        let information = check.field("information", paragraph(&wire.information, 2_000));
        let functions = check.field("functions", paragraph(&wire.functions, 2_000));
        let operation = check.field("operation", paragraph(&wire.operation, 2_000));
        let responsibility = check.field("responsibility", paragraph(&wire.responsibility, 2_000));
        let review_due = check.field("review_due", time::parse(wire.review_due));
        let added_by = check.field("added_by", optional_name(&wire.added_by));
        let added = check.field("added", time::parse_optional(wire.added));
        let parsed = (|| {
            Some(Self {
                id: id?,
                organisation: organisation?,
                datasets: datasets?,
                information: information?,
                functions: functions?,
                operation: operation?,
                responsibility: responsibility?,
                review_due: review_due?,
                added_by: added_by?,
                added: added?,
            })
        })();
        check.finish(parsed)
    }
}

fn datasets(texts: &[String]) -> Result<Vec<DatasetId>, String> {
    if !(1..=100).contains(&texts.len()) {
        return Err("must be 1-100 datasets".to_owned());
    }
    texts.iter().map(|text| text.parse().map_err(|problem: crate::id::InvalidLabel| problem.to_string())).collect()
}

/// A request for access, as the register keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// Its id.
    pub id: RequestId,
    /// What is asked for.
    pub dataset: DatasetId,
    /// Who asks.
    pub principal: PrincipalName,
    /// For whom.
    pub organisation: OrganisationId,
    /// What for.
    pub purpose: Purpose,
    /// To do what; at least one.
    pub actions: Vec<GrantAction>,
    /// Where it stands.
    pub state: RequestState,
    /// When it was made.
    pub made: Instant,
    /// Who decided.
    pub decided_by: Option<PrincipalName>,
    /// When.
    pub decided: Option<Instant>,
    /// The steward's words when refused; empty otherwise.
    pub reason: String,
    /// The grant, when granted.
    pub grant: Option<GrantId>,
}

impl From<&AccessRequest> for v1::AccessRequest {
    fn from(it: &AccessRequest) -> Self {
        Self {
            id: it.id.to_string(),
            dataset: it.dataset.to_string(),
            principal: it.principal.to_string(),
            organisation: it.organisation.to_string(),
            purpose: it.purpose.to_string(),
            actions: it.actions.iter().map(|action| action.to_wire().into()).collect(),
            state: it.state.to_wire().into(),
            made: Some(time::to_wire(it.made)),
            decided_by: it.decided_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            decided: it.decided.map(time::to_wire),
            reason: it.reason.clone(),
            grant: it.grant.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::AccessRequest> for AccessRequest {
    type Error = Violations;

    fn try_from(wire: v1::AccessRequest) -> Result<Self, Violations> {
        let mut check = Check::default();
        let id = check.field("id", wire.id.parse());
        let dataset = check.field("dataset", wire.dataset.parse());
        let principal = check.field("principal", wire.principal.parse());
        let organisation = check.field("organisation", wire.organisation.parse());
        let purpose = check.field("purpose", wire.purpose.parse());
        let actions = check.field("actions", listed_actions(&wire.actions));
        let state = check.field("state", required(RequestState::from_wire(wire.state)));
        let made = check.field("made", time::parse(wire.made));
        let decided_by = check.field("decided_by", optional_name(&wire.decided_by));
        let decided = check.field("decided", time::parse_optional(wire.decided));
        let grant = check.field("grant", if wire.grant.is_empty() { Ok(None) } else { wire.grant.parse().map(Some) });
        let parsed = (|| {
            Some(Self {
                id: id?,
                dataset: dataset?,
                principal: principal?,
                organisation: organisation?,
                purpose: purpose?,
                actions: actions?,
                state: state?,
                made: made?,
                decided_by: decided_by?,
                decided: decided?,
                reason: wire.reason,
                grant: grant?,
            })
        })();
        check.finish(parsed)
    }
}

/// A set of actions from the wire: sorted, each once; when none is given, what is usual at this level.
///
/// # Errors
/// A sentence for the caller when one is on no list.
pub fn parse_actions(wire: &[i32], level: Level) -> Result<Vec<GrantAction>, String> {
    if wire.is_empty() { Ok(vec![GrantAction::usual(level)]) } else { listed_actions(wire) }
}

/// At least one action, sorted, each once.
fn listed_actions(wire: &[i32]) -> Result<Vec<GrantAction>, String> {
    let mut actions =
        wire.iter().map(|action| required(GrantAction::from_wire(*action))).collect::<Result<Vec<_>, _>>()?;
    if actions.is_empty() {
        return Err("is missing".to_owned());
    }
    actions.sort_unstable();
    actions.dedup();
    Ok(actions)
}

/// A grant, as the register keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// What is lent.
    pub dataset: DatasetId,
    /// To whom.
    pub organisation: OrganisationId,
    /// To do what; at least one.
    pub actions: Vec<GrantAction>,
    /// What for.
    pub purpose: Purpose,
    /// What it rests on.
    pub agreement: Option<AgreementId>,
    /// When it ends.
    pub expires: Instant,
    /// Who granted it.
    pub granted_by: PrincipalName,
    /// When.
    pub granted: Instant,
    /// When it was revoked, if it was.
    pub revoked: Option<Instant>,
    /// Who revoked it.
    pub revoked_by: Option<PrincipalName>,
}

impl From<&Grant> for v1::Grant {
    fn from(it: &Grant) -> Self {
        Self {
            id: it.id.to_string(),
            dataset: it.dataset.to_string(),
            organisation: it.organisation.to_string(),
            actions: it.actions.iter().map(|action| action.to_wire().into()).collect(),
            purpose: it.purpose.to_string(),
            agreement: it.agreement.as_ref().map(ToString::to_string).unwrap_or_default(),
            expires: Some(time::to_wire(it.expires)),
            granted_by: it.granted_by.to_string(),
            granted: Some(time::to_wire(it.granted)),
            revoked: it.revoked.map(time::to_wire),
            revoked_by: it.revoked_by.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::Grant> for Grant {
    type Error = Violations;

    fn try_from(wire: v1::Grant) -> Result<Self, Violations> {
        let mut check = Check::default();
        let id = check.field("id", wire.id.parse());
        let dataset = check.field("dataset", wire.dataset.parse());
        let organisation = check.field("organisation", wire.organisation.parse());
        let actions = check.field("actions", listed_actions(&wire.actions));
        let purpose = check.field("purpose", wire.purpose.parse());
        let agreement = check
            .field("agreement", if wire.agreement.is_empty() { Ok(None) } else { wire.agreement.parse().map(Some) });
        let expires = check.field("expires", time::parse(wire.expires));
        let granted_by = check.field("granted_by", wire.granted_by.parse());
        let granted = check.field("granted", time::parse(wire.granted));
        let revoked = check.field("revoked", time::parse_optional(wire.revoked));
        let revoked_by = check.field("revoked_by", optional_name(&wire.revoked_by));
        let parsed = (|| {
            Some(Self {
                id: id?,
                dataset: dataset?,
                organisation: organisation?,
                actions: actions?,
                purpose: purpose?,
                agreement: agreement?,
                expires: expires?,
                granted_by: granted_by?,
                granted: granted?,
                revoked: revoked?,
                revoked_by: revoked_by?,
            })
        })();
        check.finish(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_a_set_and_default_to_what_the_level_lends() {
        let parse = |wire: &[i32]| parse_actions(wire, Level::QuasiSensitive);
        assert_eq!(parse(&[]).unwrap(), [GrantAction::Fetch]);
        assert_eq!(parse_actions(&[], Level::Sensitive).unwrap(), [GrantAction::Ask]);
        assert_eq!(parse(&[3, 2, 1, 2]).unwrap(), [GrantAction::Fetch, GrantAction::Store, GrantAction::Ask]);
        assert!(parse(&[0]).is_err());
        assert!(parse(&[9]).is_err());
        assert!(listed_actions(&[]).is_err(), "a record always says");
    }

    #[test]
    fn a_grant_survives_the_wire() {
        let at = Instant::from_second(1_790_000_000).unwrap();
        let grant = Grant {
            id: GrantId::new(uuid::Uuid::from_bytes([1; 16])),
            dataset: "capteurs".parse().unwrap(),
            organisation: "voltaic-sas".parse().unwrap(),
            actions: vec![GrantAction::Fetch],
            purpose: "network planning".parse().unwrap(),
            agreement: Some("conv-2026-01".parse().unwrap()),
            expires: at,
            granted_by: "claire".parse().unwrap(),
            granted: at,
            revoked: None,
            revoked_by: None,
        };
        assert_eq!(Grant::try_from(v1::Grant::from(&grant)).unwrap(), grant);
    }
}

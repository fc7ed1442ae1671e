//! What permits are about: how each target is found in the register, and what the policies learn of it.

use std::fmt;

use cedar_policy::{Entity, EntityUid};
use octroi_proto::{Dataset, DatasetId, GrantId, Instant, OrganisationId, Principal, PrincipalName, RequestId};

use super::{
    Asked, Gateway, Granted, Lent, ListPrincipals, ReadGrant, ReadMetadata, ReadRequest,
    action::Action,
    denied::{DeniedKind, Undecided},
    entity::{self, DatasetFacts, Kind, PrincipalFacts},
    register::{Read, Register},
};

/// Something that an action is done to.
pub trait Target: Send + Sync + fmt::Debug + Sized {
    /// What a caller names it by.
    type Key: Clone + Send + Sync + fmt::Debug;

    /// What a caller names it by.
    fn key(&self) -> Self::Key;

    /// The dataset that a key names, for the evidence.
    fn dataset(_key: &Self::Key) -> Option<&DatasetId> {
        None
    }

    /// What there is under a key, each in turn to be tried; nothing when nothing is there.
    ///
    /// # Errors
    /// The register's.
    fn candidates(register: &dyn Register, key: &Self::Key, asker: Option<&OrganisationId>) -> Read<Vec<Self>>;

    /// What the policies learn of it.
    ///
    /// # Errors
    /// The register's, and facts that Cedar cannot hold.
    fn facts(&self, register: &dyn Register) -> Result<Facts, Undecided>;

    /// What they learn of something that is not there, so that refusing it is the same work.
    ///
    /// # Errors
    /// Facts that Cedar cannot hold.
    fn absent(key: &Self::Key) -> Result<Facts, Undecided>;

    /// What a caller is told who may not know of it.
    fn unseen(anonymous: bool) -> DeniedKind;
}

/// A target as the policies see it.
#[derive(Debug, Clone)]
pub struct Facts {
    pub(super) resource: EntityUid,
    pub(super) entities: Vec<Entity>,
    pub(super) sight: Sight,
    /// The grant under which it is reached.
    pub(super) grant: Option<EntityUid>,
    /// When what it rests on ends.
    pub(super) until: Option<Instant>,
    /// The name of the principal who answers for it.
    pub(super) steward: Option<String>,
}

/// Which action tells whether a caller may know that a target exists.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sight {
    /// None: everyone knows of it.
    Open,
    /// This one, on the target itself.
    Target(&'static str),
    /// This one, on the gateway.
    Gateway(&'static str),
}

impl Facts {
    fn about(resource: EntityUid, sight: Sight) -> Self {
        Self { resource, entities: Vec::new(), sight, grant: None, until: None, steward: None }
    }

    fn with(mut self, entity: Entity) -> Self {
        self.entities.push(entity);
        self
    }

    fn on_dataset(dataset: &DatasetFacts<'_>) -> Result<Self, Undecided> {
        let facts = Self::about(dataset.uid(), Sight::Target(ReadMetadata::NAME)).with(dataset.entity()?);
        Ok(Self { steward: Some(dataset.steward().to_owned()), ..facts })
    }
}

impl Target for Gateway {
    type Key = ();

    fn key(&self) -> Self::Key {}

    fn candidates(_: &dyn Register, (): &(), _: Option<&OrganisationId>) -> Read<Vec<Self>> {
        Ok(vec![Self])
    }

    fn facts(&self, _: &dyn Register) -> Result<Facts, Undecided> {
        Self::absent(&())
    }

    fn absent((): &()) -> Result<Facts, Undecided> {
        Ok(Facts::about(entity::gateway(), Sight::Open))
    }

    fn unseen(anonymous: bool) -> DeniedKind {
        if anonymous { DeniedKind::Unauthenticated } else { DeniedKind::Forbidden }
    }
}

impl Target for Dataset {
    type Key = DatasetId;

    fn key(&self) -> DatasetId {
        self.description.id.clone()
    }

    fn dataset(key: &DatasetId) -> Option<&DatasetId> {
        Some(key)
    }

    fn candidates(register: &dyn Register, key: &DatasetId, _: Option<&OrganisationId>) -> Read<Vec<Self>> {
        Ok(register.dataset(key)?.into_iter().collect())
    }

    fn facts(&self, _: &dyn Register) -> Result<Facts, Undecided> {
        Facts::on_dataset(&self.into())
    }

    fn absent(key: &DatasetId) -> Result<Facts, Undecided> {
        Facts::on_dataset(&DatasetFacts::absent(key))
    }

    fn unseen(_: bool) -> DeniedKind {
        DeniedKind::NotFound
    }
}

impl Target for Lent {
    type Key = DatasetId;

    fn key(&self) -> DatasetId {
        self.dataset.description.id.clone()
    }

    fn dataset(key: &DatasetId) -> Option<&DatasetId> {
        Some(key)
    }

    /// Without a grant first, then under each of the organisation's, the one that lasts longest first.
    fn candidates(register: &dyn Register, key: &DatasetId, organisation: Option<&OrganisationId>) -> Read<Vec<Self>> {
        let Some(dataset) = register.dataset(key)? else { return Ok(Vec::new()) };
        let mut grants = match organisation {
            Some(organisation) => register.grants_of(key, organisation)?,
            None => Vec::new(),
        };
        grants.sort_by_key(|grant| (grant.revoked.is_some(), std::cmp::Reverse(grant.expires)));
        grants.truncate(MOST_GRANTS);
        let under = grants.into_iter().map(Some);
        Ok(std::iter::once(None).chain(under).map(|grant| Self { dataset: dataset.clone(), grant }).collect())
    }

    fn facts(&self, register: &dyn Register) -> Result<Facts, Undecided> {
        let mut facts = Facts::on_dataset(&(&self.dataset).into())?;
        let Some(grant) = &self.grant else { return Ok(facts) };
        facts.grant = Some(Kind::Grant.uid(&grant.id.to_string()));
        facts.until = Some(grant.expires);
        facts = facts.with(entity::grant(grant)?);
        let Some(id) = &grant.agreement else { return Ok(facts) };
        // An agreement that is gone leaves the policies a dangling reference, on which they fail: no verdict.
        if let Some(agreement) = register.agreement(id)? {
            facts.until = Some(grant.expires.min(agreement.review_due));
            facts = facts.with(entity::agreement(&agreement)?);
        }
        Ok(facts)
    }

    fn absent(key: &DatasetId) -> Result<Facts, Undecided> {
        Dataset::absent(key)
    }

    fn unseen(anonymous: bool) -> DeniedKind {
        Dataset::unseen(anonymous)
    }
}

/// Grants tried for one request: the live ones that last longest come first, so that more would be no help.
const MOST_GRANTS: usize = 32;

impl Target for Principal {
    type Key = PrincipalName;

    fn key(&self) -> PrincipalName {
        self.name.clone()
    }

    fn candidates(register: &dyn Register, key: &PrincipalName, _: Option<&OrganisationId>) -> Read<Vec<Self>> {
        Ok(register.principal(key)?.into_iter().collect())
    }

    fn facts(&self, register: &dyn Register) -> Result<Facts, Undecided> {
        let organisation = match register.organisation(&self.organisation)? {
            Some(organisation) => entity::organisation(&organisation)?,
            None => entity::missing_organisation(&self.organisation)?,
        };
        Ok(Facts::about(Kind::Principal.uid(self.name.as_str()), Sight::Gateway(ListPrincipals::NAME))
            .with(PrincipalFacts::from(self).entity()?)
            .with(organisation))
    }

    fn absent(key: &PrincipalName) -> Result<Facts, Undecided> {
        let nobody = PrincipalFacts {
            name: key.as_str(),
            organisation: "",
            role: octroi_proto::Role::Device,
            state: octroi_proto::PrincipalState::Revoked,
        };
        Ok(Facts::about(Kind::Principal.uid(key.as_str()), Sight::Gateway(ListPrincipals::NAME))
            .with(nobody.entity()?)
            .with(entity::organisation_facts("", true)?))
    }

    /// Who may not list principals learns the same of all names.
    fn unseen(anonymous: bool) -> DeniedKind {
        Gateway::unseen(anonymous)
    }
}

impl Target for Asked {
    type Key = RequestId;

    fn key(&self) -> RequestId {
        self.request.id
    }

    fn candidates(register: &dyn Register, key: &RequestId, _: Option<&OrganisationId>) -> Read<Vec<Self>> {
        let Some(request) = register.request(key)? else { return Ok(Vec::new()) };
        let dataset = register.dataset(&request.dataset)?;
        Ok(dataset.map(|dataset| Self { request, dataset }).into_iter().collect())
    }

    fn facts(&self, _: &dyn Register) -> Result<Facts, Undecided> {
        let dataset = DatasetFacts::from(&self.dataset);
        let resource = Kind::AccessRequest.uid(&self.request.id.to_string());
        Ok(Facts::about(resource, Sight::Target(ReadRequest::NAME))
            .with(entity::request(&self.request)?)
            .with(dataset.entity()?))
    }

    fn absent(key: &RequestId) -> Result<Facts, Undecided> {
        let id = key.to_string();
        Ok(Facts::about(Kind::AccessRequest.uid(&id), Sight::Target(ReadRequest::NAME))
            .with(entity::absent_request(&id)?)
            .with(entity::nameless_dataset()?))
    }

    fn unseen(anonymous: bool) -> DeniedKind {
        if anonymous { DeniedKind::Unauthenticated } else { DeniedKind::NotFound }
    }
}

impl Target for Granted {
    type Key = GrantId;

    fn key(&self) -> GrantId {
        self.grant.id
    }

    fn candidates(register: &dyn Register, key: &GrantId, _: Option<&OrganisationId>) -> Read<Vec<Self>> {
        let Some(grant) = register.grant(key)? else { return Ok(Vec::new()) };
        let dataset = register.dataset(&grant.dataset)?;
        Ok(dataset.map(|dataset| Self { grant, dataset }).into_iter().collect())
    }

    fn facts(&self, _: &dyn Register) -> Result<Facts, Undecided> {
        let dataset = DatasetFacts::from(&self.dataset);
        let resource = Kind::Grant.uid(&self.grant.id.to_string());
        Ok(Facts::about(resource, Sight::Target(ReadGrant::NAME))
            .with(entity::grant(&self.grant)?)
            .with(dataset.entity()?))
    }

    fn absent(key: &GrantId) -> Result<Facts, Undecided> {
        let id = key.to_string();
        Ok(Facts::about(Kind::Grant.uid(&id), Sight::Target(ReadGrant::NAME))
            .with(entity::absent_grant(&id)?)
            .with(entity::nameless_dataset()?))
    }

    fn unseen(anonymous: bool) -> DeniedKind {
        Asked::unseen(anonymous)
    }
}

//! Objects: committed once their sealed bytes are durable, removed before their bytes are.

use octroi_proto::{
    Dataset, DatasetState, GrantAction, Instant, Level, ObjectKey, Principal, Role, StoredObject,
    wire::v1::{self, entry::Record},
};

use super::{Change, ChangeError, Subject, View, actor, current, is_steward, own};
use crate::{
    authorise::{self as action, Lent, Permit},
    object::{Committed, Durable, Precondition},
};

/// Commits an object whose sealed bytes are durable in the object store.
#[derive(Debug, Clone)]
pub struct CommitObject {
    /// The object; its identity is that of the object under its key if there is one.
    pub object: Durable,
    /// What must be current.
    pub precondition: Precondition,
}

/// Removes an object from the register. The outcome is what was there: its key and bytes are to be destroyed.
#[derive(Debug, Clone)]
pub struct RemoveObject {
    /// Its name within the dataset.
    pub key: ObjectKey,
    /// What must be current.
    pub precondition: Precondition,
}

impl Change for CommitObject {
    type Action = action::StoreObject;
    type Outcome = Committed;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Committed), ChangeError> {
        let actor = actor(permit, view)?;
        let dataset = current(&permit.target().dataset.description.id, view)?;
        match dataset.description.level {
            level @ Level::Sensitive => return Err(ChangeError::LevelUnfit { level }),
            Level::Public | Level::QuasiSensitive => {}
        }
        let replaced = view.object(&dataset.description.id, self.object.key())?;
        // Before the precondition, so that whoever may not replace a version does not learn which it is.
        may_store(&actor, &dataset, permit.target(), replaced.as_ref(), view, now)?;
        let current = replaced.as_ref().map(|object| object.version);
        if !self.precondition.holds(current) {
            return Err(ChangeError::Version { current });
        }
        let same = |object: &StoredObject| object.at.uuid == self.object.at().uuid;
        if self.object.at().dataset != dataset.description.id || !replaced.as_ref().is_none_or(same) {
            return Err(ChangeError::Superseded);
        }
        let object = self.object.clone().stored(current.unwrap_or(0) + 1, actor.organisation, now);
        Ok((Record::Object((&object).into()), Committed { object, replaced }))
    }
}

impl Change for RemoveObject {
    type Action = action::DeleteObject;
    type Outcome = StoredObject;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        _: Instant,
    ) -> Result<(Record, StoredObject), ChangeError> {
        // No grant lends this: who could remove another's object could put their own in its place.
        let (dataset, _) = own(&permit.target().dataset.description.id, permit, view)?;
        let found = view.object(&dataset.description.id, &self.key)?;
        let object = found.ok_or(ChangeError::Absent(Subject::Object))?;
        if !self.precondition.holds(Some(object.version)) {
            return Err(ChangeError::Version { current: Some(object.version) });
        }
        let record = v1::DeletedObject {
            dataset: object.at.dataset.to_string(),
            key: object.key.to_string(),
            uuid: object.at.uuid.as_bytes().to_vec(),
            version: object.version,
            version_id: object.at.version_id.as_bytes().to_vec(),
        };
        Ok((Record::DeletedObject(record), object))
    }
}

/// The dataset's own steward may store; and a vendor under a live grant to store, while the dataset is published and
/// quasi-sensitive, if it replaces nothing or what its own organisation stored.
fn may_store(
    actor: &Principal,
    dataset: &Dataset,
    lent: &Lent,
    replaced: Option<&StoredObject>,
    view: &View<'_>,
    now: Instant,
) -> Result<(), ChangeError> {
    if is_steward(actor, dataset) {
        return Ok(());
    }
    let lendable = dataset.description.level == Level::QuasiSensitive && dataset.state == DatasetState::Published;
    let named = lent.grant.as_ref().filter(|_| lendable && actor.role == Role::Vendor).ok_or(ChangeError::NotLent)?;
    let grant = view.grant(&named.id)?.ok_or(ChangeError::NotLent)?;
    let live = grant.revoked.is_none() && grant.expires > now;
    let ours = grant.organisation == actor.organisation && grant.dataset == dataset.description.id;
    if !(live && ours && grant.actions.contains(&GrantAction::Store)) {
        return Err(ChangeError::NotLent);
    }
    if view.organisation(&actor.organisation)?.is_none_or(|organisation| organisation.revoked) {
        return Err(ChangeError::OrganisationRevoked);
    }
    let rests = match &grant.agreement {
        None => true,
        Some(id) => view.agreement(id)?.is_some_and(|agreement| agreement.review_due > now),
    };
    if !rests {
        return Err(ChangeError::NotLent);
    }
    match replaced {
        Some(object) if object.stored_by != actor.organisation => Err(ChangeError::StoredByAnother),
        Some(_) | None => Ok(()),
    }
}

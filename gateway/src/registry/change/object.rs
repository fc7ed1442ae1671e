//! Objects: committed once their sealed bytes are durable, removed before their bytes are.

use octroi_proto::{
    Dataset, DatasetState, GrantAction, Instant, Level, MediaType, ObjectKey, ObjectVersion, Principal, Role,
    StoredObject,
    wire::v1::{self, entry::Record},
};
use uuid::Uuid;

use super::{Change, ChangeError, Subject, View, actor, current, is_steward};
use crate::authorise::{self as action, Lent, Permit};

/// Commits an object whose sealed bytes are durable in the object store.
#[derive(Debug, Clone)]
pub struct CommitObject {
    /// The object's identity, as sealed: that of the object under this key if there is one.
    pub uuid: Uuid,
    /// This version's identity, as sealed.
    pub version_id: Uuid,
    /// Its name within the dataset.
    pub key: ObjectKey,
    /// Bytes of plaintext.
    pub length: u64,
    /// SHA-256 of the plaintext.
    pub sha256: [u8; 32],
    /// What the one who stored it said it is.
    pub media_type: MediaType,
    /// SHA-256 of the sealed bytes.
    pub sealed_sha256: [u8; 32],
    /// Bytes of the sealed object.
    pub sealed_length: u64,
    /// The version that must be current, if any.
    pub if_version: Option<u64>,
    /// Whether there must be no object under this key.
    pub if_absent: bool,
}

/// An object that is committed, and what it replaced, whose key and bytes can go now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedObject {
    /// The object.
    pub stored: StoredObject,
    /// What was under its key before.
    pub replaced: Option<StoredObject>,
}

/// Removes an object from the register. The outcome is what was there: its key and bytes are to be destroyed.
#[derive(Debug, Clone)]
pub struct RemoveObject {
    /// Its name within the dataset.
    pub key: ObjectKey,
    /// The version that must be current, if any.
    pub if_version: Option<u64>,
}

impl Change for CommitObject {
    type Action = action::StoreObject;
    type Outcome = CommittedObject;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, CommittedObject), ChangeError> {
        let (dataset, actor) = stands(permit, view)?;
        match dataset.description.level {
            level @ Level::Sensitive => return Err(ChangeError::LevelUnfit { level }),
            Level::Public | Level::QuasiSensitive => {}
        }
        may_store(&actor, &dataset, permit.target(), view, now)?;
        let replaced = view.object(&dataset.description.id, &self.key)?;
        let current = replaced.as_ref().map(|object| object.version);
        if (self.if_absent && current.is_some()) || self.if_version.is_some_and(|version| current != Some(version)) {
            return Err(ChangeError::Version { current });
        }
        if replaced.as_ref().is_some_and(|object| object.at.uuid != self.uuid) {
            return Err(ChangeError::Superseded);
        }
        let stored = StoredObject {
            at: ObjectVersion { dataset: dataset.description.id, uuid: self.uuid, version_id: self.version_id },
            version: current.unwrap_or(0) + 1,
            key: self.key.clone(),
            length: self.length,
            sha256: self.sha256,
            media_type: self.media_type.clone(),
            sealed_sha256: self.sealed_sha256,
            sealed_length: self.sealed_length,
            stored: now,
        };
        Ok((Record::Object((&stored).into()), CommittedObject { stored, replaced }))
    }
}

impl Change for RemoveObject {
    type Action = action::DeleteObject;
    type Outcome = StoredObject;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, StoredObject), ChangeError> {
        let (dataset, actor) = stands(permit, view)?;
        may_store(&actor, &dataset, permit.target(), view, now)?;
        let found = view.object(&dataset.description.id, &self.key)?;
        let object = found.ok_or(ChangeError::Absent(Subject::Object))?;
        if self.if_version.is_some_and(|version| version != object.version) {
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

fn stands<A: action::Action<Target = Lent>>(
    permit: &Permit<A>,
    view: &View<'_>,
) -> Result<(Dataset, Principal), ChangeError> {
    let actor = actor(permit, view)?;
    Ok((current(&permit.target().dataset.description.id, view)?, actor))
}

/// The dataset's own steward may, at any level; and a vendor under a live grant to store, while the dataset is
/// published and quasi-sensitive.
fn may_store(
    actor: &Principal,
    dataset: &Dataset,
    lent: &Lent,
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
    if rests { Ok(()) } else { Err(ChangeError::NotLent) }
}

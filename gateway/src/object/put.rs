//! Bytes into the gate.

use std::{error::Error, pin::pin};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use octroi_proto::{MediaType, ObjectKey, ObjectVersion, StoredObject};
use ring::digest;
use uuid::Uuid;

use super::{
    CommitError, Committed, Durable, Ended, Objects, Precondition, Register, Unavailable,
    seal::{Place, Refusal, Sealer, TooLong, WHOLE},
    shred::{Draft, shred},
    store::{StoreError, Upload},
    vigil::Vigil,
};
use crate::{
    authorise::{Permit, StoreObject},
    clock::SharedClock,
    keys::{self, client::CallError},
};

/// What a caller says of an object before its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutHead {
    /// Its name.
    pub key: ObjectKey,
    /// What it is.
    pub media_type: MediaType,
    /// What must be current.
    pub precondition: Precondition,
}

/// Why an object was not stored. Nothing is visible of it, and what was written is shredded.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The permit ended while bytes came.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// A grant lets an organisation replace what it stored itself, and nothing else.
    #[error("the object was stored by another organisation: choose another key")]
    StoredByAnother,
    /// What had to be current is not.
    #[error("the current version is another than the one demanded")]
    Precondition,
    /// More bytes than one object may have (setting `max_object_bytes`).
    #[error("an object may have at most {most} bytes (setting `max_object_bytes`)")]
    TooLarge {
        /// The setting.
        most: u64,
    },
    /// The caller's bytes broke off.
    #[error("the upload broke off")]
    Upload(#[source] Box<dyn Error + Send + Sync>),
    /// The key process failed.
    #[error(transparent)]
    Keys(#[from] CallError),
    /// The key process allows no suite that we seal with, or chunks ran out.
    #[error("the object cannot be sealed: {0}")]
    Seal(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The register could not be read.
    #[error(transparent)]
    Register(#[from] Unavailable),
    /// The register is busy.
    #[error("the register is busy: try again")]
    Busy,
    /// The register failed; the object may have been stored.
    #[error("the register failed: whether the object was stored is not known")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

impl<R: Register> Objects<R> {
    /// Stores an object: sealed, durable, and in the evidence when this returns. A caller who leaves before undoes
    /// it, unless it has begun to be committed.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn put<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        permit: Permit<StoreObject>,
        head: PutHead,
        data: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<StoredObject, PutError> {
        let dataset = permit.target().dataset.description.id.clone();
        let current = self.current(&dataset, &head.key)?;
        // The register decides at the commit; this spares an upload that would be in vain.
        if current.as_ref().is_some_and(|object| !may_replace(&permit, object)) {
            return Err(PutError::StoredByAnother);
        }
        if !head.precondition.holds(current.as_ref().map(|object| object.version)) {
            return Err(PutError::Precondition);
        }
        let uuid = current.map_or_else(Uuid::new_v4, |object| object.at.uuid);
        let at = ObjectVersion { dataset, uuid, version_id: Uuid::new_v4() };
        let draft = Draft::new(self.keys.clone(), self.backend.clone(), at.clone());
        let mut vigil = Vigil::new(self.register.clone(), permit, SharedClock::clone(&self.clock));
        match self.store(&at, &head, &mut vigil, data).await {
            Ok(durable) => self.commit(vigil.into_permit(), durable, head.precondition, draft).await,
            Err(error) => {
                draft.discard().await;
                Err(error)
            }
        }
    }

    /// Seals what comes, and stores it.
    async fn store<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        at: &ObjectVersion,
        head: &PutHead,
        vigil: &mut Vigil<R, StoreObject>,
        data: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Durable, PutError> {
        let key = self.keys.create(at).await?;
        let (mut sealing, header) = Sealing::begin(&key, at, self)?;
        sealing.upload.write(Bytes::copy_from_slice(&header)).await?;
        let mut data = pin!(data);
        while let Some(piece) = vigil.during(data.next()).await? {
            vigil.check()?;
            sealing.push(piece.map_err(|error| PutError::Upload(error.into()))?).await?;
        }
        let (plain, sealed) = sealing.finish().await?;
        Ok(Durable::new(at.clone(), (head.key.clone(), head.media_type.clone()), plain, sealed))
    }

    /// Names what is stored. In a task of its own: once begun, it does not depend on whether the caller waits.
    async fn commit(
        &self,
        permit: Permit<StoreObject>,
        durable: Durable,
        precondition: Precondition,
        mut draft: Draft,
    ) -> Result<StoredObject, PutError> {
        let (register, keys, backend) = (self.register.clone(), self.keys.clone(), self.backend.clone());
        let committing = tokio::spawn(async move {
            draft.keep();
            match register.commit(permit, durable, precondition).await {
                Ok(Committed { object, replaced }) => {
                    if let Some(replaced) = replaced {
                        shred(&keys, &backend, &replaced.at).await;
                    }
                    Ok(object)
                }
                Err(CommitError::Unknown(cause)) => Err(PutError::Unknown(cause)),
                Err(error) => {
                    draft.discard().await;
                    Err(error.into())
                }
            }
        });
        committing.await.map_err(|error| PutError::Unknown(error.into()))?
    }
}

/// Whether a caller may put a version of its own in the place of this one: under a grant, only what its own
/// organisation stored; without one it is the dataset's steward, who may.
fn may_replace(permit: &Permit<StoreObject>, object: &StoredObject) -> bool {
    let organisation = permit.caller().member().map(|member| &member.principal().organisation);
    permit.target().grant.is_none() || organisation == Some(&object.stored_by)
}

/// Plaintext on its way into the store.
struct Sealing {
    sealer: Sealer,
    upload: Upload,
    digest: digest::Context,
    length: u64,
    most: u64,
}

impl Sealing {
    fn begin<R>(
        key: &keys::DataKey,
        at: &ObjectVersion,
        objects: &Objects<R>,
    ) -> Result<(Self, [u8; super::seal::HEADER_BYTES]), PutError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| StoreError::Io(error.into()))?;
        let place = Place { uuid: at.uuid, version_id: at.version_id, part: WHOLE };
        let (sealer, header) = Sealer::begin(key, &place, objects.limits.chunk_bytes, &salt)?;
        let digest = digest::Context::new(&digest::SHA256);
        let upload = objects.backend.upload(at);
        Ok((Self { sealer, upload, digest, length: 0, most: objects.limits.max_object_bytes }, header))
    }

    async fn push(&mut self, mut piece: Bytes) -> Result<(), PutError> {
        self.length = self.length.saturating_add(piece.len() as u64);
        if self.length > self.most {
            return Err(PutError::TooLarge { most: self.most });
        }
        self.digest.update(&piece);
        while let Some(chunk) = self.sealer.push(&mut piece)? {
            self.upload.write(chunk).await?;
        }
        Ok(())
    }

    /// Length and SHA-256 of the plaintext and of the sealed bytes.
    async fn finish(mut self) -> Result<((u64, [u8; 32]), (u64, [u8; 32])), PutError> {
        self.upload.write(self.sealer.finish()?).await?;
        let sealed = self.upload.finish().await?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Ok(((self.length, sha256), sealed))
    }
}

impl From<TooLong> for PutError {
    fn from(_: TooLong) -> Self {
        Self::Seal(Refusal::Length)
    }
}

impl From<CommitError> for PutError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Ended(ended) => Self::Ended(ended),
            // A commit has nothing to miss: an object that is gone by now is a version that is not current.
            CommitError::Precondition | CommitError::Missing => Self::Precondition,
            CommitError::Busy => Self::Busy,
            CommitError::Unknown(cause) => Self::Unknown(cause),
        }
    }
}

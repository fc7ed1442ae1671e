//! Objects out of existence.

use std::error::Error;

use octroi_proto::ObjectKey;

use super::{CommitError, Ended, Objects, Precondition, Register, shred::shred};
use crate::authorise::{DeleteObject, Permit};

/// Why an object was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// The permit ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// What had to be current is not.
    #[error("the current version is another than the one demanded")]
    Precondition,
    /// The register is busy.
    #[error("the register is busy: try again")]
    Busy,
    /// The register failed; the object may have been removed.
    #[error("the register failed: whether the object was removed is not known")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

impl<R: Register> Objects<R> {
    /// Removes an object: its name (durably, with evidence), then its key, then its bytes. Once begun, it does not
    /// depend on whether the caller waits.
    ///
    /// # Errors
    /// [`RemoveError`].
    pub async fn remove(
        &self,
        permit: Permit<DeleteObject>,
        key: ObjectKey,
        precondition: Precondition,
    ) -> Result<(), RemoveError> {
        let (register, keys, backend) = (self.register.clone(), self.keys.clone(), self.backend.clone());
        let removing = tokio::spawn(async move {
            let removed = register.remove(permit, key, precondition).await?;
            shred(&keys, &backend, &removed.at).await;
            Ok(())
        });
        removing.await.map_err(|error| RemoveError::Unknown(error.into()))?
    }
}

impl From<CommitError> for RemoveError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Ended(ended) => Self::Ended(ended),
            CommitError::Missing => Self::Missing,
            CommitError::Precondition => Self::Precondition,
            CommitError::Busy => Self::Busy,
            CommitError::Unknown(cause) => Self::Unknown(cause),
        }
    }
}

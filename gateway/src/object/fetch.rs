//! Bytes out of the gate.

use std::{cmp::Ordering, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use octroi_proto::{
    ObjectKey, StoredObject,
    wire::v1::{self, entry},
};
use tokio::runtime::Handle;

use super::{
    ByteRange, Damage, Ended, Objects, Precondition, Register, Unavailable,
    range::{Resolved, Unsatisfiable},
    seal::{Header, Opening, Place, Refusal, WHOLE},
    store::StoreError,
    vigil::Vigil,
};
use crate::{
    authorise::{Decided, FetchObject, Lent, Permit},
    clock::SharedClock,
    keys::{DataKey, client::CallError},
};

/// An object that is open: its bytes may flow, and that they do is in the evidence.
pub struct Opened {
    /// The object.
    pub object: StoredObject,
    /// The bytes of it that come.
    pub range: Range<u64>,
    /// Whether a part was asked for.
    pub partial: bool,
    /// Terms under which they leave.
    pub notice: v1::DisclosureNotice,
    /// The bytes, in order. An error ends the stream, and is no clean end: whoever passes the bytes on must break
    /// the connection off.
    pub bytes: BoxStream<'static, Result<Bytes, StreamError>>,
}

/// Why no byte of an object comes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// Another version is current than the one demanded.
    #[error("the current version is another than the one demanded")]
    Precondition,
    /// The range begins past the end.
    #[error(transparent)]
    Range(#[from] Unsatisfiable),
    /// The permit ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// What is stored is not what was sealed, or is gone.
    #[error("what is stored fails authentication")]
    Corrupt(#[source] Refusal),
    /// The object's key or its bytes are gone, although the register has it.
    #[error("the object is lost: its key or its bytes are gone")]
    Lost,
    /// The key process failed.
    #[error(transparent)]
    Keys(CallError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The register could not be read, or the evidence not written.
    #[error(transparent)]
    Register(#[from] Unavailable),
}

/// Why a stream of bytes broke off.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The permit ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// What is stored is not what was sealed.
    #[error("what is stored fails authentication")]
    Corrupt(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<R: Register> Objects<R> {
    /// Opens an object. For members, that they fetch it is durable evidence before this returns; anonymous fetches
    /// are counted elsewhere. How it ended is recorded when the stream is dropped.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(
        &self,
        permit: Permit<FetchObject>,
        key: &ObjectKey,
        range: ByteRange,
        precondition: Precondition,
    ) -> Result<Opened, FetchError> {
        let Found { object, range, opening, source } = self.find(&permit, key, range, precondition).await?;
        let started = self.start(&permit, &object, &range.bytes).await?;
        let notice = notice(permit.target());
        let decided = permit.decided().clone();
        let account =
            Account { register: self.register.clone(), decided, started, bytes: 0, outcome: Outcome::Abandoned };
        let mut vigil = Vigil::new(self.register.clone(), permit, SharedClock::clone(&self.clock));
        // What was given may have ended while the evidence was written.
        vigil.check()?;
        let damage = Arc::clone(&self.damage);
        let delivery =
            Delivery { vigil, opening, source, sealed: Bytes::new(), object: object.clone(), account, damage };
        let bytes = stream::unfold(Some(delivery), Delivery::step).boxed();
        Ok(Opened { object, range: range.bytes, partial: range.partial, notice, bytes })
    }

    /// The current version, ready to be read. A version may be replaced and shredded between two steps; then the newer
    /// one is looked for, and only a version that is gone twice is lost.
    async fn find(
        &self,
        permit: &Permit<FetchObject>,
        key: &ObjectKey,
        range: ByteRange,
        precondition: Precondition,
    ) -> Result<Found, FetchError> {
        let dataset = &permit.target().dataset.description.id;
        let mut gone = None;
        loop {
            let object = self.current(dataset, key)?.ok_or(FetchError::Missing)?;
            if !precondition.holds(Some(object.version)) {
                return Err(FetchError::Precondition);
            }
            let range = range.resolve(object.length)?;
            match self.open(&object, &range.bytes).await {
                Ok((opening, source)) => return Ok(Found { object, range, opening, source }),
                Err(FetchError::Lost) if gone != Some(object.version) => gone = Some(object.version),
                Err(error) => {
                    if matches!(error, FetchError::Corrupt(_) | FetchError::Lost) {
                        self.damage.report(&self.register, permit.decided(), &object);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Opens a version's key, verifies its header and its size, and begins to read the range.
    async fn open(&self, object: &StoredObject, range: &Range<u64>) -> Result<(Opening, Source), FetchError> {
        let key = self.keys.open(&object.at).await.map_err(|error| match error {
            CallError::Missing => FetchError::Lost,
            error @ (CallError::Exists
            | CallError::CertificateRequest
            | CallError::Malformed
            | CallError::Unavailable(_)) => FetchError::Keys(error),
        })?;
        let (header, length) = self.backend.header(&object.at).await.map_err(lost)?;
        let opening = verify(object, &key, &header, length, range).map_err(FetchError::Corrupt)?;
        let source = self.backend.read(&object.at, opening.span().sealed.clone()).await.map_err(lost)?;
        Ok((opening, source))
    }

    async fn start(
        &self,
        permit: &Permit<FetchObject>,
        object: &StoredObject,
        range: &Range<u64>,
    ) -> Result<Option<R::Recorded>, Unavailable> {
        if permit.caller().member().is_none() {
            return Ok(None);
        }
        let grant = permit.target().grant.as_ref();
        let record = v1::FetchStarted {
            dataset: object.at.dataset.to_string(),
            key: object.key.to_string(),
            version: object.version,
            offset: range.start,
            length: range.end - range.start,
            grant: grant.map(|grant| grant.id.to_string()).unwrap_or_default(),
        };
        self.register.record(permit.decided(), entry::Record::FetchStarted(record)).await.map(Some)
    }
}

type Source = BoxStream<'static, Result<Bytes, StoreError>>;

/// A version that can be read.
struct Found {
    object: StoredObject,
    range: Resolved,
    opening: Opening,
    source: Source,
}

/// All that can be known of a sealed object before its chunks are read.
fn verify(
    object: &StoredObject,
    key: &DataKey,
    header: &[u8],
    stored_length: u64,
    range: &Range<u64>,
) -> Result<Opening, Refusal> {
    let place = Place { uuid: object.at.uuid, version_id: object.at.version_id, part: WHOLE };
    let verified = Header::parse(header)?.verify(key, &place)?;
    match stored_length.cmp(&verified.layout(object.length)?.sealed_length()) {
        Ordering::Less => Err(Refusal::Truncated),
        Ordering::Greater => Err(Refusal::Surplus),
        Ordering::Equal => verified.range(object.length, range),
    }
}

/// Bytes on their way out.
struct Delivery<R: Register> {
    vigil: Vigil<R, FetchObject>,
    opening: Opening,
    source: Source,
    /// Sealed bytes that were read and not yet opened.
    sealed: Bytes,
    object: StoredObject,
    account: Account<R>,
    damage: Arc<Damage>,
}

impl<R: Register> Delivery<R> {
    /// One step of the stream; after an error there is none.
    async fn step(this: Option<Self>) -> Option<(Result<Bytes, StreamError>, Option<Self>)> {
        let mut this = this?;
        match this.next().await {
            Ok(Some(plaintext)) => Some((Ok(plaintext), Some(this))),
            Ok(None) => None,
            Err(error) => {
                this.account.outcome =
                    if matches!(error, StreamError::Ended(_)) { Outcome::Cut } else { Outcome::Failed };
                if matches!(error, StreamError::Corrupt(_) | StreamError::Store(StoreError::Missing)) {
                    this.damage.report(&this.account.register, &this.account.decided, &this.object);
                }
                Some((Err(error), None))
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            self.vigil.check()?;
            while let Some(plaintext) = self.opening.push(&mut self.sealed)? {
                if self.opening.is_complete() {
                    self.account.outcome = Outcome::Complete;
                }
                if !plaintext.is_empty() {
                    self.account.bytes += plaintext.len() as u64;
                    return Ok(Some(plaintext));
                }
            }
            if self.opening.is_complete() {
                return Ok(None);
            }
            self.sealed = self.vigil.during(self.source.next()).await?.ok_or(Refusal::Truncated)??;
        }
    }
}

/// What the evidence will say of a fetch when it is over.
struct Account<R: Register> {
    register: R,
    decided: Decided,
    /// Proof that the beginning is recorded; none for anonymous fetches.
    started: Option<R::Recorded>,
    bytes: u64,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Complete,
    Cut,
    Abandoned,
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cut => "cut",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }
}

impl<R: Register> Drop for Account<R> {
    fn drop(&mut self) {
        metrics::counter!("octroi_object_fetches_total", "outcome" => self.outcome.as_str()).increment(1);
        metrics::counter!("octroi_object_fetched_bytes_total").increment(self.bytes);
        let Some(started) = &self.started else { return };
        let ended = v1::FetchEnded {
            started: R::sequence(started),
            bytes: self.bytes,
            outcome: self.outcome.as_str().to_owned(),
        };
        record_later(&self.register, &self.decided, entry::Record::FetchEnded(ended));
    }
}

/// Records from where nothing can wait.
pub(super) fn record_later<R: Register>(register: &R, decided: &Decided, record: entry::Record) {
    let (register, decided) = (register.clone(), decided.clone());
    let Ok(runtime) = Handle::try_current() else {
        tracing::error!("evidence was not recorded: the gateway has ended");
        return;
    };
    runtime.spawn(async move {
        if let Err(error) = register.record(&decided, record).await {
            tracing::error!(error = &error as &dyn std::error::Error, "evidence was not recorded");
        }
    });
}

/// Who answers for the data, and what it may be used for: the grant's purpose, or the licence.
fn notice(lent: &Lent) -> v1::DisclosureNotice {
    let description = &lent.dataset.description;
    let scope = lent.grant.as_ref().map_or_else(|| description.licence.clone(), |grant| grant.purpose.to_string());
    v1::DisclosureNotice { owner: description.owner.clone(), scope }
}

fn lost(error: StoreError) -> FetchError {
    match error {
        StoreError::Missing => FetchError::Lost,
        error @ (StoreError::Failed(_) | StoreError::Io(_)) => FetchError::Store(error),
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("range", &self.range).finish_non_exhaustive()
    }
}

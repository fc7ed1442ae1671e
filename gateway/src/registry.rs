//! The register: datasets, principals, agreements, grants and objects as they stand, an index over the evidence.
//!
//! ```text
//! Permit + Change -> writer thread: decide -> evidence (one sync per round) -> index -> outcome
//!                    reads: straight from the index, on any thread
//! ```
//!
//! A change is decided by one thread, on what stands at that moment, under a permit that was decided on the same
//! state; it takes effect when its entry is durable, or not at all. The register trusts the permit for who asks and
//! whether policy lets them, and itself for the rules that must hold whatever the policy says ([`change`]). When the
//! evidence cannot be written, nothing changes any more until a restart: reads go on.

pub mod change;
mod effects;
pub mod feed;
mod index;
mod job;
pub mod offline;
mod reads;
mod table;
mod view;
mod writer;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use octroi_proto::{
    Credential, Instant, Organisation, OrganisationId, Principal, PrincipalName, PrincipalState, Role,
    wire::v1::{self, entry::Record},
};
use tokio::sync::watch;

pub use self::{
    change::{Change, ChangeError},
    feed::{FeedState, Listing},
    index::{OpenIndexError, ReplayError},
    view::{PAGE, ReadError, View},
};
use self::{
    index::Index,
    job::{ChangeJob, RecordJob},
    view::Overlay,
    writer::{Item, Timer, Writer},
};
use crate::{
    authorise::{Decided, Permit},
    clock::SharedClock,
    evidence::{
        AppendError, Draft, ExportError, KernelSalts, Log, NotTaken, OpenStoreError, Outcome, PublishError, Store,
        Tally,
    },
};

/// Where the register lives and how it works.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Folder of the evidence.
    pub evidence: PathBuf,
    /// Folder of the index.
    pub index: PathBuf,
    /// Memory for the index's cache, in bytes.
    pub cache_bytes: u64,
    /// Time between checkpoints of the log.
    pub checkpoint_every: Duration,
    /// Time between counts of anonymous traffic.
    pub count_every: Duration,
    /// Changes and entries that may wait; more are refused as busy.
    pub queue: usize,
}

impl RegistrySettings {
    /// The settings that a data folder's `state` folder has by default.
    #[cfg(test)]
    pub(crate) fn in_folder(state: &std::path::Path) -> Self {
        Self {
            evidence: state.join("evidence"),
            index: state.join("registry"),
            cache_bytes: 64 << 20,
            checkpoint_every: Duration::from_secs(10),
            count_every: Duration::from_secs(60),
            queue: 4_096,
        }
    }
}

/// The register; cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    index: Index,
    nothing: Overlay,
    log: Log,
    queue: SyncSender<Item>,
    epoch: watch::Receiver<u64>,
    tally: Arc<Tally>,
    clock: SharedClock,
    syncs: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// An entry that is durable. Only the register makes one; what must not happen without evidence demands it.
#[derive(Debug, PartialEq, Eq)]
pub struct Recorded {
    sequence: u64,
}

impl Recorded {
    fn at(sequence: u64) -> Self {
        Self { sequence }
    }

    /// Its place in the log.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Why the register does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The evidence does not open.
    #[error(transparent)]
    Store(#[from] OpenStoreError),
    /// The index does not open.
    #[error(transparent)]
    Index(#[from] OpenIndexError),
    /// The first entries were not taken.
    #[error(transparent)]
    Entry(#[from] NotTaken),
    /// The first entries could not be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The first checkpoint could not be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// No thread could be had.
    #[error("no thread for the registry's writer: {0}")]
    Thread(std::io::Error),
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError<C: Change> {
    /// The register changed since the permit was decided, or the permit ended: have it renewed and try again.
    #[error("the permit is older than the register")]
    Stale {
        /// The permit.
        permit: Box<Permit<C::Action>>,
        /// The change.
        change: Box<C>,
    },
    /// A rule of the register is against it.
    #[error(transparent)]
    Refused(ChangeError),
    /// Too much waits already.
    #[error("the gateway is busy: try again in a moment")]
    Busy,
    /// Its entry would be larger than the evidence takes.
    #[error("the change is too large to be recorded: split it")]
    TooLarge,
    /// The evidence cannot be written, or the gateway is shutting down. Whether the change will be found after a
    /// restart is not known.
    #[error("the register cannot be changed now")]
    Unavailable,
}

/// Why an entry was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Too much waits already.
    #[error("the gateway is busy: try again in a moment")]
    Busy,
    /// It is larger than the evidence takes.
    #[error("the entry is too large to be recorded")]
    TooLarge,
    /// The evidence cannot be written, or the gateway is shutting down.
    #[error("the evidence cannot be written now")]
    Unavailable,
}

/// The operator that a register begins with: nobody could add it.
#[derive(Debug, Clone)]
pub struct Founder {
    /// Its name.
    pub name: PrincipalName,
    /// Whom it acts for.
    pub organisation: OrganisationId,
    /// How it proves who it is.
    pub credential: Credential,
}

impl Registry {
    /// Begins a register whose evidence log has this origin, with its first operator, and leaves it closed.
    ///
    /// # Errors
    /// [`OpenError`]; where there is a register already, nothing is changed.
    pub fn found(settings: &RegistrySettings, origin: &str, founder: Founder, now: Instant) -> Result<(), OpenError> {
        let mut store = Store::create(&settings.evidence, origin, Box::new(KernelSalts))?;
        let Founder { name, organisation, credential } = founder;
        let founded = Organisation { id: organisation.clone(), revoked: false, generation: 1, added: now };
        let operator = Principal {
            name,
            organisation,
            role: Role::Operator,
            state: PrincipalState::Active,
            credential,
            approvals: Vec::new(),
            added_by: None,
            added: now,
            generation: 1,
        };
        let mut batch = store.begin();
        let records = [Record::Organisation((&founded).into()), Record::Principal((&operator).into())];
        for record in records {
            store.push(&mut batch, Draft::gateway("Found", record), now)?;
        }
        store.append(&batch)?;
        store.publish()?;
        Index::open(&settings.index, settings.cache_bytes, &store.log())?;
        Ok(())
    }

    /// Opens the register: recovers the evidence, brings the index up to it, starts the writer.
    ///
    /// # Errors
    /// [`OpenError`], each with what to do.
    pub fn open(settings: &RegistrySettings, clock: SharedClock) -> Result<Self, OpenError> {
        let store = Store::open(&settings.evidence, Box::new(KernelSalts))?;
        Self::over(store, settings, clock)
    }

    fn over(store: Store, settings: &RegistrySettings, clock: SharedClock) -> Result<Self, OpenError> {
        let (registry, writer) = Self::assemble(store, settings, clock)?;
        let thread = thread::Builder::new().name("registry".to_owned()).spawn(|| writer.run());
        *registry.0.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread.map_err(OpenError::Thread)?);
        Ok(registry)
    }

    /// The register and its writer, which does nothing until it runs.
    fn assemble(store: Store, settings: &RegistrySettings, clock: SharedClock) -> Result<(Self, Writer), OpenError> {
        let log = store.log();
        let index = open_index(settings, &log)?;
        let (queue, waiting) = sync_channel(settings.queue.max(1));
        let (epoch_sender, epoch) = watch::channel(1);
        let (tally, syncs, failed) = (Arc::<Tally>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let writer = Writer {
            store,
            index: index.clone(),
            queue: waiting,
            clock: Arc::clone(&clock),
            epoch: epoch_sender,
            tally: Arc::clone(&tally),
            syncs: Arc::clone(&syncs),
            failed: Arc::clone(&failed),
            checkpoints: Timer::every(settings.checkpoint_every),
            counts: Timer::every(settings.count_every),
        };
        let (nothing, thread) = (Overlay::default(), Mutex::default());
        let shared = Shared { index, nothing, log, queue, epoch, tally, clock, syncs, failed, writer: thread };
        Ok((Self(Arc::new(shared)), writer))
    }

    /// Makes a change. When this returns its outcome, the change is durable and every read shows it.
    ///
    /// # Errors
    /// [`CommitError`]; but for `Unavailable`, nothing was changed.
    pub async fn commit<C: Change>(&self, permit: Permit<C::Action>, change: C) -> Result<C::Outcome, CommitError<C>> {
        let (job, answer) = ChangeJob::new(permit, change);
        match self.0.queue.try_send(Item::Job(Box::new(job))) {
            Ok(()) => answer.await.unwrap_or(Err(CommitError::Unavailable)),
            Err(TrySendError::Full(_)) => Err(CommitError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(CommitError::Unavailable),
        }
    }

    /// Records what was decided; durable when this returns.
    ///
    /// # Errors
    /// [`RecordError`], and then what was to follow must not.
    pub async fn record(&self, decided: &Decided, record: Record) -> Result<Recorded, RecordError> {
        self.append(Draft::decided(decided, record)).await
    }

    /// Records what was decided, and proves it: durable, and under a published checkpoint, when this returns. All that
    /// are proven at one moment share one checkpoint.
    ///
    /// # Errors
    /// [`RecordError`], and then what was to follow must not. The entry may stand all the same.
    pub async fn prove(&self, decided: &Decided, record: Record) -> Result<v1::EvidenceProof, RecordError> {
        let (job, answer) = RecordJob::awaited(Draft::decided(decided, record));
        self.queue(job.covered())?;
        let sequence = answer.await.unwrap_or(Err(RecordError::Unavailable))?.sequence();
        let log = self.0.log.clone();
        // The log reads files: off the threads that serve.
        let proof = tokio::task::spawn_blocking(move || log.export(sequence, None)).await;
        proof.ok().and_then(|proof| proof.inspect_err(unproven).ok()).ok_or(RecordError::Unavailable)
    }

    /// Records what was decided soon, without waiting for it.
    ///
    /// # Errors
    /// [`RecordError`] if it cannot even wait; a failure after that is in the gateway's own log.
    pub fn note(&self, decided: &Decided, record: Record) -> Result<(), RecordError> {
        self.queue(RecordJob::noted(Draft::decided(decided, record)))
    }

    /// Records that the gateway started, with the configuration and policies in force.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn started(&self, version: &str, configuration_sha256: [u8; 32]) -> Result<Recorded, RecordError> {
        let started = v1::Started { version: version.to_owned(), configuration_sha256: configuration_sha256.to_vec() };
        self.append(Draft::gateway("Start", Record::Started(started))).await
    }

    /// Counts a request of someone without a name.
    pub fn count(&self, action: &'static str, outcome: Outcome) {
        self.0.tally.count(action, outcome, self.0.clock.now());
    }

    /// The state that decisions rest on: one more with every change to datasets, principals, organisations,
    /// agreements and grants. Read it before what a decision reads, never after.
    pub fn epoch(&self) -> u64 {
        *self.0.epoch.borrow()
    }

    /// Tells of every new epoch.
    pub fn watch_epoch(&self) -> watch::Receiver<u64> {
        self.0.epoch.clone()
    }

    /// The time, by the register's clock.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The evidence, for reading.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// Whether the evidence failed: nothing is changed or recorded until a restart.
    pub fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    /// Syncs of the disk since the register was opened.
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::Relaxed)
    }

    /// Finishes what waits, records the last counts, signs a last checkpoint and ends the writer. What is asked
    /// after it is refused as unavailable.
    pub async fn shutdown(&self) {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        let queue = self.0.queue.clone();
        let ended = tokio::task::spawn_blocking(move || {
            // A writer that is gone already needs no word.
            queue.send(Item::Stop).ok();
            writer.join().is_ok()
        });
        if !ended.await.unwrap_or(false) {
            tracing::error!("the registry's writer ended badly; the next start recovers");
        }
    }

    async fn append(&self, draft: Draft) -> Result<Recorded, RecordError> {
        let (job, answer) = RecordJob::awaited(draft);
        self.queue(job)?;
        answer.await.unwrap_or(Err(RecordError::Unavailable))
    }

    fn queue(&self, job: RecordJob) -> Result<(), RecordError> {
        if self.failed() {
            return Err(RecordError::Unavailable);
        }
        self.0.queue.try_send(Item::Job(Box::new(job))).map_err(|error| match error {
            TrySendError::Full(_) => RecordError::Busy,
            TrySendError::Disconnected(_) => RecordError::Unavailable,
        })
    }

    fn view(&self) -> View<'_> {
        View::new(&self.0.index, &self.0.nothing)
    }
}

fn unproven(error: &ExportError) {
    tracing::error!(%error, "an entry was recorded and could not be proven");
}

/// Opens the index; one that sled finds damaged is made anew, since the evidence says all that it said.
fn open_index(settings: &RegistrySettings, log: &Log) -> Result<Index, OpenIndexError> {
    let path = &settings.index;
    match Index::open(path, settings.cache_bytes, log) {
        Err(OpenIndexError::Damaged { .. }) => {
            tracing::warn!(path = %path.display(), "the registry's index is damaged; it is made anew from the evidence");
            std::fs::remove_dir_all(path).map_err(sled::Error::Io)?;
            Index::open(path, settings.cache_bytes, log)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests;

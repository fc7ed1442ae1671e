//! The one thread that writes: it takes what waits, decides each item against the register as the items before it
//! leave it, records all of it with one sync, applies it to the index, and only then answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant as Monotonic},
};

use tokio::sync::watch;

use super::{
    effects::{Effects, Occasion, effects},
    index::{EffectsError, Index},
    job::{Failure, Job},
    view::{Overlay, View},
};
use crate::{
    clock::SharedClock,
    evidence::{Batch, Draft, NotTaken, Store, Tally},
};

/// What waits for the writer.
pub(super) enum Item {
    /// Something to be decided and recorded.
    Job(Box<dyn Job>),
    /// Finish what came before, then end.
    Stop,
}

/// Everything that the thread owns.
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) index: Index,
    pub(super) queue: Receiver<Item>,
    pub(super) clock: SharedClock,
    pub(super) epoch: watch::Sender<u64>,
    pub(super) tally: Arc<Tally>,
    pub(super) syncs: Arc<AtomicU64>,
    pub(super) failed: Arc<AtomicBool>,
    pub(super) checkpoints: Timer,
    pub(super) counts: Timer,
}

/// Something due again and again.
#[derive(Debug)]
pub(super) struct Timer {
    every: Duration,
    next: Monotonic,
}

impl Timer {
    pub(super) fn every(every: Duration) -> Self {
        Self { every, next: Monotonic::now() + every }
    }

    /// Whether it is due; if so, the next time is a full interval away.
    fn due(&mut self) -> bool {
        let now = Monotonic::now();
        let due = now >= self.next;
        if due {
            self.next = now + self.every;
        }
        due
    }
}

/// A batch while it is decided.
struct Round {
    batch: Batch,
    overlay: Overlay,
    epoch: u64,
    waiting: Vec<(Box<dyn Job>, u64)>,
}

impl Writer {
    /// Works until it is told to stop or nobody can ask any more, then counts and signs what is left.
    pub(super) fn run(mut self) {
        let mut stopping = false;
        while !stopping {
            let wait = self.checkpoints.next.min(self.counts.next).saturating_duration_since(Monotonic::now());
            let mut jobs = Vec::new();
            match self.queue.recv_timeout(wait) {
                Ok(Item::Job(job)) => stopping = self.gather(job, &mut jobs),
                Ok(Item::Stop) | Err(RecvTimeoutError::Disconnected) => stopping = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if stopping || self.counts.due() {
                jobs.extend(self.tally.flush().map(|draft| Box::new(Counted(draft)) as Box<dyn Job>));
            }
            if !jobs.is_empty() {
                self.round(jobs);
            }
            if stopping || self.checkpoints.due() {
                self.publish();
            }
        }
        if let Err(error) = self.index.flush() {
            tracing::warn!(%error, "the registry's index was not flushed; the next start replays more");
        }
    }

    /// Takes what waits behind the first job; says whether the writer is to stop after it.
    fn gather(&self, first: Box<dyn Job>, jobs: &mut Vec<Box<dyn Job>>) -> bool {
        jobs.push(first);
        while jobs.len() < ROUND {
            match self.queue.try_recv() {
                Ok(Item::Job(job)) => jobs.push(job),
                Ok(Item::Stop) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    /// Decides, records, applies and answers what came together.
    pub(super) fn round(&mut self, jobs: Vec<Box<dyn Job>>) {
        let epoch = *self.epoch.borrow();
        let mut round = Round { batch: self.store.begin(), overlay: Overlay::default(), epoch, waiting: Vec::new() };
        for job in jobs {
            self.decide(job, &mut round);
        }
        let Some(last) = round.batch.last_commitment() else {
            return;
        };
        let recorded = self.record(&round.batch, round.overlay, last);
        if recorded.is_ok() && round.epoch != epoch {
            self.epoch.send_replace(round.epoch);
        }
        let (covered, recorded_only): (Vec<_>, Vec<_>) =
            round.waiting.into_iter().partition(|(job, _)| job.wants_checkpoint());
        for (job, sequence) in recorded_only {
            job.settle(recorded.map(|()| sequence));
        }
        if covered.is_empty() {
            return;
        }
        // One checkpoint for all that wait for one, after those who do not have been told.
        let published = recorded.and_then(|()| if self.publish() { Ok(()) } else { Err(Failure::Unavailable) });
        for (job, sequence) in covered {
            job.settle(published.map(|()| sequence));
        }
    }

    /// Decides one job on what the ones before it in the round leave.
    fn decide(&mut self, mut job: Box<dyn Job>, round: &mut Round) {
        if self.failed.load(Ordering::Acquire) {
            return job.settle(Err(Failure::Unavailable));
        }
        let now = self.clock.now();
        let mut entropy = [0; 10];
        if getrandom::fill(&mut entropy).is_err() {
            return job.settle(Err(Failure::Unavailable));
        }
        let view = View::new(&self.index, &round.overlay).with_entropy(entropy);
        let Some(draft) = job.decide(&view, round.epoch, now) else {
            return;
        };
        let occasion = Occasion { sequence: round.batch.next(), at: now };
        let effects = match effects(draft.record(), occasion, &view) {
            Ok(effects) => effects,
            Err(error @ (EffectsError::Unknown(_) | EffectsError::Read(_))) => {
                tracing::error!(%error, "an entry's effects could not be worked out");
                return job.settle(Err(Failure::Unavailable));
            }
        };
        match self.store.push(&mut round.batch, draft, now) {
            Ok(sequence) => {
                let Effects { rows, moves_epoch } = effects;
                round.overlay.extend(rows);
                round.epoch += u64::from(moves_epoch);
                round.waiting.push((job, sequence));
            }
            Err(error) => {
                tracing::warn!(%error, "an entry was not taken");
                job.settle(Err(match error {
                    NotTaken::Entry { .. } => Failure::TooLarge,
                    NotTaken::Salt(_) => Failure::Unavailable,
                }));
            }
        }
    }

    /// Makes the round durable and shows it. After a failure nothing is recorded until the next start.
    fn record(&mut self, batch: &Batch, overlay: Overlay, last: [u8; 32]) -> Result<(), Failure> {
        let appended = self.store.append(batch);
        self.syncs.store(self.store.syncs(), Ordering::Relaxed);
        if let Err(error) = appended {
            tracing::error!(%error, "the evidence cannot be written; every change is refused until a restart");
            self.failed.store(true, Ordering::Release);
            return Err(Failure::Unavailable);
        }
        if let Err(error) = self.index.apply(overlay, self.store.len(), last) {
            tracing::error!(%error, "the index cannot be written; every change is refused until a restart");
            self.failed.store(true, Ordering::Release);
            return Err(Failure::Unavailable);
        }
        metrics::counter!("octroi_evidence_entries_total").increment(batch.len() as u64);
        metrics::counter!("octroi_evidence_syncs_total").absolute(self.store.syncs());
        Ok(())
    }

    /// Whether the last checkpoint covers the log.
    fn publish(&mut self) -> bool {
        match self.store.publish() {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, "no checkpoint was published; the last one stands");
                false
            }
        }
    }
}

/// The counts of a minute; nobody waits for them.
struct Counted(Draft);

impl Job for Counted {
    fn decide(&mut self, _: &View<'_>, _: u64, _: octroi_proto::Instant) -> Option<Draft> {
        Some(self.0.clone())
    }

    fn settle(self: Box<Self>, _: Result<u64, Failure>) {}
}

/// The most items that share a sync.
const ROUND: usize = 256;

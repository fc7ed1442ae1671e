//! What the writer is asked to do, with the way back to the one who asks.

use octroi_proto::Instant;
use tokio::sync::oneshot;

use super::{CommitError, RecordError, Recorded, change::Change, view::View};
use crate::{authorise::Permit, evidence::Draft};

/// Something to be decided and recorded.
pub(super) trait Job: Send {
    /// What is to be recorded; `None` if there is nothing, and then the one who asked has been told.
    fn decide(&mut self, view: &View<'_>, epoch: u64, now: Instant) -> Option<Draft>;

    /// Whether a published checkpoint must cover the entry before the one who asked is told.
    fn wants_checkpoint(&self) -> bool {
        false
    }

    /// Tells the one who asked: the entry is durable under this sequence, or it is not.
    fn settle(self: Box<Self>, result: Result<u64, Failure>);
}

/// Why something that was decided did not take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Unavailable,
    TooLarge,
}

/// A change to the register.
pub(super) struct ChangeJob<C: Change> {
    asked: Option<(Permit<C::Action>, C)>,
    outcome: Option<C::Outcome>,
    answer: Option<oneshot::Sender<Answer<C>>>,
}

/// What the one who asks for a change is told.
pub(super) type Answer<C> = Result<<C as Change>::Outcome, CommitError<C>>;

impl<C: Change> ChangeJob<C> {
    pub(super) fn new(permit: Permit<C::Action>, change: C) -> (Self, oneshot::Receiver<Answer<C>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { asked: Some((permit, change)), outcome: None, answer: Some(answer) }, receiver)
    }

    fn tell(&mut self, result: Answer<C>) {
        if let Some(answer) = self.answer.take() {
            // Whoever stopped waiting does not mind.
            answer.send(result).ok();
        }
    }
}

impl<C: Change> Job for ChangeJob<C> {
    fn decide(&mut self, view: &View<'_>, epoch: u64, now: Instant) -> Option<Draft> {
        let (permit, change) = self.asked.take()?;
        let ended = permit.until().is_some_and(|until| until <= now);
        if permit.epoch() != epoch || ended {
            self.tell(Err(CommitError::Stale { permit: Box::new(permit), change: Box::new(change) }));
            return None;
        }
        match change.decide(&permit, view, now) {
            Ok((record, outcome)) => {
                self.outcome = Some(outcome);
                Some(Draft::decided(permit.decided(), record))
            }
            Err(refusal) => {
                self.tell(Err(CommitError::Refused(refusal)));
                None
            }
        }
    }

    fn settle(mut self: Box<Self>, result: Result<u64, Failure>) {
        let outcome = self.outcome.take();
        let result = match (result, outcome) {
            (Ok(_), Some(outcome)) => Ok(outcome),
            (Ok(_), None) | (Err(Failure::Unavailable), _) => Err(CommitError::Unavailable),
            (Err(Failure::TooLarge), _) => Err(CommitError::TooLarge),
        };
        self.tell(result);
    }
}

/// An entry that changes nothing of the register.
pub(super) struct RecordJob {
    draft: Option<Draft>,
    wants_checkpoint: bool,
    answer: Option<oneshot::Sender<Result<Recorded, RecordError>>>,
}

impl RecordJob {
    /// An entry that someone waits for.
    pub(super) fn awaited(draft: Draft) -> (Self, oneshot::Receiver<Result<Recorded, RecordError>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { draft: Some(draft), wants_checkpoint: false, answer: Some(answer) }, receiver)
    }

    /// The same, told only once a checkpoint covers the entry.
    pub(super) fn covered(self) -> Self {
        Self { wants_checkpoint: true, ..self }
    }

    /// An entry that nobody waits for.
    pub(super) fn noted(draft: Draft) -> Self {
        Self { draft: Some(draft), wants_checkpoint: false, answer: None }
    }
}

impl Job for RecordJob {
    fn decide(&mut self, _: &View<'_>, _: u64, _: Instant) -> Option<Draft> {
        self.draft.take()
    }

    fn wants_checkpoint(&self) -> bool {
        self.wants_checkpoint
    }

    fn settle(self: Box<Self>, result: Result<u64, Failure>) {
        let result = match result {
            Ok(sequence) => Ok(Recorded::at(sequence)),
            Err(Failure::Unavailable) => Err(RecordError::Unavailable),
            Err(Failure::TooLarge) => Err(RecordError::TooLarge),
        };
        if let Some(answer) = self.answer {
            answer.send(result).ok();
        }
    }
}

//! Turns: so many at once, the rest in the queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use octroi_proto::OrganisationId;
use tokio::sync::oneshot;

use super::{Bounds, Queue, QueueFull};

/// Gives out turns.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    queue: Queue<Caller>,
    /// Names those who wait.
    next: u64,
}

#[derive(Debug)]
struct Caller {
    number: u64,
    call: oneshot::Sender<()>,
}

/// A turn; the next one's begins when it is dropped.
#[derive(Debug)]
pub struct Turn(Turns);

/// A place in the queue, or already a turn. Leaves the queue when dropped.
#[derive(Debug)]
struct Place {
    turns: Turns,
    organisation: OrganisationId,
    number: u64,
    called: oneshot::Receiver<()>,
    taken: bool,
}

impl Turns {
    /// So many turns at once.
    pub fn new(at_once: usize, bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(State { free: at_once, queue: Queue::new(bounds), next: 0 })))
    }

    /// Waits for a turn. Giving up leaves the queue.
    ///
    /// # Errors
    /// [`QueueFull`], at once.
    pub async fn take(&self, organisation: &OrganisationId) -> Result<Turn, QueueFull> {
        let Some(place) = self.join(organisation)? else { return Ok(Turn(self.clone())) };
        Ok(place.turn().await)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().queue.waiting
    }

    /// `None` where it is a turn already.
    fn join(&self, organisation: &OrganisationId) -> Result<Option<Place>, QueueFull> {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Ok(None);
        }
        let number = state.next;
        state.next += 1;
        let (call, called) = oneshot::channel();
        state.queue.join(organisation, Caller { number, call })?;
        Ok(Some(Place { turns: self.clone(), organisation: organisation.clone(), number, called, taken: false }))
    }

    /// A turn ended: the next one is called, or there is one more to give.
    fn pass_on(state: &mut State) {
        while let Some(Caller { call, .. }) = state.queue.next() {
            if call.send(()).is_ok() {
                return;
            }
        }
        state.free += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked did so outside these few lines, none of which leaves the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    async fn turn(mut self) -> Turn {
        // INVARIANT: the caller's end is dropped only after it called, or by `leave`, which ends this value first.
        let _ = (&mut self.called).await;
        self.taken = true;
        Turn(self.turns.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut state = self.turns.lock();
        if !state.queue.leave(&self.organisation, |caller| caller.number == self.number) {
            // Called, and gone before it heard.
            Turns::pass_on(&mut state);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        Turns::pass_on(&mut self.0.lock());
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, future::BoxFuture};
    use proptest::prelude::*;

    use super::*;

    fn organisation(number: usize) -> OrganisationId {
        format!("org-{number}").parse().unwrap()
    }

    #[tokio::test]
    async fn who_waits_is_called_and_who_leaves_is_not_missed() {
        let turns = Turns::new(1, Bounds { total: 2, per_organisation: 1 });
        let first = turns.take(&organisation(0)).await.unwrap();
        let same = organisation(0);
        let mut second = Box::pin(turns.take(&same));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(turns.take(&organisation(0)).await.unwrap_err(), QueueFull);
        let third = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(&organisation(1)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!(turns.waiting(), 2);
        assert_eq!(turns.take(&organisation(2)).await.unwrap_err(), QueueFull);
        drop(second);
        assert_eq!(turns.waiting(), 1);
        drop(first);
        third.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_turn_that_nobody_came_for_is_passed_on() {
        let turns = Turns::new(1, Bounds { total: 2, per_organisation: 2 });
        let first = turns.take(&organisation(0)).await.unwrap();
        let other = organisation(1);
        let mut second = Box::pin(turns.take(&other));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        // It has been called, and goes without having looked.
        drop(second);
        assert!(turns.take(&organisation(2)).now_or_never().is_some());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Ask(usize),
        Look(prop::sample::Index),
        GiveUp(prop::sample::Index),
        End(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        let which = any::<prop::sample::Index>;
        prop_oneof![
            3 => (0usize..3).prop_map(Step::Ask),
            3 => which().prop_map(Step::Look),
            1 => which().prop_map(Step::GiveUp),
            2 => which().prop_map(Step::End),
        ]
    }

    proptest! {
        #[test]
        fn no_turn_is_lost_and_none_is_given_twice(steps in prop::collection::vec(step(), 0..80), at_once in 1usize..4) {
            let turns = Turns::new(at_once, Bounds { total: 6, per_organisation: 3 });
            let mut asking: Vec<BoxFuture<'static, Result<Turn, QueueFull>>> = Vec::new();
            let mut held: Vec<Turn> = Vec::new();
            for step in steps {
                match step {
                    Step::Ask(number) => {
                        let turns = turns.clone();
                        asking.push(async move { turns.take(&organisation(number)).await }.boxed());
                    }
                    Step::Look(index) if !asking.is_empty() => {
                        let place = index.index(asking.len());
                        if let Some(answer) = (&mut asking[place]).now_or_never() {
                            drop(asking.remove(place));
                            held.extend(answer.ok());
                        }
                    }
                    Step::GiveUp(index) if !asking.is_empty() => drop(asking.remove(index.index(asking.len()))),
                    Step::End(index) if !held.is_empty() => drop(held.remove(index.index(held.len()))),
                    Step::Look(_) | Step::GiveUp(_) | Step::End(_) => {}
                }
                prop_assert!(held.len() <= at_once);
            }
            drop((asking, held));
            prop_assert_eq!(turns.waiting(), 0);
            prop_assert_eq!(turns.lock().free, at_once);
        }
    }
}

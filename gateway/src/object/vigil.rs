//! Watches over a permit while bytes flow under it.

use std::time::Duration;

use tokio::{sync::watch, time};

use super::{Ended, Register};
use crate::{
    authorise::{Action, Lent, Permit},
    clock::SharedClock,
};

/// A permit in use.
#[derive(Debug)]
pub(super) struct Vigil<R, A: Action> {
    register: R,
    permit: Permit<A>,
    epoch: watch::Receiver<u64>,
    clock: SharedClock,
}

impl<R: Register, A: Action<Target = Lent>> Vigil<R, A> {
    pub(super) fn new(register: R, permit: Permit<A>, clock: SharedClock) -> Self {
        let epoch = register.watch_epoch();
        Self { register, permit, epoch, clock }
    }

    /// Whether the permit still stands; to be asked before each chunk.
    pub(super) fn check(&mut self) -> Result<(), Ended> {
        self.register.renew(&mut self.permit)
    }

    /// Waits for `work`, but no longer than the permit stands.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            ended = self.ended() => Err(ended),
            done = work => Ok(done),
        }
    }

    pub(super) fn into_permit(self) -> Permit<A> {
        self.permit
    }

    async fn ended(&mut self) -> Ended {
        loop {
            let pause = self.pause();
            tokio::select! {
                changed = self.epoch.changed() => if changed.is_err() { return Ended },
                () = time::sleep(pause) => {}
            }
            if self.check().is_err() {
                return Ended;
            }
        }
    }

    /// Until the permit ends by itself, in short steps: the machine's clock may be set while this waits.
    fn pause(&self) -> Duration {
        let left = self.permit.until().map(|until| until.duration_since(self.clock.now()));
        left.map_or(NEVER, |left| Duration::try_from(left).unwrap_or_default().clamp(SHORTEST, LONGEST))
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(500);
const NEVER: Duration = Duration::from_secs(3_600);

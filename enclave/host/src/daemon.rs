//! The zone host: gives zones to `octroi serve` over a Unix socket, one connection each, and takes them away again.
//!
//! ```text
//! accept (serve's user) -> request -> turn -> zone -> signed launch -> relay -> the zone is killed
//! ```
//! Whatever ends first ends the lease: the work, the zone, its caller's connection, its deadline, a disk that grows too
//! large, a message that has no place in the conversation. Trusts serve to pass descriptors of files that are what it
//! says; a zone it trusts with nothing. Holds no key but the one it signs launches with, and no data: descriptors are
//! handed on unread, and what it relays is ciphertext, or what may leave. Does not give: a check of what a zone says
//! beyond its form.

mod disks;
mod house;
mod offer;
mod relay;
mod request;
mod zone;

use std::{path::PathBuf, sync::Arc, time::Duration};

use octroi_attest::LaunchKey;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

pub use offer::Offer;

pub use crate::Clock;
use crate::{
    Pool,
    process::Sandbox,
    queue::{Bounds, Turns},
};
use house::House;
use zone::InUse;

/// How zones are given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The users (uid) who are answered: serve's, and root for `octroi zone`, who could become it.
    pub callers: Vec<u32>,
    /// The folder of scratch files.
    pub scratch: PathBuf,
    /// Scratch that one lease may ask for. Bytes.
    pub most_scratch_bytes: u64,
    /// The longest lease.
    pub most_wall: Duration,
    /// Leases at once.
    pub at_once: usize,
    /// How many may wait for one.
    pub waiting: Bounds,
}

/// The kinds of zone that there are.
#[derive(Debug)]
pub struct Backends {
    /// Virtual machines.
    pub vm: Offer<Pool>,
    /// Process sandboxes.
    pub process: Offer<Sandbox>,
}

/// Gives zones until `shutdown`; then takes them all away.
pub async fn run(
    listener: UnixListener,
    settings: Settings,
    backends: Backends,
    key: LaunchKey,
    clock: Clock,
    shutdown: impl Future<Output = ()>,
) {
    let callers = settings.callers.clone();
    let seats = Arc::new(Semaphore::new(settings.at_once + settings.waiting.total + SPARE));
    let turns = Turns::new(settings.at_once, settings.waiting);
    let house = Arc::new(House { settings, backends, in_use: InUse::default(), turns, key, clock });
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (seat, stream) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            next = next(&listener, &seats, &callers) => next,
        };
        let house = Arc::clone(&house);
        connections.spawn(async move {
            house.receive(stream).await;
            drop(seat);
        });
    }
    connections.shutdown().await;
}

/// The next connection of those users (SO_PEERCRED); others are closed unanswered.
async fn next(listener: &UnixListener, seats: &Arc<Semaphore>, callers: &[u32]) -> (OwnedSemaphorePermit, UnixStream) {
    loop {
        // INVARIANT: nobody closes the semaphore.
        let Ok(seat) = Arc::clone(seats).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| callers.contains(&peer.uid())) => {
                return (seat, stream);
            }
            Ok(_) => tracing::warn!("zone-host: closed a connection of another user than serve's"),
            Err(error) => {
                tracing::warn!(%error, "zone-host: cannot accept");
                // Out of descriptors, most likely: trying again at once would not free any.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Connections beyond those that wait or have a zone: those being refused, and inspections.
const SPARE: usize = 32;

#[cfg(test)]
mod tests;

//! Objects: bytes in and out of the gate, sealed at rest.
//!
//! ```text
//! put:    Permit<StoreObject>  -> data key -> seal -> store, synced -> register (evidence first) -> StoredObject
//! fetch:  Permit<FetchObject>  -> register -> data key -> header verified -> FetchStarted durable -> chunks
//! remove: Permit<DeleteObject> -> register (evidence first) -> key destroyed -> bytes deleted
//! ```
//!
//! No permit, no bytes; and the permit is looked at again before each chunk, so that what it rests on may end while
//! bytes flow. Trusts: the register for what is current and how long it is, the key process for keys. Trusts the
//! store with nothing but availability: what it gives back is authenticated before it counts, and it sees neither
//! names nor plaintext, only sizes and when what is read. Memory per transfer is bounded, whatever the object's
//! size.

mod damage;
mod fetch;
mod put;
pub mod range;
mod register;
mod remove;
pub mod seal;
mod settings;
mod shred;
pub mod store;
#[cfg(test)]
mod tests;
mod vigil;

use std::sync::Arc;

use damage::Damage;
use octroi_proto::{DatasetId, ObjectKey, StoredObject};

pub use fetch::{FetchError, Opened, StreamError};
pub use put::{PutError, PutHead};
pub use range::ByteRange;
pub use register::{CommitError, Committed, Contradictory, Durable, Ended, Precondition, Register, Unavailable};
pub use remove::RemoveError;
pub use settings::Limits;
pub use store::Backend;

use crate::{clock::SharedClock, keys};

/// The objects behind the gate; clones share everything.
#[derive(Debug, Clone)]
pub struct Objects<R> {
    backend: Backend,
    keys: keys::Client,
    register: R,
    clock: SharedClock,
    limits: Limits,
    damage: Arc<Damage>,
}

impl<R: Register> Objects<R> {
    /// The objects of this store, under the keys of this key process, named by this register.
    pub fn new(backend: Backend, keys: keys::Client, register: R, clock: SharedClock, limits: Limits) -> Self {
        Self { backend, keys, register, clock, limits, damage: Arc::default() }
    }

    /// What the register says of a key. Decides nothing: callers hold a permit to see the object.
    fn current(&self, dataset: &DatasetId, key: &ObjectKey) -> Result<Option<StoredObject>, Unavailable> {
        self.register.object(dataset, key)
    }
}

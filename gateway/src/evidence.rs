//! Evidence: what happened at the gate, in an append-only store that is written and synced before anything it
//! records takes effect, and a Merkle log over it that anyone can watch.
//!
//! ```text
//! Draft -> Store (journal, then tree) -> Checkpoint -> tiles, proofs -> verify, monitor
//! ```
//!
//! The store trusts the file system to keep what `fdatasync` said is kept, and nothing else: a failed write or sync
//! ends it until the next start. The log's leaves are salted commitments, so that tiles and checkpoints are public
//! while entries are not. What it does not give: entries that were never written, and, against the host's own
//! operator, a history that no monitor has watched.

mod checkpoint;
mod draft;
mod journal;
mod log;
pub mod monitor;
mod proof;
mod store;
mod tally;
mod tile;
mod tree;

pub use checkpoint::{CheckpointError, CreateKeyError, Head, LoadKeyError, LogKey, SignError, VerifierKey};
pub use draft::Draft;
pub use journal::{Leaf, OpenJournalError, ReadEntryError};
pub use log::{EntryPage, ExportError, Log, TileError};
pub(crate) use proof::verify_proof;
pub use proof::{ProofFile, Verified, VerifyError, verify};
pub use store::{AppendError, Batch, KernelSalts, NotTaken, OpenStoreError, PublishError, Salts, Store};
pub use tally::{Outcome, Tally};
pub use tile::{InvalidTilePath, TileKind, TilePath};
pub use tree::TreeError;

//! What is said of a launched zone, whom to believe it, and what is sealed to it.
//!
//! ```text
//! measure: parts of an image -> Measurement
//! launch:  Launch --LaunchKey signs--> SignedLaunch --HostKey verifies--> VerifiedLaunch
//! reference: Approved (zone/approved.toml) checks VerifiedLaunch -> ApprovedLaunch
//! rules:   what a question or a load is held to -> RulesDigest, for which keys are sealed
//! envelope: OpenKeys --seal to a launch's public key--> SealedKeys --Recipient opens, once--> OpenKeys
//! history: what was released before, sealed between zones, and an answer that leaves once it is recorded
//! frame: messages on a channel
//! said:  a zone's frames, looked at before they are decoded
//! ```
//!
//! Does no I/O beyond the readers and writers it is given, and reads no clock. Trusts the kernel's generator. Does not
//! give: proof against the host itself. A launch is signed by the host that made it, and without SEV-SNP or TDX
//! nothing but that host vouches for what runs.

pub mod envelope;
pub mod frame;
pub mod history;
pub mod id;
pub mod keys;
pub mod launch;
pub mod measure;
pub mod reference;
pub mod rules;
pub mod said;

pub use envelope::Recipient;
pub use history::HistoryKey;
pub use id::{FileId, LaunchId, WorkId};
pub use keys::{FileColumns, FileKeys, Key, OpenKeys};
pub use launch::{Backend, HostKey, Launch, LaunchKey, VerifiedLaunch, Zone};
pub use measure::{Measurement, Parts};
pub use reference::{Approved, ApprovedLaunch};
pub use rules::{RuledTable, Rules, RulesDigest};

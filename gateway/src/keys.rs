//! `octroi keys`: the process that holds the root key, and what `octroi serve` uses of it.
//!
//! ```text
//! root key --wraps--> dataset keys --wrap--> data keys, one per object version
//!  root                store                  data_key --derives--> object::seal
//!                                  \--seal--> ingest identities, and the keys of table files
//!                                             zone --seals to one approved launch--> octroi_attest::envelope
//! ```
//!
//! [`server`] answers over a Unix socket that only serve's user gets an answer from; [`client`] asks. The root key
//! and the dataset keys never leave this process; data keys leave it one object version at a time. Keys of tables
//! leave it only sealed to a zone ([`zone`]): `octroi serve` carries them and cannot open them. The key of an answer leaves
//! it once the history of its table's rows has the release. [`authority`] is the gateway's certificate authority, whose key
//! stays here too.
//!
//! Trusts: the kernel's generator, its file permissions and its word on who is at the other end of the socket.
//! Does not give: protection from root on the same machine, nor erasure of what a file system or disk remembers of
//! an overwritten file (copy-on-write, snapshots, flash): see `docs/SEALED-OBJECT.md`.

pub mod authority;
pub mod client;
pub mod data_key;
mod launches;
pub mod root;
pub mod server;
pub mod store;
mod wrap;
pub mod zone;

pub use client::{Client, ZoneKeyError};
pub use data_key::{DataKey, Suite, Suites};
pub use server::{Settings, run};
pub use store::history::{FactTable, NoTable};
pub use zone::{ColumnKeys, Committed, Hiding, NewTableKeys, Release};

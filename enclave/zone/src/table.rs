//! Sensitive tables at rest: Parquet files under Modular Encryption, a key per column (docs/TABLES.md).
//!
//! [`Writer`] makes such a file, [`EncryptedTable`] hands one or more of them to the query engine. What it trusts: the
//! keys, which come sealed from the key process, and the pins (length, footer digest) of the registry. It does not
//! trust the disk: nothing of a file is looked at before its footer is the pinned one, and every page is
//! authenticated by its column's key. It does not contain panics of the Parquet crate on damaged pages: whoever runs
//! a scan must.
//!
//! ```text
//! TableSchema -> Schema ─┐
//! FileKeys    -> FileKeys┼─> Writer  ─> encrypted file, Pins
//! TableFile, Disk ───────┴─> EncryptedTable (TableProvider) ─> record batches
//! ```

mod disk;
mod layout;
mod open;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub use disk::{Disk, DiskReader};
pub use layout::{Column, Domain, Kind, Schema, SchemaError, aad_prefix};
pub use open::OpenError;
pub use read::EncryptedTable;
pub use write::{Pins, WriteError, Writer};

/// Where the first file lies on a data disk, and the only one on an output disk. Bytes.
pub const FIRST_OFFSET: u64 = 4096;

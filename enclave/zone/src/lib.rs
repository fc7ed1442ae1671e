//! What a zone does with a table's rows: opens them, asks them, puts them aside, takes them in; and how a zone comes to
//! do it.
//!
//! ```text
//! init: the first process of a VM -> start: confined -> engine: one piece of work, over table and load
//! ```

pub mod confine;
pub mod disks;
pub mod engine;
pub mod init;
pub mod load;
pub mod scratch;
pub mod start;
mod sys;
pub mod table;

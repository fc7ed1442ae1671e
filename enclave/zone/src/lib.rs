//! What a zone does with a table's rows: opens them, asks them, puts them aside, takes them in.

pub mod engine;
pub mod load;
pub mod scratch;
pub mod table;

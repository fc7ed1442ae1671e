//! What a zone does with a table's rows: opens them, asks them, takes them in.

pub mod engine;
pub mod load;
pub mod table;

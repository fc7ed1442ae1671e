//! (to be written)

pub mod init;
pub mod profile;

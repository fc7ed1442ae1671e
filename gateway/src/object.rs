//! Objects: bytes in and out of the gate, sealed at rest.

pub mod seal;

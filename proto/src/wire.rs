//! Generated code, fenced: nothing outside this module is generated, and nothing in it is written by hand.

/// `octroi.v1`: what callers speak.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated from proto/octroi/v1"
)]
pub mod v1 {
    tonic::include_proto!("octroi.v1");
}

/// `octroi.keys.v1`: what `octroi serve` speaks with `octroi keys`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated from proto/octroi/keys/v1"
)]
pub mod keys {
    tonic::include_proto!("octroi.keys.v1");
}

/// The compiled descriptors of all `.proto` files, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

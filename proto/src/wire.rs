//! Generated code, fenced: nothing outside this module is generated, and nothing in it is written by hand.

pub use octroi::{keys::v1 as keys, v1, zone::v1 as zone};

/// Nested as the packages are: generated code names its neighbours by their relative paths.
mod octroi {
    /// `octroi.v1`: what callers speak.
    #[allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        reason = "generated"
    )]
    pub mod v1 {
        tonic::include_proto!("octroi.v1");
    }

    pub(super) mod keys {
        //! `octroi.keys`.

        /// `octroi.keys.v1`: what `octroi serve` speaks with `octroi keys`.
        #[allow(
            missing_docs,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::restriction,
            reason = "generated"
        )]
        pub mod v1 {
            tonic::include_proto!("octroi.keys.v1");
        }
    }

    pub(super) mod zone {
        //! `octroi.zone`.

        /// `octroi.zone.v1`: what a zone, its host and `octroi serve` speak with each other.
        #[allow(
            missing_docs,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::restriction,
            reason = "generated"
        )]
        pub mod v1 {
            tonic::include_proto!("octroi.zone.v1");
        }
    }
}

/// The compiled descriptors of all `.proto` files, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

//! Leasing a zone: what `octroi serve` asks of `octroi zone-host` over a Unix socket, and how both say it.
//!
//! ```text
//! serve:      Lease + Descriptors -> Client -> Leased { launch, frames }
//! connection: LeaseRequest (SCM_RIGHTS) -> LeaseAnswer -> ToZone / ToHost ... until either side closes
//! ```
//! One connection is one lease: dropping [`Leased`], or its [`Frames`], kills the zone. Trusts the zone host to give
//! what was asked for and to say truly what it launched; what comes out of a zone is hostile, and all that [`Frames`]
//! vouch for is that it is a message within its limit. Does not give: a time limit of its own for waiting in the queue.

mod client;
mod frames;
mod passing;

use std::{os::fd::OwnedFd, time::Duration};

pub use octroi_attest::Backend;
use octroi_proto::{OrganisationId, wire::zone as wire};

pub(crate) use client::FIRST;
pub use client::{Client, InspectError, LeaseError, Leased};
pub(crate) use frames::Incoming;
pub use frames::{Frames, ReceiveError};
pub(crate) use passing::{receive_first, send_first};

pub use crate::DISK_BYTES as IMAGE_BYTES;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whom it is for: each organisation has its fair share.
    pub organisation: OrganisationId,
    /// Which kind, and no other in its place.
    pub backend: Backend,
    /// Encrypted scratch to spill to; 0 for none. Bytes.
    pub scratch_bytes: u64,
    /// What the zone may write to its output. Bytes.
    pub output_bytes: u64,
    /// The zone is killed this long after it was given.
    pub wall: Duration,
}

/// What the zone reads and writes besides its channel.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// The data image: a regular file opened for reading alone, [`IMAGE_BYTES`] long for a virtual machine.
    pub data: Option<OwnedFd>,
    /// A load's output: a regular file opened for reading and writing, [`IMAGE_BYTES`] long for a virtual machine.
    pub output: Option<OwnedFd>,
}

impl Lease {
    fn to_wire(&self, descriptors: &Descriptors) -> wire::Lease {
        wire::Lease {
            organisation: self.organisation.as_str().to_owned(),
            backend: self.backend.to_string(),
            data: descriptors.data.is_some(),
            output: descriptors.output.is_some(),
            scratch_bytes: self.scratch_bytes,
            output_bytes: self.output_bytes,
            wall_milliseconds: u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

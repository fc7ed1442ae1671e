//! Serve's side.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    path::{Path, PathBuf},
};

use octroi_attest::frame::{self, FrameError};
use octroi_proto::wire::zone::{self as wire, LeaseRefusal, lease_answer::Answer, lease_request::Request};
use tokio::net::UnixStream;

use super::{Descriptors, Frames, Incoming, Lease, send_first};

/// Where zones are leased.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// A zone, while this value or its frames live.
#[derive(Debug)]
pub struct Leased {
    /// What the zone host says of it; not verified here.
    pub launch: wire::SignedLaunch,
    /// The channel to it.
    pub frames: Frames,
}

/// Why there is no zone.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The zone host does not answer on its socket.
    #[error("the zone host does not answer on `{}`: is it running?", socket.display())]
    Unreachable {
        /// Where it should.
        socket: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// As many wait as may: come back later.
    #[error("as many questions wait for a zone as may")]
    QueueFull,
    /// The zone host has no such backend.
    #[error("the zone host has no such backend: see `zone.backends` in its configuration, and its log")]
    NoBackend,
    /// No zone could be made.
    #[error("no zone could be made: the zone host's log says why")]
    Unavailable,
    /// The zone host does not accept the request.
    #[error("the zone host does not accept the request: are the two of the same version?")]
    Malformed,
    /// The zone host went away.
    #[error("the zone host closed the connection")]
    Closed,
    /// The zone host's answer is not one.
    #[error("the zone host's answer makes no sense: are the two of the same version?")]
    Nonsense,
    /// The connection failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Why it is not known what runs.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InspectError(#[from] LeaseError);

impl Client {
    /// Of the zone host that listens there.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Leases a zone. Waits in the queue for as long as it takes; giving up leaves the queue.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub async fn lease(&self, lease: &Lease, descriptors: Descriptors) -> Result<Leased, LeaseError> {
        let passed = [&descriptors.data, &descriptors.output];
        let passed: Vec<_> = passed.into_iter().flatten().map(|descriptor| descriptor.as_fd()).collect();
        let stream = self.ask(Request::Lease(lease.to_wire(&descriptors)), &passed).await?;
        drop(passed);
        drop(descriptors);
        let (incoming, outgoing) = stream.into_split();
        let mut incoming = Incoming::new(incoming, frame::TO_HOST);
        match answer(&mut incoming).await? {
            Answer::Launch(launch) => Ok(Leased { launch, frames: Frames::new(incoming, outgoing) }),
            Answer::Refused(refused) => Err(refusal(refused.reason())),
            Answer::Inspection(_) => Err(LeaseError::Nonsense),
        }
    }

    /// What runs there.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn inspect(&self) -> Result<wire::Inspection, InspectError> {
        let stream = self.ask(Request::Inspect(wire::Inspect {}), &[]).await?;
        match answer(&mut Incoming::new(stream, frame::TO_HOST)).await? {
            Answer::Inspection(inspection) => Ok(inspection),
            Answer::Refused(refused) => Err(refusal(refused.reason()).into()),
            Answer::Launch(_) => Err(LeaseError::Nonsense.into()),
        }
    }

    async fn ask(&self, request: Request, passed: &[BorrowedFd<'_>]) -> Result<UnixStream, LeaseError> {
        let unreachable = |cause| LeaseError::Unreachable { socket: self.socket.clone(), cause };
        let stream = UnixStream::connect(&self.socket).await.map_err(unreachable)?;
        let request = wire::LeaseRequest { request: Some(request) };
        let bytes = frame::encode(&request, FIRST)?;
        send_first(&stream, &bytes, passed).await.map_err(FrameError::Channel)?;
        Ok(stream)
    }
}

async fn answer<R: tokio::io::AsyncRead + Unpin>(incoming: &mut Incoming<R>) -> Result<Answer, LeaseError> {
    let frame = incoming.next().await?.ok_or(LeaseError::Closed)?;
    let answer: wire::LeaseAnswer = frame::decode(&frame)?;
    answer.answer.ok_or(LeaseError::Nonsense)
}

fn refusal(reason: LeaseRefusal) -> LeaseError {
    match reason {
        LeaseRefusal::QueueFull => LeaseError::QueueFull,
        LeaseRefusal::NoBackend => LeaseError::NoBackend,
        LeaseRefusal::Unavailable => LeaseError::Unavailable,
        LeaseRefusal::Malformed => LeaseError::Malformed,
        LeaseRefusal::Unspecified => LeaseError::Nonsense,
    }
}

/// Most bytes of a request.
pub(crate) const FIRST: usize = 4096;

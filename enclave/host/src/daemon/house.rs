//! One connection, from its first frame to the end of its zone.

use std::{io, time::Duration};

use octroi_attest::{LaunchKey, frame};
use octroi_proto::wire::zone::{self as wire, LeaseRefusal, lease_answer::Answer};
use tokio::{
    io::AsyncWriteExt as _,
    net::UnixStream,
    time::{sleep, timeout},
};

use super::{
    Backends, Clock, Settings, disks,
    disks::Watched,
    offer::causes,
    relay::relay,
    request::{Asked, LeaseAsked, Most},
    zone::{InUse, MakeError, Zone},
};
use crate::{
    lease::{FIRST, receive_first},
    queue::{Turn, Turns},
};

/// What all connections share.
pub(super) struct House {
    pub(super) settings: Settings,
    pub(super) backends: Backends,
    pub(super) in_use: InUse,
    pub(super) turns: Turns,
    pub(super) key: LaunchKey,
    pub(super) clock: Clock,
}

/// Why a lease came to nothing; its caller is told the refusal alone.
#[derive(Debug, thiserror::Error)]
enum Nothing {
    #[error("as many wait for a zone as may")]
    QueueFull,
    #[error("its caller left before it was given")]
    CallerLeft,
    #[error("the scratch file cannot be made: is there room in the zone host's folder?")]
    Scratch(#[source] io::Error),
    #[error("no zone")]
    Make(#[from] MakeError),
    #[error("no zone within {} seconds", MAKE_WITHIN.as_secs())]
    Late,
}

impl House {
    /// Answers one connection.
    pub(super) async fn receive(&self, mut stream: UnixStream) {
        let first = match timeout(ASK_WITHIN, receive_first(&stream, FIRST)).await {
            Ok(Ok(first)) => first,
            // A knock, as serve's at its start; or one who has nothing to say.
            Ok(Err(_)) | Err(_) => return,
        };
        let most = Most { scratch_bytes: self.settings.most_scratch_bytes, wall: self.settings.most_wall };
        match Asked::parse(&first.0, first.1, most) {
            Ok(Asked::Lease(asked)) => self.lease(stream, asked).await,
            Ok(Asked::Inspect) => {
                let Ok(inspection) = timeout(MAKE_WITHIN, self.inspection()).await else { return };
                answer(&mut stream, Answer::Inspection(inspection)).await;
            }
            Err(refusal) => {
                tracing::warn!(reason = refusal.as_str_name(), "zone-host: refused a request");
                refuse(&mut stream, refusal).await;
            }
        }
    }

    async fn lease(&self, mut stream: UnixStream, asked: LeaseAsked) {
        let (backend, wall, organisation) = (asked.backend, asked.wall, asked.organisation.clone());
        let turn = tokio::select! {
            turn = self.turns.take(&organisation) => turn.map_err(|_| Nothing::QueueFull),
            () = left(&stream) => Err(Nothing::CallerLeft),
        };
        let given = match turn {
            Ok(turn) => self.make(&stream, asked, turn).await,
            Err(nothing) => Err(nothing),
        };
        let (mut zone, watched) = match given {
            Ok(given) => given,
            Err(nothing) => {
                tracing::warn!(%backend, %organisation, cause = causes(&nothing), "zone-host: a lease came to nothing");
                return refuse(&mut stream, nothing.refusal()).await;
            }
        };
        let launch = zone.launch.id;
        tracing::debug!(%launch, %backend, %organisation, "zone-host: a zone was given");
        let begun = tokio::time::Instant::now();
        answer(&mut stream, Answer::Launch(self.key.sign(&zone.launch))).await;
        let end = tokio::select! {
            end = relay(&mut stream, zone.channel()) => end.to_string(),
            () = sleep(wall) => "its time was over".to_owned(),
            () = watched.overflow() => "it wrote more than it may".to_owned(),
        };
        // The zone is gone before its caller hears of the end, and before the next one's turn.
        zone.end().await;
        drop(stream);
        let milliseconds = begun.elapsed().as_millis();
        tracing::info!(%launch, %backend, %organisation, milliseconds, "zone-host: a zone ended: {end}");
    }

    async fn make(&self, stream: &UnixStream, asked: LeaseAsked, turn: Turn) -> Result<(Zone, Watched), Nothing> {
        let mut watched = Watched::default();
        let scratch = match asked.scratch_bytes {
            0 => None,
            _ => Some(disks::scratch(&self.settings.scratch).map_err(Nothing::Scratch)?),
        };
        watched.add(scratch.as_ref(), asked.scratch_bytes).map_err(Nothing::Scratch)?;
        watched.add(asked.output.as_ref(), asked.output_bytes).map_err(Nothing::Scratch)?;
        let making = Zone::make(asked, scratch, turn, &self.backends, &self.in_use, &self.clock);
        let made = tokio::select! {
            made = timeout(MAKE_WITHIN, making) => made,
            () = left(stream) => return Err(Nothing::CallerLeft),
        };
        Ok((made.map_err(|_| Nothing::Late)??, watched))
    }

    async fn inspection(&self) -> wire::Inspection {
        let backends = self.backends.inspect(&self.in_use).await;
        wire::Inspection { backends, host_key: self.key.public().as_bytes().to_vec() }
    }
}

impl Nothing {
    fn refusal(&self) -> LeaseRefusal {
        match self {
            Self::QueueFull => LeaseRefusal::QueueFull,
            Self::Make(error) => error.refusal(),
            Self::CallerLeft | Self::Scratch(_) | Self::Late => LeaseRefusal::Unavailable,
        }
    }
}

/// Resolves once the caller has gone, or says something before it was answered, which is as bad.
async fn left(stream: &UnixStream) {
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => return,
        }
    }
}

async fn refuse(stream: &mut UnixStream, reason: LeaseRefusal) {
    answer(stream, Answer::Refused(wire::LeaseRefused { reason: reason.into() })).await;
}

async fn answer(stream: &mut UnixStream, answer: Answer) {
    let answer = wire::LeaseAnswer { answer: Some(answer) };
    let Ok(bytes) = frame::encode(&answer, frame::TO_HOST) else { return };
    // A caller who has gone is noticed by the relay, or is of no further concern.
    let _ = timeout(ANSWER_WITHIN, stream.write_all(&bytes)).await;
}

/// For a caller's first frame.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// For a caller to take a short answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// For a zone to be made, the first template's boot without KVM on a busy machine included; serve waits a little longer.
const MAKE_WITHIN: Duration = Duration::from_secs(110);

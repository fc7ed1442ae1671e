//! A zone of either kind, made and given.

use std::{os::fd::OwnedFd, sync::Arc};

use octroi_attest::{Launch, LaunchId, Zone as Kind};
use octroi_proto::wire::zone::{self as wire, LeaseRefusal};
use tokio::net::UnixStream;

use super::{Backends, Clock, offer::Missing, request::LeaseAsked};
use crate::{
    Disks, MachineError, PoolInspection, RunningVm, TakeError, Writable,
    lease::Backend,
    process::{self, Allowance, Files, Sandbox},
    queue::Turn,
};

/// A zone that runs, and what is said of it. It takes up a turn, which goes on once nothing of the zone is left.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) launch: Launch,
    running: Running,
    /// One of those in use, for as long as it lives.
    _counted: Arc<()>,
}

/// Zones in use, by kind: each holds a share.
#[derive(Debug, Default)]
pub(super) struct InUse {
    vm: Arc<()>,
    process: Arc<()>,
}

#[derive(Debug)]
enum Running {
    Vm(Box<RunningVm>),
    Process(Box<process::Running>, Turn),
}

/// Why there is no zone.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    /// There is no such kind here.
    #[error("there is no such backend here")]
    NoBackend,
    /// There should be.
    #[error("the backend does not start: see above")]
    NotStarted,
    /// No random number for its name.
    #[error("the kernel gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// No virtual machine is to be had.
    #[error(transparent)]
    Pool(#[from] TakeError),
    /// The virtual machine did not take its disks.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The sandbox is not made.
    #[error(transparent)]
    Sandbox(#[from] process::LaunchError),
}

impl MakeError {
    /// What its caller is told.
    pub(super) fn refusal(&self) -> LeaseRefusal {
        match self {
            Self::NoBackend => LeaseRefusal::NoBackend,
            Self::NotStarted | Self::Random(_) | Self::Pool(_) | Self::Machine(_) | Self::Sandbox(_) => {
                LeaseRefusal::Unavailable
            }
        }
    }
}

impl From<Missing> for MakeError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Absent => Self::NoBackend,
            Missing::Failed => Self::NotStarted,
        }
    }
}

impl Zone {
    /// Makes the zone asked for, in its turn.
    pub(super) async fn make(
        asked: LeaseAsked,
        scratch: Option<OwnedFd>,
        turn: Turn,
        backends: &Backends,
        in_use: &InUse,
        clock: &Clock,
    ) -> Result<Self, MakeError> {
        let (launch, running, counted) = match asked.backend {
            Backend::Vm => {
                let writable = |file: Option<OwnedFd>, bytes| file.map(|file| Writable { file, bytes });
                let (scratch, output) =
                    (writable(scratch, asked.scratch_bytes), writable(asked.output, asked.output_bytes));
                let ready = backends.vm.there().await?.take().await?.taking_up(turn);
                let running = ready.attach(Disks { data: asked.data, scratch, output }).await?;
                // The clone was seeded a while ago; what it was given its work at is now.
                let launch = Launch { started: clock(), ..running.facts().launch() };
                (launch, Running::Vm(Box::new(running)), &in_use.vm)
            }
            Backend::Process => {
                let sandbox = backends.process.there().await?;
                let (launch, running) = of_process(asked, scratch, &sandbox, clock).await?;
                (launch, Running::Process(Box::new(running), turn), &in_use.process)
            }
        };
        Ok(Self { launch, running, _counted: Arc::clone(counted) })
    }

    /// The channel to what runs in it.
    pub(super) fn channel(&mut self) -> &mut UnixStream {
        match &mut self.running {
            Running::Vm(running) => running.channel(),
            Running::Process(running, _) => running.channel(),
        }
    }

    /// Kills it, and waits until nothing of it is left.
    pub(super) async fn end(self) {
        match self.running {
            Running::Vm(running) => running.end().await,
            Running::Process(running, turn) => {
                running.end().await;
                drop(turn);
            }
        }
    }
}

async fn of_process(
    asked: LeaseAsked,
    scratch: Option<OwnedFd>,
    sandbox: &Sandbox,
    clock: &Clock,
) -> Result<(Launch, process::Running), MakeError> {
    // What is written begins at 4,096; what really fills a disk is watched.
    let file_bytes = asked.scratch_bytes.max(asked.output_bytes).saturating_add(4096);
    let allowance = Allowance { wall: asked.wall, file_bytes };
    let started = clock();
    let files = Files { data: asked.data, output: asked.output, scratch };
    let running = sandbox.launch(files, allowance).await?;
    let launch = Launch {
        id: launch_id()?,
        image: sandbox.measurement(),
        zone: Kind::Process,
        public_key: running.public_key(),
        started,
    };
    Ok((launch, running))
}

fn launch_id() -> Result<LaunchId, MakeError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(MakeError::Random)?;
    Ok(bytes.into())
}

impl Backends {
    /// What there is, once all are made or have failed.
    pub(super) async fn inspect(&self, in_use: &InUse) -> Vec<wire::Backend> {
        let vm = self.vm.decided().await.map(|pool| of_pool(&pool.inspection(), in_use));
        let process = self.process.decided().await.map(|sandbox| wire::Backend {
            name: Backend::Process.to_string(),
            accelerator: "none".to_owned(),
            image: sandbox.measurement().as_bytes().to_vec(),
            template: Vec::new(),
            parts: sandbox.parts().to_wire(),
            waiting: 0,
            leased: count(&in_use.process),
        });
        vm.into_iter().chain(process).collect()
    }
}

fn of_pool(found: &PoolInspection, in_use: &InUse) -> wire::Backend {
    wire::Backend {
        name: Backend::Vm.to_string(),
        accelerator: found.accelerator.map(|accelerator| accelerator.name().to_owned()).unwrap_or_default(),
        image: found.image.as_bytes().to_vec(),
        template: found.template.map(|template| template.as_bytes().to_vec()).unwrap_or_default(),
        parts: found.parts.to_wire(),
        waiting: u32::try_from(found.waiting).unwrap_or(u32::MAX),
        leased: count(&in_use.vm),
    }
}

fn count(shares: &Arc<()>) -> u32 {
    u32::try_from(Arc::strong_count(shares) - 1).unwrap_or(u32::MAX)
}

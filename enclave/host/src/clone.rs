//! A clone: a machine that starts where its template stopped, is seeded first of all, and then waits for its one use.
//!
//! ```text
//! Template --clone--> seeded, engine started, stopped = ReadyVm --attach disks, cont--> RunningVm --drop--> killed
//! ```
//!
//! Every clone wakes up with the same memory, so with the same random numbers to come: the host's seed is the first
//! thing it reads, and its key is made after that. Disks are attached to the stopped machine: nothing was read from
//! the placeholders, so nothing stale can be served. Does not give: an answer to whether the guest does what it should.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant as Moment},
};

use octroi_attest::{Launch, LaunchId, Measurement, Zone, launch::Accelerator};
use octroi_proto::{
    Instant, time,
    wire::zone::{Seed, to_host, to_zone},
};
use serde_json::json;
use tokio::{net::UnixStream, time::timeout};
use zeroize::Zeroizing;

use crate::{
    machine::{DATA, DISK_BYTES, OUTPUT, SCRATCH, Start},
    powered::{MachineError, Powered, Workshop},
    queue::Turn,
    template::{STATE, Template},
};

/// What is known of a clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Drawn for this clone alone.
    pub id: LaunchId,
    /// X25519, made by the guest after its seed.
    pub public_key: [u8; 32],
    /// What its template booted.
    pub image: Measurement,
    /// What it was cloned from.
    pub template: Measurement,
    /// Who runs its instructions.
    pub accelerator: Accelerator,
    /// When it was seeded.
    pub started: Instant,
}

/// A clone that waits: seeded, its engine started, stopped. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct ReadyVm {
    machine: Powered,
    facts: Facts,
    since: Moment,
}

/// A clone at work. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct RunningVm {
    machine: Powered,
    facts: Facts,
}

/// What a clone is given to read and to write: files of [`DISK_BYTES`](crate::DISK_BYTES), sparse.
#[derive(Debug, Default)]
pub struct Disks {
    /// Opened to read alone, which QEMU insists on; `vda` in the guest.
    pub data: Option<OwnedFd>,
    /// To spill to; `vdb`.
    pub scratch: Option<Writable>,
    /// A load's; `vdc`.
    pub output: Option<Writable>,
}

/// A disk that a clone writes to.
#[derive(Debug)]
pub struct Writable {
    /// Opened to read and write.
    pub file: OwnedFd,
    /// As many bytes from its start, rounded up to blocks of 4,096, may be written and read back; QEMU refuses the guest
    /// what lies beyond.
    pub bytes: u64,
}

impl Facts {
    /// The statement of this launch, for the host to sign.
    pub fn launch(&self) -> Launch {
        let Self { id, public_key, image, template, accelerator, started } = *self;
        Launch { id, image, zone: Zone::Vm { template, accelerator }, public_key, started }
    }
}

impl ReadyVm {
    /// Clones a template and seeds it.
    pub(crate) async fn clone_of(
        template: &Template,
        workshop: &Workshop,
        now: impl Fn() -> Instant,
    ) -> Result<Self, MachineError> {
        timeout(PATIENCE, prepare(template, workshop, now)).await.map_err(|_| MachineError::TooLong)?
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// QEMU's process, for whoever measures it.
    pub fn process_id(&self) -> i32 {
        self.machine.process.id()
    }

    /// How long it has waited.
    pub(crate) fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits until its QEMU ends, which it should not.
    pub(crate) async fn ended(&self) {
        self.machine.process.ended().await;
    }

    /// Whether its QEMU still answers.
    pub(crate) async fn is_well(&mut self) -> bool {
        let asked = self.machine.qmp.execute("query-status", json!({}));
        matches!(timeout(ATTACH_PATIENCE, asked).await, Ok(Ok(())))
    }

    /// Has it take up this turn: the next one gets it once the clone, put to use or not, is dead and reaped.
    pub(crate) fn taking_up(mut self, turn: Turn) -> Self {
        self.machine.process.take_up(turn);
        self
    }

    /// Gives it its disks and lets it run.
    ///
    /// # Errors
    /// [`MachineError`]; the clone is gone then.
    pub async fn attach(mut self, disks: Disks) -> Result<RunningVm, MachineError> {
        let attach = async {
            if let Some(file) = disks.data {
                attach(&mut self.machine, 2, DATA, file, None).await?;
            }
            for (set, name, disk) in [(3, SCRATCH, disks.scratch), (4, OUTPUT, disks.output)] {
                if let Some(Writable { file, bytes }) = disk {
                    attach(&mut self.machine, set, name, file, Some(bytes)).await?;
                }
            }
            self.machine.qmp.execute("cont", json!({})).await?;
            Ok::<_, MachineError>(())
        };
        timeout(ATTACH_PATIENCE, attach).await.map_err(|_| MachineError::TooLong)??;
        Ok(RunningVm { machine: self.machine, facts: self.facts })
    }
}

impl RunningVm {
    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The guest's channel: frames both ways, the guest's to be taken as hostile.
    pub fn channel(&mut self) -> &mut UnixStream {
        &mut self.machine.channel
    }

    /// QEMU's process, for whoever measures it.
    pub fn process_id(&self) -> i32 {
        self.machine.process.id()
    }

    /// Waits until its QEMU ends: the guest powered off, or was killed.
    pub async fn ended(&self) {
        self.machine.process.ended().await;
    }

    /// Kills it, and waits until nothing of it runs.
    pub async fn end(self) {
        self.machine.process.end().await;
    }

    /// Has its QEMU do something.
    #[cfg(test)]
    pub(crate) async fn command(
        &mut self,
        command: &'static str,
        arguments: serde_json::Value,
    ) -> Result<(), MachineError> {
        Ok(self.machine.qmp.execute(command, arguments).await?)
    }
}

async fn prepare(template: &Template, workshop: &Workshop, now: impl Fn() -> Instant) -> Result<ReadyVm, MachineError> {
    let begun = Moment::now();
    let mut machine = resume(template, workshop).await?;
    let resumed = begun.elapsed();
    let started = now();
    machine.say(to_zone::Message::Seed(seed(started)?)).await?;
    machine.qmp.execute("cont", json!({})).await?;
    let to_host::Message::Ready(ready) = machine.hear(MOST_READY).await? else { return Err(MachineError::OutOfTurn) };
    machine.qmp.execute("stop", json!({})).await?;
    let public_key = ready.public_key.try_into().map_err(|_| MachineError::OutOfTurn)?;
    tracing::debug!(?resumed, ready = ?begun.elapsed(), "a clone waits");
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let Template { measurement, image, accelerator, .. } = *template;
    let facts = Facts { id: id.into(), public_key, image, template: measurement, accelerator, started };
    Ok(ReadyVm { machine, facts, since: Moment::now() })
}

/// A machine in its template's state, not yet running.
async fn resume(template: &Template, workshop: &Workshop) -> Result<Powered, MachineError> {
    let memory = template.memory.read_only()?.into();
    let mut machine = workshop.power_on(template.accelerator, Start::Resume, memory, None).await?;
    machine.qmp.hand(STATE, template.state.read_only()?.into()).await?;
    machine.qmp.execute("migrate-incoming", json!({ "uri": format!("file:/dev/fdset/{STATE}") })).await?;
    machine.qmp.migrated().await?;
    Ok(machine)
}

fn seed(now: Instant) -> Result<Seed, getrandom::Error> {
    let mut entropy = Zeroizing::new(vec![0; SEED_BYTES]);
    getrandom::fill(&mut entropy)?;
    Ok(Seed { entropy: std::mem::take(&mut *entropy), now: Some(time::to_wire(now)) })
}

/// Puts a file in a placeholder's place; `writable` is how many bytes of it may be written, `None` for none.
async fn attach(
    machine: &mut Powered,
    set: u32,
    disk: &str,
    file: OwnedFd,
    writable: Option<u64>,
) -> Result<(), MachineError> {
    machine.qmp.hand(set, file).await?;
    let read_only = writable.is_none();
    let protocol = json!({
        "driver": "file", "filename": format!("/dev/fdset/{set}"), "locking": "off", "read-only": read_only,
    });
    // with a size the guest goes on seeing the placeholder's; what lies beyond answers with an error
    let mut node = json!({ "driver": "raw", "node-name": disk, "read-only": read_only, "file": protocol });
    if let (Some(node), Some(bytes)) = (node.as_object_mut(), writable) {
        node.insert("size".to_owned(), bytes.div_ceil(BLOCK).saturating_mul(BLOCK).min(DISK_BYTES).into());
    }
    machine.qmp.execute("blockdev-add", node).await?;
    let drive = json!({ "path": format!("/machine/peripheral/{disk}"), "property": "drive", "value": disk });
    Ok(machine.qmp.execute("qom-set", drive).await?)
}

/// What guests write at once, at least.
const BLOCK: u64 = 4096;
const SEED_BYTES: usize = 64;
const MOST_READY: usize = 1024;

/// For a clone to be ready: engine start included, on a machine that is busy with many.
const PATIENCE: Duration = Duration::from_secs(60);
const ATTACH_PATIENCE: Duration = Duration::from_secs(10);

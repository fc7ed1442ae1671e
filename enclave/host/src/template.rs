//! The template: one machine booted and warmed, then held as two sealed memory files that every clone starts from.
//!
//! ```text
//! Image --boot--> Warm --stop, migrate--> RAM + state --seal, measure--> Template
//! ```
//!
//! The guest has made nothing random that matters and knows no secret: it waits for its seed. Trusts the image. Does
//! not give: anything a clone may share with another; see [`crate::clone`].

use std::{io, time::Duration};

use octroi_attest::{Measurement, launch::Accelerator};
use octroi_proto::wire::zone::to_host;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    image::{Image, ImageError},
    machine::Start,
    memory::{Open, Sealed},
    powered::{MachineError, Powered, Workshop},
};

/// A machine's RAM and state at the moment before its seed.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) memory: Sealed,
    pub(crate) state: Sealed,
    pub(crate) measurement: Measurement,
    pub(crate) image: Measurement,
    pub(crate) accelerator: Accelerator,
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl Template {
    /// Boots the image and takes its snapshot. `measured` is the image's measurement.
    pub(crate) async fn make(
        workshop: &Workshop,
        image: &Image,
        measured: Measurement,
        accelerator: Accelerator,
    ) -> Result<Self, TemplateError> {
        let patience = match accelerator {
            Accelerator::Kvm => KVM_PATIENCE,
            Accelerator::Tcg => TCG_PATIENCE,
        };
        let snapshot = async {
            let memory = Open::zeroed("octroi-memory", u64::from(workshop.machine.memory_mib) << 20)?;
            let machine = boot(workshop, image, accelerator, &memory).await?;
            let state = snapshot(machine).await?;
            Ok::<_, TemplateError>((memory.seal()?, state.seal()?))
        };
        let (memory, state) = timeout(patience, snapshot).await.map_err(|_| MachineError::TooLong)??;
        let sealed = blocking(move || {
            let (ram, rest) = (memory.measure()?, state.measure()?);
            Ok::<_, io::Error>((memory, state, measurement(measured, ram, rest)))
        });
        let (memory, state, measurement) = sealed.await?;
        Ok(Self { memory, state, measurement, image: measured, accelerator })
    }

    /// A template whose state is garbage, as a fault in the host's memory would leave it.
    #[cfg(test)]
    pub(crate) fn broken(mut self) -> Self {
        self.state = Open::zeroed("octroi-broken", 4096).and_then(Open::seal).unwrap();
        self
    }
}

async fn boot(
    workshop: &Workshop,
    image: &Image,
    accelerator: Accelerator,
    memory: &Open,
) -> Result<Powered, TemplateError> {
    let copied = image.clone();
    let files = blocking(move || copied.boot()).await?;
    let files = [files.kernel.read_only()?.into(), files.initramfs.read_only()?.into()];
    let start = Start::Boot(image.command_line());
    let mut machine = workshop.power_on(accelerator, start, memory.share()?, Some(files)).await?;
    let to_host::Message::Warm(_) = machine.hear(MOST_WARM).await? else { return Err(MachineError::OutOfTurn.into()) };
    // What a fresh kernel still has to do in the background would be done anew in every clone.
    tokio::time::sleep(SETTLES).await;
    Ok(machine)
}

async fn snapshot(mut machine: Powered) -> Result<Open, MachineError> {
    let state = Open::new("octroi-state")?;
    let qmp = &mut machine.qmp;
    qmp.execute("stop", json!({})).await?;
    qmp.hand(STATE, state.write_only()?).await?;
    qmp.execute("migrate", json!({ "uri": format!("file:/dev/fdset/{STATE}") })).await?;
    qmp.migrated().await?;
    qmp.execute("quit", json!({})).await?;
    // sealing is refused while QEMU still maps the RAM
    machine.process.ended().await;
    Ok(state)
}

/// SHA-256 over its label, the image's measurement, and the SHA-256 of RAM and of state.
fn measurement(image: Measurement, memory: Measurement, state: Measurement) -> Measurement {
    let parts = [b"octroi template v1\0".as_slice(), image.as_bytes(), memory.as_bytes(), state.as_bytes()];
    Measurement::of(&parts.concat())
}

/// Runs what would hold up a thread of the runtime.
async fn blocking<T: Send + 'static, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, TemplateError>
where
    E: Into<TemplateError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Into::into),
        Err(failed) => Err(io::Error::other(failed).into()),
    }
}

impl From<io::Error> for TemplateError {
    fn from(error: io::Error) -> Self {
        Self::Machine(error.into())
    }
}

/// The set under which QEMU finds the file for its state.
pub(crate) const STATE: u32 = 1;

const MOST_WARM: usize = 1024;
const SETTLES: Duration = Duration::from_secs(2);

/// The trial of KVM: where it works, a boot takes two seconds.
const KVM_PATIENCE: Duration = Duration::from_secs(30);
const TCG_PATIENCE: Duration = Duration::from_secs(180);

//! A QEMU under way: the jailed process, its control channel and its guest's channel.

use std::{io, os::fd::OwnedFd, os::unix::net::UnixStream as StdStream, path::Path};

use octroi_attest::{
    frame::{self, FrameError},
    launch::Accelerator,
    said,
};
use octroi_proto::wire::zone::{ToZone, to_host, to_zone};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::{
    jail::{Jail, JailError, Launch, Process},
    machine::{Machine, Start, descriptor},
    qmp::{Event, Qmp, QmpError},
};

/// What every machine here is made with.
#[derive(Debug, Clone)]
pub(crate) struct Workshop {
    pub(crate) jail: Jail,
    pub(crate) machine: Machine,
}

/// A machine with power on. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Powered {
    pub(crate) process: Process,
    pub(crate) qmp: Qmp,
    pub(crate) channel: UnixStream,
}

/// Why a machine does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// It was not started.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// QEMU did not do as told.
    #[error(transparent)]
    Qemu(#[from] QmpError),
    /// The guest's channel.
    #[error("the guest did not speak as it should")]
    Guest(#[source] FrameError),
    /// The guest said something else than what was its turn to say.
    #[error("the guest said something else than was its turn to say")]
    OutOfTurn,
    /// The guest stopped by itself: a fault, a panic or the end of its init.
    #[error("the guest stopped by itself")]
    Stopped,
    /// It took too long.
    #[error("the guest took too long")]
    TooLong,
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes for a seed")]
    Entropy(#[from] getrandom::Error),
    /// The system refused something.
    #[error("the system refused a machine something: {0}")]
    System(#[from] io::Error),
}

impl Workshop {
    /// Starts a QEMU. `memory` is its RAM, `boot` kernel and initramfs when it boots.
    pub(crate) async fn power_on(
        &self,
        accelerator: Accelerator,
        start: Start<'_>,
        memory: OwnedFd,
        boot: Option<[OwnedFd; 2]>,
    ) -> Result<Powered, MachineError> {
        let (control, qemu_control) = pair()?;
        let (channel, qemu_channel) = pair()?;
        let mut descriptors =
            vec![(descriptor::QMP, qemu_control), (descriptor::CHANNEL, qemu_channel), (descriptor::MEMORY, memory)];
        if let Some([kernel, initramfs]) = boot {
            descriptors.extend([(descriptor::KERNEL, kernel), (descriptor::INITRAMFS, initramfs)]);
        }
        let program: &Path = self.machine.qemu.path();
        let arguments = self.machine.arguments(accelerator, start);
        let kvm = accelerator == Accelerator::Kvm;
        let process = self.jail.launch(Launch { program, arguments, descriptors, kvm }).await?;
        let mut qmp = Qmp::open(control).await?;
        // without `x-ignore-shared` a migration would carry all of the RAM, which the memory file already holds
        let capabilities = ["x-ignore-shared", "events"].map(|name| json!({ "capability": name, "state": true }));
        qmp.execute("migrate-set-capabilities", json!({ "capabilities": capabilities })).await?;
        Ok(Powered { process, qmp, channel })
    }
}

impl Powered {
    /// Sends the guest a message.
    pub(crate) async fn say(&mut self, message: to_zone::Message) -> Result<(), MachineError> {
        let message = ToZone { message: Some(message) };
        let bytes = frame::encode(&message, frame::TO_ZONE).map_err(MachineError::Guest)?;
        Ok(self.channel.write_all(&bytes).await?)
    }

    /// The guest's next message, and not one byte more; of at most `limit` bytes.
    pub(crate) async fn hear(&mut self, limit: usize) -> Result<to_host::Message, MachineError> {
        tokio::select! {
            message = hear(&mut self.channel, limit) => message,
            stopped = stopped(&mut self.qmp) => Err(stopped),
        }
    }
}

async fn hear(channel: &mut UnixStream, limit: usize) -> Result<to_host::Message, MachineError> {
    let length = usize::try_from(channel.read_u32_le().await?).unwrap_or(usize::MAX);
    if length > limit {
        return Err(MachineError::Guest(FrameError::TooLong { limit }));
    }
    let mut bytes = vec![0; length];
    channel.read_exact(&mut bytes).await?;
    said::decode(&bytes).map_err(MachineError::Guest)
}

/// Why the guest runs no more, once it does not. KVM that does not work shows like this: the guest is stopped.
async fn stopped(qmp: &mut Qmp) -> MachineError {
    loop {
        match qmp.event().await {
            Ok(Event::Stopped | Event::Ended) => return MachineError::Stopped,
            Ok(Event::Migrated | Event::MigrationFailed) => {}
            Err(error) => return error.into(),
        }
    }
}

fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

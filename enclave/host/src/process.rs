//! The process sandbox: the engine as a process without files, network or company, on the host's own kernel.
//!
//! ```text
//! Sandbox::new: open and measure the engine, try it once
//! launch: bubblewrap (namespaces, empty read-only root, descriptors) -> Ready -> limits from outside -> Running
//! ```
//! Namespaces, environment, descriptors and resource limits are set here; Landlock and seccomp the engine sets itself,
//! before it reads anything. For machines without QEMU: between hostile work and the host's kernel stand those filters
//! alone, so it is offered only where the settings name it, and every launch statement says `process`. Trusts
//! bubblewrap and the engine up to the arrival of its work. Does not give: a seed; a new process has the host's clock
//! and generator, which a clone has not.

mod confine;

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, linux::fs::MetadataExt as _, unix::net::UnixStream as Pair},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use octroi_attest::{
    frame::FrameError,
    measure::{Measurement, Parts, PartsError},
    said,
};
use octroi_proto::wire::zone::to_host::Message;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::{
    io::AsyncReadExt as _,
    net::{UnixStream, unix::pipe},
    process::Child,
    time::timeout,
};

use crate::lease::Incoming;
use confine::{Inherited, Limits};

/// How to make sandboxes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The engine: a static program.
    pub engine: PathBuf,
    /// Memory that a sandbox may have. Bytes.
    pub memory_bytes: u64,
}

/// Makes sandboxes of one engine.
#[derive(Debug)]
pub struct Sandbox {
    engine: File,
    stamp: Stamp,
    parts: Parts,
    memory_bytes: u64,
}

/// What one sandbox reads and writes besides its channel.
#[derive(Debug, Default)]
pub struct Files {
    /// Read-only.
    pub data: Option<OwnedFd>,
    /// A load's output.
    pub output: Option<OwnedFd>,
    /// To spill to.
    pub scratch: Option<OwnedFd>,
}

/// What one sandbox may use up.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Until it is killed; its processor time is bounded by it.
    pub wall: Duration,
    /// The longest file it may write. Bytes.
    pub file_bytes: u64,
}

/// A sandbox, its engine waiting for work. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    public_key: [u8; 32],
    channel: UnixStream,
    processes: Processes,
}

/// Why there can be no sandboxes here.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine cannot be read.
    #[error("cannot read the engine `{}`: make the image with `cargo xtask image`", path.display())]
    Engine {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The parts cannot be listed.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The first sandbox could not be made.
    #[error("no sandbox can be made: {said}")]
    Trial {
        /// What bubblewrap and the engine, which had no work yet, said of it.
        said: String,
        /// Why not.
        #[source]
        cause: LaunchError,
    },
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The file is not what was measured.
    #[error("the engine's file was changed since it was measured: start the zone host again")]
    EngineChanged,
    /// bubblewrap does not start.
    #[error("cannot start bubblewrap: is the package `bubblewrap` installed?")]
    Start(#[source] io::Error),
    /// bubblewrap does not say what it started.
    #[error("bubblewrap started nothing: are user namespaces allowed to this user?")]
    NothingStarted,
    /// The engine does not say that it is ready.
    #[error("the engine is not ready: is it of this version?")]
    NotReady,
    /// The channel failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It takes too long.
    #[error("the sandbox was not ready in time: is the machine overloaded?")]
    Late,
    /// The machine refuses something.
    #[error("cannot prepare the sandbox")]
    System(#[from] io::Error),
}

impl Sandbox {
    /// Opens and measures the engine, and makes one sandbox to see whether it can be done here.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub async fn new(settings: &Settings) -> Result<Self, SandboxError> {
        let path = settings.engine.clone();
        let measured = tokio::task::spawn_blocking(move || measure(&path)).await.map_err(io::Error::other);
        let refuse = |cause| SandboxError::Engine { path: settings.engine.clone(), cause };
        let (engine, stamp, measurement) = measured.and_then(|measured| measured).map_err(refuse)?;
        let mut parts = Parts::new();
        parts.push_measured("engine", measurement)?;
        parts.push_text("profile", &confine::profile())?;
        let sandbox = Self { engine, stamp, parts, memory_bytes: settings.memory_bytes };
        sandbox.try_once().await?;
        Ok(sandbox)
    }

    /// What is measured.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The measurement of what runs.
    pub fn measurement(&self) -> Measurement {
        self.parts.measurement()
    }

    /// Makes a sandbox. To be awaited by a thread that outlives it: the kernel kills it with the thread that made it.
    ///
    /// # Errors
    /// [`LaunchError`]; nothing is left running.
    pub async fn launch(&self, files: Files, allowance: Allowance) -> Result<Running, LaunchError> {
        timeout(READY_WITHIN, self.start(files, allowance, Stdio::null()).await?.ready())
            .await
            .map_err(|_| LaunchError::Late)?
    }

    async fn start(&self, files: Files, allowance: Allowance, errors: Stdio) -> Result<Started, LaunchError> {
        if Stamp::of(&self.engine)? != self.stamp {
            return Err(LaunchError::EngineChanged);
        }
        let (near, far) = Pair::pair()?;
        near.set_nonblocking(true)?;
        let (tell, told) = pipe::pipe()?;
        let inherited = Inherited {
            channel: far.into(),
            files,
            tell: tell.into_blocking_fd()?,
            engine: self.engine.try_clone()?.into(),
        };
        let child = confine::command(inherited, errors)?.spawn().map_err(LaunchError::Start)?;
        let limits = Limits { memory_bytes: self.memory_bytes, allowance };
        Ok(Started { child, told, channel: UnixStream::from_std(near)?, limits })
    }

    async fn try_once(&self) -> Result<(), SandboxError> {
        let allowance = Allowance { wall: READY_WITHIN, file_bytes: 0 };
        let trial = |cause, said: &[u8]| SandboxError::Trial {
            said: String::from_utf8_lossy(said).trim().replace(char::is_control, " "),
            cause,
        };
        let mut started =
            self.start(Files::default(), allowance, Stdio::piped()).await.map_err(|cause| trial(cause, &[]))?;
        let errors = started.child.stderr.take();
        match timeout(READY_WITHIN, started.ready()).await {
            Ok(Ok(running)) => {
                running.end().await;
                Ok(())
            }
            late_or_failed => {
                let cause = late_or_failed.ok().and_then(Result::err).unwrap_or(LaunchError::Late);
                let mut said = Vec::new();
                if let Some(errors) = errors {
                    // Whatever it managed to say.
                    let _ = timeout(FAREWELL, errors.take(MOST_SAID).read_to_end(&mut said)).await;
                }
                Err(trial(cause, &said))
            }
        }
    }
}

/// bubblewrap runs; the engine perhaps.
struct Started {
    child: Child,
    told: pipe::Receiver,
    channel: UnixStream,
    limits: Limits,
}

impl Started {
    async fn ready(mut self) -> Result<Running, LaunchError> {
        let mut said = Vec::new();
        (&mut self.told).take(MOST_SAID).read_to_end(&mut said).await?;
        let engine = confine::engine_of(&said).ok_or(LaunchError::NothingStarted)?;
        let processes = Processes { engine: pidfd(engine)?, bubblewrap: self.child };
        let mut incoming = Incoming::new(&mut self.channel, MOST_READY);
        let frame = incoming.next().await?.ok_or(LaunchError::NotReady)?;
        let Message::Ready(ready) = said::decode(&frame)? else {
            return Err(LaunchError::NotReady);
        };
        let public_key = ready.public_key.as_slice().try_into().map_err(|_| LaunchError::NotReady)?;
        // It was trusted until now; what comes next is work.
        self.limits.impose(engine)?;
        Ok(Running { public_key, channel: self.channel, processes })
    }
}

impl Running {
    /// The key that it made.
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The channel to its engine.
    pub fn channel(&mut self) -> &mut UnixStream {
        &mut self.channel
    }

    /// Kills it, and waits until nothing of it is left.
    pub async fn end(mut self) {
        self.processes.kill();
        // It is dead or about to be; should waiting fail, the runtime reaps it later.
        let _ = timeout(FAREWELL, self.processes.bubblewrap.wait()).await;
    }
}

/// The engine, and bubblewrap, which ends when the engine does.
#[derive(Debug)]
struct Processes {
    engine: OwnedFd,
    bubblewrap: Child,
}

impl Processes {
    fn kill(&self) {
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.engine, Signal::KILL);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pidfd(process: Pid) -> Result<OwnedFd, LaunchError> {
    Ok(pidfd_open(process, PidfdFlags::empty()).map_err(io::Error::from)?)
}

/// What changes when a file's content does.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self { length: found.st_size(), changed: (found.st_mtime(), found.st_mtime_nsec()) })
    }
}

fn measure(path: &Path) -> io::Result<(File, Stamp, Measurement)> {
    let mut file = File::open(path)?;
    let stamp = Stamp::of(&file)?;
    let measurement = Measurement::of_reader(&mut file)?;
    Ok((file, stamp, measurement))
}

/// For a sandbox to be ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// For killed processes to be gone.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bytes that bubblewrap says of what it started, or of why it did not.
const MOST_SAID: u64 = 4096;
/// Bytes of the first frame.
const MOST_READY: usize = 256;

#[cfg(test)]
pub(crate) mod tests;

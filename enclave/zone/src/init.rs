//! The first process of a VM.
//!
//! ```text
//! system: mounts, modules -> lock: nothing more to load, to trace, to dump -> Warm   the template is frozen here
//! Seed -> seed: generator and clock -> Seeded -> becomes the engine, unprivileged -> its end is the machine's
//! ```
//!
//! Everything before `Warm` is shared by all clones, so nothing random is made there; the engine starts only once the
//! clone has its own seed. Trusts the kernel and what is in the initramfs; of the host, that it gives each clone
//! another seed. Whatever goes wrong ends the VM, and says why only on a console that production has not.

mod lock;
mod seed;
mod system;

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use octroi_attest::frame::{self, FrameError};
use octroi_proto::wire::zone::{self as wire, to_host, to_zone};
use rustix::system::{RebootCommand, reboot};

use self::{
    lock::LockError,
    seed::{Seed, SeedError},
    system::{Console, SystemError},
};

/// Why this VM comes to nothing.
#[derive(Debug, thiserror::Error)]
enum InitError {
    /// The machine is not as it must be.
    #[error(transparent)]
    System(#[from] SystemError),
    /// Something stays open that must be shut.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The channel does not open.
    #[error("the channel cannot be opened")]
    Channel(#[source] io::Error),
    /// The channel fails.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The host says something else than a seed.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// What was to be done with the machine is not.
    #[error("the engine cannot be started")]
    Engine(#[source] io::Error),
}

/// A machine that has a seed of its own, and its channel to the host.
#[derive(Debug)]
pub struct Seeded {
    channel: File,
    console: Console,
}

/// Brings the machine up to its seed and does `work` with it; then switches it off. Returns only if the machine does
/// not let itself be switched off; the kernel then panics, which by its command line ends the VM as well.
pub fn run(work: impl FnOnce(Seeded) -> io::Result<()>) -> ExitCode {
    let mut console = Console::absent();
    if let Err(error) = live(&mut console, work) {
        console.say(&crate::start::causes(&error));
    }
    let failed = reboot(RebootCommand::PowerOff);
    console.say(&format!("switching off failed: {failed:?}"));
    ExitCode::FAILURE
}

fn live(console: &mut Console, work: impl FnOnce(Seeded) -> io::Result<()>) -> Result<(), InitError> {
    system::mount()?;
    *console = Console::find();
    system::load_modules()?;
    system::await_devices()?;
    lock::down()?;
    system::settle()?;
    let mut channel = File::options().read(true).write(true).open(system::CHANNEL).map_err(InitError::Channel)?;
    console.say("warm");
    send_warm(&mut channel)?;
    let seed = await_seed(&mut channel)?;
    seed.plant()?;
    console.say("seeded");
    let console = console.share().map_err(InitError::Engine)?;
    work(Seeded { channel, console }).map_err(InitError::Engine)
}

impl Seeded {
    /// The channel to the host.
    pub fn into_channel(self) -> File {
        self.channel
    }

    /// Becomes this program once more, as nobody, with the channel as its standard input; that confines itself. Returns
    /// only if it cannot.
    ///
    /// In init's own place: making a process is a third of what a clone would do from its seed on. So the engine is the
    /// first process, and when it ends the kernel panics, which by its command line ends the VM.
    pub fn become_engine(self) -> io::Error {
        let errors = match self.console.standard_error() {
            Ok(errors) => errors,
            Err(error) => return error,
        };
        Command::new(system::PROGRAM)
            .arg0("octroi-zone")
            .arg("engine")
            .env_clear()
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY)
            .stdin(self.channel)
            .stdout(Stdio::null())
            .stderr(errors)
            .exec()
    }
}

fn send_warm(channel: &mut File) -> Result<(), FrameError> {
    let warm = wire::ToHost { message: Some(to_host::Message::Warm(wire::Warm {})) };
    frame::write(channel, &warm, frame::TO_HOST)
}

/// Waits for the seed, through a time in which nobody is at the other end: clones find their host only later.
fn await_seed(channel: &mut File) -> Result<Seed, InitError> {
    loop {
        match frame::read::<wire::ToZone>(channel, frame::TO_ZONE)? {
            Some(wire::ToZone { message: Some(to_zone::Message::Seed(seed)) }) => return Ok(Seed::parse(&seed)?),
            Some(_) => return Err(SeedError::Missing.into()),
            None => thread::sleep(AGAIN),
        }
    }
}

/// User and group of the engine.
const NOBODY: u32 = 65_534;
/// Between two looks at a channel without other end.
const AGAIN: Duration = Duration::from_millis(2);

//! The first process of a VM.
//!
//! ```text
//! system: mounts, modules -> lock: nothing more to load, to trace, to dump -> Warm   the template is frozen here
//! Seed -> seed: generator and clock -> engine, unprivileged -> its end -> power off
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
    process::{Child, Command, ExitCode, Stdio},
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
    /// The engine does not start.
    #[error("the engine cannot be started")]
    Engine(#[source] io::Error),
}

/// Lives the VM's life and switches it off. Returns only if the machine does not let itself be switched off; the
/// kernel then panics, which by its command line ends the VM as well.
pub(crate) fn run() -> ExitCode {
    let mut console = Console::absent();
    if let Err(error) = live(&mut console) {
        console.say(&crate::causes(&error));
    }
    let failed = reboot(RebootCommand::PowerOff);
    console.say(&format!("switching off failed: {failed:?}"));
    ExitCode::FAILURE
}

fn live(console: &mut Console) -> Result<(), InitError> {
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
    let ended = start_engine(channel, console).and_then(|mut engine| engine.wait()).map_err(InitError::Engine)?;
    console.say(&format!("the engine ended: {ended}"));
    Ok(())
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

/// This program once more, as nobody, with the channel as its standard input. It confines itself.
fn start_engine(channel: File, console: &Console) -> io::Result<Child> {
    Command::new(system::PROGRAM)
        .arg0("octroi-zone")
        .arg("engine")
        .env_clear()
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(channel)
        .stdout(Stdio::null())
        .stderr(console.standard_error()?)
        .spawn()
}

/// User and group of the engine.
const NOBODY: u32 = 65_534;
/// Between two looks at a channel without other end.
const AGAIN: Duration = Duration::from_millis(2);

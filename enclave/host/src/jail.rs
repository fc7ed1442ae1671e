//! The jail around each QEMU: an unprivileged user in namespaces of its own, with nothing but what it was handed.
//!
//! ```text
//! Jail --launch(program, arguments, descriptors)--> Process --end, or drop--> killed and reaped
//! ```
//!
//! bubblewrap makes the namespaces (user, pid, net, ipc, uts, mount, cgroup) and a read-only root that holds `/usr`,
//! a `/proc` of its own and nothing else; QEMU gets descriptors by number, no environment, no capability, no core
//! dumps. What runs in it dies with whoever started it, at whatever moment that one is killed. Trusts the kernel and
//! bubblewrap. Does not give: a filter of system calls, which is QEMU's own (`-sandbox`).

mod leftover;

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Deserialize;
use tokio::{io::AsyncReadExt as _, net::unix::pipe, sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::queue::Turn;

/// Where jailed programs are started from.
#[derive(Debug, Clone)]
pub(crate) struct Jail {
    bubblewrap: PathBuf,
    user: Option<u32>,
    launcher: Launcher,
}

/// What is started, and with what.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
    /// Each under the number that the program knows it by.
    pub(crate) descriptors: Vec<(i32, OwnedFd)>,
    /// Whether it is let at `/dev/kvm`.
    pub(crate) kvm: bool,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// bubblewrap is not there.
    #[error("cannot run `{}`: install bubblewrap", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// bubblewrap ended without starting anything.
    #[error(
        "no jail could be made: user namespaces must be allowed (kernel.unprivileged_userns_clone=1; in a \
             container also by its seccomp profile)"
    )]
    NoNamespaces,
    /// The jail was made, and nothing ran in it.
    #[error("nothing runs in a jail: `/usr/bin/sh` and what it starts must lie below `/usr`")]
    NothingRuns,
    /// The system refused something.
    #[error("no jail could be made")]
    System(#[source] io::Error),
}

/// A jailed process: killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// The program itself, first process of its namespace.
    pid: Pid,
    handle: OwnedFd,
    /// Set once nobody holds its standard error any more, which is when it and its warden ended.
    ended: CancellationToken,
    /// bubblewrap, which waits for it.
    warden: Option<Child>,
    /// Whose turn it takes up: given on once both are reaped, however they came to their end.
    turn: Option<Turn>,
    launcher: Launcher,
}

/// The thread that starts and reaps. It must outlive what it started: the kernel kills a `--die-with-parent` child
/// when the *thread* that made it ends, and a runtime's threads come and go. The last to let go of it waits until all
/// is reaped. A start is never left half-way by the living; what is started lets itself be killed by the dead ([`GUARD`]).
#[derive(Debug, Clone)]
struct Launcher(Arc<Orders>);

#[derive(Debug)]
struct Orders {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Start(Box<Starting>, oneshot::Sender<Result<Started, JailError>>),
    Reap(Child, Option<Turn>),
}

#[derive(Debug)]
struct Starting {
    command: Command,
    /// Where bubblewrap tells the program's number.
    told: io::PipeReader,
    /// The other end of the guard's.
    leash: UnixStream,
}

/// bubblewrap, about to end.
#[derive(Debug)]
struct Ending {
    warden: Child,
    since: Instant,
    _turn: Option<Turn>,
}

#[derive(Debug)]
struct Started {
    pid: Pid,
    handle: OwnedFd,
    warden: Child,
}

impl Jail {
    /// A jail made by this bubblewrap. `user` is whom jailed programs run as when we are root.
    pub(crate) fn new(bubblewrap: PathBuf, user: u32) -> Result<Self, JailError> {
        if let Err(source) = std::fs::metadata(&bubblewrap) {
            return Err(JailError::Missing { path: bubblewrap, source });
        }
        let left = leftover::clear(GUARD);
        if left > 0 {
            tracing::warn!(left, "ended what a zone host that was killed had left");
        }
        let user = rustix::process::geteuid().is_root().then_some(user);
        Ok(Self { bubblewrap, user, launcher: Launcher::begin().map_err(JailError::System)? })
    }

    /// Starts a program in a jail of its own.
    pub(crate) async fn launch(&self, launch: Launch<'_>) -> Result<Process, JailError> {
        let (told, tells) = io::pipe().map_err(JailError::System)?;
        let (said, says) = io::pipe().map_err(JailError::System)?;
        let (leash, guard) = UnixStream::pair().map_err(JailError::System)?;
        let command = self.command(launch, tells.into(), guard.into(), says)?;
        let said = pipe::Receiver::from_owned_fd(said.into()).map_err(JailError::System)?;
        let Started { pid, handle, warden } = self.launcher.start(Starting { command, told, leash }).await?;
        let ended = CancellationToken::new();
        tokio::spawn(log(said, ended.clone()));
        Ok(Process { pid, handle, ended, warden: Some(warden), turn: None, launcher: self.launcher.clone() })
    }

    fn command(
        &self,
        launch: Launch<'_>,
        tells: OwnedFd,
        guard: OwnedFd,
        says: io::PipeWriter,
    ) -> Result<Command, JailError> {
        let mut command = Command::new(&self.bubblewrap);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(says).args(NAMESPACES);
        if launch.kvm {
            command.args(["--dev-bind", "/dev/kvm", "/dev/kvm"]);
        }
        command.args(["--remount-ro", "/", "--info-fd"]).arg(TOLD.to_string()).arg("--");
        command.args(["/usr/bin/sh", "-c", GUARD, "guard"]).arg(launch.program).args(launch.arguments);
        if let Some(user) = self.user {
            // root's other groups go with the user; only the one that owns /dev/kvm may be needed
            let group = if launch.kvm { group_of(Path::new("/dev/kvm")) } else { None };
            command.uid(user).gid(group.unwrap_or(user));
        }
        let mapping = |(child_fd, parent_fd)| FdMapping { parent_fd, child_fd };
        let mappings = launch.descriptors.into_iter().chain([(LEASH, guard), (TOLD, tells)]).map(mapping).collect();
        command.fd_mappings(mappings).map_err(|_| JailError::System(io::ErrorKind::InvalidInput.into()))?;
        Ok(command)
    }
}

impl Process {
    /// Its number outside the jail.
    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Has it take up this turn, which the next one gets once nothing of it is left.
    pub(crate) fn take_up(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Waits until it ended.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Kills it, and waits until nothing of it runs. That takes longer than a moment only where the kernel cannot end
    /// it; then its turn is not given on, since it still takes up what it takes up.
    pub(crate) async fn end(self) {
        self.kill();
        while timeout(REAP_PATIENCE, self.ended()).await.is_err() {
            tracing::error!(process = self.id(), "a killed QEMU does not end: is a disk stuck?");
        }
    }

    fn kill(&self) {
        // The program, not its warden: were both killed, nobody would be left to reap the program.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(warden) = self.warden.take() {
            self.launcher.order(Order::Reap(warden, self.turn.take()));
        }
    }
}

impl Launcher {
    fn begin() -> io::Result<Self> {
        let (orders, queue) = mpsc::channel();
        let thread = thread::Builder::new().name("octroi-launcher".to_owned()).spawn(move || serve(&queue))?;
        Ok(Self(Arc::new(Orders { orders: Some(orders), thread: Some(thread) })))
    }

    async fn start(&self, starting: Starting) -> Result<Started, JailError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Start(Box::new(starting), answer));
        answered.await.map_err(|_| JailError::System(io::ErrorKind::BrokenPipe.into()))?
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.0.orders {
            let _ = orders.send(order);
        }
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Carries out orders until nobody can give one, then waits for what still ends.
fn serve(queue: &mpsc::Receiver<Order>) {
    let mut ending: Vec<Ending> = Vec::new();
    let end = |warden, turn| Ending { warden, since: Instant::now(), _turn: turn };
    let mut open = true;
    while open || !ending.is_empty() {
        let order = if ending.is_empty() {
            queue.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(REAP_PAUSE)
        };
        match order {
            Ok(Order::Start(starting, answer)) => match start(*starting) {
                Ok(started) => {
                    if let Err(Ok(unwanted)) = answer.send(Ok(started)) {
                        let _ = pidfd_send_signal(&unwanted.handle, Signal::KILL);
                        ending.push(end(unwanted.warden, None));
                    }
                }
                Err((error, warden)) => {
                    ending.extend(warden.map(|warden| end(warden, None)));
                    let _ = answer.send(Err(error));
                }
            },
            Ok(Order::Reap(warden, turn)) => ending.push(end(warden, turn)),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                open = false;
                thread::sleep(REAP_PAUSE);
            }
        }
        ending.retain_mut(still_ending);
    }
}

/// A warden ends by itself once its program did; one that does not is killed too.
fn still_ending(ending: &mut Ending) -> bool {
    if ending.since.elapsed() > REAP_PATIENCE {
        let _ = ending.warden.kill();
    }
    matches!(ending.warden.try_wait(), Ok(None))
}

/// Starts bubblewrap, waits until it tells the program's number and lets that go; on failure the warden is to be reaped.
fn start(starting: Starting) -> Result<Started, (JailError, Option<Child>)> {
    let Starting { mut command, told, leash } = starting;
    let warden = command.spawn().map_err(|error| (JailError::System(error), None))?;
    // our copies of the program's descriptors close with it; the end of what is told would not come otherwise
    drop(command);
    let Some(pid) = child_pid(told) else { return Err((JailError::NoNamespaces, Some(warden))) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(error) => return Err((JailError::System(error.into()), Some(warden))),
    };
    if let Err(error) = let_go(leash) {
        tracing::warn!(%error, "what was started in a jail does not answer");
        let _ = pidfd_send_signal(&handle, Signal::KILL);
        return Err((JailError::NothingRuns, Some(warden)));
    }
    Ok(Started { pid, handle, warden })
}

/// Hears that the guard is there, and tells it to go on.
fn let_go(mut leash: UnixStream) -> io::Result<()> {
    leash.set_read_timeout(Some(GUARD_PATIENCE))?;
    leash.read_exact(&mut [0])?;
    leash.write_all(b"\n")
}

/// The program's number, as bubblewrap tells it.
fn child_pid(told: io::PipeReader) -> Option<Pid> {
    #[derive(Deserialize)]
    struct Info {
        #[serde(rename = "child-pid")]
        child_pid: i32,
    }
    let mut text = Vec::new();
    io::Read::take(told, MOST_TOLD).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok().and_then(|info: Info| Pid::from_raw(info.child_pid))
}

/// Logs the first of what a jailed program complains of, drops the rest, and tells when there will be no more.
async fn log(mut said: pipe::Receiver, ended: CancellationToken) {
    let _told = ended.drop_guard();
    let mut first = Vec::new();
    let read = (&mut said).take(MOST_SAID).read_to_end(&mut first).await;
    let text = String::from_utf8_lossy(&first);
    if read.is_ok() && !text.trim().is_empty() {
        tracing::warn!(text = text.trim(), "from a jailed QEMU");
    }
    let _ = tokio::io::copy(&mut said, &mut tokio::io::sink()).await;
}

fn group_of(path: &Path) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::gid(&std::fs::metadata(path).ok()?))
}

const NAMESPACES: &[&str] = &[
    "--unshare-user",
    "--unshare-all",
    "--disable-userns",
    "--uid",
    "65534",
    "--gid",
    "65534",
    "--hostname",
    "zone",
    "--die-with-parent",
    "--new-session",
    "--as-pid-1",
    "--cap-drop",
    "ALL",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--proc",
    "/proc",
    "--chdir",
    "/",
];

/// What runs first in a jail. bubblewrap and its child each ask the kernel to die with their parent; a parent that is
/// killed before they could leaves them to run on. So the program starts only when both have asked, which is when this
/// says that it is there, and their parent still answers: no answer ever comes from the dead. (A child that bubblewrap
/// leaves before it came to this is [`leftover`]'s.) Limits are set here too,
/// since setting another user's takes a capability that containers lack: no core, few descriptors, files of 64 GiB.
const GUARD: &str =
    "echo >&8 && read -r _ <&8 && ulimit -c 0 && ulimit -n 64 && ulimit -f 134217728 && exec \"$@\" 8>&-";

/// The guard's end, as in [`GUARD`].
const LEASH: i32 = 8;
/// Where bubblewrap tells the program's number; higher than any number a program is handed.
const TOLD: i32 = 9;
const MOST_TOLD: u64 = 4096;
const MOST_SAID: u64 = 4096;
const REAP_PAUSE: Duration = Duration::from_millis(5);
const REAP_PATIENCE: Duration = Duration::from_secs(5);
/// For a jail to be made on a busy machine, from the program's number on.
const GUARD_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;

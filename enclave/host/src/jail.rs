//! The jail around each QEMU: an unprivileged user in namespaces of its own, with nothing but what it was handed.
//!
//! ```text
//! Jail --launch(program, arguments, descriptors)--> Process --drop--> killed and reaped
//! ```
//!
//! bubblewrap makes the namespaces (user, pid, net, ipc, uts, mount, cgroup) and a read-only root that holds `/usr`,
//! a `/proc` of its own and nothing else; QEMU gets descriptors by number, no environment, no capability, no core
//! dumps. Trusts the kernel and bubblewrap. Does not give: a filter of system calls, which is QEMU's own (`-sandbox`).

use std::{
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Deserialize;
use tokio::{io::AsyncReadExt as _, net::unix::pipe, sync::oneshot};
use tokio_util::sync::CancellationToken;

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
    launcher: Launcher,
}

/// The thread that starts and reaps. It must outlive what it started: the kernel kills a `--die-with-parent` child
/// when the *thread* that made it ends, and a runtime's threads come and go. The last to let go of it waits until all
/// is reaped. A start is never left half-way: whoever is killed while bubblewrap is at work leaves its child behind.
#[derive(Debug, Clone)]
struct Launcher(Arc<Orders>);

#[derive(Debug)]
struct Orders {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Start(Box<Command>, io::PipeReader, oneshot::Sender<Result<Started, JailError>>),
    Reap(Child),
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
        let user = rustix::process::geteuid().is_root().then_some(user);
        Ok(Self { bubblewrap, user, launcher: Launcher::begin().map_err(JailError::System)? })
    }

    /// Starts a program in a jail of its own.
    pub(crate) async fn launch(&self, launch: Launch<'_>) -> Result<Process, JailError> {
        let (told, tells) = io::pipe().map_err(JailError::System)?;
        let (said, says) = io::pipe().map_err(JailError::System)?;
        let command = self.command(launch, tells.into(), says)?;
        let said = pipe::Receiver::from_owned_fd(said.into()).map_err(JailError::System)?;
        let Started { pid, handle, warden } = self.launcher.start(command, told).await?;
        let ended = CancellationToken::new();
        tokio::spawn(log(said, ended.clone()));
        Ok(Process { pid, handle, ended, warden: Some(warden), launcher: self.launcher.clone() })
    }

    fn command(&self, launch: Launch<'_>, tells: OwnedFd, says: io::PipeWriter) -> Result<Command, JailError> {
        let mut command = Command::new(&self.bubblewrap);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(says).args(NAMESPACES);
        if launch.kvm {
            command.args(["--dev-bind", "/dev/kvm", "/dev/kvm"]);
        }
        command.args(["--remount-ro", "/", "--info-fd"]).arg(TOLD.to_string()).arg("--");
        // prlimit inside the jail: setting another user's limits would take a capability that containers lack
        command.args(LIMITS).arg(launch.program).args(launch.arguments);
        if let Some(user) = self.user {
            // root's other groups go with the user; only the one that owns /dev/kvm may be needed
            let group = if launch.kvm { group_of(Path::new("/dev/kvm")) } else { None };
            command.uid(user).gid(group.unwrap_or(user));
        }
        let mapping = |(child_fd, parent_fd)| FdMapping { parent_fd, child_fd };
        let mappings = launch.descriptors.into_iter().chain([(TOLD, tells)]).map(mapping).collect();
        command.fd_mappings(mappings).map_err(|_| JailError::System(io::ErrorKind::InvalidInput.into()))?;
        Ok(command)
    }
}

impl Process {
    /// Its number outside the jail.
    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits until it ended.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The program, not its warden: were both killed, nobody would be left to reap the program.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        if let Some(warden) = self.warden.take() {
            self.launcher.reap(warden);
        }
    }
}

impl Launcher {
    fn begin() -> io::Result<Self> {
        let (orders, queue) = mpsc::channel();
        let thread = thread::Builder::new().name("octroi-launcher".to_owned()).spawn(move || serve(&queue))?;
        Ok(Self(Arc::new(Orders { orders: Some(orders), thread: Some(thread) })))
    }

    async fn start(&self, command: Command, told: io::PipeReader) -> Result<Started, JailError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Start(Box::new(command), told, answer));
        answered.await.map_err(|_| JailError::System(io::ErrorKind::BrokenPipe.into()))?
    }

    fn reap(&self, child: Child) {
        self.order(Order::Reap(child));
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
    let mut ending: Vec<(Child, Instant)> = Vec::new();
    let mut open = true;
    while open || !ending.is_empty() {
        let order = if ending.is_empty() {
            queue.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(REAP_PAUSE)
        };
        match order {
            Ok(Order::Start(command, told, answer)) => match start(*command, told) {
                Ok(started) => {
                    if let Err(Ok(unwanted)) = answer.send(Ok(started)) {
                        let _ = pidfd_send_signal(&unwanted.handle, Signal::KILL);
                        ending.push((unwanted.warden, Instant::now()));
                    }
                }
                Err((error, warden)) => {
                    ending.extend(warden.map(|warden| (warden, Instant::now())));
                    let _ = answer.send(Err(error));
                }
            },
            Ok(Order::Reap(child)) => ending.push((child, Instant::now())),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                open = false;
                thread::sleep(REAP_PAUSE);
            }
        }
        ending.retain_mut(|(child, since)| still_ending(child, *since));
    }
}

/// A warden ends by itself once its program did; one that does not is killed too.
fn still_ending(child: &mut Child, since: Instant) -> bool {
    if since.elapsed() > REAP_PATIENCE {
        let _ = child.kill();
    }
    matches!(child.try_wait(), Ok(None))
}

/// Starts bubblewrap and waits until it tells the program's number; on failure the warden is to be reaped.
fn start(mut command: Command, told: io::PipeReader) -> Result<Started, (JailError, Option<Child>)> {
    let warden = command.spawn().map_err(|error| (JailError::System(error), None))?;
    // our copies of the program's descriptors close with it; the end of what is told would not come otherwise
    drop(command);
    let Some(pid) = child_pid(told) else { return Err((JailError::NoNamespaces, Some(warden))) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => Ok(Started { pid, handle, warden }),
        Err(error) => Err((JailError::System(error.into()), Some(warden))),
    }
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

const LIMITS: &[&str] = &["/usr/bin/prlimit", "--core=0:0", "--nofile=64:64", "--"];

/// Where bubblewrap tells the program's number; higher than any number a program is handed.
const TOLD: i32 = 9;
const MOST_TOLD: u64 = 4096;
const MOST_SAID: u64 = 4096;
const REAP_PAUSE: Duration = Duration::from_millis(5);
const REAP_PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn jail() -> Jail {
        Jail::new("/usr/bin/bwrap".into(), 64803).expect("these tests need bubblewrap: apt install bubblewrap")
    }

    async fn shell(jail: &Jail, script: &str) -> (Process, String) {
        let (mut read, write) = io::pipe().unwrap();
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        let descriptors = vec![(3, write.into())];
        let program = Path::new("/usr/bin/bash");
        let process = jail.launch(Launch { program, arguments, descriptors, kvm: false }).await.unwrap();
        let text = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            read.read_to_string(&mut text).map(|_| text)
        });
        (process, text.await.unwrap().unwrap())
    }

    #[tokio::test]
    async fn the_jailed_see_no_file_process_network_or_name_of_the_host() {
        let script = "exec >&3; echo $$; id -u; ls /; ls -d /proc/[0-9]*; ls /sys /etc /home 2>/dev/null; env; hostname; \
                      ulimit -c; ulimit -n; cat /proc/net/dev | tail -n +3; touch /x 2>/dev/null && echo wrote; \
                      grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ls /proc/self/fd; unshare -U true 2>/dev/null && \
                      echo nested";
        let (_process, text) = shell(&jail(), script).await;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(&lines[..6], ["1", "65534", "lib", "lib64", "proc", "usr"], "{text}");
        assert!(lines.contains(&"CapEff:\t0000000000000000") && lines.contains(&"CapBnd:\t0000000000000000"), "{text}");
        assert!(lines.contains(&"NoNewPrivs:\t1") && lines.contains(&"zone"), "{text}");
        assert!(!text.contains("wrote") && !text.contains("nested") && !text.contains("HOME"), "{text}");
        assert!(!text.contains("eth") && !text.contains("/etc"), "{text}");
    }

    #[tokio::test]
    async fn a_dropped_process_is_killed_and_nothing_of_it_is_left() {
        let jail = jail();
        let (process, _) = shell(&jail, "exec 3>&-; while :; do read -t 1000 < <(:); done").await;
        let (program, warden) = (process.id(), process.warden.as_ref().unwrap().id());
        let exists = |pid: i64| Path::new(&format!("/proc/{pid}")).exists();
        assert!(exists(program.into()) && exists(warden.into()));
        drop(process);
        let deadline = Instant::now() + Duration::from_secs(5);
        while exists(program.into()) || exists(warden.into()) {
            assert!(Instant::now() < deadline, "still there: zombie or alive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_start_that_is_given_up_leaves_nothing() {
        let (mut held, holds) = io::pipe().unwrap();
        let jail = jail();
        for patience in [0, 1, 2, 5, 10, 20, 40] {
            let descriptors = vec![(3, holds.try_clone().unwrap().into())];
            let arguments = vec!["-c".to_owned(), "while :; do read -t 1000 < <(:); done".to_owned()];
            let program = Path::new("/usr/bin/bash");
            let launch = jail.launch(Launch { program, arguments, descriptors, kvm: false });
            let _ = tokio::time::timeout(Duration::from_millis(patience), launch).await;
        }
        drop((jail, holds));
        let nobody = tokio::task::spawn_blocking(move || held.read(&mut [0]));
        let read = tokio::time::timeout(Duration::from_secs(5), nobody).await.expect("a process still holds the pipe");
        assert_eq!(read.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_process_that_ends_is_noticed() {
        let (process, _) = shell(&jail(), "exit 3").await;
        tokio::time::timeout(Duration::from_secs(5), process.ended()).await.unwrap();
    }

    #[tokio::test]
    async fn a_missing_bubblewrap_is_named() {
        let error = Jail::new("/nowhere/bwrap".into(), 1).unwrap_err();
        assert!(error.to_string().contains("install bubblewrap"));
    }
}

//! Processes of the gateway's own, as children: each started as its own user, told to end by its standard input closing.
//! A signal could not cross to another user once root is dropped, and a closed pipe also says that its parent was killed.

use std::{
    fmt,
    io::{self, Read as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use futures::future::{join_all, select_all};
use tokio::{
    net::UnixStream,
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::settings::Account;

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `octroi keys`.
    Keys,
    /// `octroi zone-host`.
    ZoneHost,
}

impl Role {
    fn command(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::ZoneHost => "zone-host",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "the key process",
            Self::ZoneHost => "the zone host",
        })
    }
}

/// Why a child is not there.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It cannot be started.
    #[error("cannot start {role}: {cause}")]
    Start {
        /// Which.
        role: Role,
        /// Why.
        cause: io::Error,
    },
    /// It does not listen.
    #[error("{role} does not listen on `{socket}`: see its own messages")]
    Silent {
        /// Which.
        role: Role,
        /// Where it should.
        socket: PathBuf,
    },
    /// It ended while it was needed.
    #[error("{role} has ended ({status}): serve ends too, start all again")]
    Ended {
        /// Which.
        role: Role,
        /// How.
        status: ExitStatus,
    },
    /// It is not known what became of it.
    #[error("{role} was lost: serve ends too, start all again")]
    Lost {
        /// Which.
        role: Role,
    },
}

/// A child just after its start, while this process has but one thread.
#[derive(Debug)]
pub(super) struct Child {
    role: Role,
    socket: PathBuf,
    process: Process,
    alive: ChildStdin,
}

/// Children, watched.
#[derive(Debug)]
pub(super) struct Children(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    role: Role,
    socket: PathBuf,
    alive: ChildStdin,
    /// Until it has been told; there is nothing to wait for then.
    ended: Option<oneshot::Receiver<io::Result<ExitStatus>>>,
}

impl Child {
    /// Starts `octroi ROLE --config FILE --attached` from this very binary, with no environment, as `account` where
    /// one is given: user, group, and no other group. It is to listen on `socket`.
    pub(super) fn start(role: Role, file: &Path, socket: &Path, account: Option<Account>) -> Result<Self, ChildError> {
        let program = std::env::current_exe().map_err(|cause| ChildError::Start { role, cause })?;
        let group = if role == Role::ZoneHost { needed_for(Path::new("/dev/kvm")) } else { None };
        let (mut command, account) = match (account, group) {
            (Some(account), Some(group)) => (as_member(&program, account, group), None),
            (account, _) => (Command::new(program), account),
        };
        command.args([role.command(), "--attached", "--config"]).arg(file);
        Self::spawn(role, command, socket, account)
    }

    fn spawn(role: Role, mut command: Command, socket: &Path, account: Option<Account>) -> Result<Self, ChildError> {
        command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        if let Some(account) = account {
            // The standard library leaves root's other groups before it changes the user.
            command.uid(account.user.as_raw()).gid(account.group.as_raw());
        }
        let mut process = command.spawn().map_err(|cause| ChildError::Start { role, cause })?;
        let alive = process.stdin.take().ok_or(ChildError::Lost { role })?;
        Ok(Self { role, socket: socket.to_owned(), process, alive })
    }

    /// Watches for its end, by a thread of its own.
    fn watch(self) -> Result<Watched, ChildError> {
        let Self { role, socket, mut process, alive } = self;
        let (tell, ended) = oneshot::channel();
        let watch = move || {
            // Nobody listens any more when serve is ending itself.
            let _ = tell.send(process.wait());
        };
        let thread = std::thread::Builder::new().name(role.command().to_owned()).spawn(watch);
        thread.map_err(|cause| ChildError::Start { role, cause })?;
        Ok(Watched { role, socket, alive, ended: Some(ended) })
    }
}

/// The group that opens a device to those who are neither its owner nor everybody.
fn needed_for(device: &Path) -> Option<u32> {
    let found = std::fs::metadata(device).ok()?;
    let mode = found.mode();
    (mode & 0o006 != 0o006 && mode & 0o060 == 0o060 && found.gid() != 0).then(|| found.gid())
}

/// A program that becomes `account` with one more group. The standard library knows of no more groups; util-linux does.
fn as_member(program: &Path, account: Account, group: u32) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.arg(format!("--reuid={}", account.user)).arg(format!("--regid={}", account.group));
    command.arg(format!("--groups={group}")).arg("--").arg(program);
    command
}

impl Children {
    /// Watches for their ends.
    pub(super) fn watch(children: Vec<Child>) -> Result<Self, ChildError> {
        Ok(Self(children.into_iter().map(Child::watch).collect::<Result<_, _>>()?))
    }

    /// Where they are to take connections.
    pub(super) fn sockets(&self) -> Vec<(Role, PathBuf)> {
        self.0.iter().map(|child| (child.role, child.socket.clone())).collect()
    }

    /// Why the first to end has ended; never, where there is none.
    pub(super) async fn ended(&mut self) -> ChildError {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let (error, _, _) = select_all(self.0.iter_mut().map(|child| Box::pin(child.ended()))).await;
        error
    }

    /// Tells them to end, and waits a while for that.
    pub(super) async fn end(self) {
        join_all(self.0.into_iter().map(Watched::end)).await;
    }
}

impl Watched {
    async fn ended(&mut self) -> ChildError {
        let role = self.role;
        let Some(ended) = &mut self.ended else { return ChildError::Lost { role } };
        let told = ended.await;
        self.ended = None;
        match told {
            Ok(Ok(status)) => ChildError::Ended { role, status },
            Ok(Err(_)) | Err(_) => ChildError::Lost { role },
        }
    }

    async fn end(self) {
        drop(self.alive);
        let Some(ended) = self.ended else { return };
        if timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("{} has not ended yet", self.role);
        }
    }
}

/// Waits until a child takes connections.
pub(super) async fn listening(role: Role, socket: &Path, patience: Duration) -> Result<(), ChildError> {
    let knock = async {
        while UnixStream::connect(socket).await.is_err() {
            sleep(BETWEEN_KNOCKS).await;
        }
    };
    timeout(patience, knock).await.map_err(|_| ChildError::Silent { role, socket: socket.to_owned() })
}

/// For a process started with `--attached`: resolves once serve has closed its end, or was killed.
///
/// # Errors
/// When there can be no thread to wait with.
pub async fn parent_gone() -> io::Result<()> {
    let (tell, gone) = oneshot::channel::<()>();
    let wait = move || {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        drop(tell);
    };
    std::thread::Builder::new().name("parent".to_owned()).spawn(wait)?;
    let _ = gone.await;
    Ok(())
}

/// For a child to start.
pub(super) const START: Duration = Duration::from_secs(10);
const BETWEEN_KNOCKS: Duration = Duration::from_millis(5);
const FAREWELL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn spawn(role: Role, program: &str) -> Result<Child, ChildError> {
        Child::spawn(role, Command::new(program), Path::new("/nowhere"), None)
    }

    #[tokio::test]
    async fn children_end_when_their_input_closes() {
        // `cat` reads its input to the end, as the gateway's own processes do.
        let children = [Role::Keys, Role::ZoneHost].map(|role| spawn(role, "/bin/cat").unwrap());
        let children = Children::watch(children.into()).unwrap();
        timeout(Duration::from_secs(4), children.end()).await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_dies_is_noticed() {
        let both = [spawn(Role::Keys, "/bin/cat").unwrap(), spawn(Role::ZoneHost, "/bin/false").unwrap()];
        let mut children = Children::watch(both.into()).unwrap();
        let error = children.ended().await;
        assert!(matches!(&error, ChildError::Ended { role: Role::ZoneHost, status } if status.code() == Some(1)));
        assert!(error.to_string().starts_with("the zone host has ended"), "{error}");
        // Once it is known to have ended, ending it is nothing.
        assert!(matches!(children.ended().await, ChildError::Lost { role: Role::ZoneHost }));
        children.end().await;
        assert!(matches!(spawn(Role::Keys, "/absent"), Err(ChildError::Start { role: Role::Keys, .. })));
    }

    #[tokio::test]
    async fn a_socket_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.sock");
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { listening(Role::Keys, &path, START).await }
        });
        sleep(Duration::from_millis(20)).await;
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_does_not_come_is_given_up() {
        let patience = Duration::from_millis(20);
        assert!(matches!(
            listening(Role::ZoneHost, Path::new("/nowhere/zone.sock"), patience).await,
            Err(ChildError::Silent { .. })
        ));
    }

    #[test]
    fn as_root_the_child_is_another_user_without_groups() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "test \"$(id -u) $(id -g) $(id -G)\" = '64802 64802 64802'"]);
        let account = crate::settings::UserSetting::Id(64_802).resolve().unwrap();
        let mut keys = Child::spawn(Role::Keys, command, Path::new("/nowhere"), Some(account)).unwrap();
        assert!(keys.process.wait().unwrap().success());
    }

    #[test]
    fn as_root_the_zone_host_gets_the_group_of_a_device_and_no_other() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("device");
        std::fs::write(&device, "").unwrap();
        let allow = |mode, group| {
            std::os::unix::fs::chown(&device, Some(0), Some(group)).unwrap();
            std::fs::set_permissions(&device, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            needed_for(&device)
        };
        assert_eq!([allow(0o666, 64_900), allow(0o600, 64_900), allow(0o660, 0)], [None; 3]);
        let group = allow(0o660, 64_900).unwrap();
        let account = crate::settings::UserSetting::Id(64_803).resolve().unwrap();
        let mut command = as_member(Path::new("/bin/sh"), account, group);
        command.args(["-c", "test \"$(id -u) $(id -g) $(id -G)\" = '64803 64803 64803 64900'"]);
        let mut host = Child::spawn(Role::ZoneHost, command, Path::new("/nowhere"), None).unwrap();
        assert!(host.process.wait().unwrap().success());
    }
}

//! The key process, as a child: started as its own user, told to end by its standard input closing. A signal could
//! not cross to another user once root is dropped, and a closed pipe also says that its parent was killed.

use std::{
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    net::UnixStream,
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::settings::Account;

/// Why there is no key process.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It cannot be started.
    #[error("cannot start the key process: {0}")]
    Start(#[source] io::Error),
    /// It does not listen.
    #[error("the key process does not listen on `{socket}`: see its own messages")]
    Silent {
        /// Where it should.
        socket: PathBuf,
    },
    /// It ended while it was needed.
    #[error("the key process has ended ({0}): serve ends too, start both again")]
    Ended(ExitStatus),
    /// It is not known what became of it.
    #[error("the key process was lost: serve ends too, start both again")]
    Lost,
}

/// The key process just after its start, while there is but one thread.
#[derive(Debug)]
pub(super) struct Keys {
    child: Child,
    alive: ChildStdin,
}

/// The key process, watched.
#[derive(Debug)]
pub(super) struct WatchedKeys {
    alive: ChildStdin,
    /// Until it has been told; there is nothing to wait for then.
    ended: Option<oneshot::Receiver<io::Result<ExitStatus>>>,
}

impl Keys {
    /// Starts `octroi keys --config FILE --attached` from this very binary, with no environment, as `account` where
    /// one is given: user, group, and no other group.
    pub(super) fn start(file: &Path, account: Option<Account>) -> Result<Self, ChildError> {
        let program = std::env::current_exe().map_err(ChildError::Start)?;
        let mut command = Command::new(program);
        command.args(["keys", "--attached", "--config"]).arg(file);
        Self::spawn(command, account)
    }

    fn spawn(mut command: Command, account: Option<Account>) -> Result<Self, ChildError> {
        command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        if let Some(account) = account {
            // The standard library leaves root's other groups before it changes the user.
            command.uid(account.user.as_raw()).gid(account.group.as_raw());
        }
        let mut child = command.spawn().map_err(ChildError::Start)?;
        let alive = child.stdin.take().ok_or(ChildError::Lost)?;
        Ok(Self { child, alive })
    }

    /// Watches for its end, by a thread of its own.
    pub(super) fn watch(self) -> Result<WatchedKeys, ChildError> {
        let Self { mut child, alive } = self;
        let (tell, ended) = oneshot::channel();
        let watch = move || {
            // Nobody listens any more when serve is ending itself.
            let _ = tell.send(child.wait());
        };
        std::thread::Builder::new().name("keys".to_owned()).spawn(watch).map_err(ChildError::Start)?;
        Ok(WatchedKeys { alive, ended: Some(ended) })
    }
}

impl WatchedKeys {
    /// Why it ended, once it has.
    pub(super) async fn ended(&mut self) -> ChildError {
        let Some(ended) = &mut self.ended else { return ChildError::Lost };
        let told = ended.await;
        self.ended = None;
        match told {
            Ok(Ok(status)) => ChildError::Ended(status),
            Ok(Err(_)) | Err(_) => ChildError::Lost,
        }
    }

    /// Tells it to end, and waits a while for that.
    pub(super) async fn end(self) {
        let Self { alive, ended } = self;
        drop(alive);
        let Some(ended) = ended else { return };
        if timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("the key process has not ended yet");
        }
    }
}

/// Waits until the key process takes connections.
pub(super) async fn listening(socket: &Path, patience: Duration) -> Result<(), ChildError> {
    let knock = async {
        while UnixStream::connect(socket).await.is_err() {
            sleep(BETWEEN_KNOCKS).await;
        }
    };
    timeout(patience, knock).await.map_err(|_| ChildError::Silent { socket: socket.to_owned() })
}

/// For the key process started with `--attached`: resolves once serve has closed its end, or was killed.
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

/// For the key process to start.
pub(super) const START: Duration = Duration::from_secs(10);
const BETWEEN_KNOCKS: Duration = Duration::from_millis(5);
const FAREWELL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_ends_when_its_input_closes() {
        // `cat` reads its input to the end, as the key process does.
        let keys = Keys::spawn(Command::new("/bin/cat"), None).unwrap().watch().unwrap();
        timeout(Duration::from_secs(4), keys.end()).await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_dies_is_noticed() {
        let mut keys = Keys::spawn(Command::new("/bin/false"), None).unwrap().watch().unwrap();
        assert!(matches!(keys.ended().await, ChildError::Ended(status) if status.code() == Some(1)));
        // Once it is known to have ended, ending it is nothing.
        assert!(matches!(keys.ended().await, ChildError::Lost));
        keys.end().await;
        assert!(matches!(Keys::spawn(Command::new("/absent"), None), Err(ChildError::Start(_))));
    }

    #[tokio::test]
    async fn a_socket_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.sock");
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { listening(&path, START).await }
        });
        sleep(Duration::from_millis(20)).await;
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_does_not_come_is_given_up() {
        let patience = Duration::from_millis(20);
        assert!(matches!(listening(Path::new("/nowhere/keys.sock"), patience).await, Err(ChildError::Silent { .. })));
    }

    #[test]
    fn as_root_the_child_is_another_user_without_groups() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "test \"$(id -u) $(id -g) $(id -G)\" = '64802 64802 64802'"]);
        let account = crate::settings::UserSetting::Id(64_802).resolve().unwrap();
        let mut keys = Keys::spawn(command, Some(account)).unwrap();
        assert!(keys.child.wait().unwrap().success());
    }
}

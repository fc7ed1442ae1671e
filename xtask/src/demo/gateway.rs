//! The demo's gateway: started, waited for, and stopped whatever happens.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::cast::Cast;
use crate::process;

/// A gateway that runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    log: PathBuf,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    /// It cannot be started, or waited for.
    #[error("the gateway cannot be started")]
    Start(#[source] io::Error),
    /// It ended.
    #[error("the gateway ended ({status}); the end of its log:\n{log}")]
    Ended { status: ExitStatus, log: String },
    /// It is not ready in time.
    #[error("the gateway was not ready within {} seconds; the end of its log:\n{log}", PATIENCE.as_secs())]
    NotReady { log: String },
    /// A file of it is unreadable.
    #[error("`{path}` cannot be read")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file of it makes no sense.
    #[error("`{path}` cannot be understood")]
    Settings {
        path: PathBuf,
        #[source]
        source: toml::de::Error,
    },
    /// The loopback listener has no address.
    #[error("`{path}` has no `listen.loopback.address`")]
    NoLoopback { path: PathBuf },
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Gateway {
    /// Starts it and waits until it says that it is ready.
    pub(super) fn start(cast: &Cast, command: &mut Command) -> Result<(Self, Duration), GatewayError> {
        let ready = format!("http://{}/ready", loopback(&cast.data().join("octroi.toml"))?);
        let log = cast.desk("serve.log");
        let file = File::create(&log).map_err(|source| GatewayError::File { path: log.clone(), source })?;
        let errors = file.try_clone().map_err(GatewayError::Start)?;
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().map_err(GatewayError::Start)?;
        let mut gateway = Self { child, log };
        loop {
            if let Some(status) = gateway.child.try_wait().map_err(GatewayError::Start)? {
                return Err(GatewayError::Ended { status, log: gateway.end_of_log() });
            }
            if process::succeeds(Command::new("curl").args(["--silent", "--fail", "--max-time", "1"]).arg(&ready)) {
                return Ok((gateway, begun.elapsed()));
            }
            if begun.elapsed() > PATIENCE {
                return Err(GatewayError::NotReady { log: gateway.end_of_log() });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Until someone stops it.
    pub(super) fn wait(mut self) -> Result<(), GatewayError> {
        let status = self.child.wait().map_err(GatewayError::Start)?;
        if status.success() { Ok(()) } else { Err(GatewayError::Ended { status, log: self.end_of_log() }) }
    }

    /// As a service manager would: SIGTERM, and time to drain.
    pub(super) fn stop(mut self) -> Result<(), GatewayError> {
        process::succeeds(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.child.try_wait().map_err(GatewayError::Start)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(GatewayError::Ended { status, log: self.end_of_log() }),
                None => thread::sleep(Duration::from_millis(50)),
            }
        }
        Err(GatewayError::NotReady { log: self.end_of_log() })
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Gateway {
    /// Nothing of the demo outlives it.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // SIGTERM first: killed outright, it could not stop the processes it started.
            process::succeeds(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
            thread::sleep(Duration::from_secs(1));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The address at which it tells of its health.
fn loopback(settings: &Path) -> Result<String, GatewayError> {
    let path = || settings.to_path_buf();
    let text = fs::read_to_string(settings).map_err(|source| GatewayError::File { path: path(), source })?;
    let table: toml::Table = toml::from_str(&text).map_err(|source| GatewayError::Settings { path: path(), source })?;
    let address = table.get("listen").and_then(|listen| listen.get("loopback")?.get("address")?.as_str());
    address.map(str::to_owned).ok_or_else(|| GatewayError::NoLoopback { path: path() })
}

//! The demo's gateway: started, waited for, and stopped whatever happens.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    cast::Cast,
    interrupt::{self, Interrupt},
};
use crate::process;

/// A gateway that runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    log: PathBuf,
    interrupt: Interrupt,
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
    /// It is not ready in time, or not gone in time.
    #[error("the gateway was not {what} within {} seconds; the end of its log:\n{log}", PATIENCE.as_secs())]
    Late { what: &'static str, log: String },
}

/// More than the gateway's own time to drain.
const PATIENCE: Duration = Duration::from_secs(30);

impl Gateway {
    /// Starts it and waits until it says that it is ready.
    pub(super) fn start(cast: &Cast, command: &mut Command) -> Result<(Self, Duration), GatewayError> {
        let ready = format!("{}/ready", cast.loopback_address());
        let log = cast.desk("serve.log");
        let file = File::create(&log).map_err(GatewayError::Start)?;
        let errors = file.try_clone().map_err(GatewayError::Start)?;
        // A group of its own: Ctrl-C reaches it through us, once.
        command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0);
        let begun = Instant::now();
        let child = command.spawn().map_err(GatewayError::Start)?;
        let interrupt = Interrupt::stops(child.id()).map_err(GatewayError::Start)?;
        let mut gateway = Self { child, log, interrupt };
        loop {
            if let Some(status) = gateway.ended()? {
                return Err(GatewayError::Ended { status, log: gateway.end_of_log() });
            }
            if process::succeeds(Command::new("curl").args(["-sf", "--max-time", "1"]).arg(&ready)) {
                return Ok((gateway, begun.elapsed()));
            }
            if begun.elapsed() > PATIENCE {
                return Err(GatewayError::Late { what: "ready", log: gateway.end_of_log() });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether someone wants the demo to end.
    pub(super) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Until someone stops it.
    pub(super) fn wait(mut self) -> Result<(), GatewayError> {
        let status = self.child.wait().map_err(GatewayError::Start)?;
        if status.success() { Ok(()) } else { Err(GatewayError::Ended { status, log: self.end_of_log() }) }
    }

    /// As a service manager would: SIGTERM, and time to drain.
    pub(super) fn stop(mut self) -> Result<(), GatewayError> {
        interrupt::terminate(self.child.id());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(GatewayError::Ended { status, log: self.end_of_log() }),
                None => thread::sleep(Duration::from_millis(50)),
            }
        }
        Err(GatewayError::Late { what: "gone", log: self.end_of_log() })
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, GatewayError> {
        self.child.try_wait().map_err(GatewayError::Start)
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Gateway {
    /// Nothing of the demo outlives it; the key process ends by itself when the gateway does.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            interrupt::terminate(self.child.id());
            thread::sleep(Duration::from_secs(1));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

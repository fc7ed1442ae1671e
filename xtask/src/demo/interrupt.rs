//! Ctrl-C, taken in an orderly way: the gateway is told to stop, and the demo ends when it has.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use nix::{
    sys::signal::{SigSet, Signal, kill},
    unistd::Pid,
};

/// Whether someone wants the demo to end.
#[derive(Debug, Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From here on a SIGINT or SIGTERM to this process stops `child` with a SIGTERM, and nothing else. To be called
    /// once the child runs, because a child inherits which signals are blocked, and by the only thread.
    pub(super) fn stops(child: u32) -> io::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
        signals.thread_block()?;
        let interrupt = Self(Arc::new(AtomicBool::new(false)));
        let told = interrupt.clone();
        let wait = move || {
            if signals.wait().is_ok() {
                told.0.store(true, Ordering::SeqCst);
                terminate(child);
            }
        };
        thread::Builder::new().name("interrupt".to_owned()).spawn(wait)?;
        Ok(interrupt)
    }

    /// Whether it happened.
    pub(super) fn happened(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// SIGTERM; a process that is gone already needs none.
pub(super) fn terminate(child: u32) {
    if let Ok(pid) = i32::try_from(child) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

//! What is written about the process's life, to standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{Log, LogFormat};

/// Sends what the process has to say to standard error. In a process that has a subscriber already, nothing happens.
pub fn install(settings: &Log) {
    // INVARIANT: parsing the settings has parsed the directives once before.
    let filter = EnvFilter::try_new(settings.level.as_str()).unwrap_or_default();
    let writer = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let installed = match settings.format {
        LogFormat::Text => writer.with_target(false).try_init(),
        LogFormat::Json => writer.json().flatten_event(true).try_init(),
    };
    // An embedder or a test has its own.
    drop(installed);
}

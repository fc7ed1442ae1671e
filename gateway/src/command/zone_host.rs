//! `octroi zone-host`: the process that makes zones.

use std::{path::PathBuf, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, keys::serve_uid};
use crate::{
    clock::SystemClock,
    harden::{close_inherited, harden},
    serve::{install_log, parent_gone},
    settings::Settings,
    zone_host,
};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The settings, `octroi.toml`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End when standard input closes: how `octroi serve` starts it
    #[arg(long, hide = true)]
    attached: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    close_inherited().map_err(CommandError::Runtime)?;
    let settings = Settings::load(&args.config)?;
    // While there is but one thread: some of what is given up, each thread gives up for itself.
    harden()?;
    install_log(&settings.log);
    let serve_uid = serve_uid(&settings, &settings.process.zone_user)?.as_raw();
    // Zones end with the thread that made them, so these threads are the runtime's own and stay.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let attached = args.attached;
    runtime.map_err(CommandError::Runtime)?.block_on(async {
        let mut told = signal(SignalKind::terminate()).map_err(CommandError::Runtime)?;
        let end = async move {
            tokio::select! {
                _ = told.recv() => {}
                _ = parent_gone(), if attached => {}
            }
        };
        Ok(zone_host::run(&settings.zone, serve_uid, Arc::new(SystemClock), end).await?)
    })
}

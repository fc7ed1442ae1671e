//! `octroi keys`: the key process.

use std::{path::PathBuf, sync::Arc};

use nix::unistd::Uid;
use tokio::signal::unix::{SignalKind, signal};

use super::CommandError;
use crate::{
    clock::SystemClock,
    harden::harden,
    keys,
    serve::{install_log, parent_gone},
    settings::{Settings, UserSetting},
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
    let settings = Settings::load(&args.config)?;
    // While there is but one thread: some of what is given up, each thread gives up for itself.
    harden()?;
    install_log(&settings.log);
    let folder = keys::Settings {
        folder: settings.keys.folder.clone(),
        authority_certificate: settings.tls.authority.clone(),
        socket: settings.keys.socket.clone(),
        serve_uid: serve_uid(&settings, &settings.process.keys_user)?.as_raw(),
        certificate_validity: settings.keys.certificate_days.get(),
        reference: settings.zone.reference.clone(),
    };
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
        Ok(keys::run(folder, Arc::new(SystemClock), end).await?)
    })
}

/// Who may call a process that is meant to run as `meant`: serve's user where root parted the two, else its own.
pub(super) fn serve_uid(settings: &Settings, meant: &UserSetting) -> Result<Uid, CommandError> {
    let own = Uid::effective();
    if meant.resolve().is_ok_and(|account| account.user == own) {
        return Ok(settings.process.serve_user.resolve().map_err(crate::serve::ServeError::from)?.user);
    }
    Ok(own)
}

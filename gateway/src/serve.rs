//! The life of `octroi serve`: from the settings to listeners that answer, and to an orderly end.
//!
//! ```text
//! settings -> start children -> drop root -> harden -> assemble -> bind -> ready -> drain -> close -> end children
//! ```
//! One thread until root is dropped, so that no thread keeps what the others gave up; a listener can only be bound
//! with the [`Unprivileged`] that dropping returns. Root, and whoever may change the configuration, is trusted.

mod child;
mod life;
mod log;
mod privilege;
mod signals;

use std::{
    error::Error,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::Router;
use futures::future::BoxFuture;

pub use child::{ChildError, Role, parent_gone};
pub use log::install as install_log;
pub use privilege::{PrivilegeError, Unprivileged};

use crate::{
    clock::SharedClock,
    harden::{HardenError, harden},
    listen::{loopback::RecorderInstalled, tls::TlsError},
    settings::{Process, Settings, SettingsError, UnknownAccount},
};

/// What the services are made from.
#[derive(Debug, Clone)]
pub struct Foundation {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The clock.
    pub clock: SharedClock,
}

/// What stands behind the listeners.
pub struct House {
    /// Behind the public listener; authentication included.
    pub public: Router,
    /// Behind the api listener; authentication included.
    pub api: Router,
    /// Closes what has to be closed, once nothing is in flight any more.
    pub close: BoxFuture<'static, ()>,
}

/// An error of the services, as it is told to who starts the gateway.
pub type AssembleError = Box<dyn Error + Send + Sync>;

/// Why the gateway does not start, or ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings are refused.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A user of the settings does not exist.
    #[error(transparent)]
    Account(#[from] UnknownAccount),
    /// Root could not be dropped.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// Memory could not be protected.
    #[error(transparent)]
    Harden(#[from] HardenError),
    /// A process of the gateway's own does not start, or has ended.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// There can be no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There can be no metrics.
    #[error(transparent)]
    Metrics(#[from] RecorderInstalled),
    /// The services cannot be built.
    #[error("cannot start: {0}")]
    Assemble(#[source] AssembleError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`): {cause}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// The setting that names it.
        key: &'static str,
        /// Why.
        cause: std::io::Error,
    },
    /// The machine does not give what every process needs.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Goes on as serve's user where root started this: for commands that work on serve's files while it is stopped, so
/// that what they make is serve's too.
///
/// # Errors
/// [`ServeError`] when the user does not exist, or root could not be dropped.
pub fn become_serve_user(settings: &Process) -> Result<Unprivileged, ServeError> {
    Ok(privilege::Standing::now(settings)?.drop_root()?)
}

/// Runs the gateway by the configuration `file` until it is told to stop. `assemble` builds the services; it runs
/// without root, hardened, on the runtime, with the processes that serve starts answering.
///
/// # Errors
/// [`ServeError`] when it does not start, or a process that it started ends under it.
pub fn run<A, F>(file: &Path, clock: SharedClock, assemble: A) -> Result<(), ServeError>
where
    A: FnOnce(Foundation) -> F,
    F: Future<Output = Result<House, AssembleError>>,
{
    let file: PathBuf = std::path::absolute(file)?;
    let settings = Settings::load(&file)?;
    settings.check_secrets(&file)?;
    log::install(&settings.log);
    let standing = privilege::Standing::now(&settings.process)?;
    let children = start_children(&settings, &file, &standing)?;
    let unprivileged = standing.drop_root()?;
    harden()?;
    let foundation = Foundation { settings: Arc::new(settings), clock };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let lived = runtime.block_on(life::live(&unprivileged, foundation, children, assemble));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    lived
}

/// Starts those that the settings leave to serve. Each ends by itself when this process does.
fn start_children(
    settings: &Settings,
    file: &Path,
    standing: &privilege::Standing,
) -> Result<Vec<child::Child>, ChildError> {
    let mut children = Vec::new();
    if settings.keys.start {
        children.push(child::Child::start(Role::Keys, file, &settings.keys.socket, standing.keys_account())?);
    }
    if settings.zone.start {
        children.push(child::Child::start(Role::ZoneHost, file, &settings.zone.socket, standing.zone_account())?);
    }
    Ok(children)
}

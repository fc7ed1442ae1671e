//! The zone host, as `octroi zone-host` runs it: its key, its socket, and the kinds of zone that the settings name.
//!
//! What it does stands in [`octroi_host::daemon`]. Runs as its own user, with neither keys nor data; its folder holds the
//! key that it signs launches with, made at the first start, and scratch, whose files have no names.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use octroi_attest::LaunchKey;
use octroi_host::{
    Clock, Image, ImageError, Pool, PoolError, PoolSettings,
    daemon::{self, Backends, Offer},
    lease::Backend,
    process::{self, Sandbox, SandboxError},
    queue::Bounds,
};
use tokio::net::UnixListener;
use zeroize::Zeroizing;

use crate::{
    clock::SharedClock,
    durable,
    keys::server::listen,
    secret_file::{self, SecretFileError},
    settings::Zone,
    zone::HOST_GRACE,
};

/// Why the zone host cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ZoneHostError {
    /// A folder of its own is missing and cannot be made.
    #[error("cannot make the folder `{}`: make it, and give it to the zone host's user", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The key cannot be read or made.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The key's file holds something else.
    #[error("`{}` is not a launch key: move it away, and approve the new one with `octroi zone approve`", .0.display())]
    NotAKey(PathBuf),
    /// No key can be made.
    #[error("the kernel gives no random numbers")]
    Random(#[from] getrandom::Error),
    /// The socket cannot be made.
    #[error("cannot listen on `{}`", path.display())]
    Listen {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

/// Gives zones to `serve_uid` until `shutdown`.
///
/// # Errors
/// [`ZoneHostError`].
pub async fn run(
    settings: &Zone,
    serve_uid: u32,
    clock: SharedClock,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ZoneHostError> {
    let scratch = settings.folder.join("scratch");
    for folder in [&settings.folder, &scratch] {
        durable::ensure_folder(folder).map_err(|cause| ZoneHostError::Folder { path: folder.clone(), cause })?;
    }
    let key = launch_key(&settings.folder.join("launch.key"))?;
    let listener = bind(&settings.socket)?;
    tracing::info!(socket = %settings.socket.display(), "zone-host: ready");
    let clock: Clock = Arc::new(move || clock.now());
    let backends = backends(settings, &clock);
    daemon::run(listener, of_daemon(settings, serve_uid, scratch), backends, key, clock, shutdown).await;
    tracing::info!("zone-host: ended");
    Ok(())
}

fn bind(socket: &Path) -> Result<UnixListener, ZoneHostError> {
    listen(socket).map_err(|cause| ZoneHostError::Listen { path: socket.to_owned(), cause })
}

/// The key that launches are signed with; a new one where there is none.
fn launch_key(path: &Path) -> Result<LaunchKey, ZoneHostError> {
    match secret_file::read(path) {
        Ok(bytes) => {
            let seed: Option<&[u8; 32]> = bytes.as_slice().try_into().ok();
            Ok(LaunchKey::from_bytes(seed.ok_or_else(|| ZoneHostError::NotAKey(path.to_owned()))?))
        }
        Err(error) if error.is_absent() => {
            let key = LaunchKey::generate()?;
            let bytes: Zeroizing<[u8; 32]> = key.to_bytes();
            secret_file::create(path, bytes.as_slice())?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}

fn of_daemon(settings: &Zone, serve_uid: u32, scratch: PathBuf) -> daemon::Settings {
    daemon::Settings {
        callers: vec![serve_uid, ROOT],
        scratch,
        most_scratch_bytes: settings.scratch_bytes.get(),
        most_wall: settings.query_seconds.get().max(settings.load_seconds.get()) + HOST_GRACE,
        at_once: settings.at_once.as_usize(),
        waiting: Bounds {
            total: settings.queue.as_usize(),
            per_organisation: settings.queue_per_organisation.as_usize(),
        },
    }
}

/// Begins to make what the settings name.
fn backends(settings: &Zone, clock: &Clock) -> Backends {
    let vm = if settings.backends.has(Backend::Vm) {
        let (settings, clock) = (settings.clone(), Arc::clone(clock));
        Offer::making("vm", move || vm(settings.clone(), Arc::clone(&clock)))
    } else {
        Offer::none()
    };
    let process = if settings.backends.has(Backend::Process) {
        let settings = settings.clone();
        Offer::making("process", move || process(settings.clone()))
    } else {
        Offer::none()
    };
    Backends { vm, process }
}

async fn vm(settings: Zone, clock: Clock) -> Result<Pool, VmError> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pool = PoolSettings {
        qemu: "/usr/bin/qemu-system-x86_64".into(),
        bubblewrap: "/usr/bin/bwrap".into(),
        user: nix::unistd::Uid::effective().as_raw(),
        accelerator: None,
        memory_mib: u32::try_from(settings.zone_bytes.get() >> 20).unwrap_or(u32::MAX),
        processors: u8::try_from(processors).unwrap_or(u8::MAX),
        waiting: settings.waiting.as_usize(),
        longest_wait: LONGEST_WAIT,
        danger_swap_in_clear: settings.swap,
        clock,
    };
    let folder = settings.image.clone();
    // Hundreds of megabytes are read and measured.
    let image = tokio::task::spawn_blocking(move || Image::open(folder)).await.map_err(io::Error::other);
    Ok(Pool::start(pool, image.map_err(VmError::System)??).await?)
}

/// Why there can be no virtual machines.
#[derive(Debug, thiserror::Error)]
enum VmError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("the image cannot be read")]
    System(#[source] io::Error),
}

async fn process(settings: Zone) -> Result<Sandbox, SandboxError> {
    let engine = settings.image.join("engine");
    Sandbox::new(&process::Settings { engine, memory_bytes: settings.zone_bytes.get() }).await
}

/// A clone's clock stands still while it waits.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// For `octroi zone`: root could become serve's user anyhow.
const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launch_key_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("launch.key");
        let first = launch_key(&path).unwrap();
        assert_eq!(launch_key(&path).unwrap().public(), first.public());
        secret_file::check(&path).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(launch_key(&path), Err(ZoneHostError::NotAKey(_))));
    }

    #[tokio::test]
    async fn without_an_image_it_answers_that_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Zone {
            socket: folder.path().join("zone.sock"),
            folder: folder.path().join("host"),
            image: folder.path().join("absent"),
            ..Zone::default()
        };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let uid = nix::unistd::Uid::effective().as_raw();
        let ask = async {
            let client = octroi_host::lease::Client::new(&settings.socket);
            let inspection = loop {
                if let Ok(inspection) = client.inspect().await {
                    break inspection;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            let key = launch_key(&settings.folder.join("launch.key")).unwrap().public();
            assert_eq!(inspection.host_key, key.as_bytes());
            stop.send(()).unwrap();
        };
        let end = async { stopped.await.unwrap() };
        let (ran, ()) = tokio::join!(run(&settings, uid, Arc::new(crate::clock::SystemClock), end), ask);
        ran.unwrap();
    }
}

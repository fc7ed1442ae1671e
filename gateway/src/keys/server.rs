//! The key process: answers over a Unix socket, to one user.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use octroi_attest::history::CommitError;
use octroi_proto::{
    ObjectVersion,
    wire::keys::{
        self as wire,
        key_service_server::{KeyService, KeyServiceServer},
    },
    wire::zone::SealedKeys,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    DataKey,
    authority::{Authority, AuthorityError, IssueError},
    launches::Launches,
    root::{RootKey, RootKeyError},
    store::{KeyError, KeyStore, history::RecordError, table::ColumnRefusal},
    zone::{self, ColumnKeys, Hiding, NewTableKeys, Release, ZoneRefusal},
};
use crate::{answer::Chain, clock::SharedClock};

/// Where the key process finds its things, and whom it answers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its folder: `root.key`, `authority.key`, and the key store.
    pub folder: PathBuf,
    /// The authority's certificate.
    pub authority_certificate: PathBuf,
    /// The socket to make; one that is there is replaced.
    pub socket: PathBuf,
    /// The user (uid) of `octroi serve`; nobody else is answered.
    pub serve_uid: u32,
    /// How long client certificates last.
    pub certificate_validity: Duration,
    /// The reference values: which zones may be given keys. Absent, none.
    pub reference: PathBuf,
}

/// Why the key process cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no root key to work with.
    #[error(transparent)]
    Root(#[from] RootKeyError),
    /// The key store cannot be opened.
    #[error(transparent)]
    Store(#[from] KeyError),
    /// There is no authority to work with.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The socket cannot be made.
    #[error("cannot listen on `{}`: {source}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The server failed.
    #[error("the key service failed")]
    Serve(#[from] tonic::transport::Error),
}

/// Answers until `shutdown`; then answers what was asked, and ends. For a process that is hardened already.
///
/// # Errors
/// [`RunError`] names the file and the reason.
pub async fn run(settings: Settings, clock: SharedClock, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let root = RootKey::load(&settings.folder.join("root.key"))?;
    let store = KeyStore::open(&settings.folder, root)?;
    let authority = Authority::load(&settings.folder.join("authority.key"), &settings.authority_certificate)?;
    let listener =
        listen(&settings.socket).map_err(|source| RunError::Listen { path: settings.socket.clone(), source })?;
    let certificate_validity = settings.certificate_validity;
    let launches = Launches::new(settings.reference, clock.now());
    let keys = Arc::new(Keys { store, authority, certificate_validity, launches, clock });
    let service = KeyServiceServer::new(Service { keys, at_once: Arc::new(Semaphore::new(AT_ONCE)) })
        .max_decoding_message_size(MOST_MESSAGE_BYTES);
    tracing::info!(socket = %settings.socket.display(), "keys: ready");
    tonic::transport::Server::builder()
        .timeout(ANSWER_WITHIN)
        .max_concurrent_streams(STREAMS)
        .add_service(service)
        .serve_with_incoming_shutdown(callers(listener, settings.serve_uid), shutdown)
        .await?;
    tracing::info!("keys: ended");
    Ok(())
}

/// Binds aside and renames, so that the socket appears at once, open to connections, in the place of a stale one.
/// Anyone may connect; who is answered is decided by [`callers`].
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&aside)?;
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o666))?;
    fs::rename(&aside, path)?;
    Ok(listener)
}

/// Connections of the one user (SO_PEERCRED); others are closed unanswered.
fn callers(listener: UnixListener, serve_uid: u32) -> impl Stream<Item = io::Result<UnixStream>> {
    stream::unfold(listener, move |listener| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == serve_uid) => {
                    return Some((Ok(stream), listener));
                }
                Ok(_) => tracing::warn!("keys: closed a connection of another user than serve's"),
                Err(error) => {
                    tracing::warn!(%error, "keys: cannot accept");
                    // Out of descriptors, most likely: trying again at once would not free any.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    })
}

struct Keys {
    store: KeyStore,
    authority: Authority,
    certificate_validity: Duration,
    launches: Launches,
    clock: SharedClock,
}

struct Service {
    keys: Arc<Keys>,
    at_once: Arc<Semaphore>,
}

impl Service {
    /// Runs blocking work, at most [`AT_ONCE`] at a time.
    async fn blocking<T, F>(&self, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce(&Keys) -> Result<T, Status> + Send + 'static,
    {
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| Status::unavailable("ending"))?;
        let keys = Arc::clone(&self.keys);
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&keys);
            drop(turn);
            done
        });
        done.await.map_err(|_| Status::internal("the key process failed"))?
    }
}

#[tonic::async_trait]
impl KeyService for Service {
    async fn create_data_key(
        &self,
        request: Request<wire::CreateDataKeyRequest>,
    ) -> Result<Response<wire::DataKey>, Status> {
        let object = object(request.into_inner().object)?;
        self.blocking(move |keys| keys.store.create(&object).map(answer).map_err(|error| refuse(&error))).await
    }

    async fn open_data_key(
        &self,
        request: Request<wire::OpenDataKeyRequest>,
    ) -> Result<Response<wire::DataKey>, Status> {
        let object = object(request.into_inner().object)?;
        self.blocking(move |keys| keys.store.open_key(&object).map(answer).map_err(|error| refuse(&error))).await
    }

    async fn destroy_data_key(
        &self,
        request: Request<wire::DestroyDataKeyRequest>,
    ) -> Result<Response<wire::DestroyDataKeyResponse>, Status> {
        let object = object(request.into_inner().object)?;
        self.blocking(move |keys| keys.store.destroy(&object).map_err(|error| refuse(&error))).await?;
        Ok(Response::new(wire::DestroyDataKeyResponse {}))
    }

    async fn get_ingest_key(
        &self,
        request: Request<wire::GetIngestKeyRequest>,
    ) -> Result<Response<wire::GetIngestKeyResponse>, Status> {
        let dataset = request.into_inner().dataset.parse().map_err(|_| malformed())?;
        let recipient =
            self.blocking(move |keys| keys.store.ingest_recipient(&dataset).map_err(|error| refuse(&error))).await?;
        Ok(Response::new(wire::GetIngestKeyResponse { recipient }))
    }

    async fn create_table_keys(
        &self,
        request: Request<wire::CreateTableKeysRequest>,
    ) -> Result<Response<SealedKeys>, Status> {
        let request = NewTableKeys::parse(request.into_inner()).ok_or_else(malformed)?;
        let sealed = self.blocking(move |keys| {
            zone::create(&keys.store, &keys.launches, request, keys.clock.now()).map_err(|error| refuse_zone(&error))
        });
        sealed.await.map(Response::new)
    }

    async fn seal_column_keys(
        &self,
        request: Request<wire::SealColumnKeysRequest>,
    ) -> Result<Response<SealedKeys>, Status> {
        let request = ColumnKeys::parse(request.into_inner()).ok_or_else(malformed)?;
        let sealed = self.blocking(move |keys| {
            zone::seal(&keys.store, &keys.launches, &request, keys.clock.now()).map_err(|error| refuse_zone(&error))
        });
        sealed.await.map(Response::new)
    }

    async fn commit_release(
        &self,
        request: Request<wire::CommitReleaseRequest>,
    ) -> Result<Response<wire::CommitReleaseResponse>, Status> {
        let request = Release::parse(request.into_inner()).ok_or_else(malformed)?;
        let committed = self.blocking(move |keys| {
            zone::record(&keys.store, &request).map(|it| it.to_wire()).map_err(|error| refuse_release(&request, &error))
        });
        committed.await.map(Response::new)
    }

    async fn hide_columns(
        &self,
        request: Request<wire::HideColumnsRequest>,
    ) -> Result<Response<wire::HideColumnsResponse>, Status> {
        let request = Hiding::parse(&request.into_inner()).ok_or_else(malformed)?;
        self.blocking(move |keys| zone::hide(&keys.store, &request).map_err(|error| refuse(&error))).await?;
        Ok(Response::new(wire::HideColumnsResponse {}))
    }

    async fn destroy_table_keys(
        &self,
        request: Request<wire::DestroyTableKeysRequest>,
    ) -> Result<Response<wire::DestroyTableKeysResponse>, Status> {
        let request = request.into_inner();
        let dataset = request.dataset.parse().map_err(|_| malformed())?;
        let file = request.file_id.as_slice().try_into().map_err(|_| malformed())?;
        let destroyed =
            self.blocking(move |keys| keys.store.destroy_table_keys(&dataset, file).map_err(|error| refuse(&error)));
        destroyed.await?;
        Ok(Response::new(wire::DestroyTableKeysResponse {}))
    }

    async fn issue_certificate(
        &self,
        request: Request<wire::IssueCertificateRequest>,
    ) -> Result<Response<wire::IssueCertificateResponse>, Status> {
        let request = request.into_inner();
        let principal = request.principal.parse().map_err(|_| malformed())?;
        let organisation = request.organisation.parse().map_err(|_| malformed())?;
        let issued = self.blocking(move |keys| {
            keys.authority
                .issue_client(
                    &request.certificate_request,
                    &principal,
                    &organisation,
                    keys.certificate_validity,
                    keys.clock.now(),
                )
                .map_err(|error| refuse_certificate(&error))
        });
        let issued = issued.await?;
        Ok(Response::new(wire::IssueCertificateResponse {
            certificate: issued.certificate,
            issuer: issued.issuer,
            expires: issued.expires.as_second(),
        }))
    }
}

fn object(wire: Option<wire::ObjectVersion>) -> Result<ObjectVersion, Status> {
    let wire = wire.ok_or_else(malformed)?;
    Ok(ObjectVersion {
        dataset: wire.dataset.parse().map_err(|_| malformed())?,
        uuid: Uuid::from_slice(&wire.uuid).map_err(|_| malformed())?,
        version_id: Uuid::from_slice(&wire.version_id).map_err(|_| malformed())?,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the key is erased here, once it is copied into its message")]
fn answer(key: DataKey) -> Response<wire::DataKey> {
    Response::new(wire::DataKey { key: key.expose().to_vec(), suites: key.suites().numbers().collect() })
}

/// The one caller is told the kind; the log is told the cause.
fn refuse(error: &KeyError) -> Status {
    match error {
        KeyError::Exists => Status::already_exists("there is a key already"),
        KeyError::Missing => Status::not_found("there is no key"),
        KeyError::Damaged { .. }
        | KeyError::OtherRoot { .. }
        | KeyError::Random
        | KeyError::File(_)
        | KeyError::Folder { .. } => {
            tracing::error!(%error, "keys: an operation failed");
            Status::internal("the key store failed: see the log of octroi keys")
        }
    }
}

fn refuse_zone(error: &ZoneRefusal) -> Status {
    match error {
        ZoneRefusal::Key(error) => refuse(error),
        ZoneRefusal::Launch(cause) => {
            tracing::warn!(cause = %Chain(cause), "keys: a zone was given no keys");
            Status::permission_denied(cause.to_string())
        }
        ZoneRefusal::Column(ColumnRefusal::Hidden) | ZoneRefusal::Rules => {
            tracing::warn!(cause = %error, "keys: a zone was given no keys");
            Status::permission_denied(error.to_string())
        }
        ZoneRefusal::Column(ColumnRefusal::Missing) => Status::not_found(error.to_string()),
        ZoneRefusal::Stanza => Status::invalid_argument(error.to_string()),
        ZoneRefusal::TooLong => Status::resource_exhausted(error.to_string()),
        ZoneRefusal::Seal(cause) => {
            tracing::error!(%cause, "keys: keys were not sealed");
            Status::internal("the keys were not sealed: see the log of octroi keys")
        }
    }
}

fn refuse_release(request: &Release, error: &RecordError) -> Status {
    match error {
        RecordError::Key(error) => refuse(error),
        RecordError::Commit(CommitError::Superseded) => Status::aborted(CommitError::Superseded.to_string()),
        RecordError::Commit(CommitError::Sealed) => {
            tracing::warn!(table = %request.table, cause = %error, "keys: a release was not recorded");
            Status::permission_denied(CommitError::Sealed.to_string())
        }
    }
}

fn refuse_certificate(error: &IssueError) -> Status {
    match error {
        IssueError::Request | IssueError::Possession | IssueError::Key => Status::invalid_argument(error.to_string()),
        IssueError::Name | IssueError::Ended | IssueError::Random | IssueError::Sign(_) => {
            tracing::error!(%error, "keys: a certificate was not issued");
            Status::internal("the authority failed: see the log of octroi keys")
        }
    }
}

fn malformed() -> Status {
    Status::invalid_argument("the request is malformed")
}

/// Blocking operations at a time; further ones wait.
const AT_ONCE: usize = 32;
const STREAMS: u32 = 256;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A question on many files of many columns: as much as a zone can be answered.
const MOST_MESSAGE_BYTES: usize = octroi_attest::frame::TO_ZONE;

#[cfg(test)]
pub(crate) mod tests {
    use tokio::{sync::oneshot, task::JoinHandle};

    use super::*;
    use crate::{
        clock::ManualClock,
        harden::harden,
        keys::client::{CallError, Client},
    };

    /// A key process in a folder of its own, in this process.
    pub(crate) struct Running {
        pub(crate) folder: tempfile::TempDir,
        pub(crate) client: Client,
        settings: Settings,
        stop: Option<oneshot::Sender<()>>,
        task: JoinHandle<Result<(), RunError>>,
    }

    impl Running {
        pub(crate) async fn start(serve_uid: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path();
            RootKey::create(&path.join("root.key")).unwrap();
            let now = ManualClock::at(1_790_000_000);
            Authority::create(
                &path.join("authority.key"),
                &path.join("ca.pem"),
                "Dijon",
                crate::clock::Clock::now(&*now),
            )
            .unwrap();
            let settings = Settings {
                folder: path.to_owned(),
                authority_certificate: path.join("ca.pem"),
                socket: path.join("keys.sock"),
                serve_uid,
                certificate_validity: Duration::from_secs(86_400),
                reference: path.join("approved.toml"),
            };
            let (stop, task) = spawn(&settings);
            Self { client: Client::new(&settings.socket), settings, folder, stop: Some(stop), task }
        }

        pub(crate) async fn restart(&mut self) {
            self.stop.take().unwrap().send(()).unwrap();
            (&mut self.task).await.unwrap().unwrap();
            let (stop, task) = spawn(&self.settings);
            (self.stop, self.task) = (Some(stop), task);
        }
    }

    fn spawn(settings: &Settings) -> (oneshot::Sender<()>, JoinHandle<Result<(), RunError>>) {
        let (stop, stopped) = oneshot::channel();
        let clock = ManualClock::at(1_790_000_000);
        let task = tokio::spawn(run(settings.clone(), clock, async {
            let _ = stopped.await;
        }));
        (stop, task)
    }

    fn version(uuid: u8) -> ObjectVersion {
        ObjectVersion {
            dataset: "capteurs".parse().unwrap(),
            uuid: Uuid::from_bytes([uuid; 16]),
            version_id: Uuid::from_bytes([9; 16]),
        }
    }

    pub(crate) fn me() -> u32 {
        nix::unistd::getuid().as_raw()
    }

    #[tokio::test]
    async fn keys_are_made_opened_and_destroyed_and_outlive_a_restart() {
        let mut running = Running::start(me()).await;
        let made = running.client.create(&version(1)).await.unwrap();
        assert!(matches!(running.client.create(&version(1)).await, Err(CallError::Exists)));
        running.restart().await;
        let opened = running.client.open(&version(1)).await.unwrap();
        assert_eq!(opened.expose(), made.expose());
        assert_eq!(opened.suites(), made.suites());
        running.client.destroy(&version(1)).await.unwrap();
        running.client.destroy(&version(1)).await.unwrap();
        assert!(matches!(running.client.open(&version(1)).await, Err(CallError::Missing)));
    }

    #[tokio::test]
    async fn another_user_gets_no_answer() {
        let running = Running::start(me() + 1).await;
        assert!(matches!(running.client.create(&version(1)).await, Err(CallError::Unavailable(_))));
        assert!(!running.folder.path().join("datasets/capteurs").exists());
    }

    #[tokio::test]
    async fn a_bad_certificate_request_is_told_apart_from_a_failure() {
        let running = Running::start(me()).await;
        let (principal, organisation) = ("voltaic-bot".parse().unwrap(), "voltaic-sas".parse().unwrap());
        let refused = running.client.issue_certificate(&principal, &organisation, vec![1, 2, 3]).await;
        assert!(matches!(refused, Err(CallError::CertificateRequest)));
        let pair = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&pair).unwrap().der().to_vec();
        let issued = running.client.issue_certificate(&principal, &organisation, request).await.unwrap();
        assert_eq!(issued.expires.as_second(), 1_790_000_000 + 86_400);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_root_key_that_others_can_read_stops_the_process() {
        let mut running = Running::start(me()).await;
        running.client.create(&version(1)).await.unwrap();
        let path = running.folder.path().join("root.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        running.stop.take().unwrap().send(()).unwrap();
        (&mut running.task).await.unwrap().unwrap();
        let (_stop, task) = spawn(&running.settings);
        assert!(matches!(task.await.unwrap(), Err(RunError::Root(RootKeyError::File(_)))));
    }

    /// The process that the next test kills, hardened as in earnest; nothing unless that test starts it.
    #[tokio::test]
    async fn a_process_to_be_killed() {
        let Some(folder) = std::env::var_os("OCTROI_TEST_KEYS").map(PathBuf::from) else { return };
        let settings = Settings {
            authority_certificate: folder.join("ca.pem"),
            socket: folder.join("keys.sock"),
            reference: folder.join("approved.toml"),
            folder,
            serve_uid: me(),
            certificate_validity: Duration::from_secs(86_400),
        };
        harden().unwrap();
        // Not for ever, should the test that started it be killed itself.
        let end = tokio::time::sleep(Duration::from_secs(60));
        run(settings, ManualClock::at(1_790_000_000), end).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_acknowledged_survives_sigkill() {
        let mut running = Running::start(me()).await;
        running.stop.take().unwrap().send(()).unwrap();
        (&mut running.task).await.unwrap().unwrap();
        let folder = running.folder.path().to_owned();
        let start = || {
            tokio::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "keys::server::tests::a_process_to_be_killed"])
                .env("OCTROI_TEST_KEYS", &folder)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        };
        let client = &running.client;
        let load = |writer: u8| async move {
            let mut acknowledged = Vec::new();
            for index in 0..40u8 {
                let version = ObjectVersion { version_id: Uuid::from_bytes([index; 16]), ..version(writer) };
                if let Ok(key) = client.create(&version).await {
                    acknowledged.push((version, key));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            acknowledged
        };
        let kill = async {
            for round in 0..10 {
                let mut process = start();
                tokio::time::sleep(Duration::from_millis(60 + 17 * round)).await;
                process.kill().await.unwrap();
            }
            start()
        };
        let (process, a, b, c) = tokio::join!(kill, load(1), load(2), load(3));
        let acknowledged: Vec<_> = [a, b, c].into_iter().flatten().collect();
        assert!(acknowledged.len() > 50, "{}", acknowledged.len());
        for (version, key) in &acknowledged {
            assert_eq!(client.open(version).await.unwrap().expose(), key.expose());
        }
        // What is under a name is whole, acknowledged or not.
        for index in 0..40 {
            let version = ObjectVersion { version_id: Uuid::from_bytes([index; 16]), ..version(1) };
            assert!(matches!(client.open(&version).await, Ok(_) | Err(CallError::Missing)));
        }
        drop(process);
    }
}

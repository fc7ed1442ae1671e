//! Where sealed bytes lie: a folder or a bucket. Names there are `<uuid>/<version id>`, which say nothing.
//!
//! What is acknowledged here is durable: object_store's local backend does not sync, so files and their folders are
//! synced here, after the write and before anyone is told of it.

use std::{
    fmt,
    fs::File,
    io::{self, Seek as _, SeekFrom},
    mem,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload,
    aws::AmazonS3Builder, local::LocalFileSystem, path::Path as StorePath,
};
use octroi_proto::ObjectVersion;
use ring::digest;
use serde::Deserialize;
use tokio::{io::AsyncReadExt as _, task::JoinHandle};
use tokio_util::io::ReaderStream;
use zeroize::Zeroize;

use super::seal::HEADER_BYTES;
use crate::{
    durable::sync_folder,
    secret_file::{self, SecretFileError},
    settings::{ObjectStoreSettings, S3},
};

/// The store of sealed bytes; clones share it.
#[derive(Clone)]
pub struct Backend {
    store: Arc<dyn ObjectStore>,
    /// The folder whose files must be synced; none for a bucket.
    folder: Option<PathBuf>,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The folder is not there.
    #[error("the object folder `{}` cannot be used: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The credentials cannot be read, or others can read them.
    #[error(transparent)]
    Credentials(#[from] SecretFileError),
    /// The credentials file holds something else.
    #[error("`{}` must be TOML with `access_key_id` and `secret_access_key`, and nothing else", path.display())]
    MalformedCredentials {
        /// The file.
        path: PathBuf,
    },
    /// The store's library refused the settings.
    #[error("the object store's settings are refused")]
    Refused(#[source] object_store::Error),
}

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// They are not there.
    #[error("the object store does not have the object")]
    Missing,
    /// The store failed.
    #[error("the object store failed")]
    Failed(#[source] object_store::Error),
    /// What was written could not be made durable, or read.
    #[error("the object folder failed")]
    Io(#[from] io::Error),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) { Self::Missing } else { Self::Failed(error) }
    }
}

/// An upload in progress. Holds at most two parts. Dropped, it leaves nothing that anyone can read.
pub(crate) struct Upload {
    backend: Backend,
    path: StorePath,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    parts: Option<Box<dyn MultipartUpload>>,
    begun: u32,
    in_flight: Option<JoinHandle<object_store::Result<()>>>,
    digest: digest::Context,
    length: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

impl Backend {
    /// Opens the store. Reaches for no network: a wrong bucket shows at the first request.
    ///
    /// # Errors
    /// [`BackendError`].
    pub fn open(settings: &ObjectStoreSettings) -> Result<Self, BackendError> {
        match settings {
            ObjectStoreSettings::Local { path } => {
                let unusable = |source| BackendError::Folder { path: path.clone(), source };
                let folder = path.canonicalize().map_err(unusable)?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(BackendError::Refused)?;
                Ok(Self { store: Arc::new(store.with_automatic_cleanup(true)), folder: Some(folder) })
            }
            ObjectStoreSettings::S3(s3) => Ok(Self { store: bucket(s3)?, folder: None }),
        }
    }

    pub(super) fn upload(&self, at: &ObjectVersion) -> Upload {
        self.upload_to(path(at))
    }

    /// An upload of a file that is no object's.
    pub(crate) fn upload_file(&self, path: &str) -> Upload {
        self.upload_to(StorePath::from(path))
    }

    fn upload_to(&self, path: StorePath) -> Upload {
        Upload {
            backend: self.clone(),
            path,
            gathered: Vec::new(),
            gathered_bytes: 0,
            parts: None,
            begun: 0,
            in_flight: None,
            digest: digest::Context::new(&digest::SHA256),
            length: 0,
        }
    }

    /// The first bytes of a version, as many as a header has or fewer if there are fewer; and how many there are in
    /// all.
    pub(super) async fn header(&self, at: &ObjectVersion) -> Result<(Bytes, u64), StoreError> {
        let path = path(at);
        let header = GetOptions { range: Some(GetRange::Bounded(0..HEADER_BYTES as u64)), ..GetOptions::default() };
        match self.store.get_opts(&path, header).await {
            Ok(found) => {
                let length = found.meta.size;
                let mut bytes = Vec::with_capacity(HEADER_BYTES);
                let mut pieces = stream(found)?;
                while let Some(piece) = pieces.try_next().await? {
                    // A store that sends more than it was asked for is not listened to.
                    bytes.extend_from_slice(piece.get(..HEADER_BYTES - bytes.len()).unwrap_or(&piece));
                    if bytes.len() == HEADER_BYTES {
                        break;
                    }
                }
                Ok((bytes.into(), length))
            }
            Err(error @ object_store::Error::NotFound { .. }) => Err(error.into()),
            // A range of nothing is an error of its own; that there is nothing is not the store's failure.
            Err(error) => match self.store.head(&path).await {
                Ok(meta) if meta.size == 0 => Ok((Bytes::new(), 0)),
                _ => Err(error.into()),
            },
        }
    }

    /// These bytes of a version, in pieces of at most 64 KiB from a folder, of the network's sizes from a bucket.
    pub(super) async fn read(
        &self,
        at: &ObjectVersion,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        stream(self.store.get_opts(&path(at), options).await?)
    }

    /// All bytes of a file that is no object's, in pieces as [`Self::read`] gives them.
    pub(crate) async fn read_file(
        &self,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        stream(self.store.get_opts(&StorePath::from(path), GetOptions::default()).await?)
    }

    /// Deletes a version's bytes. No error if there are none.
    pub(super) async fn delete(&self, at: &ObjectVersion) -> Result<(), StoreError> {
        self.delete_at(&path(at)).await
    }

    /// Deletes a file that is no object's. No error if there is none.
    pub(crate) async fn delete_file(&self, path: &str) -> Result<(), StoreError> {
        self.delete_at(&StorePath::from(path)).await
    }

    async fn delete_at(&self, path: &StorePath) -> Result<(), StoreError> {
        match self.store.delete(path).await.map_err(StoreError::from) {
            Err(StoreError::Missing) => Ok(()),
            done => done,
        }
    }

    /// Makes a file, its name and the names of the folders above it durable. A bucket's answer says so already.
    async fn sync(&self, path: &StorePath) -> Result<(), StoreError> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let file = folder.join(path.as_ref());
        let synced = tokio::task::spawn_blocking(move || {
            File::open(&file)?.sync_all()?;
            file.ancestors().skip(1).take_while(|it| it.starts_with(&folder)).try_for_each(sync_folder)
        });
        synced.await.map_err(io::Error::other)??;
        Ok(())
    }

    /// How much goes into this part. A bucket takes parts of 5 MiB and above, at most 10,000 of them: they grow, so
    /// that the largest object fits and small ones need little memory.
    fn part_bytes(&self, part: u32) -> usize {
        if self.folder.is_some() { 1 << 20 } else { (8 << 20) << (part / 1_000).min(9) }
    }
}

impl Upload {
    /// Takes the next sealed bytes; waits while the store is slower than they come.
    pub(crate) async fn write(&mut self, sealed: Bytes) -> Result<(), StoreError> {
        self.digest.update(&sealed);
        self.length += sealed.len() as u64;
        self.gathered_bytes += sealed.len();
        self.gathered.push(sealed);
        if self.gathered_bytes >= self.backend.part_bytes(self.begun) { self.send().await } else { Ok(()) }
    }

    /// Completes the upload; length and SHA-256 of the sealed bytes, which are durable.
    pub(crate) async fn finish(mut self) -> Result<(u64, [u8; 32]), StoreError> {
        if self.parts.is_none() {
            let all = PutPayload::from_iter(mem::take(&mut self.gathered));
            self.backend.store.put(&self.path, all).await?;
        } else {
            self.send().await?;
            self.settle().await?;
            if let Some(mut parts) = self.parts.take() {
                parts.complete().await?;
            }
        }
        self.backend.sync(&self.path).await?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.clone().finish().as_ref());
        Ok((self.length, sha256))
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        self.settle().await?;
        if self.gathered.is_empty() {
            return Ok(());
        }
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(self.backend.store.put_multipart(&self.path).await?),
        };
        self.gathered_bytes = 0;
        self.begun += 1;
        self.in_flight = Some(tokio::spawn(parts.put_part(PutPayload::from_iter(mem::take(&mut self.gathered)))));
        Ok(())
    }

    /// Waits for the part that is on its way.
    async fn settle(&mut self) -> Result<(), StoreError> {
        match self.in_flight.take() {
            Some(part) => Ok(part.await.map_err(io::Error::other)??),
            None => Ok(()),
        }
    }
}

/// A bucket keeps parts until they are given up.
impl Drop for Upload {
    fn drop(&mut self) {
        let (parts, in_flight) = (self.parts.take(), self.in_flight.take());
        if let (Some(mut parts), Ok(runtime)) = (parts, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if let Some(part) = in_flight {
                    let _ = part.await;
                }
                if let Err(error) = parts.abort().await {
                    tracing::warn!(%error, "an upload's parts could not be given up");
                }
            });
        }
    }
}

/// From a folder, files are read in larger pieces than object_store would.
fn stream(found: GetResult) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
    let range = found.range.clone();
    match found.payload {
        GetResultPayload::File(mut file, _) => {
            file.seek(SeekFrom::Start(range.start))?;
            let part = tokio::fs::File::from_std(file).take(range.end - range.start);
            Ok(ReaderStream::with_capacity(part, 64 * 1024).map_err(StoreError::from).boxed())
        }
        GetResultPayload::Stream(stream) => Ok(stream.map_err(StoreError::from).boxed()),
    }
}

fn path(at: &ObjectVersion) -> StorePath {
    StorePath::from_iter([at.uuid.to_string(), at.version_id.to_string()])
}

fn credentials(path: &Path) -> Result<Credentials, BackendError> {
    let bytes = secret_file::read(path)?;
    let text = std::str::from_utf8(&bytes).ok();
    text.and_then(|text| toml::from_str(text).ok())
        .ok_or_else(|| BackendError::MalformedCredentials { path: path.to_owned() })
}

fn bucket(settings: &S3) -> Result<Arc<dyn ObjectStore>, BackendError> {
    let mut credentials = credentials(&settings.credentials)?;
    let store = AmazonS3Builder::new()
        .with_endpoint(settings.endpoint.as_str())
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_access_key_id(mem::take(&mut credentials.access_key_id))
        .with_secret_access_key(mem::take(&mut credentials.secret_access_key))
        .with_virtual_hosted_style_request(settings.virtual_hosted)
        // A `FetchUrl` is plain on loopback only.
        .with_allow_http(settings.endpoint.as_str().starts_with("http:"))
        .build();
    Ok(Arc::new(store.map_err(BackendError::Refused)?))
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.access_key_id.zeroize();
        self.secret_access_key.zeroize();
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("store", &self.store.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use uuid::Uuid;

    use super::*;

    fn at() -> ObjectVersion {
        ObjectVersion {
            dataset: "capteurs".parse().unwrap(),
            uuid: Uuid::from_bytes([1; 16]),
            version_id: Uuid::from_bytes([2; 16]),
        }
    }

    #[tokio::test]
    async fn bytes_are_under_names_that_say_nothing_and_absent_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::open(&ObjectStoreSettings::Local { path: folder.path().into() }).unwrap();
        let file = folder.path().join(at().uuid.to_string()).join(at().version_id.to_string());
        let mut upload = backend.upload(&at());
        for _ in 0..40 {
            upload.write(Bytes::from(vec![7; 100_000])).await.unwrap();
            assert!(!file.exists());
        }
        let (length, sha256) = upload.finish().await.unwrap();
        let stored = fs::read(&file).unwrap();
        assert_eq!((length, stored.len()), (4_000_000, 4_000_000));
        assert_eq!(digest::digest(&digest::SHA256, &stored).as_ref(), sha256);
        let range: Vec<Bytes> = backend.read(&at(), 3_999_990..4_000_000).await.unwrap().try_collect().await.unwrap();
        assert_eq!(range.concat(), [7; 10]);
        assert_eq!(backend.header(&at()).await.unwrap().1, 4_000_000);
        backend.delete(&at()).await.unwrap();
        backend.delete(&at()).await.unwrap();
        assert!(!file.parent().unwrap().exists());
        assert!(matches!(backend.header(&at()).await, Err(StoreError::Missing)));
    }

    #[test]
    fn settings_that_would_leak_or_fail_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = |settings| Backend::open(&settings).err();
        let none = open(ObjectStoreSettings::Local { path: folder.path().join("none") });
        assert!(matches!(none, Some(BackendError::Folder { .. })));
        let file = folder.path().join("s3.toml");
        fs::write(&file, "access_key_id = 'a'\nsecret_access_key = 'b'").unwrap();
        let s3 = |endpoint: &str| {
            ObjectStoreSettings::S3(S3 {
                endpoint: endpoint.parse().unwrap(),
                bucket: "b".into(),
                region: "r".into(),
                credentials: file.clone(),
                virtual_hosted: false,
            })
        };
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open(s3("https://s3.example.org")), Some(BackendError::Credentials(_))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(open(s3("https://s3.example.org")).is_none());
        assert!(open(s3("http://127.0.0.1:9000")).is_none());
        fs::write(&file, "access_key_id = 'a'").unwrap();
        let malformed = open(s3("https://s3.example.org"));
        assert!(matches!(malformed, Some(BackendError::MalformedCredentials { .. })));
    }
}

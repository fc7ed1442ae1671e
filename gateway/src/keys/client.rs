//! What `octroi serve` uses of the key process.

use std::{path::Path, time::Duration};

use hyper_util::rt::TokioIo;
use octroi_attest::FileId;
use octroi_proto::{
    DatasetId, Instant, ObjectVersion, OrganisationId, PrincipalName,
    wire::keys::{self as wire, key_service_client::KeyServiceClient},
    wire::zone::SealedKeys,
};
use secrecy::SecretBox;
use tokio::{net::UnixStream, time};
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};
use zeroize::Zeroize as _;

use super::{ColumnKeys, Committed, DataKey, Hiding, NewTableKeys, Release, Suites, authority::Issued};

/// A handle on the key process; clones share one connection, made when it is first needed and again when it is
/// lost.
#[derive(Debug, Clone)]
pub struct Client {
    service: KeyServiceClient<Channel>,
}

/// Why the key process did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The object version has a data key already.
    #[error("the object version has a data key already")]
    Exists,
    /// The object version has no data key, or it was destroyed.
    #[error("the object version has no data key, or it was destroyed")]
    Missing,
    /// The certificate request is not one, does not show possession of its key, or holds a key we do not certify.
    #[error(
        "the certificate request must be PKCS#10 in DER, signed by its own key: ECDSA P-256 or P-384, Ed25519, or RSA of at least 2048 bits"
    )]
    CertificateRequest,
    /// The answer makes no sense.
    #[error("the key process gave a malformed answer: are both of one version?")]
    Malformed,
    /// The key process cannot be reached, or failed.
    #[error("the key process cannot be reached or failed: see its log")]
    Unavailable(#[source] Box<Status>),
}

/// Why a zone was not given keys.
#[derive(Debug, thiserror::Error)]
pub enum ZoneKeyError {
    /// The launch is not approved, was given keys before, a column is hidden, or a table is declared otherwise than its
    /// load was.
    #[error("the key process refused the zone: {}", .0.message())]
    Denied(#[source] Box<Status>),
    /// The file has keys already.
    #[error("the file has keys already")]
    Exists,
    /// A file or column has no key, or it was destroyed.
    #[error("a file or column has no key, or it was destroyed")]
    Missing,
    /// No stanza is for the dataset's ingest key.
    #[error("the rows are not sealed to the dataset's ingest key")]
    Stanza,
    /// More keys than a zone can be sent.
    #[error("the keys asked for are too many: ask for fewer columns or files")]
    TooMany,
    /// The key process cannot be reached, or failed.
    #[error("the key process cannot be reached or failed: see its log")]
    Unavailable(#[source] Box<Status>),
}

/// Why a release was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Another release of the same rows came first.
    #[error("another release of the same rows came first")]
    Superseded,
    /// No zone sealed it.
    #[error("the key process refused the release: {}", .0.message())]
    Denied(#[source] Box<Status>),
    /// The answer makes no sense.
    #[error("the key process gave a malformed answer: are both of one version?")]
    Malformed,
    /// The key process cannot be reached, or failed: it may have recorded the release.
    #[error("the key process cannot be reached or failed: see its log")]
    Unavailable(#[source] Box<Status>),
}

impl Client {
    /// A client for this socket. Connects when it is first used.
    pub fn new(socket: &Path) -> Self {
        let path = socket.to_owned();
        let connect = tower::service_fn(move |_: http::Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        // The name is never resolved: the connector goes to the socket.
        let channel = Endpoint::from_static("http://keys.octroi.internal").connect_with_connector_lazy(connect);
        Self { service: KeyServiceClient::new(channel).max_decoding_message_size(MOST_MESSAGE_BYTES) }
    }

    /// Makes the data key of a new object version. It is durable when this returns.
    ///
    /// # Errors
    /// [`CallError::Exists`], [`CallError::Unavailable`].
    pub async fn create(&self, object: &ObjectVersion) -> Result<DataKey, CallError> {
        let object = Some(wired(object));
        let call = |mut service: KeyServiceClient<Channel>, again| {
            let object = object.clone();
            async move {
                match service.create_data_key(wire::CreateDataKeyRequest { object: object.clone() }).await {
                    // Version ids are never reused, so it is ours: made by the attempt whose answer was lost.
                    Err(status) if again && status.code() == Code::AlreadyExists => {
                        service.open_data_key(wire::OpenDataKeyRequest { object }).await
                    }
                    answer => answer,
                }
            }
        };
        self.call(call).await.and_then(data_key)
    }

    /// The data key of an object version.
    ///
    /// # Errors
    /// [`CallError::Missing`], [`CallError::Unavailable`].
    pub async fn open(&self, object: &ObjectVersion) -> Result<DataKey, CallError> {
        let request = wire::OpenDataKeyRequest { object: Some(wired(object)) };
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.clone();
            async move { service.open_data_key(request).await }
        };
        self.call(call).await.and_then(data_key)
    }

    /// Destroys the data key of an object version, for good. No error if there is none.
    ///
    /// # Errors
    /// [`CallError::Unavailable`]: it may still be there; try again.
    pub async fn destroy(&self, object: &ObjectVersion) -> Result<(), CallError> {
        let request = wire::DestroyDataKeyRequest { object: Some(wired(object)) };
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.clone();
            async move { service.destroy_data_key(request).await }
        };
        self.call(call).await.map(|_| ())
    }

    /// Has the gateway's authority certify the key of a PKCS#10 request (DER) for a principal.
    ///
    /// # Errors
    /// [`CallError::CertificateRequest`], [`CallError::Unavailable`].
    pub async fn issue_certificate(
        &self,
        principal: &PrincipalName,
        organisation: &OrganisationId,
        certificate_request: Vec<u8>,
    ) -> Result<Issued, CallError> {
        let request = wire::IssueCertificateRequest {
            principal: principal.to_string(),
            organisation: organisation.to_string(),
            certificate_request,
        };
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.clone();
            async move { service.issue_certificate(request).await }
        };
        let answer = self.call::<_, CallError, _>(call).await?;
        let expires = Instant::from_second(answer.expires).map_err(|_| CallError::Malformed)?;
        Ok(Issued { certificate: answer.certificate, issuer: answer.issuer, expires })
    }

    /// The recipient that rows for this dataset are sealed to (`age1...`); its key is made at the first call.
    ///
    /// # Errors
    /// [`CallError::Unavailable`].
    pub async fn ingest_key(&self, dataset: &DatasetId) -> Result<String, CallError> {
        let request = wire::GetIngestKeyRequest { dataset: dataset.to_string() };
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.clone();
            async move { service.get_ingest_key(request).await }
        };
        self.call(call).await.map(|answer| answer.recipient)
    }

    /// Makes the keys of a table's file and seals them, and what opens the steward's rows, to a launch. Once per
    /// launch: an answer that is lost on the way is lost for good, and the load with it.
    ///
    /// # Errors
    /// [`ZoneKeyError`].
    pub async fn create_table_keys(&self, request: &NewTableKeys) -> Result<SealedKeys, ZoneKeyError> {
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.to_wire();
            async move { service.create_table_keys(request).await }
        };
        self.call(call).await
    }

    /// Seals keys of columns to a launch. Once per launch, as for a load.
    ///
    /// # Errors
    /// [`ZoneKeyError`].
    pub async fn seal_column_keys(&self, request: &ColumnKeys) -> Result<SealedKeys, ZoneKeyError> {
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.to_wire();
            async move { service.seal_column_keys(request).await }
        };
        self.call(call).await
    }

    /// Has a release recorded. Asked again with the same one, before another is recorded, it answers the same.
    ///
    /// # Errors
    /// [`ReleaseError`]. Only after [`ReleaseError::Superseded`] and [`ReleaseError::Denied`] it is not recorded for sure.
    pub async fn commit_release(&self, release: &Release) -> Result<Committed, ReleaseError> {
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = release.to_wire();
            async move { service.commit_release(request).await }
        };
        self.call(call).await.and_then(|answer| Committed::parse(answer).ok_or(ReleaseError::Malformed))
    }

    /// Sees to it that these columns' keys are given to no question any more, for good. No error if it is so already.
    ///
    /// # Errors
    /// [`CallError::Unavailable`]: they may still be given; try again.
    pub async fn hide_columns(&self, hiding: &Hiding) -> Result<(), CallError> {
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = hiding.to_wire();
            async move { service.hide_columns(request).await }
        };
        self.call(call).await.map(|_| ())
    }

    /// Destroys the keys of a table's file, for good. No error if there are none.
    ///
    /// # Errors
    /// [`CallError::Unavailable`]: they may still be there; try again.
    pub async fn destroy_table_keys(&self, dataset: &DatasetId, file: FileId) -> Result<(), CallError> {
        let request = wire::DestroyTableKeysRequest { dataset: dataset.to_string(), file_id: file.as_bytes().to_vec() };
        let call = |mut service: KeyServiceClient<Channel>, _| {
            let request = request.clone();
            async move { service.destroy_table_keys(request).await }
        };
        self.call(call).await.map(|_| ())
    }

    /// Asks, and asks again for about a second while the key process cannot be reached: it may be starting. `ask` is
    /// told whether it was asked before.
    async fn call<T, E, F>(&self, mut ask: impl FnMut(KeyServiceClient<Channel>, bool) -> F) -> Result<T, E>
    where
        E: From<Status>,
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let again = pause > FIRST_PAUSE;
            let answer = time::timeout(ANSWER_WITHIN, ask(self.service.clone(), again)).await;
            match answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer"))) {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if passes(&status) && pause < LAST_PAUSE => {
                    time::sleep(pause).await;
                    pause *= 2;
                }
                Err(status) => return Err(status.into()),
            }
        }
    }
}

/// Whether it is about the connection, not about what was asked. A connection that breaks under a call is reported
/// as unknown or cancelled.
fn passes(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other codes are all failures")]
        match status.code() {
            Code::AlreadyExists => Self::Exists,
            Code::NotFound => Self::Missing,
            Code::InvalidArgument => Self::CertificateRequest,
            _ => Self::Unavailable(Box::new(status)),
        }
    }
}

impl From<Status> for ZoneKeyError {
    fn from(status: Status) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other codes are all failures")]
        match status.code() {
            Code::PermissionDenied => Self::Denied(Box::new(status)),
            Code::AlreadyExists => Self::Exists,
            Code::NotFound => Self::Missing,
            Code::InvalidArgument => Self::Stanza,
            Code::ResourceExhausted => Self::TooMany,
            _ => Self::Unavailable(Box::new(status)),
        }
    }
}

impl From<Status> for ReleaseError {
    fn from(status: Status) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other codes are all failures")]
        match status.code() {
            Code::Aborted => Self::Superseded,
            Code::PermissionDenied | Code::InvalidArgument => Self::Denied(Box::new(status)),
            _ => Self::Unavailable(Box::new(status)),
        }
    }
}

fn wired(object: &ObjectVersion) -> wire::ObjectVersion {
    wire::ObjectVersion {
        dataset: object.dataset.to_string(),
        uuid: object.uuid.as_bytes().to_vec(),
        version_id: object.version_id.as_bytes().to_vec(),
    }
}

/// Takes the key out of its message and erases the message. What tonic buffered of it is not ours to erase.
fn data_key(mut answer: wire::DataKey) -> Result<DataKey, CallError> {
    let key = <[u8; 32]>::try_from(answer.key.as_slice()).map(|key| SecretBox::new(Box::new(key)));
    answer.key.zeroize();
    Ok(DataKey::new(key.map_err(|_| CallError::Malformed)?, Suites::from_numbers(answer.suites)))
}

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// 20, 40, ... 640 ms: 1.3 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(1_280);
/// What a zone can be sent bounds what is sealed to it.
const MOST_MESSAGE_BYTES: usize = octroi_attest::frame::TO_ZONE;

//! What `octroi serve` uses of the key process.

use std::{path::Path, time::Duration};

use hyper_util::rt::TokioIo;
use octroi_proto::{
    Instant, ObjectVersion, OrganisationId, PrincipalName,
    wire::keys::{self as wire, key_service_client::KeyServiceClient},
};
use secrecy::SecretBox;
use tokio::{net::UnixStream, time};
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};
use zeroize::Zeroize as _;

use super::{DataKey, Suites, authority::Issued};

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
        let answer = self.call(call).await?;
        let expires = Instant::from_second(answer.expires).map_err(|_| CallError::Malformed)?;
        Ok(Issued { certificate: answer.certificate, issuer: answer.issuer, expires })
    }

    /// Asks, and asks again for about a second while the key process cannot be reached: it may be starting. `ask` is
    /// told whether it was asked before.
    async fn call<T, F>(&self, mut ask: impl FnMut(KeyServiceClient<Channel>, bool) -> F) -> Result<T, CallError>
    where
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
const MOST_MESSAGE_BYTES: usize = 64 * 1024;

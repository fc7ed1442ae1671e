//! From a profile to the gateway's services.

use std::{fs, path::Path, time::Duration};

use octroi_proto::wire::v1::{
    access_service_client::AccessServiceClient, catalogue_service_client::CatalogueServiceClient,
    dataset_service_client::DatasetServiceClient, evidence_service_client::EvidenceServiceClient,
    object_service_client::ObjectServiceClient, principal_service_client::PrincipalServiceClient,
    query_service_client::QueryServiceClient, release_service_client::ReleaseServiceClient,
    table_service_client::TableServiceClient,
};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    CommandError,
    profile::{Profile, ProfileCredential},
};
use crate::secret_file;

/// A channel that adds the profile's token, if it has one.
pub(crate) type Wire = InterceptedService<Channel, Bearer>;

/// Adds a bearer token to every call.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<tonic::metadata::Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// The gateway, as this profile reaches it. Connects at the first call.
pub(crate) struct Connection {
    profile: Profile,
    wire: Wire,
}

impl Connection {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, CommandError> {
        let profile = Profile::load(path.ok_or(CommandError::NoProfile)?)?;
        let tls = |error: tonic::transport::Error| CommandError::Tls(error.into());
        let endpoint = Endpoint::from_shared(profile.endpoint.as_str().to_owned())
            .map_err(tls)?
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .tls_config(tls_config(&profile)?)
            .map_err(tls)?;
        let bearer = Bearer(token(&profile)?);
        Ok(Self { wire: InterceptedService::new(endpoint.connect_lazy(), bearer), profile })
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) fn datasets(&self) -> DatasetServiceClient<Wire> {
        DatasetServiceClient::new(self.wire.clone())
    }

    pub(crate) fn catalogue(&self) -> CatalogueServiceClient<Wire> {
        CatalogueServiceClient::new(self.wire.clone())
    }

    pub(crate) fn principals(&self) -> PrincipalServiceClient<Wire> {
        PrincipalServiceClient::new(self.wire.clone())
    }

    pub(crate) fn access(&self) -> AccessServiceClient<Wire> {
        AccessServiceClient::new(self.wire.clone())
    }

    pub(crate) fn tables(&self) -> TableServiceClient<Wire> {
        TableServiceClient::new(self.wire.clone())
    }

    pub(crate) fn releases(&self) -> ReleaseServiceClient<Wire> {
        ReleaseServiceClient::new(self.wire.clone())
    }

    pub(crate) fn objects(&self) -> ObjectServiceClient<Wire> {
        ObjectServiceClient::new(self.wire.clone())
    }

    pub(crate) fn evidence(&self) -> EvidenceServiceClient<Wire> {
        EvidenceServiceClient::new(self.wire.clone())
    }

    pub(crate) fn queries(&self) -> QueryServiceClient<Wire> {
        QueryServiceClient::new(self.wire.clone()).max_decoding_message_size(MOST_ANSWER)
    }

    /// A file of the public listener, at most 1 MiB; `None` when there is none.
    pub(crate) async fn public(&self, path: &str) -> Result<Option<Vec<u8>>, CommandError> {
        let url = self.profile.public.join(path);
        let unreachable =
            |source: reqwest::Error| CommandError::Unreachable { endpoint: url.clone(), source: source.into() };
        let ca = reqwest::Certificate::from_pem(&read(&self.profile.ca)?)
            .map_err(|error| CommandError::Tls(error.into()))?;
        let client = reqwest::Client::builder()
            .use_rustls_tls()
            .tls_built_in_root_certs(false)
            .add_root_certificate(ca)
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| CommandError::Tls(error.into()))?;
        let mut response = client.get(&url).send().await.map_err(unreachable)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        response.error_for_status_ref().map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > 1 << 20 {
                return Err(CommandError::Nonsense);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|source| CommandError::File { doing: "read", path: path.to_owned(), source })
}

fn tls_config(profile: &Profile) -> Result<ClientTlsConfig, CommandError> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&profile.ca)?));
    if let ProfileCredential::Certificate { certificate, key } = &profile.credential {
        tls = tls.identity(Identity::from_pem(read(certificate)?, &*secret_file::read(key)?));
    }
    Ok(tls)
}

fn token(profile: &Profile) -> Result<Option<MetadataValue<tonic::metadata::Ascii>>, CommandError> {
    let ProfileCredential::TokenFile(path) = &profile.credential else { return Ok(None) };
    let token = SecretString::from(String::from_utf8_lossy(&secret_file::read(path)?).trim().to_owned());
    let header = MetadataValue::try_from(format!("Bearer {}", token.expose_secret()));
    let mut header = header.map_err(|_| CommandError::Malformed {
        path: path.clone(),
        what: "a token file",
        problem: "a token is one line of visible ASCII".to_owned(),
    })?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// Every page of a list: `fetch` takes a page token and returns the items with the token of the next page.
pub(crate) async fn every<T>(
    mut fetch: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Status>,
) -> Result<Vec<T>, CommandError> {
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let (page, next) = fetch(token).await?;
        items.extend(page);
        if next.is_empty() {
            return Ok(items);
        }
        token = next;
    }
}

/// The largest answer to a question: 11 MiB, padded to a power of two, with room for its frame.
const MOST_ANSWER: usize = 33 << 20;
/// The most items a page may hold.
pub(crate) const PAGE: u32 = 1_000;

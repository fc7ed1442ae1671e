//! `[objects]`: where sealed objects lie.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Bytes, FetchUrl};

/// Where sealed objects lie and how large they may be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Objects {
    /// The store.
    pub store: ObjectStoreSettings,
    /// Plaintext per sealed chunk.
    pub chunk_bytes: Bytes<4096, 1_048_576>,
    /// The largest object accepted.
    pub max_object_bytes: Bytes<1, 1_125_899_906_842_624>,
}

/// The kinds of store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectStoreSettings {
    /// A folder of this machine.
    Local {
        /// The folder.
        path: PathBuf,
    },
    /// A bucket behind an S3 endpoint.
    S3(S3),
}

/// A bucket behind an S3 endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// The endpoint.
    pub endpoint: FetchUrl,
    /// The bucket.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// A secret file, TOML: `access_key_id` and `secret_access_key`.
    pub credentials: PathBuf,
    /// Whether the bucket stands in the host name rather than in the path.
    pub virtual_hosted: bool,
}

/// A store that lacks something, or has something of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum InvalidObjects {
    #[error("`{0}` is missing: `kind = \"s3\"` needs `endpoint`, `bucket` and `credentials`")]
    Missing(&'static str),
    #[error("`{0}` does not belong to `kind = \"{1}\"`: remove it")]
    Misplaced(&'static str, &'static str),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Local,
    S3,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    kind: Kind,
    path: Option<PathBuf>,
    endpoint: Option<FetchUrl>,
    bucket: Option<String>,
    region: Option<String>,
    credentials: Option<PathBuf>,
    virtual_hosted: Option<bool>,
    chunk_bytes: Bytes<4096, 1_048_576>,
    max_object_bytes: Bytes<1, 1_125_899_906_842_624>,
}

impl Default for Written {
    fn default() -> Self {
        let Objects { store: _, chunk_bytes, max_object_bytes } = Objects::default();
        Self {
            kind: Kind::Local,
            path: None,
            endpoint: None,
            bucket: None,
            region: None,
            credentials: None,
            virtual_hosted: None,
            chunk_bytes,
            max_object_bytes,
        }
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            store: ObjectStoreSettings::Local { path: "objects".into() },
            chunk_bytes: const { Bytes::of(65_536) },
            max_object_bytes: const { Bytes::of(1_099_511_627_776) },
        }
    }
}

impl TryFrom<Written> for Objects {
    type Error = InvalidObjects;

    fn try_from(written: Written) -> Result<Self, InvalidObjects> {
        let (chunk_bytes, max_object_bytes) = (written.chunk_bytes, written.max_object_bytes);
        let store = match written.kind {
            Kind::Local => local(written)?,
            Kind::S3 => s3(written)?,
        };
        Ok(Self { store, chunk_bytes, max_object_bytes })
    }
}

fn local(written: Written) -> Result<ObjectStoreSettings, InvalidObjects> {
    let foreign = [
        ("endpoint", written.endpoint.is_some()),
        ("bucket", written.bucket.is_some()),
        ("region", written.region.is_some()),
        ("credentials", written.credentials.is_some()),
        ("virtual_hosted", written.virtual_hosted.is_some()),
    ];
    if let Some((key, _)) = foreign.into_iter().find(|(_, given)| *given) {
        return Err(InvalidObjects::Misplaced(key, "local"));
    }
    Ok(ObjectStoreSettings::Local { path: written.path.unwrap_or_else(|| "objects".into()) })
}

fn s3(written: Written) -> Result<ObjectStoreSettings, InvalidObjects> {
    if written.path.is_some() {
        return Err(InvalidObjects::Misplaced("path", "s3"));
    }
    Ok(ObjectStoreSettings::S3(S3 {
        endpoint: written.endpoint.ok_or(InvalidObjects::Missing("endpoint"))?,
        bucket: written.bucket.ok_or(InvalidObjects::Missing("bucket"))?,
        region: written.region.unwrap_or_else(|| "us-east-1".to_owned()),
        credentials: written.credentials.ok_or(InvalidObjects::Missing("credentials"))?,
        virtual_hosted: written.virtual_hosted.unwrap_or(false),
    }))
}

//! What an operator chooses about objects.

use std::path::PathBuf;

use serde::Deserialize;

use super::seal::ChunkSize;

/// Where sealed objects lie. Either way the store sees ciphertext only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum BackendSettings {
    /// `kind = "local"`: a folder of this machine.
    Local {
        /// The folder, relative to the data folder or absolute. Must exist. Default in `octroi init`: `objects`.
        path: PathBuf,
    },
    /// `kind = "s3"`: a bucket of any S3 endpoint.
    S3 {
        /// Its address, such as `https://s3.example.org`; `http:` is accepted for loopback only.
        endpoint: String,
        /// The bucket, which must exist and hold nothing else.
        bucket: String,
        /// Its region; many endpoints take any word. No default.
        region: String,
        /// A TOML file with `access_key_id` and `secret_access_key`, mode 0600, relative to the data folder or
        /// absolute.
        credentials_file: PathBuf,
    },
}

/// How large objects may be, and how they are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most bytes of plaintext in one object. Default 50 GiB.
    pub max_object_bytes: u64,
    /// Bytes of plaintext in one chunk of a new object: a power of two from 4096 to 1048576. Default 65536. Objects
    /// that are stored already keep theirs.
    #[serde(deserialize_with = "chunk_size")]
    pub chunk_bytes: ChunkSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_object_bytes: 50 << 30, chunk_bytes: ChunkSize::DEFAULT }
    }
}

fn chunk_size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ChunkSize, D::Error> {
    u32::deserialize(deserializer).and_then(|bytes| ChunkSize::new(bytes).map_err(serde::de::Error::custom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_unknown_keys_refused() {
        let local: BackendSettings = toml::from_str("kind = 'local'\npath = 'objects'").unwrap();
        assert_eq!(local, BackendSettings::Local { path: "objects".into() });
        let s3 = "kind = 's3'\nendpoint = 'https://s3'\nbucket = 'b'\nregion = 'r'\ncredentials_file = 'c'";
        assert!(matches!(toml::from_str(s3).unwrap(), BackendSettings::S3 { .. }));
        for bad in ["kind = 'local'\npath = 'o'\nsync = false", "path = 'o'", "kind = 'ftp'", "kind = 's3'\npath = 'o'"]
        {
            assert!(toml::from_str::<BackendSettings>(bad).is_err(), "{bad}");
        }
        assert_eq!(toml::from_str::<Limits>("").unwrap(), Limits::default());
        assert_eq!(toml::from_str::<Limits>("chunk_bytes = 4096").unwrap().chunk_bytes.bytes(), 4096);
        for bad in ["chunk_bytes = 5000", "chunk_bytes = 0", "max_bytes = 1", "max_object_bytes = -1"] {
            assert!(toml::from_str::<Limits>(bad).is_err(), "{bad}");
        }
    }
}

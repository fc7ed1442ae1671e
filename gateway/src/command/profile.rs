//! A client profile: where a gateway is, whom to trust, and who one is, in one TOML file.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    secret_file::{self, SecretFileError},
    settings::BaseUrl,
};

/// What a client needs to know. Paths are absolute once loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The api listener's URL.
    pub endpoint: BaseUrl,
    /// The public listener's URL.
    pub public: BaseUrl,
    /// The authority of the gateway's certificate, PEM.
    pub ca: PathBuf,
    /// Who one is.
    pub credential: ProfileCredential,
    /// The evidence log's public key, by which its checkpoints are verified (C2SP signed-note `vkey`).
    pub log_key: Option<String>,
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileCredential {
    /// Nobody in particular.
    Anonymous,
    /// By a certificate.
    Certificate {
        /// The certificate chain, PEM.
        certificate: PathBuf,
        /// Its private key, PEM; a secret file.
        key: PathBuf,
    },
    /// By a token.
    TokenFile(PathBuf),
}

/// Why a profile cannot be used, or written.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read or written.
    #[error("`{file}`: {cause}")]
    File {
        /// The profile.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A key is unknown, or its value not of its kind.
    #[error("`{file}`: `{key}`: {reason}")]
    Key {
        /// The profile.
        file: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A secret file is not fit for use.
    #[error("`{file}`: {cause}")]
    Secret {
        /// The profile.
        file: PathBuf,
        /// What is wrong with the secret file.
        cause: SecretFileError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    endpoint: String,
    public: String,
    ca: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_key: Option<String>,
}

impl Profile {
    /// Reads a profile; its relative paths are relative to its folder.
    ///
    /// # Errors
    /// [`ProfileError`] naming file, key and reason; a secret file that others may read is refused.
    pub fn load(file: &Path) -> Result<Self, ProfileError> {
        let unreadable = |cause| ProfileError::File { file: file.to_owned(), cause };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let absolute = std::path::absolute(file).map_err(unreadable)?;
        let mut profile = Self::parse(&text, file)?;
        profile.anchor(absolute.parent().unwrap_or(Path::new("/")));
        let secret = match &profile.credential {
            ProfileCredential::Anonymous => None,
            ProfileCredential::Certificate { key, .. } => Some(key),
            ProfileCredential::TokenFile(path) => Some(path),
        };
        if let Some(path) = secret {
            secret_file::check(path).map_err(|cause| ProfileError::Secret { file: file.to_owned(), cause })?;
        }
        Ok(profile)
    }

    /// Parses a profile; paths stay as written. `file` is what errors call it.
    ///
    /// # Errors
    /// [`ProfileError::Key`] naming file, key and reason.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ProfileError> {
        let refuse =
            |key: &str, reason: String| ProfileError::Key { file: file.to_owned(), key: key.to_owned(), reason };
        let document = toml::Deserializer::parse(text).map_err(|error| refuse(".", error.message().to_owned()))?;
        let written: Written = serde_path_to_error::deserialize(document)
            .map_err(|error| refuse(&error.path().to_string(), error.inner().message().to_owned()))?;
        let url = |key: &str, text: &str| text.parse::<BaseUrl>().map_err(|error| refuse(key, error.to_string()));
        let credential = match (written.certificate, written.key, written.token_file) {
            (None, None, None) => ProfileCredential::Anonymous,
            (Some(certificate), Some(key), None) => ProfileCredential::Certificate { certificate, key },
            (None, None, Some(path)) => ProfileCredential::TokenFile(path),
            _ => {
                return Err(refuse("certificate", "give `certificate` and `key`, or `token_file`, or none".to_owned()));
            }
        };
        Ok(Self {
            endpoint: url("endpoint", &written.endpoint)?,
            public: url("public", &written.public)?,
            ca: written.ca,
            credential,
            log_key: written.log_key,
        })
    }

    /// Writes the profile, paths as they are. It holds no secret; the files it names do.
    ///
    /// # Errors
    /// [`ProfileError::File`] when it cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), ProfileError> {
        let (certificate, key, token_file) = match &self.credential {
            ProfileCredential::Anonymous => (None, None, None),
            ProfileCredential::Certificate { certificate, key } => (Some(certificate.clone()), Some(key.clone()), None),
            ProfileCredential::TokenFile(path) => (None, None, Some(path.clone())),
        };
        let written = Written {
            endpoint: self.endpoint.to_string(),
            public: self.public.to_string(),
            ca: self.ca.clone(),
            certificate,
            key,
            token_file,
            log_key: self.log_key.clone(),
        };
        let unwritable = |cause| ProfileError::File { file: file.to_owned(), cause };
        let text = toml::to_string(&written).map_err(|error| unwritable(io::Error::other(error)))?;
        std::fs::write(file, text).map_err(unwritable)
    }

    fn anchor(&mut self, folder: &Path) {
        let anchor = |path: &mut PathBuf| *path = folder.join(&path);
        anchor(&mut self.ca);
        match &mut self.credential {
            ProfileCredential::Anonymous => {}
            ProfileCredential::Certificate { certificate, key } => [certificate, key].into_iter().for_each(anchor),
            ProfileCredential::TokenFile(path) => anchor(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn refusal(text: &str) -> String {
        Profile::parse(text, Path::new("p.toml")).unwrap_err().to_string()
    }

    const START: &str = "endpoint = \"https://a:1\"\npublic = \"https://a:2\"\nca = \"ca.pem\"\n";

    #[test]
    fn what_is_saved_is_loaded_with_its_paths_made_absolute() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile.toml");
        let profile = Profile {
            endpoint: "https://localhost:8444".parse().unwrap(),
            public: "https://localhost:8443".parse().unwrap(),
            ca: "../ca.pem".into(),
            credential: ProfileCredential::Certificate { certificate: "c.pem".into(), key: "k.pem".into() },
            log_key: Some("localhost/log+1+a".into()),
        };
        profile.save(&file).unwrap();
        let key = folder.path().join("k.pem");
        std::fs::write(&key, "").unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Profile::load(&file).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        let loaded = Profile::load(&file).unwrap();
        assert_eq!(loaded.ca, folder.path().join("../ca.pem"));
        assert_eq!(loaded.log_key, profile.log_key);
        let certificate = folder.path().join("c.pem");
        assert_eq!(loaded.credential, ProfileCredential::Certificate { certificate, key });
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(Profile::parse(START, Path::new("p.toml")).is_ok());
        assert!(refusal(&format!("{START}colour = 1\n")).contains("`p.toml`: `colour`"));
        assert!(refusal(&format!("{START}key = \"k\"\n")).contains("give `certificate` and `key`"));
        assert!(refusal(&format!("{START}token_file = \"t\"\nkey = \"k\"\ncertificate = \"c\"\n")).contains("or none"));
        assert!(refusal(&START.replace("https://a:1", "http://a:1")).contains("`endpoint`"));
        assert!(refusal("endpoint = 1").contains("`endpoint`"));
    }
}

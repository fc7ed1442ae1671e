//! Who appears in the demo, and the commands as they would type them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::gateway::GatewayError;

/// Everyone, by the name of their profile.
pub(super) const NAMES: [&str; 5] = ["operator", "claire", "marc", "voltaic", "audrey"];

/// The demo's people and their folders.
#[derive(Debug)]
pub(super) struct Cast {
    folder: PathBuf,
}

/// What the demo reads of a profile.
#[derive(Debug, Deserialize)]
struct Profile {
    endpoint: String,
    public: String,
}

impl Cast {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The gateway's data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The program.
    pub(super) fn binary(&self) -> PathBuf {
        self.folder.join("bin/octroi")
    }

    /// Someone's own folder.
    pub(super) fn identity(&self, name: &str) -> PathBuf {
        self.data().join("identities").join(name)
    }

    /// Someone's profile.
    pub(super) fn profile(&self, name: &str) -> PathBuf {
        self.identity(name).join("profile.toml")
    }

    /// Where something is put for the demo to look at.
    pub(super) fn desk(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command that needs no one in particular.
    pub(super) fn octroi(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        command.current_dir(&self.folder).env_remove("OCTROI_PROFILE").args(words);
        command
    }

    /// A command in someone's name.
    pub(super) fn as_who(&self, name: &str, words: &[&str]) -> Command {
        let mut command = self.octroi(&["--profile"]);
        command.arg(self.profile(name)).args(words);
        command
    }

    /// curl at the public address, trusting the demo's authority alone.
    pub(super) fn curl(&self, flags: &[&str], path: &str) -> Result<Command, GatewayError> {
        let mut command = Command::new("curl");
        command.current_dir(&self.folder).args(["--silent", "--show-error", "--fail", "--cacert"]);
        command.arg(self.data().join("authority/ca.pem")).args(flags).arg(format!("{}{path}", self.public_address()?));
        Ok(command)
    }

    /// The permanent address of the catalogue.
    pub(super) fn public_address(&self) -> Result<String, GatewayError> {
        Ok(self.operator()?.public.trim_end_matches('/').to_owned())
    }

    /// Where callers with credentials go.
    pub(super) fn api_address(&self) -> Result<String, GatewayError> {
        Ok(self.operator()?.endpoint)
    }

    fn operator(&self) -> Result<Profile, GatewayError> {
        let path = self.profile("operator");
        let text = fs::read_to_string(&path).map_err(|source| GatewayError::File { path: path.clone(), source })?;
        toml::from_str(&text).map_err(|source| GatewayError::Settings { path, source })
    }
}

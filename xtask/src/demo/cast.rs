//! Who appears in the demo, and the commands as they would type them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::ports::Ports;

/// Everyone with a profile, and what they are.
pub(super) const PEOPLE: [(&str, &str); 6] = [
    ("operator", "runs the gateway for the city, and can read no data"),
    ("claire", "steward: answers for the city's datasets"),
    ("marc", "reviewer: the second person in approvals"),
    ("audrey", "auditor, of another organisation: reads evidence and nothing else"),
    ("voltaic", "vendor: would borrow data for a study of its own"),
    ("lena", "researcher at a university: asks, and gets aggregates"),
];

/// Those who have none.
pub(super) const OTHERS: [(&str, &str); 3] = [
    ("admin", "whoever runs the machine"),
    ("citizen", "anyone, with curl and no account"),
    ("thief", "whoever got hold of the disk"),
];

/// The demo's people, their folders and their commands.
#[derive(Debug)]
pub(super) struct Cast {
    folder: PathBuf,
    ports: Ports,
}

impl Cast {
    pub(super) fn new(folder: &Path, ports: Ports) -> Self {
        Self { folder: folder.to_path_buf(), ports }
    }

    /// The ports that the gateway is to listen on.
    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// Everything of the demo.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The gateway's data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The program.
    pub(super) fn binary(&self) -> PathBuf {
        self.folder.join("bin/octroi")
    }

    /// What questions run in.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// What clients trust.
    pub(super) fn authority(&self) -> PathBuf {
        self.data().join("authority/ca.pem")
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
    pub(super) fn plain(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        command.current_dir(&self.folder).env_remove("OCTROI_PROFILE").args(words);
        command
    }

    /// A command in someone's name.
    pub(super) fn octroi(&self, name: &str, words: &[&str]) -> Command {
        let mut command = self.plain(words);
        command.env("OCTROI_PROFILE", self.profile(name));
        command
    }

    /// curl at the public listener.
    pub(super) fn curl(&self, flags: &[&str], path: &str) -> Command {
        self.curl_at(flags, &format!("{}{path}", self.public_address()))
    }

    /// curl at the api listener, with someone's certificate.
    pub(super) fn curl_as(&self, name: &str, flags: &[&str], path: &str) -> Command {
        let file = |file: &str| self.identity(name).join(file).display().to_string();
        let (certificate, key) = (file("certificate.pem"), file("key.pem"));
        let all = [&["--cert", &certificate, "--key", &key], flags].concat();
        self.curl_at(&all, &format!("{}{path}", self.api_address()))
    }

    /// Trusts the demo's authority alone; silent but for errors, and an HTTP refusal is one.
    fn curl_at(&self, flags: &[&str], url: &str) -> Command {
        let mut command = Command::new("curl");
        command.current_dir(&self.folder).env("CURL_CA_BUNDLE", self.authority());
        command.arg("-sSf").args(flags).arg(url);
        command
    }

    /// The permanent address of the catalogue.
    pub(super) fn public_address(&self) -> String {
        format!("https://localhost:{}", self.ports.public)
    }

    /// Where callers with credentials go.
    pub(super) fn api_address(&self) -> String {
        format!("https://localhost:{}", self.ports.api)
    }

    /// Where it tells of its health.
    pub(super) fn loopback_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.loopback)
    }
}

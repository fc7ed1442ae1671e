//! Debian's own archive as apt sources of the project: on any machine the same packages can be had, and the machine's
//! own sources stay as they are. On Debian 12 that includes its backports, where QEMU 10 is.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::project::Project;

/// An apt configuration with lists and caches of its own.
#[derive(Debug)]
pub(crate) struct Sources {
    release: Release,
    configuration: PathBuf,
}

/// A release of Debian that zones run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Bookworm,
    Trixie,
}

/// Why there are no such sources.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourcesError {
    /// Another system.
    #[error("zones are made on Debian 12 or 13, and this is neither: run this there, or in a container of it")]
    OtherRelease,
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Sources {
    /// Those of the release that runs here, written down.
    pub(crate) fn of_this_release(project: &Project) -> Result<Self, SourcesError> {
        let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let release = Release::of(&system).ok_or(SourcesError::OtherRelease)?;
        let folder = project.cache().join("apt").join(release.name());
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).map_err(|source| SourcesError::File { path: part, source })?;
        }
        let configuration = folder.join("apt.conf");
        for (path, text) in
            [(folder.join("sources.list"), release.sources()), (configuration.clone(), settings(&folder))]
        {
            fs::write(&path, text).map_err(|source| SourcesError::File { path, source })?;
        }
        Ok(Self { release, configuration })
    }

    /// `apt-get` or `apt-cache` over these sources.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--config-file").arg(&self.configuration);
        command
    }

    /// The metapackage that names the newest kernel for clouds.
    pub(crate) fn kernel(&self) -> &'static str {
        match self.release {
            Release::Bookworm => "linux-image-6.12-cloud-amd64",
            Release::Trixie => "linux-image-cloud-amd64",
        }
    }

    /// What installs QEMU from them, as arguments of `apt-get`.
    pub(super) fn install_qemu(&self) -> Vec<String> {
        let mut words = vec!["--config-file".to_owned(), self.configuration.display().to_string()];
        words.extend(["install", "--yes", "--no-install-recommends"].map(str::to_owned));
        if self.release == Release::Bookworm {
            words.push("--target-release=bookworm-backports".to_owned());
        }
        words.extend(["qemu-system-x86", "bubblewrap"].map(str::to_owned));
        words
    }
}

impl Release {
    fn of(system: &str) -> Option<Self> {
        let value = |key| system.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'));
        if value("ID=") != Some("debian") {
            return None;
        }
        match value("VERSION_CODENAME=")? {
            "bookworm" => Some(Self::Bookworm),
            "trixie" => Some(Self::Trixie),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    fn sources(self) -> String {
        let name = self.name();
        let line = |archive: &str, suite: &str| {
            format!("deb [signed-by={KEYRING}] http://deb.debian.org/{archive} {name}{suite} main\n")
        };
        let mut lines = vec![line("debian", ""), line("debian", "-updates"), line("debian-security", "-security")];
        if self == Self::Bookworm {
            lines.push(line("debian", "-backports"));
        }
        lines.concat()
    }
}

/// apt would fetch as a user of its own, who cannot write to a folder in someone's home.
fn settings(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Dir::Etc::sourcelist \"{folder}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
         Dir::State::lists \"{folder}/lists\";\nDir::Cache \"{folder}/cache\";\n\
         APT::Default-Release \"\";\nAPT::Sandbox::User \"root\";\n"
    )
}

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_releases_are_known() {
        let system = |id: &str, name: &str| format!("PRETTY_NAME=\"x\"\nID={id}\nVERSION_CODENAME={name}\n");
        assert_eq!(Release::of(&system("debian", "bookworm")), Some(Release::Bookworm));
        assert_eq!(Release::of(&system("debian", "trixie")), Some(Release::Trixie));
        assert_eq!(Release::of(&system("debian", "bullseye")), None);
        assert_eq!(Release::of(&system("ubuntu", "noble")), None);
        assert_eq!(Release::of(""), None);
    }

    #[test]
    fn only_debian_12_needs_its_backports() {
        assert!(Release::Bookworm.sources().contains("debian bookworm-backports main"));
        assert!(!Release::Trixie.sources().contains("backports"));
        assert!(Release::Trixie.sources().contains("debian-security trixie-security main"));
    }
}

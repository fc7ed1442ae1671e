//! Debian and those descended from it: which packages bring what we need, and how they may be installed here.

use std::{fs, process::Command};

use super::{Need, Sources};
use crate::{
    process::{self, ProcessError},
    project::Project,
};

/// A system with apt-get.
#[derive(Debug)]
pub(super) struct Debian(());

/// Leave to install packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Installer {
    Root,
    Sudo,
}

impl Debian {
    /// This system, if it is one.
    pub(super) fn here() -> Option<Self> {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let apt = process::succeeds(Command::new("apt-get").arg("--version"));
        (apt && descends_from_debian(&release)).then_some(Self(()))
    }

    /// Leave to install, if we have it.
    pub(super) fn installer(&self) -> Option<Installer> {
        let root = process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        if root {
            return Some(Installer::Root);
        }
        process::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Installer::Sudo)
    }
}

impl Installer {
    pub(super) fn install(&self, project: &Project, packages: &[&str]) -> Result<(), ProcessError> {
        process::quietly("apt-get update", self.apt(project).arg("update"))?;
        let mut install = self.apt(project);
        install.args(["install", "--yes", "--no-install-recommends"]).args(packages);
        process::quietly("apt-get install", &mut install)
    }

    /// From sources of the project, which leave the machine's own alone.
    pub(super) fn install_qemu(&self, project: &Project, sources: &Sources) -> Result<(), ProcessError> {
        process::quietly("apt-get update", sources.command("apt-get").args(["--quiet", "update"]))?;
        process::quietly("apt-get install", self.apt(project).args(sources.install_qemu()))
    }

    fn apt(&self, project: &Project) -> Command {
        let mut apt = match self {
            Self::Root => project.command("env"),
            Self::Sudo => {
                let mut sudo = project.command("sudo");
                sudo.args(["-n", "env"]);
                sudo
            }
        };
        apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
        apt
    }
}

/// The packages that bring these.
pub(super) fn packages(needs: &[Need]) -> Vec<&'static str> {
    needs
        .iter()
        .flat_map(|need| match need {
            Need::CCompiler => ["gcc", "libc6-dev"].as_slice(),
            Need::CxxCompiler => &["g++"],
            Need::Python => &["python3", "python3-venv"],
            Need::Curl => &["curl", "ca-certificates"],
            Need::Openssl => &["openssl"],
            Need::Git => &["git", "ca-certificates"],
            // From other sources: `install_qemu`.
            Need::Qemu => &[],
        })
        .copied()
        .collect()
}

/// The one command that installs them, and QEMU from these sources.
pub(super) fn remedy(packages: &[&str], qemu: Option<&Sources>) -> String {
    let mut commands = Vec::new();
    if !packages.is_empty() {
        let packages = packages.join(" ");
        commands.push(format!("apt-get update && apt-get install --yes --no-install-recommends {packages}"));
    }
    if let Some(sources) = qemu {
        let install = sources.install_qemu().join(" ");
        commands.push(format!("{} && apt-get {install}", process::name(sources.command("apt-get").arg("update"))));
    }
    commands.join(" && ")
}

fn descends_from_debian(release: &str) -> bool {
    release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .any(|(_, value)| value.trim_matches('"').split_whitespace().any(|word| word == "debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_descendants_are_known() {
        assert!(descends_from_debian("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"));
        assert!(descends_from_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(descends_from_debian("ID=pop\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!descends_from_debian("ID=fedora\nNAME=\"not debian\"\n"));
        assert!(!descends_from_debian(""));
    }

    #[test]
    fn the_remedy_is_one_command() {
        let packages = packages(&[Need::CCompiler, Need::Python]);
        assert!(remedy(&packages, None).ends_with("gcc libc6-dev python3 python3-venv"));
    }
}

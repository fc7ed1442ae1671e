//! What a command needs of the machine: looked for first, installed when we may, named with its remedy otherwise.

mod debian;
mod python;
mod sources;

use std::process::Command;

use crate::{
    process::{self, ProcessError},
    progress,
    project::Project,
};
pub(crate) use python::{Python, PythonError};
pub(crate) use sources::{Sources, SourcesError};

/// Something that a Rust toolchain does not bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Links Rust programs and compiles ring's C.
    CCompiler,
    /// Compiles libFuzzer.
    CxxCompiler,
    /// Runs the gRPC and RDF clients of the tests, and unpacks archives.
    Python,
    /// Speaks HTTPS as a citizen would.
    Curl,
    /// Speaks TLS in ways that no client should.
    Openssl,
    /// Fetches the clone; some tests look at what is committed.
    Git,
    /// Runs zones: QEMU 10 or newer, and bubblewrap around it.
    Qemu,
}

/// Why the machine is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// A distribution that we do not install on.
    #[error("this machine lacks {missing}; install them with your distribution's package manager, then run this again")]
    OtherDistribution { missing: String },
    /// Debian, but neither root nor sudo without a password.
    #[error("this machine lacks {missing}; as root, run this once:\n\n    {remedy}\n")]
    NotRoot { missing: String, remedy: String },
    /// What was installed still is not found.
    #[error("{missing} still not found after installing {packages}: see that they are on the `PATH`")]
    StillMissing { missing: String, packages: String },
    /// There is no QEMU for this system.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// apt-get failed.
    #[error("packages cannot be installed")]
    Install(#[from] ProcessError),
}

/// Makes sure that everything named is there.
pub(crate) fn machine(project: &Project, needs: &[Need]) -> Result<(), PrepareError> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let names = names(&missing);
    let packages = debian::packages(&missing);
    let Some(system) = debian::Debian::here() else {
        return Err(PrepareError::OtherDistribution { missing: names });
    };
    let zone = if missing.contains(&Need::Qemu) { Some(Sources::of_this_release(project)?) } else { None };
    let Some(installer) = system.installer() else {
        return Err(PrepareError::NotRoot { missing: names, remedy: debian::remedy(&packages, zone.as_ref()) });
    };
    progress::heading(&format!("this machine lacks {names}: installing them"));
    if !packages.is_empty() {
        installer.install(project, &packages)?;
    }
    if let Some(sources) = &zone {
        installer.install_qemu(project, sources)?;
    }
    let still = self::missing(&missing);
    if still.is_empty() {
        Ok(())
    } else {
        Err(PrepareError::StillMissing { missing: self::names(&still), packages: self::names(&missing) })
    }
}

impl Need {
    fn met(self) -> bool {
        match self {
            Self::CCompiler => answers("cc", "--version"),
            Self::CxxCompiler => answers("c++", "--version"),
            Self::Python => process::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])),
            Self::Curl => answers("curl", "--version"),
            Self::Openssl => answers("openssl", "version"),
            Self::Git => answers("git", "--version"),
            Self::Qemu => recent_qemu() && answers("bwrap", "--version"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::CCompiler => "a C compiler and linker (`cc`)",
            Self::CxxCompiler => "a C++ compiler (`c++`)",
            Self::Python => "Python 3 with `venv`",
            Self::Curl => "`curl`",
            Self::Openssl => "`openssl`",
            Self::Git => "`git`",
            Self::Qemu => "QEMU 10 or newer (`qemu-system-x86_64`) with bubblewrap (`bwrap`)",
        }
    }
}

fn missing(needs: &[Need]) -> Vec<Need> {
    let mut missing: Vec<Need> = needs.iter().copied().filter(|need| !need.met()).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn names(needs: &[Need]) -> String {
    needs.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ")
}

fn recent_qemu() -> bool {
    process::output(Command::new("qemu-system-x86_64").arg("--version")).is_ok_and(|said| qemu_is_recent(&said))
}

/// Whether `said` (`QEMU emulator version 10.0.2 (Debian ..)`) is a QEMU that zones can be cloned with.
fn qemu_is_recent(said: &str) -> bool {
    let version = said.split_whitespace().skip_while(|word| *word != "version").nth(1);
    let major = version.and_then(|version| version.split('.').next()).and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= LEAST_QEMU)
}

fn answers(program: &str, question: &str) -> bool {
    process::succeeds(Command::new(program).arg(question))
}

/// The first whose machines can be moved from file to file.
const LEAST_QEMU: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_qemu_will_not_do() {
        assert!(qemu_is_recent("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)\nCopyright (c)"));
        assert!(!qemu_is_recent("QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7+deb12u13)\n"));
        assert!(!qemu_is_recent(""));
    }
}

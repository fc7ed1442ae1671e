//! What a command needs of the machine: looked for first, installed when we may, named with its remedy otherwise.

mod debian;
mod python;

use std::process::Command;

use crate::{
    process::{self, ProcessError},
    progress,
    project::Project,
};
pub(crate) use python::{Python, PythonError};

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
    let Some(installer) = system.installer() else {
        return Err(PrepareError::NotRoot { missing: names, remedy: debian::remedy(&packages) });
    };
    progress::heading(&format!("this machine lacks {names}: installing {}", packages.join(", ")));
    installer.install(project, &packages)?;
    let still = self::missing(&missing);
    if still.is_empty() {
        Ok(())
    } else {
        Err(PrepareError::StillMissing { missing: self::names(&still), packages: packages.join(", ") })
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

fn answers(program: &str, question: &str) -> bool {
    process::succeeds(Command::new(program).arg(question))
}

//! Clients that are not ours, in Python: grpcio on the published .proto files.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{Said, repository};

/// The interpreter with the packages of `tests/requirements.txt`, which `cargo xtask test` prepares.
fn interpreter() -> PathBuf {
    prepared("OCTROI_PYTHON")
}

fn prepared(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    PathBuf::from(path.unwrap_or_else(|| panic!("run the tests with `cargo xtask test`, which sets {variable}")))
}

/// A portal, with the packages that it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portal {
    /// CKAN with its harvesters; with it what validates.
    Ckan,
    /// udata, which data.gouv.fr is.
    Udata,
}

/// Runs `tests/python/SCRIPT` in a portal's environment; this authority signed what it is to trust.
pub fn portal(portal: Portal, script: &str, authority: &Path, arguments: &[&str]) -> Said {
    let variable = match portal {
        Portal::Ckan => "OCTROI_PYTHON_CKAN",
        Portal::Udata => "OCTROI_PYTHON_UDATA",
    };
    Command::new(prepared(variable))
        .arg(repository().join("tests/python").join(script))
        .args(arguments)
        .env("REQUESTS_CA_BUNDLE", authority)
        .output()
        .expect("python runs")
        .into()
}

/// The stubs that grpcio-tools makes of the published .proto files, once for each test process.
fn stubs() -> &'static PathBuf {
    static STUBS: OnceLock<tempfile::TempDir> = OnceLock::new();
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let folder = STUBS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let proto = repository().join("proto");
        let files = ["access", "dataset", "evidence", "object", "principal", "query", "release", "table"]
            .map(|name| format!("octroi/v1/{name}.proto"));
        let made = Command::new(interpreter())
            .args(["-m", "grpc_tools.protoc"])
            .arg(format!("-I{}", proto.display()))
            .arg(format!("--python_out={}", folder.path().display()))
            .arg(format!("--grpc_python_out={}", folder.path().display()))
            .args(files)
            .current_dir(&proto)
            .status();
        assert!(made.expect("python runs").success(), "grpcio-tools could not compile the .proto files");
        folder
    });
    PATH.get_or_init(|| folder.path().to_owned())
}

/// Runs `tests/python/SCRIPT` with these arguments.
pub fn python(script: &str, arguments: &[&str]) -> Said {
    let script = repository().join("tests/python").join(script);
    Command::new(interpreter())
        .arg(script)
        .args(arguments)
        .env("PYTHONPATH", stubs())
        .env("GRPC_VERBOSITY", "ERROR")
        .output()
        .expect("python runs")
        .into()
}

//! `octroi identity`: a key and a certificate request of one's own, so that nobody else ever holds the key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{CertificateParams, CertificateSigningRequest, KeyPair};
use zeroize::Zeroizing;

use super::{CommandError, Output};
use crate::secret_file;

/// Where to make it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  octroi identity voltaic                                     at the vendor's\n  \
    octroi principal add voltaic --org voltaic-sas --role vendor --request voltaic/request.pem --out issued\n  \
    and what lies in `issued` goes back beside the key")]
pub(crate) struct Args {
    /// The folder for `key.pem`, which stays, and `request.pem`, which goes to the gateway's operator; must not exist
    folder: PathBuf,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<(), CommandError> {
    let key = KeyPair::generate().map_err(|error| CommandError::Tls(error.into()))?;
    let request = certificate_request(&key)?.pem().map_err(|error| CommandError::Tls(error.into()))?;
    create_folder(&args.folder)?;
    secret_file::create(&args.folder.join("key.pem"), Zeroizing::new(key.serialize_pem()).as_bytes())?;
    let path = args.folder.join("request.pem");
    fs::write(&path, request).map_err(|source| CommandError::File { doing: "write", path: path.clone(), source })?;
    if output.json {
        output.value(&serde_json::json!({ "request": path }));
    }
    output.say(format!("send {} to the gateway's operator; keep the key", path.display()));
    Ok(())
}

/// A certificate request for a key. It names nobody: the gateway's operator says whose it is.
pub(super) fn certificate_request(key: &KeyPair) -> Result<CertificateSigningRequest, CommandError> {
    let params = CertificateParams::new(Vec::new()).map_err(|error| CommandError::Tls(error.into()))?;
    params.serialize_request(key).map_err(|error| CommandError::Tls(error.into()))
}

/// A certificate request from a PEM file, as DER.
pub(super) fn read_request(path: &Path) -> Result<Vec<u8>, CommandError> {
    let bytes = fs::read(path).map_err(|source| CommandError::File { doing: "read", path: path.to_owned(), source })?;
    let malformed = |problem: String| CommandError::Malformed {
        path: path.to_owned(),
        what: "a certificate request in PEM",
        problem,
    };
    let block = pem::parse(bytes).map_err(|error| malformed(error.to_string()))?;
    match block.tag() {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Ok(block.into_contents()),
        _ => Err(malformed("it holds something else".to_owned())),
    }
}

/// Makes a folder that must not be there yet.
pub(super) fn create_folder(path: &Path) -> Result<(), CommandError> {
    let refused = |source| CommandError::File { doing: "create the folder", path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(refused)?;
    }
    fs::create_dir(path).map_err(refused)
}

//! Signed checkpoints of the log (C2SP tlog-checkpoint in a C2SP signed-note) and the key that signs them.
//!
//! A checkpoint says: under this origin the log had this many leaves and this root. Whoever holds one can prove that
//! an entry was in the log then, and that a later log is a continuation.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::SigningKey;
use signed_note::{Note, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList, is_key_name_valid};
use tlog_tiles::{checkpoint::Checkpoint, tlog::Hash};
use zeroize::Zeroizing;

use crate::{
    durable::sync_folder,
    secret_file::{self, SecretFileError},
};

/// The size and the root of the log at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// Leaves.
    pub size: u64,
    /// Root hash (RFC 6962).
    pub root: Hash,
}

/// The key that signs checkpoints. Its Debug shows the public half.
pub struct LogKey {
    signer: StandardSigner,
    verifier: VerifierKey,
}

/// The public half, as monitors and `octroi verify` are given it: `origin+id+key` (C2SP signed-note).
#[derive(Clone)]
pub struct VerifierKey {
    verifier: StandardVerifier,
    text: String,
}

/// Text that is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a verifier key as `octroi init` printed it (`origin+id+key`)")]
pub struct InvalidVerifierKey;

/// Why no log key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// The origin may hold neither white space nor `+`.
    #[error("the log's origin must be 1-200 characters without white space and `+`, such as `octroi.example.org/log`")]
    Origin,
    /// The kernel gave no random bytes.
    #[error("no random bytes: {0}")]
    Randomness(getrandom::Error),
    /// The file cannot be written; one that is there already is never replaced.
    #[error(transparent)]
    File(#[from] SecretFileError),
}

/// Why a log key is not used.
#[derive(Debug, thiserror::Error)]
pub enum LoadKeyError {
    /// The file cannot be read, or others may read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// It holds no key.
    #[error("the log key `{path}` holds no signing key: restore it from a backup")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// A checkpoint could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint could not be signed")]
pub struct SignError;

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no checkpoint, byte for byte.
    #[error("the checkpoint is malformed: fetch it again from the log")]
    Malformed,
    /// It is not signed by this key.
    #[error("the checkpoint is not signed by the given key: it was altered, or comes from another log")]
    Signature,
    /// It names another log than the key does.
    #[error("the checkpoint names another log than the key does")]
    Origin,
}

impl LogKey {
    /// Makes a key for a log of this origin in a new file that only its owner can read.
    ///
    /// # Errors
    /// [`CreateKeyError`]; a file that exists is left alone.
    pub fn create(path: &Path, origin: &str) -> Result<Self, CreateKeyError> {
        if !is_key_name_valid(origin) || origin.len() > 200 || origin.chars().any(char::is_control) {
            return Err(CreateKeyError::Origin);
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(CreateKeyError::Randomness)?;
        let text = encode(origin, &SigningKey::from_bytes(&seed));
        secret_file::create(path, text.as_bytes())?;
        Self::parse(&text).ok_or(CreateKeyError::Origin)
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// [`LoadKeyError`], also when group or others may read the file.
    pub fn load(path: &Path) -> Result<Self, LoadKeyError> {
        let text = secret_file::read(path)?;
        let key = std::str::from_utf8(&text).ok().and_then(Self::parse);
        key.ok_or_else(|| LoadKeyError::Malformed { path: path.to_owned() })
    }

    /// The public half, to be handed to auditors and monitors.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The checkpoint for this head. The same head and key give the same bytes.
    ///
    /// # Errors
    /// [`SignError`], which a key that was loaded does not give.
    pub fn sign(&self, head: Head) -> Result<String, SignError> {
        let body = Checkpoint::new(self.signer.name(), head.size, head.root, "").map_err(|_| SignError)?.to_bytes();
        let mut note = Note::new(&body, &[]).map_err(|_| SignError)?;
        note.add_sigs(&[&self.signer]).map_err(|_| SignError)?;
        String::from_utf8(note.to_bytes()).map_err(|_| SignError)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n')?;
        let signer = StandardSigner::new(text).ok()?;
        let key = Zeroizing::new(BASE64.decode(text.splitn(5, '+').last()?).ok()?);
        let seed = Zeroizing::new(<[u8; 32]>::try_from(key.get(1..)?).ok()?);
        let public = SigningKey::from_bytes(&seed).verifying_key();
        let verifier = signed_note::new_ed25519_verifier_key(signer.name(), &public).parse().ok()?;
        Some(Self { signer, verifier })
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogKey").field(&self.verifier.text).finish()
    }
}

impl VerifierKey {
    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// What a checkpoint says, if this key signed it and it is well-formed byte for byte.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(&self, checkpoint: &str) -> Result<Head, CheckpointError> {
        let note = Note::from_bytes(checkpoint.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        if note.to_bytes() != checkpoint.as_bytes() {
            return Err(CheckpointError::Malformed);
        }
        let known = VerifierList::new(vec![Box::new(self.verifier.clone())]);
        note.verify(&known).map_err(|_| CheckpointError::Signature)?;
        let body = Checkpoint::from_bytes(note.text()).map_err(|_| CheckpointError::Malformed)?;
        if body.to_bytes() != note.text() || body.size() > LARGEST {
            return Err(CheckpointError::Malformed);
        }
        if body.origin() != self.origin() {
            return Err(CheckpointError::Origin);
        }
        Ok(Head { size: body.size(), root: *body.hash() })
    }
}

impl FromStr for VerifierKey {
    type Err = InvalidVerifierKey;

    fn from_str(text: &str) -> Result<Self, InvalidVerifierKey> {
        let text = text.trim();
        let verifier = StandardVerifier::new(text).map_err(|_| InvalidVerifierKey)?;
        Ok(Self { verifier, text: text.to_owned() })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifierKey").field(&self.text).finish()
    }
}

/// Puts a checkpoint into its file, whole or not at all.
pub(super) fn publish(folder: &Path, checkpoint: &str) -> io::Result<()> {
    let fresh = folder.join("checkpoint.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(checkpoint.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join("checkpoint"))?;
    sync_folder(folder)
}

/// The last checkpoint that was put there; `None` before the first.
pub(super) fn published(folder: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(folder.join("checkpoint")) {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(source),
    }
}

/// The signing key in the form that `signed_note` reads (Go's `PRIVATE+KEY+name+id+key`), with a line feed.
fn encode(origin: &str, key: &SigningKey) -> Zeroizing<String> {
    let public = [&[ED25519][..], key.verifying_key().as_bytes()].concat();
    let mut private = Zeroizing::new(vec![ED25519]);
    private.reserve_exact(32);
    private.extend(key.as_bytes());
    let id = signed_note::key_id(origin, &public);
    let private = Zeroizing::new(BASE64.encode(&*private));
    Zeroizing::new(format!("PRIVATE+KEY+{origin}+{id:08x}+{}\n", *private))
}

const ED25519: u8 = 1;
/// More leaves than any log will have, and few enough that no sum about them overflows.
const LARGEST: u64 = 1 << 48;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn head() -> Head {
        Head { size: 1_234, root: Hash([5; 32]) }
    }

    #[test]
    fn a_key_file_is_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.key");
        let key = LogKey::create(&path, "octroi.test/log").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = LogKey::load(&path).unwrap();
        assert_eq!(again.sign(head()).unwrap(), key.sign(head()).unwrap());
        assert_eq!(again.verifier_key().to_string(), key.verifier_key().to_string());
        assert!(!format!("{key:?}").contains("PRIVATE"));
        assert!(matches!(
            LogKey::create(&path, "octroi.test/log"),
            Err(CreateKeyError::File(SecretFileError::Taken { .. }))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(LogKey::load(&path), Err(LoadKeyError::File(SecretFileError::Exposed { .. }))));
    }

    #[test]
    fn an_origin_that_would_break_the_note_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for origin in ["", "a b", "a+b", "a\nb"] {
            assert!(matches!(LogKey::create(&folder.path().join("k"), origin), Err(CreateKeyError::Origin)));
        }
    }

    #[test]
    fn a_checkpoint_opens_with_its_key_and_no_altered_bit_does() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::create(&folder.path().join("a"), "octroi.test/log").unwrap();
        let other = LogKey::create(&folder.path().join("b"), "octroi.test/log").unwrap();
        let text = key.sign(head()).unwrap();
        assert_eq!(key.verifier_key().open(&text), Ok(head()));
        assert_eq!(other.verifier_key().open(&text), Err(CheckpointError::Signature));
        for byte in 0..text.len() {
            for bit in 0..8 {
                let mut altered = text.clone().into_bytes();
                altered[byte] ^= 1 << bit;
                let refused = String::from_utf8(altered).map_or(true, |text| key.verifier_key().open(&text).is_err());
                assert!(refused, "byte {byte}, bit {bit}");
            }
        }
        assert!(key.verifier_key().open(&format!("{text}\n")).is_err());
    }

    #[test]
    fn a_checkpoint_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(published(folder.path()).unwrap(), None);
        publish(folder.path(), "one").unwrap();
        publish(folder.path(), "two").unwrap();
        assert_eq!(published(folder.path()).unwrap().as_deref(), Some("two"));
    }
}

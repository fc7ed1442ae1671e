//! The root key: 32 random bytes in a file, in locked memory while in use.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use ring::hmac;
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

use crate::secret_file::{self, SecretFileError};

/// The key above all others. It wraps dataset keys and does nothing else.
pub struct RootKey {
    // Before the key, so that it is erased, then unlocked, then freed.
    key: SecretBox<[u8; 32]>,
    _locked: region::LockGuard,
}

/// Why there is no root key to work with.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file cannot be read or made, or others can read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The file holds something else.
    #[error("`{}` must hold 64 hexadecimal digits and a line feed: restore it from a backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random,
    /// Its memory cannot be kept out of swap.
    #[error("cannot lock the root key's memory: raise RLIMIT_MEMLOCK (`ulimit -l`) to 64 KiB or more")]
    Lock(#[source] region::Error),
}

impl RootKey {
    /// Draws a root key and writes its file (mode 0600). Never replaces one: what it wraps would be lost.
    ///
    /// # Errors
    /// [`RootKeyError::File`] when the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, RootKeyError> {
        let mut key = Box::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| RootKeyError::Random)?;
        let key = SecretBox::new(key);
        let mut text = Zeroizing::new(hex::encode(key.expose_secret()).into_bytes());
        text.push(b'\n');
        secret_file::create(path, &text)?;
        Self::lock(key)
    }

    /// Reads the root key's file.
    ///
    /// # Errors
    /// [`RootKeyError`]; a file that group or others can read is refused.
    pub fn load(path: &Path) -> Result<Self, RootKeyError> {
        let text = secret_file::read(path)?;
        let digits = text.strip_suffix(b"\n").unwrap_or(&text);
        let mut key = Box::new([0; 32]);
        hex::decode_to_slice(digits, key.as_mut_slice())
            .map_err(|_| RootKeyError::Malformed { path: path.to_owned() })?;
        Self::lock(SecretBox::new(key))
    }

    /// Names the key without telling it: 16 bytes of an HMAC under it.
    pub(super) fn id(&self) -> [u8; 16] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.key.expose_secret()), b"octroi/root-key-id/v1");
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.key.expose_secret()
    }

    fn lock(key: SecretBox<[u8; 32]>) -> Result<Self, RootKeyError> {
        let locked =
            region::lock(key.expose_secret().as_ptr(), key.expose_secret().len()).map_err(RootKeyError::Lock)?;
        Ok(Self { key, _locked: locked })
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_created_key_loads_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let made = RootKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(RootKey::load(&path).unwrap().id(), made.id());
        assert!(matches!(RootKey::create(&path), Err(RootKeyError::File(SecretFileError::Taken { .. }))));
        let text = fs::read_to_string(&path).unwrap();
        assert!(!format!("{made:?}").contains(text.trim()));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        RootKey::create(&path).unwrap();
        for mode in [0o604, 0o640, 0o644, 0o660, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(RootKey::load(&path), Err(RootKeyError::File(SecretFileError::Exposed { .. }))),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn anything_but_64_digits_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (index, bad) in
            ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"00 ".repeat(32)].iter().enumerate()
        {
            let path = folder.path().join(index.to_string());
            secret_file::create(&path, bad.as_bytes()).unwrap();
            assert!(matches!(RootKey::load(&path), Err(RootKeyError::Malformed { .. })), "{bad}");
        }
        let none = RootKey::load(&folder.path().join("none"));
        assert!(matches!(none, Err(RootKeyError::File(error)) if error.is_absent()));
        assert!(matches!(RootKey::load(folder.path()), Err(RootKeyError::File(_))));
    }
}

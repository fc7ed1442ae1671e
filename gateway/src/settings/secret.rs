//! Secret files: regular, and for their owner's eyes only.

use std::{fs::File, io, io::Read as _, os::unix::fs::PermissionsExt as _, path::Path, path::PathBuf};

use zeroize::Zeroizing;

/// Why a secret file is not used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be opened.
    #[error("cannot open `{path}`: {cause}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is not a file.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// Its group or everybody can read or change it.
    #[error("`{path}` can be read by others (mode {mode:o}): run `chmod 600` on it")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is too long for a secret.
    #[error("`{path}` is longer than {most} bytes: it is not the secret expected here")]
    TooLong {
        /// Which.
        path: PathBuf,
        /// The most bytes read.
        most: u64,
    },
}

/// Reads a secret file of at most `most` bytes, having checked the very file it reads.
///
/// # Errors
/// [`SecretFileError`] when it cannot be read, is no file, is exposed, or too long.
pub fn read_secret(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let unreadable = |cause| SecretFileError::Unreadable { path: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    judge(path, &file.metadata().map_err(unreadable)?)?;
    // Reserved at once: a buffer that grows leaves copies of the secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1)));
    file.take(most + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > most {
        return Err(SecretFileError::TooLong { path: path.to_owned(), most });
    }
    Ok(content)
}

/// Checks a secret file without reading it.
///
/// # Errors
/// [`SecretFileError`] when it is not there, is no file, or is exposed.
pub fn check_secret(path: &Path) -> Result<(), SecretFileError> {
    let found = std::fs::metadata(path);
    judge(path, &found.map_err(|cause| SecretFileError::Unreadable { path: path.to_owned(), cause })?)
}

fn judge(path: &Path, found: &std::fs::Metadata) -> Result<(), SecretFileError> {
    if !found.is_file() {
        return Err(SecretFileError::NotAFile { path: path.to_owned() });
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, b"hush").unwrap();
        for (mode, exposed) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(matches!(check_secret(&path), Err(SecretFileError::Exposed { .. })), exposed, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&path, 4).unwrap().as_slice(), b"hush");
        assert!(matches!(read_secret(&path, 3), Err(SecretFileError::TooLong { .. })));
        assert!(matches!(check_secret(folder.path()), Err(SecretFileError::NotAFile { .. })));
    }
}

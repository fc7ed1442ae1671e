//! Files that hold secrets: regular, for their owner's eyes only, complete or absent, and durable before they count.
//!
//! Trusts the file system's permissions. Does not give: erasure of what a disk remembers of an overwritten file
//! (copy-on-write, snapshots, flash).

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::durable::{self, sync_parent};

/// Why a secret file is not used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be opened or read.
    #[error("cannot read the secret file `{}`: {cause}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It cannot be written or destroyed.
    #[error("cannot write the secret file `{}`: {cause}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// There is one, and what it protects would be lost with it.
    #[error("`{}` is there already and is never replaced: move it away first, if it is of no use any more", path.display())]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// It is not a file.
    #[error("`{}` is not a regular file: name the secret file itself", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// Its group or everybody can read or change it.
    #[error(
        "`{}` can be read or changed by others (mode {mode:o}): run `chmod 600` on it, and consider it known to others",
        path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is too long for a secret.
    #[error("`{}` is longer than {most} bytes: it is not the secret expected here", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
        /// The longest that is expected.
        most: usize,
    },
}

impl SecretFileError {
    /// Whether there is no such file.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Unreadable { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a secret, having checked the very file it reads.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    read_at_most(MOST, path)
}

/// Reads a secret that may be longer than most.
pub(crate) fn read_at_most(most: usize, path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let unreadable = |cause| SecretFileError::Unreadable { path: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    judge(path, &file.metadata().map_err(unreadable)?)?;
    // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(most + 1));
    file.take(most as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > most { Err(SecretFileError::TooLong { path: path.to_owned(), most }) } else { Ok(content) }
}

/// Checks a secret file without reading it.
pub(crate) fn check(path: &Path) -> Result<(), SecretFileError> {
    let found = fs::metadata(path).map_err(|cause| SecretFileError::Unreadable { path: path.to_owned(), cause })?;
    judge(path, &found)
}

/// Writes a new secret, durably. Refuses to replace a file.
pub(crate) fn create(path: &Path, secret: &[u8]) -> Result<(), SecretFileError> {
    durable::create(path, secret, 0o600).map_err(|cause| {
        let path = path.to_owned();
        if cause.kind() == io::ErrorKind::AlreadyExists {
            SecretFileError::Taken { path }
        } else {
            SecretFileError::Unwritable { path, cause }
        }
    })
}

/// Overwrites a secret with zeros, removes it, and makes both durable. No error if it is not there.
pub(crate) fn shred(path: &Path) -> Result<(), SecretFileError> {
    let erased = erase(path).and_then(|()| fs::remove_file(path)).and_then(|()| sync_parent(path));
    match erased {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(SecretFileError::Unwritable { path: path.to_owned(), cause })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn erase(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

fn judge(path: &Path, found: &Metadata) -> Result<(), SecretFileError> {
    if !found.is_file() {
        return Err(SecretFileError::NotAFile { path: path.to_owned() });
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretFileError::Exposed { path: path.to_owned(), mode }) }
}

/// No secret of ours is longer, but for the keys of a wide table.
const MOST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create(&path, b"hush").unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"hush");
        for (mode, exposed) in [(0o400, false), (0o640, true), (0o604, true), (0o620, true), (0o600, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for judged in [check(&path), read(&path).map(drop)] {
                assert_eq!(matches!(judged, Err(SecretFileError::Exposed { .. })), exposed, "{mode:o}");
            }
        }
        assert!(matches!(check(folder.path()), Err(SecretFileError::NotAFile { .. })));
        assert!(check(&folder.path().join("none")).unwrap_err().is_absent());
    }

    #[test]
    fn a_secret_is_at_most_so_long() {
        let folder = tempfile::tempdir().unwrap();
        for (length, fits) in [(MOST, true), (MOST + 1, false)] {
            let path = folder.path().join(length.to_string());
            create(&path, &vec![7; length]).unwrap();
            assert_eq!(read(&path).is_ok(), fits);
        }
    }

    #[test]
    fn a_secret_is_private_never_replaced_and_gone_once_shredded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(create(&path, b"two"), Err(SecretFileError::Taken { .. })));
        // Another name shows what became of the bytes.
        let other = folder.path().join("other");
        fs::hard_link(&path, &other).unwrap();
        shred(&path).unwrap();
        shred(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read(&other).unwrap(), [0; 3]);
    }
}

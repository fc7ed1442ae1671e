//! A disk that is soon full.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

/// A tmpfs over a folder, which has its owner and mode, until this is dropped. Takes root.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Of so many bytes.
    pub fn over(folder: &Path, bytes: u64) -> Self {
        let found = fs::metadata(folder).expect("a folder");
        let (uid, gid, mode) = (found.uid(), found.gid(), found.permissions().mode() & 0o7777);
        let options = format!("size={bytes},uid={uid},gid={gid},mode={mode:o}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "octroi-test"]).arg(folder).status();
        assert!(mounted.expect("mount runs").success(), "root may mount");
        Self(folder.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what is still open there goes with whoever has it.
        let _gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

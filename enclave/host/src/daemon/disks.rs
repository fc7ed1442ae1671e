//! What a zone writes to, and how much of it.
//!
//! The bounds themselves stand elsewhere: QEMU refuses its guest what lies beyond, a sandbox has a file-size limit. That
//! sizes are looked at too is for a guest that has broken out into its QEMU, and for holes that were not filled in order.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, time::Duration};

use rustix::fs::fstat;

use crate::lease::IMAGE_BYTES;

/// A file to spill to: nameless, gone with its last descriptor, and without a block yet.
pub(super) fn scratch(folder: &Path) -> io::Result<OwnedFd> {
    let file = tempfile::tempfile_in(folder)?;
    file.set_len(IMAGE_BYTES)?;
    Ok(file.into())
}

/// Files that a zone writes to, with what each may hold.
#[derive(Debug, Default)]
pub(super) struct Watched(Vec<(File, u64)>);

impl Watched {
    /// Watches one more.
    pub(super) fn add(&mut self, file: Option<&OwnedFd>, most_bytes: u64) -> io::Result<()> {
        if let Some(file) = file {
            self.0.push((file.try_clone()?.into(), most_bytes));
        }
        Ok(())
    }

    /// Resolves once one of them holds more than it may. Files are sparse, so what counts is what lies on the disk.
    pub(super) async fn overflow(&self) {
        while !self.0.iter().any(|(file, most)| held(file) > most.saturating_add(SLACK)) {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

fn held(file: &File) -> u64 {
    // What cannot be looked at is taken for full.
    fstat(file).map_or(u64::MAX, |found| u64::try_from(found.st_blocks).unwrap_or(u64::MAX).saturating_mul(BLOCK))
}

/// What `st_blocks` counts.
const BLOCK: u64 = 512;
/// For what the file system itself needs, and for headers.
const SLACK: u64 = 1 << 20;
/// At 2 GB/s a zone gets 200 MB beyond its bound.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_written_counts_and_holes_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let descriptor = scratch(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut watched = Watched::default();
        watched.add(Some(&descriptor), 1 << 20).unwrap();
        watched.add(None, 0).unwrap();
        let file = File::from(descriptor);
        assert_eq!((file.metadata().unwrap().len(), held(&file)), (IMAGE_BYTES, 0));
        file.write_all_at(&[1; 1 << 20], 1 << 35).unwrap();
        let looked = tokio::time::timeout(Duration::from_millis(250), watched.overflow()).await;
        assert!(looked.is_err());
        file.write_all_at(&vec![1; 2 << 20], 0).unwrap();
        tokio::time::timeout(Duration::from_secs(5), watched.overflow()).await.unwrap();
    }
}

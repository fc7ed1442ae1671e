//! The disks of a load: sparse files that nothing names, so that a crash leaves nothing behind.

use std::{
    error::Error,
    fs::{DirBuilder, File, OpenOptions, remove_file},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::Path,
    pin::pin,
    sync::Arc,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use octroi_host::lease::IMAGE_BYTES;
use uuid::Uuid;

use super::{Ended, LoadError};

/// The disk that a zone reads: sealed rows as they came, from [`DISK_START`] on.
pub(super) struct Spool {
    writing: Arc<File>,
    reading: File,
    length: u64,
}

/// Makes the folder, for its owner alone.
pub(super) fn ensure(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A disk for a zone to write to; readable here.
pub(super) fn output(folder: &Path) -> io::Result<File> {
    let (file, _) = unnamed(folder)?;
    file.set_len(IMAGE_BYTES)?;
    Ok(file)
}

impl Spool {
    /// An empty disk for so many bytes.
    pub(super) fn begin(folder: &Path, length: u64, most: u64) -> io::Result<Self> {
        debug_assert!(length <= most);
        let (writing, reading) = unnamed(folder)?;
        Ok(Self { writing: Arc::new(writing), reading, length })
    }

    /// Takes in what comes; the disk, opened for reading alone. Asks before each piece whether it still may.
    pub(super) async fn fill<E: Into<Box<dyn Error + Send + Sync>>>(
        self,
        data: impl Stream<Item = Result<Bytes, E>> + Send,
        most: u64,
        mut may: impl FnMut() -> Result<(), Ended> + Send,
    ) -> Result<File, LoadError> {
        let mut data = pin!(data);
        let mut taken = 0_u64;
        while let Some(piece) = data.next().await {
            may()?;
            let piece = piece.map_err(|error| LoadError::Upload(error.into()))?;
            let at = DISK_START + taken;
            taken = taken.saturating_add(piece.len() as u64);
            if taken > most {
                return Err(LoadError::TooLarge { most });
            }
            if taken > self.length {
                return Err(LoadError::Length);
            }
            let file = Arc::clone(&self.writing);
            let written = tokio::task::spawn_blocking(move || file.write_all_at(&piece, at)).await;
            written.map_err(io::Error::other).and_then(|written| written).map_err(LoadError::Spool)?;
        }
        if taken != self.length {
            return Err(LoadError::Length);
        }
        self.writing.set_len(IMAGE_BYTES).map_err(LoadError::Spool)?;
        Ok(self.reading)
    }
}

/// A new file, opened for both and for reading alone, and at once without a name.
fn unnamed(folder: &Path) -> io::Result<(File, File)> {
    let path = folder.join(Uuid::new_v4().simple().to_string());
    let both = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    let reading = File::open(&path);
    remove_file(&path)?;
    Ok((both, reading?))
}

/// Where files begin on a disk; what lies before is not used.
pub(super) const DISK_START: u64 = 4_096;

//! Disks for guests, and the moment at which one is first read.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    os::fd::OwnedFd,
    path::Path,
    time::Instant as Moment,
};

use octroi_host::DISK_BYTES;
use octroi_proto::wire::zone::TableFile;
use rustix::fs::inotify;
use tempfile::NamedTempFile;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Outcome;

/// A disk's image, gone when dropped.
pub(super) struct Disk {
    image: NamedTempFile,
    end: u64,
}

impl Disk {
    /// In a folder, nothing on it yet.
    pub(super) fn new(folder: &Path) -> Outcome<Self> {
        let image = NamedTempFile::new_in(folder)?;
        image.as_file().set_len(DISK_BYTES)?;
        Ok(Self { image, end: BLOCK })
    }

    /// Puts a file's bytes on it; where they are.
    pub(super) fn put(&mut self, source: &mut impl io::Read) -> Outcome<TableFile> {
        let disk_offset = self.end;
        let file = self.image.as_file_mut();
        file.seek(SeekFrom::Start(disk_offset))?;
        let length = io::copy(source, file)?;
        file.flush()?;
        self.end = (disk_offset + length).next_multiple_of(BLOCK);
        Ok(TableFile { disk_offset, length, ..TableFile::default() })
    }

    /// For a guest to read.
    pub(super) fn read_only(&self) -> io::Result<Option<OwnedFd>> {
        Ok(Some(File::open(self.image.path())?.into()))
    }

    /// For a guest to write to.
    pub(super) fn writable(&self) -> io::Result<OwnedFd> {
        Ok(File::options().read(true).write(true).open(self.image.path())?.into())
    }

    /// Waits for the next read of it by anyone, from now on.
    pub(super) fn next_read(&self) -> Outcome<JoinHandle<io::Result<Moment>>> {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&watch, self.image.path(), inotify::WatchFlags::ACCESS)?;
        Ok(spawn_blocking(move || {
            rustix::io::read(&watch, &mut [0; 256])?;
            Ok(Moment::now())
        }))
    }
}

const BLOCK: u64 = 4_096;

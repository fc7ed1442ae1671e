//! The disks of a zone: opened once the work has arrived, and not before.
//!
//! A device that is open, or has cached pages, when a template is frozen shows every clone stale bytes. So nothing here
//! touches a disk until it is asked for it, and devices are opened with `O_DIRECT`: read and write whole, aligned
//! blocks of 4,096 bytes. Trusts the host for nothing but that bytes stay where they are: what is read is encrypted
//! and authenticated by others.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    sync::Arc,
};

use datafusion::execution::TempFileFactory;

use crate::{engine, scratch::Scratch, sys};

/// Where this zone's disks come from.
#[derive(Debug)]
pub struct Disks(Source);

#[derive(Debug)]
enum Source {
    Devices,
    Descriptors { data: Option<File>, output: Option<File>, scratch: Option<File> },
}

/// One disk of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Where the kernel shows it.
    pub path: &'static str,
    /// Whether the engine may write to it.
    pub writable: bool,
}

impl Disks {
    /// The disks of a VM, in the order in which the host plugs them.
    pub const DEVICES: &[Device] = &[DATA, SCRATCH, OUTPUT];

    /// The virtio disks of a VM.
    pub fn of_vm() -> Self {
        Self(Source::Devices)
    }

    /// Descriptors 4, 5 and 6 of a process sandbox, those that are open.
    pub fn inherited() -> Self {
        let at = |number| sys::inherited(number).ok();
        Self(Source::Descriptors { data: at(4), output: at(5), scratch: at(6) })
    }
}

impl engine::Disks for Disks {
    fn data(&self) -> io::Result<File> {
        match &self.0 {
            Source::Devices => open(DATA),
            Source::Descriptors { data, .. } => duplicate(data.as_ref()),
        }
    }

    fn output(&self) -> io::Result<File> {
        match &self.0 {
            Source::Devices => open(OUTPUT),
            Source::Descriptors { output, .. } => duplicate(output.as_ref()),
        }
    }

    fn scratch(&self, bytes: u64) -> io::Result<Option<Arc<dyn TempFileFactory>>> {
        if bytes == 0 {
            return Ok(None);
        }
        let disk = match &self.0 {
            Source::Devices => open(SCRATCH)?,
            Source::Descriptors { scratch, .. } => duplicate(scratch.as_ref())?,
        };
        Ok(Some(Arc::new(Scratch::new(disk, bytes)?)))
    }
}

fn open(device: Device) -> io::Result<File> {
    OpenOptions::new().read(true).write(device.writable).custom_flags(libc::O_DIRECT).open(device.path)
}

fn duplicate(file: Option<&File>) -> io::Result<File> {
    file.ok_or(io::ErrorKind::NotFound)?.try_clone()
}

const DATA: Device = Device { path: "/dev/vda", writable: false };
const SCRATCH: Device = Device { path: "/dev/vdb", writable: true };
const OUTPUT: Device = Device { path: "/dev/vdc", writable: true };

#[cfg(test)]
mod tests {
    use engine::Disks as _;

    use super::*;

    #[test]
    fn a_disk_that_was_not_given_is_said_to_be_absent() {
        let disks = Disks(Source::Descriptors { data: tempfile::tempfile().ok(), output: None, scratch: None });
        assert!(disks.data().is_ok());
        assert!(disks.output().is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        assert!(disks.scratch(1 << 20).is_err());
        assert!(matches!(disks.scratch(0), Ok(None)));
    }
}

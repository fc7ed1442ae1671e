//! Memory files: anonymous, shared by descriptor, and sealed once nothing may change them any more.
//!
//! A clone maps its template's RAM privately. Were that file still writable, every running clone would see the change;
//! were it cut, they would all be killed. Hence [`Sealed`]: measured and mapped only after the kernel refuses both.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use octroi_attest::Measurement;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A memory file that is still written.
#[derive(Debug)]
pub(crate) struct Open(File);

/// A memory file whose bytes and length are final.
#[derive(Debug)]
pub(crate) struct Sealed(File);

impl Open {
    /// An empty file; `name` shows in `/proc`.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let descriptor = memfd_create(name, MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?;
        Ok(Self(File::from(descriptor)))
    }

    /// A file of so many zeros, which cost nothing until written.
    pub(crate) fn zeroed(name: &str, bytes: u64) -> io::Result<Self> {
        let open = Self::new(name)?;
        open.0.set_len(bytes)?;
        Ok(open)
    }

    /// A sealed copy of a file.
    pub(crate) fn copy_of(name: &str, file: &mut File) -> io::Result<Sealed> {
        let mut open = Self::new(name)?;
        io::copy(file, &mut open.0)?;
        open.seal()
    }

    /// The same file, for another process.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }

    /// The same file opened for writing alone: QEMU takes descriptors of the exact mode it asks for.
    pub(crate) fn write_only(&self) -> io::Result<OwnedFd> {
        Ok(OpenOptions::new().write(true).open(path(&self.0))?.into())
    }

    /// Ends all writing. Refused while anyone maps the file writable.
    pub(crate) fn seal(self) -> io::Result<Sealed> {
        fcntl_add_seals(&self.0, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Sealed(self.0))
    }
}

impl Sealed {
    /// The same file opened for reading alone, from its start.
    pub(crate) fn read_only(&self) -> io::Result<File> {
        File::open(path(&self.0))
    }

    /// SHA-256 over its bytes. Reads all of them.
    pub(crate) fn measure(&self) -> io::Result<Measurement> {
        Measurement::of_reader(&mut self.read_only()?)
    }
}

fn path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn what_is_sealed_is_neither_written_nor_cut_nor_grown() {
        let mut open = Open::zeroed("test", 3).unwrap();
        open.0.write_all(b"abc").unwrap();
        let sealed = open.seal().unwrap();
        assert_eq!(sealed.measure().unwrap(), Measurement::of(b"abc"));
        assert!((&sealed.0).write_all(b"x").is_err());
        assert!(sealed.0.set_len(1).is_err() && sealed.0.set_len(9).is_err());
        assert!(
            OpenOptions::new().write(true).open(path(&sealed.0)).and_then(|mut file| file.write_all(b"x")).is_err()
        );
        let mut text = String::new();
        sealed.read_only().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}

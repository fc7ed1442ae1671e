//! Where each frame begins: a side file, derived, so that memory stays bounded and any entry is one seek away.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    os::unix::fs::FileExt,
    path::Path,
};

use super::private_file;

/// The side file while the journal is walked: what agrees is kept, from the first difference on it is rewritten.
pub(super) struct Offsets {
    file: File,
    present: BufReader<File>,
    agrees: bool,
    len: u64,
    written: u64,
    pending: Vec<u8>,
}

impl Offsets {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = private_file(path)?;
        let mut present = file.try_clone()?;
        present.rewind()?;
        let present = BufReader::new(present);
        Ok(Self { file, present, agrees: true, len: 0, written: 0, pending: Vec::new() })
    }

    /// The next frame begins here.
    pub(super) fn note(&mut self, offset: u64) -> io::Result<()> {
        if self.agrees {
            let mut found = [0; 8];
            self.agrees = match self.present.read_exact(&mut found) {
                Ok(()) => u64::from_be_bytes(found) == offset,
                Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => false,
                Err(source) => return Err(source),
            };
            if !self.agrees {
                self.written = self.len;
            }
        }
        if !self.agrees {
            self.pending.extend(offset.to_be_bytes());
            if self.pending.len() >= FLUSH {
                self.flush()?;
            }
        }
        self.len += 1;
        Ok(())
    }

    /// The mended file and how many offsets it holds.
    pub(super) fn finish(mut self) -> io::Result<(File, u64)> {
        self.flush()?;
        self.file.set_len(self.len * 8)?;
        Ok((self.file, self.len))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.pending, self.written * 8)?;
        self.written += (self.pending.len() / 8) as u64;
        self.pending.clear();
        Ok(())
    }
}

const FLUSH: usize = 64 << 10;

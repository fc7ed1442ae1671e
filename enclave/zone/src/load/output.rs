//! Writes to the output disk, past the page cache.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
};

/// The output disk from an offset on. Whole blocks are written from aligned memory, so that the file may have been
/// opened for direct writes; the last is filled up with zeros.
pub(super) struct Output {
    file: File,
    offset: u64,
    end: u64,
    memory: Vec<u8>,
    filled: usize,
}

impl Output {
    /// `end` is the disk's size; nothing is written from there on.
    pub(super) fn new(file: File, offset: u64, end: u64) -> Self {
        Self { file, offset, end, memory: vec![0; PIECE + BLOCK], filled: 0 }
    }

    /// Writes what is left, and waits until all of it is on the disk.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let whole = self.filled.next_multiple_of(BLOCK);
        let filled = self.filled;
        self.piece().get_mut(filled..whole).unwrap_or_default().fill(0);
        self.filled = whole;
        self.write_piece()?;
        self.file.sync_data()
    }

    fn piece(&mut self) -> &mut [u8] {
        let aligned = self.memory.as_ptr().align_offset(BLOCK);
        self.memory.get_mut(aligned..aligned.saturating_add(PIECE)).unwrap_or_default()
    }

    fn write_piece(&mut self) -> io::Result<()> {
        let (offset, filled) = (self.offset, self.filled);
        let end = offset.saturating_add(filled as u64);
        if end > self.end {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let aligned = self.memory.as_ptr().align_offset(BLOCK);
        let piece = self.memory.get(aligned..aligned.saturating_add(filled)).ok_or(io::ErrorKind::OutOfMemory)?;
        self.file.write_all_at(piece, offset)?;
        self.offset = end;
        self.filled = 0;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.filled == PIECE {
            self.write_piece()?;
        }
        let filled = self.filled;
        let space = self.piece().get_mut(filled..).unwrap_or_default();
        let taken = space.len().min(buffer.len());
        if let (Some(to), Some(from)) = (space.get_mut(..taken), buffer.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.filled += taken;
        Ok(taken)
    }

    /// Only whole pieces go to the disk before the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("offset", &self.offset).finish_non_exhaustive()
    }
}

const BLOCK: usize = 4096;
const PIECE: usize = 1 << 20;

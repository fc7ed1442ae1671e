//! Where the engine spills what does not fit in memory: a disk that sees ciphertext alone.
//!
//! ```text
//! SpillWriter -> blocks of 256 KiB -> AES-256-GCM -> disk        read_stream: back again, in order
//! ```
//!
//! The key is made here, lives in this process's memory and dies with it. Every block that is written has a nonce of its
//! own, kept in memory with its place: a block that the host changed, moved or kept from earlier does not open. So the
//! host is trusted with nothing but the bytes' absence. Does not give: hiding how much is spilled, and when.

mod block;

use std::{
    fmt,
    fs::File,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use datafusion::{
    common::DataFusionError,
    execution::{SpillFile, SpillWriter, TempFileFactory},
};
use futures::{Stream, stream};

use self::block::{Blocks, Place};

/// Encrypted space to spill to; the engine's `DiskManager` makes its files here.
#[derive(Clone)]
pub struct Scratch(Arc<Blocks>);

impl Scratch {
    /// Takes the first `most` bytes of this disk, whatever is on them.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn new(disk: File, most: u64) -> io::Result<Self> {
        Ok(Self(Arc::new(Blocks::new(disk, most)?)))
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

impl TempFileFactory for Scratch {
    fn create_temp_file(&self, _description: &str) -> Result<Arc<dyn SpillFile>, DataFusionError> {
        Ok(Arc::new(Spill(Arc::new(Contents { blocks: Arc::clone(&self.0), written: Mutex::default() }))))
    }
}

/// One spilled file; its blocks are free again once nobody holds it.
struct Spill(Arc<Contents>);

/// What was written: it can be read from the moment on, also while more is being written.
struct Contents {
    blocks: Arc<Blocks>,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// In order.
    places: Vec<Place>,
    /// What follows them and does not fill a block yet.
    tail: Vec<u8>,
}

/// Where to read on.
enum Next {
    /// In a block, after so many bytes of it.
    Block(Place, usize),
    /// What is not in a block yet.
    Tail(Vec<u8>),
}

impl SpillFile for Spill {
    fn size(&self) -> Option<u64> {
        let length = |written: &mut Written| {
            written.places.iter().map(|place| place.length()).sum::<usize>() + written.tail.len()
        };
        Some(self.0.with(length) as u64)
    }

    fn read_stream(
        &self,
    ) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes, DataFusionError>> + Send>>, DataFusionError> {
        let contents = Arc::clone(&self.0);
        let mut read = Some(0);
        let more = move || {
            let bytes = contents.after(read?)?;
            // After a block that does not open there is nothing.
            read = read.zip(bytes.as_ref().ok()).map(|(read, bytes)| read + bytes.len());
            Some(bytes.map_err(DataFusionError::from))
        };
        Ok(Box::pin(stream::iter(std::iter::from_fn(more))))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>, DataFusionError> {
        Ok(Box::new(Writer(Arc::clone(&self.0))))
    }
}

impl Contents {
    fn with<T>(&self, look: impl FnOnce(&mut Written) -> T) -> T {
        look(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What follows the first so many bytes; `None` if nothing was written there yet.
    fn after(&self, read: usize) -> Option<io::Result<Bytes>> {
        Some(match self.with(|written| written.after(read))? {
            Next::Block(place, skip) => self.blocks.read(place).map(|block| Bytes::from(block).slice(skip..)),
            Next::Tail(tail) => Ok(tail.into()),
        })
    }

    /// Makes a block of the tail.
    fn put(&self) -> io::Result<()> {
        self.with(|written| {
            if !written.tail.is_empty() {
                written.places.push(self.blocks.write(&written.tail)?);
                written.tail.clear();
            }
            Ok(())
        })
    }
}

impl Written {
    fn after(&self, read: usize) -> Option<Next> {
        let mut start = 0;
        for place in &self.places {
            if read < start + place.length() {
                return Some(Next::Block(*place, read - start));
            }
            start += place.length();
        }
        let tail = self.tail.get(read - start..).filter(|tail| !tail.is_empty())?;
        Some(Next::Tail(tail.to_vec()))
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        let written = self.with(std::mem::take);
        self.blocks.free(written.places);
    }
}

/// Fills a block, then writes it.
struct Writer(Arc<Contents>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.with(|written| written.tail.len()) == block::CONTENT {
            self.0.put()?;
        }
        Ok(self.0.with(|written| {
            let taken = bytes.len().min(block::CONTENT - written.tail.len());
            written.tail.extend(bytes.iter().take(taken));
            taken
        }))
    }

    /// Keeps what does not fill a block: the engine flushes after every batch, and readers find it here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<(), DataFusionError> {
        Ok(self.0.put()?)
    }
}

#[cfg(test)]
mod tests;

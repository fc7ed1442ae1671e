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
pub(crate) struct Scratch(Arc<Blocks>);

impl Scratch {
    /// Takes the first `most` bytes of this disk, whatever is on them.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub(crate) fn new(disk: File, most: u64) -> io::Result<Self> {
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
        Ok(Arc::new(Spill(Arc::new(Contents { blocks: Arc::clone(&self.0), places: Mutex::default() }))))
    }
}

/// One spilled file; its blocks are free again once nobody holds it.
struct Spill(Arc<Contents>);

struct Contents {
    blocks: Arc<Blocks>,
    /// In order.
    places: Mutex<Vec<Place>>,
}

impl SpillFile for Spill {
    fn size(&self) -> Option<u64> {
        Some(self.0.with(|places| places.iter().map(|place| place.length() as u64).sum()))
    }

    fn read_stream(
        &self,
    ) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes, DataFusionError>> + Send>>, DataFusionError> {
        let contents = Arc::clone(&self.0);
        let read = move |index| {
            let place = contents.with(|places| places.get(index).copied());
            place.map(|place| contents.blocks.read(place).map(Bytes::from).map_err(DataFusionError::from))
        };
        Ok(Box::pin(stream::iter((0..).map_while(read))))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>, DataFusionError> {
        Ok(Box::new(Writer { contents: Arc::clone(&self.0), pending: Vec::new() }))
    }
}

impl Contents {
    fn with<T>(&self, look: impl FnOnce(&mut Vec<Place>) -> T) -> T {
        look(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        let places = self.with(std::mem::take);
        self.blocks.free(places);
    }
}

/// Fills a block, then writes it.
struct Writer {
    contents: Arc<Contents>,
    pending: Vec<u8>,
}

impl Writer {
    fn put(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            let place = self.contents.blocks.write(&self.pending)?;
            self.contents.with(|places| places.push(place));
            self.pending.clear();
        }
        Ok(())
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() == block::CONTENT {
            self.put()?;
        }
        let taken = bytes.len().min(block::CONTENT - self.pending.len());
        self.pending.extend(bytes.iter().take(taken));
        Ok(taken)
    }

    /// Keeps what does not fill a block: the engine flushes after every batch.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<(), DataFusionError> {
        Ok(self.put()?)
    }
}

#[cfg(test)]
mod tests;

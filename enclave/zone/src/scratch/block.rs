//! Blocks of one disk, each sealed by itself.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::{Mutex, PoisonError},
};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

/// A disk cut into blocks.
pub(super) struct Blocks {
    disk: File,
    key: LessSafeKey,
    state: Mutex<State>,
}

/// Which blocks are free, and which nonces are used.
#[derive(Debug)]
struct State {
    /// How many blocks there are.
    most: u64,
    /// None from here on was ever written.
    fresh: u64,
    /// Written once, and free again.
    free: Vec<u64>,
    /// Each write has the next.
    nonce: u64,
}

/// One sealed block: all that is needed to read it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    block: u64,
    nonce: u64,
    length: u32,
    tag: [u8; 16],
}

impl Place {
    /// Bytes of content.
    pub(super) fn length(self) -> usize {
        self.length as usize
    }
}

impl Blocks {
    pub(super) fn new(disk: File, most: u64) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut()).map_err(|_| io::Error::other("the kernel gives no random bytes"))?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let state = State { most: most / CONTENT as u64, fresh: 0, free: Vec::new(), nonce: 0 };
        Ok(Self { disk, key: LessSafeKey::new(key), state: Mutex::new(state) })
    }

    /// Seals at most [`CONTENT`] bytes into a free block.
    pub(super) fn write(&self, content: &[u8]) -> io::Result<Place> {
        let length = u32::try_from(content.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut buffer = Aligned::new();
        let sealed = buffer.content(content.len()).ok_or(io::ErrorKind::InvalidInput)?;
        sealed.copy_from_slice(content);
        let (block, nonce) = self.state().take().ok_or(io::ErrorKind::StorageFull)?;
        let tag = self.key.seal_in_place_separate_tag(numbered(nonce), Aad::empty(), sealed);
        let tag = tag.map_err(|_| io::Error::other("a scratch block cannot be sealed"))?;
        let tag = tag.as_ref().try_into().map_err(|_| io::ErrorKind::InvalidData)?;
        let place = Place { block, nonce, length, tag };
        if let Err(error) = self.disk.write_all_at(buffer.whole_sectors(content.len()), block * CONTENT as u64) {
            self.free(vec![place]);
            return Err(error);
        }
        Ok(place)
    }

    /// Opens a block.
    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut buffer = Aligned::new();
        self.disk.read_exact_at(buffer.whole_sectors(place.length()), place.block * CONTENT as u64)?;
        let sealed = buffer.content(place.length()).ok_or(io::ErrorKind::InvalidData)?;
        let opened =
            self.key.open_in_place_separate_tag(numbered(place.nonce), Aad::empty(), Tag::from(place.tag), sealed, 0..);
        opened.map(|content| content.to_vec()).map_err(|_| io::Error::other("the scratch disk was tampered with"))
    }

    /// Gives blocks back.
    pub(super) fn free(&self, places: Vec<Place>) {
        self.state().free.extend(places.into_iter().map(|place| place.block));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A block and a nonce of its own, or `None` when all are in use.
    fn take(&mut self) -> Option<(u64, u64)> {
        let block = match self.free.pop() {
            Some(block) => block,
            None if self.fresh < self.most => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return None,
        };
        self.nonce += 1;
        Some((block, self.nonce))
    }
}

/// Never twice under one key: 2^64 writes of 256 KiB do not fit in any life.
fn numbered(nonce: u64) -> Nonce {
    let mut bytes = [0; 12];
    if let Some(counter) = bytes.last_chunk_mut() {
        *counter = nonce.to_be_bytes();
    }
    Nonce::assume_unique_for_key(bytes)
}

/// A block in memory, where `O_DIRECT` can reach it.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    fn new() -> Self {
        let bytes = vec![0; CONTENT + SECTOR];
        let start = bytes.as_ptr().align_offset(SECTOR).min(SECTOR);
        Self { bytes, start }
    }

    /// The first so many bytes.
    fn content(&mut self, length: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.start..self.start + length.min(CONTENT + 1)).filter(|_| length <= CONTENT)
    }

    /// The same, and what fills the last sector.
    fn whole_sectors(&mut self, length: usize) -> &mut [u8] {
        let end = self.start + length.next_multiple_of(SECTOR).min(CONTENT);
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }
}

/// Bytes of a block: each is read and written in one request.
pub(super) const CONTENT: usize = 256 * 1024;
/// What `O_DIRECT` counts in.
const SECTOR: usize = 4096;

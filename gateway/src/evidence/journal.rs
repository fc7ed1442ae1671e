//! The append-only file of entries: the one thing that durability rests on.
//!
//! ```text
//! entries   magic, then frames:  u32 length (high bit: first of its batch) | u32 CRC-32 | 32-byte salt | entry
//! offsets   u64 for each frame, big-endian; derived from `entries` and mended at open
//! ```
//!
//! A batch is one write and one `fdatasync`. After a power failure the last batch may be torn: it was never
//! acknowledged, so it is cut off. A bad frame with a later batch behind it is damage, and the store refuses to open.
//! The whole file's checksums are read at each open; that they match says nothing about forgery, which is the log's
//! business.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufReader, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ring::digest::{Context, SHA256};

use self::offsets::Offsets;
use crate::durable::sync_folder;

mod offsets;

/// Why the journal does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenJournalError {
    /// Another process writes it.
    #[error("the evidence in `{path}` is in use by another process: stop `octroi serve` first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A frame is bad though later batches follow it: not a torn write.
    #[error("the evidence in `{path}` is damaged at byte {offset}: restore the file from a backup or a replica")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the bad frame begins.
        offset: u64,
    },
    /// The file does not begin as a journal of this version does.
    #[error("`{path}` is no evidence journal that this version reads: check the path and the version of octroi")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("the evidence in `{path}` cannot be opened: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadEntryError {
    /// Its bytes changed since they were written.
    #[error("evidence entry {sequence} is damaged: restore the evidence from a backup")]
    Damaged {
        /// Which entry.
        sequence: u64,
    },
    /// The file system refused.
    #[error("the evidence cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// One entry's bytes and the salt they are committed to with.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    pub(super) salt: [u8; SALT],
    pub(super) entry: Vec<u8>,
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").field("bytes", &self.entry.len()).finish_non_exhaustive()
    }
}

impl Leaf {
    /// The entry's bytes, as they were hashed.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// The salt.
    pub fn salt(&self) -> &[u8; SALT] {
        &self.salt
    }

    /// What the log says of it in public: SHA-256(salt || entry).
    pub fn commitment(&self) -> [u8; 32] {
        commitment(&self.salt, &self.entry)
    }
}

/// SHA-256(salt || entry).
pub(super) fn commitment(salt: &[u8], entry: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    context.update(entry);
    let mut commitment = [0; 32];
    commitment.copy_from_slice(context.finish().as_ref());
    commitment
}

/// The writing end; one per file, guarded by a lock on it.
#[derive(Debug)]
pub(super) struct Journal {
    reader: JournalReader,
    end: u64,
    failed: bool,
    sync: fn(&File) -> io::Result<()>,
    syncs: u64,
}

/// The reading end; cheap to clone, sees what is durable.
#[derive(Debug, Clone)]
pub(super) struct JournalReader {
    entries: Arc<File>,
    offsets: Arc<File>,
    len: Arc<AtomicU64>,
}

impl Journal {
    /// Opens the journal in this folder, or begins one; cuts off a torn tail.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenJournalError> {
        let path = folder.join("entries");
        let io = |source| OpenJournalError::Io { path: path.clone(), source };
        let entries = private_file(&path).map_err(io)?;
        match entries.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenJournalError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        begin(&entries, folder, &path)?;
        let mut offsets = Offsets::open(&folder.join("offsets")).map_err(io)?;
        let end = recover(&entries, &path, &mut offsets)?;
        let (offsets, len) = offsets.finish().map_err(io)?;
        let reader = JournalReader {
            entries: Arc::new(entries),
            offsets: Arc::new(offsets),
            len: Arc::new(AtomicU64::new(len)),
        };
        Ok(Self { reader, end, failed: false, sync: File::sync_data, syncs: 0 })
    }

    /// Appends leaves as one batch, durable when this returns.
    ///
    /// After a failure nobody knows what the disk holds, and a second `fsync` may report success for pages that the
    /// first one dropped: so the journal refuses everything until it is opened anew.
    pub(super) fn append(&mut self, leaves: &[Leaf]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed: restart octroi"));
        }
        self.failed = true;
        let (frames, offsets) = frames(leaves, self.end)?;
        self.reader.entries.write_all_at(&frames, self.end)?;
        (self.sync)(&self.reader.entries)?;
        self.syncs += 1;
        let len = self.reader.len();
        self.reader.offsets.write_all_at(&offsets, len * 8)?;
        self.end += frames.len() as u64;
        self.reader.len.store(len + leaves.len() as u64, Ordering::Release);
        self.failed = false;
        Ok(())
    }

    pub(super) fn reader(&self) -> &JournalReader {
        &self.reader
    }

    /// How often the disk was told to keep what was written, since the journal was opened.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs
    }

    #[cfg(test)]
    pub(super) fn fail_syncs(&mut self) {
        self.sync = |_| Err(io::Error::other("no space left on device"));
    }
}

impl JournalReader {
    /// Entries that are durable.
    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// One leaf; `None` past the end.
    pub(super) fn leaf(&self, sequence: u64) -> Result<Option<Leaf>, ReadEntryError> {
        self.leaves(sequence)?.next().transpose()
    }

    /// The leaves from here on, as many as are durable now.
    pub(super) fn leaves(&self, from: u64) -> Result<Leaves<'_>, ReadEntryError> {
        let end = self.len();
        let mut start = [0; 8];
        if from < end {
            self.offsets.read_exact_at(&mut start, from * 8)?;
        }
        let reader = BufReader::with_capacity(64 << 10, At { file: &self.entries, at: u64::from_be_bytes(start) });
        Ok(Leaves { reader, next: from, end })
    }
}

/// Leaves in order.
pub(super) struct Leaves<'a> {
    reader: BufReader<At<'a>>,
    next: u64,
    end: u64,
}

impl Iterator for Leaves<'_> {
    type Item = Result<Leaf, ReadEntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let sequence = self.next;
        self.next += 1;
        let frame = read_frame(&mut self.reader, u64::MAX).map_err(|fault| match fault {
            Fault::Bad => ReadEntryError::Damaged { sequence },
            Fault::Io(source) => ReadEntryError::Io(source),
        });
        if frame.is_err() {
            self.next = self.end;
        }
        Some(frame.map(|frame| frame.leaf))
    }
}

struct Frame {
    leaf: Leaf,
    size: u64,
    opens_batch: bool,
}

enum Fault {
    /// Too short, too long, or its checksum is wrong.
    Bad,
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::UnexpectedEof { Self::Bad } else { Self::Io(source) }
    }
}

/// Reads the frame that begins here and has at most `remaining` bytes.
fn read_frame(reader: &mut impl Read, remaining: u64) -> Result<Frame, Fault> {
    let mut word = [0; 4];
    let mut checksum = [0; 4];
    reader.read_exact(&mut word)?;
    reader.read_exact(&mut checksum)?;
    let header = u32::from_be_bytes(word);
    let length = header & !OPENS_BATCH;
    let size = u64::from(length) + HEADER;
    if !(SALT as u32 + 1..=SALT as u32 + MAX_ENTRY).contains(&length) || size > remaining {
        return Err(Fault::Bad);
    }
    let mut salt = [0; SALT];
    reader.read_exact(&mut salt)?;
    let mut entry = vec![0; length as usize - SALT];
    reader.read_exact(&mut entry)?;
    if crc(word, &salt, &entry) != u32::from_be_bytes(checksum) {
        return Err(Fault::Bad);
    }
    Ok(Frame { leaf: Leaf { salt, entry }, size, opens_batch: header & OPENS_BATCH != 0 })
}

/// A batch's frames, and their offsets as the side file keeps them.
fn frames(leaves: &[Leaf], start: u64) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut offsets = Vec::with_capacity(leaves.len() * 8);
    for (index, Leaf { salt, entry }) in leaves.iter().enumerate() {
        let length = u32::try_from(entry.len()).ok().filter(|length| (1..=MAX_ENTRY).contains(length));
        let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))? + SALT as u32;
        let word = (length | if index == 0 { OPENS_BATCH } else { 0 }).to_be_bytes();
        offsets.extend((start + frames.len() as u64).to_be_bytes());
        frames.extend(word);
        frames.extend(crc(word, salt, entry).to_be_bytes());
        frames.extend(salt);
        frames.extend(entry);
    }
    Ok((frames, offsets))
}

fn crc(word: [u8; 4], salt: &[u8], entry: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&word);
    hasher.update(salt);
    hasher.update(entry);
    hasher.finalize()
}

/// Writes the magic of a new file; refuses a file that has another.
fn begin(entries: &File, folder: &Path, path: &Path) -> Result<(), OpenJournalError> {
    let io = |source| OpenJournalError::Io { path: path.to_owned(), source };
    let mut found = [0; MAGIC.len()];
    let present = entries.metadata().map_err(io)?.len().min(MAGIC.len() as u64) as usize;
    let found = found.get_mut(..present).unwrap_or_default();
    entries.read_exact_at(found, 0).map_err(io)?;
    if !MAGIC.starts_with(found) {
        return Err(OpenJournalError::Unknown { path: path.to_owned() });
    }
    if present < MAGIC.len() {
        entries.write_all_at(MAGIC, 0).map_err(io)?;
        entries.sync_all().map_err(io)?;
        sync_folder(folder).map_err(io)?;
    }
    Ok(())
}

/// Walks all frames, notes their offsets, cuts off a torn tail. Returns where the next frame goes.
fn recover(entries: &File, path: &Path, offsets: &mut Offsets) -> Result<u64, OpenJournalError> {
    let io = |source| OpenJournalError::Io { path: path.to_owned(), source };
    let size = entries.metadata().map_err(io)?.len();
    let mut at = MAGIC.len() as u64;
    let mut reader = BufReader::with_capacity(1 << 20, At { file: entries, at });
    while at < size {
        match read_frame(&mut reader, size - at) {
            Ok(frame) => {
                offsets.note(at).map_err(io)?;
                at += frame.size;
            }
            Err(Fault::Io(source)) => return Err(io(source)),
            Err(Fault::Bad) if batch_follows(entries, at, size).map_err(io)? => {
                return Err(OpenJournalError::Damaged { path: path.to_owned(), offset: at });
            }
            Err(Fault::Bad) => {
                tracing::warn!(offset = at, bytes = size - at, "cut off the torn, unacknowledged tail of the evidence");
                entries.set_len(at).and_then(|()| entries.sync_all()).map_err(io)?;
                break;
            }
        }
    }
    Ok(at)
}

/// Whether a whole frame that opens a batch begins anywhere behind this offset.
fn batch_follows(entries: &File, bad: u64, size: u64) -> io::Result<bool> {
    let mut start = bad + 1;
    while start + HEADER <= size {
        let mut window = vec![0; usize::try_from((size - start).min(WINDOW)).unwrap_or(0)];
        entries.read_exact_at(&mut window, start)?;
        for (index, word) in window.windows(4).enumerate() {
            let at = start + index as u64;
            let plausible = word.first().is_some_and(|high| *high == (OPENS_BATCH >> 24) as u8);
            if plausible && frame_opens_batch(entries, at, size)? {
                return Ok(true);
            }
        }
        start += (window.len() as u64).saturating_sub(3).max(1);
    }
    Ok(false)
}

fn frame_opens_batch(entries: &File, at: u64, size: u64) -> io::Result<bool> {
    match read_frame(&mut At { file: entries, at }, size - at) {
        Ok(frame) => Ok(frame.opens_batch),
        Err(Fault::Bad) => Ok(false),
        Err(Fault::Io(source)) => Err(source),
    }
}

/// Opens or creates a file that only its owner reads.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// A file read from a place of one's own.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What a journal of this version begins with.
const MAGIC: &[u8; 8] = b"octroi\x00\x01";
const SALT: usize = 32;
const HEADER: u64 = 8;
const OPENS_BATCH: u32 = 1 << 31;
/// The longest entry, in bytes; under 2^24, so that the search for a later batch knows its first byte.
pub(super) const MAX_ENTRY: u32 = (16 << 20) - 64;
const WINDOW: u64 = 1 << 20;

#[cfg(test)]
mod tests;

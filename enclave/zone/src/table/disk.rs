//! Reads at positions, past the page cache.
//!
//! A buffered read of a virtio disk is ten times slower than a direct one, and could serve pages from before the clone
//! was made. Direct reads want aligned offsets, lengths and memory; a plain file (of the process sandbox) is read the
//! same way.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// A disk, or a file in its place. Only ciphertext is read from it; clones share it.
#[derive(Clone)]
pub struct Disk {
    file: Arc<File>,
    pool: Arc<Pool>,
}

/// Memory that was read into, waiting to be read into again.
#[derive(Default)]
struct Pool {
    spare: Mutex<Vec<Vec<u8>>>,
}

/// A piece of the disk in memory; its memory goes back to the pool.
struct Buffer {
    memory: Vec<u8>,
    wanted: Range<usize>,
    pool: Arc<Pool>,
}

/// Reads one extent of a disk from its beginning, a window at a time, and seeks in it.
#[derive(Debug)]
pub struct DiskReader {
    disk: Disk,
    extent: Range<u64>,
    position: u64,
    window: Bytes,
}

impl Disk {
    /// Takes a device, opened for direct reads, or a file as it was opened.
    pub fn file(file: File) -> Self {
        Self { file: Arc::new(file), pool: Arc::default() }
    }

    /// Reads a range.
    ///
    /// # Errors
    /// `UnexpectedEof` if the disk ends before the range does, `InvalidInput` for a range longer than
    /// 1 GiB, and those of reading.
    pub fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end.checked_sub(range.start).ok_or(io::ErrorKind::InvalidInput)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        let begin = range.start - range.start % ALIGNMENT;
        let end = range.end.checked_next_multiple_of(ALIGNMENT).ok_or(io::ErrorKind::InvalidInput)?;
        if end - begin > MOST_READ {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let whole = usize::try_from(end - begin).map_err(|_| io::ErrorKind::InvalidInput)?;
        let skip = usize::try_from(range.start - begin).map_err(|_| io::ErrorKind::InvalidInput)?;
        let take = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut memory = self.pool.take(whole);
        let aligned = memory.as_ptr().align_offset(ALIGNED);
        let space = memory.get_mut(aligned..aligned.saturating_add(whole)).ok_or(io::ErrorKind::OutOfMemory)?;
        read_at_least(&self.file, space, begin, skip + take)?;
        let wanted = aligned + skip..aligned + skip + take;
        Ok(Bytes::from_owner(Buffer { memory, wanted, pool: Arc::clone(&self.pool) }))
    }

    /// Reads ranges, near ones in one go. What comes back is in the order asked.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub fn read_all(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let runs = coalesce(ranges);
        let read = runs.iter().map(|run| self.read(run.clone())).collect::<io::Result<Vec<_>>>()?;
        let cut = |range: &Range<u64>| {
            let of = runs.iter().rposition(|run| run.start <= range.start).ok_or(io::ErrorKind::InvalidInput)?;
            let (run, bytes) = runs.get(of).zip(read.get(of)).ok_or(io::ErrorKind::InvalidInput)?;
            let from = usize::try_from(range.start - run.start).map_err(|_| io::ErrorKind::InvalidInput)?;
            let length = usize::try_from(range.end - range.start).map_err(|_| io::ErrorKind::InvalidInput)?;
            Ok(bytes.slice(from..from + length))
        };
        ranges.iter().map(cut).collect()
    }

    /// A sequential reader of one extent.
    pub fn reader(&self, extent: Range<u64>) -> DiskReader {
        DiskReader { disk: self.clone(), position: extent.start, extent, window: Bytes::new() }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Pool {
    /// Memory for `whole` aligned bytes.
    fn take(&self, whole: usize) -> Vec<u8> {
        let needed = whole + ALIGNED;
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        // Neither too small nor so large that a small read would hold it.
        match spare.iter().position(|memory| (needed..=needed.saturating_mul(4)).contains(&memory.len())) {
            Some(fitting) => spare.swap_remove(fitting),
            None => vec![0; needed.next_multiple_of(GRAIN)],
        }
    }

    fn give_back(&self, memory: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(memory);
        while spare.iter().map(Vec::len).sum::<usize>() > MOST_SPARE {
            spare.remove(0);
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.memory.get(self.wanted.clone()).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.memory));
    }
}

impl BufRead for DiskReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.window.is_empty() && self.position < self.extent.end {
            // Windows end at multiples of their size, so that no block is read twice.
            let end = self.position.saturating_add(1).checked_next_multiple_of(WINDOW).unwrap_or(u64::MAX);
            self.window = self.disk.read(self.position..end.min(self.extent.end))?;
        }
        Ok(&self.window)
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.window.len());
        self.position = self.position.saturating_add(amount as u64);
        drop(self.window.split_to(amount));
    }
}

impl Read for DiskReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl Seek for DiskReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => self.extent.start.checked_add(offset),
            SeekFrom::End(offset) => self.extent.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let inside = self.extent.start..=self.extent.end;
        let target = target.filter(|target| inside.contains(target)).ok_or(io::ErrorKind::InvalidInput)?;
        let ahead = target.checked_sub(self.position).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead.filter(|ahead| *ahead <= self.window.len()) {
            Some(ahead) => self.consume(ahead),
            None => self.window.clear(),
        }
        self.position = target;
        Ok(target - self.extent.start)
    }
}

/// Reads until the first `least` bytes of `space` are there.
fn read_at_least(file: &File, space: &mut [u8], offset: u64, least: usize) -> io::Result<()> {
    let mut done = 0;
    while done < least {
        let rest = space.get_mut(done..).unwrap_or_default();
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The reads that serve `ranges`: ascending, each at most [`MOST_RUN`] unless one range is longer.
fn coalesce(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| range.start <= range.end).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut runs: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match runs.last_mut() {
            Some(run)
                if range.end <= run.end
                    || (range.start <= run.end.saturating_add(GAP) && range.end - run.start <= MOST_RUN) =>
            {
                run.end = run.end.max(range.end);
            }
            _ => runs.push(range),
        }
    }
    runs
}

const ALIGNMENT: u64 = 4096;
const ALIGNED: usize = 4096;
/// Memory is taken in multiples of this, so that it fits again. Bytes.
const GRAIN: usize = 256 * 1024;
/// Bytes of memory that wait.
const MOST_SPARE: usize = 16 << 20;
const MOST_READ: u64 = 1 << 30;
const MOST_RUN: u64 = 4 << 20;
/// Reading over this much costs less than a second read. Bytes.
const GAP: u64 = 256 * 1024;
const WINDOW: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};

    use super::{super::tests::Dice, *};

    fn disk(content: &[u8]) -> Disk {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Disk::file(file)
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn a_device_is_read_directly() {
        let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&content(3 * 4096)).unwrap();
        let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        let disk = Disk::file(OpenOptions::new().read(true).custom_flags(direct).open(file.path()).unwrap());
        assert_eq!(disk.read(4095..8193).unwrap(), content(3 * 4096)[4095..8193]);
    }

    #[test]
    fn what_lies_beyond_the_end_is_not_there() {
        let disk = disk(&content(5000));
        assert_eq!(disk.read(4990..5000).unwrap(), content(5000)[4990..]);
        assert_eq!(disk.read(4990..5001).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        #[expect(clippy::reversed_empty_ranges, reason = "the case")]
        let backwards = 10..5;
        assert_eq!(disk.read(backwards).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(disk.read(0..u64::MAX).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn memory_is_used_again() {
        let disk = disk(&content(1 << 20));
        for _ in 0..20 {
            disk.read(0..1 << 20).unwrap();
        }
        assert_eq!(disk.pool.spare.lock().unwrap().len(), 1);
    }

    #[test]
    fn ranges_come_back_as_asked() {
        let all = content(1_000_000);
        let disk = disk(&all);
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let mut ranges = Vec::new();
            for _ in 0..1 + dice.below(20) {
                let start = dice.below(900_000);
                ranges.push(start..start + dice.below(90_000));
            }
            let read = disk.read_all(&ranges).unwrap();
            for (range, bytes) in ranges.iter().zip(read) {
                assert_eq!(bytes, all[range.start as usize..range.end as usize], "seed {seed}");
            }
        }
    }

    #[test]
    fn a_reader_seeks() {
        let all = content(10_000);
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let mut reader = disk(&all).reader(1_000..9_000);
            for _ in 0..20 {
                let (to, length) = (dice.below(6_000), dice.below(9_000));
                reader.seek(SeekFrom::Start(to)).unwrap();
                let mut read = Vec::new();
                reader.by_ref().take(length).read_to_end(&mut read).unwrap();
                let from = 1_000 + to as usize;
                assert_eq!(read, all[from..(from + length as usize).min(9_000)], "seed {seed}");
            }
        }
    }
}

//! Packs: the table files of a question as one read-only disk, ciphertext as it lies in the object store.
//!
//! ```text
//! set of files -> name -> a pack that is there | a copying that all who want it share | a turn to copy -> descriptor
//! ```
//!
//! A pack is made once per set of files and kept while it is used, within a bound of bytes; the one least recently used
//! goes first. Its file has no name once it is made, so that a crash leaves nothing behind; whoever has a descriptor
//! keeps what it reads. Every file is held against its pinned SHA-256 while it is copied. Organisations take turns at
//! copying, as they do at zones, so that whoever asks of many large tables waits in a line of its own. Behind the files
//! there is room for the histories of releases: what was released since is written there, at most 32 MiB a table, before a
//! zone is given the disk. Histories only grow, so that no zone sees what it was shown change. Trusts the folder's file
//! system between the copying and the reading: the zone checks pins and tags again.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::{fd::OwnedFd, unix::fs::FileExt as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::TryStreamExt as _;
use octroi_host::queue::{Bounds, QueueFull, Turn, Turns};
use octroi_proto::{DatasetId, FileId, OrganisationId};
use ring::digest;
use tokio::sync::watch;

use super::{
    history::Kept,
    subject::{DISK, Placed, Subject, TooLarge},
};
use crate::{
    durable::ensure_folder,
    object::{Backend, store::StoreError},
};

/// Packs that are there; clones share them.
#[derive(Debug, Clone)]
pub struct Packs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    folder: PathBuf,
    most_bytes: u64,
    made: AtomicU64,
    turns: Turns,
    shelf: Mutex<Shelf>,
}

/// The packs' folder cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the folder `{}` of `zone.packs` cannot be made: {cause}", folder.display())]
pub struct NoFolder {
    folder: PathBuf,
    cause: io::Error,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// More than a disk holds.
    #[error(transparent)]
    Disk(#[from] TooLarge),
    /// More than all packs together may take.
    #[error("the tables asked for have {bytes} bytes, more than all packs may take ({most})")]
    Bound {
        /// Bytes of the files.
        bytes: u64,
        /// The bound.
        most: u64,
    },
    /// A stored file is not what was loaded.
    #[error("a stored file of `{dataset}` is not what was loaded")]
    Damaged {
        /// The dataset.
        dataset: DatasetId,
        /// The file.
        file: FileId,
    },
    /// A stored file is gone.
    #[error("a stored file of `{dataset}` is gone")]
    Missing {
        /// The dataset.
        dataset: DatasetId,
        /// The file.
        file: FileId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// As many wait for a turn to copy as may.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The packs' folder failed.
    #[error("a pack could not be written to `zone.packs`: is the disk full?")]
    Folder(#[from] io::Error),
}

type Name = [u8; 32];

/// Packs and copyings by name.
#[derive(Debug, Default)]
struct Shelf {
    packs: HashMap<Name, Pack>,
    /// Each ends for those who wait when its sender goes.
    copyings: HashMap<Name, watch::Receiver<()>>,
    now: u64,
}

#[derive(Debug)]
struct Pack {
    disk: Arc<Disk>,
    bytes: u64,
    /// When it was last wanted.
    wanted: u64,
}

/// A pack's file.
#[derive(Debug)]
struct Disk {
    reading: File,
    writing: Arc<File>,
    /// Bytes of histories that lie on it, by their offset.
    written: Mutex<HashMap<u64, u64>>,
}

/// What there is of a pack.
enum Found {
    There(Arc<Disk>),
    /// It is being copied until this ends.
    Copied(watch::Receiver<()>),
    Absent,
}

/// A copying under way. However it ends, it is not under way then.
struct Copying {
    packs: Packs,
    name: Name,
    bytes: u64,
    _turn: Turn,
    _ends: watch::Sender<()>,
}

impl Packs {
    /// Packs of this store's files, in this folder, of at most so many bytes together; so many questions may wait for a
    /// turn to copy.
    ///
    /// # Errors
    /// [`NoFolder`].
    pub fn new(backend: Backend, folder: &Path, most_bytes: u64, waiting: Bounds) -> Result<Self, NoFolder> {
        ensure_folder(folder).map_err(|cause| NoFolder { folder: folder.to_owned(), cause })?;
        let (made, turns, shelf) = (AtomicU64::default(), Turns::new(AT_ONCE, waiting), Mutex::default());
        Ok(Self(Arc::new(Inner { backend, folder: folder.to_owned(), most_bytes, made, turns, shelf })))
    }

    /// A disk with the subject's files and these histories, each at its offset, for somebody of this organisation; none
    /// for a subject without files. Giving up leaves the line.
    pub(super) async fn pack(
        &self,
        organisation: &OrganisationId,
        subject: &Subject,
        histories: &[(u64, Kept)],
    ) -> Result<Option<OwnedFd>, PackError> {
        let Some(disk) = self.files(organisation, subject).await? else { return Ok(None) };
        let given = disk.reading.try_clone()?;
        let histories = histories.to_vec();
        let write = move || histories.iter().try_for_each(|(offset, kept)| disk.write_history(*offset, kept));
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??;
        Ok(Some(given.into()))
    }

    async fn files(&self, organisation: &OrganisationId, subject: &Subject) -> Result<Option<Arc<Disk>>, PackError> {
        let bytes = subject.files().map(|(_, placed)| placed.file.length).sum();
        if bytes == 0 {
            return Ok(None);
        }
        if bytes > self.0.most_bytes {
            return Err(PackError::Bound { bytes, most: self.0.most_bytes });
        }
        let name = name(subject);
        loop {
            let found = self.0.shelf().find(name);
            match found {
                Found::There(disk) => return Ok(Some(disk)),
                Found::Copied(mut ends) => {
                    // Nothing is ever sent: what comes is the end.
                    let _ended = ends.changed().await;
                }
                Found::Absent => {
                    let turn = self.0.turns.take(organisation).await?;
                    // Another may have begun meanwhile: then that one's is waited for, and the turn goes on.
                    if let Some(copying) = self.begin(name, bytes, turn) {
                        let subject = subject.clone();
                        // In a task of its own: a copying that was begun is worth ending, whoever goes away meanwhile.
                        let made = tokio::spawn(copying.run(subject)).await;
                        return Ok(Some(made.map_err(io::Error::other)??));
                    }
                }
            }
        }
    }

    fn begin(&self, name: Name, bytes: u64, turn: Turn) -> Option<Copying> {
        let (sender, ends) = watch::channel(());
        let begun = self.0.shelf().begin(name, bytes, self.0.most_bytes, ends);
        begun.then(|| Copying { packs: self.clone(), name, bytes, _turn: turn, _ends: sender })
    }
}

impl Copying {
    async fn run(self, subject: Subject) -> Result<Arc<Disk>, PackError> {
        let inner = &self.packs.0;
        let disk = Arc::new(inner.make(&subject).await?);
        inner.shelf().keep(self.name, Arc::clone(&disk), self.bytes, inner.most_bytes);
        Ok(disk)
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.packs.0.shelf().copyings.remove(&self.name);
    }
}

impl Inner {
    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, subject: &Subject) -> Result<Disk, PackError> {
        let path = self.folder.join(format!("{}.new", self.made.fetch_add(1, Ordering::Relaxed)));
        let open = || -> io::Result<(File, File)> {
            // What a process that was killed here left behind.
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let writing = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            let reading = File::open(&path);
            fs::remove_file(&path)?;
            Ok((writing, reading?))
        };
        let (writing, reading) = open()?;
        let writing = Arc::new(writing);
        for (table, placed) in subject.files() {
            self.copy(&table.dataset, placed, &writing).await?;
        }
        writing.set_len(DISK)?;
        metrics::counter!("octroi_packs_made_total").increment(1);
        Ok(Disk { reading, writing, written: Mutex::default() })
    }

    async fn copy(&self, dataset: &DatasetId, placed: &Placed, to: &Arc<File>) -> Result<(), PackError> {
        let Placed { file, offset } = placed;
        let lost = |error| match error {
            StoreError::Missing => PackError::Missing { dataset: dataset.clone(), file: file.id },
            error @ (StoreError::Failed(_) | StoreError::Io(_)) => PackError::Store(error),
        };
        let damaged = || PackError::Damaged { dataset: dataset.clone(), file: file.id };
        let mut pieces = self.backend.read_file(&file.id.path(dataset)).await.map_err(lost)?;
        let mut digest = digest::Context::new(&digest::SHA256);
        let mut copied = 0_u64;
        while let Some(piece) = pieces.try_next().await.map_err(lost)? {
            let at = offset + copied;
            copied += piece.len() as u64;
            if copied > file.length {
                return Err(damaged());
            }
            digest.update(&piece);
            let to = Arc::clone(to);
            tokio::task::spawn_blocking(move || to.write_all_at(&piece, at)).await.map_err(io::Error::other)??;
        }
        let whole = copied == file.length && digest.finish().as_ref() == file.sha256;
        if whole { Ok(()) } else { Err(damaged()) }
    }
}

impl Disk {
    /// Writes what was committed since this was last done, behind what lies there. Blocking.
    fn write_history(&self, offset: u64, kept: &Kept) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = written.get(&offset).copied().unwrap_or_default();
        let Some(more) = kept.extent.bytes.checked_sub(begins).filter(|more| *more > 0) else { return Ok(()) };
        let mut records = File::open(&kept.path)?;
        records.seek(SeekFrom::Start(begins))?;
        let mut bytes = Vec::new();
        // Fewer than there were: the zone will say so.
        records.take(more).read_to_end(&mut bytes)?;
        self.writing.write_all_at(&bytes, offset + begins)?;
        written.insert(offset, begins + bytes.len() as u64);
        Ok(())
    }
}

impl Shelf {
    fn find(&mut self, name: Name) -> Found {
        self.now += 1;
        match (self.packs.get_mut(&name), self.copyings.get(&name)) {
            (Some(pack), _) => {
                pack.wanted = self.now;
                Found::There(Arc::clone(&pack.disk))
            }
            (None, Some(ends)) => Found::Copied(ends.clone()),
            (None, None) => Found::Absent,
        }
    }

    /// Whether this copying may begin; others go then to make room for it.
    fn begin(&mut self, name: Name, bytes: u64, most: u64, ends: watch::Receiver<()>) -> bool {
        if self.packs.contains_key(&name) || self.copyings.contains_key(&name) {
            return false;
        }
        self.copyings.insert(name, ends);
        self.make_room(bytes, most);
        true
    }

    fn keep(&mut self, name: Name, disk: Arc<Disk>, bytes: u64, most: u64) {
        self.make_room(bytes, most);
        self.now += 1;
        self.packs.insert(name, Pack { disk, bytes, wanted: self.now });
    }

    /// Lets go of the least recently used, until there is room for one more of so many bytes.
    fn make_room(&mut self, bytes: u64, most: u64) {
        while self.packs.len() >= MOST || self.bytes().saturating_add(bytes) > most {
            let oldest = self.packs.iter().min_by_key(|(_, pack)| pack.wanted).map(|(name, _)| *name);
            let Some(oldest) = oldest else { break };
            self.packs.remove(&oldest);
        }
    }

    fn bytes(&self) -> u64 {
        self.packs.values().fold(0, |sum, pack| sum.saturating_add(pack.bytes))
    }
}

/// SHA-256 of the files in order, each by its id, its length and its pinned digest, and of where histories lie.
fn name(subject: &Subject) -> Name {
    let mut context = digest::Context::new(&digest::SHA256);
    for (table, Placed { file, .. }) in subject.files() {
        context.update(file.id.path(&table.dataset).as_bytes());
        context.update(&file.length.to_be_bytes());
        context.update(&file.sha256);
    }
    for (table, offset) in subject.facts() {
        context.update(table.to_string().as_bytes());
        context.update(&offset.to_be_bytes());
    }
    let mut name = [0; 32];
    name.copy_from_slice(context.finish().as_ref());
    name
}

/// Packs kept at once, whatever their size: each is an open file.
const MOST: usize = 64;
/// Copyings at once; they may be over the bound of bytes while they last.
const AT_ONCE: usize = 2;

#[cfg(test)]
mod tests {
    use super::{
        super::{history::Extent, tests::world},
        *,
    };

    /// A store whose file `n` has these bytes.
    fn store(folder: &Path, files: &[&[u8]]) -> Subject {
        let subject = world::subject(files);
        for ((table, placed), bytes) in subject.files().zip(files) {
            let path = folder.join(placed.file.id.path(&table.dataset));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        subject
    }

    fn packs(folder: &Path, most: u64) -> Packs {
        let waiting = Bounds { total: 40, per_organisation: 20 };
        Packs::new(world::backend(folder), &folder.join("packs"), most, waiting).unwrap()
    }

    fn somebody() -> OrganisationId {
        "universite".parse().unwrap()
    }

    fn read(descriptor: Option<OwnedFd>, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        File::from(descriptor.unwrap()).read_exact_at(&mut bytes, at).unwrap();
        bytes
    }

    #[tokio::test]
    async fn files_lie_where_the_question_says_on_a_read_only_disk() {
        let folder = tempfile::tempdir().unwrap();
        let large = vec![7; 300_000];
        let subject = store(folder.path(), &[b"one", &large, b"three"]);
        let packs = packs(folder.path(), 1 << 20);
        let disk = File::from(packs.pack(&somebody(), &subject, &[]).await.unwrap().unwrap());
        assert_eq!(disk.metadata().unwrap().len(), DISK);
        for ((_, placed), bytes) in subject.files().zip([&b"one"[..], &large, b"three"]) {
            let mut found = vec![0; bytes.len()];
            disk.read_exact_at(&mut found, placed.offset).unwrap();
            assert_eq!(found, bytes);
        }
        assert!(disk.write_all_at(b"x", 0).is_err());
        assert_eq!(fs::read_dir(folder.path().join("packs")).unwrap().count(), 0, "no name is left");
        assert!(packs.pack(&somebody(), &world::subject(&[]), &[]).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn those_who_want_the_same_share_one_copying() {
        let folder = tempfile::tempdir().unwrap();
        let subject = store(folder.path(), &[&[1; 100_000]]);
        let packs = packs(folder.path(), 1 << 20);
        let somebody = somebody();
        let wanted = futures::future::join_all((0..16).map(|_| packs.pack(&somebody, &subject, &[]))).await;
        for disk in wanted {
            assert_eq!(read(disk.unwrap(), 4_096, 4), [1; 4]);
        }
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn files_that_are_not_what_was_loaded_are_refused_and_may_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let subject = store(folder.path(), &[b"as it was loaded"]);
        let packs = packs(folder.path(), 1 << 20);
        let (table, placed) = subject.files().next().unwrap();
        let path = folder.path().join(placed.file.id.path(&table.dataset));
        for bad in [&b"as it was loadeD"[..], b"as it was loade", b"as it was loaded!"] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(packs.pack(&somebody(), &subject, &[]).await, Err(PackError::Damaged { .. })));
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(packs.pack(&somebody(), &subject, &[]).await, Err(PackError::Missing { .. })));
        fs::write(&path, b"as it was loaded").unwrap();
        assert_eq!(read(packs.pack(&somebody(), &subject, &[]).await.unwrap(), 4_096, 2), b"as");
    }

    #[tokio::test]
    async fn the_pack_least_recently_used_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let subjects: Vec<_> = [b'a', b'b', b'c'].iter().map(|byte| store(folder.path(), &[&[*byte; 40]])).collect();
        let packs = packs(folder.path(), 100);
        let kept = packs.pack(&somebody(), &subjects[0], &[]).await.unwrap();
        for subject in [1, 0, 2, 0] {
            packs.pack(&somebody(), &subjects[subject], &[]).await.unwrap();
        }
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 3, "the first was wanted again, so the second went");
        packs.pack(&somebody(), &subjects[1], &[]).await.unwrap();
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 4);
        assert!(packs.0.shelf().bytes() <= 100);
        assert_eq!(read(kept, 4_096, 1), b"a", "what is in use stays readable");
        let refused = packs.pack(&somebody(), &store(folder.path(), &[&[9; 101]]), &[]).await;
        assert!(matches!(refused, Err(PackError::Bound { bytes: 101, most: 100 })));
    }

    #[tokio::test]
    async fn histories_grow_on_a_disk_that_is_shared_and_shared_disks_are_not_copied_again() {
        let folder = tempfile::tempdir().unwrap();
        let subject = store(folder.path(), &[b"rows"]);
        let (packs, path) = (packs(folder.path(), 1 << 20), folder.path().join("records"));
        let (table, offset) = subject.facts().remove(0);
        let kept = |bytes: u64| Kept {
            table: table.clone(),
            path: path.clone(),
            extent: Extent { sequence: 1, bytes, head: [1; 32] },
        };
        fs::write(&path, b"onetwo, of which nobody knows").unwrap();
        let mut disks = Vec::new();
        for bytes in [0, 3, 3, 6, 3] {
            disks.push(packs.pack(&somebody(), &subject, &[(offset, kept(bytes))]).await.unwrap());
        }
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 1);
        for disk in disks {
            assert_eq!(read(disk, offset, 8), *b"onetwo\0\0");
        }
        // Fewer than there were.
        packs.pack(&somebody(), &subject, &[(offset, kept(99))]).await.unwrap();
        fs::remove_file(&path).unwrap();
        let refused = packs.pack(&somebody(), &subject, &[(offset, kept(100))]).await;
        assert!(matches!(refused, Err(PackError::Folder(_))));
    }

    #[tokio::test]
    async fn whoever_wants_many_packs_waits_in_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<[u8; 40]> = (b'a'..=b'z').map(|byte| [byte; 40]).collect();
        let subjects: Vec<_> = files.iter().map(|file| store(folder.path(), &[file])).collect();
        let packs = packs(folder.path(), 1 << 20);
        let (greedy, other): (OrganisationId, OrganisationId) = ("aaa".parse().unwrap(), "bbb".parse().unwrap());
        // Nothing is copied before both copyings at once are given back.
        let turns = [packs.0.turns.take(&greedy).await.unwrap(), packs.0.turns.take(&greedy).await.unwrap()];
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let ask = |organisation: &OrganisationId, subject: &Subject| {
            let (packs, organisation, subject, tell) =
                (packs.clone(), organisation.clone(), subject.clone(), tell.clone());
            tokio::spawn(async move {
                let pack = packs.pack(&organisation, &subject, &[]).await;
                tell.send(organisation.to_string()).unwrap();
                pack.map(drop)
            })
        };
        for subject in &subjects[..20] {
            let _asked = ask(&greedy, subject);
            tokio::task::yield_now().await;
        }
        // The last of its line, and yet not the last to be served; nor is what another waits for in its line.
        for subject in [&subjects[25], &subjects[19]] {
            let _asked = ask(&other, subject);
            tokio::task::yield_now().await;
        }
        assert_eq!(packs.0.turns.waiting(), 22);
        let refused = ask(&greedy, &subjects[20]).await.unwrap().unwrap_err();
        assert!(matches!(refused, PackError::Busy(_)), "{refused}");
        assert_eq!(told.recv().await.unwrap(), "aaa", "the refused one");
        drop(turns);
        let mut order = Vec::new();
        for _ in 0..22 {
            order.push(told.recv().await.unwrap());
        }
        let last = order.iter().rposition(|organisation| organisation == "bbb").unwrap();
        assert!(last < 8, "{order:?}");
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 21, "one pack was wanted by both");
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let subject = store(folder.path(), &[b"rows"]);
        let (packs, somebody) = (packs(folder.path(), 1 << 20), somebody());
        let turns = [packs.0.turns.take(&somebody).await.unwrap(), packs.0.turns.take(&somebody).await.unwrap()];
        let waits = tokio::time::timeout(std::time::Duration::from_millis(50), packs.pack(&somebody, &subject, &[]));
        assert!(waits.await.is_err());
        assert_eq!(packs.0.turns.waiting(), 0);
        drop(turns);
        assert!(packs.pack(&somebody, &subject, &[]).await.unwrap().is_some());
    }
}

//! Packs: the table files of a question as one read-only disk, ciphertext as it lies in the object store.
//!
//! ```text
//! set of files -> name -> a pack that is there | a copying that all who want it share -> descriptor
//! ```
//!
//! A pack is made once per set of files and kept while it is used, within a bound of bytes; the one least recently used
//! goes first. Its file has no name once it is made, so that a crash leaves nothing behind; whoever has a descriptor
//! keeps what it reads. Every file is held against its pinned SHA-256 while it is copied. Trusts the folder's file
//! system between the copying and the reading: the zone checks pins and tags again.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io,
    os::{fd::OwnedFd, unix::fs::FileExt as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::TryStreamExt as _;
use octroi_proto::{DatasetId, FileId};
use ring::digest;
use tokio::sync::{OnceCell, Semaphore};

use super::subject::{DISK, Placed, Subject, TooLarge};
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
    copying: Semaphore,
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
    /// The packs' folder failed.
    #[error("a pack could not be written to `zone.packs`: is the disk full?")]
    Folder(#[from] io::Error),
}

type Name = [u8; 32];

/// Packs and copyings by name, each with when it was last wanted.
#[derive(Debug, Default)]
struct Shelf {
    packs: HashMap<Name, Slot>,
    now: u64,
}

#[derive(Debug)]
struct Slot {
    pack: Arc<OnceCell<File>>,
    bytes: u64,
    wanted: u64,
}

impl Packs {
    /// Packs of this store's files, in this folder, of at most so many bytes together.
    ///
    /// # Errors
    /// [`NoFolder`].
    pub fn new(backend: Backend, folder: &Path, most_bytes: u64) -> Result<Self, NoFolder> {
        ensure_folder(folder).map_err(|cause| NoFolder { folder: folder.to_owned(), cause })?;
        let (made, copying, shelf) = (AtomicU64::default(), Semaphore::new(AT_ONCE), Mutex::default());
        Ok(Self(Arc::new(Inner { backend, folder: folder.to_owned(), most_bytes, made, copying, shelf })))
    }

    /// A disk with the subject's files; none for a subject without files.
    pub(super) async fn pack(&self, subject: &Subject) -> Result<Option<OwnedFd>, PackError> {
        let bytes = subject.files().map(|(_, placed)| placed.file.length).sum();
        if bytes == 0 {
            return Ok(None);
        }
        if bytes > self.0.most_bytes {
            return Err(PackError::Bound { bytes, most: self.0.most_bytes });
        }
        let name = name(subject);
        let cell = self.0.shelf().want(name, bytes, self.0.most_bytes);
        if let Some(pack) = cell.get() {
            return Ok(Some(pack.try_clone()?.into()));
        }
        let (packs, subject) = (self.clone(), subject.clone());
        // In a task of its own: a copying that was begun is worth ending, whoever goes away meanwhile.
        let made = tokio::spawn(async move {
            let made = cell.get_or_try_init(|| packs.0.make(&subject)).await.map(File::try_clone);
            if made.is_err() {
                packs.0.shelf().forget(&name, &cell);
            }
            made
        });
        Ok(Some(made.await.map_err(io::Error::other)???.into()))
    }
}

impl Inner {
    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, subject: &Subject) -> Result<File, PackError> {
        let _turn = self.copying.acquire().await.map_err(io::Error::other)?;
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
        Ok(reading)
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

impl Shelf {
    /// The pack of this name, perhaps yet to be made; others go to make room for it.
    fn want(&mut self, name: Name, bytes: u64, most: u64) -> Arc<OnceCell<File>> {
        self.now += 1;
        let now = self.now;
        let slot = self.packs.entry(name).or_insert_with(|| Slot { pack: Arc::default(), bytes, wanted: now });
        slot.wanted = now;
        let pack = Arc::clone(&slot.pack);
        while self.packs.len() > MOST || self.bytes() > most {
            let oldest = self.packs.iter().filter(|(other, _)| **other != name).min_by_key(|(_, slot)| slot.wanted);
            let Some(oldest) = oldest.map(|(name, _)| *name) else { break };
            self.packs.remove(&oldest);
        }
        pack
    }

    /// Lets go of a copying that failed, unless another is in its place already.
    fn forget(&mut self, name: &Name, pack: &Arc<OnceCell<File>>) {
        if self.packs.get(name).is_some_and(|slot| Arc::ptr_eq(&slot.pack, pack) && !slot.pack.initialized()) {
            self.packs.remove(name);
        }
    }

    fn bytes(&self) -> u64 {
        self.packs.values().fold(0, |sum, slot| sum.saturating_add(slot.bytes))
    }
}

/// SHA-256 of the files in order, each by its id, its length and its pinned digest.
fn name(subject: &Subject) -> Name {
    let mut context = digest::Context::new(&digest::SHA256);
    for (table, Placed { file, .. }) in subject.files() {
        context.update(file.id.path(&table.dataset).as_bytes());
        context.update(&file.length.to_be_bytes());
        context.update(&file.sha256);
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
    use super::{super::tests::world, *};

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
        Packs::new(world::backend(folder), &folder.join("packs"), most).unwrap()
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
        let disk = File::from(packs.pack(&subject).await.unwrap().unwrap());
        assert_eq!(disk.metadata().unwrap().len(), DISK);
        for ((_, placed), bytes) in subject.files().zip([&b"one"[..], &large, b"three"]) {
            let mut found = vec![0; bytes.len()];
            disk.read_exact_at(&mut found, placed.offset).unwrap();
            assert_eq!(found, bytes);
        }
        assert!(disk.write_all_at(b"x", 0).is_err());
        assert_eq!(fs::read_dir(folder.path().join("packs")).unwrap().count(), 0, "no name is left");
        assert!(packs.pack(&world::subject(&[])).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn those_who_want_the_same_share_one_copying() {
        let folder = tempfile::tempdir().unwrap();
        let subject = store(folder.path(), &[&[1; 100_000]]);
        let packs = packs(folder.path(), 1 << 20);
        let wanted = futures::future::join_all((0..16).map(|_| packs.pack(&subject))).await;
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
            assert!(matches!(packs.pack(&subject).await, Err(PackError::Damaged { .. })));
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(packs.pack(&subject).await, Err(PackError::Missing { .. })));
        fs::write(&path, b"as it was loaded").unwrap();
        assert_eq!(read(packs.pack(&subject).await.unwrap(), 4_096, 2), b"as");
    }

    #[tokio::test]
    async fn the_pack_least_recently_used_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let subjects: Vec<_> = [b'a', b'b', b'c'].iter().map(|byte| store(folder.path(), &[&[*byte; 40]])).collect();
        let packs = packs(folder.path(), 100);
        let kept = packs.pack(&subjects[0]).await.unwrap();
        for subject in [1, 0, 2, 0] {
            packs.pack(&subjects[subject]).await.unwrap();
        }
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 3, "the first was wanted again, so the second went");
        packs.pack(&subjects[1]).await.unwrap();
        assert_eq!(packs.0.made.load(Ordering::Relaxed), 4);
        assert!(packs.0.shelf().bytes() <= 100);
        assert_eq!(read(kept, 4_096, 1), b"a", "what is in use stays readable");
        let refused = packs.pack(&store(folder.path(), &[&[9; 101]])).await;
        assert!(matches!(refused, Err(PackError::Bound { bytes: 101, most: 100 })));
    }
}

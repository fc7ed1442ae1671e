//! Rows into a table, through a zone that reads what this process cannot.
//!
//! ```text
//! Permit<LoadTable> + sealed rows -> Spool      on a disk for the zone, as they came
//!   -> lease      a zone with that disk, and one to write to
//!   -> Reading    it reads the age header | says why nothing can be loaded
//!   -> Wants      the key process opens the file key, makes keys for the new file, seals both to the launch
//!   -> Writing    it validates rows and writes an encrypted Parquet file
//!   -> DurableTableFile   copied to the object store, held against its pins on the way
//!   -> CommitTable        evidence first; then the keys and files of what was replaced are destroyed
//! ```
//!
//! What is loaded is sealed by whoever sends it to the dataset's ingest key and is ciphertext wherever this process has
//! it. Trusts the register, the permit and the key process; believes a zone nothing but that what it says fits the
//! schema and what lies on its disk fits its pins. What it does not give: that rows are true.

mod borders;
mod durable;
mod keep;
mod report;
mod run;
mod shred;
mod spool;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::Stream;
use octroi_host::lease;
use octroi_proto::{
    DatasetId, FileId, Isolation, TableFormat, TableName, TableSchema, time as wire_time,
    wire::{keys::CreateTableKeysRequest, v1, zone as wire},
};
use prost::Message as _;
use tokio::{sync::Semaphore, time};
use uuid::Uuid;

use crate::{
    authorise::{LoadTable, Permit},
    clock::SharedClock,
    object::{Backend, store::StoreError},
    registry::{
        ChangeError,
        change::{CommitTable, CommittedTable},
    },
};

pub use borders::{Ended, Keys, NoTableKeys, NotCommitted, Register, Unavailable};
pub use durable::DurableTableFile;
pub use report::Report;

use run::{Awaited, Read, Reading, Told};
use shred::{Draft, Mark, Marks, Pending};
use spool::{DISK_START, Spool};

/// What a caller says of rows before they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadHead {
    /// Into which table.
    pub table: TableName,
    /// What they are written in.
    pub format: TableFormat,
    /// Whether they take the place of all rows that are there.
    pub replace: bool,
    /// Bytes of the age file.
    pub length: u64,
}

/// What one load may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the age file, and of the encrypted file made of it (setting `zone.max_load_bytes`).
    pub max_load_bytes: u64,
    /// Memory for the engine, bytes.
    pub memory_bytes: u64,
    /// Encrypted scratch, bytes.
    pub scratch_bytes: u64,
    /// From the zone's lease to its end (setting `zone.load_seconds`).
    pub wall: Duration,
    /// Loads at once, of which each may take twice `max_load_bytes` of disk.
    pub at_once: usize,
    /// Whether there are virtual machines: where a process sandbox would do, they are taken all the same.
    pub virtual_machines: bool,
}

/// Why nothing was loaded. Nothing is visible of it, and what was written is shredded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The permit ended meanwhile.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// As many loads as may are under way.
    #[error("as many loads as may are under way: try again later")]
    Busy,
    /// No such table is declared.
    #[error("must be a table of the dataset's schema: declare it first")]
    NoTable,
    /// More bytes than a load may have.
    #[error("a load may have at most {most} bytes (setting `zone.max_load_bytes`)")]
    TooLarge {
        /// The setting.
        most: u64,
    },
    /// Other than so many bytes came as were announced.
    #[error("must be as many bytes as follow: send the file again")]
    Length,
    /// The caller's bytes broke off.
    #[error("the upload broke off")]
    Upload(#[source] Box<dyn Error + Send + Sync>),
    /// The zone found no row that could be loaded.
    #[error("{}", .0.sentence())]
    NothingValid(Report),
    /// What came is sealed to another key.
    #[error("is not sealed to the dataset's ingest key: fetch that key and seal the rows again")]
    WrongKey,
    /// The rules of the register are against it.
    #[error(transparent)]
    Refused(ChangeError),
    /// The zone did not end in its time.
    #[error("the rows were not loaded within {} s (setting `zone.load_seconds`): load them in parts", wall.as_secs())]
    Timeout {
        /// The setting.
        wall: Duration,
    },
    /// No zone could be had.
    #[error("no zone could be had")]
    NoZone(#[source] lease::LeaseError),
    /// The zone ended, or gave up.
    #[error("the zone ended before its load did: {0}")]
    Zone(&'static str),
    /// The zone said what cannot be.
    #[error("the zone's word makes no sense: {0}")]
    Lied(&'static str),
    /// The key process failed or refused the launch.
    #[error("the keys of the table's file: {0}")]
    Keys(NoTableKeys),
    /// The object store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool failed.
    #[error("a load's disk could not be written in `zone.loads`: is there room?")]
    Spool(#[source] io::Error),
    /// The register could not be read.
    #[error(transparent)]
    Register(#[from] Unavailable),
    /// The register failed; the rows may have been loaded.
    #[error("the register failed: whether the rows were loaded is not known")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

/// The loading half of the zone's station; clones share everything.
#[derive(Debug)]
pub struct Loads<R, K>(Arc<Inner<R, K>>);

impl<R, K> Clone for Loads<R, K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<R, K> {
    borders: Borders<R, K>,
    folder: PathBuf,
    marks: Marks,
    /// What an earlier process left marked, until it is swept.
    left: Mutex<Vec<Mark>>,
    clock: SharedClock,
    limits: Limits,
    seats: Semaphore,
}

/// What a load reaches for.
#[derive(Debug, Clone)]
pub struct Borders<R, K> {
    /// The register and the gate before it.
    pub register: R,
    /// The zone host.
    pub host: lease::Client,
    /// The key process.
    pub keys: K,
    /// Where tables lie.
    pub backend: Backend,
}

/// What a load is of.
struct Work {
    dataset: DatasetId,
    table: TableSchema,
    isolation: Isolation,
    file: FileId,
    load_id: [u8; 16],
    head: LoadHead,
}

impl<R: Register, K: Keys> Loads<R, K> {
    /// Loads over these borders, whose disks are files without a name in this folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(borders: Borders<R, K>, folder: PathBuf, limits: Limits, clock: SharedClock) -> io::Result<Self> {
        spool::ensure(&folder)?;
        let (marks, left) = Marks::open(folder.join("marks"))?;
        let (left, seats) = (Mutex::new(left), Semaphore::new(limits.at_once));
        Ok(Self(Arc::new(Inner { borders, folder, marks, left, clock, limits, seats })))
    }

    /// Undoes what loads of an earlier process left, which was killed while they were under way.
    pub async fn sweep(&self) {
        let Borders { register, keys, backend, .. } = &self.0.borders;
        let left = std::mem::take(&mut *self.0.left.lock().unwrap_or_else(PoisonError::into_inner));
        shred::sweep(left, register, keys, backend).await;
    }

    /// The longest that an answer may take once all rows have come.
    pub fn patience(&self) -> Duration {
        self.0.limits.wall * 2 + SURROUNDINGS
    }

    /// Loads rows: validated, encrypted, durable and in the evidence when this returns. A caller who leaves before undoes
    /// it, unless it has begun to be committed.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        mut permit: Permit<LoadTable>,
        head: LoadHead,
        data: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<v1::LoadReport, LoadError> {
        let this = &*self.0;
        let _seat = this.seats.try_acquire().map_err(|_| LoadError::Busy)?;
        let work = this.work(&permit, head)?;
        let most = this.limits.max_load_bytes;
        let spool = Spool::begin(&this.folder, work.head.length, most).map_err(LoadError::Spool)?;
        let input = spool.fill(data, most, || this.borders.register.renew(&mut permit)).await?;
        let output = spool::output(&this.folder).map_err(LoadError::Spool)?;
        let descriptors = lease::Descriptors {
            data: Some(input.into()),
            output: Some(output.try_clone().map_err(LoadError::Spool)?.into()),
        };
        let leased = this.lease(&permit, &work, descriptors).await?;
        let Borders { keys, backend, .. } = this.borders.clone();
        let draft = Draft::begin(&this.marks, keys, backend, &work.dataset, work.file).await?;
        let outcome = match time::timeout(this.limits.wall, this.run(leased, &work, &mut permit)).await {
            Ok(told) => this.settle(told, &work, output).await,
            Err(_) => Err(LoadError::Timeout { wall: this.limits.wall }),
        };
        match outcome {
            Ok((file, report)) => {
                this.commit(permit, work, file, draft.pending()).await.map(|table| report.told(table.version))
            }
            Err(error) => {
                draft.discard().await;
                Err(error)
            }
        }
    }
}

impl<R: Register, K: Keys> Inner<R, K> {
    fn work(&self, permit: &Permit<LoadTable>, head: LoadHead) -> Result<Work, LoadError> {
        let most = self.limits.max_load_bytes;
        if head.length > most {
            return Err(LoadError::TooLarge { most });
        }
        let dataset = permit.target().description.id.clone();
        let schema = self.borders.register.schema(&dataset)?.ok_or(LoadError::NoTable)?;
        let table = schema.table(&head.table).cloned().ok_or(LoadError::NoTable)?;
        let [file, load_id] = [(); 2].map(|()| Uuid::new_v4().into_bytes());
        Ok(Work { dataset, table, isolation: schema.isolation, file: FileId::new(file), load_id, head })
    }

    async fn lease(
        &self,
        permit: &Permit<LoadTable>,
        work: &Work,
        descriptors: lease::Descriptors,
    ) -> Result<lease::Leased, LoadError> {
        // Only members are permitted to load; one that is none has no organisation to queue for.
        let member = permit.caller().member().ok_or(LoadError::Ended(Ended))?;
        let backend = match work.isolation {
            Isolation::Process if !self.limits.virtual_machines => lease::Backend::Process,
            Isolation::Vm | Isolation::Process => lease::Backend::Vm,
        };
        let lease = lease::Lease {
            organisation: member.principal().organisation.clone(),
            backend,
            scratch_bytes: self.limits.scratch_bytes,
            output_bytes: self.output_bytes(),
            wall: self.limits.wall + super::HOST_GRACE,
        };
        let leased = time::timeout(self.limits.wall, self.borders.host.lease(&lease, descriptors)).await;
        match leased {
            Ok(Ok(leased)) => Ok(leased),
            Ok(Err(lease::LeaseError::QueueFull)) | Err(_) => Err(LoadError::Busy),
            Ok(Err(error)) => Err(LoadError::NoZone(error)),
        }
    }

    /// The load in its zone. The zone is gone when this returns.
    async fn run(&self, leased: lease::Leased, work: &Work, permit: &mut Permit<LoadTable>) -> Result<Told, LoadError> {
        let lease::Leased { launch, frames } = leased;
        let launch_id = wire::Launch::decode(launch.launch.as_slice()).map(|launch| launch.launch_id);
        let launch_id = launch_id.map_err(|_| LoadError::Lied("the launch statement"))?;
        let aad_prefix = work.file.aad_prefix(&work.dataset, work.table.name());
        let awaited = Awaited { schema: work.table.clone(), file: work.file, aad_prefix, most: self.output_bytes() };
        let reading = Reading::begin(frames, self.word(work, &awaited, launch_id), awaited).await?;
        let wants = match reading.read().await? {
            Read::Wants(wants) => wants,
            Read::Told(told) => return Ok(told),
        };
        // What was permitted may have ended while the rows came and the zone was waited for.
        self.borders.register.renew(permit)?;
        let sealed = self.borders.keys.create(self.key_request(work, launch, &wants)).await.map_err(|no| match no {
            NoTableKeys::WrongKey => LoadError::WrongKey,
            no @ (NoTableKeys::Refused | NoTableKeys::Unavailable(_)) => LoadError::Keys(no),
        })?;
        wants.unlock(sealed).await?.told().await
    }

    fn word(&self, work: &Work, awaited: &Awaited, launch_id: Vec<u8>) -> wire::Load {
        wire::Load {
            load_id: work.load_id.to_vec(),
            launch_id,
            dataset: work.dataset.to_string(),
            schema: Some((&work.table).into()),
            format: work.head.format.to_wire().into(),
            input_length: work.head.length,
            file_id: work.file.as_bytes().to_vec(),
            aad_prefix: awaited.aad_prefix.clone(),
            output_bytes: awaited.most,
            limits: Some(wire::Limits {
                memory_bytes: self.limits.memory_bytes,
                scratch_bytes: self.limits.scratch_bytes,
                result_rows: 0,
                result_bytes: 0,
                wall_milliseconds: u64::try_from(self.limits.wall.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    fn key_request(&self, work: &Work, launch: wire::SignedLaunch, wants: &run::Wants) -> CreateTableKeysRequest {
        CreateTableKeysRequest {
            dataset: work.dataset.to_string(),
            load_id: work.load_id.to_vec(),
            launch: Some(launch),
            file_id: work.file.as_bytes().to_vec(),
            schema: Some((&work.table).into()),
            stanzas: wants.stanzas().to_vec(),
            expires: self.clock.now().checked_add(self.limits.wall).ok().map(wire_time::to_wire),
            process_allowed: work.isolation == Isolation::Process,
        }
    }

    /// What the zone left: a file in the store, or the report that says why there is none.
    async fn settle(
        &self,
        told: Result<Told, LoadError>,
        work: &Work,
        output: File,
    ) -> Result<(DurableTableFile, Report), LoadError> {
        match told? {
            Told::Nothing(report) => Err(LoadError::NothingValid(report)),
            Told::Written { report, pins } => {
                let upload = self.borders.backend.upload_file(&work.file.path(&work.dataset));
                Ok((keep::keep(output, pins, upload).await?, report))
            }
        }
    }

    /// Names what is stored. In a task of its own: once begun, it does not depend on whether the caller waits.
    async fn commit(
        &self,
        permit: Permit<LoadTable>,
        work: Work,
        file: DurableTableFile,
        draft: Pending<K>,
    ) -> Result<octroi_proto::TableVersion, LoadError> {
        let Borders { register, keys, backend, .. } = self.borders.clone();
        let marks = self.marks.clone();
        let committing = tokio::spawn(async move {
            let change = CommitTable { schema: work.table, file, replace: work.head.replace };
            match register.commit(permit, change).await {
                Ok(CommittedTable { table, replaced }) => {
                    draft.named();
                    for file in replaced {
                        shred::replaced(&marks, &keys, &backend, &work.dataset, file.id).await;
                    }
                    Ok(table)
                }
                Err(NotCommitted::Unknown(cause)) => Err(LoadError::Unknown(cause)),
                Err(error) => {
                    draft.discard().await;
                    Err(error.into())
                }
            }
        });
        committing.await.map_err(|error| LoadError::Unknown(error.into()))?
    }

    /// Bytes of the output disk that a zone may write.
    fn output_bytes(&self) -> u64 {
        DISK_START + self.limits.max_load_bytes
    }
}

impl From<NotCommitted> for LoadError {
    fn from(error: NotCommitted) -> Self {
        match error {
            NotCommitted::Ended => Self::Ended(Ended),
            NotCommitted::Refused(refusal) => Self::Refused(refusal),
            NotCommitted::Busy => Self::Busy,
            NotCommitted::Unknown(cause) => Self::Unknown(cause),
        }
    }
}

/// Copying to the store, the evidence.
const SURROUNDINGS: Duration = Duration::from_secs(600);

//! A register and a key process in memory, a real object store and spool, and a zone host that follows a script.

use std::{
    fs::{self, File},
    io::{self, IoSliceMut, Read as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{
            fs::FileExt as _,
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
    sync::{Mutex, MutexGuard, mpsc},
    thread,
};

use octroi_attest::frame;
use octroi_proto::{DatasetState, Level, Role, StoredTableFile, TableVersion};
use ring::digest::{SHA256, digest};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::*;
use crate::{
    authorise::tests::fixture::{self, EPOCH},
    clock::ManualClock,
    settings::ObjectStoreSettings,
};

/// What the register and the key process hold, and what they were asked.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) schema: Option<octroi_proto::DatasetSchema>,
    /// Renewals that still succeed.
    pub(super) renewals: usize,
    /// What the commit says.
    pub(super) refusal: Option<NotCommitted>,
    pub(super) replaced: Vec<StoredTableFile>,
    pub(super) committed: Vec<CommitTable>,
    /// What the key process says.
    pub(super) no_keys: Option<NoTableKeys>,
    pub(super) asked: Vec<CreateTableKeysRequest>,
    pub(super) destroyed: Vec<FileId>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct House(Arc<Mutex<State>>);

impl House {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Register for House {
    fn schema(&self, _: &DatasetId) -> Result<Option<octroi_proto::DatasetSchema>, Unavailable> {
        Ok(self.state().schema.clone())
    }

    fn names(&self, _: &DatasetId, file: FileId) -> Result<bool, Unavailable> {
        Ok(self.state().committed.iter().any(|change| change.file.id() == file))
    }

    fn renew(&self, _: &mut Permit<LoadTable>) -> Result<(), Ended> {
        let mut state = self.state();
        state.renewals = state.renewals.checked_sub(1).ok_or(Ended)?;
        Ok(())
    }

    async fn commit(&self, _: Permit<LoadTable>, change: CommitTable) -> Result<CommittedTable, NotCommitted> {
        let mut state = self.state();
        if let Some(refusal) = state.refusal.take() {
            return Err(refusal);
        }
        state.committed.push(change.clone());
        let table = TableVersion {
            dataset: dataset_id(),
            table: change.schema.name().clone(),
            version: 4,
            files: vec![change.file.pins().clone()],
            loaded: fixture::at(EPOCH),
        };
        Ok(CommittedTable { table, replaced: state.replaced.clone() })
    }
}

impl Keys for House {
    async fn create(&self, request: CreateTableKeysRequest) -> Result<wire::SealedKeys, NoTableKeys> {
        let mut state = self.state();
        state.asked.push(request);
        match state.no_keys.take() {
            Some(no) => Err(no),
            None => Ok(wire::SealedKeys { ciphertext: b"sealed".to_vec(), ..Default::default() }),
        }
    }

    async fn destroy(&self, _: &DatasetId, file: FileId) -> Result<(), NoTableKeys> {
        self.state().destroyed.push(file);
        Ok(())
    }
}

pub(super) fn dataset_id() -> DatasetId {
    "menages".parse().unwrap()
}

pub(super) fn schema(isolation: v1::Isolation) -> octroi_proto::DatasetSchema {
    let column = |name: &str, hidden| v1::Column {
        name: name.into(),
        r#type: v1::ColumnType::Integer.into(),
        hidden,
        ..Default::default()
    };
    let table = v1::TableSchema {
        name: "persons".into(),
        columns: vec![column("person", false), column("income", true)],
        subjects: vec!["person".into()],
        public: false,
    };
    let schema = v1::DatasetSchema {
        dataset: dataset_id().to_string(),
        revision: 1,
        tables: vec![table],
        isolation: isolation.into(),
    };
    schema.try_into().unwrap()
}

/// The zone's end of a lease.
pub(super) struct Scene {
    stream: UnixStream,
    pub(super) lease: wire::Lease,
    pub(super) data: File,
    pub(super) output: File,
    /// Where loads under way are marked.
    pub(super) marks: PathBuf,
}

impl Scene {
    pub(super) fn say(&mut self, message: wire::to_host::Message) {
        let _gone = frame::write(&mut self.stream, &wire::ToHost { message: Some(message) }, frame::TO_HOST);
    }

    pub(super) fn say_bytes(&mut self, bytes: &[u8]) {
        let _gone = io::Write::write_all(&mut self.stream, bytes);
    }

    pub(super) fn hear(&mut self) -> Option<wire::to_zone::Message> {
        let heard: Option<wire::ToZone> = frame::read(&mut self.stream, frame::TO_ZONE).ok().flatten();
        heard.and_then(|it| it.message)
    }

    pub(super) fn load(&mut self) -> wire::Load {
        match self.hear() {
            Some(wire::to_zone::Message::Load(load)) => load,
            _ => panic!("no load came"),
        }
    }

    /// Waits until the other side is gone.
    pub(super) fn until_gone(&mut self) {
        let _end = self.stream.read_to_end(&mut Vec::new());
    }

    pub(super) fn wants(&mut self) {
        let stanza = wire::AgeStanza { tag: "X25519".into(), arguments: vec!["a".into()], body: vec![1; 32] };
        self.say(wire::to_host::Message::LoadKeyRequest(wire::LoadKeyRequest { stanzas: vec![stanza] }));
    }

    /// Writes these bytes to the output disk and says what they are.
    pub(super) fn written(&mut self, load: &wire::Load, bytes: &[u8]) -> wire::Loaded {
        self.output.write_all_at(bytes, DISK_START).unwrap();
        let footer = &bytes[bytes.len() - 12..];
        let file = wire::TableFile {
            file_id: load.file_id.clone(),
            aad_prefix: load.aad_prefix.clone(),
            disk_offset: DISK_START,
            length: bytes.len() as u64,
            footer_sha256: digest(&SHA256, footer).as_ref().to_vec(),
            footer_length: 12,
            rows: 7,
        };
        let report = v1::LoadReport { rows: 7, ..Default::default() };
        wire::Loaded { report: Some(report), file: Some(file) }
    }

    /// All of a load that goes well.
    pub(super) fn play(&mut self, bytes: &[u8]) -> wire::Load {
        let load = self.load();
        self.wants();
        assert!(matches!(self.hear(), Some(wire::to_zone::Message::Keys(_))));
        let loaded = self.written(&load, bytes);
        self.say(wire::to_host::Message::Loaded(loaded));
        load
    }
}

/// What the scripts write.
pub(super) fn encrypted() -> Vec<u8> {
    [&b"PARE"[..], &[9; 3_000_000], &b"footer__PARE"[..]].concat()
}

pub(super) struct World {
    pub(super) loads: Loads<House, House>,
    pub(super) house: House,
    pub(super) folder: tempfile::TempDir,
}

impl World {
    /// With a zone host that leases one zone and follows the script; what the script says comes through the channel.
    pub(super) fn new<T: Send + 'static>(
        script: impl FnOnce(&mut Scene) -> T + Send + 'static,
    ) -> (Self, mpsc::Receiver<T>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("zone.sock");
        let (told, ended) = mpsc::channel();
        let listener = UnixListener::bind(&socket).unwrap();
        let marks = folder.path().join("loads/marks");
        thread::spawn(move || {
            let mut scene = accept(&listener, marks);
            let _nobody_asks = told.send(script(&mut scene));
        });
        let house = House::default();
        *house.state() = State { schema: Some(schema(v1::Isolation::Vm)), renewals: 100, ..State::default() };
        let objects = folder.path().join("objects");
        fs::create_dir(&objects).unwrap();
        let loads = loads(folder.path(), &house);
        (Self { loads, house, folder }, ended)
    }

    /// The loads of a process that is started anew.
    pub(super) fn restarted(&self) -> Loads<House, House> {
        loads(self.folder.path(), &self.house)
    }

    pub(super) async fn load(&self, bytes: &[u8]) -> Result<v1::LoadReport, LoadError> {
        self.load_as(head(bytes.len() as u64), vec![Ok(Bytes::copy_from_slice(bytes))]).await
    }

    pub(super) async fn load_as(
        &self,
        head: LoadHead,
        pieces: Vec<Result<Bytes, &'static str>>,
    ) -> Result<v1::LoadReport, LoadError> {
        self.loads.load(permit(), head, futures::stream::iter(pieces)).await
    }

    /// Files below the object store, and in the spool.
    pub(super) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["objects", "loads"] {
            walk(&self.folder.path().join(folder), &mut found);
        }
        found
    }
}

fn loads(folder: &Path, house: &House) -> Loads<House, House> {
    let backend = Backend::open(&ObjectStoreSettings::Local { path: folder.join("objects") }).unwrap();
    let host = lease::Client::new(folder.join("zone.sock"));
    let borders = Borders { register: house.clone(), host, keys: house.clone(), backend };
    Loads::new(borders, folder.join("loads"), limits(), ManualClock::at(EPOCH)).unwrap()
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        } else {
            found.push(entry.path().display().to_string());
        }
    }
}

pub(super) fn permit() -> Permit<LoadTable> {
    let claire = fixture::principal("claire", "ville", Role::Steward);
    let dataset = fixture::dataset(dataset_id().as_str(), Level::Sensitive, DatasetState::Draft);
    Permit::for_test(fixture::caller(claire, EPOCH + 1_000), dataset, None, 1)
}

pub(super) fn head(length: u64) -> LoadHead {
    LoadHead { table: "persons".parse().unwrap(), format: TableFormat::Csv, replace: true, length }
}

pub(super) fn limits() -> Limits {
    Limits {
        max_load_bytes: 4 << 20,
        memory_bytes: 1 << 20,
        scratch_bytes: 0,
        wall: Duration::from_secs(3),
        at_once: 1,
        virtual_machines: true,
    }
}

/// One lease: its request, its descriptors, and a launch for an answer.
fn accept(listener: &UnixListener, marks: PathBuf) -> Scene {
    let (mut stream, _) = listener.accept().unwrap();
    let mut buffer = [0; 4_096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let passed: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(them) = message { Some(them) } else { None })
        .flatten()
        .collect();
    let request: wire::LeaseRequest = frame::read(&mut &buffer[..received.bytes], 4_096).unwrap().unwrap();
    let Some(wire::lease_request::Request::Lease(lease)) = request.request else { panic!("{request:?}") };
    let launch = wire::Launch { launch_id: vec![1; 16], ..Default::default() };
    let launch = wire::SignedLaunch { launch: launch.encode_to_vec(), signature: vec![2; 64] };
    let answer = wire::LeaseAnswer { answer: Some(wire::lease_answer::Answer::Launch(launch)) };
    frame::write(&mut stream, &answer, frame::TO_HOST).unwrap();
    let [data, output] = <[OwnedFd; 2]>::try_from(passed).unwrap().map(File::from);
    Scene { stream, lease, data, output, marks }
}

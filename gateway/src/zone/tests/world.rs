//! What the station's tests stand on: a register with a real evidence store under it, keys that are sealed to nobody,
//! histories that are sealed in earnest, and a zone host that follows a script.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use octroi_attest::{
    HistoryKey, Key, frame,
    history::{CommitError, NO_RELEASE},
};
use octroi_proto::{
    DatasetId, DatasetSchema, DatasetState, Grant, GrantAction, Level, Purpose, Role, TableVersion,
    wire::v1::{EvidenceProof, entry::Record},
};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{Notify, Semaphore},
};
use wire::{lease_request::Request, to_host::Message as Said, to_zone::Message as Word};

use super::*;
use crate::{
    authorise::{Action as _, Decided, Lent, tests::fixture},
    clock::ManualClock,
    evidence::{Draft, KernelSalts, Store, VerifierKey},
    keys::{Committed, FactTable, Release},
    object,
    settings::ObjectStoreSettings,
};

/// The release tick of the tests.
pub(in super::super) const TICK: Duration = Duration::from_millis(400);

const WAITING: octroi_host::queue::Bounds = octroi_host::queue::Bounds { total: 16, per_organisation: 6 };

pub(in super::super) fn limits() -> Limits {
    Limits {
        release_tick: TICK,
        wall: Duration::from_millis(900),
        memory_bytes: 1 << 26,
        scratch_bytes: 0,
        result_rows: 100,
        result_bytes: 10_000,
        least_subjects: 11,
        questions: 16,
        per_organisation: 6,
    }
}

pub(in super::super) fn dataset_id() -> DatasetId {
    "mobility".parse().unwrap()
}

/// Tables of `person`, `age` and the hidden `secret`, with files of these lengths, numbered from 0 throughout.
pub(in super::super) fn holding(tables: &[(&str, &[u64])]) -> Holding {
    holding_about(&["person"], tables)
}

/// The same, about these subjects, or about nobody.
pub(in super::super) fn holding_about(subjects: &[&str], tables: &[(&str, &[u64])]) -> Holding {
    let column = |name: &str, hidden| v1::Column {
        name: name.into(),
        r#type: v1::ColumnType::Integer.into(),
        hidden,
        ..v1::Column::default()
    };
    let schema = |(name, _): &(&str, &[u64])| v1::TableSchema {
        name: (*name).into(),
        columns: vec![column("person", false), column("age", false), column("secret", true)],
        subjects: subjects.iter().map(ToString::to_string).collect(),
        public: subjects.is_empty(),
    };
    let schema = v1::DatasetSchema {
        dataset: dataset_id().to_string(),
        revision: 1,
        tables: tables.iter().map(schema).collect(),
        isolation: v1::Isolation::Vm.into(),
    };
    let mut ids = 0_u8..;
    let version = |(name, lengths): &(&str, &[u64])| {
        let file = |length: &u64| stored(ids.next().unwrap(), *length, [3; 32]);
        let files = lengths.iter().map(file).collect();
        let (dataset, table) = (dataset_id(), name.parse().unwrap());
        TableVersion { dataset, table, version: 1, files, loaded: fixture::at(fixture::EPOCH) }
    };
    let tables = tables.iter().map(version).collect();
    Holding { schema: DatasetSchema::try_from(schema).unwrap(), policy: None, tables }
}

fn stored(id: u8, length: u64, sha256: [u8; 32]) -> octroi_proto::StoredTableFile {
    octroi_proto::StoredTableFile {
        id: octroi_proto::FileId::new([id; 16]),
        length,
        sha256,
        footer_sha256: [4; 32],
        footer_length: 1,
        rows: 100,
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().unwrap()
}

/// A table whose files have these bytes; their first byte is their id.
pub(in super::super) fn subject(files: &[&[u8]]) -> Subject {
    let mut holding = holding(&[("trips", &[])]);
    holding.tables[0].files = files.iter().map(|bytes| stored(bytes[0], bytes.len() as u64, sha256(bytes))).collect();
    Subject::new(vec![(dataset_id(), holding)], "trips").unwrap()
}

pub(in super::super) fn backend(folder: &Path) -> object::Backend {
    object::Backend::open(&ObjectStoreSettings::Local { path: folder.to_owned() }).unwrap()
}

/// What the scripted zones answer.
pub(in super::super) fn answer() -> v1::AnswerTable {
    let column = v1::AnswerColumn {
        name: "count".into(),
        r#type: "integer".into(),
        rounding: "none".into(),
        noise_deviation: 0.0,
    };
    let value = v1::AnswerValue { value: Some(v1::answer_value::Value::Integer(1_234)) };
    v1::AnswerTable {
        columns: vec![column],
        rows: vec![v1::AnswerRow { values: vec![value], noise: 0 }],
        keys_without_value: Vec::new(),
        noise_epsilon: 0,
    }
}

pub(in super::super) fn launch() -> wire::SignedLaunch {
    let launch = wire::Launch {
        launch_id: vec![1; 16],
        image: vec![2; 32],
        template: vec![3; 32],
        backend: "vm".into(),
        accelerator: "tcg".into(),
        public_key: vec![4; 32],
        started: None,
    };
    wire::SignedLaunch { launch: launch.encode_to_vec(), signature: vec![5; 64] }
}

/// What a zone does, once it is leased.
pub(in super::super) enum Script {
    /// Says this, waiting for the question before the first word and for keys behind a request for them; then ends.
    Says(Vec<Said>),
    /// Asks for keys, waits for a word of the test's, and releases [`answer`]; but changes the release first.
    Releases(Arc<Semaphore>, fn(&mut wire::SealedRelease)),
    /// The same, but says this instead.
    SaysLate(Arc<Semaphore>, Said),
    Garbage,
    Hangs,
    Refuses(wire::LeaseRefusal),
}

impl Script {
    pub(in super::super) fn answers() -> Self {
        Self::lies(|_| ())
    }

    pub(in super::super) fn lies(change: fn(&mut wire::SealedRelease)) -> Self {
        Self::Releases(Arc::new(Semaphore::new(1)), change)
    }

    pub(in super::super) fn garbage() -> Self {
        Self::Garbage
    }

    pub(in super::super) fn hangs() -> Self {
        Self::Hangs
    }

    pub(in super::super) fn refuses(reason: wire::LeaseRefusal) -> Self {
        Self::Refuses(reason)
    }
}

pub(in super::super) fn says(words: Vec<Said>) -> Script {
    Script::Says(words)
}

pub(in super::super) fn wants() -> Said {
    let file = wire::FileColumns { file_id: vec![b'r'; 16], columns: vec!["age".into(), "person".into()] };
    Said::KeyRequest(wire::KeyRequest { files: vec![file] })
}

/// The station, and what it did.
pub(in super::super) struct World {
    zone: Zone<Book, Vault>,
    book: Book,
    vault: Vault,
    host: Arc<Heard>,
    _folder: tempfile::TempDir,
}

#[derive(Default)]
struct Heard {
    leases: Mutex<Vec<wire::Lease>>,
    questions: Mutex<Vec<wire::Question>>,
    freed: Notify,
}

impl World {
    pub(in super::super) fn new(scripts: Vec<Script>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = b"rows, sealed";
        let book = Book::new(&folder.path().join("evidence"), file);
        let id = octroi_proto::FileId::new([b'r'; 16]);
        let path = folder.path().join(id.path(&dataset_id()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
        let packs = Packs::new(backend(folder.path()), &folder.path().join("packs"), 1 << 20, WAITING).unwrap();
        let socket = folder.path().join("zone.sock");
        let host = Arc::<Heard>::default();
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(follow(listener, scripts, Arc::clone(&host)));
        let vault = Vault::default();
        let histories = Histories::new(&folder.path().join("histories")).unwrap();
        let host_client = lease::Client::new(&socket);
        let borders = Borders { register: book.clone(), host: host_client, keys: vault.clone(), packs, histories };
        let zone = Zone::new(borders, limits(), [6; 32], ManualClock::at(fixture::EPOCH));
        Self { zone, book, vault, host, _folder: folder }
    }

    pub(in super::super) async fn ask(&self, sql: &str) -> Result<Outcome, AskError> {
        self.ask_in("vm", sql).await
    }

    pub(in super::super) async fn ask_in(&self, backend: &str, sql: &str) -> Result<Outcome, AskError> {
        let ask = Ask::new("network planning", sql.to_owned(), backend, 1_000).unwrap();
        self.zone.ask(vec![permit("universite")], ask).await
    }

    pub(in super::super) async fn ask_of(&self, organisation: &str, sql: &str) -> Result<Outcome, AskError> {
        let ask = Ask::new("network planning", sql.to_owned(), "vm", 1_000).unwrap();
        self.zone.ask(vec![permit(organisation)], ask).await
    }

    pub(in super::super) async fn check(&self, sql: &str) -> Result<Checked, AskError> {
        let ask = Ask::new("network planning", sql.to_owned(), "vm", 1_000).unwrap();
        self.zone.check(vec![permit("universite")], ask).await
    }

    /// What the evidence has of questions.
    pub(in super::super) fn records(&self) -> Vec<Record> {
        let page = self.book.0.store.lock().unwrap().log().entries(0, 1_000).unwrap();
        page.entries.into_iter().filter_map(|entry| entry.record).collect()
    }

    pub(in super::super) fn leases(&self) -> Vec<wire::Lease> {
        self.host.leases.lock().unwrap().clone()
    }

    pub(in super::super) fn questions(&self) -> Vec<wire::Question> {
        self.host.questions.lock().unwrap().clone()
    }

    pub(in super::super) fn sealed(&self) -> Vec<ColumnKeys> {
        self.vault.0.asked.lock().unwrap().clone()
    }

    pub(in super::super) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Where records are kept.
    pub(in super::super) fn histories(&self) -> std::path::PathBuf {
        self._folder.path().join("histories")
    }

    pub(in super::super) fn checkpoint(&self) -> (String, VerifierKey) {
        let log = self.book.0.store.lock().unwrap().log();
        (log.checkpoint(), log.verifier_key().clone())
    }

    /// So many looks at the grant find it; then none does.
    pub(in super::super) fn revoke_after(&self, looks: usize) {
        self.book.0.grants.store(looks, Ordering::SeqCst);
    }

    pub(in super::super) fn fail_records_after(&self, records: usize) {
        self.book.0.records.store(records, Ordering::SeqCst);
    }

    /// Waits until the zone host sees that a lease is over.
    pub(in super::super) async fn freed(&self) {
        time::timeout(Duration::from_secs(5), self.host.freed.notified()).await.unwrap();
    }
}

fn permit(organisation: &str) -> Permit<AskDataset> {
    let researcher = fixture::principal("rania", organisation, Role::Researcher);
    let dataset = fixture::dataset("mobility", Level::Sensitive, DatasetState::Published);
    let grant = fixture::grant(1, "mobility", organisation, &[GrantAction::Ask], fixture::EPOCH + 100);
    let lent = Lent { dataset, grant: Some(grant) };
    Permit::for_test(fixture::caller(researcher, fixture::EPOCH + 100), lent, None, 1)
}

/// Leases by the scripts, in order; those that are over answer nobody.
async fn follow(listener: UnixListener, scripts: Vec<Script>, heard: Arc<Heard>) {
    for script in scripts {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(play(stream, script, Arc::clone(&heard)));
    }
}

async fn play(mut stream: UnixStream, script: Script, heard: Arc<Heard>) {
    if let Some(Request::Lease(lease)) = read::<wire::LeaseRequest>(&mut stream).await.unwrap().request {
        heard.leases.lock().unwrap().push(lease);
    }
    let leased = match &script {
        Script::Refuses(reason) => wire::lease_answer::Answer::Refused(wire::LeaseRefused { reason: (*reason).into() }),
        Script::Says(_) | Script::Releases(..) | Script::SaysLate(..) | Script::Garbage | Script::Hangs => {
            wire::lease_answer::Answer::Launch(launch())
        }
    };
    write(&mut stream, &wire::LeaseAnswer { answer: Some(leased) }).await;
    let Some(Word::Question(question)) = read::<wire::ToZone>(&mut stream).await.and_then(|word| word.message) else {
        return;
    };
    heard.questions.lock().unwrap().push(question);
    match script {
        Script::Says(words) => {
            for word in words {
                let waits = matches!(word, Said::KeyRequest(_));
                write(&mut stream, &wire::ToHost { message: Some(word) }).await;
                if waits && read::<wire::ToZone>(&mut stream).await.is_none() {
                    return;
                }
            }
        }
        Script::Releases(word, change) => {
            let Some(history) = unlock(&mut stream).await else { return };
            word.acquire().await.unwrap().forget();
            let mut release = history.seal(b"record", &answer().encode_to_vec()).unwrap();
            change(&mut release);
            let answer = wire::Answer { answer: Some(wire::answer::Answer::Release(release)) };
            write(&mut stream, &wire::ToHost { message: Some(Said::Answer(answer)) }).await;
        }
        Script::SaysLate(word, said) => {
            if unlock(&mut stream).await.is_some() {
                word.acquire().await.unwrap().forget();
                write(&mut stream, &wire::ToHost { message: Some(said) }).await;
            }
        }
        Script::Garbage => stream.write_all(&[0xFF; 64]).await.unwrap_or_default(),
        Script::Hangs => {
            assert!(read::<wire::ToZone>(&mut stream).await.is_none());
            heard.freed.notify_one();
        }
        Script::Refuses(_) => {}
    }
}

/// Asks for keys, and takes the history that comes with them.
async fn unlock(stream: &mut UnixStream) -> Option<HistoryKey> {
    write(stream, &wire::ToHost { message: Some(wants()) }).await;
    let Some(Word::Keys(keys)) = read::<wire::ToZone>(stream).await?.message else { panic!("no keys") };
    let (sequence, head) = keys.ciphertext.split_first_chunk().unwrap();
    Some(HistoryKey {
        sequence: u64::from_le_bytes(*sequence),
        head: head.try_into().unwrap(),
        ..Vault::history(&"mobility/trips".parse().unwrap())
    })
}

async fn read<M: prost::Message + Default>(stream: &mut UnixStream) -> Option<M> {
    let length = stream.read_u32_le().await.ok()?;
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await.ok()?;
    M::decode(bytes.as_slice()).ok()
}

/// What is written to one who went away is lost, as it should be.
async fn write(stream: &mut UnixStream, message: &impl prost::Message) {
    let bytes = frame::encode(message, frame::TO_HOST).unwrap();
    stream.write_all(&bytes).await.unwrap_or_default();
}

/// A register that holds one dataset, over a real evidence store.
#[derive(Clone)]
struct Book(Arc<Page>);

struct Page {
    store: Mutex<Store>,
    holding: Holding,
    /// Looks at the grant that still find it.
    grants: AtomicUsize,
    /// Entries that are still taken.
    records: AtomicUsize,
}

impl Book {
    fn new(folder: &Path, file: &[u8]) -> Self {
        let store = Mutex::new(Store::create(folder, "octroi.test/log", Box::new(KernelSalts)).unwrap());
        let mut holding = holding(&[("trips", &[])]);
        holding.tables[0].files = vec![stored(b'r', file.len() as u64, sha256(file))];
        let many = || AtomicUsize::new(usize::MAX);
        Self(Arc::new(Page { store, holding, grants: many(), records: many() }))
    }

    fn append(&self, decided: &Decided, record: Record) -> Result<u64, Unavailable> {
        if !spend(&self.0.records) {
            return Err(Unavailable("the disk is gone".into()));
        }
        let mut store = self.0.store.lock().unwrap();
        let mut batch = store.begin();
        let draft = Draft::decided(decided, record);
        let sequence = store.push(&mut batch, draft, fixture::at(fixture::EPOCH)).unwrap();
        store.append(&batch).unwrap();
        Ok(sequence)
    }
}

fn spend(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Register for Book {
    fn holding(&self, dataset: &DatasetId) -> Result<Option<Holding>, Unavailable> {
        Ok((*dataset == dataset_id()).then(|| self.0.holding.clone()))
    }

    fn grant(&self, permit: &mut Permit<AskDataset>, purpose: &Purpose) -> Result<Option<Grant>, Unavailable> {
        let grant = permit.target().grant.clone();
        Ok(grant.filter(|grant| grant.purpose == *purpose && spend(&self.0.grants)))
    }

    async fn record(&self, decided: &Decided, record: Record) -> Result<(), Unavailable> {
        self.append(decided, record).map(|_| ())
    }

    async fn prove(&self, decided: &Decided, record: Record) -> Result<EvidenceProof, Unavailable> {
        let sequence = self.append(decided, record)?;
        // As the register's writer does: those that come together share a checkpoint.
        time::sleep(Duration::from_millis(20)).await;
        let mut store = self.0.store.lock().unwrap();
        store.publish().unwrap();
        Ok(store.log().export(sequence, None).unwrap())
    }

    fn note(&self, decided: &Decided, record: Record) {
        let _lost = self.append(decided, record);
    }
}

/// A key process that seals nothing to nobody, and remembers what it was asked for. Its histories are real.
#[derive(Clone, Default)]
pub(in super::super) struct Vault(Arc<Safe>);

#[derive(Default)]
struct Safe {
    asked: Mutex<Vec<ColumnKeys>>,
    histories: Mutex<BTreeMap<FactTable, HistoryKey>>,
    fates: Mutex<VecDeque<Fate>>,
}

/// What becomes of a call to record a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Fate {
    /// It never arrives.
    Lost,
    /// Its answer never arrives.
    Unanswered,
}

impl Vault {
    /// Before the first release.
    fn history(table: &FactTable) -> HistoryKey {
        HistoryKey { table: table.to_string(), key: Key::from([7; 32]), sequence: 0, head: NO_RELEASE }
    }

    /// How far a history has gone.
    pub(in super::super) fn stands(&self, table: &FactTable) -> HistoryKey {
        self.0.histories.lock().unwrap().entry(table.clone()).or_insert_with(|| Self::history(table)).clone()
    }

    /// Puts a history back to an earlier moment.
    pub(in super::super) fn restore(&self, table: &FactTable, earlier: HistoryKey) {
        self.0.histories.lock().unwrap().insert(table.clone(), earlier);
    }

    /// What becomes of the next calls.
    pub(in super::super) fn fate(&self, fate: Fate) {
        self.0.fates.lock().unwrap().push_back(fate);
    }

    fn record(&self, release: &Release) -> Result<Committed, NotCommitted> {
        let history = self.stands(&release.table);
        let committed = history.commit(&release.commitment).map_err(|error| match error {
            CommitError::Superseded => NotCommitted::Superseded,
            CommitError::Sealed => NotCommitted::Denied,
        })?;
        let (sequence, head) = (committed.sequence, committed.head);
        self.0.histories.lock().unwrap().insert(release.table.clone(), HistoryKey { sequence, head, ..history });
        Ok(Committed { sequence, head, answer_key: committed.answer_key })
    }
}

impl Keys for Vault {
    async fn seal(&self, request: ColumnKeys) -> Result<wire::SealedKeys, NoKeys> {
        self.0.asked.lock().unwrap().push(request);
        let HistoryKey { sequence, head, .. } = self.stands(&"mobility/trips".parse().unwrap());
        let ciphertext = [&sequence.to_le_bytes()[..], &head].concat();
        Ok(wire::SealedKeys { ciphertext, ..wire::SealedKeys::default() })
    }

    async fn commit(&self, release: Release) -> Result<Committed, NotCommitted> {
        // As over a socket: whoever waits may go away meanwhile.
        tokio::task::yield_now().await;
        let fate = self.0.fates.lock().unwrap().pop_front();
        let recorded = if fate == Some(Fate::Lost) { None } else { Some(self.record(&release)) };
        tokio::task::yield_now().await;
        recorded.filter(|_| fate.is_none()).unwrap_or(Err(NotCommitted::Unavailable))
    }
}

/// A receipt, and all that it is checked with.
pub(in super::super) struct Receipt {
    pub(in super::super) text: String,
    pub(in super::super) checkpoint: String,
    pub(in super::super) key: VerifierKey,
    pub(in super::super) sql: String,
    pub(in super::super) answer: v1::AnswerTable,
}

pub(in super::super) fn receipt() -> Receipt {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new(vec![Script::answers()]);
        let sql = "SELECT COUNT(*) FROM trips".to_owned();
        let Outcome::Released(released) = world.ask(&sql).await.unwrap() else { panic!("refused") };
        let (answer, receipt) = released.into_parts();
        let text = ReceiptFile::new(&receipt).unwrap().to_json().unwrap();
        let (checkpoint, key) = world.checkpoint();
        Receipt { text, checkpoint, key, sql, answer }
    })
}

/// A proof of an entry that is no release.
pub(in super::super) fn other_entry() -> (EvidenceProof, String, VerifierKey) {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::new(folder.path(), b"x");
    let decided = Decided { actor: v1::Actor::default(), action: AskDataset::NAME, policies: vec![], reason: None };
    book.append(&decided, Record::WithheldAnswer(v1::WithheldAnswer::default())).unwrap();
    let mut store = book.0.store.lock().unwrap();
    store.publish().unwrap();
    let log = store.log();
    (log.export(0, None).unwrap(), log.checkpoint(), log.verifier_key().clone())
}

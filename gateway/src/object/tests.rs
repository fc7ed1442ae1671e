//! The three ways of an object, on a real folder and a real key process, with a register in memory.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use octroi_proto::{
    CertificateDigest, Credential, Dataset, DatasetId, DatasetState, GrantAction, Instant, ObjectKey, Principal,
    PrincipalState, Role, StoredObject,
    wire::v1::{self, entry::Record},
};
use tokio::sync::watch;

use super::{seal::HEADER_BYTES, *};
use crate::{
    authenticate::{Caller, Member},
    authorise::{Action, Decided, DeleteObject, FetchObject, Lent, Permit, StoreObject, tests::fixture},
    clock::{Clock as _, ManualClock},
    keys::server::tests::{Running, me},
    object::seal::ChunkSize,
    settings::ObjectStoreSettings,
};

/// A register in memory.
#[derive(Clone)]
struct Book(Arc<Page>);

struct Page {
    objects: Mutex<BTreeMap<ObjectKey, StoredObject>>,
    records: Mutex<Vec<Record>>,
    epoch: watch::Sender<u64>,
    revoked: Mutex<bool>,
    /// What the next commit fails with.
    failing: Mutex<Option<CommitError>>,
    clock: Arc<ManualClock>,
}

impl Register for Book {
    type Recorded = u64;

    fn object(&self, _: &DatasetId, key: &ObjectKey) -> Result<Option<StoredObject>, Unavailable> {
        Ok(self.0.objects.lock().unwrap().get(key).cloned())
    }

    fn renew<A: Action<Target = Lent>>(&self, permit: &mut Permit<A>) -> Result<(), Ended> {
        let over = permit.until().is_some_and(|until| until <= self.0.clock.now());
        if over || *self.0.revoked.lock().unwrap() { Err(Ended) } else { Ok(()) }
    }

    fn watch_epoch(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    async fn commit(
        &self,
        mut permit: Permit<StoreObject>,
        object: Durable,
        precondition: Precondition,
    ) -> Result<Committed, CommitError> {
        self.renew(&mut permit)?;
        if let Some(error) = self.0.failing.lock().unwrap().take() {
            return Err(error);
        }
        let mut objects = self.0.objects.lock().unwrap();
        let replaced = objects.get(object.key()).cloned();
        let current = replaced.as_ref().map(|object| object.version);
        if !precondition.holds(current) {
            return Err(CommitError::Precondition);
        }
        let organisation = permit.caller().member().unwrap().principal().organisation.clone();
        let object = object.stored(current.unwrap_or(0) + 1, organisation, self.0.clock.now());
        objects.insert(object.key.clone(), object.clone());
        Ok(Committed { object, replaced })
    }

    async fn remove(
        &self,
        _: Permit<DeleteObject>,
        key: ObjectKey,
        precondition: Precondition,
    ) -> Result<StoredObject, CommitError> {
        let mut objects = self.0.objects.lock().unwrap();
        let current = objects.get(&key).map(|object| object.version);
        match current {
            None => Err(CommitError::Missing),
            current if !precondition.holds(current) => Err(CommitError::Precondition),
            _ => Ok(objects.remove(&key).unwrap()),
        }
    }

    async fn record(&self, _: &Decided, record: Record) -> Result<u64, Unavailable> {
        let mut records = self.0.records.lock().unwrap();
        records.push(record);
        Ok(records.len() as u64 - 1)
    }

    fn sequence(recorded: &u64) -> u64 {
        *recorded
    }
}

struct World {
    keys: Running,
    objects: Objects<Book>,
    book: Book,
    folder: PathBuf,
}

impl World {
    async fn new() -> Self {
        let keys = Running::start(me()).await;
        fs::create_dir(keys.folder.path().join("store")).unwrap();
        let backend = Backend::open(&ObjectStoreSettings::Local { path: keys.folder.path().join("store") }).unwrap();
        Self::with(keys, backend, 5 << 20)
    }

    fn with(keys: Running, backend: Backend, max_object_bytes: u64) -> Self {
        let folder = keys.folder.path().join("store");
        let clock = ManualClock::at(1_790_000_000);
        let book = Book(Arc::new(Page {
            objects: Mutex::default(),
            records: Mutex::default(),
            epoch: watch::Sender::new(0),
            revoked: Mutex::new(false),
            failing: Mutex::default(),
            clock: Arc::clone(&clock),
        }));
        let limits = Limits { max_object_bytes, chunk_bytes: ChunkSize::DEFAULT };
        let objects = Objects::new(backend, keys.client.clone(), book.clone(), clock, limits);
        Self { keys, objects, book, folder }
    }

    async fn put(&self, precondition: Precondition, bytes: &[u8]) -> Result<StoredObject, PutError> {
        let pieces: Vec<_> =
            bytes.chunks(10_000).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        self.put_stream(precondition, stream::iter(pieces)).await
    }

    async fn put_stream(
        &self,
        precondition: Precondition,
        data: impl Stream<Item = Result<Bytes, std::io::Error>> + Send,
    ) -> Result<StoredObject, PutError> {
        let head = PutHead { key: key(), media_type: "text/csv".parse().unwrap(), precondition };
        self.objects.put(permit::<StoreObject>(None), head, data).await
    }

    async fn fetch(&self, range: ByteRange) -> Result<Opened, FetchError> {
        self.objects.fetch(permit(None), &key(), range, Precondition::None).await
    }

    fn revoke(&self) {
        *self.book.0.revoked.lock().unwrap() = true;
        self.book.0.epoch.send_modify(|epoch| *epoch += 1);
    }

    fn stored_files(&self) -> Vec<PathBuf> {
        files(&self.folder)
    }

    fn key_files(&self) -> Vec<PathBuf> {
        files(&self.keys.folder.path().join("objects"))
    }

    /// The records, once as many as expected are there.
    async fn records(&self, count: usize) -> Vec<Record> {
        for _ in 0..200 {
            if self.book.0.records.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.book.0.records.lock().unwrap().clone()
    }
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn key() -> ObjectKey {
    "2026/janvier.csv".parse().unwrap()
}

fn permit<A: Action<Target = Lent>>(until: Option<Instant>) -> Permit<A> {
    let caller = Caller::Member(Member::for_test(vendor(), Instant::MAX));
    Permit::for_test(caller, Lent { dataset: dataset(), grant: None }, until, 0)
}

fn vendor() -> Principal {
    Principal {
        name: "voltaic-bot".parse().unwrap(),
        organisation: "voltaic-sas".parse().unwrap(),
        role: Role::Vendor,
        state: PrincipalState::Active,
        credential: Credential::Certificate { sha256: CertificateDigest([0; 32]), expires: Instant::MAX },
        approvals: Vec::new(),
        added_by: None,
        added: Instant::UNIX_EPOCH,
        generation: 1,
    }
}

fn dataset() -> Dataset {
    let texts = |text: &str| [("fr".to_owned(), text.to_owned())].into();
    let description = v1::DatasetDescription {
        id: "capteurs".into(),
        title: texts("Capteurs"),
        description: texts("Mesures."),
        publisher: "Dijon Métropole".into(),
        owner: "Direction de l'énergie".into(),
        steward: "claire".into(),
        contact_point: Some(v1::ContactPoint { name: "Guichet".into(), email: "donnees@dijon.fr".into() }),
        level: v1::Level::QuasiSensitive.into(),
        confidentiality: v1::Impact::Moderate.into(),
        integrity: v1::Impact::Moderate.into(),
        availability: v1::Impact::Low.into(),
        purposes: vec!["planning".into()],
        licence: "https://example.org/licence".into(),
        retention: "P5Y".into(),
        agreement_required: Some(false),
        ..v1::DatasetDescription::default()
    };
    Dataset {
        description: description.try_into().unwrap(),
        state: DatasetState::Published,
        revision: 1,
        registered: Instant::UNIX_EPOCH,
        modified: Instant::UNIX_EPOCH,
        published: Some(Instant::UNIX_EPOCH),
    }
}

async fn collect(opened: Opened) -> (Vec<u8>, Option<StreamError>) {
    let (mut bytes, mut stream) = (Vec::new(), opened.bytes);
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

fn text(length: usize) -> Vec<u8> {
    b"capteur;degres\n".iter().copied().cycle().take(length).collect()
}

fn ended(record: &Record) -> (&str, u64) {
    let Record::FetchEnded(ended) = record else { panic!("{record:?}") };
    (&ended.outcome, ended.bytes)
}

#[tokio::test]
async fn what_is_put_is_fetched_whole_and_in_ranges_and_lies_sealed() {
    let world = World::new().await;
    for length in [0, 1, 65_536, 3_000_000] {
        let stored = world.put(Precondition::None, &text(length)).await.unwrap();
        assert_eq!(stored.length, length as u64);
        let sealed = fs::read(&world.stored_files()[0]).unwrap();
        assert_eq!(sealed.len() as u64, stored.sealed_length);
        assert_eq!(ring::digest::digest(&ring::digest::SHA256, &sealed).as_ref(), stored.sealed_sha256);
        assert_eq!(ring::digest::digest(&ring::digest::SHA256, &text(length)).as_ref(), stored.sha256);
        assert!(!sealed.windows(8).any(|window| window == b"capteur;"));
        let (bytes, error) = collect(world.fetch(ByteRange::Whole).await.unwrap()).await;
        assert!(error.is_none() && bytes == text(length), "{length}");
    }
    let opened = world.fetch(ByteRange::Between(70_000, 199_999)).await.unwrap();
    assert_eq!(opened.notice.owner, "Direction de l'énergie");
    assert!(opened.partial);
    assert_eq!(collect(opened).await.0, text(3_000_000)[70_000..200_000]);
    assert!(matches!(world.fetch(ByteRange::From(3_000_000)).await, Err(FetchError::Range(_))));
}

#[tokio::test]
async fn a_new_version_shreds_the_old_one_and_removal_shreds_all() {
    let world = World::new().await;
    let first = world.put(Precondition::Absent, b"one").await.unwrap();
    let second = world.put(Precondition::Version(1), b"two").await.unwrap();
    assert_eq!((second.version, second.at.uuid), (2, first.at.uuid));
    assert_ne!(second.at.version_id, first.at.version_id);
    assert_eq!((world.stored_files().len(), world.key_files().len()), (1, 1));
    assert!(matches!(world.put(Precondition::Version(1), b"x").await, Err(PutError::Precondition)));
    assert!(matches!(world.put(Precondition::Absent, b"x").await, Err(PutError::Precondition)));
    let stale = world.objects.remove(permit(None), key(), Precondition::Version(1)).await;
    assert!(matches!(stale, Err(RemoveError::Precondition)));
    world.objects.remove(permit(None), key(), Precondition::None).await.unwrap();
    assert_eq!((world.stored_files().len(), world.key_files().len()), (0, 0));
    assert!(matches!(world.fetch(ByteRange::Whole).await, Err(FetchError::Missing)));
    let again = world.objects.remove(permit(None), key(), Precondition::None).await;
    assert!(matches!(again, Err(RemoveError::Missing)));
}

#[tokio::test]
async fn a_put_that_fails_leaves_neither_bytes_nor_key() {
    let world = World::new().await;
    let broken = stream::iter([Ok(Bytes::from(vec![0; 2 << 20])), Err(std::io::Error::other("gone"))]);
    assert!(matches!(world.put_stream(Precondition::None, broken).await, Err(PutError::Upload(_))));
    let large = world.put(Precondition::None, &vec![0; (5 << 20) + 1]).await;
    assert!(matches!(large, Err(PutError::TooLarge { most: 5_242_880 })));
    *world.book.0.failing.lock().unwrap() = Some(CommitError::Busy);
    assert!(matches!(world.put(Precondition::None, b"one").await, Err(PutError::Busy)));
    world.revoke();
    assert!(matches!(world.put(Precondition::None, b"one").await, Err(PutError::Ended(_))));
    // What object_store staged is removed behind its back.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((world.stored_files().len(), world.key_files().len()), (0, 0));
}

#[tokio::test]
async fn a_put_in_the_place_of_anothers_object_is_refused_before_its_bytes() {
    let world = World::new().await;
    let first = world.put(Precondition::None, b"one").await.unwrap();
    assert_eq!(first.stored_by.as_str(), "voltaic-sas");
    let head = || PutHead { key: key(), media_type: Default::default(), precondition: Precondition::None };
    let lent_to = |organisation: &str| {
        let member =
            Member::for_test(Principal { organisation: organisation.parse().unwrap(), ..vendor() }, Instant::MAX);
        let grant = fixture::grant(1, "capteurs", organisation, &[GrantAction::Store], fixture::EPOCH + 60);
        Permit::for_test(Caller::Member(member), Lent { dataset: dataset(), grant: Some(grant) }, None, 0)
    };
    let never = stream::pending::<Result<Bytes, std::io::Error>>();
    let refused = world.objects.put(lent_to("rival-sas"), head(), never).await;
    assert!(matches!(refused, Err(PutError::StoredByAnother)));
    assert_eq!((world.stored_files().len(), world.key_files().len()), (1, 1));
    let two = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"two"))]);
    assert_eq!(world.objects.put(lent_to("voltaic-sas"), head(), two).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_put_whose_caller_leaves_is_undone() {
    let world = World::new().await;
    let never = stream::iter([Ok(Bytes::from(vec![0; 2 << 20]))]).chain(stream::pending());
    let left = tokio::time::timeout(Duration::from_millis(300), world.put_stream(Precondition::None, never)).await;
    assert!(left.is_err());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((world.stored_files().len(), world.key_files().len()), (0, 0));
}

#[tokio::test]
async fn when_a_commits_outcome_is_unknown_nothing_is_destroyed() {
    let world = World::new().await;
    *world.book.0.failing.lock().unwrap() = Some(CommitError::Unknown("the disk is gone".into()));
    assert!(matches!(world.put(Precondition::None, b"one").await, Err(PutError::Unknown(_))));
    assert_eq!((world.stored_files().len(), world.key_files().len()), (1, 1));
}

#[tokio::test]
async fn evidence_stands_before_the_first_byte_and_says_how_it_ended() {
    let world = World::new().await;
    world.put(Precondition::None, &text(200_000)).await.unwrap();
    let mut opened = world.fetch(ByteRange::Between(10, 149_999)).await.unwrap();
    let records = world.records(1).await;
    let Record::FetchStarted(started) = &records[0] else { panic!() };
    assert_eq!((started.offset, started.length, started.version), (10, 149_990, 1));
    let first = opened.bytes.next().await.unwrap().unwrap().len() as u64;
    drop(opened);
    assert_eq!(ended(&world.records(2).await[1]), ("abandoned", first));
    // Complete with the last byte: whoever knows the length need not ask for the end.
    let mut opened = world.fetch(ByteRange::Whole).await.unwrap();
    let mut seen = 0;
    while seen < 200_000 {
        seen += opened.bytes.next().await.unwrap().unwrap().len();
    }
    drop(opened);
    assert_eq!(ended(&world.records(4).await[3]), ("complete", 200_000));
}

#[tokio::test]
async fn anonymous_fetches_leave_no_entry() {
    let world = World::new().await;
    world.put(Precondition::None, b"public").await.unwrap();
    let anyone = Permit::<FetchObject>::for_test(Caller::Anonymous, Lent { dataset: dataset(), grant: None }, None, 0);
    let opened = world.objects.fetch(anyone, &key(), ByteRange::Whole, Precondition::None).await.unwrap();
    assert_eq!(collect(opened).await.0, b"public");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(world.book.0.records.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_revoked_stream_is_cut_before_its_next_chunk() {
    let world = World::new().await;
    world.put(Precondition::None, &text(1_000_000)).await.unwrap();
    let mut opened = world.fetch(ByteRange::Whole).await.unwrap();
    let first = opened.bytes.next().await.unwrap().unwrap().len() as u64;
    world.revoke();
    assert!(matches!(opened.bytes.next().await, Some(Err(StreamError::Ended(_)))));
    assert!(opened.bytes.next().await.is_none());
    assert_eq!(ended(&world.records(2).await[1]), ("cut", first));
}

#[tokio::test]
async fn an_upload_that_waits_is_woken_by_revocation_and_by_expiry() {
    for expire in [false, true] {
        let world = World::new().await;
        let head = PutHead { key: key(), media_type: Default::default(), precondition: Precondition::None };
        let until = Instant::from_second(1_790_000_000).unwrap() + Duration::from_secs(5);
        let waiting = world.objects.put(permit(Some(until)), head, stream::pending::<Result<Bytes, std::io::Error>>());
        let end = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if expire {
                world.book.0.clock.advance(Duration::from_secs(6));
            } else {
                world.revoke();
            }
            tokio::time::Instant::now()
        };
        let (result, ended) = tokio::join!(waiting, end);
        assert!(matches!(result, Err(PutError::Ended(_))), "{expire}");
        assert!(ended.elapsed() < Duration::from_secs(1), "{expire}");
    }
}

#[tokio::test]
async fn damage_ends_in_an_error_never_in_a_clean_end() {
    let world = World::new().await;
    world.put(Precondition::None, &text(200_000)).await.unwrap();
    let path = world.stored_files().remove(0);
    let sealed = fs::read(&path).unwrap();
    // In the third chunk: two come, the third does not.
    let mut damaged = sealed.clone();
    damaged[HEADER_BYTES + 2 * 65_552 + 5] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let (bytes, error) = collect(world.fetch(ByteRange::Whole).await.unwrap()).await;
    assert_eq!(bytes, text(131_072));
    assert!(matches!(error, Some(StreamError::Corrupt(_))));
    let records = world.records(3).await;
    assert!(records.iter().any(|record| matches!(record, Record::IntegrityFailure(_))));
    assert!(records.iter().any(|record| matches!(record, Record::FetchEnded(ended) if ended.outcome == "failed")));
    // A range elsewhere touches no damage.
    assert_eq!(collect(world.fetch(ByteRange::Last(10)).await.unwrap()).await.0, text(200_000)[199_990..]);
    for wrong in [&sealed[..sealed.len() - 1], &[&sealed[..], b"x"].concat(), &sealed[1..], &[], &sealed[..100]] {
        fs::write(&path, wrong).unwrap();
        assert!(matches!(world.fetch(ByteRange::Whole).await, Err(FetchError::Corrupt(_))), "{}", wrong.len());
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(world.fetch(ByteRange::Whole).await, Err(FetchError::Lost)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_an_object_that_is_replaced_see_one_version_or_the_next() {
    let world = World::new().await;
    world.put(Precondition::None, &vec![0; 150_000]).await.unwrap();
    let write = async {
        for version in 1..30 {
            world.put(Precondition::None, &vec![version; 150_000]).await.unwrap();
        }
    };
    let read = async {
        for _ in 0..60 {
            let (bytes, error) = collect(world.fetch(ByteRange::Whole).await.unwrap()).await;
            assert!(error.is_none() && bytes.len() == 150_000 && bytes.iter().all(|byte| *byte == bytes[0]));
        }
    };
    tokio::join!(write, read);
    assert_eq!((world.stored_files().len(), world.key_files().len()), (1, 1));
}

#[tokio::test]
async fn an_old_version_put_back_is_refused() {
    let world = World::new().await;
    world.put(Precondition::None, b"old!").await.unwrap();
    let old = fs::read(&world.stored_files()[0]).unwrap();
    world.put(Precondition::None, b"new!").await.unwrap();
    fs::write(&world.stored_files()[0], old).unwrap();
    assert!(matches!(world.fetch(ByteRange::Whole).await, Err(FetchError::Corrupt(_))));
}

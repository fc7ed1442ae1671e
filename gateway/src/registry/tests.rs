use super::{
    change::{AddPrincipal, ApprovePrincipal, CommitObject, RegisterDataset},
    offline::{check, rebuild},
    *,
};
use crate::{
    authenticate::{Caller, Member},
    authorise::{self as action, Action, Gateway, Lent},
    clock::ManualClock,
    object::{Durable, Precondition},
};
use octroi_proto::{Dataset, DatasetDescription, DatasetId, Level, StoredObject};
use std::{path::Path, sync::atomic::AtomicU8};

/// A register whose writer works only when a test says so.
pub(super) struct World {
    pub(super) registry: Registry,
    pub(super) writer: Writer,
    pub(super) clock: Arc<ManualClock>,
    pub(super) settings: RegistrySettings,
    folder: tempfile::TempDir,
    credentials: AtomicU8,
}

/// A founded register: operator `opal` of `ville`.
pub(super) fn founded() -> (tempfile::TempDir, RegistrySettings, Arc<ManualClock>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = RegistrySettings::in_folder(folder.path());
    let clock = ManualClock::at(1_790_000_000);
    let credential = certificate(0);
    let founder = Founder { name: "opal".parse().unwrap(), organisation: "ville".parse().unwrap(), credential };
    Registry::found(&settings, "octroi.test/log", founder, crate::clock::Clock::now(&*clock)).unwrap();
    (folder, settings, clock)
}

pub(super) fn certificate(number: u8) -> Credential {
    let expires = Instant::from_second(1_900_000_000).unwrap();
    Credential::Certificate { sha256: octroi_proto::CertificateDigest([number; 32]), expires }
}

pub(super) fn description(id: &str, level: Level) -> DatasetDescription {
    let words = |text: &str| [("fr".to_owned(), text.to_owned())].into();
    v1::DatasetDescription {
        id: id.to_owned(),
        title: words("Titre"),
        description: words("Description"),
        publisher: "Ville".to_owned(),
        owner: "Ville".to_owned(),
        steward: "claire".to_owned(),
        contact_point: Some(v1::ContactPoint { name: "Desk".to_owned(), email: "desk@example.org".to_owned() }),
        level: level.to_wire().into(),
        confidentiality: v1::Impact::Low.into(),
        integrity: v1::Impact::Low.into(),
        availability: v1::Impact::Low.into(),
        purposes: vec!["network planning".to_owned()],
        licence: "https://example.org/licence".to_owned(),
        retention: "P5Y".to_owned(),
        agreement_required: Some(false),
        ..v1::DatasetDescription::default()
    }
    .try_into()
    .unwrap()
}

/// An object of `capteurs`, the dataset of these tests.
pub(super) fn object(key: &str, uuid: u8) -> CommitObject {
    let at = octroi_proto::ObjectVersion {
        dataset: "capteurs".parse().unwrap(),
        uuid: uuid::Uuid::from_bytes([uuid; 16]),
        version_id: uuid::Uuid::from_bytes([uuid.wrapping_add(100); 16]),
    };
    CommitObject { object: Durable::for_test(at, key.parse().unwrap()), precondition: Precondition::None }
}

impl World {
    pub(super) fn new() -> Self {
        let (folder, settings, clock) = founded();
        Self::over(folder, settings, clock)
    }

    fn over(folder: tempfile::TempDir, settings: RegistrySettings, clock: Arc<ManualClock>) -> Self {
        let store = Store::open(&settings.evidence, Box::new(KernelSalts)).unwrap();
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let (registry, writer) = Registry::assemble(store, &settings, shared).unwrap();
        Self { registry, writer, clock, settings, folder, credentials: AtomicU8::new(1) }
    }

    /// As [`Self::new`], with stewards `claire` and `colin`, reviewer `rene`, and the vendor `volta` of `voltaic-sas`.
    pub(super) fn peopled() -> Self {
        let mut world = Self::new();
        world.add("opal", "rene", "ville", Role::Reviewer).unwrap();
        world.add("opal", "claire", "ville", Role::Steward).unwrap();
        world.approved("colin", "ville", Role::Steward);
        world.approved("volta", "voltaic-sas", Role::Vendor);
        world
    }

    pub(super) fn approved(&mut self, name: &str, organisation: &str, role: Role) {
        self.add("opal", name, organisation, role).unwrap();
        for approver in ["claire", "rene"] {
            if self.principal(name).state == PrincipalState::Waiting {
                self.run(approver, self.principal(name), ApprovePrincipal).unwrap();
            }
        }
        assert_eq!(self.principal(name).state, PrincipalState::Active);
    }

    pub(super) fn add(&mut self, by: &str, name: &str, org: &str, role: Role) -> Result<Principal, ChangeError> {
        let credential = certificate(self.credentials.fetch_add(1, Ordering::Relaxed));
        let (name, organisation) = (name.parse().unwrap(), org.parse().unwrap());
        self.run(by, Gateway, AddPrincipal { name, organisation, role, credential })
    }

    pub(super) fn dataset(&mut self, id: &str, level: Level) -> Dataset {
        self.run("claire", Gateway, RegisterDataset { description: description(id, level) }).unwrap()
    }

    /// Puts a principal's row into the index, as no change does.
    pub(super) fn overwrite(&self, principal: &Principal) {
        let row = prost::Message::encode_to_vec(&v1::Principal::from(principal));
        let key = table::Table::Principals.key(&[principal.name.as_str().as_bytes()]);
        self.registry.0.index.rows().insert(key, row).unwrap();
    }

    pub(super) fn principal(&self, name: &str) -> Principal {
        self.registry.principal(&name.parse().unwrap()).unwrap().unwrap()
    }

    pub(super) fn caller(&self, name: &str) -> Caller {
        Caller::Member(Member::for_test(self.principal(name), Instant::MAX))
    }

    pub(super) fn permit<A: Action>(&self, who: &str, target: A::Target) -> Permit<A> {
        Permit::for_test(self.caller(who), target, None, self.registry.epoch())
    }

    /// Makes one change in a round of its own.
    pub(super) fn run<C: Change>(
        &mut self,
        who: &str,
        target: <C::Action as Action>::Target,
        change: C,
    ) -> Result<C::Outcome, ChangeError> {
        let permit = self.permit(who, target);
        let (job, mut answer) = ChangeJob::new(permit, change);
        self.writer.round(vec![Box::new(job)]);
        match answer.try_recv().unwrap() {
            Ok(outcome) => Ok(outcome),
            Err(CommitError::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) fn now(&self) -> Instant {
        crate::clock::Clock::now(&*self.clock)
    }

    /// The folder, once nothing holds it.
    pub(super) fn close(self) -> (tempfile::TempDir, RegistrySettings, Arc<ManualClock>) {
        let Self { registry, writer, clock, settings, folder, .. } = self;
        drop((registry, writer));
        (folder, settings, clock)
    }
}

pub(super) fn lent(dataset: &Dataset) -> Lent {
    Lent { dataset: dataset.clone(), grant: None }
}

fn listed(world: &World, dataset: &str) -> Vec<StoredObject> {
    world.registry.objects(&dataset.parse().unwrap(), "", None, 100).unwrap()
}

#[test]
fn what_was_changed_is_there_after_a_restart_and_the_index_agrees() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    world.run::<CommitObject>("claire", lent(&dataset), object("a/b.csv", 1)).unwrap();
    let objects = listed(&world, "capteurs");
    let (folder, settings, clock) = world.close();
    let report = check(&settings).unwrap();
    assert!(report.differences.is_empty() && report.rows > 10, "{report:?}");
    let world = World::over(folder, settings, clock);
    assert_eq!(world.registry.dataset(&"capteurs".parse().unwrap()).unwrap(), Some(dataset));
    assert_eq!(listed(&world, "capteurs"), objects);
    assert_eq!(world.principal("volta").state, PrincipalState::Active);
}

#[test]
fn an_index_that_is_gone_old_or_wrong_is_brought_up_to_the_evidence() {
    let mut world = World::peopled();
    let (_, settings, _) = (world.dataset("one", Level::Public), world.settings.clone(), ());
    // As after a kill: sled lost what came after this copy.
    world.registry.0.index.flush().unwrap();
    let old = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(&settings.index).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), old.path().join(file.file_name())).unwrap();
        }
    }
    world.dataset("two", Level::Public);
    let (_folder, settings, _) = world.close();
    std::fs::remove_dir_all(&settings.index).unwrap();
    assert!(check(&settings).unwrap().differences.is_empty(), "gone");
    std::fs::remove_dir_all(&settings.index).unwrap();
    std::fs::rename(old.path(), &settings.index).unwrap();
    assert!(check(&settings).unwrap().differences.is_empty(), "old");
    let log = Store::open(&settings.evidence, Box::new(KernelSalts)).unwrap().log();
    let index = Index::open(&settings.index, settings.cache_bytes, &log).unwrap();
    let stray = table::Table::Datasets.key(&[b"stray"]);
    index.rows().insert(stray, b"x").unwrap();
    index.rows().remove(table::Table::Datasets.key(&[b"one"])).unwrap();
    drop((index, log));
    let found = check(&settings).unwrap().differences;
    let kinds: Vec<_> = found.iter().map(|it| (it.key.as_str(), it.kind)).collect();
    assert_eq!(kinds, [("one", offline::DifferenceKind::Missing), ("stray", offline::DifferenceKind::Surplus)]);
    rebuild(&settings).unwrap();
    assert!(check(&settings).unwrap().differences.is_empty(), "rebuilt");
}

#[test]
fn an_index_of_another_history_or_schema_is_refused() {
    let (_one, ours, _) = founded();
    let (_two, theirs, _) = founded();
    std::fs::remove_dir_all(&ours.index).unwrap();
    std::fs::rename(&theirs.index, &ours.index).unwrap();
    let refused = check(&ours).unwrap_err();
    assert!(matches!(refused, offline::OfflineError::Index(OpenIndexError::Foreign { .. })), "{refused}");
    rebuild(&ours).unwrap();
    let log = Store::open(&ours.evidence, Box::new(KernelSalts)).unwrap().log();
    let index = Index::open(&ours.index, ours.cache_bytes, &log).unwrap();
    index.rows().insert(table::Table::Meta.key(&[b"schema"]), b"9").unwrap();
    drop((index, log));
    let refused = check(&ours).unwrap_err();
    assert!(matches!(refused, offline::OfflineError::Index(OpenIndexError::Schema { .. })), "{refused}");
}

#[test]
fn a_running_register_keeps_the_offline_tools_out() {
    let world = World::new();
    assert!(check(&world.settings).unwrap_err().to_string().contains("stop `octroi serve` first"));
    assert!(rebuild(&world.settings).unwrap_err().to_string().contains("stop `octroi serve` first"));
}

#[test]
fn in_one_round_later_changes_see_earlier_ones() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    let first = CommitObject { precondition: Precondition::Absent, ..object("a.csv", 1) };
    let permit = |world: &World| world.permit::<action::StoreObject>("claire", lent(&dataset));
    let (one, mut first_answer) = ChangeJob::new(permit(&world), first.clone());
    let (two, mut second_answer) = ChangeJob::new(permit(&world), first);
    let again = CommitObject { precondition: Precondition::Version(1), ..object("a.csv", 1) };
    let (three, mut third_answer) = ChangeJob::new(permit(&world), again);
    let syncs = world.registry.syncs();
    world.writer.round(vec![Box::new(one), Box::new(two), Box::new(three)]);
    assert_eq!(first_answer.try_recv().unwrap().unwrap().object.version, 1);
    let second = second_answer.try_recv().unwrap();
    let conflict = ChangeError::Version { current: Some(1) };
    assert!(matches!(second, Err(CommitError::Refused(refusal)) if refusal.to_string() == conflict.to_string()));
    assert_eq!(third_answer.try_recv().unwrap().unwrap().object.version, 2);
    assert_eq!(world.registry.syncs(), syncs + 1);
    assert_eq!(listed(&world, "capteurs").len(), 1);
}

#[test]
fn two_registrations_of_one_id_in_one_round_leave_one() {
    let mut world = World::peopled();
    let register = || RegisterDataset { description: description("capteurs", Level::Public) };
    let permit = |world: &World| world.permit::<action::RegisterDataset>("claire", Gateway);
    let (one, mut first) = ChangeJob::new(permit(&world), register());
    let (two, mut second) = ChangeJob::new(permit(&world), register());
    world.writer.round(vec![Box::new(one), Box::new(two)]);
    assert!(first.try_recv().unwrap().is_ok());
    // The first moved the epoch, so the second permit is looked at again before it is used.
    let Err(CommitError::Stale { permit, change }) = second.try_recv().unwrap() else { panic!() };
    assert_eq!((permit.epoch() + 1, change.description.id.as_str()), (world.registry.epoch(), "capteurs"));
    assert!(matches!(world.run("claire", Gateway, *change), Err(ChangeError::Taken(_))));
}

#[test]
fn what_decisions_rest_on_moves_the_epoch_and_objects_do_not() {
    let mut world = World::peopled();
    let mut watched = world.registry.watch_epoch();
    watched.mark_unchanged();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    assert!(watched.has_changed().unwrap());
    let epoch = world.registry.epoch();
    world.run::<CommitObject>("claire", lent(&dataset), object("a", 1)).unwrap();
    assert_eq!(world.registry.epoch(), epoch);
}

#[test]
fn a_permit_that_ended_is_stale() {
    let mut world = World::peopled();
    let permit = world.permit::<action::RegisterDataset>("claire", Gateway);
    world.add("opal", "later", "ville", Role::Vendor).unwrap();
    let (job, mut answer) = ChangeJob::new(permit, RegisterDataset { description: description("abc", Level::Public) });
    let entries = world.registry.log().len();
    world.writer.round(vec![Box::new(job)]);
    assert!(matches!(answer.try_recv().unwrap(), Err(CommitError::Stale { .. })));
    assert_eq!(world.registry.log().len(), entries, "a refused change leaves nothing");
}

#[test]
fn when_the_disk_fails_nothing_changes_any_more_and_reads_go_on() {
    let mut world = World::peopled();
    world.writer.store.fail_syncs();
    let epoch = world.registry.epoch();
    for _ in 0..2 {
        let permit = world.permit::<action::RegisterDataset>("claire", Gateway);
        let change = RegisterDataset { description: description("capteurs", Level::Public) };
        let (job, mut answer) = ChangeJob::new(permit, change);
        world.writer.round(vec![Box::new(job)]);
        assert!(matches!(answer.try_recv().unwrap(), Err(CommitError::Unavailable)));
    }
    assert!(world.registry.failed());
    assert_eq!(world.registry.epoch(), epoch);
    let absent: DatasetId = "capteurs".parse().unwrap();
    assert_eq!(world.registry.dataset(&absent).unwrap(), None);
    assert_eq!(world.principal("claire").state, PrincipalState::Active);
}

#[test]
fn lists_come_in_pages_with_the_round_over_the_index() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    for (number, key) in ["a/1", "a/2", "a/3", "b/1"].into_iter().enumerate() {
        world.run::<CommitObject>("claire", lent(&dataset), object(key, number as u8)).unwrap();
    }
    let keys = |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(|key| key.parse().unwrap());
        let page = world.registry.objects(&"capteurs".parse().unwrap(), prefix, after.as_ref(), limit).unwrap();
        page.into_iter().map(|object| object.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(keys("", None, 2), ["a/1", "a/2"]);
    assert_eq!(keys("", Some("a/2"), 9), ["a/3", "b/1"]);
    assert_eq!(keys("a/", Some("a/1"), 9), ["a/2", "a/3"]);
    assert_eq!(keys("b", Some("a/2"), 9), ["b/1"]);
    assert!(keys("a", Some("b/0"), 9).is_empty() && keys("c", None, 9).is_empty());
}

#[test]
fn a_row_that_does_not_parse_is_an_error_that_names_its_table() {
    let world = World::peopled();
    world.registry.0.index.rows().insert(table::Table::Datasets.key(&[b"broken"]), b"\xff").unwrap();
    let refused = world.registry.dataset(&"broken".parse().unwrap()).unwrap_err();
    assert!(matches!(refused, ReadError::Damaged { table: "datasets" }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_at_once_share_syncs() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    let (_folder, settings, clock) = world.close();
    let registry = Registry::open(&settings, clock).unwrap();
    let claire = registry.principal(&"claire".parse().unwrap()).unwrap().unwrap();
    let commits = (0..=255_u8).map(|number| {
        let caller = Caller::Member(Member::for_test(claire.clone(), Instant::MAX));
        let permit = Permit::<action::StoreObject>::for_test(caller, lent(&dataset), None, registry.epoch());
        let registry = registry.clone();
        tokio::spawn(async move { registry.commit(permit, object(&format!("{number}"), number)).await.is_ok() })
    });
    let commits: Vec<_> = commits.collect();
    for commit in commits {
        assert!(commit.await.unwrap());
    }
    assert!(registry.syncs() <= 128, "{} syncs for 256 commits", registry.syncs());
    let page = registry.objects(&"capteurs".parse().unwrap(), "", None, 1_000).unwrap();
    assert_eq!(page.len(), 256);
    registry.shutdown().await;
}

#[tokio::test]
async fn records_are_durable_counts_are_kept_and_a_shutdown_loses_nothing() {
    let (_folder, settings, clock) = founded();
    let registry = Registry::open(&settings, clock).unwrap();
    let recorded = registry.started("0.1.0", [7; 32]).await.unwrap();
    assert_eq!(recorded.sequence(), 2, "behind the two founding entries");
    registry.count("ReadMetadata", Outcome::Allowed);
    let decided = Decided { actor: v1::Actor::default(), action: "FetchObject", policies: vec![], reason: None };
    let ended = v1::FetchEnded { started: 2, bytes: 5, outcome: "complete".to_owned() };
    registry.note(&decided, Record::FetchEnded(ended)).unwrap();
    registry.shutdown().await;
    let log = registry.log().clone();
    let actions: Vec<_> = log.entries(0, 10).unwrap().entries.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["Found", "Found", "Start", "FetchObject", "Count"]);
    assert_eq!(log.head().size, 5, "the last checkpoint covers all");
    assert_eq!(registry.started("0.1.0", [7; 32]).await, Err(RecordError::Unavailable));
}

#[tokio::test]
async fn entries_proven_together_share_a_sync_and_a_checkpoint() {
    let mut world = World::peopled();
    let decided = Decided { actor: v1::Actor::default(), action: "AskDataset", policies: vec![], reason: None };
    let released = |number: u8| {
        Record::ReleasedAnswer(v1::ReleasedAnswer { query_id: vec![number; 16], ..v1::ReleasedAnswer::default() })
    };
    let before = world.registry.log().len();
    let syncs = world.registry.syncs();
    let jobs: (Vec<_>, Vec<_>) = (0..5)
        .map(|number| RecordJob::awaited(Draft::decided(&decided, released(number))))
        .map(|(job, answer)| (Box::new(job.covered()) as Box<dyn job::Job>, answer))
        .unzip();
    world.writer.round(jobs.0);
    assert_eq!(world.registry.syncs(), syncs + 1);
    assert_eq!(world.registry.log().head().size, before + 5, "the checkpoint did not wait for its time");
    let log = world.registry.log();
    for answer in jobs.1 {
        let sequence = answer.await.unwrap().unwrap().sequence();
        let proof = log.export(sequence, None).unwrap();
        assert_eq!(proof.checkpoint, log.checkpoint());
        crate::evidence::verify_proof(&proof, &log.checkpoint(), log.verifier_key()).unwrap();
    }
}

#[tokio::test]
async fn without_a_checkpoint_nothing_is_proven() {
    let mut world = World::peopled();
    let decided = Decided { actor: v1::Actor::default(), action: "AskDataset", policies: vec![], reason: None };
    let record = || Draft::decided(&decided, Record::ReleasedAnswer(v1::ReleasedAnswer::default()));
    // A folder in its place: the checkpoint cannot be written.
    std::fs::create_dir(world.settings.evidence.join("checkpoint.new")).unwrap();
    let (covered, proven) = RecordJob::awaited(record());
    let (plain, recorded) = RecordJob::awaited(record());
    world.writer.round(vec![Box::new(covered.covered()), Box::new(plain)]);
    assert_eq!(proven.await.unwrap(), Err(RecordError::Unavailable));
    assert!(recorded.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let (_folder, settings, clock) = founded();
    let settings = RegistrySettings { queue: 2, ..settings };
    let store = Store::open(&settings.evidence, Box::new(KernelSalts)).unwrap();
    // The writer never runs.
    let (registry, _writer) = Registry::assemble(store, &settings, clock).unwrap();
    let decided = Decided { actor: v1::Actor::default(), action: "FetchObject", policies: vec![], reason: None };
    let note = || registry.note(&decided, Record::FetchEnded(v1::FetchEnded::default()));
    assert_eq!([note(), note(), note()], [Ok(()), Ok(()), Err(RecordError::Busy)]);
}

#[test]
fn a_register_is_founded_once() {
    let (_folder, settings, _) = founded();
    let founder =
        Founder { name: "eve".parse().unwrap(), organisation: "evil".parse().unwrap(), credential: certificate(9) };
    assert!(Registry::found(&settings, "octroi.test/log", founder, Instant::UNIX_EPOCH).is_err());
    let log = Store::open(&settings.evidence, Box::new(KernelSalts)).unwrap().log();
    assert_eq!(log.len(), 2);
}

/// The process that [`a_killed_process_loses_nothing_it_acknowledged`] starts and kills; nothing unless it does. It
/// stores objects as fast as it can and says which were acknowledged.
#[tokio::test]
async fn child_that_commits_until_it_is_killed() {
    let Ok(state) = std::env::var("OCTROI_TEST_STATE") else { return };
    let settings = RegistrySettings {
        checkpoint_every: Duration::from_millis(7),
        ..RegistrySettings::in_folder(Path::new(&state))
    };
    let registry = Registry::open(&settings, ManualClock::at(1_790_000_100)).unwrap();
    let claire = registry.principal(&"claire".parse().unwrap()).unwrap().unwrap();
    let dataset = registry.dataset(&"capteurs".parse().unwrap()).unwrap().unwrap();
    let run = std::process::id();
    for round in 0.. {
        let commits = (0..8_u8).map(|number| {
            let caller = Caller::Member(Member::for_test(claire.clone(), Instant::MAX));
            let permit = Permit::<action::StoreObject>::for_test(caller, lent(&dataset), None, registry.epoch());
            registry.commit(permit, object(&format!("{run}/{round}/{number}"), number))
        });
        for committed in futures::future::join_all(commits).await {
            println!("acknowledged {}", committed.unwrap().object.key);
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    use std::io::{BufRead as _, BufReader};
    let mut world = World::peopled();
    world.dataset("capteurs", Level::QuasiSensitive);
    let (folder, settings, clock) = world.close();
    let mut acknowledged = Vec::new();
    for kill in 0..6_usize {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "registry::tests::child_that_commits_until_it_is_killed", "--nocapture"])
            .env("OCTROI_TEST_STATE", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let keys = lines.by_ref().filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
        acknowledged.extend(keys.take(20 + kill * 37));
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before it died is acknowledged too; its last line may be cut short.
        let mut rest: Vec<_> = lines.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned)).collect();
        rest.pop();
        acknowledged.extend(rest);
    }
    assert!(acknowledged.len() > 6 * 20);
    let report = check(&settings).unwrap();
    assert_eq!((report.differences, report.more), (Vec::new(), false));
    let world = World::over(folder, settings, clock);
    for key in acknowledged {
        let found = world.registry.object(&"capteurs".parse().unwrap(), &key.parse().unwrap()).unwrap();
        assert!(found.is_some(), "{key} was acknowledged");
    }
}

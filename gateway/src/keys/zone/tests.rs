use octroi_attest::{
    Launch, Recipient, Zone,
    envelope::Expected,
    history::{NO_RELEASE, after, framed, open_answer},
    reference::NotApproved,
};
use octroi_proto::wire::{v1, zone};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::keys::{
    ZoneKeyError,
    client::ReleaseError,
    launches::tests::{Host, at},
    root::RootKey,
    server::tests::{Running, me},
    store::{ingest, table::tests::table, tests::store},
};

/// A key store, a zone host that is approved, and what comes of them.
struct Fixture {
    _folder: TempDir,
    store: KeyStore,
    launches: Launches,
    host: Host,
}

impl Fixture {
    fn new() -> Self {
        let ((folder, store), host) = (store(), Host::new(1));
        let file = folder.path().join("approved.toml");
        host.approve(&file);
        Self { _folder: folder, store, launches: Launches::new(file, at(0)), host }
    }

    /// A file of `recensement` with the hidden column `nom`; `id` names file, load and launch.
    fn load(&self, id: u8, process_allowed: bool) -> OpenKeys {
        let recipient = Recipient::generate().unwrap();
        let launch = self.host.sign(&self.host.launch(id, recipient.public_key()));
        let request =
            NewTableKeys { process_allowed, ..new_keys(&self.store.ingest_recipient(&dataset()).unwrap(), id, launch) };
        let sealed = create(&self.store, &self.launches, request, at(0)).unwrap();
        let files = [columns(id, &ALL)];
        let (work, launch, rules) = ([id; 16].into(), [id; 16].into(), census(&[]).load_digest());
        recipient.open(&sealed, &Expected { work, launch, files: &files, rules }, at(1)).unwrap()
    }

    fn ask(&self, launch: &Launch, files: &[FileColumns]) -> Result<SealedKeys, ZoneRefusal> {
        self.ask_under(rules(census(&[])), launch, files)
    }

    fn ask_under(&self, rules: Rules, launch: &Launch, files: &[FileColumns]) -> Result<SealedKeys, ZoneRefusal> {
        let request = ColumnKeys { rules, ..asked(self.host.sign(launch), files) };
        seal(&self.store, &self.launches, &request, at(0))
    }
}

/// The leaf columns of a file, in order.
const ALL: [&str; 4] = ["age", "foyer", "nom", "ville"];

/// The table that is loaded, with the hidden column `nom`, and more of them.
fn census(hidden_since: &[&str]) -> RuledTable {
    table("recensement", &["age", "nom", "ville"].map(|name| (name, name == "nom" || hidden_since.contains(&name))))
}

fn rules(table: RuledTable) -> Rules {
    Rules::new(vec![table], Vec::new(), 11).unwrap()
}

fn dataset() -> DatasetId {
    "recensement".parse().unwrap()
}

fn columns(file: u8, names: &[&str]) -> FileColumns {
    FileColumns { file_id: [file; 16].into(), columns: names.iter().map(|name| (*name).to_owned()).collect() }
}

fn new_keys(recipient: &str, id: u8, launch: SignedLaunch) -> NewTableKeys {
    let stanza = |stanza: Stanza| AgeStanza { tag: stanza.tag, arguments: stanza.args, body: stanza.body };
    NewTableKeys {
        table: census(&[]),
        load: [id; 16].into(),
        launch,
        file: [id; 16].into(),
        stanzas: ingest::tests::stanzas(recipient, [7; 16]).into_iter().map(stanza).collect(),
        expires: at(60),
        process_allowed: false,
    }
}

fn asked(launch: SignedLaunch, files: &[FileColumns]) -> ColumnKeys {
    let files = files.iter().map(|file| (dataset(), file.clone())).collect();
    ColumnKeys { query: [99; 16].into(), launch, files, expires: at(60), rules: rules(census(&[])) }
}

#[test]
fn a_question_is_given_the_keys_that_its_files_were_written_with() {
    let fixture = Fixture::new();
    let written = [fixture.load(1, false), fixture.load(2, false)];
    assert_eq!(written[0].ingest_file_key.as_ref().unwrap().expose(), &[7; 16]);
    let recipient = Recipient::generate().unwrap();
    let files = [columns(2, &["age"]), columns(1, &["age", "ville"])];
    let sealed = fixture.ask(&fixture.host.launch(9, recipient.public_key()), &files).unwrap();
    let rules = rules(census(&[])).digest();
    let expected = Expected { work: [99; 16].into(), launch: [9; 16].into(), files: &files, rules };
    let opened = recipient.open(&sealed, &expected, at(1)).unwrap();
    assert_eq!(opened.files[0].columns["age"], written[1].files[0].columns["age"]);
    assert_eq!(opened.files[1].columns["ville"], written[0].files[0].columns["ville"]);
    assert_eq!(opened.files[1].footer, written[0].files[0].footer);
    assert!(opened.ingest_file_key.is_none());
}

#[test]
fn a_question_is_given_the_histories_of_its_tables_that_are_about_somebody() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let stations = v1::TableSchema {
        name: "stations".into(),
        columns: vec![v1::Column {
            name: "line".into(),
            r#type: v1::ColumnType::String.into(),
            ..v1::Column::default()
        }],
        subjects: Vec::new(),
        public: true,
    };
    let elsewhere = RuledTable { dataset: "hospital".parse().unwrap(), ..census(&[]) };
    let tables = vec![census(&[]), RuledTable::parse("mobility", Some(stations)).unwrap(), elsewhere];
    let rules = Rules::new(tables, Vec::new(), 11).unwrap();
    let ask = |id: u8| {
        let recipient = Recipient::generate().unwrap();
        let files = [columns(1, &["age"])];
        let launch = fixture.host.launch(id, recipient.public_key());
        let sealed = fixture.ask_under(rules.clone(), &launch, &files).unwrap();
        let expected =
            Expected { work: [99; 16].into(), launch: [id; 16].into(), files: &files, rules: rules.digest() };
        recipient.open(&sealed, &expected, at(1)).unwrap()
    };
    let opened = ask(8);
    let named: Vec<_> = opened.histories.iter().map(|history| history.table.as_str()).collect();
    assert_eq!(named, ["hospital/people", "recensement/people"]);
    let history = opened.history("recensement/people").unwrap();
    assert_eq!(history.sequence, 0);
    let release = history.seal(b"record", b"answer").unwrap();
    let request = Release { table: release.table.parse().unwrap(), commitment: release.commitment };
    record(&fixture.store, &request).unwrap();
    let later = ask(9);
    assert_eq!(later.history("recensement/people").unwrap().sequence, 1);
    assert_eq!(later.history("recensement/people").unwrap().open(&framed(&release.record).unwrap()).unwrap().len(), 1);
    assert_eq!(later.history("hospital/people").unwrap().sequence, 0);
    // New keys for new rows, and the history goes on.
    fixture.store.destroy_table_keys(&dataset(), [1; 16].into()).unwrap();
    fixture.load(1 + 1, false);
    assert_eq!(fixture.store.history_key(&request.table).unwrap().sequence, 1);
}

#[tokio::test]
async fn a_release_is_recorded_through_serve_and_outlives_a_restart() {
    let mut running = Running::start(me()).await;
    let made_up = Release { table: "recensement/people".parse().unwrap(), commitment: vec![7; 132] };
    assert!(matches!(running.client.commit_release(&made_up).await, Err(ReleaseError::Denied(_))));
    let release = |running: &Running| {
        let root = RootKey::load(&running.folder.path().join("root.key")).unwrap();
        let store = KeyStore::open(running.folder.path(), root).unwrap();
        let history = store.history_key(&made_up.table).unwrap();
        (history.seal(b"record", b"answer").unwrap(), history)
    };
    let [(one, _), (other, _)] = [release(&running), release(&running)];
    let request = |release: &zone::SealedRelease| Release { commitment: release.commitment.clone(), ..made_up.clone() };
    let recorded = running.client.commit_release(&request(&one)).await.unwrap();
    assert_eq!((recorded.sequence, recorded.head), (1, after(&NO_RELEASE, &one.record)));
    assert_eq!(open_answer(&recorded.answer_key, &one.answer).unwrap(), b"answer");
    running.restart().await;
    assert!(matches!(running.client.commit_release(&request(&other)).await, Err(ReleaseError::Superseded)));
    assert_eq!(running.client.commit_release(&request(&one)).await.unwrap(), recorded, "asked again, it is the same");
    assert_eq!(release(&running).1.head, recorded.head);
    assert!(!format!("{recorded:?}").contains("answer_key: ["), "{recorded:?}");
}

#[test]
fn a_launch_is_given_keys_once_whether_for_a_load_or_a_question() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let launch = fixture.host.launch(9, Recipient::generate().unwrap().public_key());
    let files = [columns(1, &["age"])];
    // What is refused for another cause uses nothing up.
    assert!(matches!(fixture.ask(&launch, &[columns(3, &["age"])]), Err(ZoneRefusal::Key(KeyError::Missing))));
    fixture.ask(&launch, &files).unwrap();
    assert!(matches!(fixture.ask(&launch, &files), Err(ZoneRefusal::Launch(LaunchRefusal::Used))));
    let loaded = Launch { id: [1; 16].into(), ..launch };
    assert!(matches!(fixture.ask(&loaded, &files), Err(ZoneRefusal::Launch(LaunchRefusal::Used))));
}

#[test]
fn a_hidden_or_unknown_column_is_refused() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let launch = fixture.host.launch(9, [5; 32]);
    let ask = |names: &[&str]| fixture.ask(&launch, &[columns(1, names)]);
    assert!(matches!(ask(&["age", "nom"]), Err(ZoneRefusal::Column(ColumnRefusal::Hidden))));
    assert!(matches!(ask(&["rue"]), Err(ZoneRefusal::Column(ColumnRefusal::Missing))));
}

/// What a taken-over serve would rather ask under.
#[test]
fn a_question_about_the_table_declared_otherwise_is_given_no_keys() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let launch = fixture.host.launch(9, Recipient::generate().unwrap().public_key());
    let changed = |change: &dyn Fn(&mut v1::TableSchema)| {
        let mut schema = v1::TableSchema::from(&census(&[]).schema);
        change(&mut schema);
        RuledTable::parse("recensement", Some(schema)).unwrap()
    };
    let otherwise = [
        changed(&|it| {
            it.subjects.clear();
            it.public = true;
        }),
        changed(&|it| it.subjects = vec!["age".into()]),
        changed(&|it| it.columns[2].hidden = false),
        changed(&|it| it.columns[1].domain = vec!["a".into()]),
        changed(&|it| it.columns[1].nullable = true),
        changed(&|it| it.name = "persons".into()),
        changed(&|it| drop(it.columns.pop())),
        RuledTable { dataset: "hospital".parse().unwrap(), ..census(&[]) },
    ];
    let files = [columns(1, &["age", "foyer"])];
    for table in otherwise {
        let refused = fixture.ask_under(rules(table.clone()), &launch, &files);
        assert!(matches!(refused, Err(ZoneRefusal::Rules)), "{table:?}");
    }
    // Beside a table of the same name in another dataset, and with more hidden since.
    let elsewhere = RuledTable { dataset: "hospital".parse().unwrap(), ..census(&[]) };
    let both = Rules::new(vec![elsewhere, census(&["ville"])], Vec::new(), 20).unwrap();
    fixture.ask_under(both, &launch, &files).unwrap();
}

#[test]
fn keys_open_for_a_question_under_the_rules_they_were_sealed_for() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let files = [columns(1, &["age"])];
    let held_to = Rules::new(vec![census(&[])], Vec::new(), 20).unwrap();
    for (id, told, opens) in [(8, held_to.clone(), true), (9, rules(census(&[])), false)] {
        let recipient = Recipient::generate().unwrap();
        let launch = fixture.host.launch(id, recipient.public_key());
        let sealed = fixture.ask_under(held_to.clone(), &launch, &files).unwrap();
        let (work, launch) = ([99; 16].into(), [id; 16].into());
        let expected = Expected { work, launch, files: &files, rules: told.digest() };
        assert_eq!(recipient.open(&sealed, &expected, at(1)).is_ok(), opens);
    }
}

#[test]
fn a_column_hidden_after_its_load_is_given_to_no_question() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let hiding = Hiding { dataset: dataset(), table: "people".parse().unwrap(), columns: vec!["age".parse().unwrap()] };
    hide(&fixture.store, &hiding).unwrap();
    fixture.load(2, false);
    // Whatever the rules say of it, and in later files, too.
    for (id, file, rules) in [(8, 1, rules(census(&["age"]))), (9, 1, rules(census(&[]))), (10, 2, rules(census(&[])))]
    {
        let launch = fixture.host.launch(id, Recipient::generate().unwrap().public_key());
        let refused = fixture.ask_under(rules.clone(), &launch, &[columns(file, &["age", "ville"])]);
        assert!(matches!(refused, Err(ZoneRefusal::Column(ColumnRefusal::Hidden))), "{id}");
        fixture.ask_under(rules, &launch, &[columns(file, &["ville"])]).unwrap();
    }
}

#[test]
fn the_isolation_demanded_at_the_load_holds_for_every_question() {
    let fixture = Fixture::new();
    fixture.load(1, true);
    fixture.load(2, false);
    let recipient = Recipient::generate().unwrap();
    let process = |id| Launch { zone: Zone::Process, ..fixture.host.launch(id, recipient.public_key()) };
    fixture.ask(&process(8), &[columns(1, &["age"])]).unwrap();
    // One file that demands a virtual machine is enough.
    let both = [columns(1, &["age"]), columns(2, &["age"])];
    assert!(matches!(fixture.ask(&process(9), &both), Err(ZoneRefusal::Launch(LaunchRefusal::Process))));
}

#[test]
fn who_is_not_approved_is_given_nothing() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let (files, launch) = ([columns(1, &["age"])], fixture.host.launch(9, [5; 32]));
    let stranger = asked(Host::new(2).sign(&launch), &files);
    let refused = seal(&fixture.store, &fixture.launches, &stranger, at(0));
    assert!(matches!(refused, Err(ZoneRefusal::Launch(LaunchRefusal::NotApproved(NotApproved::Host)))));
    let image = Launch { image: [0; 32].into(), ..launch.clone() };
    let refused = fixture.ask(&image, &files);
    assert!(matches!(refused, Err(ZoneRefusal::Launch(LaunchRefusal::NotApproved(NotApproved::Image)))));
    let late = ColumnKeys { expires: at(0), ..asked(fixture.host.sign(&launch), &files) };
    let refused = seal(&fixture.store, &fixture.launches, &late, at(0));
    assert!(matches!(refused, Err(ZoneRefusal::Launch(LaunchRefusal::Expiry))));
}

#[test]
fn rows_that_are_sealed_to_somebody_else_make_no_keys() {
    let fixture = Fixture::new();
    fixture.store.ingest_recipient(&dataset()).unwrap();
    let theirs = fixture.store.ingest_recipient(&"hospital".parse().unwrap()).unwrap();
    let launch = fixture.host.sign(&fixture.host.launch(1, [5; 32]));
    let refused = create(&fixture.store, &fixture.launches, new_keys(&theirs, 1, launch), at(0));
    assert!(matches!(refused, Err(ZoneRefusal::Stanza)));
    assert!(matches!(fixture.store.open_table_keys(&dataset(), [1; 16].into()), Err(KeyError::Missing)));
}

#[test]
fn what_a_zone_cannot_be_sent_is_refused() {
    let fixture = Fixture::new();
    fixture.load(1, false);
    let launch = fixture.host.launch(9, Recipient::generate().unwrap().public_key());
    let many = vec![columns(1, &["age", "ville"]); 8_000];
    assert!(matches!(fixture.ask(&launch, &many), Err(ZoneRefusal::TooLong)));
}

#[test]
fn requests_survive_the_wire_and_malformed_ones_are_refused() {
    let fixture = Fixture::new();
    let launch = fixture.host.sign(&fixture.host.launch(1, [5; 32]));
    let good = new_keys(&fixture.store.ingest_recipient(&dataset()).unwrap(), 1, launch.clone());
    assert_eq!(NewTableKeys::parse(good.to_wire()), Some(good.clone()));
    let question = asked(launch, &[columns(1, &["age"])]);
    assert_eq!(ColumnKeys::parse(question.to_wire()), Some(question.clone()));
    assert!(ColumnKeys::parse(ColumnKeys { files: Vec::new(), ..question.clone() }.to_wire()).is_none());
    let few = wire::SealColumnKeysRequest {
        rules: Some(zone::Rules { least_subjects: 10, ..question.rules.to_wire() }),
        ..question.to_wire()
    };
    assert!(ColumnKeys::parse(few).is_none(), "fewer than eleven, whoever asks for it");
    assert!(ColumnKeys::parse(wire::SealColumnKeysRequest { rules: None, ..question.to_wire() }).is_none());
    let hiding = Hiding { dataset: dataset(), table: "people".parse().unwrap(), columns: vec!["age".parse().unwrap()] };
    assert_eq!(Hiding::parse(&hiding.to_wire()), Some(hiding.clone()));
    assert_eq!(Hiding::parse(&Hiding { columns: Vec::new(), ..hiding.clone() }.to_wire()), None);
    let outside = wire::HideColumnsRequest { table: "../people".into(), ..hiding.to_wire() };
    assert_eq!(Hiding::parse(&outside), None);
    let changes: [fn(&mut wire::CreateTableKeysRequest); 7] = [
        |wire| wire.dataset.clear(),
        |wire| wire.file_id.truncate(15),
        |wire| wire.launch = None,
        |wire| wire.schema = None,
        |wire| wire.schema.as_mut().unwrap().subjects.clear(),
        |wire| wire.stanzas.clear(),
        |wire| wire.stanzas = vec![AgeStanza::default(); 9],
    ];
    for change in changes {
        let mut wire = good.to_wire();
        change(&mut wire);
        assert!(NewTableKeys::parse(wire).is_none());
    }
}

#[tokio::test]
async fn keys_reach_a_zone_through_serve_and_outlive_a_restart() {
    let mut running = Running::start(me()).await;
    let host = Host::new(1);
    let recipient = Recipient::generate().unwrap();
    let launch = host.sign(&host.launch(1, recipient.public_key()));
    let ingest = running.client.ingest_key(&dataset()).await.unwrap();
    let request = new_keys(&ingest, 1, launch);
    // Nothing is approved where there are no reference values.
    assert!(matches!(running.client.create_table_keys(&request).await, Err(ZoneKeyError::Denied(_))));
    host.approve(&running.folder.path().join("approved.toml"));
    let written = running.client.create_table_keys(&request).await.unwrap();
    let files = [columns(1, &ALL)];
    let rules = census(&[]).load_digest();
    let expected = Expected { work: [1; 16].into(), launch: [1; 16].into(), files: &files, rules };
    let written = recipient.open(&written, &expected, at(1)).unwrap();
    running.restart().await;
    assert_eq!(running.client.ingest_key(&dataset()).await.unwrap(), ingest);
    let recipient = Recipient::generate().unwrap();
    let files = [columns(1, &["ville"])];
    let question = asked(host.sign(&host.launch(9, recipient.public_key())), &files);
    let sealed = running.client.seal_column_keys(&question).await.unwrap();
    let rules = question.rules.digest();
    let expected = Expected { work: [99; 16].into(), launch: [9; 16].into(), files: &files, rules };
    let opened = recipient.open(&sealed, &expected, at(1)).unwrap();
    assert_eq!(opened.files[0].columns["ville"], written.files[0].columns["ville"]);
    assert!(matches!(running.client.seal_column_keys(&question).await, Err(ZoneKeyError::Denied(_))));
    let hidden = asked(host.sign(&host.launch(10, [5; 32])), &[columns(1, &["nom"])]);
    assert!(matches!(running.client.seal_column_keys(&hidden).await, Err(ZoneKeyError::Denied(_))));
    let hiding =
        Hiding { dataset: dataset(), table: "people".parse().unwrap(), columns: vec!["ville".parse().unwrap()] };
    running.client.hide_columns(&hiding).await.unwrap();
    running.client.hide_columns(&hiding).await.unwrap();
    running.restart().await;
    let since = asked(host.sign(&host.launch(12, [5; 32])), &files);
    assert!(matches!(running.client.seal_column_keys(&since).await, Err(ZoneKeyError::Denied(_))));
    running.client.destroy_table_keys(&dataset(), [1; 16].into()).await.unwrap();
    let again = asked(host.sign(&host.launch(11, [5; 32])), &files);
    assert!(matches!(running.client.seal_column_keys(&again).await, Err(ZoneKeyError::Missing)));
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(wire) = wire::CreateTableKeysRequest::decode(bytes.as_slice()) {
            let _ = NewTableKeys::parse(wire);
        }
        if let Ok(wire) = wire::SealColumnKeysRequest::decode(bytes.as_slice()) {
            let _ = ColumnKeys::parse(wire);
        }
        if let Ok(wire) = wire::HideColumnsRequest::decode(bytes.as_slice()) {
            let _ = Hiding::parse(&wire);
        }
    }
}

mod world;

use std::{
    os::unix::fs::{FileExt as _, MetadataExt as _},
    sync::mpsc,
};

use proptest::prelude::*;
use wire::to_host::Message as Said;
use world::*;

use super::*;

const SENT: &[u8] = b"age-encryption.org/v1\n...";

#[tokio::test(flavor = "multi_thread")]
async fn rows_go_in_sealed_and_come_out_as_a_pinned_file() {
    let (world, ended) = World::new(|scene| {
        let mut sealed = vec![0; SENT.len()];
        scene.data.read_exact_at(&mut sealed, DISK_START).unwrap();
        assert_eq!(sealed, SENT);
        assert!(scene.data.write_all_at(b"x", 0).is_err(), "for reading alone");
        for disk in [&scene.data, &scene.output] {
            let metadata = disk.metadata().unwrap();
            assert_eq!((metadata.len(), metadata.nlink()), (lease::IMAGE_BYTES, 0));
            assert!(metadata.blocks() < 100, "sparse");
        }
        let load = scene.play(&encrypted());
        scene.until_gone();
        (scene.lease.clone(), load)
    });
    let old = FileId::new([7; 16]);
    let stored = v1::StoredTableFile {
        file_id: old.as_bytes().to_vec(),
        length: 100,
        sha256: vec![1; 32],
        footer_sha256: vec![1; 32],
        footer_length: 20,
        rows: 1,
    };
    world.house.state().replaced.push(stored.try_into().unwrap());
    let path = world.folder.path().join("objects").join(old.path(&dataset_id()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"old").unwrap();

    let report = world.load(SENT).await.unwrap();
    assert_eq!((report.rows, report.version), (7, 4));
    let (lease, load) = ended.recv().unwrap();
    assert_eq!((lease.organisation.as_str(), lease.backend.as_str(), lease.output), ("ville", "vm", true));
    assert_eq!(load.output_bytes, lease.output_bytes);
    assert_eq!((load.launch_id, load.input_length), (vec![1; 16], SENT.len() as u64));
    let state = world.house.state();
    let change = &state.committed[0];
    let (id, expected) = (change.file.id(), encrypted());
    assert_eq!((load.file_id.as_slice(), change.replace), (&id.as_bytes()[..], true));
    assert_eq!(load.aad_prefix, format!("menages/persons/{id}"));
    let pins = change.file.pins();
    assert_eq!((pins.length, pins.rows, pins.footer_length), (expected.len() as u64, 7, 12));
    assert_eq!(pins.sha256, ring::digest::digest(&ring::digest::SHA256, &expected).as_ref());
    let kept = world.folder.path().join("objects").join(id.path(&dataset_id()));
    assert_eq!(world.files(), [kept.display().to_string()], "what was replaced is gone, and nothing is left over");
    assert_eq!(std::fs::read(kept).unwrap(), expected);
    assert_eq!(state.destroyed, [old]);
    let asked = &state.asked[0];
    assert_eq!(asked.schema, load.schema, "the keys are for what the zone holds the rows to");
    let columns = asked.schema.iter().flat_map(|schema| &schema.columns);
    let columns: Vec<_> = columns.map(|it| (it.name.as_str(), it.hidden)).collect();
    assert_eq!(columns, [("person", false), ("income", true)]);
    assert_eq!((asked.load_id.len(), asked.stanzas.len(), asked.process_allowed), (16, 1, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_undone_by_the_next_and_nothing_else() {
    // The zone's host sees the mark while the load is under way; what it hands back stands for what a kill leaves.
    let (tell, told) = mpsc::channel();
    let (world, _) = World::new(move |scene| {
        let load = scene.play(&encrypted());
        scene.until_gone();
        tell.send(load.file_id).unwrap();
    });
    let marks = world.folder.path().join("loads/marks");
    let names = || std::fs::read_dir(&marks).unwrap().map(|it| it.unwrap().file_name()).collect::<Vec<_>>();
    world.load(SENT).await.unwrap();
    let committed = FileId::try_from(told.recv().unwrap().as_slice()).unwrap();
    assert!(names().is_empty(), "{:?}", names());

    // Killed before its commit; killed after it; a mark that was torn; and a file that has no mark.
    let (cut, unmarked) = (FileId::new([8; 16]), FileId::new([9; 16]));
    let stored = |file: FileId| world.folder.path().join("objects").join(file.path(&dataset_id()));
    for file in [cut, unmarked] {
        std::fs::write(stored(file), b"PARE").unwrap();
    }
    for file in [cut, committed] {
        std::fs::write(marks.join(file.to_string()), dataset_id().as_str()).unwrap();
    }
    std::fs::write(marks.join(FileId::new([7; 16]).to_string()), "").unwrap();
    world.restarted().sweep().await;
    assert!(!stored(cut).exists() && stored(committed).exists() && stored(unmarked).exists());
    assert_eq!(world.house.state().destroyed, [cut]);
    assert!(names().is_empty(), "{:?}", names());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_marked_before_its_keys_are_made() {
    let (world, seen) = World::new(|scene| {
        scene.load();
        let marked = scene.marks.read_dir().unwrap().count();
        scene.wants();
        marked
    });
    assert!(world.load(SENT).await.is_err());
    assert_eq!(seen.recv().unwrap(), 1);
    nothing_is_left(&world);
}

/// Nothing is named, stored or left to be opened.
fn nothing_is_left(world: &World) {
    let state = world.house.state();
    assert!(state.committed.is_empty());
    // The store takes back what was begun in a thread of its own.
    let begun = std::time::Instant::now();
    while !world.files().is_empty() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(world.files(), Vec::<String>::new());
    assert_eq!(state.destroyed.len(), 1, "the keys of the file that would have been");
}

type Lie = fn(&mut wire::Loaded);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_zone_says_of_its_file_is_held_against_the_file() {
    fn file(loaded: &mut wire::Loaded) -> &mut wire::TableFile {
        loaded.file.as_mut().unwrap()
    }
    fn report(loaded: &mut wire::Loaded) -> &mut v1::LoadReport {
        loaded.report.as_mut().unwrap()
    }
    let lies: &[Lie] = &[
        |it| file(it).file_id[0] ^= 1,
        |it| file(it).aad_prefix.push('0'),
        |it| file(it).disk_offset = 0,
        |it| file(it).length -= 1,
        |it| file(it).length = u64::MAX,
        |it| file(it).length = 0,
        |it| file(it).footer_length = 11,
        |it| file(it).footer_length = u64::MAX,
        |it| file(it).footer_sha256[3] ^= 1,
        |it| file(it).rows = 8,
        |it| it.file = None,
        |it| it.report = None,
        |it| report(it).rows = 0,
        |it| report(it).version = 1,
        |it| report(it).failure = "no_valid_row".into(),
        |it| report(it).bad_rows = 1,
        |it| {
            report(it).bad_rows = 1;
            report(it).bad_by_rule.insert("Jeanne Martin".into(), 1);
        },
        |it| {
            report(it).bad_rows = 1;
            report(it).bad_by_rule.insert("type".into(), 1);
            report(it).first_bad_rows =
                vec![v1::BadRow { rule: "type".into(), row: 1, column: "Jeanne Martin".into() }];
        },
    ];
    for (number, lie) in lies.iter().copied().enumerate() {
        let (world, _) = World::new(move |scene| {
            let load = scene.load();
            scene.wants();
            scene.hear();
            let mut loaded = scene.written(&load, &encrypted());
            lie(&mut loaded);
            scene.say(Said::Loaded(loaded));
            scene.until_gone();
        });
        let refused = world.load(SENT).await.unwrap_err();
        assert!(matches!(refused, LoadError::Lied(_)), "{number}: {refused}");
        nothing_is_left(&world);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_encrypted_as_a_whole_is_not_kept() {
    for bytes in [&b"PAR1................footer__PARE"[..], b"PARE................footer__PAR1"] {
        let (world, _) = World::new(move |scene| {
            scene.play(bytes);
            scene.until_gone();
        });
        assert!(matches!(world.load(SENT).await, Err(LoadError::Lied(_))));
        nothing_is_left(&world);
    }
}

type Script = fn(&mut Scene);

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_lies_leaves_or_floods_ends_its_own_load() {
    fn stanza() -> wire::AgeStanza {
        wire::AgeStanza { tag: "X25519".into(), ..Default::default() }
    }
    fn request(stanzas: Vec<wire::AgeStanza>) -> Said {
        Said::LoadKeyRequest(wire::LoadKeyRequest { stanzas })
    }
    let scripts: &[Script] = &[
        |_| (),
        |it| it.say(Said::Warm(wire::Warm {})),
        |it| it.say(Said::Answer(wire::Answer::default())),
        |it| it.say(Said::Withheld(wire::Withheld::default())),
        |it| it.say(request(Vec::new())),
        |it| it.say(request(vec![stanza(); 9])),
        |it| it.say(request(vec![wire::AgeStanza { body: vec![0; 3_000], ..stanza() }])),
        |it| it.say(request(vec![wire::AgeStanza { arguments: vec![String::new(); 9], ..stanza() }])),
        |it| it.say_bytes(&u32::MAX.to_le_bytes()),
        |it| it.say_bytes(&[3, 0, 0, 0, 255, 255, 255]),
        |it| it.say_bytes(&[0, 0, 0, 0]),
        |it| {
            let load = it.load();
            let loaded = it.written(&load, &encrypted());
            it.say(Said::Loaded(loaded));
        },
        |it| {
            it.wants();
            it.load();
            it.hear();
            it.wants();
        },
    ];
    for (number, script) in scripts.iter().copied().enumerate() {
        let (world, _) = World::new(script);
        let refused = world.load(SENT).await.unwrap_err();
        assert!(matches!(refused, LoadError::Lied(_) | LoadError::Zone(_)), "{number}: {refused}");
        nothing_is_left(&world);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_all_bad_are_told_by_rule_and_number() {
    let (world, _) = World::new(|scene| {
        scene.load();
        scene.wants();
        scene.hear();
        let bad = |row| v1::BadRow { rule: "missing".into(), row, column: "person".into() };
        let report = v1::LoadReport {
            bad_rows: 12,
            bad_by_rule: [("missing".to_owned(), 10), ("type".to_owned(), 3)].into(),
            first_bad_rows: vec![bad(1), bad(2)],
            failure: "no_valid_row".into(),
            ..Default::default()
        };
        scene.say(Said::Loaded(wire::Loaded { report: Some(report), file: None }));
        scene.until_gone();
    });
    let refused = world.load(SENT).await.unwrap_err().to_string();
    let said = "must have a valid row; 12 bad rows (missing 10, type 3), among them row 1: `missing` in `person`";
    assert_eq!(refused, said);
    nothing_is_left(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_age_file_needs_no_keys() {
    let (world, _) = World::new(|scene| {
        scene.load();
        let report = v1::LoadReport { failure: "not_age".into(), ..Default::default() };
        scene.say(Said::Loaded(wire::Loaded { report: Some(report), file: None }));
        scene.until_gone();
    });
    assert!(matches!(world.load(b"plain").await, Err(LoadError::NothingValid(_))));
    assert!(world.house.state().asked.is_empty());
    nothing_is_left(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_process_and_the_register_have_the_last_word() {
    let script = |scene: &mut Scene| {
        scene.load();
        scene.wants();
        let heard = scene.hear();
        scene.until_gone();
        heard
    };
    for (no, wrong) in [(NoTableKeys::WrongKey, true), (NoTableKeys::Refused, false)] {
        let (world, ended) = World::new(script);
        world.house.state().no_keys = Some(no);
        let refused = world.load(SENT).await.unwrap_err();
        assert_eq!(matches!(refused, LoadError::WrongKey), wrong, "{refused}");
        assert!(ended.recv().unwrap().is_none(), "the zone gets nothing");
        nothing_is_left(&world);
    }
    // Renewed once while rows came, and not once the zone had read the header.
    let (world, ended) = World::new(script);
    world.house.state().renewals = 1;
    assert!(matches!(world.load(SENT).await, Err(LoadError::Ended(_))));
    assert!(ended.recv().unwrap().is_none());
    assert!(world.house.state().asked.is_empty());
    nothing_is_left(&world);
    for refusal in [NotCommitted::Refused(ChangeError::Redeclared), NotCommitted::Ended, NotCommitted::Busy] {
        let (world, _) = World::new(|scene| drop(scene.play(&encrypted())));
        world.house.state().refusal = Some(refusal);
        let refused = world.load(SENT).await.unwrap_err();
        assert!(matches!(refused, LoadError::Refused(_) | LoadError::Ended(_) | LoadError::Busy), "{refused}");
        nothing_is_left(&world);
    }
    // Whether it is named is not known: then it must not be destroyed.
    let (world, _) = World::new(|scene| drop(scene.play(&encrypted())));
    world.house.state().refusal = Some(NotCommitted::Unknown("the disk is gone".into()));
    assert!(matches!(world.load(SENT).await, Err(LoadError::Unknown(_))));
    assert!(world.house.state().destroyed.is_empty());
    assert_eq!(world.files().len(), 2, "the file and its mark: the next start finds out");
    world.restarted().sweep().await;
    nothing_is_left(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_hangs_is_left_at_its_time() {
    let (world, ended) = World::new(|scene| {
        scene.load();
        scene.until_gone();
    });
    assert!(matches!(world.load(SENT).await, Err(LoadError::Timeout { .. })));
    ended.recv().unwrap();
    nothing_is_left(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_frees_the_zone_and_the_keys() {
    let (keyed, waits) = mpsc::channel();
    let (world, ended) = World::new(move |scene| {
        scene.load();
        scene.wants();
        scene.hear();
        keyed.send(()).unwrap();
        scene.until_gone();
    });
    let loads = world.loads.clone();
    let caller = tokio::spawn(async move {
        loads.load(permit(), head(1), futures::stream::iter([Ok::<_, &str>(Bytes::from_static(b"x"))])).await
    });
    tokio::task::spawn_blocking(move || waits.recv().unwrap()).await.unwrap();
    caller.abort();
    tokio::task::spawn_blocking(move || ended.recv().unwrap()).await.unwrap();
    while world.house.state().destroyed.is_empty() || !world.files().is_empty() {
        time::sleep(Duration::from_millis(5)).await;
    }
    nothing_is_left(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_announced_reaches_no_zone() {
    let (world, ended) = World::new(|_| ());
    let most = limits().max_load_bytes;
    let piece = || Ok(Bytes::from_static(b"four"));
    let refused = |head, pieces| world.load_as(head, pieces);
    assert!(matches!(refused(head(most + 1), vec![]).await, Err(LoadError::TooLarge { .. })));
    assert!(matches!(refused(head(5), vec![piece()]).await, Err(LoadError::Length)));
    assert!(matches!(refused(head(3), vec![piece()]).await, Err(LoadError::Length)));
    assert!(matches!(refused(head(8), vec![piece(), Err("gone")]).await, Err(LoadError::Upload(_))));
    let unknown = LoadHead { table: "others".parse().unwrap(), ..head(4) };
    assert!(matches!(refused(unknown, vec![piece()]).await, Err(LoadError::NoTable)));
    world.house.state().renewals = 0;
    assert!(matches!(refused(head(4), vec![piece()]).await, Err(LoadError::Ended(_))));
    world.house.state().schema = None;
    assert!(matches!(refused(head(4), vec![piece()]).await, Err(LoadError::NoTable)));
    assert!(ended.try_recv().is_err(), "no lease was asked for");
    assert_eq!(world.files(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_at_once_and_no_more() {
    let (world, _) = World::new(|_| ());
    let loads = world.loads.clone();
    let first =
        tokio::spawn(async move { loads.load(permit(), head(1), futures::stream::pending::<Result<_, &str>>()).await });
    while world.loads.0.seats.available_permits() > 0 {
        time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(world.load(SENT).await, Err(LoadError::Busy)));
    first.abort();
}

#[test]
fn a_process_sandbox_is_for_where_it_will_do_and_nothing_better_is() {
    let host = |isolation, virtual_machines| {
        let (mut world, ended) = World::new(|scene| scene.lease.backend.clone());
        world.house.state().schema = Some(schema(isolation));
        Arc::get_mut(&mut world.loads.0).unwrap().limits.virtual_machines = virtual_machines;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert!(runtime.block_on(world.load(SENT)).is_err());
        ended.recv().unwrap()
    };
    assert_eq!(host(v1::Isolation::Vm, true), "vm");
    assert_eq!(host(v1::Isolation::Vm, false), "vm", "and the zone host says that there is none");
    assert_eq!(host(v1::Isolation::Process, true), "vm");
    assert_eq!(host(v1::Isolation::Process, false), "process");
}

proptest! {
    /// Whatever a zone says, its report is told in our words, the schema's and numbers.
    #[test]
    fn a_report_carries_no_words_of_the_zones(
        rows in 0..3_u64,
        bad_rows in 0..3_u64,
        failure in prop::sample::select(vec!["", "header", "not_age", "Jeanne"]),
        rules in prop::collection::btree_map(prop::sample::select(vec!["type", "domain", "Jeanne"]), 0..3_u64, 0..3),
        shown in prop::collection::vec(
            (prop::sample::select(vec!["type", "Jeanne"]), 0..3_u64, prop::sample::select(vec!["", "income", "Jeanne"])),
            0..3,
        ),
    ) {
        let table = schema(v1::Isolation::Vm).tables()[0].clone();
        let bad = |(rule, row, column): (&str, u64, &str)| v1::BadRow { rule: rule.into(), row, column: column.into() };
        let wire = v1::LoadReport {
            rows,
            bad_rows,
            first_bad_rows: shown.into_iter().map(bad).collect(),
            bad_by_rule: rules.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect(),
            version: 0,
            failure: failure.to_owned(),
        };
        if let Some(report) = Report::parse(wire.clone(), &table) {
            prop_assert!(!report.sentence().contains("Jeanne"));
            let told = report.told(2);
            let shown = format!("{told:?}");
            prop_assert!(!shown.contains("Jeanne"));
            prop_assert_eq!(v1::LoadReport { version: 0, ..told }, wire);
        }
    }
}

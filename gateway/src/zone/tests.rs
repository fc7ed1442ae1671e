//! Questions on their whole way, over a real register's evidence and a scripted zone host on a real socket.

pub(super) mod world;

use std::{collections::BTreeSet, time::Duration};

use octroi_proto::wire::{v1, v1::entry::Record, zone as wire};
use wire::to_host::Message as Said;

use super::*;
use crate::keys::FactTable;
use world::{Fate, Script, World, says};

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused)
}

/// What the evidence says of the questions, in order.
fn told(world: &World) -> Vec<String> {
    let word = |record: &Record| {
        if let Record::WithheldAnswer(withheld) = record {
            return withheld.cause.clone();
        }
        let admitted = matches!(record, Record::AdmittedQuery(_));
        assert!(admitted || matches!(record, Record::ReleasedAnswer(_)), "{record:?}");
        if admitted { "admitted" } else { "released" }.to_owned()
    };
    world.records().iter().map(word).collect()
}

#[tokio::test]
async fn an_answer_leaves_with_a_receipt_that_holds() {
    let world = World::new(vec![Script::answers()]);
    let Outcome::Released(released) = world.ask("SELECT COUNT(*) FROM trips").await.unwrap() else {
        panic!("refused: {:?}", told(&world))
    };
    let (table, receipt) = released.into_parts();
    assert_eq!(table, world::answer());
    let text = ReceiptFile::new(&receipt).unwrap().to_json().unwrap();
    let (checkpoint, key) = world.checkpoint();
    let holds = verify(&text, &checkpoint, &key, Some("SELECT COUNT(*) FROM trips"), Some(&table)).unwrap();
    assert_eq!(holds.release().tables[0].table, "trips");
    assert_eq!(told(&world), ["admitted", "released"]);
    let sealed = world.sealed();
    assert_eq!(sealed[0].files.len(), 1);
    assert_eq!(sealed[0].launch, world::launch());
}

fn trips() -> FactTable {
    "mobility/trips".parse().unwrap()
}

/// Of each release, its place in the history; those that leave together do so in any order.
fn sequences(world: &World) -> Vec<u64> {
    let sequence = |record| if let Record::ReleasedAnswer(it) = record { Some(it.history_sequence) } else { None };
    let mut sequences: Vec<_> = world.records().into_iter().filter_map(sequence).collect();
    sequences.sort_unstable();
    sequences
}

#[tokio::test]
async fn a_release_is_recorded_before_its_answer_opens_and_shown_to_the_next_question() {
    let world = World::new((0..3).map(|_| Script::answers()).collect());
    for sequence in 1..=3 {
        assert!(matches!(world.ask("SELECT COUNT(*) FROM trips").await, Ok(Outcome::Released(_))));
        let history = world.vault().stands(&trips());
        assert_eq!(history.sequence, sequence);
        let kept = std::fs::read(world.histories().join("mobility/trips")).unwrap();
        assert_eq!(history.open(&kept).unwrap().len(), usize::try_from(sequence).unwrap());
        let Some(Record::ReleasedAnswer(released)) = world.records().pop() else { panic!("not released") };
        assert_eq!((released.history_table.as_str(), released.history_sequence), ("mobility/trips", sequence));
        assert_eq!(released.history_sha256, history.head);
    }
    let questions = world.questions();
    assert!(questions[0].histories.is_empty());
    let shown = |index: usize| questions[index].histories[0].clone();
    assert_eq!((shown(1).table.as_str(), shown(1).disk_offset), ("mobility/trips", 8_192));
    assert_eq!(shown(2).length, 2 * shown(1).length);
}

#[tokio::test]
async fn of_two_on_the_same_rows_at_once_one_is_asked_again_and_both_are_answered() {
    let word = Arc::new(Semaphore::new(0));
    let held = || Script::Releases(Arc::clone(&word), |_| ());
    let world = World::new(vec![held(), held(), Script::answers()]);
    let both_have_keys = async {
        while world.sealed().len() < 2 {
            time::sleep(Duration::from_millis(2)).await;
        }
        word.add_permits(2);
    };
    let sql = "SELECT COUNT(*) FROM trips";
    let (one, other, ()) = tokio::join!(world.ask(sql), world.ask(sql), both_have_keys);
    assert!(matches!((one, other), (Ok(Outcome::Released(_)), Ok(Outcome::Released(_)))), "{:?}", told(&world));
    assert_eq!(sequences(&world), [1, 2]);
    assert_eq!(told(&world).iter().filter(|it| *it == "admitted").count(), 3);
    let again: BTreeSet<_> = world.questions().into_iter().map(|question| question.query_id).collect();
    assert_eq!(again.len(), 2, "asked again, it is the same question");
}

#[tokio::test]
async fn a_zone_that_misses_a_release_made_meanwhile_is_asked_again() {
    let word = Arc::new(Semaphore::new(0));
    let damaged = Said::Withheld(wire::Withheld { cause: "history_damaged".into() });
    let scripts = vec![Script::SaysLate(Arc::clone(&word), damaged), Script::answers(), Script::answers()];
    let world = World::new(scripts);
    let sql = "SELECT COUNT(*) FROM trips";
    let other = async {
        while world.sealed().is_empty() {
            time::sleep(Duration::from_millis(2)).await;
        }
        let meanwhile = async {
            while world.vault().stands(&trips()).sequence == 0 {
                time::sleep(Duration::from_millis(2)).await;
            }
            word.add_permits(1);
        };
        tokio::join!(world.ask(sql), meanwhile).0
    };
    let (one, other) = tokio::join!(world.ask(sql), other);
    assert!(matches!((one, other), (Ok(Outcome::Released(_)), Ok(Outcome::Released(_)))), "{:?}", told(&world));
    assert_eq!(sequences(&world), [1, 2]);
}

#[tokio::test]
async fn a_question_that_is_always_too_late_is_refused_in_the_end() {
    let late = || Script::lies(|release| release.sequence += 1);
    let world = World::new(vec![late(), late(), late(), Script::answers()]);
    assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
    assert_eq!(told(&world), ["admitted", "admitted", "admitted", "superseded"]);
    // Nobody holds the table's turn after it.
    assert!(matches!(world.ask("SELECT COUNT(*) FROM trips").await, Ok(Outcome::Released(_))));
}

#[tokio::test]
async fn what_ends_a_question_that_is_asked_again_looks_like_every_other_end() {
    let late = || Script::lies(|release| release.sequence += 1);
    let rejected = Said::Rejected(wire::Rejected { code: "syntax".into(), text: "no".into(), from: 0, to: 0 });
    let busy = Script::refuses(wire::LeaseRefusal::QueueFull);
    let world = World::new(vec![late(), busy, late(), says(vec![rejected])]);
    for _ in 0..2 {
        assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
    }
    assert_eq!(told(&world), ["admitted", "superseded", "admitted", "admitted", "zone_lied"]);
}

#[tokio::test]
async fn a_call_to_the_key_process_that_is_lost_costs_its_answer_and_no_more() {
    for (fate, recorded) in [(Fate::Lost, 0), (Fate::Unanswered, 1)] {
        let world = World::new(vec![Script::answers(), Script::answers()]);
        world.vault().fate(fate);
        assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
        assert_eq!(told(&world), ["admitted", "keys_unavailable"]);
        assert_eq!(world.vault().stands(&trips()).sequence, recorded);
        // It is recorded by now, and the next one after it.
        assert!(matches!(world.ask("SELECT COUNT(*) FROM trips").await, Ok(Outcome::Released(_))));
        assert_eq!(sequences(&world), [2]);
        let kept = std::fs::read(world.histories().join("mobility/trips")).unwrap();
        assert_eq!(world.vault().stands(&trips()).open(&kept).unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_record_that_its_commitment_does_not_mean_ends_the_releases_of_its_rows() {
    let lie = Script::lies(|release| release.record[20] ^= 1);
    let world = World::new(vec![lie, Script::answers()]);
    for _ in 0..2 {
        assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
    }
    assert_eq!(told(&world), ["admitted", "history_damaged", "admitted", "history_damaged"]);
    assert_eq!(world.questions().len(), 1, "no zone is asked for nothing");
}

#[tokio::test]
async fn the_question_goes_in_after_its_evidence_and_without_hidden_tables() {
    let world = World::new(vec![Script::answers()]);
    world.ask("SELECT COUNT(*) FROM trips").await.unwrap();
    let question = world.questions().remove(0);
    let Some(Record::AdmittedQuery(admitted)) = world.records().into_iter().next() else { panic!("not admitted") };
    assert_eq!(admitted.query_id, question.query_id);
    assert_eq!((admitted.launch, admitted.grants.len()), (world::launch().launch, 1));
    let rules = question.rules.clone().unwrap();
    assert_eq!((question.tables.len(), rules.tables.len(), rules.least_subjects), (1, 1, 11));
    // The key process is told what the zone is told.
    assert_eq!(world.sealed()[0].rules.to_wire(), rules);
    assert_eq!(question.tables[0].files[0].disk_offset, 4096);
}

#[tokio::test]
async fn a_rejection_is_told_at_once_before_keys_and_never_after() {
    let rejected = || Said::Rejected(wire::Rejected { code: "syntax".into(), text: "no".into(), from: 0, to: 0 });
    let world = World::new(vec![says(vec![rejected()]), says(vec![world::wants(), rejected()])]);
    let began = time::Instant::now();
    let error = world.ask("SELECT trips").await.unwrap_err();
    assert!(matches!(&error, AskError::Rejected(rejection) if rejection.code() == "syntax"), "{error}");
    assert!(began.elapsed() < world::TICK, "at once");
    assert!(refused(&world.ask("SELECT trips").await.unwrap()));
    assert_eq!(told(&world), ["admitted", "rejected", "admitted", "zone_lied"]);
}

#[tokio::test]
async fn a_question_is_judged_without_disk_or_key_and_that_is_evidence() {
    let notes = vec!["`n`: multiple of 5".to_owned()];
    let checked = || Said::Checked(wire::Checked { tier: "rounded".into(), notes: notes.clone(), noise_epsilon: 0 });
    let rejected = Said::Rejected(wire::Rejected { code: "not_allowed".into(), text: "no".into(), from: 7, to: 12 });
    let world = World::new(vec![says(vec![checked()]), says(vec![rejected])]);
    let began = time::Instant::now();
    let checked = world.check("SELECT COUNT(*) FROM trips").await.unwrap();
    assert_eq!((checked.tier(), checked.notes()), (Tier::Rounded, notes.as_slice()));
    let error = world.check("SELECT trips").await.unwrap_err();
    assert!(matches!(&error, AskError::Rejected(rejection) if rejection.place() == Some((7, 12))), "{error}");
    assert!(began.elapsed() < world::TICK, "at once");
    for (lease, question) in world.leases().iter().zip(world.questions()) {
        assert!(!lease.data && lease.scratch_bytes == 0);
        assert!(question.check && question.tables[0].files.is_empty() && question.rules.is_some());
    }
    assert!(world.sealed().is_empty(), "no keys");
    assert_eq!(told(&world), ["admitted", "checked", "admitted", "rejected"]);
}

#[tokio::test]
async fn a_zone_that_judges_otherwise_than_it_was_asked_to_is_not_believed() {
    let checked = |tier: &str| Said::Checked(wire::Checked { tier: tier.into(), notes: vec![], noise_epsilon: 0 });
    let world = World::new(vec![
        says(vec![world::wants()]),
        says(vec![checked("certain")]),
        says(vec![Said::Answer(wire::Answer { answer: Some(wire::answer::Answer::Table(world::answer())) })]),
        Script::hangs(),
        says(vec![checked("rounded")]),
        says(vec![world::wants(), checked("rounded")]),
    ]);
    for cause in ["zone_lied", "zone_lied", "zone_lied", "timeout"] {
        let error = world.check("SELECT COUNT(*) FROM trips").await.unwrap_err();
        assert!(matches!(error, AskError::NotJudged(told) if told == cause), "{cause}: {error}");
    }
    for _ in 0..2 {
        assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
    }
    let ends: Vec<_> = told(&world).into_iter().filter(|word| word != "admitted").collect();
    assert_eq!(ends, ["zone_lied", "zone_lied", "zone_lied", "timeout", "zone_lied", "zone_lied"]);
}

#[tokio::test]
async fn every_end_without_an_answer_is_one_refusal() {
    let lie = |said| says(vec![world::wants(), said]);
    let other_file = wire::FileColumns { file_id: vec![9; 16], columns: vec!["age".into()] };
    let in_clear = wire::Answer { answer: Some(wire::answer::Answer::Table(world::answer())) };
    let scripts = vec![
        (says(vec![]), "zone_lost"),
        (says(vec![Said::Warm(wire::Warm {})]), "zone_lied"),
        (says(vec![Said::KeyRequest(wire::KeyRequest { files: vec![other_file] })]), "zone_lied"),
        (says(vec![world::wants()]), "zone_lost"),
        (lie(Said::Answer(wire::Answer { answer: None })), "zone_lied"),
        (lie(Said::Answer(in_clear)), "zone_lied"),
        (Script::lies(|release| release.table = "mobility/homes".into()), "zone_lied"),
        (Script::lies(|release| release.commitment[40] ^= 1), "zone_lied"),
        (Script::lies(|release| release.commitment.truncate(131)), "zone_lied"),
        (Script::lies(|release| release.record = vec![1; (4 << 20) + 29]), "too_large"),
        (Script::lies(|release| release.answer[40] ^= 1), "zone_lied"),
        (lie(Said::Withheld(wire::Withheld { cause: "history_damaged".into() })), "history_damaged"),
        (lie(Said::Withheld(wire::Withheld { cause: "disclosive".into() })), "disclosive"),
        (lie(world::wants()), "zone_lied"),
        (lie(Said::Withheld(wire::Withheld { cause: "out_of_memory".into() })), "out_of_memory"),
        (lie(Said::Withheld(wire::Withheld { cause: "Mme Martin".into() })), "unnamed"),
        (Script::garbage(), "zone_lied"),
        (Script::hangs(), "timeout"),
    ];
    let (scripts, causes): (Vec<_>, Vec<_>) = scripts.into_iter().unzip();
    let world = World::new(scripts);
    let mut shown = BTreeSet::new();
    for cause in causes {
        let outcome = world.ask("SELECT COUNT(*) FROM trips").await.unwrap();
        assert!(refused(&outcome), "{cause}");
        shown.insert(format!("{:?}", padded(outcome.into())));
        assert_eq!(told(&world).last().map(String::as_str), Some(cause));
    }
    assert_eq!(shown.len(), 1, "no cause shows");
}

#[tokio::test]
async fn what_was_granted_is_looked_at_again_before_keys_and_at_the_release() {
    let world = World::new(vec![Script::answers(), Script::answers()]);
    world.revoke_after(1);
    assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
    assert!(world.sealed().is_empty(), "no keys");
    world.revoke_after(2);
    assert!(refused(&world.ask("SELECT COUNT(*) FROM trips").await.unwrap()));
    assert_eq!(told(&world), ["admitted", "permit_ended", "admitted", "permit_ended"]);
    world.revoke_after(0);
    assert!(matches!(world.ask("SELECT trips").await.unwrap_err(), AskError::Purpose { .. }));
}

#[tokio::test]
async fn without_evidence_nothing_is_answered() {
    let world = World::new(vec![Script::answers(), Script::answers()]);
    world.fail_records_after(1);
    assert!(matches!(world.ask("SELECT COUNT(*) FROM trips").await.unwrap_err(), AskError::Unavailable(_)));
    world.fail_records_after(0);
    assert!(matches!(world.ask("SELECT COUNT(*) FROM trips").await.unwrap_err(), AskError::Unavailable(_)));
    assert_eq!(world.questions().len(), 1, "what is not admitted is not asked");
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_zone() {
    let world = World::new(vec![Script::hangs()]);
    let asking = world.ask("SELECT COUNT(*) FROM trips");
    assert!(time::timeout(Duration::from_millis(200), asking).await.is_err());
    world.freed().await;
    assert_eq!(told(&world), ["admitted", "abandoned"]);
}

#[tokio::test]
async fn one_organisation_takes_its_share_and_leaves_the_rest() {
    let most = world::limits().per_organisation;
    let world = World::new((0..most).map(|_| Script::hangs()).chain([Script::answers()]).collect());
    let mut asking: futures::stream::FuturesUnordered<_> =
        (0..most).map(|_| Box::pin(world.ask_of("universite", "SELECT COUNT(*) FROM trips"))).collect();
    let all_in = async {
        while world.questions().len() < most {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = all_in => {}
        _ = futures::StreamExt::next(&mut asking) => panic!("it should hang"),
    }
    // Refused before anything is spent on it: no lease is asked for.
    assert!(matches!(world.ask_of("universite", "SELECT trips").await.unwrap_err(), AskError::Busy));
    assert!(matches!(world.ask_of("ville", "SELECT COUNT(*) FROM trips").await, Ok(Outcome::Released(_))));
    drop(asking);
    assert!(
        matches!(world.ask_of("universite", "SELECT trips").await, Err(AskError::NoZone(_))),
        "its share is free again"
    );
}

#[tokio::test]
async fn isolation_and_refused_leases_are_said_plainly() {
    let world = World::new(vec![Script::refuses(wire::LeaseRefusal::QueueFull)]);
    assert!(matches!(world.ask("SELECT trips").await.unwrap_err(), AskError::Busy));
    let process = world.ask_in("process", "SELECT trips").await;
    assert!(matches!(process.unwrap_err(), AskError::Isolation { .. }));
    assert!(told(&world).is_empty());
}

#[tokio::test]
async fn released_and_refused_leave_at_ticks_and_share_a_checkpoint() {
    // Each may be asked twice, as they are of the same rows.
    let world = World::new((0..12).map(|_| Script::answers()).collect());
    let outcomes = futures::future::join_all((0..6).map(|_| world.ask("SELECT COUNT(*) FROM trips"))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Released(_)))));
    let sizes: BTreeSet<_> = outcomes
        .into_iter()
        .map(|outcome| {
            let answer = padded(outcome.unwrap().into());
            assert!(prost::Message::encoded_len(&answer).is_power_of_two());
            answer.receipt.unwrap().proof.unwrap().checkpoint
        })
        .collect();
    assert!(sizes.len() < 6, "{} checkpoints for six releases", sizes.len());
}

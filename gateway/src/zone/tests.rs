//! Questions on their whole way, over a real register's evidence and a scripted zone host on a real socket.

pub(super) mod world;

use std::time::Duration;

use octroi_proto::wire::{v1, v1::entry::Record, zone as wire};
use wire::to_host::Message as Said;

use super::*;
use world::{Script, World, says};

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
async fn every_end_without_an_answer_is_one_refusal() {
    let lie = |said| says(vec![world::wants(), said]);
    let other_file = wire::FileColumns { file_id: vec![9; 16], columns: vec!["age".into()] };
    let scripts = vec![
        (says(vec![]), "zone_lost"),
        (says(vec![Said::Warm(wire::Warm {})]), "zone_lied"),
        (says(vec![Said::KeyRequest(wire::KeyRequest { files: vec![other_file] })]), "zone_lied"),
        (says(vec![world::wants()]), "zone_lost"),
        (lie(Said::Answer(wire::Answer { table: None })), "zone_lied"),
        (lie(world::wants()), "zone_lied"),
        (lie(Said::Withheld(wire::Withheld { cause: "out_of_memory".into() })), "out_of_memory"),
        (lie(Said::Withheld(wire::Withheld { cause: "Mme Martin".into() })), "unnamed"),
        (Script::garbage(), "zone_lied"),
        (Script::hangs(), "timeout"),
    ];
    let (scripts, causes): (Vec<_>, Vec<_>) = scripts.into_iter().unzip();
    let world = World::new(scripts);
    let mut shown = std::collections::BTreeSet::new();
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
    let world = World::new((0..6).map(|_| Script::answers()).collect());
    let outcomes = futures::future::join_all((0..6).map(|_| world.ask("SELECT COUNT(*) FROM trips"))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Released(_)))));
    let sizes: std::collections::BTreeSet<_> = outcomes
        .into_iter()
        .map(|outcome| {
            let answer = padded(outcome.unwrap().into());
            assert!(prost::Message::encoded_len(&answer).is_power_of_two());
            answer.receipt.unwrap().proof.unwrap().checkpoint
        })
        .collect();
    assert!(sizes.len() < 6, "{} checkpoints for six releases", sizes.len());
}

//! The daemon on a socket, with process sandboxes of the test engine, asked by the client that serve uses.

use std::{fs::File, os::fd::OwnedFd, path::Path, time::Instant as Moment};

use octroi_attest::Backend;
use octroi_proto::{
    Instant, OrganisationId,
    wire::zone::{Question, Seed, ToZone, to_host, to_zone},
};
use tokio::{task::JoinHandle, time::timeout};

use super::*;
use crate::{
    lease::{Client, Descriptors, Lease, LeaseError, ReceiveError},
    process,
};

struct Running {
    folder: tempfile::TempDir,
    client: Client,
    key: octroi_attest::HostKey,
    daemon: JoinHandle<()>,
}

fn settings(folder: &Path) -> Settings {
    Settings {
        callers: vec![nix::unistd::Uid::effective().as_raw()],
        scratch: folder.to_owned(),
        most_scratch_bytes: 1 << 30,
        most_wall: Duration::from_secs(60),
        at_once: 1,
        waiting: Bounds { total: 1, per_organisation: 1 },
    }
}

fn start(change: impl FnOnce(&mut Settings)) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    change(&mut settings);
    let socket = folder.path().join("zone.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let make = || async {
        let engine = process::tests::engine().to_owned();
        Sandbox::new(&process::Settings { engine, memory_bytes: 64 << 20 }).await
    };
    let backends = Backends { vm: Offer::none(), process: Offer::making("process", make) };
    let signer = LaunchKey::generate().unwrap();
    let key = signer.public();
    let clock: Clock = Arc::new(|| Instant::from_second(1_700_000_000).unwrap());
    let daemon = tokio::spawn(run(listener, settings, backends, signer, clock, std::future::pending()));
    Running { client: Client::new(socket), folder, key, daemon }
}

fn lease() -> Lease {
    Lease {
        organisation: "voltaic".parse().unwrap(),
        backend: Backend::Process,
        scratch_bytes: 0,
        output_bytes: 0,
        wall: Duration::from_secs(20),
    }
}

fn order(text: &str) -> ToZone {
    let question = Question { sql: text.to_owned(), ..Question::default() };
    ToZone { message: Some(to_zone::Message::Question(question)) }
}

fn file(content: &[u8]) -> OwnedFd {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    File::open(file.path()).unwrap().into()
}

async fn said(leased: &mut crate::lease::Leased, text: &str) -> Option<String> {
    leased.frames.send(&order(text)).await.unwrap();
    match timeout(Duration::from_secs(20), leased.frames.receive(1 << 20)).await.unwrap() {
        Ok(to_host::Message::Withheld(withheld)) => Some(withheld.cause),
        Ok(other) => panic!("{other:?}"),
        Err(ReceiveError::Ended) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_lease_is_a_signed_launch_and_one_conversation() {
    let running = start(|_| {});
    let data = Descriptors { data: Some(file(b"ciphertext")), output: None };
    let mut leased = running.client.lease(&lease(), data).await.unwrap();
    let verified = running.key.verify(&leased.launch).unwrap();
    assert_eq!(verified.launch().zone, octroi_attest::Zone::Process);
    assert_eq!(verified.launch().public_key, [7; 32]);
    assert_eq!(said(&mut leased, "read 4").await.unwrap(), "ciphertext");
    assert!(matches!(leased.frames.receive(1 << 20).await, Err(ReceiveError::Ended)));
    // The next zone is another launch.
    let next = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    assert_ne!(running.key.verify(&next.launch).unwrap().launch().id, verified.launch().id);
}

#[tokio::test]
async fn scratch_is_there_where_it_was_asked_for_and_bounded() {
    let running = start(|_| {});
    let with = Lease { scratch_bytes: 1 << 20, ..lease() };
    let mut leased = running.client.lease(&with, Descriptors::default()).await.unwrap();
    assert_eq!(said(&mut leased, "put 6").await.unwrap(), "0");
    let mut leased = running.client.lease(&with, Descriptors::default()).await.unwrap();
    assert_eq!(said(&mut leased, "fill 6").await.unwrap(), "27");
    let mut leased = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    assert_eq!(said(&mut leased, "put 6").await.unwrap(), "9");
    // The socket alone lies in the folder: scratch has no name.
    assert_eq!(std::fs::read_dir(running.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn another_backend_is_refused_by_name_and_none_given_in_its_place() {
    let running = start(|_| {});
    let vm = Lease { backend: Backend::Vm, ..lease() };
    let refused = running.client.lease(&vm, Descriptors::default()).await.unwrap_err();
    assert!(matches!(refused, LeaseError::NoBackend), "{refused}");
    let greedy = Lease { scratch_bytes: 1 << 31, ..lease() };
    let refused = running.client.lease(&greedy, Descriptors::default()).await.unwrap_err();
    assert!(matches!(refused, LeaseError::Malformed), "{refused}");
}

#[tokio::test]
async fn those_who_wait_are_served_in_turn_and_those_too_many_refused_at_once() {
    let running = start(|_| {});
    let first = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    let second = tokio::spawn({
        let client = running.client.clone();
        async move { client.lease(&lease(), Descriptors::default()).await.map(drop) }
    });
    let full = async {
        let begun = Moment::now();
        let refused = running.client.lease(&lease(), Descriptors::default()).await.map(drop);
        assert!(matches!(refused, Err(LeaseError::QueueFull)), "{refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(1));
    };
    // The second has to be in the queue first.
    tokio::time::sleep(Duration::from_millis(300)).await;
    full.await;
    drop(first);
    timeout(Duration::from_secs(10), second).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn who_goes_away_frees_a_place_in_the_queue_and_a_zone() {
    let running = start(|_| {});
    let first = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    for _ in 0..5 {
        let wanted = lease();
        let asked = running.client.lease(&wanted, Descriptors::default());
        let mut asked = Box::pin(timeout(Duration::from_millis(200), asked));
        assert!((&mut asked).await.is_err());
    }
    assert_eq!(running.client.inspect().await.unwrap().backends[0].leased, 1);
    drop(first);
    let next = timeout(Duration::from_secs(10), running.client.lease(&lease(), Descriptors::default())).await;
    drop(next.unwrap().unwrap());
}

#[tokio::test]
async fn a_zone_that_hangs_is_ended_at_its_deadline() {
    let running = start(|_| {});
    let short = Lease { wall: Duration::from_millis(300), ..lease() };
    let mut leased = running.client.lease(&short, Descriptors::default()).await.unwrap();
    let begun = Moment::now();
    assert!(matches!(leased.frames.receive(1 << 20).await, Err(ReceiveError::Ended)));
    assert!((Duration::from_millis(250)..Duration::from_secs(5)).contains(&begun.elapsed()));
}

#[tokio::test]
async fn a_caller_that_sends_a_seed_loses_its_zone() {
    let running = start(|_| {});
    let mut leased = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    let seed = ToZone { message: Some(to_zone::Message::Seed(Seed::default())) };
    leased.frames.send(&seed).await.unwrap();
    assert!(matches!(leased.frames.receive(1 << 20).await, Err(ReceiveError::Ended)));
}

#[tokio::test]
async fn another_user_is_not_answered() {
    let running = start(|settings| settings.callers = vec![64_999]);
    let refused = running.client.lease(&lease(), Descriptors::default()).await.unwrap_err();
    assert!(matches!(refused, LeaseError::Closed | LeaseError::Frame(_)), "{refused}");
    assert!(running.client.inspect().await.is_err());
}

#[tokio::test]
async fn an_inspection_says_what_runs() {
    let running = start(|_| {});
    drop(running.client.lease(&lease(), Descriptors::default()).await.unwrap());
    let inspection = running.client.inspect().await.unwrap();
    assert_eq!(inspection.host_key, running.key.as_bytes());
    let [process] = inspection.backends.as_slice() else { panic!("{inspection:?}") };
    assert_eq!((process.name.as_str(), process.accelerator.as_str()), ("process", "none"));
    let parts = octroi_attest::Parts::parse(&process.parts).unwrap();
    assert_eq!(process.image, parts.measurement().as_bytes());
}

#[tokio::test]
async fn the_daemon_takes_its_zones_along() {
    let running = start(|_| {});
    let mut leased = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    running.daemon.abort();
    let _ = running.daemon.await;
    assert!(leased.frames.receive(1 << 20).await.is_err());
}

#[tokio::test]
async fn organisations_take_turns() {
    let running = start(|settings| settings.waiting = Bounds { total: 8, per_organisation: 4 });
    let first = running.client.lease(&lease(), Descriptors::default()).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for (number, organisation) in ["aaa", "aaa", "aaa", "bbb"].into_iter().enumerate() {
        let (client, tell) = (running.client.clone(), tell.clone());
        tokio::spawn(async move {
            let organisation: OrganisationId = organisation.parse().unwrap();
            let lease = Lease { organisation: organisation.clone(), ..lease() };
            let leased = client.lease(&lease, Descriptors::default()).await.unwrap();
            tell.send(organisation.to_string()).unwrap();
            drop(leased);
        });
        // Each is in the queue before the next asks.
        tokio::time::sleep(Duration::from_millis(20 * (1 + number as u64))).await;
    }
    drop((first, tell));
    let mut order = Vec::new();
    while let Some(organisation) = told.recv().await {
        order.push(organisation);
    }
    assert_eq!(order, ["aaa", "bbb", "aaa", "aaa"]);
}

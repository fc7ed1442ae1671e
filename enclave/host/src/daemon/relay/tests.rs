//! The zone's end is a socket that says whatever a hostile zone could.

use std::time::Duration;

use octroi_proto::wire::zone::{
    KeyRequest, Question, Ready, SealedKeys, Seed, ToHost, Withheld, to_host::Message as FromZone,
};
use proptest::prelude::*;
use tokio::{
    net::UnixStream,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;

struct Scene {
    caller: UnixStream,
    zone: UnixStream,
    relay: JoinHandle<End>,
}

fn scene() -> Scene {
    let (caller, near) = UnixStream::pair().unwrap();
    let (zone, far) = UnixStream::pair().unwrap();
    Scene { caller, zone, relay: tokio::spawn(relay(near, far)) }
}

impl Scene {
    async fn caller_says(&mut self, message: FromCaller) {
        let bytes = frame::encode(&ToZone { message: Some(message) }, frame::TO_ZONE).unwrap();
        self.caller.write_all(&bytes).await.unwrap();
    }

    async fn zone_says(&mut self, message: FromZone) {
        self.zone.write_all(&frame::encode(&ToHost { message: Some(message) }, frame::TO_HOST).unwrap()).await.unwrap();
    }

    async fn end(self) -> End {
        timeout(Duration::from_secs(5), self.relay).await.unwrap().unwrap()
    }
}

fn withheld(cause: &str) -> FromZone {
    FromZone::Withheld(Withheld { cause: cause.to_owned() })
}

#[tokio::test]
async fn a_conversation_goes_through_and_ends_with_the_last_word() {
    let mut scene = scene();
    scene.caller_says(FromCaller::Question(Question::default())).await;
    let heard: ToZone = next(&mut Incoming::new(&mut scene.zone, 100)).await.unwrap().unwrap();
    assert!(heard.message == Some(FromCaller::Question(Question::default())));
    scene.zone_says(FromZone::KeyRequest(KeyRequest::default())).await;
    let heard: ToHost = next(&mut Incoming::new(&mut scene.caller, 100)).await.unwrap().unwrap();
    assert_eq!(heard.message, Some(FromZone::KeyRequest(KeyRequest::default())));
    scene.caller_says(FromCaller::Keys(SealedKeys::default())).await;
    scene.zone_says(withheld("too_many_rows")).await;
    let heard: ToHost = next(&mut Incoming::new(&mut scene.caller, 100)).await.unwrap().unwrap();
    assert_eq!(heard.message, Some(withheld("too_many_rows")));
    assert!(matches!(scene.end().await, End::Done));
}

#[tokio::test]
async fn what_a_zone_said_before_it_ended_arrives() {
    let mut scene = scene();
    scene.zone_says(withheld("out_of_memory")).await;
    drop(std::mem::replace(&mut scene.zone, UnixStream::pair().unwrap().0));
    let heard: Option<ToHost> = next(&mut Incoming::new(&mut scene.caller, 100)).await.unwrap();
    assert!(heard.is_some());
    assert!(matches!(scene.end().await, End::Done));
}

#[tokio::test]
async fn whoever_closes_first_ends_it() {
    let mut left = scene();
    drop(std::mem::replace(&mut left.caller, UnixStream::pair().unwrap().0));
    assert!(matches!(left.end().await, End::CallerLeft));
    let mut ended = scene();
    drop(std::mem::replace(&mut ended.zone, UnixStream::pair().unwrap().0));
    assert!(matches!(ended.end().await, End::ZoneEnded));
}

#[tokio::test]
async fn seeds_and_a_second_ready_have_no_place() {
    let mut scene_of_caller = scene();
    scene_of_caller.caller_says(FromCaller::Seed(Seed::default())).await;
    assert!(matches!(scene_of_caller.end().await, End::CallerOdd));
    let mut scene_of_zone = scene();
    scene_of_zone.zone_says(FromZone::Ready(Ready::default())).await;
    assert!(matches!(scene_of_zone.end().await, End::ZoneOdd));
}

#[tokio::test]
async fn a_zone_that_floods_waits_until_it_is_heard_and_is_then_ended() {
    let mut scene = scene();
    let request = ToHost { message: Some(FromZone::KeyRequest(KeyRequest::default())) };
    let flood = frame::encode(&request, frame::TO_HOST).unwrap().repeat(100_000);
    let mut zone = std::mem::replace(&mut scene.zone, UnixStream::pair().unwrap().0);
    let flooding = tokio::spawn(async move { zone.write_all(&flood).await });
    assert!(matches!(scene.end().await, End::ZoneFlooded));
    assert!(flooding.await.unwrap().is_err());
}

#[tokio::test]
async fn a_zone_that_says_much_to_a_caller_who_does_not_listen_fills_no_memory() {
    let mut scene = scene();
    let mut written = 0;
    let chunk = [0; 64 * 1024];
    // A length of 16 MiB, and no end of it in sight, then a second one.
    scene.zone.write_all(&u32::try_from(frame::TO_HOST).unwrap().to_le_bytes()).await.unwrap();
    while let Ok(sent) = timeout(Duration::from_millis(300), scene.zone.write(&chunk)).await {
        match sent {
            Ok(sent) => written += sent,
            Err(_) => break,
        }
        assert!(written <= frame::TO_HOST + (1 << 20), "{written}");
    }
    assert!(matches!(scene.end().await, End::ZoneGarbled(FrameError::Malformed)));
}

#[tokio::test]
async fn a_zone_that_hangs_is_waited_for_and_its_caller_can_leave() {
    let mut scene = scene();
    scene.zone.write_all(&[200, 0, 0, 0, 1]).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    assert!(!scene.relay.is_finished());
    drop(std::mem::replace(&mut scene.caller, UnixStream::pair().unwrap().0));
    assert!(matches!(scene.end().await, End::CallerLeft));
}

#[tokio::test]
async fn a_frame_that_would_unfold_in_memory_ends_it() {
    let mut scene = scene();
    // An answer of seven million empty columns.
    let columns = 7_000_000_u32;
    let head = [0x32, 0x85, 0xbf, 0xd6, 0x06, 0x0a, 0x80, 0xbf, 0xd6, 0x06];
    let length = u32::try_from(head.len()).unwrap() + 2 * columns;
    let flood = [&length.to_le_bytes()[..], &head, &[0x0a, 0].repeat(columns as usize)].concat();
    let mut zone = std::mem::replace(&mut scene.zone, UnixStream::pair().unwrap().0);
    let flooding = tokio::spawn(async move { zone.write_all(&flood).await });
    assert!(matches!(scene.end().await, End::ZoneGarbled(FrameError::Unfolds)));
    drop(flooding.await.unwrap());
}

#[tokio::test]
async fn a_length_beyond_the_limit_ends_it_at_once() {
    let mut scene = scene();
    scene.zone.write_all(&[0, 0, 0, 2]).await.unwrap();
    assert!(matches!(scene.end().await, End::ZoneGarbled(FrameError::TooLong { .. })));
}

proptest! {
    #[test]
    fn whatever_a_zone_sends_its_caller_gets_only_messages_with_a_place(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut scene = scene();
            scene.zone.write_all(&bytes).await.unwrap();
            drop(std::mem::replace(&mut scene.zone, UnixStream::pair().unwrap().0));
            let mut heard = Incoming::new(&mut scene.caller, frame::TO_HOST);
            while let Some(frame) = heard.next().await.unwrap() {
                assert!(!matches!(Word::of(&frame).unwrap(), Word::Warm | Word::Ready));
            }
            scene.end().await;
        });
    }
}

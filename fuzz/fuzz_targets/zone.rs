//! What a zone, its host and the reference values say: frames, launch statements, sealed keys, histories and
//! `approved.toml`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi_attest::{
    Approved, Backend, FileColumns, FileKeys, HistoryKey, Key, Launch, LaunchKey, OpenKeys, Parts, Recipient, Zone,
    envelope::{Binding, Expected, seal},
    frame::{self, Decoder},
    history::{NO_RELEASE, Records, framed, open_answer},
    reference::Approval,
    said,
};
use octroi_fuzz::{damage, rest, text};
use octroi_proto::{Instant, wire::zone as wire};
use prost::Message as _;

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=6)? {
        0 => frames(input)?,
        1 => statement(&rest(input)),
        2 => statement(&damage(&HOST.statement, input)?),
        3 => envelope(input)?,
        4 => history(input)?,
        5 => reference(&text(input)),
        _ => reference(&String::from_utf8_lossy(&damage(HOST.approved.to_string().as_bytes(), input)?)),
    }
    Ok(())
}

/// Any bytes are the same frames however they come, and none is longer than allowed.
fn frames(input: &mut Unstructured<'_>) -> Result<()> {
    let (limit, step) = (input.int_in_range(0..=300)?, input.int_in_range(1..=64)?);
    let bytes = rest(input);
    let (mut decoder, mut pulled) = (Decoder::new(limit), Vec::new());
    let mut refused = false;
    'bytes: for piece in bytes.chunks(step) {
        let mut piece = piece;
        loop {
            match decoder.pull(&mut piece) {
                Ok(Some(frame)) => pulled.push(frame),
                Ok(None) => break,
                Err(_) => {
                    refused = true;
                    break 'bytes;
                }
            }
        }
        assert!(piece.is_empty());
    }
    let (mut reader, mut read) = (bytes.as_slice(), Vec::new());
    let ended = loop {
        match frame::read_bytes(&mut reader, limit) {
            Ok(Some(frame)) => read.push(frame),
            ended => break ended.is_ok(),
        }
    };
    assert_eq!(pulled, read);
    assert_eq!(ended, !refused && decoder.end().is_ok());
    for frame in read {
        assert!(frame.len() <= limit);
        if let (Ok(message), _looked_at) = (frame::decode::<wire::ToHost>(&frame), said::decode(&frame)) {
            assert!(frame::encode(&message, usize::MAX >> 1).is_ok());
        }
    }
    Ok(())
}

/// Nothing but what the host signed is believed.
fn statement(bytes: &[u8]) {
    let Ok(statement) = wire::SignedLaunch::decode(bytes) else { return };
    let good = wire::SignedLaunch::decode(HOST.statement.as_slice()).expect("it was encoded");
    match HOST.approved.admit(&statement) {
        Ok(launch) => assert_eq!((statement, launch.launch()), (good, &HOST.launch)),
        Err(_) => assert_ne!(statement, good),
    }
}

/// Sealed keys open as they were sealed, or not at all.
fn envelope(input: &mut Unstructured<'_>) -> Result<()> {
    let recipient = Recipient::generate().expect("random bytes");
    let (binding, keys) = (&*BINDING, &*KEYS);
    let good = seal(&recipient.public_key(), binding, keys).expect("they are the keys that are bound");
    let Ok(sealed) = wire::SealedKeys::decode(damage(&good.encode_to_vec(), input)?.as_slice()) else {
        return Ok(());
    };
    let expected = Expected { work: binding.work, launch: binding.launch, files: &binding.files, rules: binding.rules };
    match recipient.open(&sealed, &expected, NOW) {
        Ok(opened) => assert_eq!((&sealed, &opened), (&good, keys)),
        Err(_) => assert_ne!(sealed, good),
    }
    Ok(())
}

/// A history opens as it was recorded, whatever follows it, or not at all; and nobody else commits to a release.
fn history(input: &mut Unstructured<'_>) -> Result<()> {
    let (key, records, release) = &*HISTORY;
    let shown = damage(records, input)?;
    match key.open(&shown) {
        Ok(opened) => {
            assert!(shown.starts_with(records));
            assert!(opened.iter().map(|record| record.as_slice()).eq([&b"one"[..], b"two"]));
        }
        Err(_) => assert!(!shown.starts_with(records)),
    }
    let commitment = damage(&release.commitment, input)?;
    assert_eq!(key.commit(&commitment).is_ok(), commitment == release.commitment);
    let answer = damage(&release.answer, input)?;
    let opened = open_answer(&key.commit(&release.commitment).expect("it follows").answer_key, &answer);
    assert_eq!(opened.is_ok(), answer == release.answer);
    let bytes = rest(input);
    let taken: usize = Records::of(&bytes).map_while(|record| record.ok()).map(|record| record.len() + 4).sum();
    assert!(taken <= bytes.len());
    let _ = said::decode_table(&bytes);
    Ok(())
}

/// What is understood is written as it is read.
fn reference(text: &str) {
    if let Ok(approved) = text.parse::<Approved>() {
        assert_eq!(approved.to_string().parse(), Ok(approved));
    }
}

struct Host {
    approved: Approved,
    launch: Launch,
    statement: Vec<u8>,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let key = LaunchKey::from_bytes(&[7; 32]);
    let mut image = Parts::new();
    image.push_text("cmdline", "quiet").expect("a part");
    let approval = || Approval {
        by: "marie.durand".parse().expect("a line"),
        note: "first image".parse().expect("a line"),
        at: NOW,
    };
    let mut approved = Approved::default();
    approved.approve_host(key.public(), approval()).expect("a host");
    approved.approve_image(Backend::Process, &image, approval()).expect("an image");
    let launch = Launch {
        id: [1; 16].into(),
        image: image.measurement(),
        zone: Zone::Process,
        public_key: [4; 32],
        started: NOW,
    };
    let statement = key.sign(&launch).encode_to_vec();
    Host { approved, launch, statement }
});

static BINDING: LazyLock<Binding> = LazyLock::new(|| Binding {
    work: [7; 16].into(),
    launch: [8; 16].into(),
    files: vec![FileColumns { file_id: [9; 16].into(), columns: ["age", "ville"].map(str::to_owned).into() }],
    expires: Instant::constant(1_790_000_060, 0),
    rules: [6; 32].as_slice().try_into().expect("a digest"),
});

static KEYS: LazyLock<OpenKeys> = LazyLock::new(|| {
    let columns = ["age", "ville"].map(|name| (name.to_owned(), Key::from([3; 32]))).into();
    let file = FileKeys { file_id: [9; 16].into(), footer: Key::from([2; 32]), columns };
    let (history, ..) = &*HISTORY;
    OpenKeys { files: vec![file], ingest_file_key: Some([5; 16].into()), histories: vec![history.clone()] }
});

/// A history of two releases, as it is kept, and a third.
static HISTORY: LazyLock<(HistoryKey, Vec<u8>, wire::SealedRelease)> = LazyLock::new(|| {
    let mut key =
        HistoryKey { table: "mobility/trips".to_owned(), key: Key::from([4; 32]), sequence: 0, head: NO_RELEASE };
    let mut records = Vec::new();
    for record in [b"one", b"two"] {
        let release = key.seal(record, b"").expect("random bytes");
        let committed = key.commit(&release.commitment).expect("it follows");
        (key.sequence, key.head) = (committed.sequence, committed.head);
        records.extend(framed(&release.record).expect("it is short"));
    }
    let release = key.seal(b"three", b"an answer").expect("random bytes");
    (key, records, release)
});

const NOW: Instant = Instant::constant(1_790_000_000, 0);

//! Evidence: altered proofs, checkpoints and tile paths are refused; a damaged journal is refused or gives a true
//! beginning.

#![no_main]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::LazyLock};

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi::evidence::{Draft, KernelSalts, Log, ProofFile, Store, TileKind, TilePath, VerifierKey, verify};
use octroi_fuzz::{damage, rest, scratch, text};
use octroi_proto::{Instant, wire::v1};

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=6)? {
        0 => tile_path(&text(input)),
        1 => tile(input)?,
        2 => verifier_key(&text(input)),
        3 => strange_proof(&text(input)),
        4 => altered_proof(input)?,
        5 => strange_journal(input)?,
        _ => damaged_store(input)?,
    }
    Ok(())
}

/// One spelling.
fn tile_path(text: &str) {
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
        assert!(!text.contains("..") && !text.contains("//"));
    }
}

/// Any tile can be named, and asked for.
fn tile(input: &mut Unstructured<'_>) -> Result<()> {
    let kind = if input.arbitrary()? { TileKind::Entries } else { TileKind::Hashes(input.arbitrary()?) };
    let index = input.arbitrary::<u64>()? >> input.int_in_range(0..=63)?;
    if let Ok(path) = TilePath::new(kind, index, input.arbitrary()?) {
        assert_eq!(path.to_string().parse(), Ok(path));
    }
    Ok(())
}

fn verifier_key(text: &str) {
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text.trim());
        assert!(key.open(&GOOD.checkpoint).is_err() || text.trim() == GOOD.key.to_string());
    }
}

fn strange_proof(text: &str) {
    assert!(GOOD.key.open(text).is_err());
    assert!(verify(text, &GOOD.checkpoint, &GOOD.key).is_err());
    assert!(verify(&GOOD.proof, text, &GOOD.key).is_err());
}

fn altered_proof(input: &mut Unstructured<'_>) -> Result<()> {
    let (mut proof, mut checkpoint) = (GOOD.proof.clone().into_bytes(), GOOD.checkpoint.clone().into_bytes());
    let altered = if input.arbitrary()? { &mut proof } else { &mut checkpoint };
    *altered = damage(altered, input)?;
    if let (Ok(proof), Ok(checkpoint)) = (String::from_utf8(proof), String::from_utf8(checkpoint)) {
        let untouched = proof == GOOD.proof && checkpoint == GOOD.checkpoint;
        assert_eq!(verify(&proof, &checkpoint, &GOOD.key).is_ok(), untouched);
    }
    Ok(())
}

/// Any bytes as the journal's own files: refused, or read to the end.
fn strange_journal(input: &mut Unstructured<'_>) -> Result<()> {
    let folder = scratch();
    write(folder.path(), "log.key", &GOOD.files[KEY_FILE].1);
    if input.arbitrary()? {
        let offsets: Vec<u8> = input.arbitrary()?;
        write(folder.path(), "offsets", &offsets);
    }
    let magic: &[u8] = if input.ratio(7, 8)? { b"octroi\x00\x01" } else { b"" };
    write(folder.path(), "entries", &[magic, &rest(input)].concat());
    if let Ok(store) = Store::open(folder.path(), Box::new(KernelSalts)) {
        let found = store.len();
        let _ = store.log().entries(0, 1_000);
        drop(store);
        let again = Store::open(folder.path(), Box::new(KernelSalts)).expect("what opened once opens again");
        assert_eq!(again.len(), found);
    }
    Ok(())
}

/// A store after one of its files was damaged: refused, or a beginning of what was recorded, no shorter than what was
/// signed for, that can be added to.
fn damaged_store(input: &mut Unstructured<'_>) -> Result<()> {
    let folder = scratch();
    let file = input.choose_index(GOOD.files.len())?;
    for (index, (name, good)) in GOOD.files.iter().enumerate() {
        let bytes = if index == file { damage(good, input)? } else { good.clone() };
        write(folder.path(), name, &bytes);
    }
    let Ok(mut store) = Store::open(folder.path(), Box::new(KernelSalts)) else { return Ok(()) };
    // The file may spell the key in other letters, but no other key has signed the checkpoint.
    assert_eq!(store.log().verifier_key().to_string(), GOOD.key.to_string());
    assert!((SIGNED..=RECORDED).contains(&store.len()));
    let found = entries(&store.log());
    assert!(GOOD.entries.starts_with(&found));
    record(&mut store, 1);
    assert_eq!(entries(&store.log()).len(), found.len() + 1);
    Ok(())
}

/// A store's files, what it recorded, and a proof out of it.
struct Good {
    files: Vec<(&'static str, Vec<u8>)>,
    entries: Vec<v1::Entry>,
    key: VerifierKey,
    checkpoint: String,
    proof: String,
}

/// Another one in each run: the log's key is random.
static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let folder = scratch();
    let mut store = Store::create(folder.path(), "fuzz/log", Box::new(KernelSalts)).expect("a store");
    record(&mut store, 3);
    record(&mut store, 2);
    store.publish().expect("a checkpoint");
    record(&mut store, 2);
    let log = store.log();
    let proof = log.export(3, None).expect("a proof");
    let files = FILES.iter().map(|name| (*name, fs::read(folder.path().join(name)).expect("a file of the store")));
    Good {
        files: files.collect(),
        entries: entries(&log),
        key: log.verifier_key().clone(),
        checkpoint: log.checkpoint(),
        proof: ProofFile::from(&proof).to_json().expect("a proof can be written"),
    }
});

fn record(store: &mut Store, count: usize) {
    let mut batch = store.begin();
    for index in 0..count {
        let refused = v1::Refused { dataset: format!("climat-{index}"), kind: "permission_denied".into() };
        let draft = Draft::gateway("Refuse", v1::entry::Record::Refused(refused));
        store.push(&mut batch, draft, Instant::UNIX_EPOCH).expect("a small entry");
    }
    store.append(&batch).expect("a batch is recorded");
}

fn entries(log: &Log) -> Vec<v1::Entry> {
    log.entries(0, 1_000).expect("what is recorded can be read").entries
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a private file");
}

const FILES: [&str; 5] = ["entries", "offsets", "hashes", "checkpoint", "log.key"];
const KEY_FILE: usize = 4;
const SIGNED: u64 = 5;
const RECORDED: u64 = 7;

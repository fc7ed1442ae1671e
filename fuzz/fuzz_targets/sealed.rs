//! Sealed objects: whatever a store gives back, nothing but true plaintext of the right object comes out.

#![no_main]

use std::{ops::Range, sync::LazyLock};

use bytes::Bytes;
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi::{
    keys::{DataKey, root::RootKey, store::KeyStore},
    object::seal::{ChunkSize, HEADER_BYTES, Header, Layout, Place, Refusal, Sealer, TAG_BYTES, WHOLE},
};
use octroi_fuzz::{damage, rest, scratch};
use octroi_proto::ObjectVersion;
use uuid::Uuid;

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=4)? {
        0 => strange_header(&rest(input)),
        1 => damaged_header(input),
        2 => damaged_object(input),
        3 => damaged_range(input),
        _ => layout(input),
    }
}

/// Bytes that nobody sealed: refused before anything is opened.
fn strange_header(bytes: &[u8]) -> Result<()> {
    if let Ok(header) = Header::parse(bytes) {
        assert!(header.verify(&KEY, &PLACE).is_err(), "a forged header");
    }
    Ok(())
}

/// A header is taken as it was made, by the place it was made for, or not at all.
fn damaged_header(input: &mut Unstructured<'_>) -> Result<()> {
    let (_, good) = Sealer::begin(&KEY, &PLACE, *CHUNK, &input.arbitrary()?).expect("the key allows the suite");
    let uuid = if input.ratio(1, 4)? { Uuid::from_bytes(input.arbitrary()?) } else { PLACE.uuid };
    let version_id = if input.ratio(1, 4)? { Uuid::from_bytes(input.arbitrary()?) } else { PLACE.version_id };
    let part = if input.ratio(1, 4)? { input.arbitrary()? } else { WHOLE };
    let asked = Place { uuid, version_id, part };
    let damaged = damage(&good, input)?;
    let taken = Header::parse(&damaged).map_err(Refusal::from).and_then(|header| header.verify(&KEY, &asked));
    assert_eq!(taken.is_ok(), damaged == good && asked == PLACE);
    Ok(())
}

/// All of an object: as it was, or refused after a true beginning.
fn damaged_object(input: &mut Unstructured<'_>) -> Result<()> {
    let (truth, sealed) = object(input)?;
    let step = input.int_in_range(1..=9_000)?;
    let damaged = damage(&sealed, input)?;
    let mut out = Vec::new();
    let opened = open(&damaged, truth.len() as u64, 0..truth.len() as u64, step, Store::Lies, &mut out);
    assert!(truth.starts_with(&out), "what comes out is true");
    assert_eq!(opened.is_ok(), damaged == sealed, "{opened:?}");
    assert!(opened.is_err() || out == truth);
    Ok(())
}

/// A range of an object: right if the bytes it needs are as they were, else refused after a true beginning.
fn damaged_range(input: &mut Unstructured<'_>) -> Result<()> {
    let (truth, sealed) = object(input)?;
    let (a, b) = (input.int_in_range(0..=truth.len())?, input.int_in_range(0..=truth.len())?);
    let range = a.min(b)..a.max(b);
    let wanted = range.start as u64..range.end as u64;
    let step = input.int_in_range(1..=9_000)?;
    let damaged = damage(&sealed, input)?;
    let mut out = Vec::new();
    let opened = open(&damaged, truth.len() as u64, wanted.clone(), step, Store::GivesWhatIsAskedFor, &mut out);
    assert!(truth[range.clone()].starts_with(&out), "what comes out is true");
    let Ok(span) = Layout::new(*CHUNK, truth.len() as u64).expect("it is not long").cover(&wanted) else {
        assert!(opened.is_err(), "nothing can be asked of nothing");
        return Ok(());
    };
    let same = |piece: Range<usize>| damaged.get(piece.clone()) == sealed.get(piece);
    let untouched = same(0..HEADER_BYTES) && same(span.sealed.start as usize..span.sealed.end as usize);
    assert_eq!(opened.is_ok(), untouched, "{opened:?}");
    assert!(opened.is_err() || out == truth[range]);
    Ok(())
}

/// The arithmetic, at any size.
fn layout(input: &mut Unstructured<'_>) -> Result<()> {
    let bytes = if input.ratio(3, 4)? { 1 << input.int_in_range(10..=22)? } else { input.arbitrary()? };
    let Ok(chunk) = ChunkSize::new(bytes) else {
        assert!(!bytes.is_power_of_two() || !(4_096..=1_048_576).contains(&bytes));
        return Ok(());
    };
    let (length, range): (u64, Range<u64>) = (input.arbitrary()?, input.arbitrary()?..input.arbitrary()?);
    let size = u64::from(chunk.bytes());
    let Ok(layout) = Layout::new(chunk, length) else {
        assert!(length > size << 32);
        return Ok(());
    };
    assert_eq!(layout.sealed_length(), HEADER_BYTES as u64 + length + layout.chunks() * TAG_BYTES);
    let Ok(span) = layout.cover(&range) else {
        assert!(range.start >= range.end || range.end > length);
        return Ok(());
    };
    assert!(range.start <= range.end && range.end <= length);
    assert!(span.first < span.end && span.end <= layout.chunks() && span.sealed.end <= layout.sealed_length());
    assert_eq!(span.first * size + span.skip, range.start);
    assert_eq!(span.take, range.end - range.start);
    Ok(())
}

/// Plaintext of some chunks, and what it is sealed as.
fn object(input: &mut Unstructured<'_>) -> Result<(Vec<u8>, Vec<u8>)> {
    let (length, seed) = (input.int_in_range(0..=3 * 4_096 + 9)?, input.arbitrary::<u8>()?);
    let step = input.int_in_range(1..=9_000)?;
    let truth: Vec<u8> = (0..length).map(|index: usize| (index * 31 + index / 256) as u8 ^ seed).collect();
    let (mut sealer, header) = Sealer::begin(&KEY, &PLACE, *CHUNK, &[seed; 32]).expect("the key allows the suite");
    let mut sealed = header.to_vec();
    for piece in truth.chunks(step) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(chunk) = sealer.push(&mut piece).expect("it is not long") {
            sealed.extend_from_slice(&chunk);
        }
    }
    sealed.extend_from_slice(&sealer.finish().expect("it is not long"));
    Ok((truth, sealed))
}

enum Store {
    GivesWhatIsAskedFor,
    /// Goes on after the end of what was asked for.
    Lies,
}

fn open(
    sealed: &[u8],
    length: u64,
    range: Range<u64>,
    step: usize,
    store: Store,
    out: &mut Vec<u8>,
) -> std::result::Result<(), Refusal> {
    let header = Header::parse(sealed.get(..HEADER_BYTES).ok_or(Refusal::Truncated)?)?;
    let mut opening = header.verify(&KEY, &PLACE)?.range(length, &range)?;
    let asked = opening.span().sealed.clone();
    let end = match store {
        Store::GivesWhatIsAskedFor => sealed.len().min(asked.end as usize),
        Store::Lies => sealed.len(),
    };
    for piece in sealed.get(asked.start as usize..end).unwrap_or_default().chunks(step) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(plaintext) = opening.push(&mut piece)? {
            out.extend_from_slice(&plaintext);
        }
    }
    opening.finish()
}

static CHUNK: LazyLock<ChunkSize> = LazyLock::new(|| ChunkSize::new(4_096).expect("a chunk size"));

/// A key as the key process gives it; another one in each run.
static KEY: LazyLock<DataKey> = LazyLock::new(|| {
    let folder = scratch();
    let root = RootKey::create(&folder.path().join("root.key")).expect("a root key");
    let object = ObjectVersion {
        dataset: "climat-ilots".parse().expect("a name"),
        uuid: PLACE.uuid,
        version_id: PLACE.version_id,
    };
    KeyStore::open(folder.path(), root).and_then(|store| store.create(&object)).expect("a data key")
});

const PLACE: Place =
    Place { uuid: Uuid::from_bytes([0xA1; 16]), version_id: Uuid::from_bytes([0xB2; 16]), part: WHOLE };

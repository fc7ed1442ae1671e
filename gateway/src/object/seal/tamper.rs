//! Everything that a store, or whoever holds it, can do to sealed bytes, and the second implementation.

use std::ops::Range;

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use bytes::Bytes;
use proptest::prelude::*;
use ring::{digest, hmac};
use uuid::Uuid;

use super::*;
use crate::keys::DataKey;

const PLACE: Place =
    Place { uuid: Uuid::from_bytes([0xA1; 16]), version_id: Uuid::from_bytes([0xB2; 16]), part: WHOLE };
const CHUNK: usize = 4096;
const SEALED_CHUNK: usize = CHUNK + 16;

fn plaintext(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 256) as u8).collect()
}

fn seal_as(key: &DataKey, place: &Place, salt: [u8; 32], plaintext: &[u8], step: usize) -> Vec<u8> {
    let (mut sealer, header) = Sealer::begin(key, place, ChunkSize::new(CHUNK as u32).unwrap(), &salt).unwrap();
    let mut sealed = header.to_vec();
    for piece in plaintext.chunks(step.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(chunk) = sealer.push(&mut piece).unwrap() {
            sealed.extend_from_slice(&chunk);
        }
    }
    sealed.extend_from_slice(&sealer.finish().unwrap());
    sealed
}

fn seal(plaintext: &[u8]) -> Vec<u8> {
    seal_as(&DataKey::for_test(7), &PLACE, [3; 32], plaintext, 1000)
}

/// Opens a range, pushing whatever the object has from the range's first sealed byte on, as a store would give it
/// (no more than was asked for, unless it lies). Returns all that came out, and how it ended.
fn open_range(sealed: &[u8], length: u64, range: Range<u64>, step: usize, lie: bool) -> (Vec<u8>, Result<(), Refusal>) {
    let mut out = Vec::new();
    let result = (|| {
        let header = sealed.get(..HEADER_BYTES).ok_or(Refusal::Truncated)?;
        let mut opening = Header::parse(header)?.verify(&DataKey::for_test(7), &PLACE)?.range(length, &range)?;
        let asked = opening.span().sealed.clone();
        let end = if lie { sealed.len() } else { sealed.len().min(asked.end as usize) };
        let body = sealed.get(asked.start as usize..end).unwrap_or_default();
        for piece in body.chunks(step.max(1)) {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(plaintext) = opening.push(&mut piece)? {
                out.extend_from_slice(&plaintext);
            }
        }
        opening.finish()
    })();
    (out, result)
}

fn open(sealed: &[u8], length: usize) -> (Vec<u8>, Result<(), Refusal>) {
    open_range(sealed, length as u64, 0..length as u64, 777, true)
}

/// The rule of the whole matrix: refused, and what came out before is a prefix of the true plaintext, in whole
/// chunks.
fn refused(sealed: &[u8], truth: &[u8], what: &str) {
    let (out, result) = open(sealed, truth.len());
    assert!(result.is_err(), "{what}: accepted");
    assert!(truth.starts_with(&out) && out.len() % CHUNK == 0, "{what}: unverified bytes came out");
}

#[test]
fn what_was_sealed_opens() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
        let truth = plaintext(length);
        let sealed = seal(&truth);
        let layout = Layout::new(ChunkSize::new(CHUNK as u32).unwrap(), length as u64).unwrap();
        assert_eq!(sealed.len() as u64, layout.sealed_length());
        let (out, result) = open(&sealed, length);
        assert_eq!((out, result), (truth, Ok(())), "{length}");
    }
}

#[test]
fn every_flipped_bit_of_the_header_and_every_flipped_byte_after_it_is_refused() {
    let truth = plaintext(2 * CHUNK + 9);
    let sealed = seal(&truth);
    for index in 0..sealed.len() {
        let bits: &[u8] = if index < HEADER_BYTES { &[1, 2, 4, 8, 16, 32, 64, 128] } else { &[1 << (index % 8)] };
        for bit in bits {
            let mut damaged = sealed.clone();
            damaged[index] ^= bit;
            refused(&damaged, &truth, &format!("bit {bit} of byte {index}"));
        }
    }
}

#[test]
fn chunks_cannot_be_swapped_dropped_repeated_truncated_or_appended() {
    let truth = plaintext(4 * CHUNK);
    let sealed = seal(&truth);
    let (header, body) = sealed.split_at(HEADER_BYTES);
    let chunks: Vec<&[u8]> = body.chunks(SEALED_CHUNK).collect();
    let join =
        |order: &[usize]| [header].into_iter().chain(order.iter().map(|i| chunks[*i])).collect::<Vec<_>>().concat();
    for order in [
        &[1, 0, 2, 3][..],
        &[0, 2, 1, 3],
        &[0, 1, 3, 2],
        &[3, 1, 2, 0],
        &[0, 1, 2],
        &[1, 2, 3],
        &[0, 2, 3],
        &[0, 0, 1, 2, 3],
        &[0, 1, 1, 3],
        &[0, 1, 2, 2],
        &[0, 1, 2, 3, 3],
        &[0, 1, 2, 3, 0],
        &[],
        &[3],
    ] {
        refused(&join(order), &truth, &format!("chunks {order:?}"));
    }
    for cut in [
        0,
        1,
        8,
        HEADER_BYTES - 1,
        HEADER_BYTES,
        HEADER_BYTES + 1,
        sealed.len() - SEALED_CHUNK,
        sealed.len() - 16,
        sealed.len() - 1,
    ] {
        refused(&sealed[..cut], &truth, &format!("cut at {cut}"));
    }
    for surplus in [&[0][..], &[0; 16], &[0; SEALED_CHUNK]] {
        refused(&[&sealed, surplus].concat(), &truth, "appended bytes");
    }
}

#[test]
fn a_shorter_or_longer_recorded_length_is_refused() {
    let truth = plaintext(3 * CHUNK);
    let sealed = seal(&truth);
    for length in [0, 1, CHUNK, 2 * CHUNK, 3 * CHUNK - 1, 3 * CHUNK + 1, 4 * CHUNK] {
        let (out, result) = open_range(&sealed, length as u64, 0..length as u64, 777, false);
        assert!(result.is_err(), "{length}");
        assert!(truth.starts_with(&out), "{length}");
    }
}

#[test]
fn headers_cannot_be_spliced_between_objects_versions_parts_keys_or_salts() {
    let truth = plaintext(CHUNK + 100);
    let (key, other) = (DataKey::for_test(7), Uuid::from_bytes([0xC3; 16]));
    let ours = seal(&truth);
    let theirs = [
        seal_as(&key, &Place { uuid: other, ..PLACE }, [3; 32], &truth, 1000),
        seal_as(&key, &Place { version_id: other, ..PLACE }, [3; 32], &truth, 1000),
        seal_as(&key, &Place { part: 1, ..PLACE }, [3; 32], &truth, 1000),
        seal_as(&DataKey::for_test(8), &PLACE, [3; 32], &truth, 1000),
        seal_as(&key, &PLACE, [4; 32], &truth, 1000),
    ];
    for (index, theirs) in theirs.iter().enumerate() {
        refused(&[&theirs[..HEADER_BYTES], &ours[HEADER_BYTES..]].concat(), &truth, &format!("their header {index}"));
        refused(&[&ours[..HEADER_BYTES], &theirs[HEADER_BYTES..]].concat(), &truth, &format!("their chunks {index}"));
        if index < 4 {
            refused(theirs, &truth, &format!("their object {index}"));
        }
    }
}

#[test]
fn the_length_of_the_steps_does_not_matter() {
    let truth = plaintext(3 * CHUNK + 77);
    let sealed = seal(&truth);
    for step in [1, 4095, 4096, 4097, 100_000] {
        assert_eq!(seal_as(&DataKey::for_test(7), &PLACE, [3; 32], &truth, step), sealed);
        let (out, result) = open_range(&sealed, truth.len() as u64, 0..truth.len() as u64, step, false);
        assert_eq!((out.len(), result), (truth.len(), Ok(())));
    }
}

/// HKDF by its definition (RFC 5869), to depend on no library twice.
fn expand(key: &[u8], salt: &[u8], purpose: &str, part: u32, length: usize) -> Vec<u8> {
    let sign = |key: &[u8], data: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec();
    let info =
        [b"octroi/sealed-object/v1/", purpose.as_bytes(), &1u16.to_be_bytes(), &part.to_be_bytes(), &[1]].concat();
    let mut out = sign(&sign(salt, key), &info);
    out.truncate(length);
    out
}

#[test]
fn the_second_implementation_opens_what_ring_sealed() {
    let truth = plaintext(2 * CHUNK + 1);
    let sealed = seal(&truth);
    let (header, body) = sealed.split_at(HEADER_BYTES);
    assert_eq!(header[48..80], expand(&[7; 32], &[3; 32], "commitment", 0, 32));
    let mac = hmac::Key::new(hmac::HMAC_SHA256, &expand(&[7; 32], &[3; 32], "header-mac", 0, 32));
    assert_eq!(&header[116..], hmac::sign(&mac, &header[..116]).as_ref());
    let key: [u8; 32] = expand(&[7; 32], &[3; 32], "encryption", 0, 32).try_into().unwrap();
    let prefix = expand(&[7; 32], &[3; 32], "nonce", 0, 7);
    let cipher = Aes256Gcm::new(&key.into());
    let mut opened = Vec::new();
    for (index, chunk) in body.chunks(SEALED_CHUNK).enumerate() {
        let place = [&(index as u32).to_be_bytes()[..], &[u8::from(index == 2)]].concat();
        let nonce: [u8; 12] = [&prefix[..], &place].concat().try_into().unwrap();
        let aad = [digest::digest(&digest::SHA256, header).as_ref(), &place].concat();
        opened.extend(cipher.decrypt(&nonce.into(), Payload { msg: chunk, aad: &aad }).unwrap());
    }
    assert_eq!(opened, truth);
}

/// Golden files of version 1, made by `vectors/make.py`, which shares no code with this crate. They must open for
/// as long as octroi reads version 1.
#[test]
fn golden_files_of_version_1() {
    let key = DataKey::new(Box::new(std::array::from_fn(|i| i as u8)).into(), crate::keys::Suites::CURRENT);
    let place = Place {
        uuid: Uuid::from_bytes(std::array::from_fn(|i| 0x10 + i as u8)),
        version_id: Uuid::from_bytes(std::array::from_fn(|i| 0x20 + i as u8)),
        part: WHOLE,
    };
    let salt = std::array::from_fn(|i| 0x80 + i as u8);
    for (golden, length) in [
        (include_str!("../vectors/v1-empty.hex"), 0),
        (include_str!("../vectors/v1-hello.hex"), 5),
        (include_str!("../vectors/v1-two-chunks.hex"), CHUNK + 4),
    ] {
        let golden = hex::decode(golden.split_whitespace().collect::<String>()).unwrap();
        let truth = if length == 5 { b"hello".to_vec() } else { (0..length).map(|i| (i % 251) as u8).collect() };
        assert_eq!(seal_as(&key, &place, salt, &truth, 1000), golden);
        let mut opening = Header::parse(&golden[..HEADER_BYTES])
            .unwrap()
            .verify(&key, &place)
            .unwrap()
            .range(length as u64, &(0..length as u64))
            .unwrap();
        let (mut body, mut opened) = (Bytes::copy_from_slice(&golden[HEADER_BYTES..]), Vec::new());
        while let Some(plaintext) = opening.push(&mut body).unwrap() {
            opened.extend_from_slice(&plaintext);
        }
        opening.finish().unwrap();
        assert_eq!(opened, truth);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_range_opens_to_the_same_bytes(length in 0usize..5 * CHUNK, a in 0usize..5 * CHUNK, b in 0usize..5 * CHUNK, step in 1usize..9_000) {
        let truth = plaintext(length);
        let (start, end) = (a.min(b).min(length), a.max(b).min(length));
        prop_assume!(start < end || length == 0);
        let (out, result) = open_range(&seal(&truth), length as u64, start as u64..end as u64, step, false);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(&out[..], &truth[start..end]);
    }

    #[test]
    fn any_damage_is_refused(length in 0usize..3 * CHUNK, at in any::<proptest::sample::Index>(), with in 1u8..) {
        let truth = plaintext(length);
        let mut sealed = seal(&truth);
        let index = at.index(sealed.len());
        sealed[index] ^= with;
        refused(&sealed, &truth, "damage");
    }
}

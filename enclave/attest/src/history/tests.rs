use proptest::prelude::*;

use super::*;

fn key() -> HistoryKey {
    HistoryKey { table: "mobility/trips".into(), key: Key::from([7; 32]), sequence: 0, head: NO_RELEASE }
}

fn other() -> HistoryKey {
    HistoryKey { key: Key::from([8; 32]), ..key() }
}

/// The key and the records once these releases were committed.
fn released(records: &[&[u8]]) -> (HistoryKey, Vec<u8>) {
    let (mut key, mut kept) = (key(), Vec::new());
    for record in records {
        let release = key.seal(record, b"answer").unwrap();
        let Commitment { sequence, head, again, .. } = key.commit(&release.commitment).unwrap();
        assert!(!again);
        kept.extend(framed(&release.record).unwrap());
        (key.sequence, key.head) = (sequence, head);
    }
    (key, kept)
}

fn plain(opened: Vec<Zeroizing<Vec<u8>>>) -> Vec<Vec<u8>> {
    opened.into_iter().map(|record| record.to_vec()).collect()
}

#[test]
fn what_was_released_is_read_in_order_and_nothing_behind_it() {
    let (key, kept) = released(&[b"one", b"", b"three"]);
    assert_eq!(plain(key.open(&kept).unwrap()), [&b"one"[..], b"", b"three"]);
    let next = key.seal(b"never committed", b"answer").unwrap();
    for behind in [framed(&next.record).unwrap(), vec![0xff; 9], vec![1]] {
        assert_eq!(key.open(&[&kept[..], &behind].concat()).unwrap().len(), 3);
    }
    assert!(self::key().open(b"whatever").unwrap().is_empty());
}

#[test]
fn an_answer_opens_with_the_key_that_its_commitment_holds() {
    let release = key().seal(b"record", b"1,234 trips").unwrap();
    assert_eq!((release.table.as_str(), release.sequence), ("mobility/trips", 1));
    let committed = key().commit(&release.commitment).unwrap();
    assert_eq!((committed.sequence, committed.head), (1, after(&NO_RELEASE, &release.record)));
    assert_eq!(open_answer(&committed.answer_key, &release.answer).unwrap(), b"1,234 trips");
    let second = key().seal(b"record", b"1,234 trips").unwrap();
    assert_eq!(open_answer(&committed.answer_key, &second.answer), Err(HistoryError::Sealed));
    assert_eq!(open_answer(&committed.answer_key, b""), Err(HistoryError::Sealed));
}

#[test]
fn the_head_is_as_the_contract_says() {
    let (key, kept) = released(&[b"one", b"two"]);
    let records: Vec<_> = Records::of(&kept).map(Result::unwrap).collect();
    let step = |head: &[u8], record: &[u8]| {
        let record = digest::digest(&digest::SHA256, record);
        digest::digest(&digest::SHA256, &[b"octroi release history v1\0", head, record.as_ref()].concat())
    };
    let first = step(&[0; 32], records[0]);
    assert_eq!(step(first.as_ref(), records[1]).as_ref(), key.head);
}

#[test]
fn fewer_other_swapped_or_repeated_records_are_refused() {
    let (key, kept) = released(&[b"one", b"two"]);
    let mut records = Records::of(&kept);
    let one = framed(records.next().unwrap().unwrap()).unwrap();
    let two = framed(records.next().unwrap().unwrap()).unwrap();
    assert_eq!((records.taken(), records.next()), (kept.len(), None));
    assert_eq!(key.open(b""), Err(HistoryError::Short));
    assert_eq!(key.open(&one), Err(HistoryError::Short));
    // Each is sealed for its place.
    assert_eq!(key.open(&[two.clone(), one.clone()].concat()), Err(HistoryError::Sealed));
    assert_eq!(key.open(&[one.clone(), one.clone()].concat()), Err(HistoryError::Sealed));
    // What a zone sealed for this place, and nobody committed: a fork.
    let before = HistoryKey { sequence: 1, head: after(&NO_RELEASE, &one[4..]), ..key.clone() };
    let fork = framed(&before.seal(b"another two", b"").unwrap().record).unwrap();
    assert_eq!(key.open(&[one.clone(), fork].concat()), Err(HistoryError::OtherHead));
    let elsewhere = HistoryKey { table: "mobility/homes".into(), ..key.clone() };
    assert_eq!(elsewhere.open(&kept), Err(HistoryError::Sealed));
    assert_eq!(HistoryKey { key: Key::from([8; 32]), ..key.clone() }.open(&kept), Err(HistoryError::Sealed));
    // Rolled back: the key knows of more.
    assert_eq!(HistoryKey { sequence: 3, ..key }.open(&kept), Err(HistoryError::Short));
}

#[test]
fn a_release_that_follows_another_than_the_last_is_superseded() {
    let (key, _) = released(&[b"one"]);
    let [mine, theirs] = [b"mine", b"them"].map(|record| key.seal(record, b"").unwrap());
    let committed = key.commit(&theirs.commitment).unwrap();
    let moved = HistoryKey { sequence: committed.sequence, head: committed.head, ..key.clone() };
    assert_eq!(moved.commit(&mine.commitment), Err(CommitError::Superseded));
    // An answer that was lost on the way is asked for again, and is the same.
    let again = moved.commit(&theirs.commitment).unwrap();
    assert_eq!(again, Commitment { again: true, ..committed });
    let later = moved.seal(b"later", b"").unwrap();
    assert_eq!(key.commit(&later.commitment), Err(CommitError::Superseded));
}

#[test]
fn a_commitment_that_no_zone_of_ours_made_is_refused() {
    let release = key().seal(b"record", b"answer").unwrap();
    assert_eq!(release.commitment.len(), COMMITMENT_BYTES);
    assert_eq!(other().commit(&release.commitment), Err(CommitError::Sealed));
    let elsewhere = HistoryKey { table: "mobility/homes".into(), ..key() };
    assert_eq!(elsewhere.commit(&release.commitment), Err(CommitError::Sealed));
    // Neither a record nor a shorter text under the same key is one.
    assert_eq!(key().commit(&release.record), Err(CommitError::Sealed));
    let short = seal(&key().key, &[0; 103], &key().commitment_context()).unwrap();
    assert_eq!(key().commit(&short), Err(CommitError::Sealed));
    assert_eq!(key().commit(b""), Err(CommitError::Sealed));
}

#[test]
fn a_history_has_its_bounds() {
    let full = HistoryKey { sequence: MOST_RELEASES, head: [1; 32], ..key() };
    assert_eq!(full.seal(b"", b""), Err(HistoryError::Full));
    assert_eq!(HistoryKey { sequence: MOST_RELEASES + 1, ..full }.open(&[]), Err(HistoryError::Full));
    let long = vec![0; MOST_RECORD + 1];
    assert_eq!(key().seal(&long, b""), Err(HistoryError::TooLong));
    let longest = key().seal(&long[1..], b"").unwrap();
    let frame = framed(&longest.record).unwrap();
    assert_eq!(framed(&[&longest.record[..], b"x"].concat()), Err(HistoryError::TooLong));
    // Eight of the longest are 32 MiB, and their frames and seals too much.
    let kept = frame.repeat(8);
    let taken: Vec<_> = Records::of(&kept).collect();
    assert_eq!((taken.len(), taken[7]), (8, Err(HistoryError::Full)));
    // A length that nothing could have is refused before anything of it is looked for.
    assert_eq!(Records::of(&[0xff; 9]).next(), Some(Err(HistoryError::TooLong)));
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?} {:?}", key(), key().commit(&key().seal(b"", b"").unwrap().commitment));
    assert!(!shown.contains("7, 7, 7, 7") && shown.contains("answer_key: Key(..)"), "{shown}");
}

#[test]
fn the_same_release_never_seals_to_the_same_bytes() {
    let [one, two] = [(); 2].map(|()| key().seal(b"record", b"answer").unwrap());
    assert!(one.record != two.record && one.commitment != two.commitment && one.answer != two.answer);
}

proptest! {
    #[test]
    fn histories_open_as_they_were_sealed(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
        behind in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let (key, kept) = released(&records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(plain(key.open(&[kept, behind].concat()).unwrap()), records);
    }

    #[test]
    fn any_damage_or_cut_is_refused(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let (key, kept) = released(&records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let at = at.index(kept.len());
        let mut damaged = kept.clone();
        damaged[at] ^= 1 << bit;
        prop_assert!(key.open(&damaged).is_err());
        prop_assert!(key.open(&kept[..at]).is_err());
    }

    #[test]
    fn a_damaged_commitment_or_answer_is_refused(at in 0..COMMITMENT_BYTES, bit in 0u8..8) {
        let mut release = key().seal(b"record", &[9; 200]).unwrap();
        let answer_key = key().commit(&release.commitment).unwrap().answer_key;
        release.commitment[at] ^= 1 << bit;
        release.answer[at] ^= 1 << bit;
        prop_assert_eq!(key().commit(&release.commitment), Err(CommitError::Sealed));
        prop_assert_eq!(open_answer(&answer_key, &release.answer), Err(HistoryError::Sealed));
    }

    #[test]
    fn any_bytes_are_records_or_an_error(
        bytes in prop::collection::vec(prop_oneof![3 => 0u8..6, 1 => any::<u8>()], 0..200),
        sequence in 0u64..5,
    ) {
        let mut records = Records::of(&bytes);
        let whole = records.by_ref().all(|record| record.is_ok());
        prop_assert!(records.taken() <= bytes.len());
        prop_assert_eq!(whole, records.taken() == bytes.len());
        let opened = HistoryKey { sequence, ..key() }.open(&bytes);
        prop_assert_eq!(opened.is_ok(), sequence == 0);
        prop_assert!(key().commit(&bytes).is_err());
    }
}

use super::*;
use proptest::prelude::*;

fn leaf(number: u8, length: usize) -> Leaf {
    Leaf { salt: [number; SALT], entry: vec![number; length] }
}

fn all(journal: &Journal) -> Vec<Leaf> {
    journal.reader().leaves(0).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_was_appended_is_read_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.append(&[leaf(1, 10), leaf(2, 5_000)]).unwrap();
    journal.append(&[leaf(3, 1)]).unwrap();
    assert_eq!(journal.syncs(), 2);
    drop(journal);
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(all(&journal), [leaf(1, 10), leaf(2, 5_000), leaf(3, 1)]);
    assert_eq!(journal.reader().leaf(1).unwrap(), Some(leaf(2, 5_000)));
    assert_eq!(journal.reader().leaf(3).unwrap(), None);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.append(&[leaf(1, 10)]).unwrap();
    let kept = journal.end;
    journal.append(&[leaf(2, 20), leaf(3, 30)]).unwrap();
    let (middle, end) = (kept + HEADER + 32 + 20, journal.end);
    drop(journal);
    let whole = std::fs::read(folder.path().join("entries")).unwrap();
    for cut in kept..=end {
        let torn = tempfile::tempdir().unwrap();
        std::fs::write(torn.path().join("entries"), &whole[..cut as usize]).unwrap();
        let mut journal = Journal::open(torn.path()).unwrap();
        let mut expected = vec![leaf(1, 10)];
        expected.extend((cut >= middle).then(|| leaf(2, 20)));
        expected.extend((cut >= end).then(|| leaf(3, 30)));
        assert_eq!(all(&journal), expected, "cut at {cut}");
        journal.append(&[leaf(9, 9)]).unwrap();
        expected.push(leaf(9, 9));
        assert_eq!(all(&journal), expected);
    }
}

#[test]
fn a_last_batch_with_a_hole_is_cut_off_from_the_hole_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.append(&[leaf(1, 10)]).unwrap();
    let kept = journal.end;
    journal.append(&[leaf(2, 20), leaf(3, 30)]).unwrap();
    // The disk kept the batch's second frame and not its first.
    journal.reader.entries.write_all_at(&[0; 40], kept).unwrap();
    drop(journal);
    assert_eq!(all(&Journal::open(folder.path()).unwrap()), [leaf(1, 10)]);
}

#[test]
fn damage_before_the_last_batch_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let first = journal.end;
    journal.append(&[leaf(1, 10)]).unwrap();
    journal.append(&[leaf(2, 10)]).unwrap();
    drop(journal);
    let whole = std::fs::read(folder.path().join("entries")).unwrap();
    for byte in first..first + HEADER + 42 {
        let mut damaged = whole.clone();
        damaged[byte as usize] ^= 0x10;
        std::fs::write(folder.path().join("entries"), &damaged).unwrap();
        let refused = Journal::open(folder.path()).unwrap_err();
        assert!(matches!(refused, OpenJournalError::Damaged { offset, .. } if offset == first), "{byte}: {refused}");
        assert_eq!(std::fs::read(folder.path().join("entries")).unwrap(), damaged, "nothing was cut off");
    }
}

#[test]
fn after_a_failed_sync_everything_is_refused_until_the_journal_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.append(&[leaf(1, 10)]).unwrap();
    journal.fail_syncs();
    assert!(journal.append(&[leaf(2, 10)]).is_err());
    journal.sync = File::sync_data;
    assert!(journal.append(&[leaf(3, 10)]).is_err(), "a second sync proves nothing about the first");
    assert_eq!(journal.reader().len(), 1);
    drop(journal);
    assert!(Journal::open(folder.path()).unwrap().append(&[leaf(4, 10)]).is_ok());
}

#[test]
fn one_process_writes_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _journal = Journal::open(folder.path()).unwrap();
    assert!(matches!(Journal::open(folder.path()), Err(OpenJournalError::InUse { .. })));
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("entries"), "something else").unwrap();
    assert!(matches!(Journal::open(folder.path()), Err(OpenJournalError::Unknown { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn offsets_are_mended_whatever_they_say(garbage in proptest::collection::vec(any::<u8>(), 0..64)) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        for number in 0..5 {
            journal.append(&[leaf(number, usize::from(number) + 1)]).unwrap();
        }
        drop(journal);
        std::fs::write(folder.path().join("offsets"), garbage).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        for number in 0..5 {
            let read = journal.reader().leaf(u64::from(number)).unwrap();
            prop_assert_eq!(read, Some(leaf(number, usize::from(number) + 1)));
        }
    }
}

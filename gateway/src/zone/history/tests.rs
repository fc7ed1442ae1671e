use std::fs;

use octroi_attest::{HistoryKey, history as sealed};
use proptest::prelude::*;

use super::{
    super::tests::world::{Fate, Vault},
    *,
};

fn trips() -> FactTable {
    "mobility/trips".parse().unwrap()
}

/// A folder of histories, and a key process that outlives whoever keeps them.
struct Desk {
    folder: tempfile::TempDir,
    histories: Histories,
    vault: Vault,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { histories: Histories::new(folder.path()).unwrap(), folder, vault: Vault::default() }
    }

    /// Forgets all that is not on disk.
    fn restart(&mut self) {
        self.histories = Histories::new(self.folder.path()).unwrap();
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(self.folder.path(), &trips())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("mobility").join(name)
    }

    /// What a zone seals that was given its keys now.
    fn seal(&self, record: &[u8]) -> wire::SealedRelease {
        self.vault.stands(&trips()).seal(record, b"answer").unwrap()
    }

    async fn record(&self, release: &wire::SealedRelease) -> Result<Committed, NotRecorded> {
        let turn = self.histories.turn(&trips()).await;
        turn.record(&self.vault, release.sequence, release.record.clone(), release.commitment.clone()).await
    }

    /// What the next zone reads of what it is shown.
    async fn read(&self) -> Vec<Vec<u8>> {
        let kept = self.histories.turn(&trips()).await.settle(&self.vault).await.unwrap();
        let history: HistoryKey = self.vault.stands(&trips());
        assert_eq!((kept.extent.sequence, kept.extent.head), (history.sequence, history.head));
        let mut shown = fs::read(&kept.path).unwrap_or_default();
        shown.truncate(usize::try_from(kept.extent.bytes).unwrap());
        history.open(&shown).unwrap().into_iter().map(|record| record.to_vec()).collect()
    }

    /// A release that is aside, as a crash leaves it that came before the key process was asked.
    fn staged(&self, record: &[u8]) -> (Extent, Next) {
        let (at, next) = self.ledger().read().unwrap();
        assert!(next.is_none());
        let wire::SealedRelease { sequence, record, commitment, .. } = self.seal(record);
        let next = Next { sequence, begins: at.bytes, record, commitment };
        self.ledger().stage(&at, &next).unwrap();
        (at, next)
    }
}

#[tokio::test]
async fn releases_are_kept_in_order_across_restarts() {
    let mut desk = Desk::new();
    for (sequence, record) in (1..).zip([&b"one"[..], b"two", b""]) {
        let release = desk.seal(record);
        let committed = desk.record(&release).await.unwrap();
        assert_eq!(committed.sequence, sequence);
        assert_eq!(sealed::open_answer(&committed.answer_key, &release.answer).unwrap(), b"answer");
        desk.restart();
    }
    assert_eq!(desk.read().await, [&b"one"[..], b"two", b""]);
    assert!(!desk.path("trips.next").exists());
}

#[tokio::test]
async fn whoever_comes_second_is_superseded_and_touches_nothing() {
    let desk = Desk::new();
    let (mine, theirs) = (desk.seal(b"mine"), desk.seal(b"theirs"));
    desk.record(&theirs).await.unwrap();
    let before = fs::read(desk.path("trips")).unwrap();
    assert_eq!(desk.record(&mine).await, Err(NotRecorded::Superseded));
    assert_eq!(fs::read(desk.path("trips")).unwrap(), before);
    assert_eq!(desk.read().await, [b"theirs"]);
}

/// The module's table, row by row.
#[tokio::test]
async fn wherever_it_is_killed_nothing_is_lost_and_the_next_release_is_recorded() {
    for point in 0..6 {
        let mut desk = Desk::new();
        desk.record(&desk.seal(b"first")).await.unwrap();
        let killed: Vec<&[u8]> = match point {
            // Before it is aside.
            0 => {
                fs::write(desk.path("trips.new"), b"torn").unwrap();
                vec![]
            }
            // Before the key process has it.
            1 => {
                desk.staged(b"killed");
                vec![b"killed"]
            }
            _ => {
                let (at, next) = desk.staged(b"killed");
                let release = Release { table: trips(), commitment: next.commitment.clone() };
                desk.vault.commit(release).await.unwrap();
                let records = fs::read(desk.path("trips")).unwrap();
                match point {
                    // Before the answer came.
                    2 => {}
                    // While it is kept: a frame that is torn, and one of the right length whose content never came.
                    3 => fs::write(desk.path("trips"), [&records[..], &[9, 0]].concat()).unwrap(),
                    4 => fs::write(desk.path("trips"), [&records[..], &[0; 40]].concat()).unwrap(),
                    // Before it is no longer aside.
                    _ => {
                        let aside = fs::read(desk.path("trips.next")).unwrap();
                        desk.ledger().keep(&at, &next).unwrap();
                        fs::write(desk.path("trips.next"), aside).unwrap();
                    }
                }
                vec![b"killed"]
            }
        };
        desk.restart();
        let expected = [vec![&b"first"[..]], killed.clone()].concat();
        assert_eq!(desk.read().await, expected, "point {point}");
        assert!(!desk.path("trips.next").exists());
        desk.record(&desk.seal(b"after")).await.unwrap();
        desk.restart();
        assert_eq!(desk.read().await, [expected, vec![b"after"]].concat(), "point {point}");
    }
}

#[tokio::test]
async fn a_release_that_waits_for_a_lost_answer_is_never_written_over() {
    for (fate, kept) in [(Fate::Lost, &b"lost"[..]), (Fate::Unanswered, b"lost")] {
        let desk = Desk::new();
        let (lost, other) = (desk.seal(b"lost"), desk.seal(b"other"));
        desk.vault.fate(fate);
        assert_eq!(desk.record(&lost).await, Err(NotRecorded::Unavailable));
        assert!(desk.histories.known(&trips()).is_none(), "nobody knows");
        // One that follows the same release comes now, and the key process is still away, then back.
        desk.vault.fate(Fate::Lost);
        assert_eq!(desk.record(&other).await, Err(NotRecorded::Unavailable));
        assert_eq!(desk.record(&other).await, Err(NotRecorded::Superseded));
        assert_eq!(desk.read().await, [kept]);
    }
}

#[tokio::test]
async fn a_release_that_is_refused_for_good_is_forgotten() {
    let mut desk = Desk::new();
    let mut release = desk.seal(b"record");
    release.commitment[50] ^= 1;
    assert_eq!(desk.record(&release).await, Err(NotRecorded::Denied));
    assert!(!desk.path("trips.next").exists());
    assert!(desk.histories.known(&trips()).is_some());
    // Killed before it was forgotten.
    let (_, mut next) = desk.staged(b"record");
    next.commitment[50] ^= 1;
    desk.ledger().stage(&Extent::NONE, &next).unwrap();
    desk.restart();
    assert!(desk.read().await.is_empty());
    desk.record(&desk.seal(b"record")).await.unwrap();
}

#[tokio::test]
async fn files_that_are_not_what_was_written_are_noticed_and_not_touched() {
    let mut desk = Desk::new();
    desk.record(&desk.seal(b"first")).await.unwrap();
    let (_, next) = desk.staged(b"second");
    let records = fs::read(desk.path("trips")).unwrap();
    let aside = fs::read(desk.path("trips.next")).unwrap();
    let bad = [
        (records[..records.len() - 1].to_vec(), aside.clone()),
        (Vec::new(), aside.clone()),
        (records.clone(), aside[..aside.len() - 1].to_vec()),
        (records.clone(), prost::Message::encode_to_vec(&Next { sequence: 3, ..next.clone() })),
        (records.clone(), prost::Message::encode_to_vec(&Next { begins: next.begins - 1, ..next })),
    ];
    for (records, aside) in bad {
        fs::write(desk.path("trips"), &records).unwrap();
        fs::write(desk.path("trips.next"), &aside).unwrap();
        desk.restart();
        let settled = desk.histories.turn(&trips()).await.settle(&desk.vault).await;
        assert!(matches!(settled, Err(NotRecorded::Damaged)));
        assert_eq!(
            (fs::read(desk.path("trips")).unwrap(), fs::read(desk.path("trips.next")).unwrap()),
            (records, aside)
        );
    }
    assert_eq!(desk.vault.stands(&trips()).sequence, 1, "the key process is not asked");
}

#[tokio::test]
async fn an_older_folder_gives_no_zone_a_history_and_is_never_grown() {
    let mut desk = Desk::new();
    desk.record(&desk.seal(b"one")).await.unwrap();
    let older = fs::read(desk.path("trips")).unwrap();
    desk.record(&desk.seal(b"two")).await.unwrap();
    fs::write(desk.path("trips"), &older).unwrap();
    desk.restart();
    let kept = desk.histories.turn(&trips()).await.settle(&desk.vault).await.unwrap();
    assert_eq!(kept.extent.sequence, 1);
    assert!(desk.vault.stands(&trips()).open(&older).is_err(), "so no zone releases anything");
    assert_eq!(desk.record(&desk.seal(b"three")).await, Err(NotRecorded::Superseded));
    assert_eq!(fs::read(desk.path("trips")).unwrap(), older);
}

#[tokio::test]
async fn a_key_process_that_was_put_back_is_told_what_it_recorded_since() {
    let mut desk = Desk::new();
    for record in [&b"one"[..], b"two", b"three"] {
        desk.record(&desk.seal(record)).await.unwrap();
    }
    let (now, before) = (desk.vault.stands(&trips()), desk.seal(b"made before"));
    desk.restart();
    for sequence in 0..3 {
        let mut earlier = Desk::new().vault.stands(&trips());
        let kept = fs::read(desk.path("trips")).unwrap();
        for record in sealed::Records::of(&kept).take(sequence) {
            (earlier.sequence, earlier.head) = (earlier.sequence + 1, sealed::after(&earlier.head, record.unwrap()));
        }
        desk.vault.restore(&trips(), earlier);
        // What a zone seals on the strength of it comes second to what was released since.
        assert_eq!(desk.record(&desk.seal(b"too early")).await, Err(NotRecorded::Superseded));
        assert_eq!(desk.vault.stands(&trips()), now, "from {sequence}");
        assert_eq!(desk.read().await, [&b"one"[..], b"two", b"three"]);
    }
    desk.record(&before).await.unwrap();
}

#[tokio::test]
async fn a_full_history_takes_no_more() {
    let desk = Desk::new();
    fs::create_dir(desk.path("")).unwrap();
    let frame = sealed::framed(&[0; 28]).unwrap();
    let most = usize::try_from(sealed::MOST_RELEASES).unwrap();
    fs::write(desk.path("trips"), frame.repeat(most)).unwrap();
    let release = wire::SealedRelease { sequence: sealed::MOST_RELEASES + 1, ..desk.seal(b"") };
    assert_eq!(desk.record(&release).await, Err(NotRecorded::Full));
    let long = vec![0; sealed::MOST_RECORD + sealed::SEAL];
    let mut desk = Desk::new();
    fs::create_dir(desk.path("")).unwrap();
    fs::write(desk.path("trips"), sealed::framed(&long).unwrap().repeat(7)).unwrap();
    desk.restart();
    let release = wire::SealedRelease { sequence: 8, record: long, ..desk.seal(b"") };
    assert_eq!(desk.record(&release).await, Err(NotRecorded::Full));
    assert!(!desk.path("trips.next").exists());
}

#[tokio::test]
async fn whoever_waits_for_a_turn_gets_it_in_order_and_may_leave() {
    let desk = Desk::new();
    let first = desk.histories.turn(&trips()).await;
    let leaves = async { desk.histories.turn(&trips()).await };
    assert!(tokio::time::timeout(std::time::Duration::from_millis(20), leaves).await.is_err());
    let waits = tokio::spawn({
        let histories = desk.histories.clone();
        async move { histories.turn(&trips()).await }
    });
    let homes: FactTable = "mobility/homes".parse().unwrap();
    assert_eq!(*desk.histories.turn(&homes).await.table(), homes, "another table's is another");
    drop(first);
    assert_eq!(*waits.await.unwrap().table(), trips());
}

/// What happens to a history.
#[derive(Debug, Clone, Copy)]
enum Step {
    Release,
    Lose(bool),
    /// Killed at that point of a release, with so many bytes of the append on disk.
    Kill(bool, u8),
    Restart,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_happens_zones_read_what_was_recorded(
        steps in prop::collection::vec(
            prop_oneof![
                3 => Just(Step::Release),
                1 => any::<bool>().prop_map(Step::Lose),
                2 => (any::<bool>(), any::<u8>()).prop_map(|(asked, bytes)| Step::Kill(asked, bytes)),
                1 => Just(Step::Restart),
            ],
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut desk, mut expected) = (Desk::new(), Vec::new());
            for (index, step) in steps.into_iter().enumerate() {
                let record = vec![u8::try_from(index).unwrap(); index * 7];
                match step {
                    Step::Release => {
                        desk.record(&desk.seal(&record)).await.unwrap();
                        expected.push(record);
                    }
                    Step::Lose(arrives) => {
                        desk.vault.fate(if arrives { Fate::Unanswered } else { Fate::Lost });
                        assert_eq!(desk.record(&desk.seal(&record)).await, Err(NotRecorded::Unavailable));
                        expected.push(record);
                    }
                    Step::Kill(asked, bytes) => {
                        desk.read().await;
                        let (_, next) = desk.staged(&record);
                        if asked {
                            let release = Release { table: trips(), commitment: next.commitment.clone() };
                            desk.vault.commit(release).await.unwrap();
                            let mut frame = sealed::framed(&next.record).unwrap();
                            frame.truncate(bytes.into());
                            let records = fs::read(desk.path("trips")).unwrap_or_default();
                            fs::write(desk.path("trips"), [records, frame].concat()).unwrap();
                        }
                        desk.restart();
                        expected.push(record);
                    }
                    Step::Restart => desk.restart(),
                }
                assert_eq!(desk.read().await, expected);
            }
        });
    }
}

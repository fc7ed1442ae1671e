//! The history of releases of a table's rows: its key, and the last release that was recorded.
//!
//! Both are in one file, which is replaced with each release and never removed: whoever loads the table anew, or
//! declares it so, goes on with its history.

use std::{fmt, str::FromStr, sync::PoisonError};

use octroi_attest::{
    HistoryKey, Key,
    history::{CommitError, Commitment, Head, NO_RELEASE},
};
use octroi_proto::{DatasetId, TableName};
use ring::digest;
use zeroize::Zeroizing;

use super::{KeyError, KeyStore, at, bundle::Place, damaged};
use crate::{
    durable::sync_parent,
    keys::wrap::{Kind, NotTheKey},
};

/// A table whose rows have a history of releases: `dataset/table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactTable {
    /// Its dataset.
    pub dataset: DatasetId,
    /// Its name there.
    pub table: TableName,
}

/// No name of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `dataset/table`")]
pub struct NoTable;

/// Why a release was not recorded.
#[derive(Debug, thiserror::Error)]
pub(in crate::keys) enum RecordError {
    /// It may not be.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// It may be recorded, or not; try again.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl KeyStore {
    /// The key of a table's history, made at its first use, and how far the history has gone.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn history_key(&self, of: &FactTable) -> Result<HistoryKey, KeyError> {
        let place = self.history_place(of);
        if let Some(history) = self.open_history(of, &place)? {
            return Ok(history);
        }
        let key = Key::generate().map_err(|_| KeyError::Random)?;
        let first = HistoryKey { table: of.to_string(), key, sequence: 0, head: NO_RELEASE };
        // Two may come here at once: one names its key, and both read the one that was named.
        self.create_bundle(&place, &encode(&first))?;
        self.open_history(of, &place)?.ok_or(KeyError::Missing)
    }

    /// Records a release, if it follows the last one; durable when this returns. Recorded again, it is the same.
    pub(in crate::keys) fn record_release(&self, of: &FactTable, commitment: &[u8]) -> Result<Commitment, RecordError> {
        let place = self.history_place(of);
        let _one = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        let history = self.open_history(of, &place)?.ok_or(CommitError::Sealed)?;
        let committed = history.commit(commitment)?;
        if committed.again {
            // Whoever recorded it may have failed to make it durable.
            sync_parent(&place.path).map_err(at(&place.path))?;
        } else {
            let (sequence, head) = (committed.sequence, committed.head);
            self.replace_bundle(&place, &encode(&HistoryKey { sequence, head, ..history }))?;
        }
        Ok(committed)
    }

    fn open_history(&self, of: &FactTable, place: &Place<'_>) -> Result<Option<HistoryKey>, KeyError> {
        let Some(bytes) = self.open_bundle(place)? else { return Ok(None) };
        decode(of, &bytes).map(Some).ok_or_else(|| damaged(&place.path)(NotTheKey))
    }

    fn history_place<'a>(&self, of: &'a FactTable) -> Place<'a> {
        let path = self.folder.join("histories").join(of.dataset.as_str()).join(of.table.as_str());
        let sum = digest::digest(&digest::SHA256, of.table.as_str().as_bytes());
        let id = sum.as_ref().first_chunk().copied().unwrap_or_default();
        Place { path, kind: Kind::History, dataset: &of.dataset, id }
    }
}

impl fmt::Display for FactTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.dataset, self.table)
    }
}

impl FromStr for FactTable {
    type Err = NoTable;

    fn from_str(text: &str) -> Result<Self, NoTable> {
        let (dataset, table) = text.split_once('/').ok_or(NoTable)?;
        Ok(Self { dataset: dataset.parse().map_err(|_| NoTable)?, table: table.parse().map_err(|_| NoTable)? })
    }
}

/// Key, sequence, head.
fn encode(history: &HistoryKey) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&history.key.expose()[..], &history.sequence.to_le_bytes(), &history.head].concat())
}

fn decode(of: &FactTable, bytes: &[u8]) -> Option<HistoryKey> {
    let (key, rest) = bytes.split_first_chunk::<32>()?;
    let (sequence, head) = rest.split_first_chunk()?;
    let head: Head = head.try_into().ok()?;
    let key = Key::try_from(&key[..]).ok()?;
    Some(HistoryKey { table: of.to_string(), key, sequence: u64::from_le_bytes(*sequence), head })
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Barrier, thread};

    use super::*;
    use crate::keys::store::tests::{reopen, store};

    fn table(name: &str) -> FactTable {
        name.parse().unwrap()
    }

    #[test]
    fn a_history_key_is_made_once_and_outlives_a_restart() {
        let (folder, store) = store();
        let (trips, homes) = (table("mobility/trips"), table("mobility/homes"));
        let made = store.history_key(&trips).unwrap();
        assert_eq!((made.table.as_str(), made.sequence, made.head), ("mobility/trips", 0, NO_RELEASE));
        assert_ne!(store.history_key(&homes).unwrap().key, made.key);
        drop(store);
        assert_eq!(reopen(&folder).history_key(&trips).unwrap(), made);
        let bytes = fs::read(folder.path().join("histories/mobility/trips")).unwrap();
        assert!(!bytes.windows(8).any(|window| window == &made.key.expose()[..8]));
    }

    #[test]
    fn a_history_moves_on_by_releases_that_follow_one_another_and_never_back() {
        let (folder, store) = store();
        let trips = table("mobility/trips");
        let before = store.history_key(&trips).unwrap();
        let [one, other] = [b"one", b"two"].map(|record| before.seal(record, b"answer").unwrap().commitment);
        let first = store.record_release(&trips, &one).unwrap();
        let refused = store.record_release(&trips, &other);
        assert!(matches!(refused, Err(RecordError::Commit(CommitError::Superseded))));
        drop(store);
        // An answer that was lost on the way, even across a restart.
        let store = reopen(&folder);
        let again = store.record_release(&trips, &one).unwrap();
        assert_eq!((again.sequence, again.head, &again.answer_key), (1, first.head, &first.answer_key));
        let now = store.history_key(&trips).unwrap();
        assert_eq!((now.sequence, now.head), (1, first.head));
        assert_eq!(now.key, before.key);
        let second = store.record_release(&trips, &now.seal(b"three", b"").unwrap().commitment).unwrap();
        assert_eq!(second.sequence, 2);
        let refused = store.record_release(&trips, &one);
        assert!(matches!(refused, Err(RecordError::Commit(CommitError::Superseded))), "never back");
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_commitment_for_another_table_or_of_nobody_is_refused_and_makes_no_key() {
        let (folder, store) = store();
        let (trips, homes) = (table("mobility/trips"), table("mobility/homes"));
        let release = store.history_key(&trips).unwrap().seal(b"record", b"").unwrap();
        for commitment in [&release.commitment[..], b"made up", b""] {
            let refused = store.record_release(&homes, commitment);
            assert!(matches!(refused, Err(RecordError::Commit(CommitError::Sealed))));
        }
        assert!(!folder.path().join("histories/mobility/homes").exists());
        store.history_key(&homes).unwrap();
        let refused = store.record_release(&homes, &release.commitment);
        assert!(matches!(refused, Err(RecordError::Commit(CommitError::Sealed))));
    }

    #[test]
    fn of_many_that_follow_the_same_release_one_is_recorded() {
        let (_folder, store) = store();
        let (trips, barrier) = (table("mobility/trips"), Barrier::new(8));
        let (store, barrier) = (&store, &barrier);
        let recorded = thread::scope(|scope| {
            let race = |_| {
                let trips = &trips;
                scope.spawn(move || {
                    barrier.wait();
                    let release = store.history_key(trips).unwrap().seal(b"record", b"").unwrap();
                    barrier.wait();
                    store.record_release(trips, &release.commitment).is_ok()
                })
            };
            let racers: Vec<_> = (0..8).map(race).collect();
            racers.into_iter().filter(|_| true).map(|racer| racer.join().unwrap()).filter(|recorded| *recorded).count()
        });
        assert_eq!(recorded, 1);
        assert_eq!(store.history_key(&trips).unwrap().sequence, 1);
    }

    #[test]
    fn a_history_that_is_damaged_emptied_or_anothers_is_not_begun_anew() {
        let (folder, store) = store();
        let (trips, homes) = (table("mobility/trips"), table("mobility/homes"));
        let release = store.history_key(&trips).unwrap().seal(b"record", b"").unwrap();
        store.record_release(&trips, &release.commitment).unwrap();
        store.history_key(&homes).unwrap();
        let path = |table: &FactTable| folder.path().join("histories").join(table.to_string());
        let good = fs::read(path(&trips)).unwrap();
        for bad in [&good[..good.len() - 1], &[], &vec![0; good.len()], &fs::read(path(&homes)).unwrap()] {
            fs::write(path(&trips), bad).unwrap();
            assert!(store.history_key(&trips).is_err());
            assert!(store.record_release(&trips, &release.commitment).is_err());
        }
        fs::write(path(&trips), &good).unwrap();
        assert_eq!(store.history_key(&trips).unwrap().sequence, 1);
    }

    #[test]
    fn tables_are_named_by_their_dataset_and_nothing_else_is_a_name() {
        assert_eq!(table("mobility/trips").to_string(), "mobility/trips");
        for bad in ["", "mobility", "/trips", "mobility/", "../x/trips", "mobility/../x", "mobility/trips/x"] {
            assert_eq!(bad.parse::<FactTable>(), Err(NoTable), "{bad}");
        }
    }
}

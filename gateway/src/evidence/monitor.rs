//! Watching the log: that a newer checkpoint continues an older one, from tiles that need not be trusted.
//!
//! Pure but for the tiles it asks for. Both heads come from checkpoints whose signature was checked
//! ([`super::VerifierKey::open`]). What it does not give: that everyone sees the same log; for that, monitors compare
//! their checkpoints.

use std::{cell::RefCell, error::Error as StdError};

use tlog_tiles::{
    tile::{Tile, TileHashReader, TileReader},
    tlog::{Error, check_tree, prove_tree},
};

use super::{Head, TileKind, TilePath, tile::HEIGHT};

/// Fetches tiles, from the network, a cache or a folder.
pub trait Tiles {
    /// A tile's bytes.
    ///
    /// # Errors
    /// Whatever keeps it from being fetched.
    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;
}

/// Why a newer checkpoint is not accepted as a continuation.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The log shrank.
    #[error("the log shrank from {older} entries to {newer}: keep both checkpoints and report it")]
    Shrank {
        /// Entries before.
        older: u64,
        /// Entries now.
        newer: u64,
    },
    /// The newer log does not contain the older.
    #[error(
        "the log was rewritten: its {newer} entries do not begin with the {older} seen before; keep both checkpoints and report it"
    )]
    Rewritten {
        /// Entries before.
        older: u64,
        /// Entries now.
        newer: u64,
    },
    /// The tiles do not lead to the newer checkpoint.
    #[error("the tiles served do not lead to the checkpoint: fetch again, then report it")]
    Tiles,
    /// A tile could not be fetched.
    #[error("a tile of the log could not be fetched: {0}")]
    Fetch(Box<dyn StdError + Send + Sync>),
}

/// Checks that the log of the newer head begins with that of the older.
///
/// # Errors
/// [`MonitorError`]; `Shrank` and `Rewritten` are proof of misconduct, given both signed checkpoints.
pub fn check_continuation(older: Head, newer: Head, tiles: &impl Tiles) -> Result<(), MonitorError> {
    let rewritten = MonitorError::Rewritten { older: older.size, newer: newer.size };
    if newer.size < older.size {
        return Err(MonitorError::Shrank { older: older.size, newer: newer.size });
    }
    if newer.size == older.size {
        return if newer.root == older.root { Ok(()) } else { Err(rewritten) };
    }
    if older.size == 0 {
        return Ok(());
    }
    let fetch = Fetch { tiles, failure: RefCell::new(None) };
    let reader = TileHashReader::new(newer.size, newer.root, &fetch);
    match prove_tree(newer.size, older.size, &reader) {
        Ok(proof) => check_tree(&proof, newer.size, newer.root, older.size, older.root).map_err(|_| rewritten),
        Err(_) => Err(fetch.failure.into_inner().map_or(MonitorError::Tiles, MonitorError::Fetch)),
    }
}

/// Our tiles in the library's terms.
struct Fetch<'a, T> {
    tiles: &'a T,
    failure: RefCell<Option<Box<dyn StdError + Send + Sync>>>,
}

impl<T: Tiles> TileReader for Fetch<'_, T> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let fetch = |tile: &Tile| {
            let width = u16::try_from(tile.width()).map_err(|_| Error::InvalidTile)?;
            let path = TilePath::new(TileKind::Hashes(tile.level()), tile.level_index(), width);
            self.tiles.tile(&path.map_err(|_| Error::InvalidTile)?).map_err(|failure| {
                self.failure.replace(Some(failure));
                Error::InvalidTile
            })
        };
        tiles.iter().map(fetch).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            KernelSalts, Log, Store,
            store::tests::{fill, store},
        },
        *,
    };

    impl Tiles for Log {
        fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
            Self::tile(self, path)?.ok_or_else(|| format!("no {path}").into())
        }
    }

    struct Altered<'a>(&'a Log);

    impl Tiles for Altered<'_> {
        fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
            let mut tile = Tiles::tile(self.0, path)?;
            tile[3] ^= 1;
            Ok(tile)
        }
    }

    #[test]
    fn every_growth_is_a_continuation() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 0);
        let log = store.log();
        let mut heads = vec![log.head()];
        for step in [1, 1, 2, 60, 191, 1, 1, 255, 300] {
            fill(&mut store, step);
            store.publish().unwrap();
            heads.push(log.head());
            for older in &heads {
                check_continuation(*older, log.head(), &log).unwrap();
            }
        }
    }

    #[test]
    fn a_log_that_shrank_or_was_rewritten_is_caught() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut honest = store(one.path(), 300);
        let mut other = Store::create(two.path(), "octroi.test/log", Box::new(KernelSalts)).unwrap();
        fill(&mut other, 321);
        honest.publish().unwrap();
        other.publish().unwrap();
        let (older, newer) = (honest.log().head(), other.log().head());
        let rewritten = check_continuation(older, newer, &other.log());
        assert!(matches!(rewritten, Err(MonitorError::Rewritten { older: 300, newer: 321 })), "{rewritten:?}");
        assert!(matches!(check_continuation(newer, older, &honest.log()), Err(MonitorError::Shrank { .. })));
        let forked = Head { root: newer.root, ..older };
        assert!(matches!(check_continuation(older, forked, &honest.log()), Err(MonitorError::Rewritten { .. })));
    }

    #[test]
    fn tiles_that_lie_or_fail_are_told_from_a_log_that_lies() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 100);
        let log = store.log();
        store.publish().unwrap();
        let older = log.head();
        fill(&mut store, 300);
        store.publish().unwrap();
        let refused = check_continuation(older, log.head(), &Altered(&log));
        assert!(matches!(refused, Err(MonitorError::Tiles)), "{refused:?}");
        let beyond = Head { size: log.head().size + 1_000, ..log.head() };
        assert!(matches!(check_continuation(older, beyond, &log), Err(MonitorError::Fetch(_))));
    }
}

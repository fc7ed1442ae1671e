//! Paths of the log's tiles (C2SP tlog-tiles): `tile/<L>/<N>[.p/<W>]` for hashes, `tile/entries/<N>[.p/<W>]` for
//! leaves. A path has one spelling; every other text is refused.

use std::{fmt, str::FromStr};

/// A tile of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of 32 bytes at this level of tiles (0 is the leaves' hashes); at most 63.
    Hashes(u8),
    /// Leaves, each after its length in two bytes, big-endian.
    Entries,
}

/// Text that is not a tile's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the path of a tile, such as `tile/0/x001/234` or `tile/entries/000.p/7` (C2SP tlog-tiles)")]
pub struct InvalidTilePath;

impl TilePath {
    /// The tile of this kind at this index with this many items: 256 for a full one.
    ///
    /// # Errors
    /// [`InvalidTilePath`] for a level over 63 or a width outside 1-256.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, InvalidTilePath> {
        let level = match kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        if level <= 63 && (1..=FULL).contains(&width) { Ok(Self { kind, index, width }) } else { Err(InvalidTilePath) }
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number at its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its items.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The nodes of the tree that it holds, as tree level, first node and node behind the last; `None` if a log of
    /// this many leaves does not have them all.
    pub(super) fn nodes(&self, leaves: u64) -> Option<(u8, u64, u64)> {
        let level = match self.kind {
            TileKind::Hashes(level) => level.checked_mul(HEIGHT)?,
            TileKind::Entries => 0,
        };
        let first = self.index.checked_mul(u64::from(FULL))?;
        let behind = first.checked_add(u64::from(self.width))?;
        let present = leaves.checked_shr(u32::from(level)).unwrap_or(0);
        (behind <= present).then_some((level, first, behind))
    }
}

impl FromStr for TilePath {
    type Err = InvalidTilePath;

    fn from_str(text: &str) -> Result<Self, InvalidTilePath> {
        let rest = text.strip_prefix("tile/").ok_or(InvalidTilePath)?;
        let (kind, rest) = rest.split_once('/').ok_or(InvalidTilePath)?;
        let kind = if kind == "entries" { TileKind::Entries } else { TileKind::Hashes(number(kind)?) };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, FULL),
            Some((index, width)) => (index, number(width)?),
        };
        let mut value = 0_u64;
        for part in index.split('/') {
            let digits = number::<u16>(part.trim_start_matches(['x', '0'])).or_else(|problem| {
                // All zeros: nothing is left of it.
                if part.ends_with("000") { Ok(0) } else { Err(problem) }
            })?;
            value = value.checked_mul(1_000).and_then(|n| n.checked_add(digits.into())).ok_or(InvalidTilePath)?;
        }
        let path = Self::new(kind, value, width)?;
        // INVARIANT: one spelling. Whatever was tolerated above fails here.
        if path.to_string() == text { Ok(path) } else { Err(InvalidTilePath) }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        let (last, upper) = groups.split_first().unwrap_or((&0, &[]));
        for group in upper.iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{last:03}")?;
        if self.width < FULL { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, InvalidTilePath> {
    text.parse().map_err(|_| InvalidTilePath)
}

/// Items of a full tile.
pub(super) const FULL: u16 = 256;
/// Levels of the tree in a tile.
pub(super) const HEIGHT: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level, index, width| TilePath::new(TileKind::Hashes(level), index, width).unwrap();
        assert_eq!("tile/3/x001/x234/067".parse(), Ok(hashes(3, 1_234_067, 256)));
        assert_eq!("tile/0/000.p/1".parse(), Ok(hashes(0, 0, 1)));
        assert_eq!("tile/63/x001/000".parse(), Ok(hashes(63, 1_000, 256)));
        assert_eq!("tile/entries/x123/456.p/255".parse(), TilePath::new(TileKind::Entries, 123_456, 255));
        let last = "tile/0/x018/x446/x744/x073/x709/x551/615";
        assert_eq!(last.parse(), Ok(hashes(0, u64::MAX, 256)));
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/+1/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/8/0/000",
            "tile/data/000",
            "tile/0/x000/001",
            "tile/0/001/001",
            "tile/0/x001",
            "tile/0/xx01/001",
            "tile/0/+01",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "/tile/0/000",
            "tile/0/000 ",
            "tile/0/../000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert!(bad.parse::<TilePath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_log_has_the_tiles_that_its_leaves_fill() {
        let has = |path: &str, leaves| path.parse::<TilePath>().unwrap().nodes(leaves).is_some();
        assert!(has("tile/0/000.p/5", 5) && !has("tile/0/000.p/6", 5));
        assert!(has("tile/0/000", 256) && !has("tile/0/000", 255));
        assert!(has("tile/1/000.p/1", 256) && !has("tile/1/000.p/1", 255));
        assert!(!has("tile/63/000.p/1", u64::MAX) && !has("tile/0/x018/x446/x744/x073/x709/x551/615", u64::MAX));
    }

    proptest! {
        #[test]
        fn a_path_is_its_text(level in 0_u8..64, entries: bool, index: u64, width in 1_u16..=256) {
            let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
            let path = TilePath::new(kind, index, width).unwrap();
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn any_text_is_a_path_in_its_one_spelling_or_refused(text in "(tile/)?[0-9a-z/.+x]{0,40}") {
            if let Ok(path) = text.parse::<TilePath>() {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}

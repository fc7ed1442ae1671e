//! What was released before, and whether what is about to be would tell, together with it, of a few.
//!
//! ```text
//! sealed bytes --History::decode--> History          bounded, one encoding for one history
//! History + new cells --Audit::open--> Audit         which sets of rows an analyst could now tell apart
//! Audit::pending --the engine counts--> Audit::count  until nothing is left to count
//! Audit::settle --> Verdict                          which of the new cells may not leave, and why
//! Verdict + History --History::append--> History     sequence numbers: the loser of a race audits again
//! ```
//!
//! A released cell is a set of rows ([`Region`], without sensitive predicates) of some loads of a table, and quantities
//! told of it. Loads are bins of a dimension of their own ([`loads`]), so that what two versions differ by is a set of rows
//! like any other. What an analyst gains from several cells is a difference of sets of rows ([`Remainder`]); the history
//! protects each that it looks at as if it were a cell of its own. What it looks at, and what not, is in [`audit`].
//!
//! Trusts: that regions are what the plan selected; that a dimension which determines another (a commune its district) has
//! been written into the region as both; that counts are of the rows meant. Gives no protection from combinations other
//! than those that [`audit`] names: those are the information budget's ([`crate::budget`]).

pub mod audit;
pub(crate) mod blocks;
mod encoding;
mod index;
pub(crate) mod layers;
mod places;
mod remainders;
mod tally;
mod unions;

use std::collections::{BTreeMap, BTreeSet};

pub use audit::{Audit, Counted, Reason, Remainder, Setting, Verdict};
pub use encoding::DecodeError;
pub use tally::Tally;

use crate::{
    noise::{Rho, Spent},
    space::{BinSet, Dimension, Facts, Region},
};

/// All that was released of one subject space, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    releases: Vec<Release>,
    cells: usize,
}

/// The cells that left together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its place in the history, from 1.
    pub sequence: u64,
    /// Who asked.
    pub organisation: String,
    /// The question as it was understood, and what it was asked of.
    pub question: Digest,
    /// What left.
    pub answer: Digest,
    /// What it was read from.
    pub versions: Versions,
    /// What was told but for rounding.
    pub cells: Vec<Cell>,
    /// Where it had noise.
    pub noise: Option<Noise>,
}

/// What was told with noise is no part of any difference, whatever it is combined with: it has a price instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noise {
    /// What it cost.
    pub price: Rho,
    /// The answer that left, encoded: whoever asks the same is given it again.
    pub answer: Vec<u8>,
}

/// SHA-256.
pub type Digest = [u8; 32];

/// Which loads of each table were read: of the facts, and of the tables that dimensions lead through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions(pub BTreeMap<Facts, BinSet>);

/// A set of rows, and what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The rows: public predicates and keys alone.
    pub region: Region,
    /// What is told; of ratios their parts.
    pub quantities: BTreeSet<Quantity>,
    /// How many subjects of each unit the rows are about.
    pub subjects: BTreeMap<Unit, u64>,
}

/// What can be told of rows, and added up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// How many they are.
    Rows,
    /// How many distinct subjects they are about; does not add up where a subject has rows in both sets.
    Subjects(Unit),
    /// The sum of a measured expression, in its canonical spelling; an indicator of a sensitive predicate is one.
    Sum(String),
}

impl Quantity {
    /// As what somebody's part in it is judged. How many rows or things meet a condition is judged as how many rows there
    /// are: the condition can be on a sensitive column, and what is refused must not depend on who meets it.
    pub(crate) fn judged(&self) -> &Self {
        match self {
            Self::Sum(spelled) => match spelled.split_once(" where ") {
                Some((counted, _)) if counted == "1" || counted.starts_with("different ") => &Self::Rows,
                Some(_) | None => self,
            },
            Self::Rows | Self::Subjects(_) => self,
        }
    }
}

/// A subject column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub String);

/// Why a release cannot be recorded: nothing of it may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another release came first.
    #[error("the history has gone on: audit again against the newer one")]
    Sequence,
    /// It holds as many cells as it may.
    #[error("the history is full: no more can be released of these subjects")]
    Full,
    /// A name or list is longer than is kept.
    #[error("the release is larger than a history keeps: ask for less at a time")]
    TooLarge,
    /// A cell has no row whatever the data, tells nothing, or is of a table whose loads are not given.
    #[error("a cell is not put together as a cell is")]
    Malformed,
}

impl History {
    /// Its releases, by sequence.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// The number that the next release must have.
    pub fn next(&self) -> u64 {
        self.releases.last().map_or(1, |last| last.sequence.saturating_add(1))
    }

    /// The answer with noise that was given to this very question: it is given again, and tells nothing new.
    pub fn answered(&self, question: &Digest) -> Option<&Noise> {
        let same = self.releases.iter().rev().filter(|release| release.question == *question);
        same.filter_map(|release| release.noise.as_ref()).next()
    }

    /// What was paid for noise: by an organisation, and by all.
    pub fn spent(&self, organisation: &str) -> Spent {
        let mut spent = Spent::default();
        for (release, noise) in self.releases.iter().filter_map(|release| Some((release, release.noise.as_ref()?))) {
            spent.everybody = spent.everybody.and(noise.price);
            if release.organisation == organisation {
                spent.organisation = spent.organisation.and(noise.price);
            }
        }
        spent
    }

    /// The history with one more release.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append(&mut self, release: Release) -> Result<(), AppendError> {
        if release.sequence != self.next() {
            return Err(AppendError::Sequence);
        }
        release.check()?;
        let cells = self.cells.saturating_add(release.cells.len());
        if cells > MOST_CELLS || self.releases.len() >= MOST_RELEASES {
            return Err(AppendError::Full);
        }
        self.cells = cells;
        self.releases.push(release);
        Ok(())
    }
}

impl Release {
    fn check(&self) -> Result<(), AppendError> {
        let named = |name: &str| if name.len() <= LONGEST_NAME { Ok(()) } else { Err(AppendError::TooLarge) };
        named(&self.organisation)?;
        if self.versions.0.len() > MOST_LISTED || self.noise.as_ref().is_some_and(|it| it.answer.len() > MOST_ANSWER) {
            return Err(AppendError::TooLarge);
        }
        for (table, loads) in &self.versions.0 {
            named(&table.to_string())?;
            if loads.runs().len() > MOST_RUNS {
                return Err(AppendError::TooLarge);
            }
        }
        for cell in &self.cells {
            let known = self.versions.0.contains_key(cell.region.facts());
            if !known || cell.region.is_empty() || cell.quantities.is_empty() {
                return Err(AppendError::Malformed);
            }
            let sets = cell.region.sets();
            let runs: usize = cell.region.sets().map(|(_, set)| set.runs().len()).sum();
            let longest = [sets.count(), cell.quantities.len(), cell.subjects.len()].into_iter().max();
            if longest > Some(MOST_LISTED) || runs > MOST_RUNS {
                return Err(AppendError::TooLarge);
            }
            cell.region.sets().try_for_each(|(dimension, _)| named(&dimension.to_string()))?;
            cell.subjects.keys().try_for_each(|Unit(unit)| named(unit))?;
            cell.quantities.iter().try_for_each(|quantity| match quantity {
                Quantity::Rows => Ok(()),
                Quantity::Subjects(Unit(name)) | Quantity::Sum(name) => named(name),
            })?;
        }
        Ok(())
    }
}

/// The dimension whose bins are the loads of the facts, by their numbers. No column has such a name.
pub fn loads() -> Dimension {
    Dimension::own("load()")
}

/// Most bytes of an answer with noise, which is kept whole.
pub const MOST_ANSWER: usize = 256 * 1024;
/// Most cells of a history. Beyond, nothing more is released of its subjects.
pub const MOST_CELLS: usize = 100_000;
/// Most releases of a history.
pub const MOST_RELEASES: usize = 50_000;
/// Most bytes of a name: of a dimension through several keys, or of a measured expression.
const LONGEST_NAME: usize = 4_096;
/// Most sets, quantities, units or tables of one cell or release.
const MOST_LISTED: usize = 128;
/// Most runs of bins of one cell.
const MOST_RUNS: usize = 65_536;

#[cfg(test)]
mod tests;

//! The audit of new cells against all earlier ones: simulatable but for dominance, since whether a set is too small depends
//! on public dimensions alone, which no refusal need hide.
//!
//! What is looked at, of the cells of the same facts, whatever they tell, since numbers of different names can be functions
//! of each other; whoever stands out is looked for in the quantities that all of them tell:
//!
//! - *a cell and one inside it*, either of them new: what is left must be safe;
//! - *a cell and several inside it that share no row* (partition totals, either way round): layers of siblings, a layer
//!   with any other layer beside it, and either with whatever else fits in;
//! - *two cells that overlap*: the difference of their totals is of the rows that are in one alone, and is refused when
//!   both sides are few, or when somebody stands out in the sums of both together. Of pairs that surely have many subjects
//!   on a side, the latter is counted of those whose numbers of subjects are nearest, up to a bound;
//! - *a cell and the same one at an earlier version*: the rows of the loads between, a set like any other. Where rows were
//!   replaced, nobody can count what changed: the same region again is refused, and so is one of several that make it up
//!   together; others are judged by the rows at hand.
//!
//! Safe is: as many subjects of every unit as the rule says, and none that dominates. *No row at all* is as bad as few: the
//! cell rules make absent and suppressed cells look alike, and an audit that let nothing pass but stopped at one would tell
//! the two apart, for anybody's neighbours one by one. It is let pass only where it tells nothing of anybody, in rows that
//! the setting calls *vacant*: outside of all declared bins, or outside of what a load is declared to cover.
//!
//! Not looked at, and left to the information budget: other sums of released cells with weights; cells of other tables,
//! even of the same subjects; overlaps of more than two cells. Dominance depends on measured values, as it does in the cell
//! rules: a refusal for it says that somebody stands out, which is the price that INSEE's and ACRO's rules pay too.
//!
//! Source: Chin and Özsoyoğlu 1982 and Kenthapadi, Mishra and Nissim 2005 for auditing and simulatability; Hundepool et al.
//! 2012, chapters 4 and 5, for differencing and linked tables.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cell, History, Quantity, Versions,
    blocks::Block,
    layers::{Field, TooWide},
    remainders::{Crossing, Finding, Held, Kind, Search},
};
use crate::space::{Facts, Region};

/// What an audit goes by.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Fewest subjects of every unit.
    pub least: u64,
    /// The loads of all tables of the space, as they are now.
    pub current: Versions,
    /// Rows whose absence tells nothing of anybody.
    pub vacant: Vec<Region>,
}

/// Rows to be counted: those of disjoint regions, together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remainder {
    /// The regions; loads are a dimension ([`super::loads`]).
    pub regions: Vec<Region>,
    /// Of which no subject may dominate; there may be none.
    pub quantities: BTreeSet<Quantity>,
}

/// What was counted of a remainder. Whoever's part in a quantity is zero has no value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Its rows.
    pub rows: u64,
    /// Its subjects: the fewest of any unit, and, of each quantity, of those who have a value of it.
    pub subjects: u64,
    /// Whether, by the cell rules, somebody stands out in one of the quantities.
    pub dominated: bool,
}

/// An audit under way: count what is pending until nothing is.
#[derive(Debug)]
pub struct Audit {
    grounds: Vec<Ground>,
    least: u64,
    counted: BTreeMap<Remainder, Counted>,
    pending: Vec<Remainder>,
    withheld: BTreeMap<usize, Reason>,
}

/// The cells of one table.
#[derive(Debug)]
struct Ground {
    field: Field,
    vacant: Vec<Block>,
    /// Of each cell, whether it still is to leave.
    stands: Vec<bool>,
    /// What can be told apart as long as these stand; made when it is needed.
    findings: Option<Vec<Finding>>,
}

/// Which of the new cells may not leave, by their places, and why. The reasons are for the steward alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Verdict(BTreeMap<usize, Reason>);

/// Why a cell may not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// With other cells it tells of few.
    Few,
    /// With other cells it tells of a set in which somebody stands out.
    Dominated,
    /// The same rows were told of before they were replaced.
    Replaced,
    /// What it tells with other cells is more than can be looked at.
    Countless,
}

/// Why an audit has no verdict: nothing may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Not one count for each that is pending.
    #[error("the counts are not those that are pending")]
    Counts,
    /// Something is still to be counted.
    #[error("the audit is not finished: count what is pending")]
    Pending,
}

impl Audit {
    /// Begins the audit of cells that have passed all rules on cells alone.
    pub fn open(history: &History, cells: &[Cell], setting: &Setting) -> Self {
        let mut of_facts: BTreeMap<&Facts, Vec<(usize, &Cell)>> = BTreeMap::new();
        for (place, cell) in cells.iter().enumerate() {
            of_facts.entry(cell.region.facts()).or_default().push((place, cell));
        }
        let (mut grounds, mut withheld) = (Vec::new(), BTreeMap::new());
        for (facts, new) in of_facts {
            match Field::of(facts, history, &new, &setting.current) {
                Ok(field) => {
                    let vacant = setting.vacant.iter().filter_map(|region| field.atlas.block(region)).collect();
                    let stands = vec![true; field.cells.len()];
                    grounds.push(Ground { field, vacant, stands, findings: None });
                }
                Err(TooWide) => withheld.extend(new.iter().map(|(place, _)| (*place, Reason::Countless))),
            }
        }
        let mut audit =
            Self { grounds, least: setting.least.max(1), counted: BTreeMap::new(), pending: Vec::new(), withheld };
        audit.advance();
        audit
    }

    /// What is to be counted next; nothing when the audit is finished.
    pub fn pending(&self) -> &[Remainder] {
        &self.pending
    }

    /// Goes on with the counts of all that is pending, in its order.
    ///
    /// # Errors
    /// [`AuditError::Counts`].
    pub fn count(&mut self, counts: &[Counted]) -> Result<(), AuditError> {
        if counts.len() != self.pending.len() {
            return Err(AuditError::Counts);
        }
        self.counted.extend(std::mem::take(&mut self.pending).into_iter().zip(counts.iter().copied()));
        self.advance();
        Ok(())
    }

    /// The verdict.
    ///
    /// # Errors
    /// [`AuditError::Pending`].
    pub fn settle(self) -> Result<Verdict, AuditError> {
        if self.pending.is_empty() { Ok(Verdict(self.withheld)) } else { Err(AuditError::Pending) }
    }

    /// Withholds cells until what stands is safe, or something must be counted first. Each round withholds a cell or is
    /// the last, so that it ends.
    fn advance(&mut self) {
        let mut pending = BTreeSet::new();
        for Ground { field, vacant, stands, findings: found } in &mut self.grounds {
            let empty = |rows: &[Block]| rows.iter().all(|piece| covered(piece, vacant));
            loop {
                let findings = &*found.get_or_insert_with(|| {
                    Search {
                        field,
                        stands,
                        least: self.least,
                        vacant: &empty,
                        findings: Vec::new(),
                        held: Held::default(),
                    }
                    .run()
                });
                let ledger = Ledger { field, least: self.least, counted: &self.counted, empty: &empty };
                let missing = ledger.missing(findings);
                if !missing.is_empty() && missing.len() <= MOST_REMAINDERS {
                    pending.extend(missing);
                    break;
                }
                let fallen = ledger.fallen(findings, stands);
                if fallen.is_empty() {
                    break;
                }
                for (place, reason) in fallen {
                    stands.get_mut(place).into_iter().for_each(|stands| *stands = false);
                    let places = field.cells.get(place).map(|cell| cell.new.as_slice());
                    self.withheld.extend(places.into_iter().flatten().map(|place| (*place, reason)));
                }
                *found = None;
            }
        }
        self.pending = pending.into_iter().collect();
    }
}

impl Verdict {
    /// The cells that may not leave, by their places, each with the reason.
    pub fn withheld(&self) -> &BTreeMap<usize, Reason> {
        &self.0
    }

    /// Whether the cell in this place may leave.
    pub fn may_leave(&self, place: usize) -> bool {
        !self.0.contains_key(&place)
    }
}

/// What was counted, held against what was found.
struct Ledger<'a> {
    field: &'a Field,
    least: u64,
    counted: &'a BTreeMap<Remainder, Counted>,
    empty: &'a dyn Fn(&[Block]) -> bool,
}

impl Ledger<'_> {
    fn remainder(&self, rows: &[Block], told: u64) -> Remainder {
        let quantities = self.field.quantities.iter().enumerate().filter(|(bit, _)| told & (1 << bit) != 0);
        Remainder {
            regions: rows.iter().map(|piece| self.field.atlas.region(piece)).collect(),
            quantities: quantities.map(|(_, quantity)| quantity.clone()).collect(),
        }
    }

    /// Remainders without a count; not all of them where they are too many.
    fn missing(&self, findings: &[Finding]) -> BTreeSet<Remainder> {
        let mut missing = BTreeSet::new();
        for finding in findings {
            let sides = match &finding.kind {
                Kind::Left { rows, told, .. } => vec![self.remainder(rows, *told)],
                Kind::Crossing(crossing) => self.sides(crossing),
                Kind::Apart | Kind::Replaced | Kind::Countless => Vec::new(),
            };
            missing.extend(sides.into_iter().filter(|remainder| !self.counted.contains_key(remainder)));
            if missing.len() > MOST_REMAINDERS {
                break;
            }
        }
        missing
    }

    /// What must be counted of two cells that overlap.
    fn sides(&self, crossing: &Crossing) -> Vec<Remainder> {
        let mut sides = Vec::new();
        if !crossing.many {
            sides.extend([self.remainder(&crossing.ours, 0), self.remainder(&crossing.theirs, 0)]);
        }
        if crossing.told != 0 {
            sides.push(self.together(crossing));
        }
        sides
    }

    /// Both rests of two cells that overlap.
    fn together(&self, crossing: &Crossing) -> Remainder {
        self.remainder(&[crossing.ours.as_slice(), &crossing.theirs].concat(), crossing.told)
    }

    /// The cells that fall now: of each difference that tells of few, one without which it cannot be made.
    fn fallen(&self, findings: &[Finding], stands: &[bool]) -> BTreeMap<usize, Reason> {
        let mut fallen = BTreeMap::new();
        for finding in findings {
            let Some(reason) = self.fault(&finding.kind) else { continue };
            let broken = finding.parties.iter().any(|party| fallen.contains_key(party));
            let standing = finding.parties.iter().find(|party| stands.get(**party) == Some(&true));
            if let (false, Some(party)) = (broken, standing) {
                fallen.insert(*party, reason);
            }
        }
        fallen
    }

    fn fault(&self, kind: &Kind) -> Option<Reason> {
        match kind {
            Kind::Left { rows, told, stale } => match self.counted.get(&self.remainder(rows, *told)) {
                None => Some(Reason::Countless),
                Some(counted) if counted.rows == 0 && (self.empty)(rows) && *stale => Some(Reason::Replaced),
                Some(counted) if counted.rows == 0 => (!(self.empty)(rows)).then_some(Reason::Few),
                Some(counted) if counted.subjects < self.least => Some(Reason::Few),
                Some(counted) => counted.dominated.then_some(Reason::Dominated),
            },
            Kind::Crossing(crossing) => self.crossing(crossing),
            Kind::Apart => Some(Reason::Few),
            Kind::Replaced => Some(Reason::Replaced),
            Kind::Countless => Some(Reason::Countless),
        }
    }

    fn crossing(&self, crossing: &Crossing) -> Option<Reason> {
        let count = |rows: &[Block]| self.counted.get(&self.remainder(rows, 0));
        let many = |rows: &[Block]| count(rows).is_some_and(|side| side.subjects >= self.least);
        let none = |rows: &[Block]| count(rows).is_some_and(|side| side.rows == 0) && (self.empty)(rows);
        if !crossing.many && !many(&crossing.ours) && !many(&crossing.theirs) {
            if count(&crossing.ours).is_none() || count(&crossing.theirs).is_none() {
                return Some(Reason::Countless);
            }
            let nobody = none(&crossing.ours) && none(&crossing.theirs);
            return match (nobody, crossing.stale) {
                (true, false) => None,
                (true, true) => Some(Reason::Replaced),
                (false, _) => Some(Reason::Few),
            };
        }
        if crossing.told == 0 {
            return None;
        }
        match self.counted.get(&self.together(crossing)) {
            None => Some(Reason::Countless),
            Some(both) => both.dominated.then_some(Reason::Dominated),
        }
    }
}

/// Whether all rows of a block are vacant.
fn covered(block: &Block, vacant: &[Block]) -> bool {
    block.minus(&vacant.iter().collect::<Vec<_>>(), MOST_PIECES).is_some_and(|left| left.is_empty())
}

/// Most remainders that are counted for one question; beyond, what cannot be counted is withheld.
pub const MOST_REMAINDERS: usize = 4_096;
const MOST_PIECES: usize = 1_024;

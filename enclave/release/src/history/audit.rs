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
//! - *unions of a layer's cells, and those of another layer*: as cells, in all of the ways above; which ones need looking
//!   at is argued in `unions`;
//! - *a cell and the same one at an earlier version*: the rows of the loads between, a set like any other. Where rows were
//!   replaced, nobody can count what changed: the same region again is refused, and so is one of several that make it up
//!   together; others are judged by the rows at hand.
//!
//! Safe is: as many subjects of every unit as the rule says, and none that dominates. *No row at all* is as bad as few: the
//! cell rules make absent and suppressed cells look alike, and an audit that let nothing pass but stopped at one would tell
//! the two apart, for anybody's neighbours one by one. It is let pass only where it tells nothing of anybody, in rows that
//! the setting calls *vacant*: outside of all declared bins, or outside of what a load is declared to cover. Rows that
//! everybody *knows* who has, as those without a partner in a join, are vacant if there are none at all: that is counted
//! too, since that there are none of some cell only says of those whom it is known of that they are not in it.
//!
//! Not looked at, and left to the information budget: differences of so many cells that the sum of their rounding errors
//! hides any one subject (`remainders`); other sums of released cells with weights; cells of other tables, even of the same
//! subjects; unions that overlap more than one other. Dominance depends on measured values, as it does in the cell rules: a
//! refusal for it says that somebody stands out, which is the price that INSEE's and ACRO's rules pay too.
//!
//! Source: Chin and Özsoyoğlu 1982 and Kenthapadi, Mishra and Nissim 2005 for auditing and simulatability; Hundepool et al.
//! 2012, chapters 4 and 5, for differencing and linked tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Cell, History, Quantity, Versions,
    blocks::Block,
    index::Index,
    layers::{Field, TooWide},
    remainders::{Crossing, Finding, Kind, Lefts, Rows, Search},
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
    /// Rows that everybody knows who has, as those without a partner in a join: if there are none at all, then that there
    /// are none tells nothing of anybody.
    pub known: Vec<Region>,
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
    pending: Vec<Remainder>,
    /// Of each that is pending, the ground and its number there.
    asked: Vec<(usize, usize)>,
    withheld: BTreeMap<usize, Reason>,
}

/// The cells of one table.
#[derive(Debug)]
struct Ground {
    field: Field,
    vacant: Vec<Block>,
    /// Vacant if nobody has any of them; by the numbers that they are counted under.
    known: Vec<(Block, usize)>,
    counts: Counts,
    /// Of each cell, whether it still is to leave.
    stands: Vec<bool>,
    /// What can be told apart as long as these stand; made when it is needed.
    findings: Option<Vec<Numbered>>,
    /// Whether these are of unions: looked at once no cell falls any more for what it tells with single ones.
    unions: bool,
    /// How often cells fell.
    falls: u32,
    lefts: Lefts,
}

/// A finding, and the numbers of what must be counted of it.
#[derive(Debug)]
struct Numbered {
    finding: Finding,
    counts: Vec<usize>,
}

/// What is to be counted of one ground, and was; each once.
#[derive(Debug, Default)]
struct Counts {
    numbers: HashMap<(Rows, u64), usize>,
    counted: Vec<Option<Counted>>,
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
                    let blocks = |regions: &[Region]| -> Vec<Block> {
                        regions.iter().filter_map(|region| field.atlas.block(region)).collect()
                    };
                    let (vacant, known) = (blocks(&setting.vacant), blocks(&setting.known));
                    let mut counts = Counts::default();
                    let known =
                        known.into_iter().map(|block| (block.clone(), counts.number(Rows::from([block]), 0))).collect();
                    let stands = vec![true; field.cells.len()];
                    grounds.push(Ground {
                        field,
                        vacant,
                        known,
                        counts,
                        stands,
                        findings: None,
                        unions: false,
                        falls: 0,
                        lefts: Lefts::default(),
                    });
                }
                Err(TooWide) => withheld.extend(new.iter().map(|(place, _)| (*place, Reason::Countless))),
            }
        }
        let mut audit = Self { grounds, least: setting.least.max(1), pending: Vec::new(), asked: Vec::new(), withheld };
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
        self.pending.clear();
        for ((ground, number), count) in std::mem::take(&mut self.asked).into_iter().zip(counts) {
            let ground = self.grounds.get_mut(ground);
            ground.into_iter().for_each(|ground| ground.counts.keep(number, *count));
        }
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
        for (number, ground) in self.grounds.iter_mut().enumerate() {
            let Ground { field, vacant, known, counts, stands, findings: found, unions, falls, lefts } = ground;
            let index = Index::of(field);
            loop {
                let findings = &*found.get_or_insert_with(|| {
                    let search = Search::new(field, &index, lefts, stands, self.least);
                    let findings = if *unions { search.unions() } else { search.cells() };
                    findings.into_iter().map(|finding| Numbered::of(finding, counts)).collect()
                });
                let missing = counts.missing(findings, known);
                if !missing.is_empty() && counts.counted.len() <= MOST_COUNTED {
                    let missing = missing.into_iter().take(MOST_REMAINDERS).collect();
                    self.pending.extend(counts.remainders(&missing, field));
                    self.asked.extend(missing.into_iter().map(|missing| (number, missing)));
                    break;
                }
                let ledger = Ledger::new(self.least, counts, vacant, known);
                *falls += 1;
                let fallen = if *falls <= MOST_FALLS {
                    ledger.fallen(findings, stands, *falls > MOST_SINGLE)
                } else {
                    field.new_cells().map(|place| (place, Reason::Countless)).collect()
                };
                let fallen: BTreeMap<usize, Reason> =
                    fallen.into_iter().filter(|(place, _)| stands.get(*place) == Some(&true)).collect();
                if fallen.is_empty() && *unions {
                    break;
                }
                *unions = fallen.is_empty();
                for (place, reason) in fallen {
                    stands.get_mut(place).into_iter().for_each(|stands| *stands = false);
                    let places = field.cells.get(place).map(|cell| cell.new.as_slice());
                    self.withheld.extend(places.into_iter().flatten().map(|place| (*place, reason)));
                }
                *found = None;
            }
        }
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

impl Numbered {
    fn of(finding: Finding, numbers: &mut Counts) -> Self {
        let counts = match &finding.kind {
            Kind::Left { rows, told, .. } => vec![numbers.number(Rows::clone(rows), *told)],
            Kind::Crossing(crossing) => {
                let mut counts = Vec::new();
                // Both rests together come first, if whoever stands out is looked for.
                if crossing.told != 0 {
                    counts.push(numbers.number([&*crossing.ours, &*crossing.theirs].concat().into(), crossing.told));
                }
                if !crossing.many {
                    counts.extend([&crossing.ours, &crossing.theirs].map(|rows| numbers.number(Rows::clone(rows), 0)));
                }
                counts
            }
            Kind::Apart { .. } | Kind::Replaced | Kind::Countless => Vec::new(),
        };
        Self { finding, counts }
    }
}

impl Counts {
    /// The number of these rows and quantities.
    fn number(&mut self, rows: Rows, told: u64) -> usize {
        let next = self.counted.len();
        let number = *self.numbers.entry((rows, told)).or_insert(next);
        if number == next {
            self.counted.push(None);
        }
        number
    }

    fn keep(&mut self, number: usize, count: Counted) {
        self.counted.get_mut(number).into_iter().for_each(|counted| *counted = Some(count));
    }

    fn of(&self, number: usize) -> Option<Counted> {
        self.counted.get(number).copied().flatten()
    }

    /// What these findings rest on and has no count.
    fn missing(&self, findings: &[Numbered], known: &[(Block, usize)]) -> BTreeSet<usize> {
        let known = known.iter().map(|(_, number)| *number).filter(|_| !findings.is_empty());
        let all = findings.iter().flat_map(|finding| &finding.counts).copied().chain(known);
        all.filter(|number| self.of(*number).is_none()).collect()
    }

    fn remainders(&self, numbers: &BTreeSet<usize>, field: &Field) -> Vec<Remainder> {
        let mut asked: Vec<_> = self.numbers.iter().filter(|(_, number)| numbers.contains(number)).collect();
        asked.sort_unstable_by_key(|(_, number)| **number);
        let remainder = |((rows, told), _): (&(Rows, u64), &usize)| {
            let quantities = field.quantities.iter().enumerate().filter(|(bit, _)| told & (1 << bit) != 0);
            Remainder {
                regions: rows.iter().map(|piece| field.atlas.region(piece)).collect(),
                quantities: quantities.map(|(_, quantity)| quantity.clone()).collect(),
            }
        };
        asked.into_iter().map(remainder).collect()
    }
}

/// What was counted, held against what was found.
struct Ledger<'a> {
    least: u64,
    counts: &'a Counts,
    vacant: Vec<&'a Block>,
}

impl<'a> Ledger<'a> {
    fn new(least: u64, counts: &'a Counts, vacant: &'a [Block], known: &'a [(Block, usize)]) -> Self {
        let nobody = |number: usize| counts.of(number).is_some_and(|counted| counted.rows == 0);
        let known = known.iter().filter(|(_, number)| nobody(*number)).map(|(block, _)| block);
        Self { least, counts, vacant: vacant.iter().chain(known).collect() }
    }

    /// The cells that fall now: of each difference that tells of few, one without which it cannot be made.
    /// All of them, if `all`.
    fn fallen(&self, findings: &[Numbered], stands: &[bool], all: bool) -> BTreeMap<usize, Reason> {
        let mut fallen = BTreeMap::new();
        for Numbered { finding, counts } in findings {
            let Some(reason) = self.fault(&finding.kind, counts) else { continue };
            let mut standing = finding.parties.iter().filter(|party| stands.get(**party) == Some(&true));
            if all {
                fallen.extend(standing.map(|party| (*party, reason)));
                continue;
            }
            let broken = finding.parties.iter().any(|party| fallen.contains_key(party));
            if let (false, Some(party)) = (broken, standing.next()) {
                fallen.insert(*party, reason);
            }
        }
        fallen
    }

    fn fault(&self, kind: &Kind, counts: &[usize]) -> Option<Reason> {
        match kind {
            Kind::Left { rows, stale, .. } => match counts.first().and_then(|number| self.counts.of(*number)) {
                None => Some(Reason::Countless),
                Some(counted) if counted.rows == 0 && *stale && self.tells_nothing(rows) => Some(Reason::Replaced),
                Some(counted) if counted.rows == 0 => (!self.tells_nothing(rows)).then_some(Reason::Few),
                Some(counted) if counted.subjects < self.least => Some(Reason::Few),
                Some(counted) => counted.dominated.then_some(Reason::Dominated),
            },
            Kind::Crossing(crossing) => self.crossing(crossing, counts),
            Kind::Apart { left } => {
                (!left.as_ref().is_some_and(|left| self.tells_nothing(left))).then_some(Reason::Few)
            }
            Kind::Replaced => Some(Reason::Replaced),
            Kind::Countless => Some(Reason::Countless),
        }
    }

    fn crossing(&self, crossing: &Crossing, counts: &[usize]) -> Option<Reason> {
        let counted: Vec<Option<Counted>> = counts.iter().map(|number| self.counts.of(*number)).collect();
        if let (false, [.., ours, theirs]) = (crossing.many, counted.as_slice()) {
            let (Some(ours), Some(theirs)) = (ours, theirs) else { return Some(Reason::Countless) };
            let nobody = |side: &Counted, rows: &[Block]| side.rows == 0 && self.tells_nothing(rows);
            if ours.subjects < self.least && theirs.subjects < self.least {
                return match nobody(ours, &crossing.ours) && nobody(theirs, &crossing.theirs) {
                    true if crossing.stale => Some(Reason::Replaced),
                    true => None,
                    false => Some(Reason::Few),
                };
            }
        }
        if crossing.told == 0 {
            return None;
        }
        match counted.first().copied().flatten() {
            None => Some(Reason::Countless),
            Some(both) => both.dominated.then_some(Reason::Dominated),
        }
    }

    /// Whether nobody's absence from these rows tells anything of anybody.
    fn tells_nothing(&self, rows: &[Block]) -> bool {
        rows.iter().all(|piece| piece.minus(&self.vacant, MOST_PIECES).is_some_and(|left| left.is_empty()))
    }
}

/// How often cells fall one for each fault, and how often all that a fault needs do; beyond, all that is new falls: each time
/// everything is searched anew.
const MOST_SINGLE: u32 = 12;
const MOST_FALLS: u32 = 24;
/// Most remainders of one ground that are counted at a time.
pub const MOST_REMAINDERS: usize = 4_096;
/// Most that are counted for one question; beyond, what cannot be counted is withheld.
const MOST_COUNTED: usize = 16_384;
const MOST_PIECES: usize = 1_024;

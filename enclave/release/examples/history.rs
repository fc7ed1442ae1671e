//! Measures the audit of a new question against a long history, and its price: `history ROUNDS`, for `cargo xtask bench
//! release`.
//!
//! A table of three dimensions (12, 6 and 8 bins), 20,000 subjects spread over them by fixed chance, and what several
//! analysts asked of it before: 5,000 cells, groupings by one or two dimensions of ranges of the others. What is timed is
//! this crate's own work. Counting remainders and atoms is the engine's, and is not in it. Prints a line of JSON for each
//! figure.

#![expect(clippy::print_stdout, reason = "what was measured is printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    time::{Duration, Instant},
};

use octroi_release::{
    budget::{Limits, Plan},
    history::{Audit, Cell, Counted, History, Quantity, Release, Setting, Tier, Unit, Versions},
    space::{BinSet, Dimension, Facts, Region},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let rounds: usize = std::env::args().nth(1).ok_or("usage: history ROUNDS")?.parse()?;
    let world = World::new();
    let mut dice = Dice(7);
    let mut history = History::default();
    let mut cells = 0;
    while cells < EARLIER {
        let mut asked = world.question(&mut dice);
        asked.truncate(EARLIER - cells);
        cells += asked.len();
        history.append(release(&history, asked))?;
    }
    let mut figures = Figures::default();
    figures.add("history.cells", cells as f64);
    for _ in 0..rounds {
        world.audit(&history, &mut dice, &mut figures)?;
        world.price(&history, &mut dice, &mut figures)?;
    }
    let encoded = history.encode();
    figures.add("history.bytes", encoded.len() as f64 / 1_048_576.0);
    let begun = Instant::now();
    History::decode(&encoded)?;
    figures.time("history.decoded", begun.elapsed());
    for (figure, values) in figures.0 {
        println!("{{\"figure\": \"{figure}\", \"values\": {values:?}}}");
    }
    Ok(())
}

/// How many subjects are on each point.
struct World {
    subjects: Vec<(Point, u64)>,
}

/// Of each dimension a bin.
type Point = [u32; 3];

impl World {
    fn new() -> Self {
        let mut dice = Dice(1);
        let mut subjects: BTreeMap<Point, u64> = BTreeMap::new();
        for _ in 0..SUBJECTS {
            *subjects.entry(SIZES.map(|size| dice.below(size))).or_default() += 1;
        }
        Self { subjects: subjects.into_iter().collect() }
    }

    fn count(&self, regions: &[Region]) -> u64 {
        let within = |point: &Point| regions.iter().any(|region| lies(point, region));
        self.subjects.iter().filter(|(point, _)| within(point)).map(|(_, count)| count).sum()
    }

    /// The cells, of enough subjects, of a grouping by one or two dimensions, of a range of another.
    fn question(&self, dice: &mut Dice) -> Vec<Cell> {
        let cut = dice.below(3);
        let size = SIZES.get(cut as usize).copied().unwrap_or(1);
        let from = dice.below(size);
        let within = BinSet::range(from, from + 1 + dice.below(size - from));
        let mut regions = vec![Region::all(facts()).within(dimension(cut), within)];
        let others: Vec<u32> = (0..3).filter(|it| *it != cut).collect();
        let keys = if dice.below(2) == 0 { others.as_slice() } else { others.get(..1).unwrap_or_default() };
        for key in keys {
            let bins = SIZES.get(*key as usize).copied().unwrap_or(1);
            let cut = |region: &Region| {
                let region = region.clone();
                (0..bins).map(move |bin| region.clone().within(dimension(*key), BinSet::one(bin)))
            };
            regions = regions.iter().flat_map(cut).collect();
        }
        let cell = |region: Region| {
            let subjects = self.count(std::slice::from_ref(&region));
            Cell {
                region,
                quantities: BTreeSet::from([Quantity::Rows, Quantity::Sum("income".to_owned())]),
                subjects: BTreeMap::from([(Unit("person".to_owned()), subjects)]),
            }
        };
        let enough = |cell: &Cell| cell.subjects.values().all(|count| *count >= LEAST);
        regions.into_iter().map(cell).filter(enough).collect()
    }

    fn audit(&self, history: &History, dice: &mut Dice, figures: &mut Figures) -> Outcome<()> {
        let new = self.question(dice);
        let setting = Setting { least: LEAST, current: versions(), vacant: Vec::new() };
        let mut spent = Duration::ZERO;
        let mut counted = 0;
        let begun = Instant::now();
        let mut audit = Audit::open(history, &new, &setting);
        spent += begun.elapsed();
        while !audit.pending().is_empty() {
            let counts: Vec<Counted> = audit
                .pending()
                .iter()
                .map(|remainder| {
                    let subjects = self.count(&remainder.regions);
                    Counted { rows: subjects, subjects, dominated: false }
                })
                .collect();
            counted += counts.len();
            let begun = Instant::now();
            audit.count(&counts)?;
            spent += begun.elapsed();
        }
        let verdict = audit.settle()?;
        figures.time("audit.wall", spent);
        figures.add("audit.new", new.len() as f64);
        figures.add("audit.counted", counted as f64);
        figures.add("audit.withheld", verdict.withheld().len() as f64);
        Ok(())
    }

    fn price(&self, history: &History, dice: &mut Dice, figures: &mut Figures) -> Outcome<()> {
        let new = self.question(dice);
        let mut spent = Duration::ZERO;
        let begun = Instant::now();
        let plan = Plan::open(&facts(), history, &new, "university", &versions(), Limits::default())?;
        spent += begun.elapsed();
        let sizes: Vec<u64> = plan.atoms().iter().map(|atom| self.count(atom)).collect();
        let begun = Instant::now();
        let admission = plan.sized(&sizes)?.admit();
        spent += begun.elapsed();
        figures.time("budget.wall", spent);
        figures.add("budget.atoms", sizes.len() as f64);
        figures.add("budget.admitted", admission.admitted.iter().filter(|fits| **fits).count() as f64);
        Ok(())
    }
}

fn lies(point: &Point, region: &Region) -> bool {
    point.iter().zip(0..).all(|(bin, of)| region.bins(&dimension(of)).is_none_or(|set| set.contains(*bin)))
}

fn release(history: &History, cells: Vec<Cell>) -> Release {
    Release {
        sequence: history.next(),
        organisation: "university".to_owned(),
        tier: Tier::Rounded,
        question: [0; 32],
        answer: [0; 32],
        versions: versions(),
        cells,
    }
}

fn versions() -> Versions {
    Versions(BTreeMap::from([(facts(), BinSet::one(0))]))
}

fn facts() -> Facts {
    Facts::new("town", "persons")
}

fn dimension(place: u32) -> Dimension {
    Dimension::own(["district", "age", "work"].get(place as usize).copied().unwrap_or("work"))
}

/// Values by figure.
#[derive(Default)]
struct Figures(BTreeMap<&'static str, Vec<f64>>);

impl Figures {
    fn add(&mut self, figure: &'static str, value: f64) {
        self.0.entry(figure).or_default().push(value);
    }

    fn time(&mut self, figure: &'static str, time: Duration) {
        self.add(figure, time.as_secs_f64() * 1_000.0);
    }
}

/// xorshift64*: the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        u32::try_from(drawn % u64::from(end.max(1))).unwrap_or_default()
    }
}

const SIZES: [u32; 3] = [12, 6, 8];
const SUBJECTS: usize = 20_000;
const LEAST: u64 = 11;
/// Cells released before.
const EARLIER: usize = 5_000;

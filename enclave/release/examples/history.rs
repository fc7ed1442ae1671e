//! Measures the audit of a new question against a long history, and its price: `history ROUNDS`, for `cargo xtask bench
//! release`.
//!
//! For the audit a table of three dimensions (12, 6 and 8 bins), 20,000 subjects spread over them by fixed chance, and what
//! several analysts asked of it before: 5,000 cells, groupings by one or two dimensions of ranges of the others. For the
//! price one of five dimensions (12, 6, 8, 5 and 7 bins) and 10,000 subjects, most of whom are alone on their point, so
//! that the limits matter to nearly every atom. What is timed is this crate's own work. Counting remainders and groups is
//! the engine's, and is not in it. Prints a line of JSON for each figure.

#![expect(clippy::print_stdout, reason = "what was measured is printed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    time::{Duration, Instant},
};

use octroi_release::{
    budget::{Classes, Group, Limits, Plan, Question},
    history::{Audit, Cell, Counted, History, Quantity, Release, Setting, Unit, Versions},
    space::{BinSet, Dimension, Facts, Region},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let rounds: usize = std::env::args().nth(1).ok_or("usage: history ROUNDS")?.parse()?;
    let mut figures = Figures::default();
    let (few, many) = (World::new(&SIZES[..3], 20_000), World::new(&SIZES, 10_000));
    let mut dice = Dice(7);
    let history = few.history(&mut dice, EARLIER)?;
    figures.add("history.cells", EARLIER as f64);
    for _ in 0..rounds {
        few.audit(&history, &mut dice, &mut figures)?;
    }
    let priced = many.history(&mut dice, MOST_SETS)?;
    let cells = priced.releases().iter().flat_map(|release| &release.cells);
    figures.add("budget.sets", cells.map(|cell| &cell.region).collect::<BTreeSet<_>>().len() as f64);
    for _ in 0..rounds {
        many.price(&priced, &mut dice, &mut figures)?;
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
    sizes: Vec<u32>,
    subjects: Vec<(Point, u64)>,
}

/// Of each dimension a bin.
type Point = Vec<u32>;

impl World {
    fn new(sizes: &[u32], many: usize) -> Self {
        let mut dice = Dice(1);
        let mut subjects: BTreeMap<Point, u64> = BTreeMap::new();
        for _ in 0..many {
            *subjects.entry(sizes.iter().map(|size| dice.below(*size)).collect()).or_default() += 1;
        }
        Self { sizes: sizes.to_vec(), subjects: subjects.into_iter().collect() }
    }

    /// Of at most so many different sets of rows; what comes beyond is of those that were told before.
    fn history(&self, dice: &mut Dice, most_sets: usize) -> Outcome<History> {
        let mut history = History::default();
        let (mut cells, mut sets) = (0, BTreeSet::new());
        while cells < EARLIER {
            let mut asked = self.question(dice);
            asked.retain(|cell| {
                sets.contains(&cell.region) || sets.len() < most_sets && sets.insert(cell.region.clone())
            });
            asked.truncate(EARLIER - cells);
            if asked.is_empty() {
                continue;
            }
            cells += asked.len();
            history.append(release(&history, asked))?;
        }
        Ok(history)
    }

    fn count(&self, regions: &[Region]) -> u64 {
        let within = |point: &Point| regions.iter().any(|region| lies(point, region));
        self.subjects.iter().filter(|(point, _)| within(point)).map(|(_, count)| count).sum()
    }

    /// The cells, of enough subjects, of a grouping by one or two dimensions, of a range of another.
    fn question(&self, dice: &mut Dice) -> Vec<Cell> {
        let size_of = |dimension: u32| self.sizes.get(dimension as usize).copied().unwrap_or(1);
        let many = u32::try_from(self.sizes.len()).unwrap_or_default();
        let cut = dice.below(many);
        let size = size_of(cut);
        let from = dice.below(size);
        let within = BinSet::range(from, from + 1 + dice.below(size - from));
        let mut regions = vec![Region::all(facts()).within(dimension(cut), within)];
        let mut others: Vec<u32> = (0..many).filter(|it| *it != cut).collect();
        if others.len() > 2 {
            let turned = dice.below(many) as usize % others.len();
            others.rotate_left(turned);
        }
        let keys = others.get(..if dice.below(2) == 0 { 2 } else { 1 }).unwrap_or_default();
        for key in keys {
            let bins = size_of(*key);
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
        let setting = Setting { least: LEAST, current: versions(), vacant: Vec::new(), known: Vec::new() };
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
        let (facts, versions) = (facts(), versions());
        let question = Question { facts: &facts, cells: &new, organisation: "university", versions: &versions };
        let plan = Plan::open(question, history, |_| true, Limits::default())?;
        spent += begun.elapsed();
        let groups = self.groups(plan.dimensions());
        let begun = Instant::now();
        let admission = plan.sized(&groups, |_| true)?.admit();
        spent += begun.elapsed();
        figures.time("budget.wall", spent);
        figures.add("budget.groups", groups.len() as f64);
        figures.add("budget.new", new.len() as f64);
        figures.add("budget.admitted", admission.admitted.iter().filter(|fits| **fits).count() as f64);
        figures.add("budget.together", admission.together.value());
        Ok(())
    }

    fn groups(&self, dimensions: &[Classes]) -> Vec<Group> {
        let mut groups: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for (point, subjects) in &self.subjects {
            let class = |classes: &Classes| {
                let bin = point.iter().zip(0..).find(|(_, of)| dimension(*of) == classes.dimension);
                let bin = bin.map_or(0, |(bin, _)| *bin);
                classes.sets.iter().zip(0..).find(|(set, _)| set.contains(bin)).map_or(0, |(_, place)| place)
            };
            *groups.entry(dimensions.iter().map(class).collect()).or_default() += subjects;
        }
        groups.into_iter().map(|(classes, subjects)| Group { classes, subjects }).collect()
    }
}

fn lies(point: &Point, region: &Region) -> bool {
    point.iter().zip(0..).all(|(bin, of)| region.bins(&dimension(of)).is_none_or(|set| set.contains(*bin)))
}

fn release(history: &History, cells: Vec<Cell>) -> Release {
    Release {
        sequence: history.next(),
        organisation: "university".to_owned(),
        noise: None,
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
    Dimension::own(&format!("dimension {place}"))
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

const SIZES: [u32; 5] = [12, 6, 8, 5, 7];
const LEAST: u64 = 11;
/// Cells released before.
const EARLIER: usize = 5_000;
/// Of which a budget solves for no more than 3,072, with those of the question.
const MOST_SETS: usize = 2_900;

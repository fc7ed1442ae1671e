//! The budget against a dense solve of its definition, against an attacker, and beside an honest analyst.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    history::{Release, Tier, Unit},
    space::{BinSet, Dimension},
};

fn facts() -> Facts {
    Facts::new("d", "t")
}

fn versions() -> Versions {
    Versions(BTreeMap::from([(facts(), BinSet::one(0))]))
}

fn cell(region: Region, subjects: u64) -> Cell {
    Cell {
        region,
        quantities: BTreeSet::from([Quantity::Rows]),
        subjects: BTreeMap::from([(Unit("person".into()), subjects)]),
    }
}

/// A cell of a table of one dimension, by its bins.
fn bins(bins: impl IntoIterator<Item = u32>) -> Cell {
    cell(Region::all(facts()).within(Dimension::own("x"), bins.into_iter().collect()), 100)
}

fn history<'a>(releases: impl IntoIterator<Item = (&'a str, Vec<Cell>)>) -> History {
    let mut history = History::default();
    for (organisation, cells) in releases {
        let release = Release {
            sequence: history.next(),
            organisation: organisation.into(),
            tier: Tier::Rounded,
            question: [0; 32],
            answer: [0; 32],
            versions: versions(),
            cells,
        };
        history.append(release).unwrap();
    }
    history
}

/// How many of these subjects' bins are in a region of the one dimension.
fn count(sizes: &[u64], regions: &[Region]) -> u64 {
    let x = Dimension::own("x");
    let within = |bin: u32| regions.iter().any(|region| region.bins(&x).is_none_or(|set| set.contains(bin)));
    sizes.iter().zip(0..).filter(|(_, bin)| within(*bin)).map(|(size, _)| size).sum()
}

fn budget(history: &History, cells: &[Cell], asks: &str, sizes: &[u64], limits: Limits) -> Result<Budget, BudgetError> {
    let plan = Plan::open(&facts(), history, cells, asks, &versions(), limits)?;
    let subjects: Vec<u64> = plan.atoms().iter().map(|atom| count(sizes, atom)).collect();
    plan.sized(&subjects)
}

/// x'(G + Λ)⁻¹x of every bin, by Gauss with pivots, from the definition: bins are atoms, cells rows.
fn dense(cells: &[BTreeSet<u32>], sizes: &[u64]) -> f64 {
    let many = cells.len();
    let shared = |one: &BTreeSet<u32>, other: &BTreeSet<u32>| -> f64 {
        one.intersection(other).map(|bin| sizes[*bin as usize] as f64).sum()
    };
    let noisy = |i: usize, j: usize| shared(&cells[i], &cells[j]) + if i == j { 25.0 / 12.0 } else { 0.0 };
    let mut largest = 0.0_f64;
    for bin in (0..sizes.len()).filter(|bin| sizes[*bin] > 0) {
        let x: Vec<f64> = cells.iter().map(|cell| f64::from(cell.contains(&(bin as u32)))).collect();
        let mut rows: Vec<Vec<f64>> =
            (0..many).map(|i| (0..many).map(|j| noisy(i, j)).chain([x[i]]).collect()).collect();
        for pivot in 0..many {
            let best = (pivot..many).max_by(|a, b| rows[*a][pivot].abs().total_cmp(&rows[*b][pivot].abs())).unwrap();
            rows.swap(pivot, best);
            let head = rows[pivot].clone();
            for row in rows.iter_mut().skip(pivot + 1) {
                let factor = row[pivot] / head[pivot];
                row.iter_mut().zip(&head).for_each(|(value, head)| *value -= factor * head);
            }
        }
        let mut solved = vec![0.0; many];
        for place in (0..many).rev() {
            let known: f64 = (place + 1..many).map(|other| rows[place][other] * solved[other]).sum();
            solved[place] = (rows[place][many] - known) / rows[place][place];
        }
        largest = largest.max(x.iter().zip(&solved).map(|(x, solved)| x * solved).sum());
    }
    largest
}

fn sets() -> impl Strategy<Value = Vec<BTreeSet<u32>>> {
    proptest::collection::vec(proptest::collection::btree_set(0_u32..8, 1..8), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    // Some cells were released and some are new, atoms are split by the later ones, and some have nobody.
    #[test]
    fn leverage_is_that_of_a_dense_solve(
        earlier in sets(),
        new in sets(),
        sizes in proptest::collection::vec(0_u64..20, 8),
    ) {
        let cells = |sets: &[BTreeSet<u32>]| sets.iter().map(|set| bins(set.iter().copied())).collect::<Vec<_>>();
        let past = history([("university", cells(&earlier))]);
        let unlimited = Limits { together: 1_000, organisation: 1_000, atoms: 100 };
        let budget = budget(&past, &cells(&new), "university", &sizes, unlimited).unwrap();
        let all: BTreeSet<&BTreeSet<u32>> = earlier.iter().chain(&new).collect();
        let all: Vec<BTreeSet<u32>> = all.into_iter().cloned().collect();
        let expected = dense(&all, &sizes);
        // The same new cell twice is priced twice, which may only be more.
        let doubled = new.iter().collect::<BTreeSet<_>>().len() < new.len();
        let (together, organisation) = budget.price();
        prop_assert!((together.value() - expected).abs() < 1e-9 || doubled && together.value() > expected);
        prop_assert_eq!(together, organisation);
        let admission = budget.admit();
        prop_assert!(admission.admitted.iter().all(|admitted| *admitted));
        prop_assert!((admission.together.value() - together.value()).abs() < 1e-9);
    }

    #[test]
    fn both_ways_to_compute_it_agree(
        cells in proptest::collection::vec((proptest::collection::btree_set(0_usize..8, 1..8), 1e-3_f64..1e3), 1..20),
        sizes in proptest::collection::vec(1_u32..50, 8),
    ) {
        let sizes: Vec<f64> = sizes.into_iter().map(f64::from).collect();
        let observed = |(atoms, precision): &(BTreeSet<usize>, f64)| {
            Observation { atoms: atoms.iter().copied().collect(), precision: *precision }
        };
        let observed: Vec<Observation> = cells.iter().map(observed).collect();
        let mut one_by_one = Leverage::of(&sizes, &[]);
        observed.iter().for_each(|cell| one_by_one.add(cell));
        let mut at_once = Leverage::of(&sizes, &[]);
        at_once.all_at_once(&observed);
        prop_assert!((one_by_one.largest() - at_once.largest()).abs() < 1e-7);
    }

    #[test]
    fn what_is_admitted_stays_within_both_limits(
        theirs in sets(), ours in sets(), new in sets(), sizes in proptest::collection::vec(0_u64..12, 8),
    ) {
        let cells = |sets: &[BTreeSet<u32>]| sets.iter().map(|set| bins(set.iter().copied())).collect::<Vec<_>>();
        let past = history([("city", cells(&theirs)), ("university", cells(&ours))]);
        let before = budget(&past, &[], "university", &sizes, Limits::default()).unwrap().admit();
        let after = budget(&past, &cells(&new), "university", &sizes, Limits::default()).unwrap().admit();
        prop_assert!(after.together.value() <= before.together.value().max(0.25) + 1e-6);
        prop_assert!(after.organisation.value() <= before.organisation.value().max(0.125) + 1e-6);
        prop_assert!(after.organisation.value() <= after.together.value() + 1e-9);
    }
}

/// A few lines of xorshift: the same numbers each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn subset_sums_stop_before_they_rebuild_anything() {
    const ATOMS: u32 = 200;
    let mut dice = Dice(0x5eed_5eed_5eed);
    let secret: Vec<f64> = (0..ATOMS).map(|_| (dice.throw() >> 20 & 1) as f64).collect();
    let questions: Vec<BTreeSet<u32>> =
        (0..400).map(|_| (0..ATOMS).filter(|_| dice.throw() >> 20 & 1 == 1).collect()).collect();
    let cells: Vec<Cell> = questions.iter().map(|set| bins(set.iter().copied())).collect();
    let limits = Limits { organisation: 250, ..Limits::default() };
    let sizes = vec![1; ATOMS as usize];
    let admission = budget(&History::default(), &cells, "university", &sizes, limits).unwrap().admit();
    let let_out = admission.admitted.iter().filter(|admitted| **admitted).count();
    assert!((20..100).contains(&let_out), "{let_out} of 400");
    // The attacker's best linear estimate: k accumulated as the budget does it, with rounded answers.
    let mut estimate = vec![0.5; ATOMS as usize];
    let mut covariance: Vec<Vec<f64>> =
        (0..ATOMS).map(|i| (0..ATOMS).map(|j| if i == j { 0.25 } else { 0.0 }).collect()).collect();
    for set in questions.iter().zip(&admission.admitted).filter(|(_, admitted)| **admitted).map(|(set, _)| set) {
        let answer = (set.iter().map(|bin| secret[*bin as usize]).sum::<f64>() / 5.0).round() * 5.0;
        let gain: Vec<f64> =
            covariance.iter().map(|row| set.iter().map(|bin| row[*bin as usize]).sum::<f64>()).collect();
        let spread = set.iter().map(|bin| gain[*bin as usize]).sum::<f64>() + 25.0 / 12.0;
        let surprise = answer - set.iter().map(|bin| estimate[*bin as usize]).sum::<f64>();
        estimate.iter_mut().zip(&gain).for_each(|(estimate, gain)| *estimate += gain * surprise / spread);
        for (row, factor) in covariance.iter_mut().zip(&gain) {
            row.iter_mut().zip(&gain).for_each(|(value, gain)| *value -= factor * gain / spread);
        }
    }
    let guessed =
        estimate.iter().zip(&secret).filter(|(estimate, secret)| (**estimate > 0.5) == (**secret > 0.5)).count();
    let missed: f64 = estimate.iter().zip(&secret).map(|(estimate, secret)| (estimate - secret).powi(2)).sum();
    assert!(missed / f64::from(ATOMS) > 0.25 * 0.65, "{missed}");
    assert!(guessed < 150, "{guessed} of 200 guessed right, where a coin guesses 100");
}

#[test]
fn honest_tables_are_not_stopped() {
    // 24 hours, 20 districts: by hour, by district, by both, by halves of the day, the total; atoms of 11 and more.
    let (hour, district) = (Dimension::own("hour"), Dimension::own("district"));
    let all = Region::all(facts());
    let by_hour = (0..24).map(|bin| all.clone().within(hour.clone(), BinSet::one(bin)));
    let by_district = (0..20).map(|bin| all.clone().within(district.clone(), BinSet::one(bin)));
    let by_both = by_hour
        .clone()
        .flat_map(|region| (0..20).map(move |bin| region.clone().within(Dimension::own("district"), BinSet::one(bin))));
    let halves = [BinSet::range(0, 12), BinSet::range(12, 24)].map(|half| all.clone().within(hour.clone(), half));
    let regions: Vec<Region> = by_both.chain(by_hour).chain(by_district).chain(halves).chain([all.clone()]).collect();
    let cells: Vec<Cell> = regions.into_iter().map(|region| cell(region, 1_000)).collect();
    let (first, second) = cells.split_at(300);
    let past = history([("university", first.to_vec())]);
    let plan = Plan::open(&facts(), &past, second, "university", &versions(), Limits::default()).unwrap();
    let mut dice = Dice(0x0c70_0c70_0c70);
    let sizes: Vec<u64> = plan.atoms().iter().map(|_| 11 + dice.throw() % 90).collect();
    let admission = plan.sized(&sizes).unwrap().admit();
    assert!(admission.admitted.iter().all(|admitted| *admitted), "{admission:?}");
    assert!(admission.together.value() < 0.125);
}

#[test]
fn one_organisation_does_not_use_up_what_another_needs() {
    let sizes = [2, 100];
    let ask = |history: &History, asks: &str, cell: Cell| {
        budget(history, &[cell], asks, &sizes, Limits::default()).unwrap().admit().admitted
    };
    // Two subjects: leverage 1/(2 + 25/12), which is too much for one organisation and not for all.
    let few = || bins([0]);
    assert_eq!(ask(&History::default(), "city", few()), [false]);
    let many = || bins([0, 1]);
    let past = history([("city", vec![many()])]);
    assert_eq!(ask(&past, "university", many()), [true], "what was told is told again");
    assert_eq!(ask(&past, "university", bins([1])), [true]);
}

#[test]
fn more_atoms_than_are_kept_are_refused() {
    let limits = Limits { atoms: 3, ..Limits::default() };
    let sizes = [50; 8];
    let cells: Vec<Cell> = (0..5).map(|bin| bins([bin])).collect();
    let admission = budget(&History::default(), &cells, "city", &sizes, limits).unwrap().admit();
    assert_eq!(admission.admitted, [true, true, true, false, false]);
    let past = history([("city", cells)]);
    assert_eq!(budget(&past, &[bins([7])], "city", &sizes, limits).unwrap_err(), BudgetError::TooManyAtoms);
    let plan = Plan::open(&facts(), &past, &[], "city", &versions(), Limits::default()).unwrap();
    assert_eq!(plan.sized(&[1]).unwrap_err(), BudgetError::Counts);
}

/// `cargo test -p octroi-release --config 'profile.dev.package.octroi-release.opt-level=3' -- --ignored --nocapture speed`
#[test]
#[ignore = "a measurement"]
fn speed_of_a_budget_beside_five_thousand_cells() {
    for atoms in [1_024_u32, 2_048] {
        let mut dice = Dice(0xbeef_beef_beef);
        let mut random = || {
            let (from, width) = (dice.throw() as u32 % atoms, 1 + dice.throw() as u32 % 64);
            bins(from..(from + width).min(atoms))
        };
        let mut earlier: Vec<Cell> = (0..atoms).map(|bin| bins([bin])).collect();
        while earlier.len() < 5_000 {
            earlier.push(random());
        }
        let past = history(earlier.chunks(100).map(|cells| ("university", cells.to_vec())));
        let new: Vec<Cell> = (0..100).map(|_| random()).collect();
        let started = std::time::Instant::now();
        let limits = Limits { atoms: 2_048, ..Limits::default() };
        let plan = Plan::open(&facts(), &past, &new, "university", &versions(), limits).unwrap();
        let (cut, many) = (started.elapsed(), plan.atoms().len());
        let started = std::time::Instant::now();
        let budget = plan.sized(&vec![40; many]).unwrap();
        let solved = started.elapsed();
        let started = std::time::Instant::now();
        let admission = budget.admit();
        println!(
            "5,000 earlier, 100 new, {many} atoms: cut {cut:?}, solved twice {solved:?}, admitted {:?}, {:?}",
            started.elapsed(),
            admission.together
        );
    }
}

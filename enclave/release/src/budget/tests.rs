//! The budget beside honest analysts and an attacker, and what it does with what cannot be counted.

mod reference;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    history::{Release, Unit, loads},
    space::Region,
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

fn release(history: &mut History, organisation: &str, versions: Versions, cells: Vec<Cell>) {
    let release = Release {
        sequence: history.next(),
        organisation: organisation.into(),
        noise: None,
        question: [0; 32],
        answer: [0; 32],
        versions,
        cells,
    };
    history.append(release).unwrap();
}

fn history<'a>(releases: impl IntoIterator<Item = (&'a str, Vec<Cell>)>) -> History {
    let mut history = History::default();
    for (organisation, cells) in releases {
        release(&mut history, organisation, versions(), cells);
    }
    history
}

fn plan(history: &History, cells: &[Cell], asks: &str, limits: Limits) -> Result<Plan, BudgetError> {
    let question = Question { facts: &facts(), cells, organisation: asks, versions: &versions() };
    Plan::open(question, history, |_| true, limits)
}

/// The groups that there are of these points, on each of which so many subjects are who are on no other.
fn groups(plan: &Plan, points: impl IntoIterator<Item = (BTreeMap<Dimension, u32>, u64)>) -> Vec<Group> {
    let mut groups: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
    for (point, subjects) in points {
        let class = |classes: &Classes| {
            let bin = point.get(&classes.dimension).copied().unwrap_or(0);
            let place = classes.sets.iter().position(|set| set.contains(bin)).unwrap();
            u32::try_from(place).unwrap()
        };
        *groups.entry(plan.dimensions().iter().map(class).collect()).or_default() += subjects;
    }
    groups.into_iter().map(|(classes, subjects)| Group { classes, subjects }).collect()
}

/// Of a table of one dimension with so many subjects in each bin.
fn admit(history: &History, cells: &[Cell], asks: &str, sizes: &[u64], limits: Limits) -> Admission {
    let plan = plan(history, cells, asks, limits).unwrap();
    let points = sizes.iter().zip(0..).map(|(size, bin)| (BTreeMap::from([(Dimension::own("x"), bin)]), *size));
    let groups = groups(&plan, points);
    plan.sized(&groups, |_| true).unwrap().admit()
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
    let admission = admit(&History::default(), &cells, "university", &sizes, limits);
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
    // 24 hours, 20 districts: by hour, by district, by both, by halves of the day, the total; atoms of 3 and more.
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
    for (fewest, most) in [(11, 0.125), (7, 0.16)] {
        let (first, second) = cells.split_at(300);
        let past = history([("university", first.to_vec())]);
        let limits = Limits { organisation: 160, ..Limits::default() };
        let plan = plan(&past, second, "university", limits).unwrap();
        let mut dice = Dice(0x0c70_0c70_0c70);
        let mut points = Vec::new();
        for bins in (0..24).flat_map(|hour| (0..20).map(move |district| (hour, district))) {
            let point = BTreeMap::from([(hour.clone(), bins.0), (district.clone(), bins.1)]);
            points.push((point, fewest + dice.throw() % 90));
        }
        let groups = groups(&plan, points);
        let admission = plan.sized(&groups, |_| true).unwrap().admit();
        assert!(admission.admitted.iter().all(|admitted| *admitted), "{admission:?}");
        assert!(admission.together.value() < most, "{:?}", admission.together);
    }
}

#[test]
fn one_organisation_does_not_use_up_what_another_needs() {
    let ask = |history: &History, asks: &str, cell: Cell| {
        admit(history, &[cell], asks, &[2, 100], Limits::default()).admitted
    };
    // Two subjects: leverage 1/(2 + 25/12), which is too much for one organisation and not for all.
    let few = || bins([0]);
    assert_eq!(ask(&History::default(), "city", few()), [false]);
    let many = || bins([0, 1]);
    let past = history([("city", vec![many()])]);
    assert_eq!(ask(&past, "university", many()), [true], "what was told is told again");
    assert_eq!(ask(&past, "university", bins([1])), [true]);
    // What another organisation was told counts to all together alone.
    let asked = [bins([0]), bins([1])];
    let limits = Limits { together: 300, organisation: 200 };
    let past = history([("city", vec![asked[0].clone()]), ("port", vec![bins([0, 1, 2])])]);
    let admission = admit(&past, &asked, "university", &[4, 4, 30], limits);
    assert_eq!(admission.admitted, [true, true]);
    assert!(admission.organisation < admission.together);
}

#[test]
fn the_same_cell_is_priced_once() {
    let limits = Limits { together: 95, organisation: 95 };
    let ask = |cells: &[Cell]| admit(&History::default(), cells, "city", &[10, 10], limits).together.value();
    let once = ask(&[bins([0])]);
    assert!((once - 1.0 / (10.0 + 25.0 / 12.0)).abs() < 1e-12);
    assert!((ask(&[bins([0]), bins([0])]) - once).abs() < 1e-12);
    let mut sum = cell(bins([0]).region, 10_000);
    sum.quantities = BTreeSet::from([Quantity::Rows, Quantity::Sum("income".into())]);
    let precision = 12.0 / 25.0 + 12_000_000.0 / 1e8;
    assert!((ask(&[bins([0]), sum]) - 1.0 / (10.0 + 1.0 / precision)).abs() < 1e-12);
}

#[test]
fn rows_that_were_replaced_were_told_of_and_are_told_of_again() {
    let limits = Limits { together: 180, organisation: 180 };
    let versions = |load: u32| Versions(BTreeMap::from([(facts(), BinSet::one(load))]));
    let share = |loads: &[u32]| {
        let mut past = History::default();
        loads.iter().for_each(|load| release(&mut past, "city", versions(*load), vec![bins([0])]));
        let admission = admit(&past, &[bins([0])], "city", &[5], limits);
        assert_eq!(admission.admitted, [true]);
        admission.together.value()
    };
    let known = |times: f64| 1.0 / (5.0 + 25.0 / 12.0 / times);
    assert!((share(&[0]) - known(1.0)).abs() < 1e-12, "of the same rows");
    assert!((share(&[7]) - known(2.0)).abs() < 1e-12, "of rows that went, and of these");
    assert!((share(&[7, 8, 0, 0]) - known(3.0)).abs() < 1e-12);
}

#[test]
fn where_atoms_are_large_everything_fits() {
    let cells: Vec<Cell> = (0..5).map(|bin| bins([bin])).collect();
    let admission = admit(&History::default(), &cells, "city", &[50; 8], Limits::default());
    assert_eq!((admission.admitted, admission.together), (vec![true; 5], Share(0.02)));
}

#[test]
fn a_subject_in_several_groups_of_an_atom_counts_once() {
    // Cells of three hours told y = 0 alone from the rest: for y = 1 all hours are one atom.
    let (hour, y) = (Dimension::own("hour"), Dimension::own("y"));
    let of = |bin: u32| cell(Region::all(facts()).within(y.clone(), BinSet::one(bin)), 100);
    let mut cells: Vec<Cell> =
        (0..3).map(|bin| cell(of(0).region.within(hour.clone(), BinSet::one(bin)), 100)).collect();
    cells.push(of(1));
    let limits = Limits { together: 90, organisation: 90 };
    let plan = |cells: &[Cell]| plan(&History::default(), cells, "city", limits).unwrap();
    let points = |bin: u32, subjects: u64| {
        (0..3).map(move |at| (BTreeMap::from([(Dimension::own("hour"), at), (Dimension::own("y"), bin)]), subjects))
    };
    let share = |fixed: &dyn Fn(&Dimension) -> bool| {
        let plan = plan(&cells);
        let groups = groups(&plan, points(0, 100).chain(points(1, 10)));
        plan.sized(&groups, fixed).unwrap().admit()
    };
    let [apart, once] = [share(&|dimension| *dimension == hour), share(&|dimension| *dimension == y)];
    assert_eq!(apart.admitted, [true; 4]);
    assert!((apart.together.value() - 1.0 / 30.0).abs() < 1e-12);
    assert_eq!(once.admitted, [true; 4]);
    assert!((once.together.value() - 1.0 / (10.0 + 25.0 / 12.0)).abs() < 1e-12, "{once:?}");
}

#[test]
fn cells_that_have_to_do_with_what_cannot_be_counted_are_not_admitted() {
    let far = Dimension::through("household", &Facts::new("d", "households"), &Dimension::own("commune"));
    let of_communes = bins([0, 1]).region.within(far.clone(), BinSet::one(3));
    let past = history([("city", vec![cell(of_communes, 50), bins([1, 2]), bins([4, 5])])]);
    let cells = [bins([4]), bins([2]), bins([1, 2]), bins([0]), bins([6, 7])];
    let question = Question { facts: &facts(), cells: &cells, organisation: "city", versions: &versions() };
    let plan = Plan::open(question, &past, |dimension| *dimension != far, Limits::default()).unwrap();
    let x = Dimension::own("x");
    assert_eq!(plan.dimensions().iter().map(|it| it.dimension.clone()).collect::<Vec<_>>(), [loads(), x.clone()]);
    let groups = groups(&plan, (0..7).map(|bin| (BTreeMap::from([(x.clone(), bin)]), 20)));
    let admission = plan.sized(&groups, |_| true).unwrap().admit();
    // Bins 2 and 0 share rows with it, through 1-2 and at once; what was told is told again; 4 has nothing to do with it.
    assert_eq!(admission.admitted, [true, false, true, false, true]);
    assert_eq!(admission.uncountable, [false, true, false, true, false]);
}

#[test]
fn groups_that_are_none_are_refused() {
    let plan = || plan(&History::default(), &[bins([7])], "city", Limits::default()).unwrap();
    let sized = |classes: Vec<u32>| plan().sized(&[Group { classes, subjects: 1 }], |_| true).map(|_| ());
    assert_eq!(sized(vec![0, 1]), Ok(()));
    assert_eq!(sized(vec![0]), Err(BudgetError::Counts));
    assert_eq!(sized(vec![0, 2]), Err(BudgetError::Counts));
    let group = Group { classes: vec![1, 1], subjects: 1 };
    assert_eq!(plan().sized(&vec![group; 100_001], |_| true).unwrap_err(), BudgetError::TooManyAtoms);
}

#[test]
fn cells_of_other_facts_or_of_no_row_do_not_fit() {
    let other = cell(Region::all(Facts::new("d", "u")), 100);
    let none = cell(Region::all(facts()).within(Dimension::own("x"), BinSet::default()), 100);
    let admission = admit(&History::default(), &[other, none, bins([9])], "city", &[50; 8], Limits::default());
    assert_eq!(admission.admitted, [false, false, true], "the last is of nobody who is there");
}

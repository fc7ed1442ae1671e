//! The budget against its definition, solved anew for every cell, over rows listed one by one.

use proptest::prelude::*;

use super::*;

/// A row: a bin of each of three dimensions, a load, and whose it is. The third is told of the first by a joined table.
#[derive(Debug, Clone)]
struct Row {
    bins: [u32; 3],
    load: u32,
    subject: u32,
}

fn dimensions() -> [Dimension; 3] {
    let far = Dimension::through("household", &Facts::new("d", "households"), &Dimension::own("commune"));
    [Dimension::own("x"), Dimension::own("y"), far]
}

fn lies(row: &Row, region: &Region) -> bool {
    let bins = dimensions().into_iter().zip(row.bins).chain([(loads(), row.load)]);
    bins.into_iter().all(|(dimension, bin)| region.bins(&dimension).is_none_or(|set| set.contains(bin)))
}

/// What was told: of rows, with the variance of its noise.
type Told = (Region, f64);

/// Of every atom that these regions cut its subjects and x'(G + Λ)⁻¹x, by Gauss with pivots.
fn leverages(rows: &[Row], cut: &[Region], told: &[Told]) -> BTreeMap<Vec<bool>, (usize, f64)> {
    let mut subjects: BTreeMap<Vec<bool>, (BTreeSet<u32>, Vec<bool>)> = BTreeMap::new();
    for row in rows {
        let within = cut.iter().map(|region| lies(row, region)).collect();
        let of_told = || told.iter().map(|(region, _)| lies(row, region)).collect();
        subjects.entry(within).or_insert_with(|| (BTreeSet::new(), of_told())).0.insert(row.subject);
    }
    let noisy = |i: usize, j: usize| {
        let shared = subjects.values().filter(|(_, within)| within[i] && within[j]);
        shared.map(|(subjects, _)| subjects.len() as f64).sum::<f64>() + if i == j { told[i].1 } else { 0.0 }
    };
    let square: Vec<Vec<f64>> = (0..told.len()).map(|i| (0..told.len()).map(|j| noisy(i, j)).collect()).collect();
    let leverage = |within: &[bool]| {
        let x: Vec<f64> = within.iter().map(|within| f64::from(*within)).collect();
        x.iter().zip(solve(&square, &x)).map(|(x, solved)| x * solved).sum::<f64>()
    };
    let atoms = subjects.into_iter().filter(|(within, _)| within.contains(&true));
    atoms.map(|(within, (subjects, told))| (within, (subjects.len(), leverage(&told)))).collect()
}

fn solve(square: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let many = right.len();
    let mut rows: Vec<Vec<f64>> =
        square.iter().zip(right).map(|(row, right)| row.iter().copied().chain([*right]).collect()).collect();
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
    solved
}

/// What one analyst asked: organisation, loads, cells.
type Asked = (bool, u32, Vec<(Region, bool)>);

#[derive(Debug, Clone)]
struct World {
    rows: Vec<Row>,
    past: Vec<Asked>,
    new: Vec<(Region, bool)>,
    limits: Limits,
}

fn region(joined: bool) -> impl Strategy<Value = Region> {
    let set = |bins: u32| proptest::option::of(proptest::collection::btree_set(0..bins, 1..bins as usize));
    (set(4), set(3), set(2)).prop_map(move |(x, y, far)| {
        let sets = dimensions().into_iter().zip([x, y, far.filter(|_| joined)]);
        sets.fold(Region::all(facts()), |region, (dimension, set)| match set {
            Some(set) => region.within(dimension, set.into_iter().collect()),
            None => region,
        })
    })
}

fn cells(joined: bool, most: usize) -> impl Strategy<Value = Vec<(Region, bool)>> {
    proptest::collection::vec((region(joined), any::<bool>()), 1..most)
}

/// Each subject with so many rows, the third dimension the same in all of them.
fn world(rows_each: usize, joined: bool) -> impl Strategy<Value = World> {
    let row = (0_u32..4, 0_u32..3, 0_u32..2);
    let rows = proptest::collection::vec((0_u32..2, proptest::collection::vec(row, 1..=rows_each)), 1..40);
    let rows = rows.prop_map(|subjects: Vec<(u32, Vec<_>)>| {
        let subjects = (0_u32..).zip(subjects);
        let of = subjects.flat_map(|(subject, (far, rows))| {
            rows.into_iter().map(move |(x, y, load)| Row { bins: [x, y, far], load, subject })
        });
        of.collect()
    });
    let asked = (any::<bool>(), 1_u32..4, cells(true, 6));
    (rows, proptest::collection::vec(asked, 0..5), cells(joined, 6), 20_u32..500, 20_u32..500).prop_map(
        |(rows, past, new, one, other)| {
            let limits = Limits { together: one.max(other), organisation: one.min(other) };
            World { rows, past, new, limits }
        },
    )
}

impl World {
    fn made(&self, (region, sum): &(Region, bool)) -> Cell {
        let subjects: BTreeSet<u32> = self.rows.iter().filter(|row| lies(row, region)).map(|row| row.subject).collect();
        let mut made = cell(region.clone(), subjects.len() as u64);
        if *sum {
            made.quantities = BTreeSet::from([Quantity::Sum("income".into())]);
        }
        made
    }

    fn history(&self) -> History {
        let mut history = History::default();
        for (ours, loads, cells) in &self.past {
            let cells = cells.iter().map(|asked| self.made(asked)).collect();
            release(&mut history, if *ours { "city" } else { "port" }, read(*loads), cells);
        }
        history
    }

    fn plan(&self, countable: impl Fn(&Dimension) -> bool) -> Plan {
        let cells: Vec<Cell> = self.new.iter().map(|asked| self.made(asked)).collect();
        let question = Question { facts: &facts(), cells: &cells, organisation: "city", versions: &read(3) };
        Plan::open(question, &self.history(), countable, self.limits).unwrap()
    }

    fn admit(&self, countable: impl Fn(&Dimension) -> bool, fixed: impl Fn(&Dimension) -> bool) -> Admission {
        let plan = self.plan(countable);
        let mut groups: BTreeMap<Vec<u32>, BTreeSet<u32>> = BTreeMap::new();
        for row in &self.rows {
            let bin = |dimension: &Dimension| {
                let own = dimensions().into_iter().position(|other| other == *dimension);
                own.map_or(row.load, |place| row.bins[place])
            };
            let class = |classes: &Classes| {
                classes.sets.iter().position(|set| set.contains(bin(&classes.dimension))).unwrap() as u32
            };
            groups.entry(plan.dimensions().iter().map(class).collect()).or_default().insert(row.subject);
        }
        let groups: Vec<Group> =
            groups.into_iter().map(|(classes, subjects)| Group { classes, subjects: subjects.len() as u64 }).collect();
        plan.sized(&groups, fixed).unwrap().admit()
    }

    /// Everything told before to one organisation or to all, each quantity of the same rows once.
    fn told(&self, ours_alone: bool) -> Vec<Told> {
        let mut told: BTreeMap<(Region, bool), f64> = BTreeMap::new();
        for (_, loads, cells) in self.past.iter().filter(|(ours, _, _)| *ours || !ours_alone) {
            cells.iter().for_each(|asked| {
                told.insert(self.at(asked, *loads), self.noise(asked));
            });
        }
        told.into_iter().map(|((region, _), noise)| (region, noise)).collect()
    }

    fn at(&self, asked: &(Region, bool), read_loads: u32) -> (Region, bool) {
        let read = read(read_loads).0.remove(&facts()).unwrap();
        (asked.0.clone().within(loads(), read), asked.1)
    }

    fn noise(&self, asked: &(Region, bool)) -> f64 {
        let subjects = *self.made(asked).subjects.values().next().unwrap();
        if asked.1 { (subjects.max(1) as f64).powi(2) / 12_000_000.0 } else { 25.0 / 12.0 }
    }

    /// Every region that was told of or is about to be.
    fn cut(&self) -> Vec<Region> {
        let past = self.past.iter().flat_map(|(_, loads, cells)| cells.iter().map(|asked| self.at(asked, *loads)));
        past.chain(self.new.iter().map(|asked| self.at(asked, 3))).map(|(region, _)| region).collect()
    }

    /// Goes through the new cells as they were admitted. `None` where one is so near a limit that arithmetic decides.
    fn expected(&self, priced: impl Fn(usize) -> bool) -> Option<Expected> {
        let mut seen: BTreeSet<(Region, bool)> = BTreeSet::new();
        for (_, loads, cells) in &self.past {
            seen.extend(cells.iter().map(|asked| self.at(asked, *loads)));
        }
        let (mut told, cut) = ([self.told(false), self.told(true)], self.cut());
        let limits = [self.limits.together, self.limits.organisation].map(|limit| f64::from(limit) / 1_000.0);
        let mut admitted = Vec::new();
        for (place, asked) in self.new.iter().enumerate() {
            let region = self.at(asked, 3);
            if seen.contains(&region) || !priced(place) {
                admitted.push(seen.contains(&region));
                continue;
            }
            let mut fits = true;
            for (told, limit) in told.iter().zip(limits) {
                let before = leverages(&self.rows, &cut, told);
                for (within, (_, share)) in leverages(&self.rows, &cut, &with(told, &region.0, self.noise(asked))) {
                    let more = share - before[&within].1;
                    fits &= more <= 1e-9 || share <= limit;
                    (!(1e-10..1e-8).contains(&more) && (share - limit).abs() > 1e-6).then_some(())?;
                }
            }
            if fits {
                told.iter_mut().for_each(|told| *told = with(told, &region.0, self.noise(asked)));
                seen.insert(region);
            }
            admitted.push(fits);
        }
        Some(Expected { admitted, told })
    }
}

struct Expected {
    admitted: Vec<bool>,
    told: [Vec<Told>; 2],
}

fn with(told: &[Told], region: &Region, noise: f64) -> Vec<Told> {
    told.iter().cloned().chain([(region.clone(), noise)]).collect()
}

/// Loads 0 and 1, by bits.
fn read(bits: u32) -> Versions {
    Versions(BTreeMap::from([(facts(), (0..2).filter(|load| bits >> load & 1 == 1).collect())]))
}

/// What no contribution exceeds, where atoms beyond the limit's concern are bounded by their subjects.
fn bound(atoms: &BTreeMap<Vec<bool>, (usize, f64)>, limits: Limits) -> (f64, f64) {
    let limit = limits.together.min(limits.organisation);
    let known = atoms.values();
    let exact = known.clone().fold(0.0_f64, |most, (_, share)| most.max(*share));
    let small = |subjects: usize| subjects as f64 * f64::from(limit) / 1_000.0 < 1.0;
    let bounds = known.map(|(subjects, share)| if small(*subjects) { *share } else { 1.0 / *subjects as f64 });
    (exact, bounds.fold(0.0, f64::max))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    // Every subject has one row, so that the subjects of groups add up.
    #[test]
    fn leverage_and_admission_are_those_of_a_dense_solve(world in world(1, true)) {
        let admission = world.admit(|_| true, |_| true);
        if let Some(expected) = world.expected(|_| true) {
            prop_assert_eq!(&admission.admitted, &expected.admitted);
            for (share, told) in [admission.together, admission.organisation].into_iter().zip(&expected.told) {
                let (exact, bound) = bound(&leverages(&world.rows, &world.cut(), told), world.limits);
                prop_assert!(share.value() >= exact - 1e-7, "{} {exact}", share.value());
                prop_assert!((share.value() - bound).abs() < 1e-7, "{} {bound}", share.value());
            }
        }
    }

    // Subjects have several rows, and the third dimension is the same in all of them.
    #[test]
    fn what_is_admitted_stays_within_both_limits(world in world(4, true)) {
        let far = &dimensions()[2];
        let admission = world.admit(|_| true, |dimension| dimension == far);
        let (mut told, cut) = ([world.told(false), world.told(true)], world.cut());
        let before = [0, 1].map(|which| leverages(&world.rows, &cut, &told[which]));
        let mut old: BTreeSet<(Region, bool)> =
            world.past.iter().flat_map(|(_, loads, cells)| cells.iter().map(|asked| world.at(asked, *loads))).collect();
        for (asked, _) in world.new.iter().zip(&admission.admitted).filter(|(_, admitted)| **admitted) {
            let region = world.at(asked, 3);
            if old.insert(region.clone()) {
                told.iter_mut().for_each(|told| *told = with(told, &region.0, world.noise(asked)));
            }
        }
        let shares = [(admission.together, world.limits.together), (admission.organisation, world.limits.organisation)];
        for ((told, before), (share, limit)) in told.iter().zip(&before).zip(shares) {
            let after = leverages(&world.rows, &cut, told);
            prop_assert!(bound(&after, world.limits).0 <= share.value() + 1e-7);
            for (within, (_, known)) in after {
                let most = f64::from(limit) / 1_000.0;
                prop_assert!(known <= most.max(before[&within].1) + 1e-6, "{known} {before:?}");
            }
        }
    }

    // Earlier cells name a dimension that the question's rows do not have.
    #[test]
    fn what_is_priced_beside_what_cannot_be_counted_is_priced_right(world in world(1, false)) {
        let far = &dimensions()[2];
        let admission = world.admit(|dimension| dimension != far, |_| true);
        if let Some(expected) = world.expected(|place| !admission.uncountable[place]) {
            prop_assert_eq!(&admission.admitted, &expected.admitted);
        }
    }
}

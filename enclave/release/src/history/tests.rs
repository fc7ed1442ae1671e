//! The audit against a slow, obvious reference: sets of points, and rows that lie on them.

mod fixture;
mod reference;
mod unions;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use audit::MOST_REMAINDERS;
use fixture::{LEAST, World, ask, cell, empty_outside, groups, mode, place, release, settle};

#[test]
fn a_total_after_its_parts_is_refused_where_the_rest_is_few() {
    // Twelve walk, twelve ride, three are in neither: outside of the declared bins.
    let world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0]), (3, [4, 0, 0])]);
    let mut history = History::default();
    ask(&world, &mut history, groups(&world, &[0]), &empty_outside());
    assert_eq!(history.releases()[0].cells.len(), 2);
    let total = vec![cell(&world, Region::all(fixture::facts()))];
    assert_eq!(settle(&world, &history, &total, &empty_outside()).withheld(), &BTreeMap::from([(0, Reason::Few)]));
    // And the parts after the total: one of them stays.
    let mut history = History::default();
    ask(&world, &mut history, total, &empty_outside());
    let verdict = settle(&world, &history, &groups(&world, &[0]), &empty_outside());
    assert_eq!(verdict.withheld(), &BTreeMap::from([(1, Reason::Few)]));
}

#[test]
fn that_nobody_is_left_is_told_only_where_it_tells_nothing() {
    let world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0])]);
    let mut history = History::default();
    ask(&world, &mut history, groups(&world, &[0]), &[]);
    let total = vec![cell(&world, Region::all(fixture::facts()))];
    // Modes 2 and 3 are declared, and nobody has them: one cannot ask about them one by one either.
    assert!(!settle(&world, &history, &total, &empty_outside()).may_leave(0));
    let declared = [empty_outside(), vec![Region::all(fixture::facts()).within(mode(), BinSet::range(2, 4))]].concat();
    assert!(settle(&world, &history, &total, &declared).may_leave(0));
}

#[test]
fn what_a_load_adds_is_a_set_of_rows_like_any_other() {
    let mut world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0])]);
    let mut history = History::default();
    let total = Region::all(fixture::facts());
    ask(&world, &mut history, vec![cell(&world, total.clone())], &[]);
    world.load(&[(3, [0, 0, 0])]);
    assert!(!settle(&world, &history, &[cell(&world, total.clone())], &[]).may_leave(0), "three were added");
    world.load(&[(9, [0, 0, 0])]);
    assert!(settle(&world, &history, &[cell(&world, total.clone())], &[]).may_leave(0), "twelve were added");
    // Replaced, the same question tells what changed, and others are judged by the rows at hand.
    world.replace(&[(12, [0, 0, 0]), (13, [1, 0, 0])]);
    let verdict = settle(&world, &history, &[cell(&world, total)], &[]);
    assert_eq!(verdict.withheld(), &BTreeMap::from([(0, Reason::Replaced)]));
    let walking = Region::all(fixture::facts()).within(mode(), BinSet::one(0));
    assert!(settle(&world, &history, &[cell(&world, walking)], &[]).may_leave(0));
}

#[test]
fn the_same_rows_again_tell_nothing_new_unless_something_else_is_told_of_them() {
    let world = World::new(&[(12, [0, 0, 0]), (3, [1, 0, 0])]);
    let total = cell(&world, Region::all(fixture::facts()));
    let walking = cell(&world, Region::all(fixture::facts()).within(mode(), BinSet::one(0)));
    let mut history = History::default();
    ask(&world, &mut history, vec![total.clone()], &[]);
    assert!(settle(&world, &history, std::slice::from_ref(&total), &[]).may_leave(0));
    assert!(!settle(&world, &history, std::slice::from_ref(&walking), &[]).may_leave(0));
}

#[test]
fn quantities_of_other_names_are_compared_as_well() {
    // One who smokes is in the first question alone; of the others, those are counted who do not, and all.
    let world = World::new(&[(12, [0, 0, 0]), (1, [1, 0, 0])]);
    let told = |region: Region, quantity| Cell { quantities: BTreeSet::from([quantity]), ..cell(&world, region) };
    let all = || Region::all(fixture::facts());
    let walking = || all().within(mode(), BinSet::one(0));
    let smokers = |condition: &str| Quantity::Sum(format!("1 where {condition}"));
    let person = || Quantity::Subjects(Unit("person".into()));
    for (first, second) in [
        (Quantity::Rows, person()),
        (smokers("smoker"), smokers("not smoker")),
        (smokers("smoker"), smokers("smoker = true")),
        (Quantity::Sum("speed where speed".into()), smokers("speed")),
    ] {
        let mut history = History::default();
        ask(&world, &mut history, vec![told(all(), first.clone())], &[]);
        let verdict = settle(&world, &history, &[told(walking(), second.clone())], &[]);
        assert_eq!(verdict.withheld(), &BTreeMap::from([(0, Reason::Few)]), "{first:?}, {second:?}");
        // And of two that overlap.
        let narrow = |from| all().within(place(1), BinSet::range(from, from + 2));
        let world = World::new(&[(2, [0, 0, 0]), (20, [0, 1, 0]), (2, [0, 2, 0])]);
        let mut history = History::default();
        let of = |region, quantity| Cell { quantities: BTreeSet::from([quantity]), ..cell(&world, region) };
        ask(&world, &mut history, vec![of(narrow(0), first)], &[]);
        assert!(!settle(&world, &history, &[of(narrow(1), second)], &[]).may_leave(0));
    }
}

#[test]
fn who_meets_a_condition_is_not_judged_by_how_many_do() {
    let world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0])]);
    let quantities = || {
        let spelled = ["1 where ill", "different meter where ill", "speed where speed"];
        let sums = spelled.into_iter().map(|sum| Quantity::Sum(sum.into()));
        sums.chain([Quantity::Subjects(Unit("person".into()))]).collect::<BTreeSet<_>>()
    };
    let told = |region: Region| Cell { quantities: quantities(), ..cell(&world, region) };
    let mut history = History::default();
    ask(&world, &mut history, vec![told(Region::all(fixture::facts()))], &[]);
    let walking = Region::all(fixture::facts()).within(mode(), BinSet::one(0));
    let audit = Audit::open(&history, &[told(walking)], &world.setting(&[]));
    let judged: BTreeSet<Quantity> = audit.pending().iter().flat_map(|left| left.quantities.clone()).collect();
    let expected =
        [Quantity::Rows, Quantity::Subjects(Unit("person".into())), Quantity::Sum("speed where speed".into())];
    assert_eq!(judged, BTreeSet::from(expected));
}

#[test]
fn whoever_stands_out_is_looked_for_beside_the_cells_that_tell_of_it() {
    // Of three modes, two tell of speeds: what they leave of the speeds of all is not only what all three leave of rows.
    let world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0]), (12, [2, 0, 0]), (12, [3, 0, 0])]);
    let told = |region: Region, quantity| Cell { quantities: BTreeSet::from([quantity]), ..cell(&world, region) };
    let speed = || Quantity::Sum("speed".into());
    let modes = |from, to| Region::all(fixture::facts()).within(mode(), BinSet::range(from, to));
    let mut history = History::default();
    ask(&world, &mut history, vec![told(modes(0, 1), speed()), told(modes(1, 2), speed())], &[]);
    ask(&world, &mut history, vec![told(modes(2, 3), Quantity::Rows)], &[]);
    let audit = Audit::open(&history, &[told(modes(0, 4), speed())], &world.setting(&[]));
    let pending: Vec<_> =
        audit.pending().iter().map(|left| (left.regions[0].bins(&mode()).cloned(), left.quantities.len())).collect();
    assert!(pending.contains(&(Some(BinSet::range(2, 4)), 1)), "{pending:?}");
    assert!(pending.contains(&(Some(BinSet::range(3, 4)), 0)), "{pending:?}");
}

#[test]
fn what_was_told_with_noise_is_no_part_of_a_difference() {
    let world = World::new(&[(12, [0, 0, 0]), (3, [1, 0, 0])]);
    let mut history = History::default();
    let total = cell(&world, Region::all(fixture::facts()));
    let noise = |answer: &[u8]| Some(Noise { price: Rho::of_micro(5), answer: answer.to_vec() });
    let of_lyon = Release { noise: noise(b"one"), ..release(&world, 1, Vec::new()) };
    let organisation = of_lyon.organisation.clone();
    history.append(of_lyon).unwrap();
    let of_others = Release { organisation: "others".into(), noise: noise(b"two"), ..release(&world, 2, Vec::new()) };
    history.append(of_others).unwrap();
    let walking = cell(&world, Region::all(fixture::facts()).within(mode(), BinSet::one(0)));
    assert!(settle(&world, &history, std::slice::from_ref(&walking), &[]).may_leave(0));
    history.append(release(&world, 3, vec![total])).unwrap();
    assert!(!settle(&world, &history, &[walking], &[]).may_leave(0), "what was told but for rounding still counts");
    // Its price is told of whoever paid it, and its answer is kept.
    let spent = |who: &str| (history.spent(who).organisation.micro(), history.spent(who).everybody.micro());
    assert_eq!([spent(&organisation), spent("others"), spent("nobody")], [(5, 10), (5, 10), (0, 10)]);
    let decoded = History::decode(&history.encode()).unwrap();
    assert_eq!(decoded, history);
    assert_eq!(decoded.answered(&history.releases()[1].question).map(|it| it.answer.as_slice()), Some(&b"two"[..]));
}

#[test]
fn cells_that_overlap_are_refused_where_both_rests_are_few() {
    let world = World::new(&[(2, [0, 0, 0]), (20, [1, 0, 0]), (2, [2, 0, 0]), (20, [3, 0, 0])]);
    let over = |from, to| cell(&world, Region::all(fixture::facts()).within(mode(), BinSet::range(from, to)));
    let mut history = History::default();
    ask(&world, &mut history, vec![over(0, 2)], &[]);
    assert!(!settle(&world, &history, &[over(1, 3)], &[]).may_leave(0));
    assert!(settle(&world, &history, &[over(1, 4)], &[]).may_leave(0));
}

#[test]
fn whoever_stands_out_in_what_is_left_is_protected() {
    let world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0])]);
    let mut history = History::default();
    ask(&world, &mut history, vec![cell(&world, Region::all(fixture::facts()))], &[]);
    let walking = cell(&world, Region::all(fixture::facts()).within(mode(), BinSet::one(0)));
    let mut audit = Audit::open(&history, &[walking], &world.setting(&[]));
    assert_eq!(audit.pending().len(), 1);
    assert_eq!(audit.count(&[]), Err(audit::AuditError::Counts));
    audit.count(&[Counted { rows: 12, subjects: 12, dominated: true }]).unwrap();
    assert_eq!(audit.settle().unwrap().withheld(), &BTreeMap::from([(0, Reason::Dominated)]));
}

#[test]
fn what_was_replaced_is_not_told_by_parts_either() {
    let modes = |from, to| Region::all(fixture::facts()).within(mode(), BinSet::range(from, to));
    for all in [modes(0, 2), Region::all(fixture::facts())] {
        let mut world = World::new(&[(12, [0, 0, 0]), (12, [1, 0, 0])]);
        let mut history = History::default();
        ask(&world, &mut history, vec![cell(&world, all)], &empty_outside());
        world.replace(&[(12, [0, 0, 0]), (13, [1, 0, 0])]);
        let parts = [cell(&world, modes(0, 1)), cell(&world, modes(1, 2))];
        // Nobody has the other modes, and that tells nothing.
        let vacant = [empty_outside(), vec![modes(2, 4)]].concat();
        let verdict = settle(&world, &history, &parts, &vacant);
        assert_eq!(verdict.withheld(), &BTreeMap::from([(1, Reason::Replaced)]));
    }
}

#[test]
fn whoever_stands_out_in_two_rests_together_is_protected() {
    // As many in each of two modes; and then so many in one that a rest surely is of enough.
    for last in [12, 30] {
        let world = World::new(&[(12, [0, 0, 0]), (40, [1, 0, 0]), (last, [2, 0, 0])]);
        let told = |from, to| {
            let region = Region::all(fixture::facts()).within(mode(), BinSet::range(from, to));
            let quantities = BTreeSet::from([Quantity::Rows, Quantity::Sum("speed".into())]);
            Cell { quantities, ..cell(&world, region) }
        };
        let mut history = History::default();
        ask(&world, &mut history, vec![told(0, 2)], &[]);
        let mut audit = Audit::open(&history, &[told(1, 3)], &world.setting(&[]));
        let both = |left: &Remainder| left.quantities == BTreeSet::from([Quantity::Sum("speed".into())]);
        let counted = |left: &Remainder| Counted { rows: 12, subjects: 12, dominated: both(left) };
        let counts: Vec<Counted> = audit.pending().iter().map(counted).collect();
        audit.count(&counts).unwrap();
        assert_eq!(audit.settle().unwrap().withheld(), &BTreeMap::from([(0, Reason::Dominated)]), "{last}");
    }
}

#[test]
fn what_the_rounding_of_a_dozen_counts_hides_is_left_to_the_budget() {
    // All of a total's parts but one, of whom there are two.
    for (parts, hidden) in [(9, false), (10, false), (11, true), (20, true)] {
        let subjects = (0..=parts).map(|part| (if part == parts { 2 } else { 40 }, [part, 0, 0]));
        let world = World::new(&subjects.collect::<Vec<_>>());
        for sums in [false, true] {
            let told = |region| {
                let mut cell = cell(&world, region);
                if sums {
                    cell.quantities.insert(Quantity::Sum("speed".into()));
                }
                cell
            };
            let of = |bins| Region::all(fixture::facts()).within(place(0), bins);
            let mut history = History::default();
            ask(&world, &mut history, (0..parts).map(|part| told(of(BinSet::one(part)))).collect(), &[]);
            let verdict = settle(&world, &history, &[told(of(BinSet::range(0, parts + 1)))], &[]);
            assert_eq!(verdict.may_leave(0), hidden && !sums, "{parts} parts, with sums: {sums}");
        }
    }
}

#[test]
fn beside_more_than_can_be_kept_a_new_cell_is_withheld() {
    // Every pair of an earlier cell and the new one overlaps, and no number of subjects says that a side is large.
    let world = World::new(&[(12, [0, 0, 0])]);
    let of = |first: BinSet, second: BinSet| {
        let region = Region::all(fixture::facts()).within(place(0), first).within(place(1), second);
        let subjects = BTreeMap::from([(Unit("person".into()), 12)]);
        Cell { region, quantities: BTreeSet::from([Quantity::Rows]), subjects }
    };
    let cells: Vec<Cell> = (0..20_000).map(|bin| of(BinSet::range(0, 2), BinSet::one(bin))).collect();
    let mut history = History::default();
    history.append(release(&world, 1, cells)).unwrap();
    let new = of(BinSet::range(1, 3), BinSet::range(0, 30_000));
    let mut audit = Audit::open(&history, &[new], &world.setting(&[]));
    let mut counted = 0;
    while !audit.pending().is_empty() {
        let counts = vec![Counted { rows: 12, subjects: 12, dominated: false }; audit.pending().len()];
        assert!(counts.len() <= MOST_REMAINDERS);
        counted += counts.len();
        audit.count(&counts).unwrap();
    }
    assert!(counted > MOST_REMAINDERS, "in several passes");
    assert_eq!(audit.settle().unwrap().withheld(), &BTreeMap::from([(0, Reason::Countless)]));
}

#[test]
fn distinct_subjects_of_a_cell_alone_are_counted() {
    // Twelve are seen in both modes and two in the first alone, though its rows are many.
    let mut world = World::new(&[]);
    (0..12).for_each(|subject| world.rows.extend([(subject, [0, 0, 0], 0), (subject, [1, 0, 0], 0)]));
    (12..14).for_each(|subject| world.rows.push((subject, [0, 0, 0], 0)));
    let told = |region: Region| Cell {
        quantities: BTreeSet::from([Quantity::Subjects(Unit("person".into()))]),
        ..cell(&world, region)
    };
    let mut history = History::default();
    ask(&world, &mut history, vec![told(Region::all(fixture::facts()))], &[]);
    let second = told(Region::all(fixture::facts()).within(mode(), BinSet::one(1)));
    assert_eq!(settle(&world, &history, &[second], &[]).withheld(), &BTreeMap::from([(0, Reason::Few)]));
}

#[test]
fn only_the_next_release_is_recorded_and_only_a_sound_one() {
    let world = World::new(&[(12, [0, 0, 0])]);
    let sound = || release(&world, 1, vec![cell(&world, Region::all(fixture::facts()))]);
    let mut history = History::default();
    history.append(sound()).unwrap();
    assert_eq!(history.append(sound()), Err(AppendError::Sequence));
    assert_eq!(history.answered(&[1; 32]), None, "it had no noise");
    assert_eq!(history.answered(&[2; 32]), None);
    let with = |change: &dyn Fn(&mut Release)| {
        let mut release = sound();
        release.sequence = 2;
        change(&mut release);
        history.clone().append(release)
    };
    assert_eq!(with(&|_| {}), Ok(()));
    assert_eq!(with(&|release| release.versions.0.clear()), Err(AppendError::Malformed));
    assert_eq!(with(&|release| release.cells[0].quantities.clear()), Err(AppendError::Malformed));
    assert_eq!(with(&|release| release.organisation = "o".repeat(5_000)), Err(AppendError::TooLarge));
    assert_eq!(
        with(&|release| {
            let cells = vec![release.cells[0].clone(); MOST_CELLS];
            release.cells = cells;
        }),
        Err(AppendError::Full)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    // Whatever is asked, one question after another: no difference that the reference makes of what left is of few.
    #[test]
    fn no_difference_that_the_reference_makes_of_what_left_is_of_few(
        rows in proptest::collection::vec((1_usize..2 * LEAST as usize, fixture::point()), 1..14),
        later in proptest::collection::vec((1_usize..2 * LEAST as usize, fixture::point()), 0..6),
        questions in proptest::collection::vec(fixture::question(), 1..6),
    ) {
        let mut world = World::new(&rows);
        let mut history = History::default();
        for (place, question) in questions.iter().enumerate() {
            if place == 3 && !later.is_empty() {
                world.load(&later);
            }
            ask(&world, &mut history, question.cells(&world), &empty_outside());
            let fault = reference::fault(&world, &history).or_else(|| reference::fault_of_unions(&world, &history));
            prop_assert_eq!(fault, None);
        }
    }

    #[test]
    fn a_history_has_one_encoding(
        rows in proptest::collection::vec((1_usize..40, fixture::point()), 1..6),
        questions in proptest::collection::vec(fixture::question(), 0..5),
        (place, bit) in (any::<prop::sample::Index>(), 0_u8..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let world = World::new(&rows);
        let mut history = History::default();
        for question in &questions {
            let next = history.next();
            history.append(release(&world, next, question.cells(&world))).unwrap();
        }
        let bytes = history.encode();
        prop_assert_eq!(History::decode(&bytes), Ok(history.clone()));
        // Any other bytes are another history or none.
        let mut changed = bytes.clone();
        *changed.get_mut(place.index(bytes.len())).unwrap() ^= 1 << bit;
        if let Ok(other) = History::decode(&changed) {
            prop_assert!(other != history);
        }
        prop_assert!(History::decode(&bytes[..cut.index(bytes.len())]).ok() != Some(history));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(history) = History::decode(&bytes) {
            prop_assert_eq!(history.encode(), bytes);
        }
    }
}

#[test]
fn what_is_no_history_is_refused_by_what_it_is() {
    assert_eq!(History::decode(&[]), Err(DecodeError::Format(0)));
    assert_eq!(History::decode(&[8, 2]), Ok(History::default()));
    assert_eq!(History::decode(&[8, 3]), Err(DecodeError::Format(3)));
    assert!(matches!(History::decode(&[8, 2, 18]), Err(DecodeError::Message(_))));
    assert_eq!(History::decode(&[8, 2, 18, 0]), Err(DecodeError::Field("question")));
    assert_eq!(History::decode(&[8, 130, 0]), Err(DecodeError::NotCanonical));
    assert_eq!(History::decode(&[8, 2, 24, 1]), Err(DecodeError::NotCanonical), "an unknown field");
    assert_eq!(History::decode(&vec![0; 33 << 20]), Err(DecodeError::TooLong));
}

/// `cargo test -p octroi-release --config 'profile.dev.package.octroi-release.opt-level=3' -- --ignored --nocapture speed`
#[test]
#[ignore = "a measurement"]
fn speed_of_an_audit_beside_five_thousand_cells() {
    let world = World::new(&[]);
    let mut history = History::default();
    let spread = |seed: u64| BTreeMap::from([(Unit("person".into()), 500 + seed.wrapping_mul(7_919) % 90_000)]);
    let dimensions = [24_u32, 20, 12, 5, 10, 7];
    let table = |first: usize, second: usize, limit: u64| -> Vec<Cell> {
        let pairs = (0..dimensions[first]).flat_map(|one| (0..dimensions[second]).map(move |other| (one, other)));
        let cell = |(one, other): (u32, u32)| Cell {
            region: Region::all(fixture::facts())
                .within(place(first), BinSet::one(one))
                .within(place(second), BinSet::one(other)),
            quantities: BTreeSet::from([Quantity::Rows, Quantity::Sum("speed".into())]),
            subjects: spread(u64::from(one) * 1_000 + u64::from(other) + limit),
        };
        pairs.map(cell).collect()
    };
    let single = |dimension: usize| -> Vec<Cell> {
        let cell = |bin| Cell {
            region: Region::all(fixture::facts()).within(place(dimension), BinSet::one(bin)),
            quantities: BTreeSet::from([Quantity::Rows, Quantity::Sum("speed".into())]),
            subjects: spread(u64::from(bin) + 77),
        };
        (0..dimensions[dimension]).map(cell).collect()
    };
    let mut cells = 0;
    // Every table of two dimensions, over whatever a third one is cut to.
    'filling: for cut in 0.. {
        for first in 0..dimensions.len() {
            for second in first + 1..dimensions.len() {
                let third = (second + 1) % dimensions.len();
                let narrow = |mut cell: Cell| {
                    if cut > 0 && third != first {
                        cell.region = cell.region.within(place(third), BinSet::range(cut - 1, cut + 3));
                    }
                    cell
                };
                let asked: Vec<Cell> = table(first, second, u64::from(cut)).into_iter().map(narrow).collect();
                cells += asked.len();
                let next = history.next();
                history.append(release(&world, next, asked)).unwrap();
                if cells >= 5_000 {
                    break 'filling;
                }
            }
        }
    }
    let counted = Counted { rows: 5_000, subjects: 500, dominated: false };
    let total = Region::all(fixture::facts());
    let total = vec![Cell { region: total, ..single(0).remove(0) }];
    for (name, new) in [
        ("total", total),
        ("one dimension", single(0)),
        ("two dimensions, new cut", {
            let narrow = |mut cell: Cell| {
                cell.region = cell.region.within(place(5), BinSet::range(1, 6));
                cell
            };
            table(0, 1, 9).into_iter().map(narrow).collect()
        }),
    ] {
        let started = std::time::Instant::now();
        let mut audit = Audit::open(&history, &new, &world.setting(&[]));
        let (opened, pending) = (started.elapsed(), audit.pending().len());
        let started = std::time::Instant::now();
        while !audit.pending().is_empty() {
            audit.count(&vec![counted; audit.pending().len()]).unwrap();
        }
        let withheld = audit.settle().unwrap().withheld().len();
        println!(
            "{cells} earlier, {} new ({name}): open {opened:?}, {pending} remainders, rest {:?}, {withheld} withheld",
            new.len(),
            started.elapsed()
        );
    }
    let started = std::time::Instant::now();
    let bytes = history.encode();
    println!("encoded: {} bytes in {:?}", bytes.len(), started.elapsed());
    let started = std::time::Instant::now();
    History::decode(&bytes).unwrap();
    println!("decoded in {:?}", started.elapsed());
}

/// What an audit withholds from whoever asks at random, of several numbers.
#[test]
#[ignore = "a measurement"]
fn share_of_cells_that_pass() {
    let mut dice = 7_u64;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for most in [8, 40, 200] {
        let (mut asked, mut left) = (0, 0);
        for _ in 0..20 {
            let points: Vec<(usize, [u32; 3])> =
                (0..64_u32).map(|point| (roll(most) as usize, [point % 4, point / 4 % 4, point / 16])).collect();
            let world = World::new(&points);
            let mut history = History::default();
            for _ in 0..24 {
                let by: Vec<usize> = (0..3).filter(|_| roll(2) == 0).collect();
                let cut = (roll(3) as usize, roll(3) as u32, 1 + roll(3) as u32);
                let told = match roll(4) {
                    0 => Quantity::Rows,
                    1 => Quantity::Subjects(Unit("person".into())),
                    2 => Quantity::Sum("speed where speed".into()),
                    _ => Quantity::Sum("1 where ill".into()),
                };
                let cut = if roll(2) == 0 { vec![cut] } else { Vec::new() };
                let cells: Vec<Cell> = fixture::question_of(by, cut)
                    .cells(&world)
                    .into_iter()
                    .map(|cell| Cell { quantities: BTreeSet::from([told.clone()]), ..cell })
                    .collect();
                asked += cells.len();
                ask(&world, &mut history, cells, &empty_outside());
            }
            left += history.releases().iter().map(|release| release.cells.len()).sum::<usize>();
        }
        println!("up to {most} subjects on each point: {left} of {asked} cells pass");
    }
}

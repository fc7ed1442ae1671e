//! What the judge says of a cell, against what a row-by-row reading of the question gives: each row of a cell lies in the
//! cell's region and each row of the region is in the cell, with missing values and joins without partner.
//!
//! A failure names its seed; with it the same world and question come again.

use std::collections::BTreeMap;

use super::{
    reference::{Data, Reference, Tuple, Value, found},
    world::{
        AGE, AT, COMMUNE, DAY, DENSITY, DISTRICT, HOME, HOUSEHOLD, INCOME, KM, LATE, MINUTES, MODE, PERSON, PLACE,
        PURPOSE, Row, TRIP, WEEKDAY, asked, bin, col, compare, count, day, int, is, is_null, lit, moment, not, of,
        part, policies, schemas, text, trunc,
    },
};
use crate::{
    calendar::{DAY as MICROSECONDS, date},
    expression::{Comparison, Expression, Literal},
    judge::roles::{Ruling, judge_by},
    plan::{Aggregate, Aggregation, Join, JoinKind, Plan, Rows},
    policy::{Bins, Role},
    schema::{Digits, Type},
    space::Region,
};

/// Numbers from a seed (Knuth's MMIX constants; the upper bits).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    fn word<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    fn half(&mut self) -> bool {
        self.below(2) == 0
    }

    fn known(&mut self, value: Literal) -> Value {
        (self.below(7) > 0).then_some(value)
    }
}

fn data(dice: &mut Dice) -> Data {
    let word = |dice: &mut Dice, words: &[&str]| {
        let word = dice.word(words).to_owned();
        dice.known(Literal::String(word))
    };
    let number = |dice: &mut Dice, most| {
        let number = dice.below(most) as i64;
        dice.known(Literal::Integer(number))
    };
    let from = i64::from(date("2023-12-30").unwrap());
    let trips = (0..dice.below(14) + 4).map(|trip| {
        // Two days before the calendar to four after it, and the first moment of an hour now and then.
        let hours = dice.below(20 * 24) as i64;
        let within = *dice.one(&[0, 1, 1_234_567, 3_599_999_999]);
        let at = Literal::Timestamp(from * MICROSECONDS + hours * 3_600_000_000 + within);
        let days = Literal::Date((from + dice.below(120) as i64) as i32);
        let age = *dice.one(&[0, 17, 18, 40, 64, 65, 90]);
        let km = *dice.one(&[-0.0, 0.0, 0.5, 1.0, 4.9, 5.0, 20.0, 300.0]);
        let late = dice.half();
        vec![
            word(dice, &["ann", "bob", "cid"]),
            number(dice, 5),
            word(dice, &["walk", "bike", "tram", "car"]),
            dice.known(at),
            dice.known(days),
            dice.known(Literal::Integer(age)),
            dice.known(Literal::Float(km)),
            dice.known(Literal::Boolean(late)),
            word(dice, &["work", "care"]),
            Some(Literal::Integer(trip as i64)),
            None,
            None,
            dice.known(Literal::Integer(1 + (hours % 7))),
            number(dice, 30),
        ]
    });
    let trips = trips.collect();
    let households = (0..4).map(|household| {
        vec![
            Some(Literal::Integer(household)),
            word(dice, &["north", "south", "west"]),
            dice.known(Literal::Float(household as f64)),
            number(dice, 4),
        ]
    });
    let households = households.collect();
    let districts = (0..3).map(|district| {
        let density = *dice.one(&[10.0, 100.0, 1000.0, 1000.5, 5000.0]);
        vec![Some(Literal::Integer(district)), dice.known(Literal::Float(density))]
    });
    vec![trips, households, districts.collect()]
}

/// The same world as a question sees it: without the moments that are in no calendar.
fn seen(data: &Data) -> Data {
    let policies = policies();
    let mut seen = data.clone();
    for (table, rows) in seen.iter_mut().enumerate() {
        for (column, role) in policies.table(table).unwrap().roles() {
            let Role::Dimension { bins: bins @ Bins::Calendar(..), .. } = role else { continue };
            for row in rows.iter_mut() {
                if found(bins, &row[column]).is_none() {
                    row[column] = None;
                }
            }
        }
    }
    seen
}

fn condition(dice: &mut Dice, scans: usize) -> Row {
    let comparison =
        *dice.one(&[Comparison::Less, Comparison::AtLeast, Comparison::AtMost, Comparison::Greater, Comparison::Equal]);
    let half_open = *dice.one(&[Comparison::Less, Comparison::AtLeast]);
    let list = |words: &[&str]| words.iter().map(|word| Literal::String((*word).to_owned())).collect::<Vec<_>>();
    match dice.below(if scans > 2 {
        17
    } else if scans > 1 {
        16
    } else {
        14
    }) {
        0 => is(col(MODE), text(dice.word(&["walk", "tram", "boat"]))),
        1 => {
            let lists: [&[&str]; 3] = [&["walk", "bike"], &["bike", "car"], &["tram"]];
            let values = *dice.one(&lists);
            Expression::In(col(MODE).into(), list(values))
        }
        2 => Expression::Or(vec![is(col(MODE), text("bike")), is(text("walk"), col(MODE))]),
        3 => {
            let (hour, more) = (dice.below(360) as i64 - 20, dice.below(100) as i64);
            let from = moment("2024-01-01", hour);
            let to = moment("2024-01-01", hour + more);
            Expression::And(vec![
                compare(col(AT), Comparison::AtLeast, from),
                compare(col(AT), *dice.one(&[Comparison::Less, Comparison::AtMost]), to),
            ])
        }
        4 => {
            let name = dice.word(&["hour", "isodow", "day", "week", "dow", "doy"]);
            compare(part(name, col(AT)), comparison, int(dice.below(24) as i64))
        }
        5 => is(trunc(dice.word(&["day", "week", "month", "hour"]), col(AT)), moment("2024-01-08", 0)),
        6 => compare(col(DAY), half_open, day(dice.word(&["2024-02-01", "2024-03-01", "2024-02-02"]))),
        7 => compare(col(DAY), Comparison::AtMost, day("2024-02-29")),
        8 => compare(col(AGE), comparison, int(*dice.one(&[17, 18, 64, 65]))),
        9 => is(col(LATE), lit(Literal::Boolean(true))),
        10 => is(col(PURPOSE), text("care")),
        11 => {
            let column = *dice.one(&[MODE, AT, AGE, DAY, KM]);
            if dice.half() { is_null(col(column)) } else { not(is_null(col(column))) }
        }
        12 => compare(col(WEEKDAY), comparison, int(1 + dice.below(7) as i64)),
        13 => is(Expression::Cast(col(AT).into(), Type::Date), day("2024-01-03")),
        14 => is(col(COMMUNE), text("south")),
        15 => Expression::In(col(COMMUNE).into(), list(&["south", "west"])),
        _ => compare(col(DENSITY), half_open, lit(Literal::Float(*dice.one(&[100.0, 1000.5, 99.0])))),
    }
}

fn key(dice: &mut Dice, scans: usize) -> Row {
    match dice.below(if scans > 2 {
        13
    } else if scans > 1 {
        12
    } else {
        11
    }) {
        0 => col(MODE),
        1 => trunc(dice.word(&["hour", "day", "week", "month"]), col(AT)),
        2 => part(dice.word(&["hour", "isodow", "month", "week"]), col(AT)),
        3 => part(dice.word(&["month", "quarter", "year", "day"]), col(DAY)),
        4 => bin(AGE),
        5 => bin(KM),
        6 => col(WEEKDAY),
        7 => Expression::Case {
            branches: vec![(condition(dice, scans), text("one")), (condition(dice, scans), text("two"))],
            otherwise: dice.half().then(|| text("three").into()),
        },
        8 => Expression::Case {
            branches: vec![
                (compare(col(AGE), Comparison::Less, int(18)), text("child")),
                (compare(col(AGE), Comparison::Less, int(65)), text("adult")),
            ],
            otherwise: Some(text("old").into()),
        },
        9 => Expression::Cast(col(AT).into(), Type::Date),
        10 => Expression::Case {
            branches: vec![(
                Expression::In(col(WEEKDAY).into(), vec![Literal::Integer(6), Literal::Integer(7)]),
                int(1),
            )],
            otherwise: None,
        },
        11 => col(COMMUNE),
        _ => bin(DENSITY),
    }
}

fn aggregate(dice: &mut Dice, scans: usize) -> Aggregate {
    let whole = Type::Integer(Digits::STORED);
    let choose = |dice: &mut Dice, value: Row, otherwise: Option<Row>| Expression::Case {
        branches: vec![(condition(dice, scans), value)],
        otherwise: otherwise.map(Box::new),
    };
    let bare = match dice.below(12) {
        0 => count(),
        1 => of(Aggregation::Sum, col(*dice.one(&[KM, MINUTES, INCOME]))),
        2 => of(Aggregation::Mean, col(MINUTES)),
        3 => of(Aggregation::Count, col(*dice.one(&[MODE, AT, AGE, KM, PERSON]))),
        4 => of(Aggregation::CountDistinct, col(*dice.one(&[PERSON, TRIP, MODE]))),
        5 => {
            let case = choose(dice, int(1), Some(int(0)));
            of(Aggregation::Sum, case)
        }
        6 => {
            let case = choose(dice, int(1), None);
            of(Aggregation::Count, case)
        }
        7 => {
            let case = choose(dice, col(MINUTES), Some(int(0)));
            of(Aggregation::Sum, case)
        }
        8 => {
            let case = choose(dice, col(KM), None);
            of(Aggregation::Mean, case)
        }
        9 => of(Aggregation::Mean, Expression::Cast(col(LATE).into(), whole)),
        10 => of(Aggregation::Quantile(500_000), col(KM)),
        _ => Aggregate { against: Some(col(MINUTES)), ..of(Aggregation::Correlation, col(KM)) },
    };
    let filter = (dice.below(3) == 0).then(|| condition(dice, scans));
    Aggregate { filter, ..bare }
}

fn question(dice: &mut Dice) -> Plan {
    let some = [JoinKind::Inner, JoinKind::Left];
    let kinds: Vec<JoinKind> = (0..dice.below(3)).map(|_| *dice.one(&some)).collect();
    let scans = kinds.len() + 1;
    let conditions = (0..dice.below(3)).map(|_| condition(dice, scans)).collect::<Vec<_>>();
    let condition = (!conditions.is_empty()).then_some(Expression::And(conditions));
    let keys: Vec<Row> = (0..dice.below(3)).map(|_| key(dice, scans)).collect();
    let aggregates = (0..1 + dice.below(2)).map(|_| aggregate(dice, scans)).collect();
    let mut plan = asked(&kinds, condition, keys, aggregates);
    if dice.half() {
        // As ROLLUP: all keys, then one less each time.
        plan.sets = (0..=plan.keys.len()).rev().map(|keys| (0..keys).collect()).collect();
    }
    if scans == 3 && dice.half() {
        plan.rows = joined_on_the_right(plan.rows);
    }
    plan
}

/// The same joins, in the other order of sides: households with their districts, and then the trips.
fn joined_on_the_right(rows: Rows) -> Rows {
    let inner =
        |left, right, on| Rows::Join(Join { kind: JoinKind::Inner, left, right, on: vec![on], filter: None }.into());
    let homes = inner(Rows::Scan(2), Rows::Scan(1), (col(PLACE), col(DISTRICT)));
    let all = inner(homes, Rows::Scan(0), (col(HOME), col(HOUSEHOLD)));
    match rows {
        Rows::Filter(_, condition) => Rows::Filter(all.into(), condition),
        Rows::Scan(_) | Rows::Join(_) => all,
    }
}

/// Rows by the values of some keys.
fn cells(reference: &Reference<'_>, rows: &[Tuple], keys: &[&Row]) -> BTreeMap<String, (Vec<Value>, Vec<Tuple>)> {
    let mut cells: BTreeMap<String, (Vec<Value>, Vec<Tuple>)> = BTreeMap::new();
    for tuple in rows {
        let values: Vec<Value> = keys.iter().map(|key| reference.value(key, tuple)).collect();
        cells.entry(format!("{values:?}")).or_insert_with(|| (values, Vec::new())).1.push(tuple.clone());
    }
    cells
}

/// What rows contribute to an aggregate, in order; zeros left out of a sum.
fn contributions(reference: &Reference<'_>, rows: &[Tuple], aggregate: &Aggregate) -> Vec<String> {
    let rows = rows.iter().filter(|tuple| aggregate.filter.as_ref().is_none_or(|one| reference.holds(one, tuple)));
    let values = rows.map(|tuple| {
        let argument = aggregate.argument.as_ref().map(|one| reference.value(one, tuple));
        let against = aggregate.against.as_ref().map(|one| reference.value(one, tuple));
        match (argument, against) {
            (None, _) => Some(vec![Literal::Integer(1)]),
            (Some(one), None) => one.map(|one| vec![one]),
            (Some(one), Some(other)) => one.zip(other).map(|(one, other)| vec![one, other]),
        }
    });
    let counts = matches!(aggregate.of, Aggregation::Count | Aggregation::CountRows);
    let zero = |values: &Vec<Literal>| *values == [Literal::Integer(0)] || *values == [Literal::Float(0.0)];
    let values = values.flatten().filter(|values| aggregate.of != Aggregation::Sum || !zero(values));
    let mut values: Vec<String> =
        values.map(|values| if counts { "[Integer(1)]".to_owned() } else { format!("{values:?}") }).collect();
    values.sort();
    values
}

/// Whether a row lies in a region: each of its dimensions by itself.
fn lies(ruling: &Ruling, reference: &Reference<'_>, region: &Region, tuple: &Tuple) -> bool {
    region.sets().all(|(dimension, set)| {
        let axis = ruling.axes().iter().find(|axis| axis.dimension == *dimension).expect("a dimension of the rows");
        let value = reference.cell(axis.column, tuple);
        let bin = match axis.bins() {
            Some(bins) => found(bins, &value),
            None => value.is_some().then_some(0),
        };
        set.contains(bin.unwrap_or_else(|| axis.outside()))
    })
}

/// Every row of the facts with its partners, chosen by nothing.
fn everything(ruling: &Ruling, reference: &Reference<'_>) -> Vec<Tuple> {
    fn outer(rows: &Rows) -> Rows {
        match rows {
            Rows::Scan(scan) => Rows::Scan(*scan),
            Rows::Filter(rows, _) => outer(rows),
            Rows::Join(join) => {
                Rows::Join(Join { kind: JoinKind::Left, left: outer(&join.left), ..(**join).clone() }.into())
            }
        }
    }
    reference.rows(&outer(&ruling.plan().rows))
}

fn agree(plan: &Plan, ruling: &Ruling, data: &Data) {
    let policies = policies();
    let seen = seen(data);
    let asked = Reference { plan, policies: &policies, data: &seen };
    let ruled = Reference { plan: ruling.plan(), policies: &policies, data };
    let rows = ruled.rows(&ruling.plan().rows);
    let all = everything(ruling, &ruled);
    let based: Vec<&Tuple> = all.iter().filter(|tuple| lies(ruling, &ruled, &ruling.base(), tuple)).collect();
    assert_eq!(sorted(rows.iter()), sorted(based), "the base");
    let asked_rows = asked.rows(&plan.rows);
    for (set, keys) in plan.sets.iter().enumerate() {
        let of = |plan: &'_ Plan| keys.iter().map(|key| plan.keys[*key].clone()).collect::<Vec<_>>();
        let (asked_keys, ruled_keys) = (of(plan), of(ruling.plan()));
        let mut asked_cells = cells(&asked, &asked_rows, &asked_keys.iter().collect::<Vec<_>>());
        for (name, (values, rows)) in cells(&ruled, &rows, &ruled_keys.iter().collect::<Vec<_>>()) {
            let values: Vec<Literal> = values
                .iter()
                .zip(keys)
                .map(|(value, key)| value.clone().unwrap_or(Literal::Null(ruling.cell_types()[*key])))
                .collect();
            let region = ruling.region(set, &values).expect("a cell");
            let inside: Vec<&Tuple> = all.iter().filter(|tuple| lies(ruling, &ruled, &region, tuple)).collect();
            assert_eq!(sorted(rows.iter()), sorted(inside), "cell {name}");
            let condition = ruling.condition(&region).expect("the rows say");
            let held: Vec<&Tuple> = all.iter().filter(|tuple| ruled.holds(&condition, tuple)).collect();
            assert_eq!(sorted(rows.iter()), sorted(held), "the condition of cell {name}");
            for scope in 0..ruling.scopes().len() {
                let condition = ruling.scope_condition(scope);
                let within = rows.iter().filter(|tuple| condition.as_ref().is_none_or(|one| ruled.holds(one, tuple)));
                let region = ruling.scoped(set, &values, scope).expect("a scope");
                let inside = all.iter().filter(|tuple| lies(ruling, &ruled, &region, tuple));
                assert_eq!(sorted(within), sorted(inside), "scope {scope} of cell {name}");
            }
            let asked_rows = asked_cells.remove(&name).map(|(_, rows)| rows).unwrap_or_default();
            for (one, other) in plan.aggregates.iter().zip(&ruling.plan().aggregates) {
                let (one, other) = (contributions(&asked, &asked_rows, one), contributions(&ruled, &rows, other));
                assert_eq!(one, other, "an aggregate of cell {name}");
            }
        }
        assert!(asked_cells.is_empty(), "cells that no region has: {:?}", asked_cells.keys());
    }
}

fn sorted<'a>(rows: impl IntoIterator<Item = &'a Tuple>) -> Vec<Tuple> {
    let mut rows: Vec<Tuple> = rows.into_iter().cloned().collect();
    rows.sort();
    rows
}

#[test]
fn cells_are_their_regions_row_by_row() {
    let (schemas, policies) = (schemas(), policies());
    let (mut allowed, mut with_rows) = (0, 0);
    for seed in 0..ROUNDS {
        let mut dice = Dice(seed);
        let (data, plan) = (data(&mut dice), question(&mut dice));
        let Ok(ruling) = judge_by(&plan, &schemas, &policies) else { continue };
        let agreed = std::panic::catch_unwind(|| agree(&plan, &ruling, &data));
        assert!(agreed.is_ok(), "seed {seed}: {plan:#?}");
        allowed += 1;
        let reference = Reference { plan: ruling.plan(), policies: &policies, data: &data };
        with_rows += usize::from(!reference.rows(&ruling.plan().rows).is_empty());
    }
    // Questions that are refused, or about nothing, show nothing.
    assert!(allowed > ROUNDS as usize / 10 && with_rows > allowed / 2, "{allowed} allowed, {with_rows} with rows");
}

const ROUNDS: u64 = 1_500;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    fixture::{CARRIER, DELAY, MONTH, PILOT, TAIL, count_rows, grouped, of, schemas},
    judge::judge,
    plan::{Aggregation, OutputColumn, Plan, RowColumn},
};

/// A row: carrier, aircraft if known, pilot, delay if known.
type Row = (u8, Option<u8>, u8, Option<u8>);

fn means_by_carrier() -> Judged {
    let plan = grouped(
        vec![Expression::Column(CARRIER)],
        vec![count_rows(), of(Aggregation::Mean, Expression::Column(DELAY))],
    );
    judge(plan, &schemas()).unwrap()
}

/// The rule, word for word: a cell leaves if its rows are about enough aircraft and enough pilots, and so are those of its
/// rows that have a delay.
fn may_leave(rows: &[&Row], least: usize) -> bool {
    let with_delay: Vec<&Row> = rows.iter().copied().filter(|row| row.3.is_some()).collect();
    [rows, with_delay.as_slice()].iter().all(|rows| {
        let aircraft: BTreeSet<u8> = rows.iter().filter_map(|row| row.1).collect();
        let pilots: BTreeSet<u8> = rows.iter().map(|row| row.2).collect();
        aircraft.len() >= least && pilots.len() >= least
    })
}

/// What an engine counts: the distinct values of the subject, up to the threshold, beside what must be there.
fn counted(judged: &Judged, cells: &BTreeMap<u8, Vec<&Row>>, least: u64) -> Vec<Vec<u64>> {
    let count = |count: &crate::SubjectCount, rows: &[&Row]| {
        let rows = rows.iter().filter(|row| count.beside.is_none() || row.3.is_some());
        let distinct: BTreeSet<u8> =
            rows.filter_map(|row| if count.subject == TAIL { row.1 } else { Some(row.2) }).collect();
        (distinct.len() as u64).min(least)
    };
    judged.counts().iter().map(|asked| cells.values().map(|rows| count(asked, rows)).collect()).collect()
}

proptest! {
    #[test]
    fn the_cells_that_leave_are_those_of_the_rule(
        rows in prop::collection::vec((0_u8..4, prop::option::weighted(0.9, 0_u8..12), 0_u8..12, prop::option::weighted(0.8, 0_u8..9)), 0..120),
        least in 1_u32..9,
    ) {
        let mut cells: BTreeMap<u8, Vec<&Row>> = BTreeMap::new();
        for row in &rows {
            cells.entry(row.0).or_default().push(row);
        }
        let judged = means_by_carrier();
        let counts = counted(&judged, &cells, u64::from(least));
        let counts: Vec<&[u64]> = counts.iter().map(Vec::as_slice).collect();
        let kept = judged.keep(cells.len(), &counts, LeastSubjects::new(least).unwrap()).unwrap();
        let expected: Vec<usize> = cells
            .values()
            .enumerate()
            .filter(|(_, rows)| may_leave(rows, least as usize))
            .map(|(place, _)| place)
            .collect();
        prop_assert_eq!(kept.places(), expected.as_slice());
    }

    #[test]
    fn keys_without_value_and_kept_keys_make_up_the_domain(kept in prop::collection::btree_set((0_usize..2, 0_usize..3), 0..6)) {
        let plan = grouped(vec![Expression::Column(CARRIER), Expression::Column(MONTH)], vec![count_rows()]);
        let judged = judge(plan, &schemas()).unwrap();
        let key = |(carrier, month): (usize, usize)| {
            vec![Literal::String(["AA", "UA"][carrier].into()), Literal::Integer([1, 2, 3][month])]
        };
        let all = (0..2).flat_map(|carrier| (0..3).map(move |month| (carrier, month)));
        let expected: Vec<_> = all.filter(|place| !kept.contains(place)).map(key).collect();
        let present: Vec<_> = kept.iter().copied().map(key).collect();
        prop_assert_eq!(judged.keys_without_value(&present), expected);
    }
}

#[test]
fn counts_of_another_shape_let_nothing_leave() {
    let judged = means_by_carrier();
    let least = LeastSubjects::new(11).unwrap();
    assert_eq!(judged.counts().len(), 4);
    assert_eq!(judged.keep(1, &[&[11], &[11], &[11]], least), Err(CellError::Counts));
    assert_eq!(judged.keep(1, &[&[11], &[11], &[11], &[11, 11]], least), Err(CellError::Counts));
    assert_eq!(judged.keep(1, &[&[11], &[11], &[11], &[11]], least).map(|kept| kept.0), Ok(vec![0]));
    assert_eq!(LeastSubjects::new(0), None);
}

#[test]
fn keys_are_listed_only_where_every_domain_is_declared_and_shown() {
    let listed = |keys: Vec<Expression<RowColumn>>, steps: Vec<Step>, width: usize| {
        let output = (0..width).map(|place| OutputColumn { name: format!("c{place}") }).collect();
        let plan = Plan { steps, output, ..grouped(keys, vec![count_rows()]) };
        judge(plan, &schemas()).unwrap().listed_keys()
    };
    let (carrier, month, pilot) = (Expression::Column(CARRIER), Expression::Column(MONTH), Expression::Column(PILOT));
    assert_eq!(listed(vec![], vec![], 1), None);
    assert_eq!(listed(vec![carrier.clone(), pilot], vec![], 3), None);
    assert_eq!(listed(vec![carrier.clone(), month.clone()], vec![], 3), Some(vec![0, 1]));
    let turned = Step::Project(vec![Expression::Column(2), Expression::Column(1), Expression::Column(0)]);
    assert_eq!(listed(vec![carrier.clone(), month.clone()], vec![turned], 3), Some(vec![1, 0]));
    let dropped = Step::Project(vec![Expression::Column(2), Expression::Column(1)]);
    assert_eq!(listed(vec![carrier, month], vec![dropped], 2), None);
}

//! What of a plan is checked whatever the policies say: its size and form, its columns, its types.

use octroi_proto::wire::v1 as wire;

use super::*;
use crate::{
    expression::{Comparison, Function, Literal},
    plan::{Aggregate, OutputColumn, Scan, SortKey},
    schema::{Digits, SchemaError},
};

type Row = Expression<RowColumn>;

const CARRIER: RowColumn = RowColumn { scan: 0, column: 1 };
const MONTH: RowColumn = RowColumn { scan: 0, column: 2 };
const DELAY: RowColumn = RowColumn { scan: 0, column: 3 };
const DISTANCE: RowColumn = RowColumn { scan: 0, column: 4 };
const SECRET: RowColumn = RowColumn { scan: 0, column: 5 };
const AT: RowColumn = RowColumn { scan: 0, column: 6 };

fn schemas() -> Schemas {
    let flights = wire::TableSchema {
        name: "flights".into(),
        columns: vec![
            declared("tail", wire::ColumnType::String, true),
            wire::Column {
                domain: vec!["AA".into(), "UA".into()],
                ..declared("carrier", wire::ColumnType::String, false)
            },
            wire::Column {
                domain: vec!["1".into(), "2".into(), "3".into()],
                ..declared("month", wire::ColumnType::Integer, false)
            },
            declared("delay", wire::ColumnType::Float, true),
            declared("distance", wire::ColumnType::Integer, false),
            wire::Column { hidden: true, ..declared("secret", wire::ColumnType::String, false) },
            declared("at", wire::ColumnType::Timestamp, false),
            declared("pilot", wire::ColumnType::Integer, false),
        ],
        subjects: vec!["tail".into(), "pilot".into()],
        public: false,
    };
    let weather = wire::TableSchema {
        name: "weather".into(),
        columns: vec![
            declared("month", wire::ColumnType::Integer, false),
            declared("temperature", wire::ColumnType::Float, false),
        ],
        subjects: Vec::new(),
        public: true,
    };
    Schemas::new(vec![Table::parse(&flights).unwrap(), Table::parse(&weather).unwrap()])
}

fn declared(name: &str, holds: wire::ColumnType, nullable: bool) -> wire::Column {
    wire::Column { name: name.into(), r#type: holds.into(), nullable, ..wire::Column::default() }
}

/// `SELECT keys, aggregates FROM flights GROUP BY keys`
fn grouped(keys: Vec<Expression<RowColumn>>, aggregates: Vec<Aggregate>) -> Plan {
    let output = (0..keys.len() + aggregates.len()).map(|place| OutputColumn { name: format!("c{place}") }).collect();
    let sets = vec![(0..keys.len()).collect()];
    Plan { scans: vec![Scan { table: 0 }], rows: Rows::Scan(0), keys, sets, aggregates, steps: Vec::new(), output }
}

fn count_rows() -> Aggregate {
    Aggregate { of: Aggregation::CountRows, argument: None, against: None, filter: None }
}

fn column(column: RowColumn) -> Row {
    Expression::Column(column)
}

fn is(left: Row, right: Row) -> Row {
    Expression::Compare(Comparison::Equal, left.into(), right.into())
}

/// As the judge by roles begins and ends.
fn verdict(plan: &Plan, schemas: &Schemas) -> Result<Vec<BTreeSet<usize>>, Rejection> {
    let judge = Judge { plan, schemas };
    judge.size()?;
    let columns = judge.columns()?;
    judge.rows(&plan.rows)?;
    judge.steps(&[Type::String, Type::Integer(Digits::STORED)])?;
    Ok(columns)
}

fn filtered(condition: Row) -> Result<Vec<BTreeSet<usize>>, Rejection> {
    let plan = grouped(vec![column(CARRIER)], vec![count_rows()]);
    verdict(&Plan { rows: Rows::Filter(plan.rows.into(), condition), ..plan }, &schemas())
}

#[test]
fn what_is_read_is_what_is_named_and_the_subjects() {
    let sum = Aggregate { of: Aggregation::Sum, argument: Some(column(DISTANCE)), ..count_rows() };
    let read = verdict(&grouped(vec![column(CARRIER)], vec![sum]), &schemas()).unwrap();
    assert_eq!(read[0].iter().copied().collect::<Vec<_>>(), [0, 1, 4, 7]);
    let read = filtered(is(column(DISTANCE), column(MONTH))).unwrap();
    assert_eq!(read[0].iter().copied().collect::<Vec<_>>(), [0, 1, 2, 4, 7]);
}

#[test]
fn a_hidden_column_is_refused_wherever_it_stands() {
    let hidden = Rejection::Hidden { column: "secret".into() };
    let secret = || is(column(SECRET), Expression::Literal(Literal::String("x".into())));
    assert_eq!(filtered(secret()).unwrap_err(), hidden);
    let key = grouped(vec![column(SECRET)], vec![count_rows()]);
    assert_eq!(verdict(&key, &schemas()).unwrap_err(), hidden);
    let argument = Aggregate { of: Aggregation::CountDistinct, argument: Some(column(SECRET)), ..count_rows() };
    assert_eq!(verdict(&grouped(vec![column(CARRIER)], vec![argument]), &schemas()).unwrap_err(), hidden);
    let filter = Aggregate { filter: Some(secret()), ..count_rows() };
    assert_eq!(verdict(&grouped(vec![column(CARRIER)], vec![filter]), &schemas()).unwrap_err(), hidden);
}

#[test]
fn what_could_fail_on_a_value_is_refused() {
    let integer = Type::Integer(Digits::STORED);
    let cast = |from: Row, to| is(Expression::Cast(from.into(), to), Expression::Literal(Literal::Null(to)));
    assert_eq!(filtered(cast(column(CARRIER), integer)).unwrap_err(), Rejection::Cast);
    assert_eq!(filtered(cast(column(DELAY), integer)).unwrap_err(), Rejection::Cast);
    assert_eq!(filtered(cast(column(CARRIER), Type::Timestamp)).unwrap_err(), Rejection::Cast);
    assert!(filtered(cast(column(DISTANCE), Type::Float)).is_ok());
    let tried = Expression::TryCast(column(CARRIER).into(), integer);
    assert!(filtered(is(tried, column(MONTH))).is_ok());
    let period = |name: &str| {
        let name = Expression::Literal(Literal::String(name.into()));
        is(Expression::Call(Function::DateTrunc, vec![name, column(AT)]), column(AT))
    };
    assert!(filtered(period("month")).is_ok());
    assert_eq!(filtered(period("fortnight")).unwrap_err(), Rejection::Type { construct: "date_trunc" });
    let length = |from, length| {
        let place = Expression::Literal(Literal::Integer(from));
        let part = vec![column(CARRIER), place, Expression::Literal(Literal::Integer(length))];
        is(Expression::Call(Function::Substring, part), column(CARRIER))
    };
    assert!(filtered(length(1, 2)).is_ok());
    for (from, most) in [(1, -2), (i64::MIN, 2), (i64::MAX, 2), (1, i64::MAX)] {
        assert_eq!(filtered(length(from, most)).unwrap_err(), Rejection::Bounds { construct: "substring" });
    }
    let form = |pattern: String| Expression::Like { value: column(CARRIER).into(), pattern, any_case: true };
    assert!(filtered(form("_".repeat(1_000))).is_ok());
    assert_eq!(filtered(form("_".repeat(1_001))).unwrap_err(), Rejection::Bounds { construct: "LIKE" });
}

#[test]
fn steps_see_cells_alone() {
    let with = |steps, width| {
        let output = (0..width).map(|place| OutputColumn { name: format!("c{place}") }).collect();
        verdict(&Plan { steps, output, ..grouped(vec![column(CARRIER)], vec![count_rows()]) }, &schemas())
    };
    let sort =
        |place| Step::Sort(vec![SortKey { by: Expression::Column(place), descending: true, nulls_first: false }]);
    assert!(with(vec![sort(1), Step::Limit { skip: 0, most: Some(3) }], 2).is_ok());
    assert_eq!(with(vec![sort(2)], 2).unwrap_err(), Rejection::Column);
    assert_eq!(
        with(vec![Step::Having(Expression::Column(1))], 2).unwrap_err(),
        Rejection::Type { construct: "HAVING" }
    );
    assert_eq!(with(vec![Step::Project(vec![Expression::Column(1)])], 2).unwrap_err(), Rejection::Malformed);
}

#[test]
fn a_table_without_subjects_must_be_said_to_be_public() {
    let parse = |subjects: &[&str], public| {
        let id = wire::Column { name: "id".into(), r#type: wire::ColumnType::String.into(), ..wire::Column::default() };
        let subjects = subjects.iter().map(|name| (*name).to_owned()).collect();
        Table::parse(&wire::TableSchema { name: "people".into(), columns: vec![id], subjects, public })
    };
    assert_eq!(parse(&[], false).unwrap_err(), SchemaError::Nobody);
    assert_eq!(parse(&["id"], true).unwrap_err(), SchemaError::Nobody);
    assert!(parse(&[], true).unwrap().subjects().is_empty());
}

#[test]
fn a_subject_that_is_hidden_cannot_be_counted() {
    let table = Table::parse(&wire::TableSchema {
        name: "people".into(),
        columns: vec![wire::Column {
            name: "id".into(),
            r#type: wire::ColumnType::String.into(),
            hidden: true,
            ..wire::Column::default()
        }],
        subjects: vec!["id".into()],
        public: false,
    });
    let plan = grouped(vec![], vec![count_rows()]);
    let refused = verdict(&plan, &Schemas::new(vec![table.unwrap()])).unwrap_err();
    assert_eq!(refused, Rejection::Uncountable { table: "people".into() });
}

use proptest::prelude::*;

use super::*;
use crate::{
    expression::{Arithmetic, Comparison, Function, Literal},
    fixture::{AT, CARRIER, DELAY, DISTANCE, MONTH, PILOT, SECRET, TAIL, count_rows, grouped, of, schemas},
    plan::{OutputColumn, Scan, SortKey},
};

type Row = Expression<RowColumn>;

fn column(column: RowColumn) -> Row {
    Expression::Column(column)
}

fn is(left: Row, right: Row) -> Row {
    Expression::Compare(Comparison::Equal, left.into(), right.into())
}

fn compute(operation: Arithmetic, left: Row, right: Row) -> Row {
    Expression::Arithmetic(operation, left.into(), right.into())
}

fn verdict(plan: Plan) -> Result<Judged, Rejection> {
    judge(plan, &schemas())
}

fn filtered(condition: Row) -> Result<Judged, Rejection> {
    let plan = grouped(vec![], vec![count_rows()]);
    verdict(Plan { rows: Rows::Filter(plan.rows.into(), condition), ..plan })
}

#[test]
fn what_is_read_is_what_is_named_and_the_subjects() {
    let judged = verdict(grouped(vec![column(CARRIER)], vec![of(Aggregation::Sum, column(DISTANCE))])).unwrap();
    assert_eq!(judged.columns(0).collect::<Vec<_>>(), [0, 1, 4, 7]);
    assert_eq!(judged.columns(1).count(), 0);
}

#[test]
fn a_hidden_column_is_refused_wherever_it_stands() {
    let hidden = Rejection::Hidden { column: "secret".into() };
    let secret = || is(column(SECRET), Expression::Literal(Literal::String("x".into())));
    assert_eq!(filtered(secret()).unwrap_err(), hidden);
    assert_eq!(verdict(grouped(vec![column(SECRET)], vec![])).unwrap_err(), hidden);
    let distinct = of(Aggregation::CountDistinct, column(SECRET));
    assert_eq!(verdict(grouped(vec![], vec![distinct])).unwrap_err(), hidden);
    let case = Expression::Case { branches: vec![(secret(), column(MONTH))], otherwise: None };
    assert_eq!(verdict(grouped(vec![case], vec![count_rows()])).unwrap_err(), hidden);
}

#[test]
fn sums_are_as_wide_as_they_can_become() {
    let sum =
        |argument| verdict(grouped(vec![], vec![of(Aggregation::Sum, argument)])).map(|judged| judged.cell_types()[0]);
    let digits = |count| Ok(Type::Integer(Digits::new(count).unwrap()));
    assert_eq!(sum(column(DISTANCE)), digits(29));
    assert_eq!(sum(column(DELAY)), Ok(Type::Float));
    assert_eq!(sum(column(CARRIER)), Err(Rejection::Type { construct: "SUM" }));
}

#[test]
fn conditions_inside_an_aggregate_are_refused() {
    let condition = || is(column(TAIL), Expression::Literal(Literal::String("N14228".into())));
    let one = Expression::Case {
        branches: vec![(condition(), column(DISTANCE))],
        otherwise: Some(Box::new(Expression::Literal(Literal::Integer(0)))),
    };
    let flag = Expression::Cast(condition().into(), Type::Integer(Digits::STORED));
    let product = compute(Arithmetic::Multiply, column(DISTANCE), flag.clone());
    let floor = Expression::Call(Function::Floor, vec![column(DELAY)]);
    let square = compute(Arithmetic::Multiply, column(DISTANCE), column(DISTANCE));
    let limit = Expression::Literal(Literal::Integer(500_000));
    let over = compute(Arithmetic::Divide, column(DISTANCE), limit);
    for argument in [one.clone(), flag, product, floor, square, over] {
        for aggregate in [Aggregation::Sum, Aggregation::Mean, Aggregation::Deviation, Aggregation::CountDistinct] {
            let refused = verdict(grouped(vec![], vec![of(aggregate, argument.clone())])).unwrap_err();
            assert_eq!(refused, Rejection::Argument { aggregate: aggregate.name() });
        }
    }
    // A count is about the rows counted, and so are its subjects.
    let counted = verdict(grouped(vec![], vec![of(Aggregation::Count, one)])).unwrap();
    assert!(counted.counts().iter().any(|count| count.beside.is_some()));
}

#[test]
fn each_subject_is_counted_beside_each_argument_that_can_be_missing() {
    let judged = verdict(grouped(
        vec![],
        vec![
            of(Aggregation::Sum, column(DISTANCE)),
            of(Aggregation::Mean, column(DELAY)),
            of(Aggregation::Sum, column(DELAY)),
        ],
    ))
    .unwrap();
    let count = |subject, beside| SubjectCount { subject, beside };
    assert_eq!(
        judged.counts(),
        [count(TAIL, None), count(TAIL, Some(column(DELAY))), count(PILOT, None), count(PILOT, Some(column(DELAY))),]
    );
}

#[test]
fn a_day_beyond_all_moments_is_thought_of() {
    let moment = Expression::Cast(column(AT).into(), Type::Timestamp);
    let judged = verdict(grouped(vec![], vec![of(Aggregation::Count, moment)])).unwrap();
    assert!(judged.counts().iter().any(|count| count.beside.is_some()));
}

fn joined(kind: JoinKind, filter: Option<Row>) -> Plan {
    let weather = |column| RowColumn { scan: 1, column };
    let on = vec![(column(MONTH), column(weather(0)))];
    let join = Join { kind, left: Rows::Scan(0), right: Rows::Scan(1), on, filter };
    Plan {
        scans: vec![Scan { table: 0 }, Scan { table: 1 }],
        rows: Rows::Join(join.into()),
        ..grouped(vec![], vec![of(Aggregation::Mean, column(weather(1)))])
    }
}

#[test]
fn joins_are_on_equality_and_missing_partners_are_thought_of() {
    assert!(verdict(joined(JoinKind::Inner, None)).unwrap().counts().iter().all(|count| count.beside.is_none()));
    // A flight without weather has no temperature: the mean is about the others.
    assert!(verdict(joined(JoinKind::Left, None)).unwrap().counts().iter().any(|count| count.beside.is_some()));
    let condition = is(column(CARRIER), Expression::Literal(Literal::String("AA".into())));
    assert!(verdict(joined(JoinKind::Inner, Some(condition.clone()))).is_ok());
    assert_eq!(verdict(joined(JoinKind::Full, Some(condition))).unwrap_err(), Rejection::Join);
    let Plan { rows: Rows::Join(mut join), .. } = joined(JoinKind::Inner, None) else { panic!("a join") };
    let of_no_row = Expression::Literal(Literal::Integer(1));
    join.on[0].0 = of_no_row;
    let constant = Plan { rows: Rows::Join(join.clone()), ..joined(JoinKind::Inner, None) };
    assert_eq!(verdict(constant).unwrap_err(), Rejection::Join);
    join.on.clear();
    assert_eq!(verdict(Plan { rows: Rows::Join(join), ..joined(JoinKind::Inner, None) }).unwrap_err(), Rejection::Join);
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
        verdict(Plan { steps, output, ..grouped(vec![column(CARRIER)], vec![count_rows()]) })
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
    use octroi_proto::wire::v1 as wire;

    use crate::schema::SchemaError;
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
    use octroi_proto::wire::v1 as wire;
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
    let refused = judge(plan, &Schemas::new(vec![table.unwrap()])).unwrap_err();
    assert_eq!(refused, Rejection::Uncountable { table: "people".into() });
}

fn expressions() -> impl Strategy<Value = Row> {
    let literal = prop_oneof![
        any::<i64>().prop_map(Literal::Integer),
        any::<bool>().prop_map(Literal::Boolean),
        (-1e6..1e6).prop_map(Literal::Float),
        "[a-z]{0,3}".prop_map(Literal::String),
    ];
    let leaf = prop_oneof![
        (0_usize..2, 0_usize..9).prop_map(|(scan, column)| Expression::Column(RowColumn { scan, column })),
        literal.prop_map(Expression::Literal),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(left, right)| is(left, right)),
            pair.clone().prop_map(|(left, right)| compute(Arithmetic::Multiply, left, right)),
            pair.clone().prop_map(|(left, right)| compute(Arithmetic::Divide, left, right)),
            pair.prop_map(|(left, right)| Expression::And(vec![left, right])),
            inner.clone().prop_map(|one| Expression::IsNull(one.into())),
            inner.clone().prop_map(|one| Expression::Cast(one.into(), Type::Float)),
            prop::collection::vec(inner, 1..3).prop_map(|all| Expression::Call(Function::Coalesce, all)),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_allowed_reads_no_hidden_column_and_counts_every_subject(
        key in expressions(), argument in expressions(), condition in expressions(), two in any::<bool>(),
    ) {
        let base = if two { joined(JoinKind::Left, None) } else { grouped(vec![], vec![]) };
        let plan = Plan {
            rows: Rows::Filter(base.rows.into(), condition),
            scans: base.scans,
            ..grouped(vec![key], vec![count_rows(), of(Aggregation::Sum, argument)])
        };
        if let Ok(judged) = verdict(plan) {
            prop_assert!(judged.columns(0).all(|place| place != SECRET.column));
            for subject in [TAIL, PILOT] {
                prop_assert!(judged.columns(0).any(|place| place == subject.column));
                prop_assert!(judged.counts().iter().any(|count| count.subject == subject && count.beside.is_none()));
            }
        }
    }
}

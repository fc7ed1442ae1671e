//! No value makes the engine fail: what it refused because of a value would tell of the value. Questions are made at
//! random, of all that the judge lets through, over values at the edges of their types; each that fails prints the seed
//! it was made from.

mod making;
mod meaning;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringViewArray,
        TimestampMicrosecondArray,
    },
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float64Type, Int64Type, TimestampMicrosecondType,
    },
};
use datafusion::{catalog::TableProvider, datasource::MemTable};
use octroi_proto::wire::v1;
use octroi_release::{
    Aggregate, Aggregation, Expression, Join, JoinKind, Judged, LeastSubjects, OutputColumn, Plan, RowColumn, Rows,
    Scan, Schemas, SortKey, Step, Table, Type, judge,
};

use self::{
    making::{Maker, TYPES, WHOLE},
    meaning::{Value, same, value},
};
use crate::{
    engine::{
        answer::answer,
        execute::{Executor, Outcome, Run},
        question::Limits,
        raise::form,
        refusal::Cause,
    },
    table::tests::Dice,
};

/// Rows about one subject each.
const ROWS: usize = 48;
const TRIALS: u64 = 700;

#[test]
fn no_value_makes_an_expression_fail_and_each_has_its_meaning() {
    let rows = table_rows();
    let (executor, mut judged_ones, mut known, mut failed) = (Executor::start(2).unwrap(), 0, 0, Vec::new());
    for seed in 0..TRIALS {
        let mut dice = Dice::new(seed + 1);
        let plan = single(&mut dice);
        let Ok(judged) = judge(plan.clone(), &schemas()) else { continue };
        judged_ones += 1;
        let Some(outcome) = run(&executor, judged, seed, &mut failed) else { continue };
        let condition = if let Rows::Filter(_, condition) = &plan.rows { Some(condition) } else { None };
        let mut left = [true; ROWS];
        for place in 0..outcome.kept.num_rows() {
            let row = outcome.kept.column(0).as_primitive::<Int64Type>().value(place) as usize;
            left[row] = false;
            let fits = condition.is_none_or(|it| value(it, &rows[row]).is_none_or(|it| it == Value::Boolean(true)));
            assert!(fits, "seed {seed}: row {row} does not fit its condition");
            for (key, expression) in plan.keys.iter().enumerate() {
                let told = at(outcome.kept.column(key), place);
                let (Some(told), Some(meant)) = (told, value(expression, &rows[row])) else { continue };
                known += 1;
                assert!(
                    same(&told, &meant),
                    "seed {seed}: {told:?}, not {meant:?}, in {:?}\n{expression:?}",
                    rows[row]
                );
            }
        }
        for row in (0..ROWS).filter(|row| left[*row]) {
            let fits = condition.is_none_or(|it| value(it, &rows[row]) == Some(Value::Boolean(true)));
            assert!(!fits, "seed {seed}: row {row} is missing");
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(judged_ones > TRIALS / 3 && known > 10_000, "{judged_ones} {known}");
}

#[test]
fn no_value_makes_an_aggregate_a_join_or_a_step_fail() {
    let (executor, mut judged_ones, mut failed) = (Executor::start(2).unwrap(), 0, Vec::new());
    for seed in 0..TRIALS {
        let mut dice = Dice::new(seed + 100_001);
        let plan = if dice.below(3) == 0 { joined(&mut dice) } else { grouped(&mut dice) };
        let Ok(judged) = judge(with_steps(plan, &mut dice), &schemas()) else { continue };
        judged_ones += 1;
        run(&executor, judged, seed, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(judged_ones > TRIALS / 4, "{judged_ones}");
}

/// Each row by itself, with expressions of it.
fn single(dice: &mut Dice) -> Plan {
    let columns = columns(0);
    let mut maker = Maker { dice, columns: &columns };
    let mut keys = vec![Expression::Column(RowColumn { scan: 0, column: 0 })];
    keys.extend((0..3).map(|_| maker.any(4)));
    let condition = (maker.dice.below(2) == 0).then(|| maker.make(Type::Boolean, 4));
    let aggregates = vec![count()];
    let rows = match condition {
        Some(condition) => Rows::Filter(Rows::Scan(0).into(), condition),
        None => Rows::Scan(0),
    };
    plan(vec![Scan { table: 0 }], rows, keys, aggregates)
}

/// Cells of many rows, and every aggregate.
fn grouped(dice: &mut Dice) -> Plan {
    let columns = columns(0);
    let mut maker = Maker { dice, columns: &columns };
    let keys = (0..maker.dice.below(2)).map(|_| maker.make(Type::Boolean, 3)).collect();
    let aggregates = (0..3).map(|_| aggregate(&mut maker)).collect();
    plan(vec![Scan { table: 0 }], Rows::Scan(0), keys, aggregates)
}

fn joined(dice: &mut Dice) -> Plan {
    let (left, right) = (columns(0), columns(1));
    let holds = *dice.one(&TYPES);
    let on = vec![(Maker { dice, columns: &left }.make(holds, 2), Maker { dice, columns: &right }.make(holds, 2))];
    let kind = *dice.one(&[JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full]);
    let both = [left, right].concat();
    let mut maker = Maker { dice, columns: &both };
    let filter = (kind == JoinKind::Inner).then(|| maker.make(Type::Boolean, 2));
    let aggregates = vec![count(), aggregate(&mut maker)];
    let keys = vec![maker.make(Type::Boolean, 2)];
    let join = Join { kind, left: Rows::Scan(0), right: Rows::Scan(1), on, filter };
    plan(vec![Scan { table: 0 }; 2], Rows::Join(join.into()), keys, aggregates)
}

fn aggregate(maker: &mut Maker<'_, RowColumn>) -> Aggregate {
    let of = *maker.dice.one(&[
        Aggregation::Count,
        Aggregation::CountDistinct,
        Aggregation::Sum,
        Aggregation::Mean,
        Aggregation::Variance,
        Aggregation::PopulationVariance,
        Aggregation::Deviation,
        Aggregation::PopulationDeviation,
    ]);
    let numbers = [WHOLE, WHOLE, Type::Float];
    let holds = if of == Aggregation::CountDistinct { *maker.dice.one(&TYPES) } else { *maker.dice.one(&numbers) };
    let argument = if of == Aggregation::Count { maker.any(3) } else { maker.make(holds, 0) };
    let cast = matches!(holds, Type::Integer(_)) && maker.dice.below(3) == 0;
    Aggregate { of, argument: Some(if cast { Expression::Cast(argument.into(), Type::Float) } else { argument }) }
}

/// The same, and what is made of its cells.
fn with_steps(plan: Plan, dice: &mut Dice) -> Plan {
    let Ok(judged) = judge(plan.clone(), &schemas()) else { return plan };
    let cells: Vec<(usize, Type)> = judged.cell_types().iter().copied().enumerate().collect();
    let mut maker = Maker { dice, columns: &cells };
    let shown = (0..2).map(|_| maker.any(3)).collect::<Vec<_>>();
    let by = maker.any(2);
    let mut steps = vec![
        Step::Sort(vec![SortKey { by, descending: true, nulls_first: false }]),
        Step::Project(shown),
        Step::Limit { skip: 0, most: Some(20) },
    ];
    if maker.dice.below(2) == 0 {
        steps.insert(0, Step::Having(maker.make(Type::Boolean, 3)));
    }
    let output = (0..2).map(|place| OutputColumn { name: format!("c{place}") }).collect();
    Plan { steps, output, ..plan }
}

fn plan(scans: Vec<Scan>, rows: Rows, keys: Vec<Expression<RowColumn>>, aggregates: Vec<Aggregate>) -> Plan {
    let output = (0..keys.len() + aggregates.len()).map(|place| OutputColumn { name: format!("c{place}") }).collect();
    Plan { scans, rows, keys, aggregates, steps: Vec::new(), output }
}

fn count() -> Aggregate {
    Aggregate { of: Aggregation::CountRows, argument: None }
}

/// Runs and tells a question; `None` when there is nothing to tell of, which is no failure in itself.
fn run(executor: &Executor, judged: Judged, seed: u64, failed: &mut Vec<String>) -> Option<Outcome> {
    let judged = Arc::new(judged);
    let limits = Limits { memory: 1 << 30, scratch: 0, rows: 10_000, bytes: 1 << 24, wall: Duration::from_secs(60) };
    let run = Run {
        judged: Arc::clone(&judged),
        tables: vec![Some(table())],
        limits,
        least_subjects: LeastSubjects::new(1).unwrap(),
        scratch: None,
    };
    match executor.run(run, Instant::now() + limits.wall) {
        Ok(outcome) => {
            let told = answer(&judged, &outcome, &limits);
            if let Err(cause) = told {
                failed.push(format!("seed {seed}: not told, {cause:?}: {:?}", judged.plan()));
            }
            Some(outcome)
        }
        Err(Cause::TooFewSubjects) => None,
        Err(cause) => {
            failed.push(format!("seed {seed}: {cause:?}: {:?}", judged.plan()));
            None
        }
    }
}

/// The number of the row first; then a column of each type.
fn columns(scan: usize) -> Vec<(RowColumn, Type)> {
    let types = [WHOLE].into_iter().chain(TYPES);
    types.enumerate().map(|(column, holds)| (RowColumn { scan, column }, holds)).collect()
}

fn schemas() -> Schemas {
    use v1::ColumnType::{Boolean, Date, Float, Integer, String, Timestamp};
    let kinds = [Integer, Boolean, Integer, Float, String, Date, Timestamp];
    let columns = kinds.into_iter().zip(["row", "b", "i", "f", "s", "d", "t"]).map(|(kind, name)| v1::Column {
        name: name.into(),
        r#type: kind.into(),
        nullable: name != "row",
        ..v1::Column::default()
    });
    let schema = v1::TableSchema {
        name: "edges".into(),
        columns: columns.collect(),
        subjects: vec!["row".into()],
        public: false,
    };
    Schemas::new(vec![Table::parse(&schema).unwrap()])
}

fn table_rows() -> &'static [Vec<Value>] {
    static ROWS_OF_IT: OnceLock<Vec<Vec<Value>>> = OnceLock::new();
    ROWS_OF_IT.get_or_init(|| {
        let mut dice = Dice::new(1_789);
        let mut row = |number: usize| {
            let values = [
                Value::Boolean(dice.below(2) == 0),
                Value::Integer(making::integer(&mut dice).into()),
                Value::Float(making::float(&mut dice)),
                Value::Text(making::text(&mut dice)),
                Value::Day(making::day(&mut dice)),
                Value::Moment(making::moment(&mut dice)),
            ];
            let values = values.map(|value| if dice.below(8) == 0 { Value::Missing } else { value });
            [vec![Value::Integer(number as i128)], values.into()].concat()
        };
        (0..ROWS).map(&mut row).collect()
    })
}

/// In two partitions.
fn table() -> Arc<dyn TableProvider> {
    let fields = columns(0).into_iter().zip(["row", "b", "i", "f", "s", "d", "t"]);
    let fields = fields.map(|((_, holds), name)| Field::new(name, form(holds), true)).collect::<Vec<_>>();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let batch = |rows: &[Vec<Value>]| RecordBatch::try_new(Arc::clone(&schema), arrays(rows)).unwrap();
    let (first, second) = table_rows().split_at(ROWS / 3);
    Arc::new(MemTable::try_new(Arc::clone(&schema), vec![vec![batch(first)], vec![batch(second)]]).unwrap())
}

fn arrays(rows: &[Vec<Value>]) -> Vec<ArrayRef> {
    let column = |place: usize| rows.iter().map(move |row| &row[place]);
    let integers = |place| -> ArrayRef {
        let of = |value: &Value| if let Value::Integer(value) = value { Some(*value as i64) } else { None };
        Arc::new(Int64Array::from_iter(column(place).map(of)))
    };
    let boolean = |value: &Value| if let Value::Boolean(value) = value { Some(*value) } else { None };
    let float = |value: &Value| if let Value::Float(value) = value { Some(*value) } else { None };
    let day = |value: &Value| if let Value::Day(value) = value { Some(*value) } else { None };
    let moment = |value: &Value| if let Value::Moment(value) = value { Some(*value) } else { None };
    fn text(value: &Value) -> Option<&str> {
        if let Value::Text(value) = value { Some(value) } else { None }
    }
    vec![
        integers(0),
        Arc::new(BooleanArray::from_iter(column(1).map(boolean))),
        integers(2),
        Arc::new(Float64Array::from_iter(column(3).map(float))),
        Arc::new(StringViewArray::from_iter(column(4).map(text))),
        Arc::new(Date32Array::from_iter(column(5).map(day))),
        Arc::new(TimestampMicrosecondArray::from_iter(column(6).map(moment)).with_timezone("UTC")),
    ]
}

/// What the engine gave; `None` for a number too wide to compare.
fn at(column: &ArrayRef, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return Some(Value::Missing);
    }
    Some(match column.data_type() {
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::Decimal128(..) => Value::Integer(column.as_primitive::<Decimal128Type>().value(row)),
        DataType::Decimal256(..) => Value::Integer(column.as_primitive::<Decimal256Type>().value(row).to_i128()?),
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8View => Value::Text(column.as_string_view().value(row).to_owned()),
        DataType::Date32 => Value::Day(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(..) => Value::Moment(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        other => panic!("a column of {other}"),
    })
}

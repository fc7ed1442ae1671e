//! No value makes the engine fail: what it refused because of a value would tell of the value. Expressions are made at
//! random, of all that is admitted anywhere, over values at the edges of their types; each that fails prints the seed it
//! was made from.

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
    compute::concat_batches,
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float64Type, Int64Type, TimestampMicrosecondType,
    },
};
use datafusion::{
    catalog::TableProvider,
    common::{Column, DataFusionError},
    datasource::{MemTable, provider_as_source},
    execution::SessionStateBuilder,
    logical_expr::LogicalPlanBuilder,
};
use octroi_proto::wire::v1;
use octroi_release::{Expression, Type, type_of};

use self::{
    making::{Maker, TYPES, WHOLE},
    meaning::{Value, same, value},
};
use super::harness::question_of;
use crate::{
    engine::{
        Planned,
        answer::answer,
        execute::{Executor, Run},
        question::{Limits, Question},
        raise::{Columns, form},
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
    let (mut sound, mut known, mut failed) = (0, 0, Vec::new());
    for seed in 0..TRIALS {
        let mut dice = Dice::new(seed + 1);
        let columns = columns();
        let mut maker = Maker { dice: &mut dice, columns: &columns };
        let made: Vec<Expression<usize>> = (0..3).map(|_| maker.any(4)).collect();
        let condition = (maker.dice.below(2) == 0).then(|| maker.make(Type::Boolean, 4));
        if made.iter().chain(&condition).any(|one| type_of(one, &holds).is_err()) {
            continue;
        }
        sound += 1;
        let told = match evaluated(&made, condition.as_ref()) {
            Ok(told) => told,
            Err(error) => {
                failed.push(format!("seed {seed}: {error}: {made:?} {condition:?}"));
                continue;
            }
        };
        let mut left = [true; ROWS];
        for place in 0..told.num_rows() {
            let row = told.column(0).as_primitive::<Int64Type>().value(place) as usize;
            left[row] = false;
            let fits =
                condition.as_ref().is_none_or(|it| value(it, &rows[row]).is_none_or(|it| it == Value::Boolean(true)));
            assert!(fits, "seed {seed}: row {row} does not fit its condition");
            for (column, expression) in made.iter().enumerate() {
                let (Some(told), Some(meant)) = (at(told.column(column + 1), place), value(expression, &rows[row]))
                else {
                    continue;
                };
                known += 1;
                assert!(
                    same(&told, &meant),
                    "seed {seed}: {told:?}, not {meant:?}, in {:?}\n{expression:?}",
                    rows[row]
                );
            }
        }
        for row in (0..ROWS).filter(|row| left[*row]) {
            let fits = condition.as_ref().is_none_or(|it| value(it, &rows[row]) == Some(Value::Boolean(true)));
            assert!(!fits, "seed {seed}: row {row} is missing");
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(sound > TRIALS / 3 && known > 10_000, "{sound} {known}");
}

/// Of each row its number, then the expressions; of the rows that meet the condition.
fn evaluated(
    made: &[Expression<usize>],
    condition: Option<&Expression<usize>>,
) -> Result<RecordBatch, DataFusionError> {
    let name = |column: usize| NAMES.get(column).map(|name| Column::new_unqualified(*name));
    let of = Columns { name: &name, holds: &holds };
    let mut plan = LogicalPlanBuilder::scan("edges", provider_as_source(table()), None)?;
    if let Some(condition) = condition {
        plan = plan.filter(of.raise(condition)?)?;
    }
    let all = [Expression::Column(0)].into_iter().chain(made.iter().cloned());
    let all = all.enumerate().map(|(place, one)| Ok(of.raise(&one)?.alias(format!("c{place}"))));
    let plan = plan.project(all.collect::<Result<Vec<_>, DataFusionError>>()?)?.build()?;
    let session = SessionStateBuilder::new_with_default_features().build();
    let run = async {
        let physical = session.create_physical_plan(&plan).await?;
        let schema = physical.schema();
        Ok::<_, DataFusionError>((schema, datafusion::physical_plan::collect(physical, session.task_ctx()).await?))
    };
    let (schema, batches) =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(run)?;
    Ok(concat_batches(&schema, &batches)?)
}

/// Every aggregate that a policy lets through, over the same values: it fails for none of them.
#[test]
fn no_value_makes_an_aggregate_fail() {
    let executor = Executor::start(2).unwrap();
    let mut told = 0;
    for number in ["i", "f"] {
        for of in ["count", "sum", "avg", "var_samp", "var_pop", "stddev_samp", "stddev_pop", "approx_median"] {
            told += usize::from(asked(&executor, &format!("SELECT b, {of}({number}) FROM edges GROUP BY b")));
        }
        for of in ["corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept", "regr_r2", "regr_sxy"] {
            told += usize::from(asked(&executor, &format!("SELECT {of}(f, {number}), {of}({number}, i) FROM edges")));
        }
    }
    let dimensions = "SELECT s, extract(HOUR FROM t), count(*), count(DISTINCT \"row\") FROM edges";
    for keys in ["ROLLUP (1, 2)", "CUBE (1, 2)", "1, 2"] {
        told += usize::from(asked(
            &executor,
            &format!("{dimensions} GROUP BY {}", keys.replace('1', "s").replace('2', "extract(HOUR FROM t)")),
        ));
    }
    assert!(told > 4, "{told}");
}

/// Whether there was an answer; nothing but a rule keeps one back.
fn asked(executor: &Executor, sql: &str) -> bool {
    let planned = Planned::new(question(sql)).unwrap_or_else(|refused| panic!("{sql}: {refused}"));
    let limits = Limits { memory: 1 << 30, scratch: 0, rows: 10_000, bytes: 1 << 24, wall: Duration::from_secs(60) };
    let (ruling, cells) = (Arc::clone(&planned.ruling), planned.question.cells);
    let run = Run {
        ruling: Arc::clone(&ruling),
        ground: Arc::clone(&ruling),
        cells,
        tables: vec![Some(table())],
        limits,
        earlier: None,
        information: None,
        noisy: None,
        scratch: None,
    };
    match executor.run(run, Instant::now() + limits.wall) {
        Ok(outcome) => {
            answer(&ruling, &outcome, &limits).unwrap_or_else(|cause| panic!("{sql}: {cause}"));
            true
        }
        Err(Cause::TooFewSubjects) => false,
        Err(cause) => panic!("{sql}: {cause}"),
    }
}

fn question(sql: &str) -> Question {
    use v1::{column_policy::Role, dimension::Bins};
    let dimension = |bins| Role::Dimension(v1::Dimension { bins: Some(bins), groups: Vec::new() });
    let measure = || Role::Measure(v1::Measure::default());
    let calendar = v1::Calendar { from: "1970-01-01".into(), to: "1970-03-01".into(), period: "hour".into() };
    let roles = vec![
        ("row", Role::Identifier(v1::Identifier {})),
        ("b", dimension(Bins::Listed(v1::Listed {}))),
        ("i", measure()),
        ("f", measure()),
        ("s", dimension(Bins::Listed(v1::Listed {}))),
        ("t", dimension(Bins::Calendar(calendar))),
    ];
    question_of(schema(), roles, sql)
}

/// The number of the row first; then a column of each type.
fn columns() -> Vec<(usize, Type)> {
    [WHOLE].into_iter().chain(TYPES).enumerate().collect()
}

fn holds(column: usize) -> Option<Type> {
    columns().get(column).map(|(_, holds)| *holds)
}

fn schema() -> v1::TableSchema {
    use v1::ColumnType::{Boolean, Date, Float, Integer, String, Timestamp};
    let kinds = [Integer, Boolean, Integer, Float, String, Date, Timestamp];
    let columns = kinds.into_iter().zip(NAMES).map(|(kind, name)| v1::Column {
        name: name.into(),
        r#type: kind.into(),
        nullable: name != "row",
        domain: if name == "s" { vec!["a".into(), "b".into()] } else { Vec::new() },
        ..v1::Column::default()
    });
    v1::TableSchema { name: "edges".into(), columns: columns.collect(), subjects: vec!["row".into()], public: false }
}

const NAMES: [&str; 7] = ["row", "b", "i", "f", "s", "d", "t"];

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
    let fields = columns().into_iter().zip(NAMES);
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

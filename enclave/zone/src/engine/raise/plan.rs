//! Relations: rows up to their cells, what is counted beside these, and the steps over cells that may leave.

mod beside;
mod bounded;
mod classes;
mod parts;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    catalog::TableProvider,
    common::{Column, DataFusionError, JoinType, TableReference},
    datasource::provider_as_source,
    functions,
    functions_aggregate::{count::count_udaf, min_max::max_udaf, sum::sum_udaf},
    logical_expr::{
        AggregateUDF, Cast, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Sort, SortExpr, TableSource,
        expr::{AggregateFunction, ScalarFunction},
        expr_rewriter::normalize_sorts,
        lit,
    },
};
use octroi_release::{
    Aggregation, Expression, Join, JoinKind, Measure, Quantity, RowColumn, Rows, Ruling, SortKey, Step, Type,
    judge::roles::Axis, noise::NoisyFigures, space::BinSet,
};

use self::beside::OfCells;
use super::{Columns, binary, unjudged};
use crate::engine::{
    contributions::contributions,
    different::different,
    functions::{Rounding, rounding},
};

/// The tables of a question, in its order; those that its plan scans are there.
pub(in crate::engine) type Tables = [Option<Arc<dyn TableProvider>>];

/// The cells of one grouping set: of each the keys of the set, then of each figure the columns that
/// `counted` reads, then of each scope how many different values each category has.
///
/// # Errors
/// Whatever the engine finds wrong with it: nothing, for a judged plan.
pub(in crate::engine) fn cells(
    ruling: &Ruling,
    tables: &Tables,
    set: usize,
    categories: &[RowColumn],
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.cells(set, categories))
}

/// A number that subjects contribute to, of rows for which a condition holds; of all if there is none.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Measured {
    /// The condition.
    pub(in crate::engine) within: Option<Expression<RowColumn>>,
    /// The number.
    pub(in crate::engine) measure: Measure,
}

/// What the subjects of one unit contribute to cells of these rows: of each cell its keys, then of each number what
/// [`contributions`] makes of it. Keys are expressions over rows.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn statistics(
    ruling: &Ruling,
    tables: &Tables,
    rows: &Rows,
    keys: &[Expression<RowColumn>],
    unit: RowColumn,
    measured: &[Measured],
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.statistics(rows, keys, unit, measured))
}

/// What noise is added to, of the cells of one grouping set: of each the keys of the set, then a whole number for each part.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn bounded(
    ruling: &Ruling,
    tables: &Tables,
    set: usize,
    figures: &NoisyFigures,
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.bounded(set, figures))
}

/// Which combinations of classes rows have, of each dimension by disjoint sets of its bins that are all of them: the classes'
/// numbers, then how many different subjects of a unit.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn classes(
    ruling: &Ruling,
    tables: &Tables,
    rows: &Rows,
    by: &[(&Axis, &[BinSet])],
    unit: RowColumn,
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.classes(rows, by, unit))
}

/// How many different values each of some categories has: of each combination of keys, which come first.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn categories(
    ruling: &Ruling,
    tables: &Tables,
    keys: &[Expression<RowColumn>],
    categories: &[RowColumn],
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.categories(keys, categories))
}

/// What each subject of a unit brings with its rows of each combination of classes, as of [`classes`], sorted by subject: the
/// classes' numbers, the subject, and a float for each measure.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn by_subject(
    ruling: &Ruling,
    (tables, rows): (&Tables, &Rows),
    by: &[(&Axis, &[BinSet])],
    unit: RowColumn,
    measures: &[Measure],
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.by_subject(rows, by, unit, measures))
}

/// Which values of a category there are with each combination of classes: the classes' numbers, then the value.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn kinds(
    ruling: &Ruling,
    (tables, rows): (&Tables, &Rows),
    by: &[(&Axis, &[BinSet])],
    category: RowColumn,
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.kinds(rows, by, category))
}

/// How many subjects of a unit lie on each side of the values given for the cells of a set, by a figure's column: of each
/// cell its keys, how many have a value that is no more, and how many one that is no less.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn sides(
    ruling: &Ruling,
    tables: &Tables,
    set: usize,
    figure: usize,
    unit: RowColumn,
    values: &OfCells,
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.sides(set, figure, unit, values))
}

/// How often the most frequent value of a column is there, in one row; missing if there is none.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn most_frequent(
    ruling: &Ruling,
    tables: &Tables,
    column: RowColumn,
) -> Result<LogicalPlan, DataFusionError> {
    Raise::of(ruling, tables, |raise| raise.most_frequent(column))
}

/// The steps over cells, from a relation whose columns are named by [`cell_name`], and [`NOISE`] behind them, which stays
/// behind.
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn steps(ruling: &Ruling, cells: Arc<dyn TableProvider>) -> Result<LogicalPlan, DataFusionError> {
    let mut plan = LogicalPlanBuilder::scan("cells", provider_as_source(cells), None)?;
    let mut types = ruling.cell_types().to_vec();
    for step in &ruling.plan().steps {
        let name = |place: usize| Some(Column::new_unqualified(cell_name(place)));
        let holds = |place: usize| types.get(place).copied();
        let columns = Columns { name: &name, holds: &holds };
        match step {
            Step::Having(condition) => plan = plan.filter(columns.raise(condition)?)?,
            Step::Project(expressions) => {
                let raised = expressions.iter().enumerate();
                let raised = raised.map(|(place, one)| Ok(columns.raise(one)?.alias(cell_name(place))));
                let noise = named(NOISE);
                plan = plan.project(raised.chain([Ok(noise)]).collect::<Result<Vec<_>, DataFusionError>>()?)?;
                types = expressions.iter().map(|one| columns.of(one)).collect::<Result<_, _>>()?;
            }
            Step::Sort(keys) => {
                let input = plan.build()?;
                // The builder's own sort takes what a filter before it names for a column.
                let expr = normalize_sorts(order(keys, &columns, types.len())?, &input)?;
                plan = LogicalPlanBuilder::from(LogicalPlan::Sort(Sort { expr, input: Arc::new(input), fetch: None }));
            }
            Step::Limit { skip, most } => {
                let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
                plan = plan.limit(size(*skip), most.map(size))?;
            }
        }
    }
    plan.build()
}

/// What a column of a cell, or of a step over cells, is called.
pub(in crate::engine) fn cell_name(place: usize) -> String {
    format!("c{place}")
}

/// By the keys, then by every column, so that nothing but what is released decides.
fn order(keys: &[SortKey], columns: &Columns<'_, usize>, width: usize) -> Result<Vec<SortExpr>, DataFusionError> {
    let asked = keys.iter().map(|key| Ok(columns.raise(&key.by)?.sort(!key.descending, key.nulls_first)));
    let rest = (0..width).map(|place| Ok(columns.raise(&Expression::Column(place))?.sort(true, false)));
    asked.chain(rest).collect()
}

struct Raise<'a> {
    ruling: &'a Ruling,
    tables: &'a Tables,
    columns: Columns<'a, RowColumn>,
}

impl Raise<'_> {
    fn of(
        ruling: &Ruling,
        tables: &Tables,
        raise: impl FnOnce(Raise<'_>) -> Result<LogicalPlan, DataFusionError>,
    ) -> Result<LogicalPlan, DataFusionError> {
        let name = |column: RowColumn| {
            let relation = TableReference::bare(scan_name(column.scan));
            ruling.column(column).map(|declared| Column::new(Some(relation), declared.name.clone()))
        };
        let holds = |column: RowColumn| ruling.column(column).map(|declared| declared.holds);
        raise(Raise { ruling, tables, columns: Columns { name: &name, holds: &holds } })
    }

    fn cells(&self, set: usize, categories: &[RowColumn]) -> Result<LogicalPlan, DataFusionError> {
        let keys = self.keys(set)?;
        if let Some(values) = self.lone_different().filter(|_| categories.is_empty()) {
            return self.cells_of_values(keys, values);
        }
        let mut columns = Vec::new();
        for aggregate in &self.ruling.plan().aggregates {
            columns.extend(self.parts(aggregate)?);
        }
        for scope in 0..self.ruling.scopes().len() {
            let within = self.within(self.ruling.scope_condition(scope).as_ref(), &[])?;
            for category in categories {
                columns.push(self.different(&Expression::Column(*category), within.clone())?);
            }
        }
        if columns.is_empty() {
            columns.push(call(count_udaf(), vec![lit(1_i64)], false, None));
        }
        let columns = columns.into_iter().enumerate().map(|(place, one)| one.alias(part_name(place)));
        self.rows(&self.ruling.plan().rows)?.aggregate(keys, columns)?.build()
    }

    /// The values whose different ones are counted, if nothing else is asked of the cells.
    fn lone_different(&self) -> Option<&Expression<RowColumn>> {
        let [lone] = self.ruling.plan().aggregates.as_slice() else { return None };
        lone.argument.as_ref().filter(|_| lone.of == Aggregation::CountDistinct && lone.filter.is_none())
    }

    /// In two steps as well: each value in each cell is a group first, which spills; a set of values does not.
    fn cells_of_values(&self, keys: Vec<Expr>, values: &Expression<RowColumn>) -> Result<LogicalPlan, DataFusionError> {
        let value = self.columns.raise(values)?.alias(VALUE);
        let values = vec![named(VALUE)];
        let by_cell = (0..keys.len()).map(|place| named(cell_name(place)));
        let by_cell: Vec<_> = by_cell.collect();
        self.rows(&self.ruling.plan().rows)?
            .aggregate(keys.into_iter().chain([value]), Vec::<Expr>::new())?
            .aggregate(by_cell, [call(count_udaf(), values, false, None).alias(part_name(0))])?
            .build()
    }

    /// In two steps: of each subject in each cell what it contributes, then of each cell what its subjects do.
    fn statistics(
        &self,
        rows: &Rows,
        keys: &[Expression<RowColumn>],
        unit: RowColumn,
        measured: &[Measured],
    ) -> Result<LogicalPlan, DataFusionError> {
        let subject = self.columns.raise(&Expression::Column(unit))?;
        let contributed = measured.iter().map(|one| self.contribution(one, unit)).collect::<Result<Vec<_>, _>>()?;
        let (sums, made): (Vec<_>, Vec<_>) = contributed.into_iter().unzip();
        let sums = sums.into_iter().enumerate().map(|(place, sum)| sum.alias(part_name(place)));
        let observed = made
            .iter()
            .enumerate()
            .map(|(place, made)| call(contributions(), vec![made.raised(place)], false, None).alias(part_name(place)));
        let by_cell = (0..keys.len()).map(|place| named(cell_name(place)));
        let by_subject = self.named(keys.iter())?.into_iter().chain([subject.clone().alias(SUBJECT)]);
        self.rows(rows)?
            .filter(Expr::IsNotNull(subject.into()))?
            .aggregate(by_subject, sums)?
            .aggregate(by_cell, observed)?
            .build()
    }

    fn most_frequent(&self, column: RowColumn) -> Result<LogicalPlan, DataFusionError> {
        let value = self.columns.raise(&Expression::Column(column))?;
        let often = call(count_udaf(), vec![lit(1_i64)], false, None).alias(part_name(0));
        let most = call(max_udaf(), vec![named(part_name(0))], false, None);
        self.scan(column.scan)?
            .filter(Expr::IsNotNull(value.clone().into()))?
            .aggregate(vec![value], vec![often])?
            .aggregate(Vec::<Expr>::new(), vec![most.alias(part_name(0))])?
            .build()
    }

    /// The keys of a grouping set, in its order.
    fn keys(&self, set: usize) -> Result<Vec<Expr>, DataFusionError> {
        let plan = self.ruling.plan();
        let keys = plan.sets.get(set).ok_or_else(unjudged)?.iter().filter_map(|key| plan.keys.get(*key));
        self.named(keys)
    }

    fn named<'k>(&self, keys: impl Iterator<Item = &'k Expression<RowColumn>>) -> Result<Vec<Expr>, DataFusionError> {
        keys.enumerate().map(|(place, key)| Ok(self.columns.raise(key)?.alias(cell_name(place)))).collect()
    }

    /// That a condition holds and these columns are there.
    fn within(
        &self,
        condition: Option<&Expression<RowColumn>>,
        present: &[RowColumn],
    ) -> Result<Option<Box<Expr>>, DataFusionError> {
        let there = present
            .iter()
            .map(|column| Expression::Not(Box::new(Expression::IsNull(Box::new(Expression::Column(*column))))));
        let all: Vec<_> = condition.cloned().into_iter().chain(there).collect();
        if all.is_empty() { Ok(None) } else { self.columns.raise(&Expression::And(all)).map(Box::new).map(Some) }
    }

    /// What the rows of one of a unit's subjects contribute: an aggregate over them, and what is to be made of it.
    fn contribution(&self, measured: &Measured, unit: RowColumn) -> Result<(Expr, Made), DataFusionError> {
        let within = self.within(measured.within.as_ref(), &measured.measure.present)?;
        let float = |column: RowColumn| self.columns.raise_as(&Expression::Column(column), DataType::Float64);
        let times = |one: Expr, other: Expr| binary(one, Operator::Multiply, other);
        let magnitude =
            |value: Expr| Expr::ScalarFunction(ScalarFunction::new_udf(rounding(Rounding::Absolute), vec![value]));
        let sum = |value: Expr| (call(sum_udaf(), vec![value], false, within.clone()), Made::Sum);
        Ok(match measured.measure.quantity {
            Quantity::Row => sum(lit(1.0_f64)),
            Quantity::Value(column) => sum(magnitude(float(column)?)),
            Quantity::Square(column) => sum(times(float(column)?, float(column)?)),
            Quantity::Product(one, other) => sum(magnitude(times(float(one)?, float(other)?))),
            // It is one, if it is there at all.
            Quantity::Different(column) if column == unit => {
                (call(max_udaf(), vec![lit(1.0_f64)], false, within), Made::Sum)
            }
            Quantity::Different(column) => (self.different(&Expression::Column(column), within)?, Made::Count),
        })
    }

    /// How many different values there are, of rows for which a condition holds.
    fn different(&self, of: &Expression<RowColumn>, only: Option<Box<Expr>>) -> Result<Expr, DataFusionError> {
        let value = vec![self.columns.raise(of)?];
        Ok(match self.columns.of(of)? {
            Type::String => call(different(), value, false, only),
            Type::Boolean | Type::Integer(_) | Type::Float | Type::Date | Type::Timestamp => {
                call(count_udaf(), value, true, only)
            }
        })
    }

    fn rows(&self, rows: &Rows) -> Result<LogicalPlanBuilder, DataFusionError> {
        match rows {
            Rows::Scan(scan) => self.scan(*scan),
            Rows::Filter(rows, condition) => self.rows(rows)?.filter(self.columns.raise(condition)?),
            Rows::Join(join) => self.join(join),
        }
    }

    fn scan(&self, scan: usize) -> Result<LogicalPlanBuilder, DataFusionError> {
        let place = self.ruling.plan().scans.get(scan).ok_or_else(unjudged)?.table;
        let table = self.tables.get(place).and_then(Option::as_ref).ok_or_else(unjudged)?;
        let source: Arc<dyn TableSource> = provider_as_source(Arc::clone(table));
        let columns = self.ruling.columns(scan).collect();
        LogicalPlanBuilder::scan(scan_name(scan), source, Some(columns))
    }

    fn join(&self, join: &Join) -> Result<LogicalPlanBuilder, DataFusionError> {
        let kind = match join.kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Full => JoinType::Full,
        };
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (one, other) in &join.on {
            let [one, other] = self.columns.alike([one, other])?;
            left.push(one);
            right.push(other);
        }
        let filter = join.filter.as_ref().map(|filter| self.columns.raise(filter)).transpose()?;
        self.rows(&join.left)?.join_with_expr_keys(self.rows(&join.right)?.build()?, kind, (left, right), filter)
    }
}

/// What is to be made of an aggregate over a subject's rows.
#[derive(Debug, Clone, Copy)]
enum Made {
    /// A sum: missing where there is no row.
    Sum,
    /// A number: nobody contributes none.
    Count,
}

impl Made {
    fn raised(self, place: usize) -> Expr {
        let made = named(part_name(place));
        match self {
            Self::Sum => made,
            Self::Count => {
                let number = Expr::Cast(Cast::new(made.into(), DataType::Float64));
                let none = ScalarFunction::new_udf(functions::core::nullif(), vec![number, lit(0.0_f64)]);
                Expr::ScalarFunction(none)
            }
        }
    }
}

fn call(function: Arc<AggregateUDF>, arguments: Vec<Expr>, distinct: bool, filter: Option<Box<Expr>>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(function, arguments, distinct, filter, Vec::new(), None))
}

/// A column of what was aggregated.
pub(super) fn named(name: impl Into<String>) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn scan_name(scan: usize) -> String {
    format!("s{scan}")
}

fn part_name(place: usize) -> String {
    format!("p{place}")
}

const SUBJECT: &str = "subject";
const VALUE: &str = "value";
/// Which figures of a cell have noise, by bits.
pub(in crate::engine) const NOISE: &str = "noise";

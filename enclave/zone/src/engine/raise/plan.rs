//! Relations: rows up to their cells, and the steps over cells that may leave.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    catalog::TableProvider,
    common::{Column, DataFusionError, JoinType, TableReference},
    datasource::provider_as_source,
    functions_aggregate::{
        approx_percentile_cont::approx_percentile_cont_udaf,
        average::avg_udaf,
        correlation::corr_udaf,
        count::count_udaf,
        covariance::{covar_pop_udaf, covar_samp_udaf},
        regr::{
            regr_avgx_udaf, regr_avgy_udaf, regr_count_udaf, regr_intercept_udaf, regr_r2_udaf, regr_slope_udaf,
            regr_sxx_udaf, regr_sxy_udaf, regr_syy_udaf,
        },
        stddev::{stddev_pop_udaf, stddev_udaf},
        sum::sum_udaf,
        variance::{var_pop_udaf, var_samp_udaf},
    },
    logical_expr::{
        AggregateUDF, Cast, Expr, LogicalPlan, LogicalPlanBuilder, Sort, SortExpr, TableSource,
        expr::AggregateFunction, expr_rewriter::normalize_sorts, lit,
    },
};
use octroi_release::{
    Aggregate, Aggregation, Expression, Join, JoinKind, Judged, LeastSubjects, Regression, RowColumn, Rows, SortKey,
    Step, SubjectCount, Type,
};

use super::{Columns, decimal, form, unjudged};
use crate::engine::subjects::subjects;

/// The judged plan as far as its cells: of each cell the keys and aggregates in the forms of [`Judged::cell_types`], then
/// one column for each of [`Judged::counts`]. `tables` are in the order of the question.
///
/// # Errors
/// Whatever the engine finds wrong with it: nothing, for a judged plan.
pub(in crate::engine) fn cells(
    judged: &Judged,
    tables: &[Option<Arc<dyn TableProvider>>],
    least: LeastSubjects,
) -> Result<LogicalPlan, DataFusionError> {
    let name = |column: RowColumn| {
        let relation = TableReference::bare(scan_name(column.scan));
        judged.column(column).map(|declared| Column::new(Some(relation), declared.name.clone()))
    };
    let holds = |column: RowColumn| judged.column(column).map(|declared| declared.holds);
    let raise = Raise { judged, tables, columns: Columns { name: &name, holds: &holds } };
    raise.cells(least)
}

/// The steps over cells, from a relation whose columns are named by [`cell_name`].
///
/// # Errors
/// As [`cells`].
pub(in crate::engine) fn steps(judged: &Judged, cells: Arc<dyn TableProvider>) -> Result<LogicalPlan, DataFusionError> {
    let mut plan = LogicalPlanBuilder::scan("cells", provider_as_source(cells), None)?;
    let mut types = judged.cell_types().to_vec();
    for step in &judged.plan().steps {
        let name = |place: usize| Some(Column::new_unqualified(cell_name(place)));
        let holds = |place: usize| types.get(place).copied();
        let columns = Columns { name: &name, holds: &holds };
        match step {
            Step::Having(condition) => plan = plan.filter(columns.raise(condition)?)?,
            Step::Project(expressions) => {
                let raised = expressions.iter().enumerate();
                let raised = raised.map(|(place, one)| Ok(columns.raise(one)?.alias(cell_name(place))));
                plan = plan.project(raised.collect::<Result<Vec<_>, DataFusionError>>()?)?;
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
    judged: &'a Judged,
    tables: &'a [Option<Arc<dyn TableProvider>>],
    columns: Columns<'a, RowColumn>,
}

impl Raise<'_> {
    fn cells(&self, least: LeastSubjects) -> Result<LogicalPlan, DataFusionError> {
        let plan = self.judged.plan();
        let keys = plan.keys.iter().enumerate();
        let keys = keys.map(|(place, key)| Ok(self.columns.raise(key)?.alias(cell_name(place))));
        let keys = keys.collect::<Result<Vec<_>, DataFusionError>>()?;
        let counter = subjects(least);
        let counts = self.judged.counts().iter().map(|count| self.count(count, &counter));
        let aggregates = plan.aggregates.iter().map(|aggregate| self.aggregate(aggregate)).chain(counts);
        let aggregates = aggregates.enumerate().map(|(place, one)| Ok(one?.alias(cell_name(keys.len() + place))));
        let aggregates = aggregates.collect::<Result<Vec<_>, DataFusionError>>()?;
        let width = keys.len() + aggregates.len();
        let cells = self.rows(&plan.rows)?.aggregate(keys, aggregates)?;
        // Sums come wider than they need be.
        let forms = self.judged.cell_types().iter().map(|holds| form(*holds));
        let forms = forms.chain(std::iter::repeat(DataType::UInt64));
        let columns = (0..width).zip(forms).map(|(place, to)| {
            let column = Expr::Column(Column::new_unqualified(cell_name(place)));
            Expr::Cast(Cast::new(column.into(), to)).alias(cell_name(place))
        });
        cells.project(columns)?.build()
    }

    fn rows(&self, rows: &Rows) -> Result<LogicalPlanBuilder, DataFusionError> {
        match rows {
            Rows::Scan(scan) => self.scan(*scan),
            Rows::Filter(rows, condition) => self.rows(rows)?.filter(self.columns.raise(condition)?),
            Rows::Join(join) => self.join(join),
        }
    }

    fn scan(&self, scan: usize) -> Result<LogicalPlanBuilder, DataFusionError> {
        let place = self.judged.plan().scans.get(scan).ok_or_else(unjudged)?.table;
        let table = self.tables.get(place).and_then(Option::as_ref).ok_or_else(unjudged)?;
        let source: Arc<dyn TableSource> = provider_as_source(Arc::clone(table));
        let columns = self.judged.columns(scan).collect();
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

    fn aggregate(&self, aggregate: &Aggregate) -> Result<Expr, DataFusionError> {
        let filter = aggregate.filter.as_ref().map(|filter| self.columns.raise(filter)).transpose()?;
        let call = |function, arguments, distinct| call(function, arguments, distinct, filter.map(Box::new));
        let Some(argument) = &aggregate.argument else { return Ok(call(count_udaf(), vec![lit(1_i64)], false)) };
        let float = || self.columns.raise_as(argument, DataType::Float64);
        let pair = || {
            let against = aggregate.against.as_ref().ok_or_else(unjudged)?;
            Ok::<_, DataFusionError>(vec![float()?, self.columns.raise_as(against, DataType::Float64)?])
        };
        Ok(match aggregate.of {
            Aggregation::CountRows => return Err(unjudged()),
            Aggregation::Count => call(count_udaf(), vec![self.columns.raise(argument)?], false),
            Aggregation::CountDistinct => call(count_udaf(), vec![self.columns.raise(argument)?], true),
            Aggregation::Sum => call(sum_udaf(), vec![self.summand(argument)?], false),
            Aggregation::Mean => call(avg_udaf(), vec![float()?], false),
            Aggregation::Variance => call(var_samp_udaf(), vec![float()?], false),
            Aggregation::PopulationVariance => call(var_pop_udaf(), vec![float()?], false),
            Aggregation::Deviation => call(stddev_udaf(), vec![float()?], false),
            Aggregation::PopulationDeviation => call(stddev_pop_udaf(), vec![float()?], false),
            Aggregation::Quantile(millionths) => {
                let share = lit(f64::from(millionths) / 1_000_000.0);
                call(approx_percentile_cont_udaf(), vec![float()?, share], false)
            }
            Aggregation::Correlation => call(corr_udaf(), pair()?, false),
            Aggregation::Covariance => call(covar_samp_udaf(), pair()?, false),
            Aggregation::PopulationCovariance => call(covar_pop_udaf(), pair()?, false),
            Aggregation::Regression(of) => call(regression(of), pair()?, false),
        })
    }

    /// Whole numbers are summed in decimals that hold any sum of them.
    fn summand(&self, argument: &Expression<RowColumn>) -> Result<Expr, DataFusionError> {
        match self.columns.of(argument)? {
            Type::Integer(digits) => {
                let wide = digits
                    .summed()
                    .is_none_or(|digits| matches!(form(Type::Integer(digits)), DataType::Decimal256(..)));
                self.columns.raise_as(argument, decimal(digits, wide))
            }
            Type::Boolean | Type::Float | Type::String | Type::Date | Type::Timestamp => self.columns.raise(argument),
        }
    }

    fn count(&self, count: &SubjectCount, counter: &Arc<AggregateUDF>) -> Result<Expr, DataFusionError> {
        let subject = self.columns.raise(&Expression::Column(count.subject))?;
        let beside = count.beside.as_ref().map(|beside| self.columns.raise(beside)).transpose()?;
        Ok(call(
            Arc::clone(counter),
            vec![subject],
            false,
            beside.map(|beside| Box::new(Expr::IsNotNull(beside.into()))),
        ))
    }
}

fn regression(of: Regression) -> Arc<AggregateUDF> {
    match of {
        Regression::Slope => regr_slope_udaf(),
        Regression::Intercept => regr_intercept_udaf(),
        Regression::Determination => regr_r2_udaf(),
        Regression::Count => regr_count_udaf(),
        Regression::MeanX => regr_avgx_udaf(),
        Regression::MeanY => regr_avgy_udaf(),
        Regression::SquaresX => regr_sxx_udaf(),
        Regression::SquaresY => regr_syy_udaf(),
        Regression::Products => regr_sxy_udaf(),
    }
}

fn call(function: Arc<AggregateUDF>, arguments: Vec<Expr>, distinct: bool, filter: Option<Box<Expr>>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(function, arguments, distinct, filter, Vec::new(), None))
}

fn scan_name(scan: usize) -> String {
    format!("s{scan}")
}

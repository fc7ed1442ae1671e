//! A logical plan of DataFusion's, read into the form that is judged ([`octroi_release::plan`]). What is not read here is
//! refused: a node, a join, a function that this file does not name cannot run.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

mod expression;

use datafusion::{
    common::{JoinType, NullEquality},
    logical_expr::{
        self as df, Distinct, Expr, FetchType, GroupingSet, LogicalPlan, SkipType, expr::AggregateFunction,
    },
    scalar::ScalarValue,
};
use octroi_release::{
    Aggregate, Aggregation, Expression, Join, JoinKind, OutputColumn, Plan, Regression, Rejection, RowColumn, Rows,
    Scan, SortKey, Step,
};

use self::expression::{Lowering, Named};
use super::{planning::DeclaredTable, refusal::Refusal};

/// Reads a plan.
///
/// # Errors
/// [`Refusal`].
pub(super) fn lower(plan: &LogicalPlan) -> Result<Plan, Refusal> {
    let mut lower = Lower::default();
    lower.cells(plan)?;
    let Lower { scans, cells: Some(Cells { rows, keys, sets, aggregates }), steps, .. } = lower else {
        return Err(Refusal::Judged(Rejection::Malformed));
    };
    let output = plan.schema().fields().iter().map(|field| OutputColumn { name: field.name().clone() }).collect();
    Ok(Plan { scans, rows, keys, sets, aggregates, steps, output })
}

/// Rows, and of each column of the plan's what it is over their scans.
type Relation = (Rows, Vec<Expression<RowColumn>>);

/// Rows put together.
struct Cells {
    rows: Rows,
    keys: Vec<Expression<RowColumn>>,
    sets: Vec<Vec<usize>>,
    aggregates: Vec<Aggregate>,
}

#[derive(Default)]
struct Lower {
    scans: Vec<Scan>,
    cells: Option<Cells>,
    steps: Vec<Step>,
    lowering: Lowering,
    depth: usize,
}

impl Lower {
    /// The part over cells: down to the one aggregation.
    fn cells(&mut self, plan: &LogicalPlan) -> Result<(), Refusal> {
        self.descend()?;
        match plan {
            LogicalPlan::SubqueryAlias(alias) => self.cells(&alias.input)?,
            LogicalPlan::Projection(projection) => {
                self.cells(&projection.input)?;
                let columns = self.over_cells(&projection.input, &projection.expr)?;
                self.steps.push(Step::Project(columns));
            }
            LogicalPlan::Filter(filter) => {
                self.cells(&filter.input)?;
                let condition = self.lowering.expression(&filter.predicate, &cells_of(&filter.input))?;
                self.steps.push(Step::Having(condition));
            }
            LogicalPlan::Sort(sort) => {
                self.cells(&sort.input)?;
                self.sort(sort)?;
            }
            LogicalPlan::Limit(limit) => {
                self.cells(&limit.input)?;
                self.steps.push(part(limit)?);
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate)?,
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let (rows, keys) = self.rows(input)?;
                self.cells = Some(Cells { rows, sets: vec![(0..keys.len()).collect()], keys, aggregates: Vec::new() });
            }
            LogicalPlan::TableScan(_) | LogicalPlan::Join(_) => {
                return Err(not_allowed("showing rows", "aggregate them: COUNT, SUM, AVG with GROUP BY"));
            }
            other => return Err(refused(other)),
        }
        self.ascend();
        Ok(())
    }

    fn over_cells(&mut self, input: &LogicalPlan, expressions: &[Expr]) -> Result<Vec<Expression<usize>>, Refusal> {
        let columns = cells_of(input);
        expressions.iter().map(|expression| self.lowering.expression(expression, &columns)).collect()
    }

    fn sort(&mut self, sort: &df::Sort) -> Result<(), Refusal> {
        let columns = cells_of(&sort.input);
        let key = |key: &df::SortExpr| {
            let by = self.lowering.expression(&key.expr, &columns)?;
            Ok(SortKey { by, descending: !key.asc, nulls_first: key.nulls_first })
        };
        let keys = sort.expr.iter().map(key).collect::<Result<_, Refusal>>()?;
        self.steps.push(Step::Sort(keys));
        if let Some(most) = sort.fetch {
            self.steps.push(Step::Limit { skip: 0, most: Some(most as u64) });
        }
        Ok(())
    }

    fn aggregate(&mut self, aggregate: &df::Aggregate) -> Result<(), Refusal> {
        let (rows, columns) = self.rows(&aggregate.input)?;
        let named = Named::new(aggregate.input.schema(), &columns);
        let (keys, sets) = grouping(&aggregate.group_expr)?;
        let keys = keys.into_iter().map(|key| self.lowering.expression(key, &named)).collect::<Result<_, _>>()?;
        let aggregates =
            aggregate.aggr_expr.iter().map(|one| self.one_aggregate(one, &named)).collect::<Result<_, _>>()?;
        self.cells = Some(Cells { rows, keys, sets, aggregates });
        Ok(())
    }

    fn one_aggregate(&mut self, expression: &Expr, named: &Named<'_, RowColumn>) -> Result<Aggregate, Refusal> {
        let AggregateFunction { func, params } = match expression {
            Expr::Alias(alias) => return self.one_aggregate(&alias.expr, named),
            Expr::AggregateFunction(function) => function,
            _ => return Err(not_allowed("this aggregate", "use COUNT, SUM, AVG, VAR or STDDEV")),
        };
        let of = aggregation(func.name(), params.distinct)?;
        let (of, arguments) = match (of, params.args.as_slice()) {
            (Aggregation::Quantile(_), [argument, fraction]) if func.name() != "approx_median" => {
                (Aggregation::Quantile(millionths(fraction)?), std::slice::from_ref(argument))
            }
            (of, arguments) => (of, arguments),
        };
        // The order that a quantile is of is the one of its argument.
        let plain = match (of, params.order_by.as_slice(), arguments) {
            (_, [], _) => true,
            (Aggregation::Quantile(_), [order], [argument]) => order.asc && order.expr == *argument,
            _ => false,
        };
        if !plain || params.null_treatment.is_some() {
            return Err(not_allowed("an order inside an aggregate", "leave it out"));
        }
        let filter = params.filter.as_deref().map(|filter| self.lowering.expression(filter, named)).transpose()?;
        let (argument, against) = match arguments {
            [one] if of == Aggregation::Count && matches!(one, Expr::Literal(value, _) if !value.is_null()) => {
                return Ok(Aggregate { of: Aggregation::CountRows, argument: None, against: None, filter });
            }
            [one] if !of.is_of_two() => (one, None),
            [y, x] if of.is_of_two() => (y, Some(x)),
            _ => return Err(not_allowed("an aggregate of so many columns", "write one, or two for CORR and the like")),
        };
        let argument = Some(self.lowering.expression(argument, named)?);
        let against = against.map(|against| self.lowering.expression(against, named)).transpose()?;
        Ok(Aggregate { of, argument, against, filter })
    }

    /// The part over rows.
    fn rows(&mut self, plan: &LogicalPlan) -> Result<Relation, Refusal> {
        self.descend()?;
        let relation = match plan {
            LogicalPlan::SubqueryAlias(alias) => self.rows(&alias.input)?,
            LogicalPlan::TableScan(scan) => self.scan(scan)?,
            LogicalPlan::Filter(filter) => {
                let (rows, columns) = self.rows(&filter.input)?;
                let named = Named::new(filter.input.schema(), &columns);
                let condition = self.lowering.expression(&filter.predicate, &named)?;
                (Rows::Filter(rows.into(), condition), columns)
            }
            LogicalPlan::Projection(projection) => {
                let (rows, columns) = self.rows(&projection.input)?;
                let named = Named::new(projection.input.schema(), &columns);
                let columns = projection.expr.iter().map(|one| self.lowering.expression(one, &named));
                let columns = columns.collect::<Result<_, _>>()?;
                (rows, columns)
            }
            // Without a limit, an order of rows is of no consequence.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.rows(&sort.input)?,
            LogicalPlan::Join(join) => self.join(join)?,
            LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => {
                return Err(not_allowed("LIMIT before an aggregate", "put it at the end of the question"));
            }
            LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => {
                return Err(not_allowed("an aggregate of an aggregate", "aggregate once"));
            }
            other => return Err(refused(other)),
        };
        self.ascend();
        Ok(relation)
    }

    fn scan(&mut self, scan: &df::TableScan) -> Result<Relation, Refusal> {
        let declared = DeclaredTable::of(scan.source.as_ref()).ok_or(Rejection::Malformed)?;
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(Rejection::Malformed.into());
        }
        let place = self.scans.len();
        self.scans.push(Scan { table: declared.index });
        let all = 0..declared.schema.fields().len();
        let columns = scan.projection.clone().unwrap_or_else(|| all.collect());
        let column = |column: usize| {
            let column = *declared.places.get(column).ok_or(Rejection::Malformed)?;
            Ok(Expression::Column(RowColumn { scan: place, column }))
        };
        Ok((Rows::Scan(place), columns.into_iter().map(column).collect::<Result<_, Refusal>>()?))
    }

    fn join(&mut self, join: &df::Join) -> Result<Relation, Refusal> {
        let kind = match join.join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            JoinType::Right => JoinKind::Right,
            JoinType::Full => JoinKind::Full,
            _ => return Err(not_allowed("a sub-select in a condition", "write it as a join")),
        };
        if join.null_equality != NullEquality::NullEqualsNothing || join.null_aware {
            return Err(not_allowed("a join that takes missing values as equal", "join with ="));
        }
        let (left, left_columns) = self.rows(&join.left)?;
        let (right, right_columns) = self.rows(&join.right)?;
        let computed =
            |columns: &[Expression<RowColumn>]| !columns.iter().all(|one| matches!(one, Expression::Column(_)));
        let supplied = match kind {
            JoinKind::Inner => false,
            JoinKind::Left => computed(&right_columns),
            JoinKind::Right => computed(&left_columns),
            JoinKind::Full => computed(&left_columns) || computed(&right_columns),
        };
        // Written out over the join, it would be computed for rows that are not there.
        if supplied {
            return Err(not_allowed("a computed column under an outer join", "compute it outside of the join"));
        }
        let (of_left, of_right) =
            (Named::new(join.left.schema(), &left_columns), Named::new(join.right.schema(), &right_columns));
        let pair = |(one, other): &(Expr, Expr)| {
            Ok((self.lowering.expression(one, &of_left)?, self.lowering.expression(other, &of_right)?))
        };
        let on = join.on.iter().map(pair).collect::<Result<_, Refusal>>()?;
        let columns = [left_columns.clone(), right_columns.clone()].concat();
        let both = Named::new(&join.schema, &columns);
        let filter = join.filter.as_ref().map(|filter| self.lowering.expression(filter, &both)).transpose()?;
        Ok((Rows::Join(Join { kind, left, right, on, filter }.into()), columns))
    }

    fn descend(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > MOST_DEPTH || self.scans.len() > MOST_DEPTH { Err(Refusal::TooLong) } else { Ok(()) }
    }

    fn ascend(&mut self) {
        self.depth -= 1;
    }
}

/// The columns of a step over cells, by their places.
fn cells_of(input: &LogicalPlan) -> Named<'_, usize> {
    Named::places(input.schema(), has_set_number(input))
}

/// Whether there is, behind the keys, the planner's own column that says which grouping set a cell is of.
fn has_set_number(input: &LogicalPlan) -> bool {
    match input {
        LogicalPlan::Aggregate(aggregate) => matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]),
        LogicalPlan::Filter(filter) => has_set_number(&filter.input),
        LogicalPlan::Sort(sort) => has_set_number(&sort.input),
        LogicalPlan::Limit(limit) => has_set_number(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => has_set_number(&alias.input),
        _ => false,
    }
}

/// The keys, and the sets of them that cells are made by.
fn grouping(keys: &[Expr]) -> Result<(Vec<&Expr>, Vec<Vec<usize>>), Refusal> {
    let [Expr::GroupingSet(set)] = keys else {
        return Ok((keys.iter().collect(), vec![(0..keys.len()).collect()]));
    };
    let distinct = set.distinct_expr();
    let all = distinct.len();
    let sets = match set {
        GroupingSet::Rollup(_) => (0..=all).rev().map(|keys| (0..keys).collect()).collect(),
        GroupingSet::Cube(_) if all <= MOST_CUBED => {
            let chosen = |subset: u32| (0..all).filter(|key| subset & (1 << key) != 0).collect();
            (0..1_u32 << all).map(chosen).collect()
        }
        GroupingSet::Cube(_) => return Err(Refusal::TooLong),
        GroupingSet::GroupingSets(sets) => {
            let place = |key: &Expr| distinct.iter().position(|one| *one == key);
            let places = |set: &Vec<Expr>| set.iter().map(place).collect::<Option<Vec<_>>>();
            sets.iter().map(places).collect::<Option<Vec<_>>>().ok_or(Rejection::Malformed)?
        }
    };
    Ok((distinct, sets))
}

/// A share that a quantile is at, neither the least nor the largest: those are single values.
fn millionths(fraction: &Expr) -> Result<u32, Refusal> {
    let wrong = || not_allowed("a percentile of this kind", "write a share between 0 and 1, such as 0.5");
    let Expr::Literal(ScalarValue::Float64(Some(share)), _) = fraction else { return Err(wrong()) };
    let millionths = (share * 1_000_000.0).round();
    if !(1.0..=999_999.0).contains(&millionths) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within its bounds")]
    Ok(millionths as u32)
}

fn aggregation(name: &str, distinct: bool) -> Result<Aggregation, Refusal> {
    match (name, distinct) {
        ("count", false) => Ok(Aggregation::Count),
        ("count", true) => Ok(Aggregation::CountDistinct),
        (_, true) => Err(not_allowed("DISTINCT in an aggregate other than COUNT", "leave it out")),
        ("sum", false) => Ok(Aggregation::Sum),
        ("avg", false) => Ok(Aggregation::Mean),
        ("var" | "var_samp", false) => Ok(Aggregation::Variance),
        ("var_pop", false) => Ok(Aggregation::PopulationVariance),
        ("stddev" | "stddev_samp", false) => Ok(Aggregation::Deviation),
        ("stddev_pop", false) => Ok(Aggregation::PopulationDeviation),
        ("approx_median" | "approx_percentile_cont", false) => Ok(Aggregation::Quantile(MEDIAN)),
        ("corr", false) => Ok(Aggregation::Correlation),
        ("covar_samp" | "covar", false) => Ok(Aggregation::Covariance),
        ("covar_pop", false) => Ok(Aggregation::PopulationCovariance),
        ("regr_slope", false) => Ok(Aggregation::Regression(Regression::Slope)),
        ("regr_intercept", false) => Ok(Aggregation::Regression(Regression::Intercept)),
        ("regr_r2", false) => Ok(Aggregation::Regression(Regression::Determination)),
        ("regr_count", false) => Ok(Aggregation::Regression(Regression::Count)),
        ("regr_avgx", false) => Ok(Aggregation::Regression(Regression::MeanX)),
        ("regr_avgy", false) => Ok(Aggregation::Regression(Regression::MeanY)),
        ("regr_sxx", false) => Ok(Aggregation::Regression(Regression::SquaresX)),
        ("regr_syy", false) => Ok(Aggregation::Regression(Regression::SquaresY)),
        ("regr_sxy", false) => Ok(Aggregation::Regression(Regression::Products)),
        _ => Err(not_allowed("this aggregate", "use COUNT, SUM, AVG, VAR, STDDEV, CORR, COVAR or REGR")),
    }
}

fn part(limit: &df::Limit) -> Result<Step, Refusal> {
    match (limit.get_skip_type(), limit.get_fetch_type()) {
        (Ok(SkipType::Literal(skip)), Ok(FetchType::Literal(most))) => {
            Ok(Step::Limit { skip: skip as u64, most: most.map(|most| most as u64) })
        }
        _ => Err(not_allowed("a computed LIMIT or OFFSET", "write a number")),
    }
}

/// Why a node is not read.
fn refused(plan: &LogicalPlan) -> Refusal {
    match plan {
        LogicalPlan::Window(_) => not_allowed("a window function", "aggregate with GROUP BY"),
        LogicalPlan::Union(_) => not_allowed("UNION, INTERSECT or EXCEPT", "ask each part by itself"),
        LogicalPlan::Subquery(_) => not_allowed("a sub-select in an expression", "write it as a join"),
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => Refusal::Judged(Rejection::NoTable),
        LogicalPlan::RecursiveQuery(_) => not_allowed("a recursive query", "write it without"),
        LogicalPlan::Distinct(Distinct::On(_)) => not_allowed("DISTINCT ON", "aggregate with GROUP BY"),
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => Refusal::OneSelect,
        LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_) => {
            Refusal::OneSelect
        }
        LogicalPlan::Unnest(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => not_allowed("a construct in it", "ask it in a simpler form"),
    }
}

fn not_allowed(construct: &'static str, instead: &'static str) -> Refusal {
    Refusal::NotAllowed { construct, instead }
}

/// Keys of a CUBE: each one doubles its sets.
const MOST_CUBED: usize = 6;
/// Millionths.
const MEDIAN: u32 = 500_000;
/// Nodes above one another, and scans.
const MOST_DEPTH: usize = 100;

//! A logical plan of DataFusion's, read into the form that is judged ([`octroi_release::plan`]). What is not read here is
//! refused: a node, a join, a function that this file does not name cannot run.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

mod expression;

use datafusion::{
    common::{JoinType, NullEquality},
    logical_expr::{self as df, Distinct, Expr, FetchType, LogicalPlan, SkipType, expr::AggregateFunction},
};
use octroi_release::{
    Aggregate, Aggregation, Expression, Join, JoinKind, OutputColumn, Plan, Rejection, RowColumn, Rows, Scan, SortKey,
    Step,
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
    let Lower { scans, cells: Some((rows, keys, aggregates)), steps, .. } = lower else {
        return Err(Refusal::Judged(Rejection::Malformed));
    };
    let output = plan.schema().fields().iter().map(|field| OutputColumn { name: field.name().clone() }).collect();
    Ok(Plan { scans, rows, keys, aggregates, steps, output })
}

/// Rows, and of each column of the plan's what it is over their scans.
type Relation = (Rows, Vec<Expression<RowColumn>>);

#[derive(Default)]
struct Lower {
    scans: Vec<Scan>,
    cells: Option<(Rows, Vec<Expression<RowColumn>>, Vec<Aggregate>)>,
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
                self.cells = Some((rows, keys, Vec::new()));
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
        let keys =
            aggregate.group_expr.iter().map(|key| self.lowering.expression(key, &named)).collect::<Result<_, _>>()?;
        let aggregates =
            aggregate.aggr_expr.iter().map(|one| self.one_aggregate(one, &named)).collect::<Result<_, _>>()?;
        self.cells = Some((rows, keys, aggregates));
        Ok(())
    }

    fn one_aggregate(&mut self, expression: &Expr, named: &Named<'_, RowColumn>) -> Result<Aggregate, Refusal> {
        let AggregateFunction { func, params } = match expression {
            Expr::Alias(alias) => return self.one_aggregate(&alias.expr, named),
            Expr::AggregateFunction(function) => function,
            _ => return Err(not_allowed("this aggregate", "use COUNT, SUM, AVG, VAR or STDDEV")),
        };
        if params.filter.is_some() {
            return Err(not_allowed("FILTER in an aggregate", "put the condition in WHERE"));
        }
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(not_allowed("an order inside an aggregate", "leave it out"));
        }
        let [argument] = params.args.as_slice() else {
            return Err(not_allowed("an aggregate of several columns", "use COUNT, SUM, AVG, VAR or STDDEV of one"));
        };
        let of = aggregation(func.name(), params.distinct)?;
        if of == Aggregation::Count && matches!(argument, Expr::Literal(value, _) if !value.is_null()) {
            return Ok(Aggregate { of: Aggregation::CountRows, argument: None });
        }
        Ok(Aggregate { of, argument: Some(self.lowering.expression(argument, named)?) })
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
    Named::places(input.schema())
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
        _ => Err(not_allowed("this aggregate", "use COUNT, SUM, AVG, VAR or STDDEV")),
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

/// Nodes above one another, and scans.
const MOST_DEPTH: usize = 100;

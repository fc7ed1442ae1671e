//! SQL to an optimised logical plan, against declared schemas alone: there is neither disk nor key here.
//!
//! Only what the question may use can be named: its tables, and the functions of the list. Everything else is unknown to
//! the planner, so that it never gets as far as a plan; a hidden column no more than one that there is not.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "enums of other crates: what is not named is told in general words"
)]

use std::{any::Any, cell::RefCell, sync::Arc};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::{
    common::{Column, DataFusionError, SchemaError, Span, TableReference, config::ConfigOptions, plan_err},
    functions, functions_aggregate,
    logical_expr::{
        AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
        planner::{ContextProvider, ExprPlanner},
    },
    optimizer::{
        Analyzer, Optimizer, OptimizerContext, OptimizerRule, eliminate_cross_join::EliminateCrossJoin,
        extract_equijoin_predicate::ExtractEquijoinPredicate, optimize_projections::OptimizeProjections,
        push_down_filter::PushDownFilter, simplify_expressions::SimplifyExpressions,
    },
    sql::{
        planner::{ParserOptions, SqlToRel},
        sqlparser::ast,
    },
};

use super::{
    functions::own,
    question::AskedTable,
    refusal::{Refusal, Refused},
    syntax::parse,
};

/// A table as the planner knows it: the columns that are not hidden, their places among those declared, and the table's
/// place among the question's.
#[derive(Debug)]
pub(super) struct DeclaredTable {
    pub(super) index: usize,
    pub(super) schema: SchemaRef,
    pub(super) places: Vec<usize>,
}

impl TableSource for DeclaredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl DeclaredTable {
    /// The table behind a scan; none but ours can be there.
    pub(super) fn of(source: &dyn TableSource) -> Option<&Self> {
        (source as &dyn Any).downcast_ref()
    }
}

/// Plans a question.
///
/// # Errors
/// [`Refused`].
pub(super) fn plan(sql: &str, tables: &[AskedTable]) -> Result<LogicalPlan, Refused> {
    let query = parse(sql).map_err(|error| explain(&error, sql, &Named::default()))??;
    let named = Named::new(tables);
    let options = ParserOptions::new().with_collect_spans(true);
    let planned = SqlToRel::new_with_options(&named, options).sql_statement_to_plan(ast::Statement::Query(query));
    let optimised = planned.and_then(optimise);
    optimised.map_err(|error| explain(&error, sql, &named))
}

/// Few rules, so that a plan keeps the question's form: constants folded, filters next to their tables, joins on
/// equality found, columns that nobody uses left out.
fn optimise(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let options = ConfigOptions::default();
    let analysed = Analyzer::new().execute_and_check(plan, &options, |_, _| {})?;
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    // No clock: nothing here may depend on the time.
    let context =
        OptimizerContext::new().without_query_execution_start_time().filter_null_keys(false).with_max_passes(3);
    Optimizer::with_rules(rules).optimize(analysed, &context, |_, _| {})
}

/// All that a question can name, and what it named in vain.
#[derive(Default)]
struct Named<'a> {
    tables: &'a [AskedTable],
    options: ConfigOptions,
    planners: Vec<Arc<dyn ExprPlanner>>,
    no_table: RefCell<Option<String>>,
    no_function: RefCell<Option<String>>,
}

impl<'a> Named<'a> {
    fn new(tables: &'a [AskedTable]) -> Self {
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(functions::datetime::planner::DatetimeFunctionPlanner),
            Arc::new(functions::unicode::planner::UnicodeFunctionPlanner),
            Arc::new(functions_aggregate::planner::AggregateFunctionPlanner),
        ];
        Self { tables, planners, ..Self::default() }
    }

    fn table(&self, name: &TableReference) -> Option<usize> {
        let dataset = match name {
            TableReference::Bare { .. } => self.tables.first()?.dataset.as_str(),
            TableReference::Partial { schema, .. } => schema,
            TableReference::Full { .. } => return None,
        };
        self.tables.iter().position(|table| table.dataset == dataset && table.name == name.table())
    }
}

impl ContextProvider for Named<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>, DataFusionError> {
        let found = self.table(&name).and_then(|index| Some((index, self.tables.get(index)?)));
        let Some((index, table)) = found else {
            self.no_table.replace(Some(name.to_string()));
            return plan_err!("no such table");
        };
        // Everything may be missing: the planner is not to conclude from a declaration what our own functions undo.
        let shown = table.layout.asked().project(&table.shown)?;
        let fields: Vec<_> = shown.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        Ok(Arc::new(DeclaredTable { index, schema: Arc::new(Schema::new(fields)), places: table.shown.clone() }))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        match name {
            "date_trunc" | "datetrunc" => Some(functions::datetime::date_trunc()),
            "date_part" | "datepart" => Some(functions::datetime::date_part()),
            "lower" => Some(functions::string::lower()),
            "upper" => Some(functions::string::upper()),
            "trim" | "btrim" => Some(functions::string::btrim()),
            "starts_with" => Some(functions::string::starts_with()),
            "character_length" | "char_length" | "length" => Some(functions::unicode::character_length()),
            "substr" | "substring" => Some(functions::unicode::substr()),
            "coalesce" => Some(functions::core::coalesce()),
            "nullif" => Some(functions::core::nullif()),
            _ => own(name),
        }
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let found = match name {
            "count" => functions_aggregate::count::count_udaf(),
            "sum" => functions_aggregate::sum::sum_udaf(),
            "avg" | "mean" => functions_aggregate::average::avg_udaf(),
            "var" | "var_samp" | "var_sample" => functions_aggregate::variance::var_samp_udaf(),
            "var_pop" | "var_population" => functions_aggregate::variance::var_pop_udaf(),
            "stddev" | "stddev_samp" => functions_aggregate::stddev::stddev_udaf(),
            "stddev_pop" => functions_aggregate::stddev::stddev_pop_udaf(),
            "approx_median" => functions_aggregate::approx_median::approx_median_udaf(),
            "approx_percentile_cont" => functions_aggregate::approx_percentile_cont::approx_percentile_cont_udaf(),
            "corr" => functions_aggregate::correlation::corr_udaf(),
            "covar" | "covar_samp" => functions_aggregate::covariance::covar_samp_udaf(),
            "covar_pop" => functions_aggregate::covariance::covar_pop_udaf(),
            "regr_slope" => functions_aggregate::regr::regr_slope_udaf(),
            "regr_intercept" => functions_aggregate::regr::regr_intercept_udaf(),
            "regr_r2" => functions_aggregate::regr::regr_r2_udaf(),
            "regr_count" => functions_aggregate::regr::regr_count_udaf(),
            "regr_avgx" => functions_aggregate::regr::regr_avgx_udaf(),
            "regr_avgy" => functions_aggregate::regr::regr_avgy_udaf(),
            "regr_sxx" => functions_aggregate::regr::regr_sxx_udaf(),
            "regr_syy" => functions_aggregate::regr::regr_syy_udaf(),
            "regr_sxy" => functions_aggregate::regr::regr_sxy_udaf(),
            _ => {
                self.no_function.replace(Some(name.to_owned()));
                return None;
            }
        };
        Some(found)
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What is wrong with a question, in our words: the planner's own may list columns that the asker is not to know.
fn explain(error: &DataFusionError, sql: &str, named: &Named<'_>) -> Refused {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let at = span.and_then(|span: Span| {
        Some((offset(sql, span.start.line, span.start.column)?, offset(sql, span.end.line, span.end.column)?))
    });
    if let Some(name) = named.no_table.take() {
        return Refused { refusal: Refusal::UnknownTable { name }, at };
    }
    let refusal = match error.find_root() {
        DataFusionError::SQL(error, _) => {
            let text = shortened(&error.to_string());
            let at = place(&text).and_then(|(line, column)| offset(sql, line, column)).map(|place| (place, place));
            return Refused { refusal: Refusal::Syntax { text }, at };
        }
        DataFusionError::SchemaError(error, _) => match &**error {
            SchemaError::FieldNotFound { field, .. } => Refusal::UnknownColumn { name: shown(field) },
            SchemaError::AmbiguousReference { field } => Refusal::AmbiguousColumn { name: shown(field) },
            SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
                Refusal::AmbiguousColumn { name: shortened(name) }
            }
        },
        DataFusionError::Plan(text) if !text.contains("nvalid function") => {
            Refusal::Senseless { text: harmless(text, named) }
        }
        _ => match named.no_function.take() {
            Some(name) => Refusal::Function { name: shortened(&name) },
            None => Refusal::NotAllowed { construct: "a construct in it", instead: "ask it in a simpler form" },
        },
    };
    Refused { refusal, at }
}

fn shown(column: &Column) -> String {
    shortened(&column.flat_name())
}

/// The planner's text, unless it names a column: it may list them. Of hidden ones it knows nothing, and that a word is one
/// must not show here.
fn harmless(text: &str, named: &Named<'_>) -> String {
    let words =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>();
    let shown = |table: &AskedTable| {
        let columns = table.shown.iter().filter_map(|place| table.layout.columns().get(*place));
        columns.map(|column| column.name.clone()).collect::<Vec<_>>()
    };
    let columns: Vec<String> = named.tables.iter().flat_map(shown).collect();
    if words(text).iter().any(|word| columns.contains(word)) {
        return "what it selects does not fit together".to_owned();
    }
    shortened(text)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect()
}

/// The byte at a line and column, both from 1.
fn offset(sql: &str, line: u64, column: u64) -> Option<u32> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let before: usize = sql.split_inclusive('\n').take(line).map(str::len).sum();
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let within = sql.split_inclusive('\n').nth(line)?.chars().take(column).map(char::len_utf8).sum::<usize>();
    u32::try_from(before + within).ok()
}

/// `... at Line: 1, Column: 15`, as the parser says it.
fn place(text: &str) -> Option<(u64, u64)> {
    let (_, place) = text.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, digits.parse().ok()?))
}

/// Characters of a text that repeats parts of it.
const MOST_TEXT: usize = 300;

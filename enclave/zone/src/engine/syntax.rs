//! SQL text to one query, without the clauses that the planner would pass over in silence: what it would not plan must
//! not be taken for planned.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

use std::ops::ControlFlow;

use datafusion::{
    common::DataFusionError,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            ast::{self, Query, Select, TableFactor, Visit as _, Visitor},
            dialect::GenericDialect,
            tokenizer::{Token, Tokenizer},
        },
    },
};

use super::refusal::Refusal;

/// Parses a question.
///
/// # Errors
/// The parser's; or a [`Refusal`], inside.
pub(super) fn parse(sql: &str) -> Result<Result<Box<Query>, Refusal>, DataFusionError> {
    if sql.len() > MOST_BYTES || too_long(sql) {
        return Ok(Err(Refusal::TooLong));
    }
    let mut parser = DFParserBuilder::new(sql).with_recursion_limit(MOST_NESTED).build()?;
    let mut statements = parser.parse_statements()?;
    let (Some(Statement::Statement(statement)), None) = (statements.pop_front(), statements.pop_front()) else {
        return Ok(Err(Refusal::OneSelect));
    };
    let ast::Statement::Query(query) = *statement else { return Ok(Err(Refusal::OneSelect)) };
    Ok(match query.visit(&mut Clauses) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(refusal) => Err(refusal),
    })
}

/// The planner's time grows faster than the number of words, and the parser's with every bracket around others.
fn too_long(sql: &str) -> bool {
    // What is no sequence of words is the parser's to explain.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return false };
    let (mut words, mut depth, mut deepest) = (0, 0_usize, 0);
    for token in tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        words += 1;
        deepest = deepest.max(depth);
    }
    words > MOST_WORDS || deepest > MOST_BRACKETS
}

/// Looks at every clause.
struct Clauses;

impl Visitor for Clauses {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        let plain = query.fetch.is_none()
            && query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty();
        known(plain)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Refusal> {
        let plain = select.optimizer_hints.is_empty()
            && select.select_modifiers.is_none()
            && select.top.is_none()
            && select.exclude.is_none()
            && select.into.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.qualify.is_none()
            && select.value_table_mode.is_none();
        known(plain)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Refusal> {
        known(match factor {
            TableFactor::Table {
                name: _,
                alias: _,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                args.is_none()
                    && with_hints.is_empty()
                    && version.is_none()
                    && !with_ordinality
                    && partitions.is_empty()
                    && json_path.is_none()
                    && sample.is_none()
                    && index_hints.is_empty()
            }
            TableFactor::Derived { lateral, subquery: _, alias: _, sample } => !lateral && sample.is_none(),
            TableFactor::NestedJoin { .. } => true,
            _ => false,
        })
    }
}

fn known(plain: bool) -> ControlFlow<Refusal> {
    if plain {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(Refusal::NotAllowed {
            construct: "this clause",
            instead: "use SELECT, FROM, JOIN, WHERE, GROUP BY, HAVING, ORDER BY and LIMIT",
        })
    }
}

/// Of a question.
const MOST_BYTES: usize = 65_536;
/// Words and signs of a question.
const MOST_WORDS: usize = 4_000;
/// Brackets inside one another.
const MOST_BRACKETS: usize = 24;
/// How deep the parser goes.
const MOST_NESTED: usize = 50;

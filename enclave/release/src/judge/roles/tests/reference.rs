//! Slow and obvious: SQL over rows, one at a time. Knows no region.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else a question is made of ends the test")]

use super::world::Row;
use crate::{
    calendar::{DAY, Part, Period},
    expression::{Comparison, Expression, Function, Literal},
    plan::{JoinKind, Plan, RowColumn, Rows},
    policy::{Bins, Content, Policies, Role, compared, place},
    schema::Type,
};

/// A value; `None` where it is missing.
pub(super) type Value = Option<Literal>;
/// Of each table of the question, its rows.
pub(super) type Data = Vec<Vec<Vec<Value>>>;
/// Of each scan, the place of a row; `None` for no partner.
pub(super) type Tuple = Vec<Option<usize>>;

/// A question's tables, as its plan scans them.
pub(super) struct Reference<'a> {
    pub(super) plan: &'a Plan,
    pub(super) policies: &'a Policies,
    pub(super) data: &'a Data,
}

impl Reference<'_> {
    /// The rows that a plan's aggregates see.
    pub(super) fn rows(&self, rows: &Rows) -> Vec<Tuple> {
        match rows {
            Rows::Scan(scan) => {
                let count = self.data[self.plan.scans[*scan].table].len();
                (0..count)
                    .map(|row| (0..self.plan.scans.len()).map(|one| (one == *scan).then_some(row)).collect())
                    .collect()
            }
            Rows::Filter(rows, condition) => {
                self.rows(rows).into_iter().filter(|tuple| self.holds(condition, tuple)).collect()
            }
            Rows::Join(join) => {
                let (left, right) = (self.rows(&join.left), self.rows(&join.right));
                let both =
                    |one: &Tuple, other: &Tuple| -> Tuple { one.iter().zip(other).map(|(a, b)| a.or(*b)).collect() };
                let pairs = |tuple: &Tuple| {
                    join.on.iter().all(|(one, other)| {
                        let (one, other) = (self.value(one, tuple), self.value(other, tuple));
                        one.zip(other)
                            .is_some_and(|(one, other)| compared(&one, &other).is_some_and(|order| order.is_eq()))
                    }) && join.filter.as_ref().is_none_or(|filter| self.holds(filter, tuple))
                };
                let mut joined = Vec::new();
                for one in &left {
                    let with: Vec<Tuple> =
                        right.iter().map(|other| both(one, other)).filter(|tuple| pairs(tuple)).collect();
                    if with.is_empty() && matches!(join.kind, JoinKind::Left | JoinKind::Full) {
                        joined.push(one.clone());
                    }
                    joined.extend(with);
                }
                if matches!(join.kind, JoinKind::Right | JoinKind::Full) {
                    let alone = right.iter().filter(|other| !left.iter().any(|one| pairs(&both(one, other))));
                    joined.extend(alone.cloned());
                }
                joined
            }
        }
    }

    pub(super) fn holds(&self, condition: &Row, tuple: &Tuple) -> bool {
        self.value(condition, tuple) == Some(Literal::Boolean(true))
    }

    pub(super) fn cell(&self, column: RowColumn, tuple: &Tuple) -> Value {
        let row = tuple[column.scan]?;
        self.data[self.plan.scans[column.scan].table][row][column.column].clone()
    }

    pub(super) fn value(&self, expression: &Row, tuple: &Tuple) -> Value {
        let value = |one: &Row| self.value(one, tuple);
        let truth = |one: &Row| match value(one) {
            Some(Literal::Boolean(holds)) => Some(holds),
            None => None,
            Some(other) => panic!("no truth: {other:?}"),
        };
        let boolean = |holds: Option<bool>| holds.map(Literal::Boolean);
        match expression {
            Expression::Column(column) => self.cell(*column, tuple),
            Expression::Literal(Literal::Null(_)) => None,
            Expression::Literal(literal) => Some(literal.clone()),
            Expression::And(all) => {
                let all: Vec<_> = all.iter().map(truth).collect();
                boolean(if all.contains(&Some(false)) {
                    Some(false)
                } else if all.contains(&None) {
                    None
                } else {
                    Some(true)
                })
            }
            Expression::Or(all) => {
                let all: Vec<_> = all.iter().map(truth).collect();
                boolean(if all.contains(&Some(true)) {
                    Some(true)
                } else if all.contains(&None) {
                    None
                } else {
                    Some(false)
                })
            }
            Expression::Not(one) => boolean(truth(one).map(|holds| !holds)),
            Expression::IsNull(one) => boolean(Some(value(one).is_none())),
            Expression::Compare(comparison, left, right) => {
                let order =
                    value(left).zip(value(right)).map(|(left, right)| compared(&left, &right).expect("one type"));
                boolean(order.map(|order| match comparison {
                    Comparison::Equal => order.is_eq(),
                    Comparison::Different => order.is_ne(),
                    Comparison::Less => order.is_lt(),
                    Comparison::AtMost => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::AtLeast => order.is_ge(),
                }))
            }
            Expression::In(one, list) => {
                let equal = list.iter().map(|other| {
                    Expression::Compare(Comparison::Equal, one.clone(), Box::new(Expression::Literal(other.clone())))
                });
                value(&Expression::Or(equal.collect()))
            }
            Expression::Case { branches, otherwise } => {
                match branches.iter().find(|(condition, _)| truth(condition) == Some(true)) {
                    Some((_, then)) => value(then),
                    None => otherwise.as_deref().and_then(value),
                }
            }
            Expression::Call(Function::DateTrunc, arguments) => {
                let Literal::Timestamp(moment) = value(&arguments[1])? else { panic!("a moment") };
                Period::named(&name(&arguments[0]))?.start(moment).map(Literal::Timestamp)
            }
            Expression::Call(Function::DatePart, arguments) => {
                let moment = match value(&arguments[1])? {
                    Literal::Timestamp(moment) => moment,
                    Literal::Date(days) => i64::from(days) * DAY,
                    other => panic!("no moment: {other:?}"),
                };
                Part::named(&name(&arguments[0])).map(|part| Literal::Integer(part.of(moment)))
            }
            Expression::Call(Function::Bin, arguments) => {
                let Expression::Column(column) = &arguments[0] else { panic!("a column") };
                let role = self.policies.table(self.plan.scans[column.scan].table)?.role(column.column)?;
                let (Role::Dimension { bins, .. } | Role::Measure { bins: Some(bins), .. }) = role else {
                    panic!("bins")
                };
                found(bins, &self.cell(*column, tuple)).map(|bin| Literal::Integer(bin.into()))
            }
            Expression::Cast(one, to) => match (value(one)?, to) {
                (Literal::Timestamp(moment), Type::Date) => Some(Literal::Date(moment.div_euclid(DAY) as i32)),
                (Literal::Date(days), Type::Timestamp) => Some(Literal::Timestamp(i64::from(days) * DAY)),
                (Literal::Boolean(holds), Type::Integer(_)) => Some(Literal::Integer(holds.into())),
                (Literal::Integer(whole), Type::Float) => Some(Literal::Float(whole as f64)),
                (same, _) => Some(same),
            },
            other => panic!("not evaluated: {other:?}"),
        }
    }
}

/// The declared bin of a value, by looking into each; `None` if it lies in none.
pub(super) fn found(bins: &Bins, value: &Value) -> Option<u32> {
    let value = value.as_ref()?;
    (0..bins.outside()).find(|bin| match bins.content(*bin) {
        Content::Missing => false,
        Content::Value(one) => one == *value,
        Content::Between(scale, from, last) => {
            place(value).is_some_and(|(of, place)| of == scale && from <= place && place <= last)
        }
    })
}

fn name(one: &Row) -> String {
    let Expression::Literal(Literal::String(name)) = one else { panic!("a name") };
    name.clone()
}

//! What an expression means, row by row and slowly. Floats are compared and functions called by the engine alone: of
//! those this says nothing.

use octroi_release::{Arithmetic, Comparison, Expression, Function, Literal, Type};

/// A value, or its absence.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Missing,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Day(i32),
    Moment(i64),
}

use Value::{Boolean, Day, Float, Integer, Missing, Moment, Text};

/// The value of an expression in a row; `None` where this does not know.
pub(super) fn value(expression: &Expression<usize>, row: &[Value]) -> Option<Value> {
    let of = |one: &Expression<usize>| value(one, row);
    match expression {
        Expression::Column(column) => row.get(*column).cloned(),
        Expression::Literal(literal) => Some(spelled(literal)),
        Expression::And(all) => every(all.iter().map(of), false),
        Expression::Or(all) => every(all.iter().map(of), true),
        Expression::Not(one) => match of(one)? {
            Boolean(one) => Some(Boolean(!one)),
            other => Some(other),
        },
        Expression::IsNull(one) => Some(Boolean(of(one)? == Missing)),
        Expression::Compare(how, left, right) => compare(*how, of(left)?, of(right)?),
        Expression::In(one, list) => {
            let one = of(one)?;
            let equal = |other| compare(Comparison::Equal, one.clone(), spelled(other));
            every(list.iter().map(equal), true)
        }
        Expression::Arithmetic(how, left, right) => arithmetic(*how, of(left)?, of(right)?),
        Expression::Negate(one) => match of(one)? {
            Integer(one) => Some(Integer(-one)),
            Float(one) => Some(Float(-one)),
            other => Some(other),
        },
        Expression::Case { branches, otherwise } => {
            for (when, then) in branches {
                if of(when)? == Boolean(true) {
                    return of(then);
                }
            }
            otherwise.as_ref().map_or(Some(Missing), |one| of(one))
        }
        Expression::Call(Function::Coalesce, all) => {
            for one in all {
                let one = of(one)?;
                if one != Missing {
                    return Some(one);
                }
            }
            Some(Missing)
        }
        Expression::Call(Function::NullIf, both) => {
            let [left, right] = both.as_slice() else { return None };
            let left = of(left)?;
            let equal = compare(Comparison::Equal, left.clone(), of(right)?)?;
            Some(if equal == Boolean(true) { Missing } else { left })
        }
        Expression::Cast(one, to) => cast(of(one)?, *to),
        Expression::Like { .. } | Expression::Call(..) | Expression::TryCast(..) => None,
    }
}

fn spelled(literal: &Literal) -> Value {
    match literal {
        Literal::Null(_) => Missing,
        Literal::Boolean(value) => Boolean(*value),
        Literal::Integer(value) => Integer((*value).into()),
        Literal::Float(value) => Float(*value),
        Literal::String(value) => Text(value.clone()),
        Literal::Date(value) => Day(*value),
        Literal::Timestamp(value) => Moment(*value),
    }
}

/// Three-valued: `deciding` decides, a missing one leaves it open.
fn every(all: impl Iterator<Item = Option<Value>>, deciding: bool) -> Option<Value> {
    let all: Vec<_> = all.collect();
    if all.contains(&Some(Boolean(deciding))) {
        return Some(Boolean(deciding));
    }
    let all: Vec<_> = all.into_iter().collect::<Option<_>>()?;
    Some(if all.contains(&Missing) { Missing } else { Boolean(!deciding) })
}

fn compare(how: Comparison, left: Value, right: Value) -> Option<Value> {
    let order = match (left, right) {
        (Missing, _) | (_, Missing) => return Some(Missing),
        (Boolean(left), Boolean(right)) => left.cmp(&right),
        (Integer(left), Integer(right)) => left.cmp(&right),
        (Text(left), Text(right)) => left.cmp(&right),
        (Day(left), Day(right)) => left.cmp(&right),
        (Moment(left), Moment(right)) => left.cmp(&right),
        _ => return None,
    };
    Some(Boolean(match how {
        Comparison::Equal => order.is_eq(),
        Comparison::Different => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }))
}

fn arithmetic(how: Arithmetic, left: Value, right: Value) -> Option<Value> {
    match (left, right) {
        (Missing, _) | (_, Missing) => Some(Missing),
        (Integer(left), Integer(right)) => match how {
            Arithmetic::Add => left.checked_add(right),
            Arithmetic::Subtract => left.checked_sub(right),
            Arithmetic::Multiply => left.checked_mul(right),
            Arithmetic::Divide | Arithmetic::Remainder if right == 0 => return Some(Missing),
            Arithmetic::Divide => left.checked_div(right),
            Arithmetic::Remainder => left.checked_rem(right),
        }
        .map(Integer),
        (Float(left), Float(right)) => Some(Float(match how {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
        })),
        _ => None,
    }
}

fn cast(one: Value, to: Type) -> Option<Value> {
    Some(match (one, to) {
        (Missing, _) => Missing,
        (Boolean(one), Type::Integer(_)) => Integer(one.into()),
        (Integer(one), Type::Integer(_)) => Integer(one),
        (Integer(one), Type::String) => Text(one.to_string()),
        (Day(one), Type::Timestamp) => i64::from(one).checked_mul(86_400_000_000).map_or(Missing, Moment),
        (Moment(one), Type::Date) => Day(i32::try_from(one.div_euclid(86_400_000_000)).ok()?),
        _ => return None,
    })
}

/// The same value: all numbers that are none are alike, and so are both zeros.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Float(one), Float(other)) => one == other || one.is_nan() && other.is_nan(),
        _ => one == other,
    }
}

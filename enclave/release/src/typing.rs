//! What an expression's values are, and whether one can be missing. Whatever is not listed here has no type, and what has
//! no type is not allowed.

use std::ops::RangeInclusive;

use crate::{
    expression::{Arithmetic, Expression, Function, Literal},
    judge::Rejection,
    schema::{Digits, Type},
};

/// The type of an expression, given its columns'.
///
/// # Errors
/// [`Rejection::Type`], [`Rejection::Bounds`], [`Rejection::TooWide`], [`Rejection::Cast`], [`Rejection::Column`].
pub fn type_of<C: Copy>(expression: &Expression<C>, columns: &impl Fn(C) -> Option<Type>) -> Result<Type, Rejection> {
    let of = |inner: &Expression<C>| type_of(inner, columns);
    match expression {
        Expression::Column(column) => columns(*column).ok_or(Rejection::Column),
        Expression::Literal(literal) => Ok(literal.holds()),
        Expression::And(all) | Expression::Or(all) => {
            all.iter().try_for_each(|one| boolean(of(one)?, "AND and OR")).map(|()| Type::Boolean)
        }
        Expression::Not(one) => boolean(of(one)?, "NOT").map(|()| Type::Boolean),
        Expression::IsNull(one) => of(one).map(|_| Type::Boolean),
        Expression::Compare(_, left, right) => same(of(left)?, of(right)?, "a comparison").map(|_| Type::Boolean),
        Expression::In(one, list) => {
            let holds = of(one)?;
            list.iter().try_for_each(|value| same(holds, value.holds(), "IN").map(drop)).map(|()| Type::Boolean)
        }
        Expression::Like { value, pattern, .. } => {
            text(of(value)?, "LIKE")?;
            // The engine makes a machine of it, and gives up on one that is too large: when it meets a row.
            let short = pattern.chars().count() <= MOST_FORM;
            if short { Ok(Type::Boolean) } else { Err(Rejection::Bounds { construct: "LIKE" }) }
        }
        Expression::Arithmetic(operation, left, right) => arithmetic(*operation, of(left)?, of(right)?),
        Expression::Negate(one) => signless(of(one)?, "-"),
        Expression::Case { branches, otherwise } => case(branches, otherwise.as_deref(), columns),
        Expression::Call(function, arguments) => {
            let holds = arguments.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            call(*function, arguments, &holds)
        }
        Expression::Cast(one, to) => cast(of(one)?, *to),
        Expression::TryCast(one, to) => try_cast(of(one)?, *to),
    }
}

fn case<C: Copy>(
    branches: &[(Expression<C>, Expression<C>)],
    otherwise: Option<&Expression<C>>,
    columns: &impl Fn(C) -> Option<Type>,
) -> Result<Type, Rejection> {
    for (condition, _) in branches {
        boolean(type_of(condition, columns)?, "WHEN")?;
    }
    let values = branches.iter().map(|(_, value)| value).chain(otherwise);
    let types = values.map(|value| type_of(value, columns)).collect::<Result<Vec<_>, _>>()?;
    all_same(&types, "CASE")
}

fn call<C>(function: Function, arguments: &[Expression<C>], holds: &[Type]) -> Result<Type, Rejection> {
    let spelled = |place: usize| match arguments.get(place) {
        Some(Expression::Literal(literal)) => Some(literal),
        _ => None,
    };
    match (function, holds) {
        (Function::DateTrunc, [Type::String, Type::Timestamp]) => {
            one_of(spelled(0), PERIODS, "date_trunc").map(|()| Type::Timestamp)
        }
        (Function::DatePart, [Type::String, Type::Date | Type::Timestamp]) => {
            one_of(spelled(0), PARTS, "date_part").map(|()| SMALL)
        }
        (Function::Floor | Function::Ceiling | Function::Round | Function::Absolute, [Type::Float]) => Ok(Type::Float),
        (Function::Round, [Type::Float, Type::Integer(_)]) if matches!(spelled(1), Some(Literal::Integer(_))) => {
            Ok(Type::Float)
        }
        (Function::Lower | Function::Upper | Function::Trim, [Type::String]) => Ok(Type::String),
        (Function::CharacterLength, [Type::String]) => Ok(SMALL),
        (Function::Substring, [Type::String, rest @ ..]) if matches!(rest.len(), 1 | 2) => {
            let bounded = match (spelled(1), spelled(2)) {
                (Some(Literal::Integer(from)), None) if rest.len() == 1 => within(&PLACES, *from, "substring"),
                (Some(Literal::Integer(from)), Some(Literal::Integer(length))) => {
                    within(&PLACES, *from, "substring").and_then(|()| within(&LENGTHS, *length, "substring"))
                }
                _ => Err(Rejection::Type { construct: "substring" }),
            };
            bounded.map(|()| Type::String)
        }
        (Function::StartsWith, [Type::String, Type::String]) => Ok(Type::Boolean),
        (Function::Coalesce, [_, ..]) => all_same(holds, "coalesce"),
        (Function::NullIf, [left, right]) => same(*left, *right, "nullif").map(|_| *left),
        _ => Err(Rejection::Type { construct: "a function" }),
    }
}

fn arithmetic(operation: Arithmetic, left: Type, right: Type) -> Result<Type, Rejection> {
    let (left, right) = match (left, right) {
        (Type::Float, Type::Float) => return Ok(Type::Float),
        (Type::Integer(left), Type::Integer(right)) => (left, right),
        _ => return Err(Rejection::Type { construct: "arithmetic" }),
    };
    let digits = match operation {
        Arithmetic::Add | Arithmetic::Subtract => left.added(right),
        Arithmetic::Multiply => left.multiplied(right),
        // Both are computed in decimals of 128 bits.
        Arithmetic::Divide | Arithmetic::Remainder => {
            left.negated().filter(|digits| digits.count().max(right.count()) <= QUOTIENT)
        }
    };
    digits.map(Type::Integer).ok_or(Rejection::TooWide)
}

/// Casts under which every value has its counterpart, but for days that lie beyond all moments.
fn cast(from: Type, to: Type) -> Result<Type, Rejection> {
    match (from, to) {
        // BIGINT is as wide as a whole number is: nothing is narrowed.
        (Type::Integer(from), Type::Integer(to)) if to >= Digits::STORED || from <= to => {
            Ok(Type::Integer(from.max(to)))
        }
        (Type::Boolean, Type::Integer(to)) => Ok(Type::Integer(to)),
        (Type::Integer(_), Type::Float | Type::String)
        | (Type::Date, Type::Timestamp)
        | (Type::Timestamp, Type::Date) => Ok(to),
        _ if from == to => Ok(to),
        _ => Err(Rejection::Cast),
    }
}

fn try_cast(from: Type, to: Type) -> Result<Type, Rejection> {
    match (from, to) {
        (Type::Float | Type::String, Type::Integer(digits)) if digits == Digits::STORED => Ok(to),
        (Type::String, Type::Float | Type::Boolean | Type::Date | Type::Timestamp) => Ok(to),
        _ => cast(from, to),
    }
}

fn signless(holds: Type, construct: &'static str) -> Result<Type, Rejection> {
    match holds {
        Type::Float => Ok(Type::Float),
        Type::Integer(digits) => digits.negated().map(Type::Integer).ok_or(Rejection::TooWide),
        Type::Boolean | Type::String | Type::Date | Type::Timestamp => Err(Rejection::Type { construct }),
    }
}

fn boolean(holds: Type, construct: &'static str) -> Result<(), Rejection> {
    if holds == Type::Boolean { Ok(()) } else { Err(Rejection::Type { construct }) }
}

fn text(holds: Type, construct: &'static str) -> Result<(), Rejection> {
    if holds == Type::String { Ok(()) } else { Err(Rejection::Type { construct }) }
}

/// The wider of two integers, or the one type that both are.
pub(crate) fn same(left: Type, right: Type, construct: &'static str) -> Result<Type, Rejection> {
    match (left, right) {
        (Type::Integer(left), Type::Integer(right)) => Ok(Type::Integer(left.max(right))),
        _ if left == right => Ok(left),
        _ => Err(Rejection::Type { construct }),
    }
}

fn all_same(types: &[Type], construct: &'static str) -> Result<Type, Rejection> {
    let start = first(types)?;
    types.iter().try_fold(start, |widest, holds| same(widest, *holds, construct))
}

fn first(types: &[Type]) -> Result<Type, Rejection> {
    types.first().copied().ok_or(Rejection::Type { construct: "CASE" })
}

fn one_of(literal: Option<&Literal>, list: &[&str], construct: &'static str) -> Result<(), Rejection> {
    match literal {
        Some(Literal::String(name)) if list.contains(&name.as_str()) => Ok(()),
        _ => Err(Rejection::Type { construct }),
    }
}

/// What is spelled out, within these bounds.
fn within(bounds: &RangeInclusive<i64>, value: i64, construct: &'static str) -> Result<(), Rejection> {
    if bounds.contains(&value) { Ok(()) } else { Err(Rejection::Bounds { construct }) }
}

const PERIODS: &[&str] = &["year", "quarter", "month", "week", "day", "hour", "minute", "second"];
const PARTS: &[&str] = &["year", "quarter", "month", "week", "day", "doy", "dow", "isodow", "hour", "minute", "second"];
/// Of years, lengths and the like: 32 bits.
const SMALL: Type = Type::Integer(Digits::OF_32_BITS);
/// Characters of a text are counted in 32 bits.
const PLACES: RangeInclusive<i64> = -(1 << 31)..=1 << 31;
const LENGTHS: RangeInclusive<i64> = 0..=1 << 31;
/// Characters of a form.
const MOST_FORM: usize = 1_000;
/// Most digits that a decimal of 128 bits has.
const QUOTIENT: u8 = 38;

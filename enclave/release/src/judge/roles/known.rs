//! What is known of an expression's value for all values of one bin: so that what a condition or key makes of a bin is
//! found without a row, or found not to be one thing.
//!
//! Three-valued logic as in SQL. Whatever is not read here is not known, and what is not known is refused.

use std::cmp::Ordering;

use crate::{
    calendar::{DAY, Part, Period},
    expression::{Comparison, Expression, Function, Literal},
    plan::RowColumn,
    policy::{Content, Scale, compared, place},
    schema::Type,
};

/// What is known of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// It is missing.
    Missing,
    /// It is this.
    Exactly(Literal),
    /// It lies from a place to a place, both within, and is not missing.
    Between(Scale, i64, i64),
}

impl From<Content> for Known {
    fn from(content: Content) -> Self {
        match content {
            Content::Missing => Self::Missing,
            Content::Value(value) => Self::Exactly(value),
            Content::Between(scale, from, last) => Self::between(scale, from, last),
        }
    }
}

impl Known {
    /// What an expression over one column is known to be, given what the column is. `None` if it is not the same, or not
    /// known to be, for all values of the column.
    pub(super) fn of(expression: &Expression<RowColumn>, column: &Self) -> Option<Self> {
        let of = |one: &Expression<RowColumn>| Self::of(one, column);
        match expression {
            Expression::Column(_) => Some(column.clone()),
            Expression::Literal(literal) => Some(Self::literal(literal)),
            Expression::And(all) => Some(Self::truth(every(all.iter().map(of), false)?)),
            Expression::Or(all) => Some(Self::truth(every(all.iter().map(of), true)?)),
            Expression::Not(one) => Some(Self::truth(of(one)?.holds()?.map(|holds| !holds))),
            Expression::IsNull(one) => Some(Self::truth(Some(of(one)? == Self::Missing))),
            Expression::Compare(comparison, left, right) => {
                Some(Self::truth(of(left)?.compare(*comparison, &of(right)?)?))
            }
            Expression::In(one, list) => {
                let one = of(one)?;
                let equal = |value: &Literal| Some(Self::truth(one.compare(Comparison::Equal, &Self::literal(value))?));
                Some(Self::truth(every(list.iter().map(equal), true)?))
            }
            Expression::Case { branches, otherwise } => {
                for (condition, value) in branches {
                    if of(condition)?.holds()? == Some(true) {
                        return of(value);
                    }
                }
                otherwise.as_deref().map_or(Some(Self::Missing), of)
            }
            Expression::Call(Function::DateTrunc, arguments) => {
                let [Expression::Literal(Literal::String(name)), one] = arguments.as_slice() else { return None };
                let period = Period::named(name)?;
                of(one)?.mapped(Scale::Timestamp, |moment| period.start(moment))
            }
            Expression::Call(Function::DatePart, arguments) => {
                let [Expression::Literal(Literal::String(name)), one] = arguments.as_slice() else { return None };
                of(one)?.part(Part::named(name)?)
            }
            Expression::Cast(one, to) => of(one)?.cast(*to),
            Expression::Like { .. }
            | Expression::Arithmetic(..)
            | Expression::Negate(_)
            | Expression::TryCast(..)
            | Expression::Call(
                Function::Floor
                | Function::Ceiling
                | Function::Round
                | Function::Absolute
                | Function::Lower
                | Function::Upper
                | Function::Trim
                | Function::CharacterLength
                | Function::Substring
                | Function::StartsWith
                | Function::Coalesce
                | Function::NullIf
                | Function::Bin,
                _,
            ) => None,
        }
    }

    /// Whether it is true; `Some(None)` where that is missing.
    pub(super) fn holds(&self) -> Option<Option<bool>> {
        match self {
            Self::Missing => Some(None),
            Self::Exactly(Literal::Boolean(holds)) => Some(Some(*holds)),
            Self::Exactly(_) | Self::Between(..) => None,
        }
    }

    fn truth(holds: Option<bool>) -> Self {
        holds.map_or(Self::Missing, |holds| Self::Exactly(Literal::Boolean(holds)))
    }

    fn literal(literal: &Literal) -> Self {
        if matches!(literal, Literal::Null(_)) { Self::Missing } else { Self::Exactly(literal.clone()) }
    }

    fn between(scale: Scale, from: i64, last: i64) -> Self {
        if from == last { Self::Exactly(scale.literal(from)) } else { Self::Between(scale, from, last) }
    }

    /// Places of a line, both within; `None` for what is on none, or missing.
    fn places(&self) -> Option<(Scale, i64, i64)> {
        match self {
            Self::Missing => None,
            Self::Exactly(value) => place(value).map(|(scale, place)| (scale, place, place)),
            Self::Between(scale, from, last) => Some((*scale, *from, *last)),
        }
    }

    fn compare(&self, comparison: Comparison, other: &Self) -> Option<Option<bool>> {
        let holds = |order: Ordering| match comparison {
            Comparison::Equal => order.is_eq(),
            Comparison::Different => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::AtMost => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::AtLeast => order.is_ge(),
        };
        match (self, other) {
            (Self::Missing, _) | (_, Self::Missing) => Some(None),
            (Self::Exactly(one), Self::Exactly(other)) => compared(one, other).map(|order| Some(holds(order))),
            (Self::Exactly(_) | Self::Between(..), Self::Exactly(_) | Self::Between(..)) => {
                let ((scale, from, last), (other_scale, other_from, other_last)) = (self.places()?, other.places()?);
                if scale != other_scale {
                    return None;
                }
                // Every order that a value of one and a value of the other can be in says the same.
                let least = from.cmp(&other_last);
                let most = last.cmp(&other_from);
                let possible = [Ordering::Less, Ordering::Equal, Ordering::Greater];
                let mut verdicts = possible.into_iter().filter(|order| (least..=most).contains(order)).map(holds);
                let first = verdicts.next()?;
                verdicts.all(|verdict| verdict == first).then_some(Some(first))
            }
        }
    }

    /// A function that keeps the order of moments.
    fn mapped(&self, scale: Scale, map: impl Fn(i64) -> Option<i64>) -> Option<Self> {
        match self.places() {
            Some((Scale::Timestamp, from, last)) => Some(Self::between(scale, map(from)?, map(last)?)),
            Some(_) => None,
            None => (*self == Self::Missing).then_some(Self::Missing),
        }
    }

    fn part(&self, part: Part) -> Option<Self> {
        let moments = self.cast(Type::Timestamp)?;
        let start = moments.mapped(Scale::Timestamp, |moment| part.period().start(moment))?;
        match start {
            Self::Missing => Some(Self::Missing),
            Self::Exactly(Literal::Timestamp(start)) => Some(Self::Exactly(Literal::Integer(part.of(start)))),
            Self::Exactly(_) | Self::Between(..) => None,
        }
    }

    fn cast(&self, to: Type) -> Option<Self> {
        match (self.places(), to) {
            (Some((Scale::Date, from, last)), Type::Timestamp) => {
                Some(Self::between(Scale::Timestamp, from.checked_mul(DAY)?, last.checked_mul(DAY)?))
            }
            (Some((Scale::Timestamp, ..)), Type::Date) => {
                self.mapped(Scale::Date, |moment| Some(moment.div_euclid(DAY)))
            }
            (Some((Scale::Date, ..)), Type::Date)
            | (Some((Scale::Timestamp, ..)), Type::Timestamp)
            | (Some((Scale::Integer, ..)), Type::Integer(_))
            | (Some((Scale::Float, ..)), Type::Float) => Some(self.clone()),
            (Some(_), _) => None,
            (None, _) => match (self, to) {
                (Self::Missing, _)
                | (Self::Exactly(Literal::String(_)), Type::String)
                | (Self::Exactly(Literal::Boolean(_)), Type::Boolean) => Some(self.clone()),
                (Self::Exactly(_) | Self::Between(..), _) => None,
            },
        }
    }
}

/// Of truths: OR if `ends` is true, AND if it is false. One that `ends` decides whatever the others are.
fn every(truths: impl Iterator<Item = Option<Known>>, ends: bool) -> Option<Option<bool>> {
    let (mut unknown, mut missing) = (false, false);
    for truth in truths {
        match truth.and_then(|truth| truth.holds()) {
            Some(Some(holds)) if holds == ends => return Some(Some(ends)),
            Some(Some(_)) => {}
            Some(None) => missing = true,
            None => unknown = true,
        }
    }
    if unknown { None } else { Some((!missing).then_some(!ends)) }
}

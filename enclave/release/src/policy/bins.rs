//! A column's declared bins: which one a value lies in, what lies in one, and the condition that a set of them is.
//!
//! Numbered from 0, the last one holding what lies outside of those declared, missing values too. Of a calendar that is
//! also whatever was before it began or after it ended: to a question such a moment is missing.

use octroi_proto::wire::v1 as wire;

use super::{
    PolicyError,
    scale::{Scale, place, total},
};
use crate::{
    calendar::{DAY, Period, date},
    expression::{Comparison, Expression, Literal},
    schema::{Column, Type},
    space::BinSet,
};

/// Declared bins of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins {
    /// One for each value, in their order ([`total`]).
    Listed(Vec<Literal>),
    /// Below the first place, from each to the next, from the last on.
    Cuts(Scale, Vec<i64>),
    /// From each place to the next; the last one ends the calendar.
    Calendar(Scale, Period, Vec<i64>),
}

/// What lies in a bin.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Missing values, or those that count as missing.
    Missing,
    /// One value.
    Value(Literal),
    /// From a place to a place, both within.
    Between(Scale, i64, i64),
}

impl Bins {
    /// The values of a column's declared domain; of a boolean column there are two.
    pub(super) fn listed(column: &Column) -> Result<Self, PolicyError> {
        let mut values = match column.holds {
            Type::Boolean => vec![Literal::Boolean(false), Literal::Boolean(true)],
            Type::Integer(_) | Type::String => column.domain.clone(),
            Type::Float | Type::Date | Type::Timestamp => Vec::new(),
        };
        values.sort_unstable_by(total);
        values.dedup();
        if values.is_empty() {
            Err(PolicyError::Bins { column: column.name.clone() })
        } else {
            Ok(Self::Listed(values))
        }
    }

    /// Between points, as they are written in a policy.
    pub(super) fn cuts(column: &Column, points: &[String]) -> Result<Self, PolicyError> {
        Self::between(column, points.iter().map(|point| point_of(column.holds, point)))
    }

    /// Between points of a measure.
    pub(super) fn of_measure(column: &Column, points: &[f64]) -> Result<Self, PolicyError> {
        let whole = |point: f64| (point.fract() == 0.0 && point.abs() <= MOST_WHOLE).then_some(point);
        let literal = |point: f64| match column.holds {
            // A whole number of at most 53 bits is the same as a float and as an integer.
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within 53 bits")]
            Type::Integer(_) => whole(point).map(|point| Literal::Integer(point as i64)),
            Type::Float => point.is_finite().then_some(Literal::Float(point)),
            Type::Boolean | Type::String | Type::Date | Type::Timestamp => None,
        };
        Self::between(column, points.iter().map(|point| literal(*point)))
    }

    fn between(column: &Column, points: impl Iterator<Item = Option<Literal>>) -> Result<Self, PolicyError> {
        let wrong = || PolicyError::Bins { column: column.name.clone() };
        let scale = Scale::of(column.holds).ok_or_else(wrong)?;
        let places = points.map(|point| Some(place(&point?)?.1)).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        // Nothing lies below the least there is.
        let sound =
            places.is_sorted_by(|one, next| one < next) && places.first().is_some_and(|least| *least > i64::MIN);
        if sound && places.len() <= MOST_POINTS { Ok(Self::Cuts(scale, places)) } else { Err(wrong()) }
    }

    /// Periods of a column of dates or moments.
    pub(super) fn calendar(column: &Column, declared: &wire::Calendar) -> Result<Self, PolicyError> {
        Self::periods(column, declared).ok_or_else(|| PolicyError::Bins { column: column.name.clone() })
    }

    fn periods(column: &Column, declared: &wire::Calendar) -> Option<Self> {
        let period = Period::named(&declared.period)?;
        let scale = Scale::of(column.holds)?;
        let unit = match (scale, period) {
            (Scale::Timestamp, Period::Year | Period::Month | Period::Week | Period::Day | Period::Hour) => 1,
            (Scale::Date, Period::Year | Period::Month | Period::Week | Period::Day) => DAY,
            _ => return None,
        };
        let moment = |text: &str| i64::from(date(text)?).checked_mul(DAY);
        let (mut at, to) = (moment(&declared.from)?, moment(&declared.to)?);
        if period.start(at) != Some(at) || period.start(to) != Some(to) || at >= to {
            return None;
        }
        let mut places = vec![at / unit];
        while at < to {
            at = period.next(at)?;
            places.push(at / unit);
            if places.len() > MOST_PERIODS + 1 {
                return None;
            }
        }
        Some(Self::Calendar(scale, period, places))
    }

    /// How many are declared: the number of the one outside.
    pub fn outside(&self) -> u32 {
        let declared = match self {
            Self::Listed(values) => values.len(),
            Self::Cuts(_, points) => points.len() + 1,
            Self::Calendar(_, _, starts) => starts.len().saturating_sub(1),
        };
        u32::try_from(declared).unwrap_or(u32::MAX - 1)
    }

    /// All of them, that outside too.
    pub fn all(&self) -> BinSet {
        BinSet::range(0, self.outside() + 1)
    }

    /// All that are declared.
    pub fn declared(&self) -> BinSet {
        BinSet::range(0, self.outside())
    }

    /// The bin that a value of the column's lies in.
    pub fn bin(&self, value: &Literal) -> u32 {
        let found = match self {
            Self::Listed(values) => values.binary_search_by(|one| total(one, value)).ok(),
            Self::Cuts(scale, points) => on(*scale, value).map(|place| points.partition_point(|point| *point <= place)),
            Self::Calendar(scale, _, starts) => on(*scale, value).and_then(|place| {
                let after = starts.partition_point(|start| *start <= place);
                (after < starts.len()).then(|| after.checked_sub(1)).flatten()
            }),
        };
        found.and_then(|bin| u32::try_from(bin).ok()).unwrap_or_else(|| self.outside())
    }

    /// What lies in a bin.
    pub fn content(&self, bin: u32) -> Content {
        if bin >= self.outside() {
            return Content::Missing;
        }
        let at = bin as usize;
        match self {
            Self::Listed(values) => values.get(at).map_or(Content::Missing, |value| Content::Value(value.clone())),
            Self::Cuts(scale, points) => {
                let from = at.checked_sub(1).and_then(|before| points.get(before)).copied().unwrap_or(i64::MIN);
                let last = points.get(at).map_or(i64::MAX, |next| next.saturating_sub(1));
                Content::Between(*scale, from, last)
            }
            Self::Calendar(scale, _, starts) => match (starts.get(at), starts.get(at + 1)) {
                (Some(from), Some(next)) => Content::Between(*scale, *from, next.saturating_sub(1)),
                _ => Content::Missing,
            },
        }
    }

    /// The column as questions see it: a moment outside of the calendar is missing.
    pub fn seen<C: Clone>(&self, column: &C) -> Expression<C> {
        let column = Expression::Column(column.clone());
        let Self::Calendar(scale, _, starts) = self else { return column };
        let (Some(from), Some(to)) = (starts.first(), starts.last()) else { return column };
        let within = Expression::And(vec![
            against(Comparison::AtLeast, &column, scale.literal(*from)),
            against(Comparison::Less, &column, scale.literal(*to)),
        ]);
        Expression::Case { branches: vec![(within, column)], otherwise: None }
    }

    /// The number of its bin, from 0; missing outside.
    pub fn number<C: Clone>(&self, column: &C) -> Option<Expression<C>> {
        let Self::Cuts(scale, points) = self else { return None };
        let column = Expression::Column(column.clone());
        let numbered = points.iter().zip(0_i64..);
        let mut branches = vec![(Expression::IsNull(column.clone().into()), Expression::Literal(Literal::Null(BIN)))];
        branches.extend(numbered.map(|(point, number)| {
            let below = against(Comparison::Less, &column, scale.literal(*point));
            (below, Expression::Literal(Literal::Integer(number)))
        }));
        let last = Literal::Integer(i64::from(self.outside()) - 1);
        Some(Expression::Case { branches, otherwise: Some(Box::new(Expression::Literal(last))) })
    }

    /// The condition that a column's value lies in one of these bins. It is never missing.
    pub fn condition<C: Clone>(&self, column: &C, set: &BinSet) -> Expression<C> {
        let column = Expression::Column(column.clone());
        let there = Expression::Not(Box::new(Expression::IsNull(column.clone().into())));
        let inside = set.and(&self.declared());
        let mut any = match self {
            Self::Listed(values) => {
                let listed = inside.runs().flat_map(|(from, to)| from..to);
                let listed: Vec<_> = listed.filter_map(|bin| values.get(bin as usize).cloned()).collect();
                let within = Expression::In(column.clone().into(), listed);
                if inside.is_empty() { Vec::new() } else { vec![Expression::And(vec![there.clone(), within])] }
            }
            Self::Cuts(..) | Self::Calendar(..) => {
                let ranges = inside.runs().filter_map(|(from, to)| self.range(&column, from, to));
                ranges.map(|range| Expression::And(vec![there.clone(), range])).collect()
            }
        };
        if set.contains(self.outside()) {
            any.push(Expression::IsNull(column.clone().into()));
            if let Self::Calendar(scale, _, starts) = self {
                let before = starts.first().map(|from| against(Comparison::Less, &column, scale.literal(*from)));
                let after = starts.last().map(|to| against(Comparison::AtLeast, &column, scale.literal(*to)));
                let beyond = before.into_iter().chain(after);
                any.extend(beyond.map(|beyond| Expression::And(vec![there.clone(), beyond])));
            }
        }
        if any.is_empty() { Expression::Literal(Literal::Boolean(false)) } else { Expression::Or(any) }
    }

    /// Of a calendar, as [`crate::judge::roles::Axis::spans`] says.
    pub fn spans(&self, classes: &[BinSet]) -> Option<(u32, Vec<(i64, u32)>)> {
        let Self::Calendar(_, _, starts) = self else { return None };
        let class_of = |bin| (0..).zip(classes).find(|(_, set)| set.contains(bin)).map(|(class, _)| class);
        let outside = class_of(self.outside())?;
        // Where runs of bins begin; between two of these all bins are of one class.
        let mut begins: Vec<u32> = classes.iter().flat_map(BinSet::runs).map(|(from, _)| from).collect();
        begins.retain(|from| *from < self.outside());
        begins.extend([0, self.outside()]);
        begins.sort_unstable();
        begins.dedup();
        let span = |from: u32| Some((*starts.get(from as usize)?, class_of(from)?));
        Some((outside, begins.into_iter().map(span).collect::<Option<_>>()?))
    }

    /// From a declared bin up to another.
    fn range<C: Clone>(&self, column: &Expression<C>, from: u32, to: u32) -> Option<Expression<C>> {
        let (Content::Between(scale, first, _), Content::Between(_, _, last)) =
            (self.content(from), self.content(to.checked_sub(1)?))
        else {
            return None;
        };
        let mut ends = Vec::with_capacity(2);
        if first > i64::MIN {
            ends.push(against(Comparison::AtLeast, column, scale.literal(first)));
        }
        if last < i64::MAX {
            ends.push(against(Comparison::Less, column, scale.literal(last + 1)));
        }
        Some(Expression::And(ends))
    }
}

fn on(scale: Scale, value: &Literal) -> Option<i64> {
    place(value).filter(|(of, _)| *of == scale).map(|(_, place)| place)
}

fn against<C: Clone>(comparison: Comparison, column: &Expression<C>, value: Literal) -> Expression<C> {
    Expression::Compare(comparison, Box::new(column.clone()), Box::new(Expression::Literal(value)))
}

/// A point as it is written in a policy. A moment is written as a day: its midnight.
fn point_of(holds: Type, text: &str) -> Option<Literal> {
    match holds {
        Type::Integer(_) => text.parse().ok().map(Literal::Integer),
        Type::Float => text.parse().ok().filter(|point: &f64| point.is_finite()).map(Literal::Float),
        Type::Date => date(text).map(Literal::Date),
        Type::Timestamp => i64::from(date(text)?).checked_mul(DAY).map(Literal::Timestamp),
        Type::Boolean | Type::String => None,
    }
}

/// What [`Bins::number`] holds.
pub const BIN: Type = Type::Integer(crate::schema::Digits::OF_32_BITS);
const MOST_POINTS: usize = 1_000;
const MOST_PERIODS: usize = 100_000;
/// Whole numbers that a float holds exactly.
const MOST_WHOLE: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests;

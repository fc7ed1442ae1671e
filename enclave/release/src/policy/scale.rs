//! Numbers, days and moments as places on one line of whole numbers, so that ranges of each are ranges of places.

use std::cmp::Ordering;

use crate::{expression::Literal, schema::Type};

/// What the places of a line are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Whole numbers.
    Integer,
    /// Floats in the order of IEEE 754's totalOrder, which is that of Arrow's comparisons: -0 lies below 0.
    Float,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since then.
    Timestamp,
}

impl Scale {
    /// That of a type; `None` for one that has no ranges.
    pub fn of(holds: Type) -> Option<Self> {
        match holds {
            Type::Integer(_) => Some(Self::Integer),
            Type::Float => Some(Self::Float),
            Type::Date => Some(Self::Date),
            Type::Timestamp => Some(Self::Timestamp),
            Type::Boolean | Type::String => None,
        }
    }

    /// The value at a place.
    pub fn literal(self, place: i64) -> Literal {
        match self {
            Self::Integer => Literal::Integer(place),
            Self::Float => Literal::Float(f64::from_bits(turned(place).cast_unsigned())),
            // Places of days are made from days: none is wider.
            Self::Date => Literal::Date(i32::try_from(place).unwrap_or(if place < 0 { i32::MIN } else { i32::MAX })),
            Self::Timestamp => Literal::Timestamp(place),
        }
    }
}

/// The line that a value is on, and its place.
pub fn place(value: &Literal) -> Option<(Scale, i64)> {
    match value {
        Literal::Integer(value) => Some((Scale::Integer, *value)),
        Literal::Float(value) => Some((Scale::Float, turned(value.to_bits().cast_signed()))),
        Literal::Date(days) => Some((Scale::Date, i64::from(*days))),
        Literal::Timestamp(moment) => Some((Scale::Timestamp, *moment)),
        Literal::Null(_) | Literal::Boolean(_) | Literal::String(_) => None,
    }
}

/// How two values of one type are ordered, as the engine orders them; values of two types, or a missing one, are not.
pub fn compared(one: &Literal, other: &Literal) -> Option<Ordering> {
    match (one, other) {
        (Literal::Boolean(one), Literal::Boolean(other)) => Some(one.cmp(other)),
        // Bytes of UTF-8, in Arrow as here.
        (Literal::String(one), Literal::String(other)) => Some(one.cmp(other)),
        _ => {
            let ((scale, one), (other_scale, other)) = (place(one)?, place(other)?);
            (scale == other_scale).then(|| one.cmp(&other))
        }
    }
}

/// An order of all values: missing ones first.
pub fn total(one: &Literal, other: &Literal) -> Ordering {
    let rank = |value: &Literal| match value {
        Literal::Null(_) => 0,
        Literal::Boolean(_) => 1,
        Literal::Integer(_) => 2,
        Literal::Float(_) => 3,
        Literal::String(_) => 4,
        Literal::Date(_) => 5,
        Literal::Timestamp(_) => 6,
    };
    compared(one, other).unwrap_or_else(|| rank(one).cmp(&rank(other)))
}

/// A float's bits as a number of the same order, and back: below zero the bits run the other way.
fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_of_floats_are_in_their_order(one in any::<f64>(), other in any::<f64>()) {
            let ordered = compared(&Literal::Float(one), &Literal::Float(other));
            prop_assert_eq!(ordered, Some(one.total_cmp(&other)));
            let Some((scale, at)) = place(&Literal::Float(one)) else { panic!("a float has a place") };
            let Literal::Float(back) = scale.literal(at) else { panic!("a float") };
            prop_assert_eq!(back.to_bits(), one.to_bits());
        }
    }

    #[test]
    fn values_of_two_types_are_in_no_order() {
        assert_eq!(compared(&Literal::Integer(1), &Literal::Float(1.0)), None);
        assert_eq!(compared(&Literal::Null(Type::Date), &Literal::Date(1)), None);
        assert_eq!(total(&Literal::Null(Type::Date), &Literal::Date(1)), Ordering::Less);
    }
}

//! Aggregates: of which rows each one is, and what must be measured of each subject's part in it.

use std::collections::BTreeSet;

use super::{
    Instead, Objection, Offence, Place, Roles,
    conditions::{Chosen, conjuncts},
};
use crate::{
    expression::{Expression, Literal},
    judge::columns_of,
    plan::{Aggregate, Aggregation, Regression, RowColumn},
    policy::Role,
    schema::{Digits, Type},
    space::BinSet,
};

/// The rows of a cell that some aggregates are about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    /// Bins that they lie in: with the cell's they make the region whose subjects are counted. By the axes' places.
    pub bins: Vec<(usize, BinSet)>,
    /// A condition on a sensitive column: it is counted within that region and chooses nothing.
    pub sensitive: Option<Expression<RowColumn>>,
    /// That a row lies in those bins.
    pub(super) written: Vec<Expression<RowColumn>>,
}

/// What is released of a cell, and what of each subject decides whether it may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Which rows it is of.
    pub scope: usize,
    /// What each subject contributes, by magnitude: sums of these over the subject's rows.
    pub quantities: Vec<Quantity>,
    /// Columns of which no value may be missing in a row: the others are left out, and subjects with no other row are not
    /// counted.
    pub present: Vec<RowColumn>,
    /// For a quantile: so many of a thousand thousands lie below it, and enough subjects must lie on each side.
    pub quantile: Option<u32>,
}

/// What a row adds to a subject's contribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// One.
    Row,
    /// The magnitude of a measure; of a boolean one for true.
    Value(RowColumn),
    /// Its square.
    Square(RowColumn),
    /// That of the product of two.
    Product(RowColumn, RowColumn),
    /// One for each different value of a column that names subjects, or things of theirs.
    Different(RowColumn),
}

impl Roles<'_> {
    /// Reads an aggregate: with the form in which the engine is to compute it, but for its condition.
    pub(super) fn figure(
        &self,
        aggregate: &Aggregate,
        number: usize,
        base: &Chosen,
        scopes: &mut Vec<Scope>,
    ) -> Result<(Figure, Aggregate), Objection> {
        let place = Place::Aggregate(number);
        let mut conditions: Vec<&Expression<RowColumn>> = aggregate.filter.iter().flat_map(conjuncts).collect();
        let mut written = Aggregate { filter: None, ..aggregate.clone() };
        if let Some((condition, inner)) =
            aggregate.argument.as_ref().and_then(|argument| conditional(aggregate.of, argument))
        {
            conditions.extend(conjuncts(condition));
            written = inner;
        }
        let mut chosen = Chosen { bins: Vec::new(), written: Vec::new(), ..base.clone() };
        self.choose(&conditions, |_| Place::Filter(number), &mut chosen)?;
        let (quantities, present) = self.measured(&written, place, &mut chosen)?;
        if let Some(sensitive) = chosen.of {
            let different = |quantity: &Quantity| matches!(quantity, Quantity::Different(_));
            let counts = written.of == Aggregation::CountRows || quantities.iter().all(different);
            if !counts {
                let offence = Offence::SensitiveCondition { column: self.name(sensitive) };
                return Err(Objection::new(offence, place).instead(Instead::CountRows));
            }
        }
        // The same rows are the same scope, in whatever order conditions are written.
        chosen.bins.sort_by_key(|(axis, _)| *axis);
        let sensitive = (!chosen.sensitive.is_empty()).then(|| Expression::And(chosen.sensitive.clone()));
        let scope = Scope { bins: chosen.bins, sensitive, written: chosen.written };
        let same = |one: &Scope| one.bins == scope.bins && one.sensitive == scope.sensitive;
        let scope = scopes.iter().position(same).unwrap_or_else(|| {
            scopes.push(scope);
            scopes.len() - 1
        });
        let quantile = if let Aggregation::Quantile(millionths) = written.of { Some(millionths) } else { None };
        Ok((Figure { scope, quantities, present, quantile }, written))
    }

    fn measured(
        &self,
        aggregate: &Aggregate,
        place: Place,
        chosen: &mut Chosen,
    ) -> Result<(Vec<Quantity>, Vec<RowColumn>), Objection> {
        let one = || self.argument(aggregate.argument.as_ref(), place);
        let measure = || self.measure(aggregate.argument.as_ref(), place);
        let against = || self.measure(aggregate.against.as_ref(), place);
        match aggregate.of {
            Aggregation::CountRows => Ok((vec![Quantity::Row], Vec::new())),
            Aggregation::Count => {
                let column = one()?;
                match self.role(column, place)? {
                    // Those that have a declared value: bins of their own.
                    Role::Dimension { .. } => {
                        let axis = self.own_axis(column, place)?;
                        if let Some(axis_of) = self.axes.get(axis) {
                            let declared = BinSet::range(0, axis_of.outside());
                            let written = axis_of.condition(&declared);
                            chosen.narrow(axis, declared, Some(written));
                        }
                        Ok((vec![Quantity::Row], Vec::new()))
                    }
                    // Whether there is a value is as sensitive as the value: counted within the cell.
                    Role::Measure { .. } => Ok((vec![Quantity::Row], Vec::new())),
                    role @ (Role::Identifier | Role::Category | Role::JoinKey(_)) => Err(self
                        .misused(column, role, "its rows are not counted by it", place)
                        .instead(Instead::CountRows)),
                }
            }
            Aggregation::CountDistinct => {
                let column = one()?;
                let role = self.role(column, place)?;
                if self.is_unit(column) || matches!(role, Role::Identifier) {
                    return Ok((vec![Quantity::Different(column)], Vec::new()));
                }
                let objection = self.misused(column, role, "its different values are not counted", place);
                Err(match role {
                    Role::Dimension { .. } => objection.instead(Instead::GroupBy { column: self.name(column) }),
                    Role::Identifier | Role::Measure { .. } | Role::Category | Role::JoinKey(_) => {
                        objection.instead(Instead::LeaveOut)
                    }
                })
            }
            Aggregation::Sum | Aggregation::Mean => {
                measure().map(|column| (vec![Quantity::Value(column)], vec![column]))
            }
            Aggregation::Variance
            | Aggregation::PopulationVariance
            | Aggregation::Deviation
            | Aggregation::PopulationDeviation => {
                measure().map(|column| (vec![Quantity::Value(column), Quantity::Square(column)], vec![column]))
            }
            // Of a quantile no one's value is a part: each subject counts by its rows.
            Aggregation::Quantile(_) => measure().map(|column| (vec![Quantity::Row], vec![column])),
            Aggregation::Correlation
            | Aggregation::Covariance
            | Aggregation::PopulationCovariance
            | Aggregation::Regression(_) => {
                let (y, x) = (measure()?, against()?);
                let quantities = [
                    Quantity::Value(y),
                    Quantity::Value(x),
                    Quantity::Square(y),
                    Quantity::Square(x),
                    Quantity::Product(y, x),
                ];
                let distinct: BTreeSet<Quantity> = quantities.into();
                Ok((distinct.into_iter().collect(), BTreeSet::from([y, x]).into_iter().collect()))
            }
        }
    }

    /// The column that an argument is, apart from casts to other numbers.
    fn argument(&self, argument: Option<&Expression<RowColumn>>, place: Place) -> Result<RowColumn, Objection> {
        let refused = || {
            Objection::new(Offence::Construct { construct: "a computed argument" }, place).instead(Instead::OneMeasure)
        };
        let argument = argument.ok_or_else(refused)?;
        let mut named = Ok(());
        columns_of(argument, &mut |column| {
            if let (Ok(()), Err(objection)) = (&named, self.role(column, place)) {
                named = Err(objection);
            }
        });
        named?;
        bare(argument).ok_or_else(refused)
    }

    fn measure(&self, argument: Option<&Expression<RowColumn>>, place: Place) -> Result<RowColumn, Objection> {
        let column = self.argument(argument, place)?;
        match self.role(column, place)? {
            Role::Measure { .. } => Ok(column),
            role @ (Role::Dimension { .. } | Role::Identifier | Role::Category | Role::JoinKey(_)) => {
                let name = self.name(column);
                let instead = match role {
                    Role::Dimension { .. } => Instead::GroupBy { column: name },
                    Role::Category => Instead::CountFilter { column: name },
                    Role::Identifier => Instead::CountDistinct { column: name },
                    Role::Measure { .. } | Role::JoinKey(_) => Instead::LeaveOut,
                };
                Err(self.misused(column, role, "is no argument of this aggregate", place).instead(instead))
            }
        }
    }
}

/// An aggregate of CASE with one condition, as the aggregate of the rows for which it holds.
fn conditional(of: Aggregation, argument: &Expression<RowColumn>) -> Option<(&Expression<RowColumn>, Aggregate)> {
    if let Expression::Cast(one, _) = argument {
        return conditional(of, one);
    }
    let Expression::Case { branches, otherwise } = argument else { return None };
    let [(condition, value)] = branches.as_slice() else { return None };
    let literal = |one: &Expression<RowColumn>| {
        let one = if let Expression::Cast(inner, _) = one { inner } else { one };
        if let Expression::Literal(literal) = one { Some(literal.clone()) } else { None }
    };
    let missing = otherwise.as_deref().is_none_or(|one| matches!(literal(one), Some(Literal::Null(_))));
    let zero = otherwise.as_deref().is_some_and(|one| match literal(one) {
        Some(Literal::Integer(0)) => true,
        Some(Literal::Float(zero)) => zero == 0.0,
        _ => false,
    });
    let one = matches!(literal(value), Some(Literal::Integer(1)));
    let rows = Aggregate { of: Aggregation::CountRows, argument: None, against: None, filter: None };
    let there = literal(value).is_some_and(|value| !matches!(value, Literal::Null(_)));
    let of_value = || Aggregate { of, argument: Some(value.clone()), ..rows.clone() };
    // What adds nothing to a sum is as good as missing; to a mean it is not.
    let (counted, sums) = (of == Aggregation::Count && missing && there, of == Aggregation::Sum && (missing || zero));
    if counted || (sums && one) { Some((condition, rows)) } else { (sums || missing).then(|| (condition, of_value())) }
}

fn bare(argument: &Expression<RowColumn>) -> Option<RowColumn> {
    match argument {
        Expression::Column(column) => Some(*column),
        Expression::Cast(one, Type::Integer(_) | Type::Float) => bare(one),
        Expression::Literal(_)
        | Expression::Cast(..)
        | Expression::Negate(_)
        | Expression::Arithmetic(..)
        | Expression::And(_)
        | Expression::Or(_)
        | Expression::Not(_)
        | Expression::IsNull(_)
        | Expression::Compare(..)
        | Expression::In(..)
        | Expression::Like { .. }
        | Expression::Case { .. }
        | Expression::Call(..)
        | Expression::TryCast(..) => None,
    }
}

/// What an aggregate of a judged form holds.
pub(super) fn holds(of: Aggregation, argument: Option<Type>) -> Option<Type> {
    match (of, argument) {
        (Aggregation::CountRows, None) | (Aggregation::Count | Aggregation::CountDistinct, Some(_)) => {
            Some(Type::Integer(Digits::STORED))
        }
        (Aggregation::Sum, Some(Type::Integer(digits))) => digits.summed().map(Type::Integer),
        (Aggregation::Sum, Some(Type::Float)) => Some(Type::Float),
        (
            Aggregation::Mean
            | Aggregation::Variance
            | Aggregation::PopulationVariance
            | Aggregation::Deviation
            | Aggregation::PopulationDeviation
            | Aggregation::Quantile(_)
            | Aggregation::Correlation
            | Aggregation::Covariance
            | Aggregation::PopulationCovariance
            | Aggregation::Regression(_),
            Some(Type::Float | Type::Integer(_)),
        ) => Some(if of == Aggregation::Regression(Regression::Count) {
            Type::Integer(Digits::STORED)
        } else {
            Type::Float
        }),
        _ => None,
    }
}

//! Keys: each one a map from the bins of one dimension to what the answer shows.

use super::{
    Instead, Objection, Offence, Place, Roles,
    axis::{Axis, Kind},
    conditions::{is_choice, is_choice_of_parts},
    known::Known,
};
use crate::{
    expression::{Expression, Function, Literal},
    plan::RowColumn,
    policy::{Bins, Group, Role, total},
    schema::Type,
    space::BinSet,
};

/// A key.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The dimension that it is made of, by its place among the axes.
    pub axis: usize,
    /// What it shows.
    pub holds: Type,
    /// Its values, in order, a missing one first; of each the bins that it stands for. Together they are all bins.
    values: Vec<(Literal, BinSet)>,
}

impl Key {
    /// The bins that a value stands for; `None` for what is no value of it.
    pub fn bins(&self, value: &Literal) -> Option<&BinSet> {
        let place = self.values.binary_search_by(|(one, _)| total(one, value)).ok()?;
        self.values.get(place).map(|(_, bins)| bins)
    }

    /// All its values, in order, and their bins.
    pub fn values(&self) -> &[(Literal, BinSet)] {
        &self.values
    }
}

impl Roles<'_> {
    /// Reads a key; with the expression that the engine is to group by.
    pub(super) fn key(
        &self,
        key: &Expression<RowColumn>,
        place: Place,
    ) -> Result<(Key, Expression<RowColumn>), Objection> {
        let column = self.one_column(key, place)?;
        let name = self.name(column);
        let binned = is_bin(key);
        let axis = match self.role(column, place)? {
            Role::Dimension { .. } => self.own_axis(column, place)?,
            Role::Measure { bins: Some(_), .. } if binned => self.own_axis(column, place)?,
            role @ (Role::Identifier | Role::Measure { .. } | Role::Category | Role::JoinKey(_)) => {
                let objection = self.misused(column, role, "is no key of GROUP BY", place);
                return Err(match role {
                    Role::Measure { bins: Some(_), .. } => objection.instead(Instead::GroupByBin { column: name }),
                    Role::Category => objection.instead(Instead::CountFilter { column: name }),
                    Role::Identifier if self.is_unit(column) => {
                        objection.instead(Instead::CountDistinct { column: name })
                    }
                    Role::Identifier | Role::Measure { .. } | Role::JoinKey(_) | Role::Dimension { .. } => {
                        objection.instead(Instead::LeaveOut)
                    }
                });
            }
        };
        let Some(Axis { kind: Kind::Bins { bins, groups }, .. }) = self.axes.get(axis) else {
            return Err(Objection::new(Offence::NoColumn, place));
        };
        let nearest = nearest(bins, &name);
        let written = if binned { bins.number(&column) } else { Some(key.clone()) };
        let written = written
            .ok_or_else(|| Objection::new(Offence::Construct { construct: "bin()" }, place).instead(nearest.clone()))?;
        if !binned {
            self.form(&written, axis, place)?;
        }
        let holds = self.judge.row_type(&written).map_err(|rejection| Objection::new(rejection, place))?;
        self.spend(&written, bins, place)?;
        let values = values(&written, bins, holds).ok_or_else(|| {
            Objection::new(Offence::SplitsBins { column: name.clone() }, place).instead(nearest.clone())
        })?;
        for (_, set) in &values {
            if !self.is_chosen(&written, set, (bins, groups), place)? {
                return Err(Objection::new(Offence::NoChoice { column: name }, place).instead(nearest));
            }
        }
        // The engine sees a missing value where the calendar has none.
        let written = written.over(&|column| bins.seen(&column));
        Ok((Key { axis, holds, values }, written))
    }

    /// Whether the bins of a value are some that a condition may choose. CASE gives them values of its own, so that it could
    /// unite any, and leave any over; what is left over takes missing values along.
    fn is_chosen(
        &self,
        key: &Expression<RowColumn>,
        set: &BinSet,
        (bins, groups): (&Bins, &[Group]),
        place: Place,
    ) -> Result<bool, Objection> {
        let mut conditions: Vec<&Expression<RowColumn>> = Vec::new();
        key.visit(&mut |inner| {
            if let Expression::Case { branches, .. } = inner {
                conditions.extend(branches.iter().map(|(condition, _)| condition));
            }
        });
        let set = set.and(&bins.declared());
        if conditions.is_empty() || set.is_empty() || is_choice(&set, bins, groups) {
            return Ok(true);
        }
        for condition in conditions {
            self.spend(condition, bins, place)?;
            if is_choice_of_parts(condition, &set, bins) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A dimension, a period or part of it, or CASE over conditions that choose its bins.
    fn form(&self, key: &Expression<RowColumn>, axis: usize, place: Place) -> Result<(), Objection> {
        match key {
            Expression::Column(_) => Ok(()),
            Expression::Cast(one, Type::Date | Type::Timestamp) => self.form(one, axis, place),
            Expression::Call(Function::DateTrunc | Function::DatePart, arguments) => match arguments.as_slice() {
                [Expression::Literal(_), one] => self.form(one, axis, place),
                _ => Err(Objection::new(Offence::Construct { construct: "this function" }, place)),
            },
            Expression::Case { branches, otherwise } => {
                let literal = |value: &Expression<RowColumn>| matches!(value, Expression::Literal(_));
                let plain =
                    branches.iter().all(|(_, value)| literal(value)) && otherwise.as_deref().is_none_or(literal);
                if !plain {
                    return Err(Objection::new(Offence::Construct { construct: "CASE with computed values" }, place));
                }
                branches.iter().try_for_each(|(condition, _)| self.set(condition, axis, place).map(drop))
            }
            // Integers are cast to wider ones on the way to a literal or a result: it changes no value.
            Expression::Cast(one, Type::Integer(_)) => self.form(one, axis, place),
            Expression::Literal(_)
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::Not(_)
            | Expression::IsNull(_)
            | Expression::Compare(..)
            | Expression::In(..)
            | Expression::Like { .. }
            | Expression::Arithmetic(..)
            | Expression::Negate(_)
            | Expression::Call(..)
            | Expression::Cast(..)
            | Expression::TryCast(..) => {
                let objection = Objection::new(Offence::Construct { construct: "a computed key" }, place);
                Err(match self.axes.get(axis) {
                    Some(Axis { kind: Kind::Bins { bins, .. }, column, .. }) => {
                        objection.instead(nearest(bins, &self.name(*column)))
                    }
                    _ => objection,
                })
            }
        }
    }
}

/// The values that an expression has on each bin, and their bins; `None` if it is not one value on each.
fn values(key: &Expression<RowColumn>, bins: &Bins, holds: Type) -> Option<Vec<(Literal, BinSet)>> {
    let mut values = Vec::new();
    for bin in 0..=bins.outside() {
        let value = match Known::of(key, &bins.content(bin).into())? {
            Known::Missing => Literal::Null(holds),
            Known::Exactly(value) => value,
            Known::Between(..) => return None,
        };
        values.push((value, bin));
    }
    values.sort_by(|(one, _), (other, _)| total(one, other));
    let same = |one: &(Literal, u32), other: &(Literal, u32)| total(&one.0, &other.0).is_eq();
    let value =
        |run: &[(Literal, u32)]| Some((run.first()?.0.clone(), run.iter().map(|(_, bin)| *bin).collect::<BinSet>()));
    values.chunk_by(same).map(value).collect()
}

fn is_bin(key: &Expression<RowColumn>) -> bool {
    matches!(key, Expression::Call(Function::Bin, arguments) if matches!(arguments.as_slice(), [Expression::Column(_)]))
}

fn nearest(bins: &Bins, column: &str) -> Instead {
    let column = column.to_owned();
    match bins {
        Bins::Listed(_) => Instead::GroupBy { column },
        Bins::Cuts(..) => Instead::GroupByBin { column },
        Bins::Calendar(_, period, _) => Instead::GroupByPeriod { column, period: *period },
    }
}

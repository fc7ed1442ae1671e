//! Conditions: each one a choice of one public dimension's bins, or a sensitive one, which is counted and chooses nothing.

use std::collections::BTreeSet;

use super::{
    Instead, Objection, Offence, Place, Roles,
    axis::{Axis, Kind},
    known::Known,
};
use crate::{
    expression::{Comparison, Expression, Function, Literal},
    judge::columns_of,
    plan::RowColumn,
    policy::{Bins, Content, Group, Role},
    schema::Type,
    space::BinSet,
};

/// What conditions say together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Chosen {
    /// Bins of axes, by their places; all of them hold.
    pub(super) bins: Vec<(usize, BinSet)>,
    /// The same as the engine is to check it.
    pub(super) written: Vec<Expression<RowColumn>>,
    /// Conditions on one sensitive column.
    pub(super) sensitive: Vec<Expression<RowColumn>>,
    /// That column.
    pub(super) of: Option<RowColumn>,
}

impl Chosen {
    /// Narrows an axis, which `written` does.
    pub(super) fn narrow(&mut self, axis: usize, set: BinSet, written: Option<Expression<RowColumn>>) {
        self.written.extend(written);
        match self.bins.iter_mut().find(|(of, _)| *of == axis) {
            Some((_, bins)) => *bins = bins.and(&set),
            None => self.bins.push((axis, set)),
        }
    }
}

impl Roles<'_> {
    /// Reads conditions that hold together into `chosen`.
    pub(super) fn choose(
        &self,
        conditions: &[&Expression<RowColumn>],
        place: impl Fn(usize) -> Place,
        chosen: &mut Chosen,
    ) -> Result<(), Objection> {
        let together = conditions.iter().flat_map(|condition| conjuncts(condition));
        together.enumerate().try_for_each(|(number, condition)| self.choose_one(condition, place(number), chosen))
    }

    fn choose_one(
        &self,
        condition: &Expression<RowColumn>,
        place: Place,
        chosen: &mut Chosen,
    ) -> Result<(), Objection> {
        if matches!(condition, Expression::Literal(Literal::Boolean(true))) {
            return Ok(());
        }
        let column = self.one_column(condition, place)?;
        let boolean = self.judge.column(column).is_some_and(|declared| declared.holds == Type::Boolean);
        match self.role(column, place)? {
            Role::Dimension { .. } => {
                let axis = self.own_axis(column, place)?;
                let set = self.set(condition, axis, place)?;
                let written = self.axes.get(axis).map(|axis| written(condition, axis, &set));
                chosen.narrow(axis, set, written);
                Ok(())
            }
            Role::Category => self.sensitive(condition, column, place, chosen),
            Role::Measure { .. } if boolean => self.sensitive(condition, column, place, chosen),
            role @ (Role::Identifier | Role::Measure { .. } | Role::JoinKey(_)) => {
                let objection = self.misused(column, role, "is no condition", place);
                let name = self.name(column);
                Err(match role {
                    Role::Measure { .. } if of_presence(condition) => {
                        objection.instead(Instead::Aggregate { column: name })
                    }
                    Role::Measure { bins: Some(_), .. } => objection.instead(Instead::GroupByBin { column: name }),
                    Role::Identifier if self.is_unit(column) => {
                        objection.instead(Instead::CountDistinct { column: name })
                    }
                    Role::Identifier
                    | Role::Measure { bins: None, .. }
                    | Role::JoinKey(_)
                    | Role::Dimension { .. }
                    | Role::Category => objection.instead(Instead::LeaveOut),
                })
            }
        }
    }

    /// The bins of an axis for whose values a condition holds.
    pub(super) fn set(
        &self,
        condition: &Expression<RowColumn>,
        axis: usize,
        place: Place,
    ) -> Result<BinSet, Objection> {
        let Some(Axis { column, kind: Kind::Bins { bins, groups }, .. }) = self.axes.get(axis) else {
            return Err(Objection::new(Offence::NoColumn, place));
        };
        let name = self.name(*column);
        let nearest = nearest(bins, &name);
        listed(condition)
            .map_err(|construct| Objection::new(Offence::Construct { construct }, place).instead(nearest.clone()))?;
        self.spend(condition, bins, place)?;
        let set = held(condition, bins).ok_or_else(|| {
            Objection::new(Offence::SplitsBins { column: name.clone() }, place).instead(nearest.clone())
        })?;
        if set.is_empty() {
            return Err(Objection::new(Offence::Nothing { column: name }, place).instead(nearest));
        }
        if is_choice(&set, bins, groups) || is_choice_of_parts(condition, &set, bins) {
            Ok(set)
        } else {
            Err(Objection::new(Offence::NoChoice { column: name }, place).instead(nearest))
        }
    }

    fn sensitive(
        &self,
        condition: &Expression<RowColumn>,
        column: RowColumn,
        place: Place,
        chosen: &mut Chosen,
    ) -> Result<(), Objection> {
        let name = self.name(column);
        if chosen.of.is_some_and(|of| of != column) {
            return Err(Objection::new(Offence::TwoSensitive { column: name.clone() }, place)
                .instead(Instead::CountFilter { column: name }));
        }
        if !is_indicator(condition) {
            return Err(Objection::new(Offence::SensitiveForm { column: name.clone() }, place)
                .instead(Instead::CountFilter { column: name }));
        }
        chosen.of = Some(column);
        chosen.sensitive.push(condition.clone());
        Ok(())
    }

    /// The one column that an expression is over.
    pub(super) fn one_column(&self, over: &Expression<RowColumn>, place: Place) -> Result<RowColumn, Objection> {
        let mut columns = BTreeSet::new();
        columns_of(over, &mut |column| {
            columns.insert(column);
        });
        // A column that may not be named is told of before how many there are.
        columns.iter().try_for_each(|column| self.role(*column, place).map(drop))?;
        match (columns.pop_first(), columns.pop_first()) {
            (Some(column), None) => Ok(column),
            (Some(_), Some(_)) => Err(Objection::new(Offence::SeveralColumns, place).instead(Instead::EachColumn)),
            (None, _) => Err(Objection::new(Offence::NoColumn, place).instead(Instead::LeaveOut)),
        }
    }
}

/// A condition anew, from the bins it was found to mean; but where those are many apart (the same hour of every day), as
/// the question has it, which was found to be the same.
fn written(condition: &Expression<RowColumn>, axis: &Axis, set: &BinSet) -> Expression<RowColumn> {
    match axis.bins() {
        Some(bins) if set.runs().count() > MOST_RUNS => condition.over(&|column| bins.seen(&column)),
        _ => axis.condition(set),
    }
}

/// What AND joins, one by one.
pub(super) fn conjuncts(condition: &Expression<RowColumn>) -> Vec<&Expression<RowColumn>> {
    if let Expression::And(all) = condition { all.iter().flat_map(conjuncts).collect() } else { vec![condition] }
}

/// The bins for whose values a condition holds; `None` if that is not the same for all values of one.
pub(super) fn held(condition: &Expression<RowColumn>, bins: &Bins) -> Option<BinSet> {
    let mut runs = Vec::new();
    for bin in 0..=bins.outside() {
        if Known::of(condition, &bins.content(bin).into())?.holds()? == Some(true) {
            runs.push((bin, bin + 1));
        }
    }
    Some(runs.into_iter().collect())
}

/// Whether a condition is made of what conditions on a dimension may be made of; else what it is made of.
fn listed(condition: &Expression<RowColumn>) -> Result<(), &'static str> {
    match condition {
        Expression::Column(_) | Expression::Literal(_) => Ok(()),
        Expression::And(all) | Expression::Or(all) => all.iter().try_for_each(listed),
        Expression::Not(one) if matches!(**one, Expression::IsNull(_) | Expression::Column(_)) => listed(one),
        Expression::Not(_) => Err("NOT of a condition"),
        Expression::IsNull(one) | Expression::Cast(one, _) | Expression::In(one, _) => listed(one),
        Expression::Compare(Comparison::Different, ..) => Err("`<>`"),
        Expression::Compare(
            Comparison::Equal | Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast,
            left,
            right,
        ) => listed(left).and_then(|()| listed(right)),
        Expression::Call(Function::DateTrunc | Function::DatePart, arguments) => arguments.iter().try_for_each(listed),
        Expression::Call(..) => Err("this function"),
        Expression::Like { .. } => Err("LIKE"),
        Expression::Arithmetic(..) | Expression::Negate(_) => Err("arithmetic"),
        // HAVING of a key that CASE makes comes here as a condition.
        Expression::Case { branches, otherwise } => {
            let parts = branches.iter().flat_map(|(condition, value)| [condition, value]);
            parts.chain(otherwise.as_deref()).try_for_each(listed)
        }
        Expression::TryCast(..) => Err("TRY_CAST"),
    }
}

/// One value, a declared group or one range; all that is declared; what is missing; or everything.
pub(super) fn is_choice(set: &BinSet, bins: &Bins, groups: &[Group]) -> bool {
    let outside = BinSet::one(bins.outside());
    if *set == outside || *set == bins.all() || *set == bins.declared() {
        return true;
    }
    if set.meets(&outside) {
        return false;
    }
    match bins {
        Bins::Listed(_) => set.count() == 1 || groups.iter().any(|group| group.bins == *set),
        Bins::Cuts(..) | Bins::Calendar(..) => set.runs().count() == 1,
    }
}

/// Of a calendar, all periods whose one part (the hour of the day) lies in one range.
pub(super) fn is_choice_of_parts(condition: &Expression<RowColumn>, set: &BinSet, bins: &Bins) -> bool {
    let (Bins::Calendar(..), Some(part)) = (bins, the_part(condition)) else { return false };
    let (mut chosen, mut others) = (BTreeSet::new(), BTreeSet::new());
    for bin in 0..bins.outside() {
        let content: Content = bins.content(bin);
        let Some(Known::Exactly(Literal::Integer(value))) = Known::of(part, &content.into()) else { return false };
        let of = if set.contains(bin) { &mut chosen } else { &mut others };
        of.insert(value);
    }
    let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else { return false };
    others.range(first..=last).next().is_none()
}

/// The part of a moment that all of a condition is about; `None` if it is about anything else besides.
fn the_part(condition: &Expression<RowColumn>) -> Option<&Expression<RowColumn>> {
    match condition {
        Expression::Call(Function::DatePart, _) => Some(condition),
        Expression::And(all) | Expression::Or(all) => {
            let mut parts = all.iter().map(the_part);
            let first = parts.next()??;
            parts.all(|part| part == Some(first)).then_some(first)
        }
        Expression::Compare(_, left, right) => match (&**left, &**right) {
            (one, Expression::Literal(_)) | (Expression::Literal(_), one) => the_part(one),
            _ => None,
        },
        Expression::In(one, _) | Expression::Cast(one, _) => the_part(one),
        Expression::Column(_)
        | Expression::Literal(_)
        | Expression::Not(_)
        | Expression::IsNull(_)
        | Expression::Like { .. }
        | Expression::Arithmetic(..)
        | Expression::Negate(_)
        | Expression::Case { .. }
        | Expression::Call(..)
        | Expression::TryCast(..) => None,
    }
}

/// Whether a condition on a sensitive column is one whose rows are counted: equal to a value, true or not, there or not.
fn is_indicator(condition: &Expression<RowColumn>) -> bool {
    if let Expression::Compare(Comparison::Equal, left, right) = condition {
        return match (&**left, &**right) {
            (Expression::Column(_), Expression::Literal(value))
            | (Expression::Literal(value), Expression::Column(_)) => !matches!(value, Literal::Null(_)),
            _ => false,
        };
    }
    let truth = if let Expression::Not(one) = condition { one } else { condition };
    matches!(truth, Expression::Column(_)) || of_presence(condition)
}

/// IS NULL of a column, or its contrary.
fn of_presence(condition: &Expression<RowColumn>) -> bool {
    let missing = if let Expression::Not(one) = condition { one } else { condition };
    matches!(missing, Expression::IsNull(one) if matches!(**one, Expression::Column(_)))
}

fn nearest(bins: &Bins, column: &str) -> Instead {
    let column = column.to_owned();
    match bins {
        Bins::Listed(_) => Instead::ValueOrGroup { column },
        Bins::Cuts(..) => Instead::RangeOfPoints { column },
        Bins::Calendar(_, period, _) => Instead::RangeOfPeriods { column, period: *period },
    }
}

/// Ranges that are checked one by one.
const MOST_RUNS: usize = 4;

//! The dimensions that a question's rows have, whether it names them or not.

use crate::{
    expression::Expression,
    plan::RowColumn,
    policy::{Bins, Group},
    space::{BinSet, Dimension},
};

/// A dimension of the facts, and where a row has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its name, the same in every question on these facts.
    pub dimension: Dimension,
    /// The column.
    pub column: RowColumn,
    pub(super) kind: Kind,
    /// The join that leads to it, by the place of the scan; `None` for a column of the facts' own.
    pub(super) through: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A public dimension, or a measure's declared bins.
    Bins { bins: Bins, groups: Vec<Group> },
    /// Whether a row has a partner in a join: bin 0; the bin outside is that it has none. The column is the partner's key.
    Partner,
}

impl Axis {
    /// The number of its bin outside: one more is how many there are.
    pub fn outside(&self) -> u32 {
        match &self.kind {
            Kind::Bins { bins, .. } => bins.outside(),
            Kind::Partner => 1,
        }
    }

    /// Its bins; `None` for whether there is a partner.
    pub fn bins(&self) -> Option<&Bins> {
        match &self.kind {
            Kind::Bins { bins, .. } => Some(bins),
            Kind::Partner => None,
        }
    }

    /// Of a calendar, by classes of its bins, disjoint and all of them together: the class of what is missing or lies before
    /// all periods; and ascending, in the column's own units, where each run of periods of one class begins, and its class.
    /// What begins behind the last period is of the class of the bin outside.
    pub fn spans(&self, classes: &[BinSet]) -> Option<(u32, Vec<(i64, u32)>)> {
        match &self.kind {
            Kind::Bins { bins, .. } => bins.spans(classes),
            Kind::Partner => None,
        }
    }

    /// The condition that a row lies in these bins; never missing.
    pub fn condition(&self, set: &BinSet) -> Expression<RowColumn> {
        match &self.kind {
            Kind::Bins { bins, .. } => bins.condition(&self.column, set),
            Kind::Partner => {
                let none = Expression::IsNull(Box::new(Expression::Column(self.column)));
                let there = Expression::Not(Box::new(none.clone()));
                let either = [(set.contains(0), there), (set.contains(1), none)];
                Expression::Or(either.into_iter().filter(|(holds, _)| *holds).map(|(_, one)| one).collect())
            }
        }
    }
}

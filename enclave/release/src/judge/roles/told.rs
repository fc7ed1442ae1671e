//! What an answer tells, by names that are the same in every question on these facts: for the history of releases.

use std::collections::BTreeSet;

use super::{Quantity, Ruling, all};
use crate::{
    expression::{Expression, Literal},
    history,
    plan::RowColumn,
    schema::Type,
    space::{Dimension, Region},
};

impl Ruling {
    /// Where the rows of a scope lie, of all cells together.
    pub fn extent(&self, scope: usize) -> Option<Region> {
        Some(self.region_of(&self.scopes.get(scope)?.bins))
    }

    /// Sensitive columns that the question names: where the policy asks for it, they must differ in each cell.
    pub fn categories(&self) -> Vec<RowColumn> {
        let mut named = BTreeSet::new();
        for condition in self.scopes.iter().filter_map(|scope| scope.sensitive.as_ref()) {
            condition.visit(&mut |inner| {
                if let Expression::Column(column) = inner {
                    named.insert(*column);
                }
            });
        }
        named.into_iter().collect()
    }

    /// The condition of a scope's rows that is on a sensitive column, if it has one.
    pub fn sensitive_condition(&self, scope: usize) -> Option<&Expression<RowColumn>> {
        self.scopes.get(scope)?.sensitive.as_ref()
    }

    /// The units as the history names them, in their order.
    pub fn unit_names(&self) -> Vec<history::Unit> {
        self.units.iter().map(|unit| history::Unit(self.named(unit.column).to_string())).collect()
    }

    /// What the figures of a scope tell, of ratios their parts.
    pub fn history_quantities(&self, scope: usize) -> BTreeSet<history::Quantity> {
        let Some(of) = self.scopes.get(scope) else { return BTreeSet::new() };
        let figures: Vec<_> = self.figures.iter().filter(|figure| figure.scope == scope).collect();
        // That a cell is there tells that it has rows.
        if figures.is_empty() {
            return BTreeSet::from([history::Quantity::Rows]);
        }
        let sensitive = of.sensitive.as_ref().map(|condition| self.spelled(condition));
        let mut told = BTreeSet::new();
        for figure in figures {
            let present =
                all(figure.present.iter().map(|column| Expression::Column(*column)).collect::<Vec<_>>().iter())
                    .map(|columns| self.spelled(&columns));
            let about: String = present.iter().chain(&sensitive).map(|it| format!(" where {it}")).collect();
            if !figure.present.is_empty() {
                told.insert(history::Quantity::Sum(format!("1{about}")));
            }
            told.extend(figure.quantities.iter().map(|quantity| match (quantity, about.is_empty()) {
                (Quantity::Row, true) => history::Quantity::Rows,
                (Quantity::Different(column), true) => {
                    history::Quantity::Subjects(history::Unit(self.named(*column).to_string()))
                }
                (quantity, _) => history::Quantity::Sum(format!("{}{about}", self.spelled_quantity(*quantity))),
            }));
        }
        told
    }

    fn spelled_quantity(&self, quantity: Quantity) -> String {
        match quantity {
            Quantity::Row => "1".to_owned(),
            Quantity::Value(column) => self.named(column).to_string(),
            Quantity::Square(column) => format!("{0} * {0}", self.named(column)),
            Quantity::Product(one, other) => format!("{} * {}", self.named(one), self.named(other)),
            Quantity::Different(column) => format!("different {}", self.named(column)),
        }
    }

    /// A condition over columns as these facts name them.
    fn spelled(&self, condition: &Expression<RowColumn>) -> String {
        let name = |column: RowColumn| {
            Expression::<u8>::Cast(
                Expression::Literal(Literal::String(self.named(column).to_string())).into(),
                Type::String,
            )
        };
        format!("{:?}", condition.over(&name))
    }

    fn named(&self, column: RowColumn) -> Dimension {
        self.names.get(&column).cloned().unwrap_or_else(|| Dimension::own(""))
    }
}

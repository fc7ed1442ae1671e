//! What an answer tells, by names that are the same in every question on these facts: for the history of releases.

use std::collections::{BTreeMap, BTreeSet};

use super::{Quantity, Ruling, all};
use crate::{
    control::Measure,
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

    /// The units as the history names them, in their order.
    pub fn unit_names(&self) -> Vec<history::Unit> {
        self.units.iter().map(|unit| history::Unit(self.named(unit.column).to_string())).collect()
    }

    /// What the figures of a scope tell, of ratios their parts: each by its name, with what is measured of it for
    /// dominance. Numbers that a sensitive condition chooses are not: a refusal would tell of it.
    pub fn told_quantities(&self, scope: usize) -> BTreeMap<history::Quantity, Option<Measure>> {
        let Some(of) = self.scopes.get(scope) else { return BTreeMap::new() };
        let figures: Vec<_> = self.figures.iter().filter(|figure| figure.scope == scope).collect();
        let rows = Measure { present: Vec::new(), quantity: Quantity::Row };
        // That a cell is there tells that it has rows.
        if figures.is_empty() {
            return BTreeMap::from([(history::Quantity::Rows, Some(rows))]);
        }
        let sensitive = of.sensitive.as_ref().map(|condition| self.spelled(condition));
        let mut told = BTreeMap::new();
        for figure in figures {
            let there: Vec<_> = figure.present.iter().map(|column| Expression::Column(*column)).collect();
            let present = all(there.iter()).map(|columns| self.spelled(&columns));
            let about: String = present.iter().chain(&sensitive).map(|it| format!(" where {it}")).collect();
            let measured =
                |quantity: Quantity| sensitive.is_none().then(|| Measure { present: figure.present.clone(), quantity });
            if !figure.present.is_empty() {
                told.insert(history::Quantity::Sum(format!("1{about}")), measured(Quantity::Row));
            }
            for quantity in &figure.quantities {
                let name = match (quantity, about.is_empty()) {
                    (Quantity::Row, true) => history::Quantity::Rows,
                    (Quantity::Different(column), true) => {
                        history::Quantity::Subjects(history::Unit(self.named(*column).to_string()))
                    }
                    (quantity, _) => history::Quantity::Sum(format!("{}{about}", self.spelled_quantity(*quantity))),
                };
                told.insert(name, measured(*quantity));
            }
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

//! Indicators: numbers that a sensitive condition chooses, each once, whatever public conditions stand beside it.

use super::{Measure, Part};
use crate::{
    expression::Expression,
    judge::roles::Ruling,
    plan::{Aggregation, RowColumn},
    suppress::Indicator,
};

/// Those of a question.
#[derive(Debug)]
pub(super) struct Indicators {
    all: Vec<Indicator>,
    /// Of each figure its scope, and which of them it is.
    figures: Vec<(usize, Option<usize>)>,
}

/// What one is told by.
type Same<'a> = (Aggregation, Option<&'a Expression<RowColumn>>, &'a Expression<RowColumn>);

impl Indicators {
    pub(super) fn of(ruling: &Ruling, measures: &[Measure]) -> Self {
        let categories = ruling.categories();
        let mut known: Vec<(Same<'_>, usize)> = Vec::new();
        let mut all = Vec::new();
        let mut figures = Vec::new();
        for (figure, aggregate) in ruling.figures().iter().zip(&ruling.plan().aggregates) {
            let mut which = || {
                let condition = ruling.scopes().get(figure.scope)?.sensitive.as_ref()?;
                let same = (aggregate.of, aggregate.argument.as_ref(), condition);
                if let Some((_, which)) = known.iter().find(|(other, _)| *other == same) {
                    return Some(*which);
                }
                let mut category = None;
                condition.visit(&mut |inner| {
                    if let Expression::Column(column) = inner {
                        category = categories.iter().position(|it| it == column);
                    }
                });
                let counted = |it: &Measure| it.present == figure.present && figure.quantities.contains(&it.quantity);
                all.push(Indicator { category: category?, quantity: measures.iter().position(counted)? });
                known.push((same, all.len() - 1));
                Some(all.len() - 1)
            };
            figures.push((figure.scope, which()));
        }
        Self { all, figures }
    }

    pub(super) fn all(&self) -> &[Indicator] {
        &self.all
    }

    /// What a cell tells of each: by the figures of a scope, of which these are the parts of all.
    pub(super) fn told(&self, scope: usize, parts: &[Part]) -> Vec<Option<f64>> {
        let mut told = vec![None; self.all.len()];
        for ((of, which), part) in self.figures.iter().zip(parts) {
            let place = which.filter(|_| *of == scope).and_then(|which| told.get_mut(which));
            if let (Some(place), Part::Count(count)) = (place, part) {
                #[expect(clippy::cast_precision_loss, reason = "numbers of rows are under 2^53")]
                let count = *count as f64;
                *place = Some(count);
            }
        }
        told
    }
}

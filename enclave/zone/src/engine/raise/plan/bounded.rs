//! What noise is added to: whole numbers, summed over subjects of which each brings no more than a bound.

use arrow::datatypes::DataType;
use datafusion::{
    common::DataFusionError,
    functions_aggregate::{count::count_udaf, sum::sum_udaf},
    logical_expr::{Expr, LogicalPlan, lit, when},
};
use octroi_release::{
    Expression,
    noise::{BoundedPart, NoisyFigures, Share},
};

use super::{Raise, SUBJECT, call, cell_name, named, part_name};
use crate::engine::{functions::held, raise::unjudged};

impl Raise<'_> {
    /// In two steps: of each subject in each cell what its rows add up to, then of each cell what its subjects do, each
    /// held to its bounds.
    pub(super) fn bounded(&self, set: usize, figures: &NoisyFigures) -> Result<LogicalPlan, DataFusionError> {
        let subject = self.columns.raise(&Expression::Column(figures.unit()))?;
        let sums = figures.parts().iter().enumerate();
        let sums = sums.map(|(place, part)| Ok(self.of_subject(part)?.alias(part_name(place))));
        let sums = sums.collect::<Result<Vec<_>, DataFusionError>>()?;
        let shares = figures.parts().iter().enumerate();
        let shares = shares
            .map(|(place, part)| Ok(call(sum_udaf(), vec![share(place, part)?], false, None).alias(part_name(place))));
        let shares = shares.collect::<Result<Vec<_>, DataFusionError>>()?;
        let keys = self.keys(set)?;
        let by_cell: Vec<Expr> = (0..keys.len()).map(|place| named(cell_name(place))).collect();
        let by_subject = keys.into_iter().chain([subject.clone().alias(SUBJECT)]);
        self.rows(&self.ruling.plan().rows)?
            .filter(Expr::IsNotNull(subject.into()))?
            .aggregate(by_subject, sums)?
            .aggregate(by_cell, shares)?
            .build()
    }

    fn of_subject(&self, part: &BoundedPart) -> Result<Expr, DataFusionError> {
        let aggregate = self.ruling.plan().aggregates.get(part.figure).ok_or_else(unjudged)?;
        let figure = self.ruling.figures().get(part.figure).ok_or_else(unjudged)?;
        let within = self.within(aggregate.filter.as_ref(), &figure.present)?;
        Ok(match part.share {
            Share::Rows(_) => call(count_udaf(), vec![lit(1_i64)], false, within),
            Share::Values(column, [clamp, _]) => {
                let value = self.columns.raise_as(&Expression::Column(column), DataType::Float64)?;
                call(sum_udaf(), vec![held(clamp, false).call(vec![value])], false, within)
            }
        })
    }
}

/// What a subject brings, held to its bounds; whoever has no such row brings nothing, and is missing.
fn share(place: usize, part: &BoundedPart) -> Result<Expr, DataFusionError> {
    let brought = || named(part_name(place));
    match part.share {
        Share::Rows(most) => when(brought().gt(lit(i64::from(most))), lit(i64::from(most))).otherwise(brought()),
        Share::Values(_, [_, together]) => Ok(held(together, true).call(vec![brought()])),
    }
}

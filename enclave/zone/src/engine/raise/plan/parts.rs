//! The numbers that figures are made of, so that ratios are made of rounded parts: one or several columns of each.

use arrow::datatypes::DataType;
use datafusion::{
    common::DataFusionError,
    functions_aggregate::{
        approx_percentile_cont::approx_percentile_cont_udaf,
        count::count_udaf,
        regr::{regr_avgx_udaf, regr_avgy_udaf, regr_count_udaf, regr_sxx_udaf, regr_sxy_udaf, regr_syy_udaf},
        sum::sum_udaf,
        variance::var_pop_udaf,
    },
    logical_expr::{Expr, lit},
};
use octroi_release::{Aggregate, Aggregation, Expression, RowColumn, Type};

use super::{Raise, call};
use crate::engine::raise::{decimal, form, unjudged};

impl Raise<'_> {
    /// The columns of a figure, in the order in which [`crate::engine::counted`] reads them.
    pub(super) fn parts(&self, aggregate: &Aggregate) -> Result<Vec<Expr>, DataFusionError> {
        let filter = aggregate.filter.as_ref().map(|filter| self.columns.raise(filter)).transpose()?.map(Box::new);
        let call = |function, arguments| call(function, arguments, false, filter.clone());
        let Some(argument) = &aggregate.argument else { return Ok(vec![call(count_udaf(), vec![lit(1_i64)])]) };
        let float = || self.columns.raise_as(argument, DataType::Float64);
        let value = || self.columns.raise(argument);
        Ok(match aggregate.of {
            Aggregation::CountRows => return Err(unjudged()),
            Aggregation::Count => vec![call(count_udaf(), vec![value()?])],
            Aggregation::CountDistinct => vec![self.different(argument, filter.clone())?],
            Aggregation::Sum => vec![call(sum_udaf(), vec![self.summand(argument)?])],
            Aggregation::Mean => {
                vec![call(sum_udaf(), vec![self.summand(argument)?]), call(count_udaf(), vec![value()?])]
            }
            Aggregation::Variance
            | Aggregation::PopulationVariance
            | Aggregation::Deviation
            | Aggregation::PopulationDeviation => vec![
                call(count_udaf(), vec![value()?]),
                call(sum_udaf(), vec![float()?]),
                call(var_pop_udaf(), vec![float()?]),
            ],
            Aggregation::Quantile(millionths) => {
                let share = lit(f64::from(millionths) / 1_000_000.0);
                vec![call(approx_percentile_cont_udaf(), vec![float()?, share])]
            }
            Aggregation::Correlation
            | Aggregation::Covariance
            | Aggregation::PopulationCovariance
            | Aggregation::Regression(_) => {
                let against = aggregate.against.as_ref().ok_or_else(unjudged)?;
                let pair = vec![float()?, self.columns.raise_as(against, DataType::Float64)?];
                [
                    regr_count_udaf(),
                    regr_avgx_udaf(),
                    regr_avgy_udaf(),
                    regr_sxx_udaf(),
                    regr_syy_udaf(),
                    regr_sxy_udaf(),
                ]
                .map(|function| call(function, pair.clone()))
                .into()
            }
        })
    }

    /// Whole numbers are summed in decimals that hold any sum of them.
    fn summand(&self, argument: &Expression<RowColumn>) -> Result<Expr, DataFusionError> {
        match self.columns.of(argument)? {
            Type::Integer(digits) => {
                let wide = digits
                    .summed()
                    .is_none_or(|digits| matches!(form(Type::Integer(digits)), DataType::Decimal256(..)));
                self.columns.raise_as(argument, decimal(digits, wide))
            }
            Type::Boolean | Type::Float | Type::String | Type::Date | Type::Timestamp => self.columns.raise(argument),
        }
    }
}

//! Numbers of cells: the parts that they are computed of, and what leaves of them.

use crate::{
    plan::{Aggregation, Regression},
    rounding::{self, Moments, Rounding},
};

/// What a figure's number is made of, exactly.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// How many.
    Count(i128),
    /// A sum; none of no value.
    Sum(Option<Total>),
    /// A sum, and of how many values.
    Mean(Option<Total>, i128),
    /// Of one variable or of pairs: how many, sums of x and y, sums of squares and of products about the means.
    Spread {
        /// How many.
        count: i128,
        /// Of x and y; y is nothing of one variable.
        sums: [f64; 2],
        /// About the mean, likewise.
        squares: [f64; 2],
        /// About the means.
        products: f64,
    },
    /// A value itself.
    Quantile(Option<f64>),
}

/// A sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Total {
    /// Of whole numbers.
    Whole(i128),
    /// Of floats.
    Float(f64),
}

/// A number that leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole one.
    Whole(i128),
    /// IEEE 754, 64 bits; finite.
    Float(f64),
}

/// How the numbers of an aggregate are rounded.
pub(super) fn rounding(of: Aggregation) -> Rounding {
    match of {
        Aggregation::CountRows
        | Aggregation::Count
        | Aggregation::CountDistinct
        | Aggregation::Regression(Regression::Count) => Rounding::Count,
        Aggregation::Sum
        | Aggregation::Quantile(_)
        | Aggregation::Regression(Regression::SquaresX | Regression::SquaresY | Regression::Products) => {
            Rounding::Digits
        }
        Aggregation::Mean
        | Aggregation::Variance
        | Aggregation::PopulationVariance
        | Aggregation::Deviation
        | Aggregation::PopulationDeviation
        | Aggregation::Correlation
        | Aggregation::Covariance
        | Aggregation::PopulationCovariance
        | Aggregation::Regression(
            Regression::Slope
            | Regression::Intercept
            | Regression::Determination
            | Regression::MeanX
            | Regression::MeanY,
        ) => Rounding::Parts,
    }
}

impl Part {
    /// What leaves: rounded, ratios from rounded parts.
    pub(super) fn rounded(&self, of: Aggregation) -> Option<Number> {
        match self {
            Self::Count(count) => rounding::count(*count).map(Number::Whole),
            Self::Sum(total) => match (*total)? {
                Total::Whole(total) => rounding::sum(total).map(Number::Whole),
                Total::Float(total) => rounding::float(total).map(Number::Float),
            },
            Self::Mean(total, count) => match (*total)? {
                Total::Whole(total) => rounding::decimal_mean(total, 0, *count).map(Number::Float),
                Total::Float(total) => rounding::mean(total, *count).map(Number::Float),
            },
            Self::Spread { count, sums, squares, products } => {
                spread(of, &Moments::new(*count, *sums, *squares, *products)?)
            }
            Self::Quantile(value) => rounding::float((*value)?).map(Number::Float),
        }
    }

    /// The number itself: of tables about nobody.
    pub(super) fn exact(&self, of: Aggregation) -> Option<Number> {
        #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
        let float = |whole: i128| whole as f64;
        match self {
            Self::Count(count) => Some(Number::Whole(*count)),
            Self::Sum(total) => Some(match (*total)? {
                Total::Whole(total) => Number::Whole(total),
                Total::Float(total) => Number::Float(total),
            }),
            Self::Mean(total, count) => {
                let total = match (*total)? {
                    Total::Whole(total) => float(total),
                    Total::Float(total) => total,
                };
                Some(Number::Float(total / float(*count)))
            }
            Self::Spread { count, sums, squares, products } => {
                spread(of, &Moments::exact(*count, *sums, *squares, *products)?)
            }
            Self::Quantile(value) => value.map(Number::Float),
        }
    }
}

fn spread(of: Aggregation, moments: &Moments) -> Option<Number> {
    let number = match of {
        Aggregation::Variance => moments.variance(),
        Aggregation::PopulationVariance => moments.population_variance(),
        Aggregation::Deviation => moments.deviation(),
        Aggregation::PopulationDeviation => moments.population_deviation(),
        Aggregation::Correlation => moments.correlation(),
        Aggregation::Covariance => moments.covariance(),
        Aggregation::PopulationCovariance => moments.population_covariance(),
        Aggregation::Regression(of) => match of {
            Regression::Slope => moments.slope(),
            Regression::Intercept => moments.intercept(),
            Regression::Determination => moments.determination(),
            Regression::Count => return Some(Number::Whole(moments.count())),
            Regression::MeanX => moments.mean_x(),
            Regression::MeanY => moments.mean_y(),
            Regression::SquaresX => Some(moments.squares_x()),
            Regression::SquaresY => Some(moments.squares_y()),
            Regression::Products => Some(moments.products()),
        },
        Aggregation::CountRows
        | Aggregation::Count
        | Aggregation::CountDistinct
        | Aggregation::Sum
        | Aggregation::Mean
        | Aggregation::Quantile(_) => None,
    };
    number.map(Number::Float)
}

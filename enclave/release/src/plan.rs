//! Our own form of a question: what is read, how it is aggregated, and what is made of the released cells.
//!
//! ```text
//! rows (protected):  Scan -> Filter, Join            expressions over (scan, column)
//! cells:             keys and aggregates over the rows, once
//! answer (released): Having, Project, Sort, Limit    expressions over keys, then aggregates, or the last Project
//! ```
//!
//! There is no projection of rows: an expression over a projection is written out over the columns it rests on. So a
//! column is always a scan's, and a row's subjects can be counted wherever the row is.

use crate::expression::Expression;

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The tables read, each as often as the question names it.
    pub scans: Vec<Scan>,
    /// How their rows are chosen and joined.
    pub rows: Rows,
    /// What makes a cell: rows that agree in these are one cell. None for one cell of all rows.
    pub keys: Vec<Expression<RowColumn>>,
    /// Which of the keys, by their places: one set of all of them for GROUP BY, several for ROLLUP and GROUPING SETS. In
    /// the cells of a set the other keys are missing.
    pub sets: Vec<Vec<usize>>,
    /// What is computed of each cell.
    pub aggregates: Vec<Aggregate>,
    /// What is done to the cells that may leave, in this order.
    pub steps: Vec<Step>,
    /// Names of the answer's columns.
    pub output: Vec<OutputColumn>,
}

/// A table, read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Its place among the question's tables.
    pub table: usize,
}

/// A column of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowColumn {
    /// Place of the scan.
    pub scan: usize,
    /// Place of the column in its table.
    pub column: usize,
}

/// Rows of protected tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// All rows of a scan, by its place.
    Scan(usize),
    /// Those for which the condition holds.
    Filter(Box<Rows>, Expression<RowColumn>),
    /// Pairs of rows.
    Join(Box<Join>),
}

/// Rows of two sides that agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// What becomes of rows without a partner.
    pub kind: JoinKind,
    /// One side.
    pub left: Rows,
    /// The other.
    pub right: Rows,
    /// What must be equal: an expression of each side. At least one.
    pub on: Vec<(Expression<RowColumn>, Expression<RowColumn>)>,
    /// What must hold besides; only where rows without a partner are dropped.
    pub filter: Option<Expression<RowColumn>>,
}

/// What becomes of rows without a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// They are dropped.
    Inner,
    /// Those of the left side are kept.
    Left,
    /// Those of the right side are kept.
    Right,
    /// They are kept.
    Full,
}

/// One number of each cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub of: Aggregation,
    /// Over which values; missing ones are left out. None for `CountRows` alone.
    pub argument: Option<Expression<RowColumn>>,
    /// Of an aggregate of pairs, the values beside them: x, where the argument is y. Pairs of which one is missing are left
    /// out.
    pub against: Option<Expression<RowColumn>>,
    /// Only of those rows for which this holds.
    pub filter: Option<Expression<RowColumn>>,
}

/// What is computed of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// How many rows.
    CountRows,
    /// How many values.
    Count,
    /// How many different values.
    CountDistinct,
    /// Their sum.
    Sum,
    /// Their mean, a float.
    Mean,
    /// Variance of the sample.
    Variance,
    /// Variance of the population.
    PopulationVariance,
    /// Standard deviation of the sample.
    Deviation,
    /// Standard deviation of the population.
    PopulationDeviation,
    /// The value that so many millionths of them do not exceed, approximately.
    Quantile(u32),
    /// Correlation of pairs.
    Correlation,
    /// Covariance of a sample of pairs.
    Covariance,
    /// Covariance of a population of pairs.
    PopulationCovariance,
    /// Of the line through pairs that leaves the least squares.
    Regression(Regression),
}

/// What is computed of pairs, as SQL's `REGR_` functions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regression {
    /// The line's slope.
    Slope,
    /// Where it meets the axis of y.
    Intercept,
    /// The square of the correlation.
    Determination,
    /// How many pairs.
    Count,
    /// The mean of x.
    MeanX,
    /// The mean of y.
    MeanY,
    /// The sum of squares of x about its mean.
    SquaresX,
    /// The sum of squares of y about its mean.
    SquaresY,
    /// The sum of products of x and y about their means.
    Products,
}

/// A step over released cells. Columns are places in what the step before gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Only those for which the condition holds.
    Having(Expression<usize>),
    /// New columns in the place of the old.
    Project(Vec<Expression<usize>>),
    /// In an order.
    Sort(Vec<SortKey>),
    /// A part of them.
    Limit {
        /// How many are left out at the beginning.
        skip: u64,
        /// How many follow at most.
        most: Option<u64>,
    },
}

/// What rows are sorted by.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// By this.
    pub by: Expression<usize>,
    /// The largest first.
    pub descending: bool,
    /// Missing ones first.
    pub nulls_first: bool,
}

/// A column of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// As the question calls it.
    pub name: String,
}

impl Aggregation {
    /// Whether it is of pairs.
    pub fn is_of_two(self) -> bool {
        match self {
            Self::Correlation | Self::Covariance | Self::PopulationCovariance | Self::Regression(_) => true,
            Self::CountRows
            | Self::Count
            | Self::CountDistinct
            | Self::Sum
            | Self::Mean
            | Self::Variance
            | Self::PopulationVariance
            | Self::Deviation
            | Self::PopulationDeviation
            | Self::Quantile(_) => false,
        }
    }
}

impl Rows {
    /// Whether this scan is among them.
    pub fn reads(&self, scan: usize) -> bool {
        match self {
            Self::Scan(index) => *index == scan,
            Self::Filter(rows, _) => rows.reads(scan),
            Self::Join(join) => join.left.reads(scan) || join.right.reads(scan),
        }
    }

    /// Calls `see` for each expression in it.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Expression<RowColumn>)) {
        match self {
            Self::Scan(_) => {}
            Self::Filter(rows, condition) => {
                rows.visit(see);
                see(condition);
            }
            Self::Join(join) => {
                join.left.visit(see);
                join.right.visit(see);
                for (left, right) in &join.on {
                    see(left);
                    see(right);
                }
                if let Some(filter) = &join.filter {
                    see(filter);
                }
            }
        }
    }

    /// The scans, in the order in which they are read.
    pub fn scans(&self) -> Vec<usize> {
        match self {
            Self::Scan(index) => vec![*index],
            Self::Filter(rows, _) => rows.scans(),
            Self::Join(join) => [join.left.scans(), join.right.scans()].concat(),
        }
    }
}

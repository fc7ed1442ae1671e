//! Questions, drawn, and the plans that they are.

use octroi_release::{
    Aggregate, Aggregation, Comparison, Expression, Literal, OutputColumn, Plan, RowColumn, Rows, Scan,
};
use proptest::prelude::*;

use super::world::{AMOUNT, DIMENSIONS, ILL, PERSON, Row, SIZES};

/// `SELECT figures FROM t WHERE chosen GROUP BY GROUPING SETS sets`
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// A dimension has this value.
    pub(crate) chosen: Option<(usize, u32)>,
    /// Of dimensions.
    pub(crate) sets: Vec<Vec<usize>>,
    pub(crate) figures: Vec<Figure>,
}

/// An aggregate with FILTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) what: What,
    /// Only rows in which a dimension has this value.
    pub(crate) filter: Option<(usize, u32)>,
    /// Only those of the ill.
    pub(crate) ill: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Rows,
    Persons,
    Sum,
    Mean,
    Variance,
    Median,
}

impl Question {
    pub(crate) fn plan(&self) -> Plan {
        let condition = self.chosen.map(equal);
        let aggregates: Vec<Aggregate> = self.figures.iter().map(Figure::aggregate).collect();
        Plan {
            scans: vec![Scan { table: 0 }],
            rows: condition.map_or(Rows::Scan(0), |condition| Rows::Filter(Box::new(Rows::Scan(0)), condition)),
            keys: DIMENSIONS.map(Expression::Column).to_vec(),
            sets: self.sets.clone(),
            output: (0..3 + aggregates.len()).map(|place| OutputColumn { name: format!("c{place}") }).collect(),
            aggregates,
            steps: Vec::new(),
        }
    }

    /// The same without FILTER on dimensions.
    pub(crate) fn unfiltered(mut self) -> Self {
        self.figures.iter_mut().for_each(|figure| figure.filter = None);
        self
    }

    /// The same rows, of which those of the ill are counted.
    pub(crate) fn of_the_ill(mut self) -> Self {
        self.figures.iter_mut().for_each(|figure| (figure.what, figure.ill) = (What::Rows, true));
        self
    }

    /// Whether a row is one of those asked of.
    pub(crate) fn chooses(&self, row: &Row) -> bool {
        holds(self.chosen, row)
    }
}

impl Figure {
    /// Whether a row is one of those that it is of, ill or not.
    pub(crate) fn is_about(&self, row: &Row) -> bool {
        holds(self.filter, row)
    }

    /// Whether two are told of the same rows of a cell.
    pub(crate) fn shares_rows(&self, other: &Self) -> bool {
        self.filter == other.filter && self.ill == other.ill
    }

    fn aggregate(&self) -> Aggregate {
        let amount = || Some(Expression::Column(AMOUNT));
        let (of, argument) = match self.what {
            What::Rows => (Aggregation::CountRows, None),
            What::Persons => (Aggregation::CountDistinct, Some(Expression::Column(PERSON))),
            What::Sum => (Aggregation::Sum, amount()),
            What::Mean => (Aggregation::Mean, amount()),
            What::Variance => (Aggregation::Variance, amount()),
            What::Median => (Aggregation::Quantile(500_000), amount()),
        };
        let ill = || is(ILL, Literal::String("yes".into()));
        let conditions: Vec<_> = self.filter.map(equal).into_iter().chain(self.ill.then(ill)).collect();
        let filter = (!conditions.is_empty()).then_some(Expression::And(conditions));
        Aggregate { of, argument, against: None, filter }
    }
}

fn holds(condition: Option<(usize, u32)>, row: &Row) -> bool {
    condition.is_none_or(|(dimension, bin)| row.at[dimension] == bin)
}

fn equal((dimension, bin): (usize, u32)) -> Expression<RowColumn> {
    is(DIMENSIONS[dimension], Literal::Integer(i64::from(bin)))
}

fn is(column: RowColumn, value: Literal) -> Expression<RowColumn> {
    let (left, right) = (Expression::Column(column), Expression::Literal(value));
    Expression::Compare(Comparison::Equal, Box::new(left), Box::new(right))
}

/// GROUP BY, ROLLUP, CUBE and grouping sets that share no key.
const SETS: &[&[&[usize]]] = &[
    &[&[]],
    &[&[0]],
    &[&[0], &[]],
    &[&[1], &[]],
    &[&[0], &[1]],
    &[&[0, 1], &[0], &[]],
    &[&[1, 0], &[1], &[]],
    &[&[0, 1], &[0], &[1], &[]],
    &[&[0, 1, 2]],
    &[&[0, 1, 2], &[0, 1], &[0], &[]],
    &[&[0, 1], &[1, 2], &[0, 2]],
];

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let condition = || (0_usize..3).prop_flat_map(|dimension| (Just(dimension), 0..SIZES[dimension]));
    let sets = proptest::sample::select(SETS).prop_map(|sets| sets.iter().map(|set| set.to_vec()).collect());
    let numbers = vec![What::Rows, What::Persons, What::Sum, What::Mean, What::Variance, What::Median];
    let figure = (proptest::sample::select(numbers), proptest::option::weighted(0.3, condition()), any::<bool>());
    let figure = figure.prop_map(|(what, filter, ill)| {
        // Of the ill, only rows and persons are counted.
        Figure { what, filter, ill: ill && matches!(what, What::Rows | What::Persons) }
    });
    let figures = proptest::collection::vec(figure, 1..4);
    (proptest::option::weighted(0.2, condition()), sets, figures).prop_map(|(chosen, sets, figures)| Question {
        chosen,
        sets,
        figures,
    })
}

//! The first check, of the plan alone: no data is looked at, so that its verdict can be told at once and plainly.

use std::collections::BTreeSet;

pub mod roles;

use crate::{
    expression::Expression,
    plan::{Aggregation, Join, JoinKind, Plan, Regression, RowColumn, Rows, Step},
    schema::{Column, Schemas, Table, Type},
    typing::{same, type_of},
};

/// Why a plan may not run. Says nothing of data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A hidden column is named: in the words for one that there is not.
    #[error("there is no column `{column}` in the tables asked")]
    Hidden {
        /// The column.
        column: String,
    },
    /// Those whom rows are about cannot be counted.
    #[error("the subjects of `{table}` are hidden: its steward must declare them countable before it can be asked")]
    Uncountable {
        /// The table.
        table: String,
    },
    /// No table is read.
    #[error("no table is asked: aggregate the rows of one")]
    NoTable,
    /// A table or column that there is not.
    #[error("a column is not in the declared schema")]
    Column,
    /// A construct over values of a type that it is not allowed for.
    #[error("{construct} is not allowed over values of these types: see which functions and types a question may use")]
    Type {
        /// What was written.
        construct: &'static str,
    },
    /// A number or a form beyond what a construct can be given.
    #[error("what is given to {construct} is beyond its bounds: write a smaller number, or a shorter form")]
    Bounds {
        /// What was written.
        construct: &'static str,
    },
    /// A cast that some value would make fail.
    #[error("a cast can fail on a value: write TRY_CAST, which gives NULL instead, or leave it out")]
    Cast,
    /// Whole numbers that would overflow.
    #[error("arithmetic over whole numbers is too wide to be exact: cast to DOUBLE first")]
    TooWide,
    /// A join of a form that is not listed.
    #[error("a join needs columns of both sides that are equal, and outer joins no other condition")]
    Join,
    /// More than can be checked.
    #[error("the question is too long to be checked: ask it in parts")]
    TooLong,
    /// The plan is not put together as a plan is.
    #[error("the question could not be understood: ask it in a simpler form")]
    Malformed,
}

struct Judge<'a> {
    plan: &'a Plan,
    schemas: &'a Schemas,
}

impl<'a> Judge<'a> {
    fn size(&self) -> Result<(), Rejection> {
        let mut nodes = 0_usize;
        self.visit(&mut |_| nodes += 1);
        for step in &self.plan.steps {
            step_expressions(step).for_each(|expression| expression.visit(&mut |_| nodes += 1));
        }
        let scans = self.plan.scans.len();
        if scans == 0 {
            return Err(Rejection::NoTable);
        }
        if nodes > MOST_NODES || scans > MOST_SCANS || self.plan.steps.len() > MOST_STEPS {
            return Err(Rejection::TooLong);
        }
        let mut read = self.plan.rows.scans();
        read.sort_unstable();
        if read == (0..scans).collect::<Vec<_>>() { Ok(()) } else { Err(Rejection::Malformed) }
    }

    fn rows(&self, rows: &Rows) -> Result<(), Rejection> {
        match rows {
            Rows::Scan(_) => Ok(()),
            Rows::Filter(rows, condition) => {
                self.rows(rows)?;
                self.within(condition, rows)?;
                self.condition(condition)
            }
            Rows::Join(join) => {
                self.rows(&join.left)?;
                self.rows(&join.right)?;
                self.join(join)
            }
        }
    }

    fn join(&self, join: &Join) -> Result<(), Rejection> {
        if join.on.is_empty() {
            return Err(Rejection::Join);
        }
        for (left, right) in &join.on {
            self.within(left, &join.left)?;
            self.within(right, &join.right)?;
            if reads_nothing(left) || reads_nothing(right) {
                return Err(Rejection::Join);
            }
            same(self.row_type(left)?, self.row_type(right)?, "a join")?;
        }
        match (&join.filter, join.kind) {
            (None, _) => Ok(()),
            (Some(filter), JoinKind::Inner) => {
                let mut inside = true;
                columns_of(filter, &mut |column| {
                    inside &= join.left.reads(column.scan) || join.right.reads(column.scan);
                });
                if inside { self.condition(filter) } else { Err(Rejection::Malformed) }
            }
            (Some(_), JoinKind::Left | JoinKind::Right | JoinKind::Full) => Err(Rejection::Join),
        }
    }

    fn condition(&self, condition: &Expression<RowColumn>) -> Result<(), Rejection> {
        same(self.row_type(condition)?, Type::Boolean, "a condition").map(drop)
    }

    /// Whether an expression rests on these rows and no others.
    fn within(&self, expression: &Expression<RowColumn>, rows: &Rows) -> Result<(), Rejection> {
        let mut inside = true;
        columns_of(expression, &mut |column| inside &= rows.reads(column.scan));
        if inside { Ok(()) } else { Err(Rejection::Malformed) }
    }

    /// The columns that each scan reads.
    fn columns(&self) -> Result<Vec<BTreeSet<usize>>, Rejection> {
        let mut columns = vec![BTreeSet::new(); self.plan.scans.len()];
        let mut rejected = Ok(());
        self.visit(&mut |expression| {
            if let Expression::Column(named) = expression {
                match (self.named(*named), columns.get_mut(named.scan)) {
                    (Ok(()), Some(scan)) => drop(scan.insert(named.column)),
                    (Ok(()), None) => rejected = Err(Rejection::Column),
                    (Err(rejection), _) => rejected = Err(rejection),
                }
            }
        });
        rejected?;
        for (scan, named) in columns.iter_mut().enumerate() {
            let table = self.table(scan).ok_or(Rejection::Column)?;
            for subject in table.subjects() {
                if table.columns().get(*subject).is_none_or(|column| column.hidden) {
                    return Err(Rejection::Uncountable { table: table.name().to_owned() });
                }
                named.insert(*subject);
            }
        }
        Ok(columns)
    }

    fn named(&self, named: RowColumn) -> Result<(), Rejection> {
        let column = self.column(named).ok_or(Rejection::Column)?;
        if column.hidden {
            return Err(Rejection::Hidden { column: column.name.clone() });
        }
        Ok(())
    }

    fn steps(&self, cell_types: &[Type]) -> Result<Vec<Type>, Rejection> {
        let mut types = cell_types.to_vec();
        for step in &self.plan.steps {
            let column = |place: usize| types.get(place).copied();
            let after =
                step_expressions(step).map(|expression| type_of(expression, &column)).collect::<Result<Vec<_>, _>>()?;
            match step {
                Step::Having(_) if after != [Type::Boolean] => {
                    return Err(Rejection::Type { construct: "HAVING" });
                }
                Step::Project(_) => types = after,
                Step::Having(_) | Step::Sort(_) | Step::Limit { .. } => {}
            }
        }
        if types.len() == self.plan.output.len() { Ok(types) } else { Err(Rejection::Malformed) }
    }

    fn row_type(&self, expression: &Expression<RowColumn>) -> Result<Type, Rejection> {
        type_of(expression, &|column| self.column(column).map(|column| column.holds))
    }

    fn column(&self, column: RowColumn) -> Option<&'a Column> {
        self.table(column.scan)?.columns().get(column.column)
    }

    fn table(&self, scan: usize) -> Option<&'a Table> {
        self.schemas.table(self.plan.scans.get(scan)?.table)
    }

    /// Every expression over rows, and each one in it.
    fn visit(&self, see: &mut impl FnMut(&Expression<RowColumn>)) {
        self.plan.rows.visit(&mut |expression| expression.visit(&mut |inner| see(inner)));
        let aggregates = self.plan.aggregates.iter();
        let of_aggregates = aggregates
            .flat_map(|aggregate| aggregate.argument.iter().chain(&aggregate.against).chain(&aggregate.filter));
        for expression in self.plan.keys.iter().chain(of_aggregates) {
            expression.visit(&mut |inner| see(inner));
        }
    }
}

impl Aggregation {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::CountRows | Self::Count => "COUNT",
            Self::CountDistinct => "COUNT(DISTINCT)",
            Self::Sum => "SUM",
            Self::Mean => "AVG",
            Self::Variance => "VAR_SAMP",
            Self::PopulationVariance => "VAR_POP",
            Self::Deviation => "STDDEV_SAMP",
            Self::PopulationDeviation => "STDDEV_POP",
            Self::Quantile(_) => "APPROX_PERCENTILE_CONT",
            Self::Correlation => "CORR",
            Self::Covariance => "COVAR_SAMP",
            Self::PopulationCovariance => "COVAR_POP",
            Self::Regression(of) => match of {
                Regression::Slope => "REGR_SLOPE",
                Regression::Intercept => "REGR_INTERCEPT",
                Regression::Determination => "REGR_R2",
                Regression::Count => "REGR_COUNT",
                Regression::MeanX => "REGR_AVGX",
                Regression::MeanY => "REGR_AVGY",
                Regression::SquaresX => "REGR_SXX",
                Regression::SquaresY => "REGR_SYY",
                Regression::Products => "REGR_SXY",
            },
        }
    }
}

fn columns_of(expression: &Expression<RowColumn>, see: &mut impl FnMut(RowColumn)) {
    expression.visit(&mut |inner| {
        if let Expression::Column(column) = inner {
            see(*column);
        }
    });
}

/// Whether it is the same for every row.
fn reads_nothing(expression: &Expression<RowColumn>) -> bool {
    let mut nothing = true;
    columns_of(expression, &mut |_| nothing = false);
    nothing
}

fn step_expressions(step: &Step) -> impl Iterator<Item = &Expression<usize>> {
    let expressions: Vec<&Expression<usize>> = match step {
        Step::Having(condition) => vec![condition],
        Step::Project(columns) => columns.iter().collect(),
        Step::Sort(keys) => keys.iter().map(|key| &key.by).collect(),
        Step::Limit { .. } => Vec::new(),
    };
    expressions.into_iter()
}

const MOST_SCANS: usize = 16;
const MOST_NODES: usize = 10_000;
const MOST_STEPS: usize = 64;

#[cfg(test)]
mod tests;

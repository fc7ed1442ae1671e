//! Rows by the classes of their bins, and how many subjects there are of each combination that exists.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Int64Array},
    datatypes::{DataType, Date32Type, TimestampMicrosecondType},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    functions_aggregate::count::count_udaf,
    logical_expr::{
        ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
    },
};
use octroi_release::{Expression, Literal, Measure, RowColumn, Rows, judge::roles::Axis, space::BinSet};

use super::{Measured, Raise, SUBJECT, VALUE, call, cell_name, named, part_name};
use crate::engine::raise::unjudged;

impl Raise<'_> {
    /// Of each combination of classes that rows have: the classes' numbers, then how many different subjects.
    pub(super) fn classes(
        &self,
        rows: &Rows,
        by: &[(&Axis, &[BinSet])],
        unit: RowColumn,
    ) -> Result<LogicalPlan, DataFusionError> {
        let subject = self.columns.raise(&Expression::Column(unit))?;
        let keys = self.class_keys(by)?;
        let by_class: Vec<Expr> = (0..keys.len()).map(|place| named(cell_name(place))).collect();
        let subjects = call(count_udaf(), vec![lit(1_i64)], false, None).alias(part_name(0));
        self.rows(rows)?
            .filter(Expr::IsNotNull(subject.clone().into()))?
            .aggregate(keys.into_iter().chain([subject.alias(SUBJECT)]), Vec::<Expr>::new())?
            .aggregate(by_class, vec![subjects])?
            .build()
    }

    /// Of each subject, sorted by it, of each combination of classes: the classes' numbers, the subject, what it brings of
    /// each measure.
    pub(super) fn by_subject(
        &self,
        rows: &Rows,
        by: &[(&Axis, &[BinSet])],
        unit: RowColumn,
        measures: &[Measure],
    ) -> Result<LogicalPlan, DataFusionError> {
        let subject = self.columns.raise(&Expression::Column(unit))?;
        let brought = measures
            .iter()
            .map(|measure| self.contribution(&Measured { within: None, measure: measure.clone() }, unit));
        let (sums, made): (Vec<_>, Vec<_>) = brought.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let sums = sums.into_iter().enumerate().map(|(place, sum)| sum.alias(part_name(place)));
        let classes = (0..by.len()).map(|place| named(cell_name(place)));
        let parts = made.iter().enumerate().map(|(place, made)| made.raised(place).alias(part_name(place)));
        self.rows(rows)?
            .filter(Expr::IsNotNull(subject.clone().into()))?
            .aggregate(self.class_keys(by)?.into_iter().chain([subject.alias(SUBJECT)]), sums)?
            .project(classes.chain([named(SUBJECT)]).chain(parts))?
            .sort([named(SUBJECT).sort(true, false)])?
            .build()
    }

    /// Which values of a category there are with each combination of classes: the classes' numbers, then the value.
    pub(super) fn kinds(
        &self,
        rows: &Rows,
        by: &[(&Axis, &[BinSet])],
        category: RowColumn,
    ) -> Result<LogicalPlan, DataFusionError> {
        let value = self.columns.raise(&Expression::Column(category))?.alias(VALUE);
        let keys = self.class_keys(by)?;
        self.rows(rows)?.aggregate(keys.into_iter().chain([value]), Vec::<Expr>::new())?.build()
    }

    fn class_keys(&self, by: &[(&Axis, &[BinSet])]) -> Result<Vec<Expr>, DataFusionError> {
        by.iter().enumerate().map(|(place, (axis, sets))| Ok(self.class(axis, sets)?.alias(cell_name(place)))).collect()
    }

    /// The number of the class that a row's bin is of.
    fn class(&self, axis: &Axis, sets: &[BinSet]) -> Result<Expr, DataFusionError> {
        // A class of hours of the day has a range for each day: all are looked up at once.
        if let Some((outside, starts)) = axis.spans(sets) {
            let column = self.columns.raise(&Expression::Column(axis.column))?;
            let signature = Signature::any(1, Volatility::Immutable);
            return Ok(ScalarUDF::from(Spans { outside: outside.into(), starts, signature }).call(vec![column]));
        }
        let (_, others) = sets.split_last().ok_or_else(unjudged)?;
        let number = |class: usize| Literal::Integer(i64::try_from(class).unwrap_or(i64::MAX));
        let branches =
            others.iter().enumerate().map(|(class, set)| (axis.condition(set), Expression::Literal(number(class))));
        let otherwise = Expression::Literal(number(others.len()));
        if others.is_empty() {
            return self.columns.raise(&otherwise);
        }
        self.columns.raise(&Expression::Case { branches: branches.collect(), otherwise: Some(Box::new(otherwise)) })
    }
}

/// In which of ascending spans a day or a moment lies, as the class of that span.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Spans {
    /// The class of what is missing, or lies before the first span.
    outside: i64,
    /// Where each begins, and its class.
    starts: Vec<(i64, u32)>,
    signature: Signature,
}

impl ScalarUDFImpl for Spans {
    fn name(&self) -> &str {
        "octroi_class"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let column = columns.first().ok_or_else(|| exec_datafusion_err!("a class is of a column"))?;
        let class = |place: Option<i64>| {
            let before = place.map_or(0, |place| self.starts.partition_point(|(start, _)| *start <= place));
            let span = before.checked_sub(1).and_then(|span| self.starts.get(span));
            Some(span.map_or(self.outside, |(_, class)| i64::from(*class)))
        };
        let classes: Int64Array = places(column)?.into_iter().map(class).collect();
        Ok(ColumnarValue::Array(Arc::new(classes)))
    }
}

/// Days or microseconds.
fn places(column: &ArrayRef) -> Result<Vec<Option<i64>>, DataFusionError> {
    if let Some(days) = column.as_primitive_opt::<Date32Type>() {
        return Ok(days.iter().map(|day| day.map(i64::from)).collect());
    }
    let moments = column.as_primitive_opt::<TimestampMicrosecondType>();
    let moments = moments.ok_or_else(|| exec_datafusion_err!("spans are of days or moments"))?;
    Ok(moments.iter().collect())
}

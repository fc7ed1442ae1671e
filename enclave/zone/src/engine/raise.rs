//! A judged plan as a logical plan of DataFusion's: what was judged is what runs, for nothing else is raised.
//!
//! Whole numbers have as many digits as they can need: up to 19 in 64 bits, more in decimals of 128 and 256 bits, so that
//! nothing wraps.

pub(super) mod plan;

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{Column, DataFusionError, plan_datafusion_err},
    functions,
    logical_expr::{
        BinaryExpr, Case, Cast, Expr, Like, Operator, ScalarUDF, TryCast,
        expr::{InList, ScalarFunction},
    },
    scalar::ScalarValue,
};
use octroi_release::{Arithmetic, Comparison, Digits, Expression, Function, Literal, Type, type_of};

use super::{
    calendar::{self, Operation, Part, Period},
    functions::{Rounding, quotient, rounding},
};

/// What the columns of an expression are called, and what they hold.
pub(super) struct Columns<'a, C> {
    pub(super) name: &'a dyn Fn(C) -> Option<Column>,
    pub(super) holds: &'a dyn Fn(C) -> Option<Type>,
}

type Raised = Result<Expr, DataFusionError>;

/// The Arrow form of a type.
pub(super) fn form(holds: Type) -> DataType {
    match holds {
        Type::Boolean => DataType::Boolean,
        Type::Integer(digits) if digits <= Digits::STORED => DataType::Int64,
        Type::Integer(digits) => decimal(digits, false),
        Type::Float => DataType::Float64,
        Type::String => DataType::Utf8View,
        Type::Date => DataType::Date32,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The decimal of so many digits; of 256 bits also where 128 would do, if `wide`.
pub(super) fn decimal(digits: Digits, wide: bool) -> DataType {
    if wide || digits.count() > NARROW {
        DataType::Decimal256(digits.count(), 0)
    } else {
        DataType::Decimal128(digits.count(), 0)
    }
}

/// Casts, unless it is of that form already.
pub(super) fn cast(expression: Expr, from: &DataType, to: DataType) -> Expr {
    if *from == to { expression } else { Expr::Cast(Cast::new(expression.into(), to)) }
}

impl<C: Copy> Columns<'_, C> {
    /// The type of an expression.
    pub(super) fn of(&self, expression: &Expression<C>) -> Result<Type, DataFusionError> {
        type_of(expression, &self.holds).map_err(|_| unjudged())
    }

    /// Raises an expression; its values are of the form of its type.
    pub(super) fn raise(&self, expression: &Expression<C>) -> Raised {
        match expression {
            Expression::Column(column) => (self.name)(*column).map(Expr::Column).ok_or_else(unjudged),
            Expression::Literal(value) => literal(value),
            Expression::And(all) => self.chain(all, Operator::And, true),
            Expression::Or(all) => self.chain(all, Operator::Or, false),
            Expression::Not(one) => Ok(Expr::Not(self.raise(one)?.into())),
            Expression::IsNull(one) => Ok(Expr::IsNull(self.raise(one)?.into())),
            Expression::Compare(comparison, left, right) => {
                let [left, right] = self.alike([left, right])?;
                Ok(binary(left, operator(*comparison), right))
            }
            Expression::In(value, list) => self.in_list(value, list),
            Expression::Like { value, pattern, any_case } => {
                let pattern = literal(&Literal::String(pattern.clone()))?;
                Ok(Expr::Like(Like::new(false, self.raise(value)?.into(), pattern.into(), None, *any_case)))
            }
            Expression::Arithmetic(operation, left, right) => self.arithmetic(expression, *operation, left, right),
            Expression::Negate(one) => match self.of(one)? {
                Type::Integer(_) => {
                    let zero = Expression::Literal(Literal::Integer(0));
                    self.whole(self.of(expression)?, Operator::Minus, &zero, one)
                }
                Type::Boolean | Type::Float | Type::String | Type::Date | Type::Timestamp => {
                    Ok(Expr::Negative(self.raise(one)?.into()))
                }
            },
            Expression::Case { branches, otherwise } => self.case(expression, branches, otherwise.as_deref()),
            Expression::Call(function, arguments) => self.call(expression, *function, arguments),
            Expression::Cast(one, _) => self.convert(one, self.of(expression)?),
            Expression::TryCast(one, _) => match (self.of(one)?, self.of(expression)?) {
                (Type::Float, to @ Type::Integer(_))
                | (
                    Type::String,
                    to @ (Type::Integer(_) | Type::Float | Type::Boolean | Type::Date | Type::Timestamp),
                ) => Ok(Expr::TryCast(TryCast::new(self.raise(one)?.into(), form(to)))),
                (_, to) => self.convert(one, to),
            },
        }
    }

    /// Raises an expression to another form.
    pub(super) fn raise_as(&self, expression: &Expression<C>, to: DataType) -> Raised {
        Ok(cast(self.raise(expression)?, &form(self.of(expression)?), to))
    }

    /// Where every value has its counterpart; the engine's own casts of days and moments fail on far ones.
    fn convert(&self, one: &Expression<C>, to: Type) -> Raised {
        match (self.of(one)?, to) {
            (Type::Date, Type::Timestamp) => Ok(call(calendar::function(Operation::Moment), vec![self.raise(one)?])),
            (Type::Timestamp, Type::Date) => Ok(call(calendar::function(Operation::Day), vec![self.raise(one)?])),
            _ => self.raise_as(one, form(to)),
        }
    }

    fn chain(&self, all: &[Expression<C>], operator: Operator, of_none: bool) -> Raised {
        let mut raised = all.iter().map(|one| self.raise(one)).collect::<Result<Vec<_>, _>>()?;
        // In pairs, so that a long chain is not a deep one.
        while raised.len() > 1 {
            let mut rest = raised.into_iter();
            raised = Vec::new();
            while let Some(left) = rest.next() {
                raised.push(match rest.next() {
                    Some(right) => binary(left, operator, right),
                    None => left,
                });
            }
        }
        Ok(raised.pop().unwrap_or(Expr::Literal(ScalarValue::Boolean(Some(of_none)), None)))
    }

    /// Two expressions of one form: whole numbers of as many digits.
    pub(super) fn alike(&self, pair: [&Expression<C>; 2]) -> Result<[Expr; 2], DataFusionError> {
        let [left, right] = pair;
        let to = form(wider(self.of(left)?, self.of(right)?));
        Ok([self.raise_as(left, to.clone())?, self.raise_as(right, to)?])
    }

    fn in_list(&self, value: &Expression<C>, list: &[Literal]) -> Raised {
        let to = form(list.iter().fold(self.of(value)?, |widest, one| wider(widest, one.holds())));
        let spelled = |one: &Literal| Ok(cast(literal(one)?, &form(one.holds()), to.clone()));
        let list = list.iter().map(spelled).collect::<Result<_, DataFusionError>>()?;
        Ok(Expr::InList(InList::new(self.raise_as(value, to.clone())?.into(), list, false)))
    }

    fn arithmetic(
        &self,
        whole: &Expression<C>,
        operation: Arithmetic,
        left: &Expression<C>,
        right: &Expression<C>,
    ) -> Raised {
        let holds = self.of(whole)?;
        let operator = match operation {
            Arithmetic::Add => Operator::Plus,
            Arithmetic::Subtract => Operator::Minus,
            Arithmetic::Multiply => Operator::Multiply,
            Arithmetic::Divide => Operator::Divide,
            Arithmetic::Remainder => Operator::Modulo,
        };
        match (holds, operation) {
            (Type::Integer(_), Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply) => {
                self.whole(holds, operator, left, right)
            }
            (Type::Integer(_), Arithmetic::Divide | Arithmetic::Remainder) => {
                let both = [left, right].map(|one| self.raise_as(one, DataType::Decimal128(NARROW, 0)));
                let [left, right] = both;
                let computed = call(quotient(operation == Arithmetic::Remainder), vec![left?, right?]);
                Ok(cast(computed, &DataType::Decimal128(NARROW, 0), form(holds)))
            }
            _ => Ok(binary(self.raise(left)?, operator, self.raise(right)?)),
        }
    }

    /// Of whole numbers, in a form that holds every result.
    fn whole(&self, holds: Type, operator: Operator, left: &Expression<C>, right: &Expression<C>) -> Raised {
        let to = form(holds);
        let operand = |one: &Expression<C>| {
            let Type::Integer(digits) = self.of(one)? else { return Err(unjudged()) };
            let wide = || decimal(digits, matches!(to, DataType::Decimal256(..)));
            self.raise_as(one, if to == DataType::Int64 { DataType::Int64 } else { wide() })
        };
        let computed = binary(operand(left)?, operator, operand(right)?);
        Ok(if to == DataType::Int64 { computed } else { Expr::Cast(Cast::new(computed.into(), to)) })
    }

    fn case(
        &self,
        whole: &Expression<C>,
        branches: &[(Expression<C>, Expression<C>)],
        otherwise: Option<&Expression<C>>,
    ) -> Raised {
        let to = form(self.of(whole)?);
        let branch = |(when, then): &(Expression<C>, Expression<C>)| {
            Ok((Box::new(self.raise(when)?), Box::new(self.raise_as(then, to.clone())?)))
        };
        let branches = branches.iter().map(branch).collect::<Result<_, DataFusionError>>()?;
        let otherwise = otherwise.map(|value| self.raise_as(value, to.clone())).transpose()?;
        Ok(Expr::Case(Case::new(None, branches, otherwise.map(Box::new))))
    }

    fn call(&self, whole: &Expression<C>, function: Function, arguments: &[Expression<C>]) -> Raised {
        let to = form(self.of(whole)?);
        let called = match function {
            Function::DateTrunc | Function::DatePart => return self.of_calendar(function, arguments),
            Function::Floor => rounding(Rounding::Floor),
            Function::Ceiling => rounding(Rounding::Ceiling),
            Function::Round => rounding(Rounding::Round),
            Function::Absolute => rounding(Rounding::Absolute),
            Function::Lower => functions::string::lower(),
            Function::Upper => functions::string::upper(),
            Function::Trim => functions::string::btrim(),
            Function::CharacterLength => functions::unicode::character_length(),
            Function::Substring => functions::unicode::substr(),
            Function::StartsWith => functions::string::starts_with(),
            Function::Coalesce => functions::core::coalesce(),
            Function::NullIf => functions::core::nullif(),
            // Written out by whoever knows the bins.
            Function::Bin => return Err(unjudged()),
        };
        let arguments = match (function, arguments) {
            (Function::NullIf, [left, right]) => self.alike([left, right])?.into(),
            (Function::Coalesce, all) => {
                all.iter().map(|one| self.raise_as(one, to.clone())).collect::<Result<_, _>>()?
            }
            (_, all) => all.iter().map(|one| self.raise(one)).collect::<Result<_, _>>()?,
        };
        // Lengths come in 32 bits, texts in either of two forms.
        Ok(Expr::Cast(Cast::new(call(called, arguments).into(), to)))
    }

    fn of_calendar(&self, function: Function, arguments: &[Expression<C>]) -> Raised {
        let [Expression::Literal(Literal::String(name)), moment] = arguments else { return Err(unjudged()) };
        let operation = if function == Function::DateTrunc {
            Period::named(name).map(Operation::Start)
        } else {
            Part::named(name).map(Operation::Part)
        };
        Ok(call(calendar::function(operation.ok_or_else(unjudged)?), vec![self.raise(moment)?]))
    }
}

fn literal(value: &Literal) -> Raised {
    let value = match value {
        Literal::Null(holds) => ScalarValue::try_from(&form(*holds))?,
        Literal::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Literal::Integer(value) => ScalarValue::Int64(Some(*value)),
        Literal::Float(value) => ScalarValue::Float64(Some(*value)),
        Literal::String(value) => ScalarValue::Utf8View(Some(value.clone())),
        Literal::Date(value) => ScalarValue::Date32(Some(*value)),
        Literal::Timestamp(value) => ScalarValue::TimestampMicrosecond(Some(*value), Some("UTC".into())),
    };
    Ok(Expr::Literal(value, None))
}

fn operator(comparison: Comparison) -> Operator {
    match comparison {
        Comparison::Equal => Operator::Eq,
        Comparison::Different => Operator::NotEq,
        Comparison::Less => Operator::Lt,
        Comparison::AtMost => Operator::LtEq,
        Comparison::Greater => Operator::Gt,
        Comparison::AtLeast => Operator::GtEq,
    }
}

fn wider(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Integer(left), Type::Integer(right)) => Type::Integer(left.max(right)),
        _ => left,
    }
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(left.into(), operator, right.into()))
}

fn call(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))
}

/// Only judged plans are raised, and those have types.
pub(super) fn unjudged() -> DataFusionError {
    plan_datafusion_err!("a plan that was not judged")
}

/// Most digits of a decimal of 128 bits.
const NARROW: u8 = 38;

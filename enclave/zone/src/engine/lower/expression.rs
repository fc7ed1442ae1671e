//! Expressions of DataFusion's, read into ours.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is refused")]

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{Column, DFSchema},
    logical_expr::{Aggregate, BinaryExpr, Case, Expr, Like, Operator, expr::ScalarFunction},
    scalar::ScalarValue,
};
use octroi_release::{Arithmetic, Comparison, Digits, Expression, Function, Literal, Rejection, Type};

use crate::engine::refusal::Refusal;

/// What the columns of a plan are.
pub(super) struct Named<'a, C: Clone> {
    schema: &'a DFSchema,
    columns: std::borrow::Cow<'a, [Expression<C>]>,
}

/// Reads expressions, and counts what it made: written out over and over, a short question can become a long plan.
#[derive(Default)]
pub(super) struct Lowering {
    made: usize,
    depth: usize,
}

impl<'a, C: Clone> Named<'a, C> {
    /// Columns that are expressions, one for each of the schema's.
    pub(super) fn new(schema: &'a DFSchema, columns: &'a [Expression<C>]) -> Self {
        Self { schema, columns: columns.into() }
    }

    fn expression(&self, column: &Column) -> Option<&Expression<C>> {
        self.columns.get(self.schema.maybe_index_of_column(column)?)
    }
}

impl<'a> Named<'a, usize> {
    /// Columns that are their places, but for the number of the grouping set, if there is one: it is no column of ours.
    pub(super) fn places(schema: &'a DFSchema, set_number: bool) -> Self {
        let mut next = 0_usize;
        let place = |name: &str| {
            if set_number && name == Aggregate::INTERNAL_GROUPING_ID {
                return Expression::Column(usize::MAX);
            }
            next += 1;
            Expression::Column(next - 1)
        };
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Self { schema, columns: names.into_iter().map(place).collect() }
    }
}

impl Lowering {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn expression<C: Clone>(
        &mut self,
        expression: &Expr,
        named: &Named<'_, C>,
    ) -> Result<Expression<C>, Refusal> {
        self.depth += 1;
        self.made += 1;
        if self.depth > MOST_DEPTH || self.made > MOST_MADE {
            return Err(Refusal::TooLong);
        }
        let lowered = self.inner(expression, named)?;
        self.depth -= 1;
        Ok(lowered)
    }

    fn inner<C: Clone>(&mut self, expression: &Expr, named: &Named<'_, C>) -> Result<Expression<C>, Refusal> {
        match expression {
            Expr::Alias(alias) => self.expression(&alias.expr, named),
            Expr::Column(column) => self.column(column, named),
            Expr::Literal(value, _) => literal(value).map(Expression::Literal),
            Expr::BinaryExpr(binary) => self.binary(binary, named),
            Expr::Like(like) => self.like(like, named),
            Expr::Not(one) => Ok(not(self.expression(one, named)?)),
            Expr::IsNull(one) | Expr::IsUnknown(one) => Ok(is_null(self.expression(one, named)?)),
            Expr::IsNotNull(one) | Expr::IsNotUnknown(one) => Ok(not(is_null(self.expression(one, named)?))),
            Expr::IsTrue(one) => Ok(is_true(self.expression(one, named)?)),
            Expr::IsNotTrue(one) => Ok(not(is_true(self.expression(one, named)?))),
            Expr::IsFalse(one) => Ok(is_true(not(self.expression(one, named)?))),
            Expr::IsNotFalse(one) => Ok(not(is_true(not(self.expression(one, named)?)))),
            Expr::Negative(one) => Ok(Expression::Negate(self.expression(one, named)?.into())),
            Expr::Between(between) => {
                let value = self.expression(&between.expr, named)?;
                let (low, high) = (self.expression(&between.low, named)?, self.expression(&between.high, named)?);
                let low = Expression::Compare(Comparison::AtLeast, value.clone().into(), low.into());
                let high = Expression::Compare(Comparison::AtMost, value.into(), high.into());
                Ok(not_if(between.negated, Expression::And(vec![low, high])))
            }
            Expr::Case(case) => self.case(case, named),
            Expr::Cast(cast) => {
                Ok(Expression::Cast(self.expression(&cast.expr, named)?.into(), holds(cast.field.data_type())?))
            }
            Expr::TryCast(cast) => {
                Ok(Expression::TryCast(self.expression(&cast.expr, named)?.into(), holds(cast.field.data_type())?))
            }
            Expr::ScalarFunction(call) => self.call(call, named),
            Expr::InList(list) => {
                let value = self.expression(&list.expr, named)?;
                let values = list.list.iter().map(spelled).collect::<Result<_, _>>()?;
                Ok(not_if(list.negated, Expression::In(value.into(), values)))
            }
            other => Err(refused(other)),
        }
    }

    fn column<C: Clone>(&mut self, column: &Column, named: &Named<'_, C>) -> Result<Expression<C>, Refusal> {
        let expression = named.expression(column).ok_or(Rejection::Column)?;
        let mut size = 0;
        expression.visit(&mut |_| size += 1);
        self.made += size;
        if self.made > MOST_MADE { Err(Refusal::TooLong) } else { Ok(expression.clone()) }
    }

    fn binary<C: Clone>(&mut self, binary: &BinaryExpr, named: &Named<'_, C>) -> Result<Expression<C>, Refusal> {
        if matches!(binary.op, Operator::And | Operator::Or) {
            let mut operands = Vec::new();
            flatten(binary, &mut operands);
            let all = operands.into_iter().map(|one| self.expression(one, named)).collect::<Result<_, _>>()?;
            return Ok(if binary.op == Operator::And { Expression::And(all) } else { Expression::Or(all) });
        }
        let (left, right) = (self.expression(&binary.left, named)?, self.expression(&binary.right, named)?);
        let (left, right) = (Box::new(left), Box::new(right));
        if let Some(comparison) = comparison(binary.op) {
            return Ok(Expression::Compare(comparison, left, right));
        }
        match arithmetic(binary.op) {
            Some(operation) => Ok(Expression::Arithmetic(operation, left, right)),
            None => Err(not_allowed("this operator", "use =, <, >, +, -, *, /, %, AND, OR, LIKE or IN")),
        }
    }

    fn like<C: Clone>(&mut self, like: &Like, named: &Named<'_, C>) -> Result<Expression<C>, Refusal> {
        let value = self.expression(&like.expr, named)?.into();
        let (Literal::String(pattern), None | Some('\\')) = (spelled(&like.pattern)?, like.escape_char) else {
            return Err(not_allowed("a LIKE with a computed form or an escape of its own", "spell the form out"));
        };
        Ok(not_if(like.negated, Expression::Like { value, pattern, any_case: like.case_insensitive }))
    }

    fn case<C: Clone>(&mut self, case: &Case, named: &Named<'_, C>) -> Result<Expression<C>, Refusal> {
        let base = case.expr.as_ref().map(|base| self.expression(base, named)).transpose()?;
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        for (when, then) in &case.when_then_expr {
            let when = self.expression(when, named)?;
            let when = match &base {
                Some(base) => Expression::Compare(Comparison::Equal, base.clone().into(), when.into()),
                None => when,
            };
            branches.push((when, self.expression(then, named)?));
        }
        // ELSE NULL is no ELSE, and would have no type of its own.
        let otherwise =
            case.else_expr.as_deref().filter(|value| !matches!(value, Expr::Literal(value, _) if value.is_null()));
        let otherwise = otherwise.map(|value| self.expression(value, named)).transpose()?.map(Box::new);
        Ok(Expression::Case { branches, otherwise })
    }

    fn call<C: Clone>(&mut self, call: &ScalarFunction, named: &Named<'_, C>) -> Result<Expression<C>, Refusal> {
        let function = match call.func.name() {
            "date_trunc" => Function::DateTrunc,
            "date_part" => Function::DatePart,
            "floor" => Function::Floor,
            "ceil" => Function::Ceiling,
            "round" => Function::Round,
            "abs" => Function::Absolute,
            "lower" => Function::Lower,
            "upper" => Function::Upper,
            "btrim" => Function::Trim,
            "character_length" => Function::CharacterLength,
            "substr" => Function::Substring,
            "starts_with" => Function::StartsWith,
            "coalesce" => Function::Coalesce,
            "nullif" => Function::NullIf,
            "bin" => Function::Bin,
            _ => return Err(not_allowed("this function", "leave it out")),
        };
        let mut arguments = call.args.iter().map(|one| self.expression(one, named)).collect::<Result<Vec<_>, _>>()?;
        // EXTRACT spells the part in capital letters.
        if let (Function::DateTrunc | Function::DatePart, Some(Expression::Literal(Literal::String(name)))) =
            (function, arguments.first_mut())
        {
            name.make_ascii_lowercase();
        }
        Ok(Expression::Call(function, arguments))
    }
}

/// The operands of a chain of AND or OR, however long, in order.
fn flatten<'a>(binary: &'a BinaryExpr, operands: &mut Vec<&'a Expr>) {
    let mut pending = vec![&*binary.right, &*binary.left];
    while let Some(next) = pending.pop() {
        match next {
            Expr::BinaryExpr(inner) if inner.op == binary.op => pending.extend([&*inner.right, &*inner.left]),
            other => operands.push(other),
        }
    }
}

fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::Different,
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::AtMost,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::AtLeast,
        _ => return None,
    })
}

fn arithmetic(operator: Operator) -> Option<Arithmetic> {
    Some(match operator {
        Operator::Plus => Arithmetic::Add,
        Operator::Minus => Arithmetic::Subtract,
        Operator::Multiply => Arithmetic::Multiply,
        Operator::Divide => Arithmetic::Divide,
        Operator::Modulo => Arithmetic::Remainder,
        _ => return None,
    })
}

/// A value that is spelled out.
fn spelled(expression: &Expr) -> Result<Literal, Refusal> {
    match expression {
        Expr::Literal(value, _) => literal(value),
        _ => Err(not_allowed("a computed value in a list or form", "spell it out")),
    }
}

fn literal(value: &ScalarValue) -> Result<Literal, Refusal> {
    if value.is_null() {
        return holds(&value.data_type()).map(Literal::Null);
    }
    let instant = |value: i64, per_microsecond: i64| {
        if value % per_microsecond == 0 {
            Ok(Literal::Timestamp(value / per_microsecond))
        } else {
            Err(not_allowed("a moment finer than a microsecond", "round it"))
        }
    };
    let later = |value: i64, microseconds: i64| {
        let value = value.checked_mul(microseconds).map(Literal::Timestamp);
        value.ok_or(not_allowed("a moment that far away", "write a nearer one"))
    };
    match value {
        ScalarValue::Boolean(Some(value)) => Ok(Literal::Boolean(*value)),
        ScalarValue::Int8(Some(value)) => Ok(Literal::Integer((*value).into())),
        ScalarValue::Int16(Some(value)) => Ok(Literal::Integer((*value).into())),
        ScalarValue::Int32(Some(value)) => Ok(Literal::Integer((*value).into())),
        ScalarValue::Int64(Some(value)) => Ok(Literal::Integer(*value)),
        ScalarValue::UInt8(Some(value)) => Ok(Literal::Integer((*value).into())),
        ScalarValue::UInt16(Some(value)) => Ok(Literal::Integer((*value).into())),
        ScalarValue::UInt32(Some(value)) => Ok(Literal::Integer((*value).into())),
        ScalarValue::Float32(Some(value)) => Ok(Literal::Float((*value).into())),
        ScalarValue::Float64(Some(value)) => Ok(Literal::Float(*value)),
        ScalarValue::Utf8(Some(value)) | ScalarValue::LargeUtf8(Some(value)) | ScalarValue::Utf8View(Some(value)) => {
            Ok(Literal::String(value.clone()))
        }
        ScalarValue::Date32(Some(value)) => Ok(Literal::Date(*value)),
        ScalarValue::TimestampSecond(Some(value), zone) if utc(zone.as_deref()) => later(*value, 1_000_000),
        ScalarValue::TimestampMillisecond(Some(value), zone) if utc(zone.as_deref()) => later(*value, 1_000),
        ScalarValue::TimestampMicrosecond(Some(value), zone) if utc(zone.as_deref()) => instant(*value, 1),
        ScalarValue::TimestampNanosecond(Some(value), zone) if utc(zone.as_deref()) => instant(*value, 1_000),
        _ => Err(not_allowed("a value of this type", "write a number, a text, a date or a timestamp in UTC")),
    }
}

fn holds(form: &DataType) -> Result<Type, Refusal> {
    let integer = |digits| Digits::new(digits).map(Type::Integer).ok_or(Rejection::TooWide.into());
    match form {
        DataType::Boolean => Ok(Type::Boolean),
        DataType::Int8 => integer(2),
        DataType::Int16 => integer(4),
        DataType::Int32 => Ok(Type::Integer(Digits::OF_32_BITS)),
        DataType::Int64 => Ok(Type::Integer(Digits::STORED)),
        DataType::Float64 => Ok(Type::Float),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(Type::String),
        DataType::Date32 => Ok(Type::Date),
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            zone,
        ) if utc(zone.as_deref()) => Ok(Type::Timestamp),
        _ => Err(not_allowed("a cast to this type", "use BIGINT, DOUBLE, TEXT, BOOLEAN, DATE or TIMESTAMP")),
    }
}

fn utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "+00:00"))
}

fn not<C>(one: Expression<C>) -> Expression<C> {
    Expression::Not(one.into())
}

fn not_if<C>(negated: bool, one: Expression<C>) -> Expression<C> {
    if negated { not(one) } else { one }
}

fn is_null<C>(one: Expression<C>) -> Expression<C> {
    Expression::IsNull(one.into())
}

fn is_true<C: Clone>(one: Expression<C>) -> Expression<C> {
    Expression::And(vec![not(is_null(one.clone())), one])
}

/// Why an expression is not read.
fn refused(expression: &Expr) -> Refusal {
    match expression {
        Expr::WindowFunction(_) => not_allowed("a window function", "aggregate with GROUP BY"),
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_) => {
            not_allowed("a sub-select in an expression", "write it as a join")
        }
        Expr::GroupingSet(_) => not_allowed("ROLLUP, CUBE or GROUPING SETS", "ask each grouping by itself"),
        Expr::SimilarTo(_) => not_allowed("SIMILAR TO", "use LIKE"),
        Expr::Placeholder(_) => not_allowed("a parameter", "write its value"),
        _ => not_allowed("a construct in it", "ask it in a simpler form"),
    }
}

fn not_allowed(construct: &'static str, instead: &'static str) -> Refusal {
    Refusal::NotAllowed { construct, instead }
}

/// Expressions inside one another; chains of AND and OR are flat.
const MOST_DEPTH: usize = 100;
/// Expressions of one plan.
const MOST_MADE: usize = 20_000;

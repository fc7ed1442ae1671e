//! Expressions of a plan. Each is deterministic and total: no value makes one fail, so that no value can be asked for by
//! an error.

use crate::schema::{Digits, Type};

/// An expression over columns of kind `C`: a table's ([`crate::RowColumn`]) or an aggregation's (their places).
#[derive(Debug, Clone, PartialEq)]
pub enum Expression<C> {
    /// A column.
    Column(C),
    /// A value that the question spells out.
    Literal(Literal),
    /// All hold.
    And(Vec<Expression<C>>),
    /// One holds.
    Or(Vec<Expression<C>>),
    /// It does not hold.
    Not(Box<Expression<C>>),
    /// It is missing.
    IsNull(Box<Expression<C>>),
    /// One value against another.
    Compare(Comparison, Box<Expression<C>>, Box<Expression<C>>),
    /// It is one of these.
    In(Box<Expression<C>>, Vec<Literal>),
    /// It has this form (`%` any text, `_` any character, `\` takes the next one as it is).
    Like {
        /// What is looked at.
        value: Box<Expression<C>>,
        /// The form.
        pattern: String,
        /// Whether capital and small letters are the same.
        any_case: bool,
    },
    /// Two numbers make one.
    Arithmetic(Arithmetic, Box<Expression<C>>, Box<Expression<C>>),
    /// The number with its sign turned.
    Negate(Box<Expression<C>>),
    /// The value beside the first condition that holds.
    Case {
        /// Conditions and values.
        branches: Vec<(Expression<C>, Expression<C>)>,
        /// The value if none holds; missing if there is none.
        otherwise: Option<Box<Expression<C>>>,
    },
    /// A function of the list.
    Call(Function, Vec<Expression<C>>),
    /// The value as another type, where every value has its counterpart, but for days that lie beyond all moments: those
    /// are missing.
    Cast(Box<Expression<C>>, Type),
    /// The value as another type; missing where it has no counterpart.
    TryCast(Box<Expression<C>>, Type),
}

/// A value that the question or a schema spells out.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A missing value of a type.
    Null(Type),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// IEEE 754, 64 bits.
    Float(f64),
    /// UTF-8.
    String(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// What two numbers make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`; of whole numbers the quotient towards zero. Missing where a whole number is divided by zero.
    Divide,
    /// `%`; missing where a whole number is divided by zero.
    Remainder,
}

/// The functions that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The start of the period that a moment lies in: a period by name, and a timestamp. Missing where the period began
    /// before all moments.
    DateTrunc,
    /// A part of a moment: its name, and a date or timestamp.
    DatePart,
    /// The largest whole number not above a float.
    Floor,
    /// The smallest whole number not below a float.
    Ceiling,
    /// The nearest whole number, or number of so many digits after the point, spelled out; halves away from zero.
    Round,
    /// A float without its sign.
    Absolute,
    /// In small letters.
    Lower,
    /// In capital letters.
    Upper,
    /// Without spaces at both ends.
    Trim,
    /// How many characters.
    CharacterLength,
    /// From a character, counted from 1, and how many: both spelled out.
    Substring,
    /// Whether a text begins with another.
    StartsWith,
    /// The first that is not missing.
    Coalesce,
    /// Missing if both are equal, else the first.
    NullIf,
    /// The number of the declared bin that a value lies in, from 0.
    Bin,
}

impl<C> Expression<C> {
    /// Calls `see` for this expression and each one in it.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match self {
            Self::Column(_) | Self::Literal(_) => {}
            Self::And(all) | Self::Or(all) | Self::Call(_, all) => all.iter().for_each(|one| one.visit(see)),
            Self::Not(one)
            | Self::IsNull(one)
            | Self::In(one, _)
            | Self::Like { value: one, .. }
            | Self::Negate(one)
            | Self::Cast(one, _)
            | Self::TryCast(one, _) => one.visit(see),
            Self::Compare(_, left, right) | Self::Arithmetic(_, left, right) => {
                left.visit(see);
                right.visit(see);
            }
            Self::Case { branches, otherwise } => {
                for (condition, value) in branches {
                    condition.visit(see);
                    value.visit(see);
                }
                if let Some(value) = otherwise {
                    value.visit(see);
                }
            }
        }
    }
}

impl<C: Copy> Expression<C> {
    /// The same over other columns: each is replaced by what it stands for.
    #[must_use]
    pub fn over<D: Clone>(&self, columns: &impl Fn(C) -> Expression<D>) -> Expression<D> {
        let of = |one: &Self| one.over(columns);
        let boxed = |one: &Self| Box::new(one.over(columns));
        match self {
            Self::Column(column) => columns(*column),
            Self::Literal(literal) => Expression::Literal(literal.clone()),
            Self::And(all) => Expression::And(all.iter().map(of).collect()),
            Self::Or(all) => Expression::Or(all.iter().map(of).collect()),
            Self::Not(one) => Expression::Not(boxed(one)),
            Self::IsNull(one) => Expression::IsNull(boxed(one)),
            Self::Compare(comparison, left, right) => Expression::Compare(*comparison, boxed(left), boxed(right)),
            Self::In(one, list) => Expression::In(boxed(one), list.clone()),
            Self::Like { value, pattern, any_case } => {
                Expression::Like { value: boxed(value), pattern: pattern.clone(), any_case: *any_case }
            }
            Self::Arithmetic(operation, left, right) => Expression::Arithmetic(*operation, boxed(left), boxed(right)),
            Self::Negate(one) => Expression::Negate(boxed(one)),
            Self::Case { branches, otherwise } => Expression::Case {
                branches: branches.iter().map(|(condition, value)| (of(condition), of(value))).collect(),
                otherwise: otherwise.as_deref().map(boxed),
            },
            Self::Call(function, arguments) => Expression::Call(*function, arguments.iter().map(of).collect()),
            Self::Cast(one, to) => Expression::Cast(boxed(one), *to),
            Self::TryCast(one, to) => Expression::TryCast(boxed(one), *to),
        }
    }
}

impl Literal {
    /// Its type.
    pub fn holds(&self) -> Type {
        match self {
            Self::Null(holds) => *holds,
            Self::Boolean(_) => Type::Boolean,
            Self::Integer(value) => Type::Integer(Digits::of(*value)),
            Self::Float(_) => Type::Float,
            Self::String(_) => Type::String,
            Self::Date(_) => Type::Date,
            Self::Timestamp(_) => Type::Timestamp,
        }
    }
}

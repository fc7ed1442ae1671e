//! Expressions of every kind that the judge lets through, over values at the edges of their types.

use octroi_release::{Arithmetic, Comparison, Digits, Expression, Function, Literal, Type};

use crate::table::tests::Dice;

pub(super) const WHOLE: Type = Type::Integer(Digits::STORED);
pub(super) const TYPES: [Type; 6] = [Type::Boolean, WHOLE, Type::Float, Type::String, Type::Date, Type::Timestamp];

/// Makes expressions over these columns.
pub(super) struct Maker<'a, C> {
    pub(super) dice: &'a mut Dice,
    pub(super) columns: &'a [(C, Type)],
}

pub(super) fn integer(dice: &mut Dice) -> i64 {
    let near = dice.below(200) as i64 - 100;
    *dice.one(&[i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 0, 1, -1, 10, 1 << 32, 999_999_999_999_999_999, near])
}

pub(super) fn float(dice: &mut Dice) -> f64 {
    let near = dice.below(2_000) as f64 / 8.0 - 100.0;
    let far = i64::MAX as f64;
    *dice.one(&[
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        0.0,
        -0.0,
        far,
        -far,
        near,
        near,
    ])
}

pub(super) fn text(dice: &mut Dice) -> String {
    const TEXTS: &[&str] = &[
        "",
        " ",
        "a",
        "Aé",
        "%",
        "_",
        "\\",
        "ß",
        "İstanbul",
        "\u{149}",
        "\u{1f82}\u{390}",
        "\u{10ffff}\u{feff}\0",
        "K\u{212a}ſ",
        "🌏 over twelve bytes of it",
        "9223372036854775807",
        "-9223372036854775809",
        "1e309",
        "-0",
        "NaN",
        "inf",
        "true",
        "2013-02-30",
        "2013-02-28",
        "+262142-12-31",
        "-262143-01-01T00:00:00Z",
        "292277-01-10T04:00:54.775807Z",
        "9999-12-31T23:59:60Z",
        "2013-01-01T00:00:00+25:99",
        "0000-00-00",
    ];
    match dice.below(12) {
        0 => "x\u{308}é".repeat(9_000),
        1 => dice.some_of(TEXTS, 4),
        _ => (*dice.one::<&str>(TEXTS)).to_owned(),
    }
}

pub(super) fn day(dice: &mut Dice) -> i32 {
    let near = dice.below(40_000) as i32 - 20_000;
    // The last days of chrono, of moments, and of four digits.
    *dice.one(&[
        i32::MIN,
        i32::MAX,
        95_026_236,
        95_026_237,
        -96_465_293,
        106_751_991,
        106_751_992,
        -106_751_992,
        2_932_896,
        0,
        -1,
        near,
    ])
}

pub(super) fn moment(dice: &mut Dice) -> i64 {
    let near = dice.below(4_000_000_000_000_000) as i64 - 1_000_000_000_000_000;
    *dice.one(&[
        i64::MIN,
        i64::MIN + 1,
        i64::MAX,
        8_210_266_876_799_999_999,
        8_210_266_876_800_000_000,
        -8_334_601_228_800_000_000,
        -8_334_601_228_800_000_001,
        253_402_300_800_000_000,
        0,
        -1,
        near,
    ])
}

/// A value of this type that a question can spell.
pub(super) fn literal(dice: &mut Dice, holds: Type) -> Literal {
    if dice.below(12) == 0 {
        return Literal::Null(holds);
    }
    match holds {
        Type::Boolean => Literal::Boolean(dice.below(2) == 0),
        Type::Integer(_) => Literal::Integer(integer(dice)),
        Type::Float => Literal::Float(float(dice)),
        Type::String => Literal::String(text(dice)),
        Type::Date => Literal::Date(day(dice)),
        Type::Timestamp => Literal::Timestamp(moment(dice)),
    }
}

fn pattern(dice: &mut Dice) -> String {
    const PARTS: &[&str] =
        &["%", "_", "\\", "a", "A", "ß", "K", "(", "[", "{9}", "*", ".", "\n", "🌏", "\\%", "^$", "#"];
    match dice.below(20) {
        0 => "_".repeat(1_000),
        1 => "%k".repeat(500),
        2 => "\\".repeat(999),
        _ => dice.some_of(PARTS, 7),
    }
}

impl<C: Copy> Maker<'_, C> {
    /// An expression of a type; whole numbers may be of any width.
    pub(super) fn make(&mut self, holds: Type, depth: u32) -> Expression<C> {
        if depth == 0 || self.dice.below(6) == 0 {
            return self.leaf(holds);
        }
        match self.dice.below(10) {
            0 => self.case(holds, depth),
            1 => {
                let all = (0..1 + self.dice.below(3)).map(|_| self.make(holds, depth - 1)).collect();
                Expression::Call(Function::Coalesce, all)
            }
            2 => Expression::Call(Function::NullIf, vec![self.make(holds, depth - 1), self.make(holds, depth - 1)]),
            _ => match holds {
                Type::Boolean => self.boolean(depth - 1),
                Type::Integer(_) => self.integer(depth - 1),
                Type::Float => self.float(depth - 1),
                Type::String => self.string(depth - 1),
                Type::Date => self.date(depth - 1),
                Type::Timestamp => self.timestamp(depth - 1),
            },
        }
    }

    pub(super) fn any(&mut self, depth: u32) -> Expression<C> {
        let holds = *self.dice.one(&TYPES);
        self.make(holds, depth)
    }

    fn leaf(&mut self, holds: Type) -> Expression<C> {
        let alike = |one: &Type| std::mem::discriminant(one) == std::mem::discriminant(&holds);
        let columns: Vec<C> = self.columns.iter().filter(|(_, one)| alike(one)).map(|(column, _)| *column).collect();
        if columns.is_empty() || self.dice.below(4) == 0 {
            Expression::Literal(literal(self.dice, holds))
        } else {
            Expression::Column(*self.dice.one(&columns))
        }
    }

    fn case(&mut self, holds: Type, depth: u32) -> Expression<C> {
        let branches = 1 + self.dice.below(3);
        let branches =
            (0..branches).map(|_| (self.make(Type::Boolean, depth - 1), self.make(holds, depth - 1))).collect();
        let otherwise = (self.dice.below(2) == 0).then(|| self.make(holds, depth - 1).into());
        Expression::Case { branches, otherwise }
    }

    fn boolean(&mut self, depth: u32) -> Expression<C> {
        let of = *self.dice.one(&TYPES);
        match self.dice.below(9) {
            0 => Expression::And((0..2 + self.dice.below(2)).map(|_| self.make(Type::Boolean, depth)).collect()),
            1 => Expression::Or((0..2 + self.dice.below(2)).map(|_| self.make(Type::Boolean, depth)).collect()),
            2 => Expression::Not(self.make(Type::Boolean, depth).into()),
            3 => Expression::IsNull(self.make(of, depth).into()),
            4 => {
                let list = (0..1 + self.dice.below(6)).map(|_| literal(self.dice, of)).collect();
                Expression::In(self.make(of, depth).into(), list)
            }
            5 => Expression::Like {
                value: self.make(Type::String, depth).into(),
                pattern: pattern(self.dice),
                any_case: self.dice.below(2) == 0,
            },
            6 => {
                let both = vec![self.make(Type::String, depth), self.make(Type::String, depth)];
                Expression::Call(Function::StartsWith, both)
            }
            7 => Expression::TryCast(self.make(Type::String, depth).into(), Type::Boolean),
            _ => {
                const HOW: [Comparison; 6] = [
                    Comparison::Equal,
                    Comparison::Different,
                    Comparison::Less,
                    Comparison::AtMost,
                    Comparison::Greater,
                    Comparison::AtLeast,
                ];
                let how = *self.dice.one(&HOW);
                Expression::Compare(how, self.make(of, depth).into(), self.make(of, depth).into())
            }
        }
    }

    fn arithmetic(&mut self, holds: Type, depth: u32) -> Expression<C> {
        const HOW: [Arithmetic; 5] =
            [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Remainder];
        let how = *self.dice.one(&HOW);
        Expression::Arithmetic(how, self.make(holds, depth).into(), self.make(holds, depth).into())
    }

    fn integer(&mut self, depth: u32) -> Expression<C> {
        match self.dice.below(9) {
            0 => Expression::Negate(self.make(WHOLE, depth).into()),
            1 => Expression::Call(Function::CharacterLength, vec![self.make(Type::String, depth)]),
            2 => {
                let of = *self.dice.one(&[Type::Date, Type::Timestamp]);
                let parts =
                    &["year", "quarter", "month", "week", "day", "doy", "dow", "isodow", "hour", "minute", "second"];
                self.named(Function::DatePart, parts, of, depth)
            }
            3 => Expression::Cast(self.make(Type::Boolean, depth).into(), WHOLE),
            4 => Expression::TryCast(self.make(Type::Float, depth).into(), WHOLE),
            5 => Expression::TryCast(self.make(Type::String, depth).into(), WHOLE),
            6 => Expression::TryCast(self.make(WHOLE, depth).into(), WHOLE),
            7 => Expression::Cast(self.make(WHOLE, depth).into(), WHOLE),
            _ => self.arithmetic(WHOLE, depth),
        }
    }

    fn float(&mut self, depth: u32) -> Expression<C> {
        let one = |function| move |value| Expression::Call(function, vec![value]);
        match self.dice.below(9) {
            0 => Expression::Negate(self.make(Type::Float, depth).into()),
            1 => one(Function::Floor)(self.make(Type::Float, depth)),
            2 => one(Function::Ceiling)(self.make(Type::Float, depth)),
            3 => one(Function::Absolute)(self.make(Type::Float, depth)),
            4 => {
                let digits = *self.dice.one(&[0, 2, -2, 15, 400, -400, i64::MAX, i64::MIN]);
                let digits = Expression::Literal(Literal::Integer(digits));
                Expression::Call(Function::Round, vec![self.make(Type::Float, depth), digits])
            }
            5 => Expression::Cast(self.make(WHOLE, depth).into(), Type::Float),
            6 => Expression::TryCast(self.make(Type::String, depth).into(), Type::Float),
            _ => self.arithmetic(Type::Float, depth),
        }
    }

    fn string(&mut self, depth: u32) -> Expression<C> {
        match self.dice.below(5) {
            0 => Expression::Call(Function::Lower, vec![self.make(Type::String, depth)]),
            1 => Expression::Call(Function::Upper, vec![self.make(Type::String, depth)]),
            2 => Expression::Call(Function::Trim, vec![self.make(Type::String, depth)]),
            3 => Expression::Cast(self.make(WHOLE, depth).into(), Type::String),
            _ => {
                let number = |number| Expression::Literal(Literal::Integer(number));
                let mut part = vec![self.make(Type::String, depth)];
                part.push(number(*self.dice.one(&[0, 1, -1, 3, 20, 1 << 31, -(1 << 31)])));
                if self.dice.below(2) == 0 {
                    part.push(number(*self.dice.one(&[0, 1, 5, 40, 1 << 31])));
                }
                Expression::Call(Function::Substring, part)
            }
        }
    }

    fn date(&mut self, depth: u32) -> Expression<C> {
        match self.dice.below(2) {
            0 => Expression::Cast(self.make(Type::Timestamp, depth).into(), Type::Date),
            _ => Expression::TryCast(self.make(Type::String, depth).into(), Type::Date),
        }
    }

    fn timestamp(&mut self, depth: u32) -> Expression<C> {
        match self.dice.below(4) {
            0 => Expression::Cast(self.make(Type::Date, depth).into(), Type::Timestamp),
            1 => Expression::TryCast(self.make(Type::String, depth).into(), Type::Timestamp),
            _ => {
                let periods = &["year", "quarter", "month", "week", "day", "hour", "minute", "second"];
                self.named(Function::DateTrunc, periods, Type::Timestamp, depth)
            }
        }
    }

    fn named(&mut self, function: Function, names: &[&str], of: Type, depth: u32) -> Expression<C> {
        let name = (*self.dice.one::<&str>(names)).to_owned();
        Expression::Call(function, vec![Expression::Literal(Literal::String(name)), self.make(of, depth)])
    }
}

//! A question: as SQL for a gateway, and as what it means for whoever reads rows ([`plain`](super::plain)).
//!
//! One form for both, so that an attack or an analysis says once what it asks, and what it would have got without any
//! protection is known for certain.

use super::table::{DAY, Role, Table, Value, civil, day};

/// A question about one table.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Whether it is joined to its public table, and how.
    pub joined: Joined,
    /// All of these hold.
    pub conditions: Vec<Condition>,
    /// What is grouped by.
    pub keys: Vec<Key>,
    /// Sets of keys beside that of all of them.
    pub sets: Sets,
    /// What is told of each group.
    pub figures: Vec<Figure>,
    /// Only groups whose figure, which need not be shown, is above a number.
    pub above: Option<(Figure, f64)>,
    /// Groups by a figure that need not be shown, largest first; so many of them.
    pub largest: Option<(Figure, Option<usize>)>,
    /// Other words of the same meaning; `{}` stands for the table.
    pub spelled: Option<String>,
    /// Words among the conditions that go wrong for some rows, and for which.
    pub trap: Option<(String, Vec<Condition>)>,
}

/// How a question reaches the public table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Joined {
    /// Not at all.
    #[default]
    No,
    /// Rows with a partner alone.
    Inner,
    /// All rows.
    Left,
}

/// Which sets of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sets {
    /// All keys together.
    #[default]
    All,
    /// One key less each time, from the last on.
    Rollup,
    /// Every set of them.
    Cube,
    /// These.
    These(Vec<Vec<usize>>),
}

/// A condition on a row.
#[derive(Debug, Clone)]
pub enum Condition {
    /// One value.
    Is(&'static str, Value),
    /// A list of values.
    Among(&'static str, &'static [&'static str]),
    /// Less than.
    Below(&'static str, Value),
    /// Not less than.
    From(&'static str, Value),
    /// There is a value.
    Present(&'static str),
    /// There is none.
    Absent(&'static str),
    /// A flag is true, or false.
    Flag(&'static str, bool),
    /// Some parts of a moment: from one to another, both included.
    Part(Part, &'static str, i64, i64),
}

/// What is grouped by.
#[derive(Debug, Clone)]
pub enum Key {
    /// A column.
    Column(&'static str),
    /// Its declared bins.
    Bin(&'static str),
    /// The beginning of its period.
    Trunc(Period, &'static str),
    /// A part of it.
    Part(Part, &'static str),
    /// Two names for a condition, which holds or does not.
    Either(Condition, &'static str, &'static str),
}

/// A period that begins somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Of moments.
    Hour,
    /// From midnight on.
    Day,
    /// From Monday on.
    Week,
    /// From its first on.
    Month,
    /// Of three months.
    Quarter,
}

/// A part of a day or moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Of the day, from 0.
    Hour,
    /// Of the week, Monday 1.
    Weekday,
    /// Of the year, from 1.
    Month,
}

/// Something told of a group.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What.
    pub of: Of,
    /// Of which rows; all if it says nothing.
    pub only: Vec<Condition>,
    /// Whether these are chosen by CASE, not by FILTER.
    pub by_case: bool,
}

/// An aggregate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Of {
    /// COUNT(*)
    Rows,
    /// COUNT(DISTINCT unit)
    Subjects(&'static str),
    /// COUNT(column)
    Values(&'static str),
    /// SUM
    Sum(&'static str),
    /// AVG
    Mean(&'static str),
    /// VAR_POP
    Variance(&'static str),
    /// STDDEV_POP
    Deviation(&'static str),
    /// CORR
    Correlation(&'static str, &'static str),
    /// COVAR_POP
    Covariance(&'static str, &'static str),
    /// REGR_SLOPE
    Slope(&'static str, &'static str),
    /// REGR_INTERCEPT
    Intercept(&'static str, &'static str),
    /// REGR_COUNT
    Pairs(&'static str, &'static str),
    /// REGR_AVGX
    MeanX(&'static str, &'static str),
    /// REGR_SXX
    Squares(&'static str, &'static str),
    /// APPROX_PERCENTILE_CONT, of so many thousandths.
    Percentile(&'static str, u32),
}

/// Groups by these.
pub fn by<const N: usize>(keys: [Key; N]) -> Question {
    Question { keys: keys.into(), ..Question::default() }
}

/// COUNT(*)
pub fn rows() -> Figure {
    figure(Of::Rows)
}

/// SUM
pub fn sum(column: &'static str) -> Figure {
    figure(Of::Sum(column))
}

/// Of all rows of a group.
pub fn figure(of: Of) -> Figure {
    Figure { of, only: Vec::new(), by_case: false }
}

/// One value.
pub fn is(column: &'static str, value: &'static str) -> Condition {
    Condition::Is(column, Value::Text(value))
}

/// A column.
pub fn col(column: &'static str) -> Key {
    Key::Column(column)
}

impl Question {
    /// Of rows for which this holds, too.
    #[must_use]
    pub fn where_(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// And this is told.
    #[must_use]
    pub fn tell(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// And these are told.
    #[must_use]
    pub fn all(mut self, figures: impl IntoIterator<Item = Figure>) -> Self {
        self.figures.extend(figures);
        self
    }

    /// By these sets of keys.
    #[must_use]
    pub fn sets(self, sets: Sets) -> Self {
        Self { sets, ..self }
    }

    /// Joined to the public table.
    #[must_use]
    pub fn joined(self, joined: Joined) -> Self {
        Self { joined, ..self }
    }

    /// In other words.
    #[must_use]
    pub fn spelled(self, words: &str) -> Self {
        Self { spelled: Some(words.to_owned()), ..self }
    }

    /// The grouping sets, by places of keys.
    pub fn grouping_sets(&self) -> Vec<Vec<usize>> {
        let keys = self.keys.len();
        match &self.sets {
            Sets::All => vec![(0..keys).collect()],
            Sets::Rollup => (0..=keys).rev().map(|most| (0..most).collect()).collect(),
            Sets::Cube => (0..1_usize << keys)
                .rev()
                .map(|bits| (0..keys).filter(|key| bits & (1 << key) != 0).collect())
                .collect(),
            Sets::These(sets) => sets.clone(),
        }
    }

    /// As SQL.
    pub fn sql(&self, table: &Table) -> String {
        if let Some(words) = &self.spelled {
            return words.replace("{}", &table.name);
        }
        let keys: Vec<String> = self.keys.iter().map(|key| key.sql(table)).collect();
        let names = (0..keys.len()).map(|key| format!("k{key}"));
        let shown = keys.iter().zip(names).map(|(key, name)| format!("{key} AS {name}"));
        let told = self.figures.iter().enumerate().map(|(place, it)| format!("{} AS f{place}", it.sql()));
        let mut sql = format!("SELECT {} FROM {}", shown.chain(told).collect::<Vec<_>>().join(", "), table.name);
        let (partner, key) = (table.partner.name, table.partner.columns[0]);
        match self.joined {
            Joined::No => {}
            Joined::Inner => sql += &format!(" JOIN {partner} USING ({key})"),
            Joined::Left => sql += &format!(" LEFT JOIN {partner} USING ({key})"),
        }
        let conditions = self.conditions.iter().map(Condition::sql);
        let all: Vec<String> = conditions.chain(self.trap.as_ref().map(|(words, _)| words.clone())).collect();
        if !all.is_empty() {
            sql += &format!(" WHERE {}", all.join(" AND "));
        }
        if !keys.is_empty() {
            let set = |keys_of: &Vec<usize>| {
                format!("({})", keys_of.iter().map(|key| keys[*key].clone()).collect::<Vec<_>>().join(", "))
            };
            sql += &match &self.sets {
                Sets::All => format!(" GROUP BY {}", keys.join(", ")),
                Sets::Rollup => format!(" GROUP BY ROLLUP ({})", keys.join(", ")),
                Sets::Cube => format!(" GROUP BY CUBE ({})", keys.join(", ")),
                Sets::These(sets) => {
                    format!(" GROUP BY GROUPING SETS ({})", sets.iter().map(set).collect::<Vec<_>>().join(", "))
                }
            };
        }
        if let Some((figure, least)) = &self.above {
            sql += &format!(" HAVING {} > {least}", figure.sql());
        }
        if let Some((figure, most)) = &self.largest {
            sql += &format!(" ORDER BY {} DESC", figure.sql());
            if let Some(most) = most {
                sql += &format!(" LIMIT {most}");
            }
        }
        sql
    }
}

impl Figure {
    /// Of rows for which this holds.
    #[must_use]
    pub fn only(mut self, condition: Condition) -> Self {
        self.only.push(condition);
        self
    }

    /// Of rows for which all of these hold.
    #[must_use]
    pub fn only_all(mut self, conditions: &[Condition]) -> Self {
        self.only.extend_from_slice(conditions);
        self
    }

    /// The same, chosen by CASE.
    #[must_use]
    pub fn by_case(self) -> Self {
        Self { by_case: true, ..self }
    }

    fn sql(&self) -> String {
        let only = self.only.iter().map(Condition::sql).collect::<Vec<_>>().join(" AND ");
        if self.by_case && !only.is_empty() {
            let value = |value: &str| format!("CASE WHEN {only} THEN {value} ELSE 0 END");
            return match self.of {
                Of::Rows => format!("SUM({})", value("1")),
                Of::Sum(column) => format!("SUM({})", value(column)),
                of => of.sql(&|column| format!("CASE WHEN {only} THEN {column} END")),
            };
        }
        let bare = self.of.sql(&str::to_owned);
        if only.is_empty() { bare } else { format!("{bare} FILTER (WHERE {only})") }
    }
}

impl Of {
    fn sql(self, column_as: &dyn Fn(&str) -> String) -> String {
        let one = |name: &str, column: &str| format!("{name}({})", column_as(column));
        let two = |name: &str, y: &str, x: &str| format!("{name}({}, {})", column_as(y), column_as(x));
        match self {
            Self::Rows => "COUNT(*)".to_owned(),
            Self::Subjects(column) => format!("COUNT(DISTINCT {column})"),
            Self::Values(column) => one("COUNT", column),
            Self::Sum(column) => one("SUM", column),
            Self::Mean(column) => one("AVG", column),
            Self::Variance(column) => one("VAR_POP", column),
            Self::Deviation(column) => one("STDDEV_POP", column),
            Self::Correlation(y, x) => two("CORR", y, x),
            Self::Covariance(y, x) => two("COVAR_POP", y, x),
            Self::Slope(y, x) => two("REGR_SLOPE", y, x),
            Self::Intercept(y, x) => two("REGR_INTERCEPT", y, x),
            Self::Pairs(y, x) => two("REGR_COUNT", y, x),
            Self::MeanX(y, x) => two("REGR_AVGX", y, x),
            Self::Squares(y, x) => two("REGR_SXX", y, x),
            Self::Percentile(column, thousandths) => {
                format!("APPROX_PERCENTILE_CONT({}, {})", column_as(column), f64::from(thousandths) / 1_000.0)
            }
        }
    }

    /// Columns that must have a value in a row that counts.
    pub fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Rows | Self::Subjects(_) => Vec::new(),
            Self::Values(column)
            | Self::Sum(column)
            | Self::Mean(column)
            | Self::Variance(column)
            | Self::Deviation(column)
            | Self::Percentile(column, _) => vec![column],
            Self::Correlation(y, x)
            | Self::Covariance(y, x)
            | Self::Slope(y, x)
            | Self::Intercept(y, x)
            | Self::Pairs(y, x)
            | Self::MeanX(y, x)
            | Self::Squares(y, x) => vec![y, x],
        }
    }
}

impl Condition {
    /// As SQL.
    pub fn sql(&self) -> String {
        match self {
            Self::Is(column, value) => format!("{column} = {}", value.sql()),
            Self::Among(column, values) => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                format!("{column} IN ({})", values.join(", "))
            }
            Self::Below(column, value) => format!("{column} < {}", value.sql()),
            Self::From(column, value) => format!("{column} >= {}", value.sql()),
            Self::Present(column) => format!("{column} IS NOT NULL"),
            Self::Absent(column) => format!("{column} IS NULL"),
            Self::Flag(column, true) => (*column).to_owned(),
            Self::Flag(column, false) => format!("NOT {column}"),
            Self::Part(part, column, from, to) if from == to => format!("{} = {from}", part.sql(column)),
            Self::Part(part, column, from, to) => {
                let part = part.sql(column);
                format!("{part} >= {from} AND {part} <= {to}")
            }
        }
    }

    /// Whether it holds for a row.
    pub fn holds(&self, table: &Table, row: &[Value]) -> bool {
        let value = |column: &str| &row[table.place(column)];
        let than = |column: &str, other: &Value| value(column).number()?.partial_cmp(&other.number()?);
        match self {
            Self::Is(column, wanted) => value(column) == wanted,
            Self::Among(column, values) => values.iter().any(|one| *value(column) == Value::Text(one)),
            Self::Below(column, other) => than(column, other).is_some_and(std::cmp::Ordering::is_lt),
            Self::From(column, other) => than(column, other).is_some_and(std::cmp::Ordering::is_ge),
            Self::Present(column) => *value(column) != Value::Missing,
            Self::Absent(column) => *value(column) == Value::Missing,
            Self::Flag(column, wanted) => *value(column) == Value::Flag(*wanted),
            Self::Part(part, column, from, to) => {
                part.of(value(column)).is_some_and(|part| (*from..=*to).contains(&part))
            }
        }
    }

    /// The column that it is about.
    pub fn column(&self) -> &'static str {
        match self {
            Self::Is(column, _)
            | Self::Among(column, _)
            | Self::Below(column, _)
            | Self::From(column, _)
            | Self::Present(column)
            | Self::Absent(column)
            | Self::Flag(column, _)
            | Self::Part(_, column, _, _) => column,
        }
    }

    /// Whether it is counted within a cell and chooses nothing.
    pub fn is_sensitive(&self, table: &Table) -> bool {
        matches!(table.column(self.column()).role, Role::Flag | Role::Category)
    }
}

impl Key {
    fn sql(&self, table: &Table) -> String {
        match self {
            Self::Column(column) => (*column).to_owned(),
            Self::Bin(column) => format!("bin({column})"),
            Self::Trunc(Period::Day, column) if !is_day(table, column) => format!("CAST({column} AS DATE)"),
            Self::Trunc(period, column) => format!("date_trunc('{}', {column})", period.name()),
            Self::Part(part, column) => part.sql(column),
            Self::Either(condition, yes, no) => format!("CASE WHEN {} THEN '{yes}' ELSE '{no}' END", condition.sql()),
        }
    }

    /// A row's, as the gateway tells it.
    pub fn of(&self, table: &Table, row: &[Value]) -> Value {
        let value = |column: &str| &row[table.place(column)];
        match self {
            Self::Column(column) => value(column).clone(),
            Self::Bin(column) => {
                let (Role::Cuts(points) | Role::Measure { points, .. }) = &table.column(column).role else {
                    return Value::Missing;
                };
                let Some(number) = value(column).number() else { return Value::Missing };
                Value::Whole(points.iter().filter(|point| number >= **point as f64).count() as i64)
            }
            Self::Trunc(Period::Day, column) => match value(column) {
                Value::Moment(second) => Value::Day(second.div_euclid(DAY)),
                other => other.clone(),
            },
            Self::Trunc(period, column) => match value(column) {
                Value::Moment(second) => Value::Moment(match period {
                    Period::Hour => second - second.rem_euclid(3_600),
                    other => other.start(second.div_euclid(DAY)) * DAY,
                }),
                Value::Day(of) => Value::Day(period.start(*of)),
                _ => Value::Missing,
            },
            Self::Part(part, column) => part.of(value(column)).map_or(Value::Missing, Value::Whole),
            Self::Either(condition, yes, no) => Value::Text(if condition.holds(table, row) { yes } else { no }),
        }
    }
}

impl Period {
    fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
        }
    }

    /// The day that its period begins on.
    fn start(self, of: i64) -> i64 {
        let (year, month, _) = civil(of);
        match self {
            Self::Hour | Self::Day => of,
            // The first of 1970 was a Thursday.
            Self::Week => of - (of + 3).rem_euclid(7),
            Self::Month => day(year, month, 1),
            Self::Quarter => day(year, (month - 1) / 3 * 3 + 1, 1),
        }
    }
}

impl Part {
    fn sql(self, column: &str) -> String {
        let name = match self {
            Self::Hour => "hour",
            Self::Weekday => "isodow",
            Self::Month => "month",
        };
        format!("date_part('{name}', {column})")
    }

    fn of(self, value: &Value) -> Option<i64> {
        let (of, second) = match value {
            Value::Day(of) => (*of, 0),
            Value::Moment(second) => (second.div_euclid(DAY), second.rem_euclid(DAY)),
            _ => return None,
        };
        Some(match self {
            Self::Hour => second / 3_600,
            Self::Weekday => (of + 3).rem_euclid(7) + 1,
            Self::Month => civil(of).1,
        })
    }
}

fn is_day(table: &Table, column: &str) -> bool {
    matches!(table.column(column).role, Role::Calendar { period, .. } if period != "hour")
}

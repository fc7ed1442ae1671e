//! Tables as their stewards declared them: what their columns hold, whom their rows are about, what is hidden.

use octroi_proto::wire::v1 as wire;

use crate::expression::Literal;

/// The tables that a plan may scan, in the order of the question.
#[derive(Debug, Clone, Default)]
pub struct Schemas(Vec<Table>);

/// A declared table.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    subjects: Vec<usize>,
}

/// A declared column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Type,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// Whether no question may name it.
    pub hidden: bool,
    /// The values it can take, where that is public; else empty.
    pub domain: Vec<Literal>,
}

/// What an expression's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// True or false.
    Boolean,
    /// Whole numbers of at most so many digits.
    Integer(Digits),
    /// IEEE 754, 64 bits.
    Float,
    /// UTF-8.
    String,
    /// Days.
    Date,
    /// UTC, microseconds.
    Timestamp,
}

/// Most decimal digits of a whole number: what keeps arithmetic from wrapping is known before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digits(u8);

/// Why a declaration is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A column's type is none of those known.
    #[error("a column's type is not known here: update the zone's image")]
    Type,
    /// A domain holds a value that its column cannot take, or its column's type can have none.
    #[error("a declared domain does not fit its column")]
    Domain,
    /// A subject is no column of the table.
    #[error("a subject is not a column of its table")]
    Subject,
    /// Neither subjects nor the word that there are none, or both.
    #[error("a table must name its subjects or be declared public, and not both")]
    Nobody,
    /// Two columns of one name, or a table without columns.
    #[error("a table's columns have the same name, or there are none")]
    Columns,
}

impl Schemas {
    /// These tables.
    pub fn new(tables: Vec<Table>) -> Self {
        Self(tables)
    }

    /// The table at a place.
    pub fn table(&self, index: usize) -> Option<&Table> {
        self.0.get(index)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Table> {
        self.0.iter()
    }
}

impl Table {
    /// A table as it is declared on the wire.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn parse(declared: &wire::TableSchema) -> Result<Self, SchemaError> {
        let columns = declared.columns.iter().map(Column::parse).collect::<Result<Vec<_>, _>>()?;
        let place = |name: &String| columns.iter().position(|column| &column.name == name).ok_or(SchemaError::Subject);
        let subjects = declared.subjects.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        if subjects.is_empty() != declared.public {
            return Err(SchemaError::Nobody);
        }
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() || names.len() != columns.len() {
            return Err(SchemaError::Columns);
        }
        Ok(Self { name: declared.name.clone(), columns, subjects })
    }

    /// Its name, without the dataset's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its columns, in the declared order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Places of the columns that say whom a row is about; none when the table was declared public.
    pub fn subjects(&self) -> &[usize] {
        &self.subjects
    }
}

impl Column {
    fn parse(declared: &wire::Column) -> Result<Self, SchemaError> {
        let holds = match wire::ColumnType::try_from(declared.r#type) {
            Ok(wire::ColumnType::Boolean) => Type::Boolean,
            Ok(wire::ColumnType::Integer) => Type::Integer(Digits::STORED),
            Ok(wire::ColumnType::Float) => Type::Float,
            Ok(wire::ColumnType::String) => Type::String,
            Ok(wire::ColumnType::Date) => Type::Date,
            Ok(wire::ColumnType::Timestamp) => Type::Timestamp,
            Ok(wire::ColumnType::Unspecified) | Err(_) => return Err(SchemaError::Type),
        };
        let domain = declared.domain.iter().map(|value| in_domain(value, holds)).collect::<Result<_, _>>()?;
        Ok(Self { name: declared.name.clone(), holds, nullable: declared.nullable, hidden: declared.hidden, domain })
    }
}

impl Digits {
    /// Of a stored integer: 64 bits.
    pub const STORED: Self = Self(19);
    /// Of an integer of 32 bits.
    pub const OF_32_BITS: Self = Self(10);
    /// The widest there are: decimals of 256 bits.
    pub const MOST: Self = Self(76);
    /// What a sum may add: no more than ten thousand million rows are ever summed.
    const OF_ROWS: u8 = 10;

    /// So many digits.
    pub fn new(digits: u8) -> Option<Self> {
        (1..=Self::MOST.0).contains(&digits).then_some(Self(digits))
    }

    /// Those of a value.
    pub fn of(value: i64) -> Self {
        Self(value.unsigned_abs().checked_ilog10().map_or(1, |log| u8::try_from(log + 1).unwrap_or(Self::STORED.0)))
    }

    /// How many.
    pub fn count(self) -> u8 {
        self.0
    }

    /// Of a sum or difference of two; `None` if that would be too wide.
    pub fn added(self, other: Self) -> Option<Self> {
        Self::computed(self.0.max(other.0) + 1)
    }

    /// Of a product.
    pub fn multiplied(self, other: Self) -> Option<Self> {
        Self::computed(self.0.saturating_add(other.0))
    }

    /// Of the number with its sign turned or dropped: the least integer has no counterpart in 64 bits.
    pub fn negated(self) -> Option<Self> {
        if self < Self::STORED { Some(self) } else { Self::computed(self.0 + 1) }
    }

    /// Of a sum over rows.
    pub fn summed(self) -> Option<Self> {
        Self::computed(self.0 + Self::OF_ROWS)
    }

    /// Of what is computed: 19 digits may be too many for 64 bits, so that only stored integers have as many.
    fn computed(digits: u8) -> Option<Self> {
        Self::new(if digits == Self::STORED.0 { digits + 1 } else { digits })
    }
}

fn in_domain(value: &str, holds: Type) -> Result<Literal, SchemaError> {
    match holds {
        Type::String => Ok(Literal::String(value.to_owned())),
        Type::Integer(_) => value.parse().map(Literal::Integer).map_err(|_| SchemaError::Domain),
        Type::Boolean | Type::Float | Type::Date | Type::Timestamp => Err(SchemaError::Domain),
    }
}

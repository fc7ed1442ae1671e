//! Tables of sensitive datasets: what a steward declares of them. What lies in the object store is in [`stored`].

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::{
    DatasetId, Violations,
    dataset::{listed, required},
    id::line,
    violation::Check,
    wire::v1,
};

pub mod stored;
pub mod written;

/// Text that names no table or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1-63 of a-z, 0-9 and `_`, beginning with a letter")]
pub struct InvalidName;

fn name(text: &str) -> Result<String, InvalidName> {
    let letter = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if letter && plain && text.len() <= 63 { Ok(text.to_owned()) } else { Err(InvalidName) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(String);

            impl $name {
                /// The name as text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl FromStr for $name {
                type Err = InvalidName;
                fn from_str(text: &str) -> Result<Self, InvalidName> {
                    name(text).map(Self)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )+
    };
}

names! {
    /// Names a table within its dataset.
    TableName,
    /// Names a column within its table.
    ColumnName,
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// 64 bits, signed.
    Integer,
    /// IEEE 754, 64 bits.
    Float,
    /// UTF-8.
    String,
    /// Days of the proleptic Gregorian calendar.
    Date,
    /// UTC, microseconds.
    Timestamp,
}

listed!(ColumnType, ColumnType, "`boolean`, `integer`, `float`, `string`, `date`, `timestamp`", {
    Boolean = "boolean",
    Integer = "integer",
    Float = "float",
    String = "string",
    Date = "date",
    Timestamp = "timestamp",
});

/// Where a question may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// A virtual machine and nothing less.
    #[default]
    Vm,
    /// A process sandbox will do.
    Process,
}

listed!(Isolation, Isolation, "`vm`, `process`", { Vm = "vm", Process = "process" });

/// What rows are loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableFormat {
    /// RFC 4180 with a header of column names; an empty field is a missing value.
    Csv,
    /// One flat object a line.
    JsonLines,
    /// Parquet.
    Parquet,
}

listed!(TableFormat, TableFormat, "`csv`, `jsonl`, `parquet`", {
    Csv = "csv",
    JsonLines = "jsonl",
    Parquet = "parquet",
});

/// The values that a column can take, where that is public; in the order declared, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domain {
    /// Of a column of strings.
    Strings(Vec<String>),
    /// Of a column of integers.
    Integers(Vec<i64>),
}

impl Domain {
    fn parse(kind: ColumnType, texts: Vec<String>) -> Result<Option<Self>, String> {
        if texts.is_empty() {
            return Ok(None);
        }
        if texts.len() > MOST_VALUES {
            return Err(format!("must be at most {MOST_VALUES} values"));
        }
        if texts.iter().collect::<BTreeSet<_>>().len() != texts.len() {
            return Err("has a value twice".to_owned());
        }
        match kind {
            ColumnType::String => {
                let plain = |text: &String| line(text, MOST_VALUE_CHARACTERS).is_ok_and(|kept| kept == *text);
                if texts.iter().all(plain) {
                    Ok(Some(Self::Strings(texts)))
                } else {
                    let most = MOST_VALUE_CHARACTERS;
                    Err(format!("must be values of 1-{most} characters, without space at their ends"))
                }
            }
            ColumnType::Integer => {
                // As it prints, so that no value has two forms.
                let number = |text: &String| text.parse::<i64>().ok().filter(|number| number.to_string() == *text);
                let numbers: Option<Vec<_>> = texts.iter().map(number).collect();
                numbers.map(Self::Integers).map(Some).ok_or_else(|| "must be integers, as `-12`".to_owned())
            }
            ColumnType::Boolean | ColumnType::Float | ColumnType::Date | ColumnType::Timestamp => {
                Err("goes with columns of strings or integers alone: leave it out".to_owned())
            }
        }
    }

    fn to_wire(&self) -> Vec<String> {
        match self {
            Self::Strings(texts) => texts.clone(),
            Self::Integers(numbers) => numbers.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A column, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: ColumnName,
    /// What its values are.
    pub kind: ColumnType,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// Not to be named in any question.
    pub hidden: bool,
    /// The values it can take, where that is public.
    pub domain: Option<Domain>,
}

/// A table, as declared. Made from the wire alone, so its subjects are columns of it that every row has, and it has none
/// only where that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    name: TableName,
    columns: Vec<Column>,
    subjects: Vec<ColumnName>,
}

impl TableSchema {
    /// Its name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// Its columns, in the order declared; no two of one name.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One column.
    pub fn column(&self, name: &ColumnName) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == *name)
    }

    /// The columns that say whom a row is about: strings or integers, in every row, not hidden. None of a public table.
    pub fn subjects(&self) -> &[ColumnName] {
        &self.subjects
    }

    /// Whether its rows were declared to be about nobody.
    pub fn is_public(&self) -> bool {
        self.subjects.is_empty()
    }

    /// The same with every column shown: what cannot change of a table that has rows.
    #[must_use]
    pub fn with_all_shown(mut self) -> Self {
        self.columns.iter_mut().for_each(|column| column.hidden = false);
        self
    }

    /// What is shown to those from whom hidden columns are hidden.
    #[must_use]
    pub fn without_hidden(mut self) -> Self {
        self.columns.retain(|column| !column.hidden);
        self
    }
}

/// The tables of a dataset, as its steward declared them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSchema {
    /// The dataset.
    pub dataset: DatasetId,
    /// 1 at the first declaration, one more at each.
    pub revision: u64,
    /// Where a question may run.
    pub isolation: Isolation,
    tables: Vec<TableSchema>,
}

impl DatasetSchema {
    /// The tables, in the order declared; no two of one name.
    pub fn tables(&self) -> &[TableSchema] {
        &self.tables
    }

    /// One table.
    pub fn table(&self, name: &TableName) -> Option<&TableSchema> {
        self.tables.iter().find(|table| table.name == *name)
    }

    /// The same tables under another revision.
    #[must_use]
    pub fn revised(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    /// What is shown to those from whom hidden columns are hidden.
    #[must_use]
    pub fn without_hidden(self) -> Self {
        Self { tables: self.tables.into_iter().map(TableSchema::without_hidden).collect(), ..self }
    }
}

impl From<&Column> for v1::Column {
    fn from(it: &Column) -> Self {
        Self {
            name: it.name.to_string(),
            r#type: it.kind.to_wire().into(),
            nullable: it.nullable,
            hidden: it.hidden,
            domain: it.domain.as_ref().map(Domain::to_wire).unwrap_or_default(),
        }
    }
}

impl From<&TableSchema> for v1::TableSchema {
    fn from(it: &TableSchema) -> Self {
        Self {
            name: it.name.to_string(),
            columns: it.columns.iter().map(Into::into).collect(),
            subjects: it.subjects.iter().map(ToString::to_string).collect(),
            public: it.is_public(),
        }
    }
}

impl From<&DatasetSchema> for v1::DatasetSchema {
    fn from(it: &DatasetSchema) -> Self {
        Self {
            dataset: it.dataset.to_string(),
            revision: it.revision,
            tables: it.tables.iter().map(Into::into).collect(),
            isolation: it.isolation.to_wire().into(),
        }
    }
}

impl TryFrom<v1::TableSchema> for TableSchema {
    type Error = Violations;

    fn try_from(wire: v1::TableSchema) -> Result<Self, Violations> {
        let mut check = Check::default();
        let parsed = table(&mut check, "", wire);
        check.finish(parsed)
    }
}

impl TryFrom<v1::DatasetSchema> for DatasetSchema {
    type Error = Violations;

    fn try_from(wire: v1::DatasetSchema) -> Result<Self, Violations> {
        let mut check = Check::default();
        let dataset = check.field("dataset", wire.dataset.parse());
        let isolation = check.field("isolation", Isolation::from_wire(wire.isolation)).map(Option::unwrap_or_default);
        if !(1..=MOST_TABLES).contains(&wire.tables.len()) {
            check.refuse("tables", format!("must be 1-{MOST_TABLES} tables"));
            return check.finish(None);
        }
        let columns: usize = wire.tables.iter().map(|table| table.columns.len()).sum();
        if columns > MOST_COLUMNS_IN_ALL {
            check.refuse("tables", format!("must have at most {MOST_COLUMNS_IN_ALL} columns in all"));
            return check.finish(None);
        }
        distinct(&mut check, "tables", wire.tables.iter().map(|table| table.name.as_str()));
        let tables: Option<Vec<_>> = (0..)
            .zip(wire.tables)
            .map(|(index, it)| table(&mut check, &place("tables", index, &it.name), it))
            // All of them, so that every violation is found.
            .collect::<Vec<_>>()
            .into_iter()
            .collect();
        let parsed =
            (|| Some(Self { dataset: dataset?, revision: wire.revision, isolation: isolation?, tables: tables? }))();
        check.finish(parsed)
    }
}

fn table(check: &mut Check, at: &str, wire: v1::TableSchema) -> Option<TableSchema> {
    let within = |field: &str| if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
    let name = check.field(within("name"), wire.name.parse());
    if !(1..=MOST_COLUMNS).contains(&wire.columns.len()) {
        check.refuse(within("columns"), format!("must be 1-{MOST_COLUMNS} columns"));
        return None;
    }
    distinct(check, &within("columns"), wire.columns.iter().map(|column| column.name.as_str()));
    let columns: Vec<_> = (0..)
        .zip(wire.columns)
        .map(|(index, it)| column(check, &place(&within("columns"), index, &it.name), it))
        .collect();
    let columns: Vec<Column> = columns.into_iter().collect::<Option<_>>()?;
    let subjects = check.field(within("subjects"), subjects(&wire.subjects, wire.public, &columns));
    Some(TableSchema { name: name?, columns, subjects: subjects? })
}

fn column(check: &mut Check, at: &str, wire: v1::Column) -> Option<Column> {
    let name = check.field(format!("{at}.name"), wire.name.parse());
    let kind = check.field(format!("{at}.type"), required(ColumnType::from_wire(wire.r#type)))?;
    let domain = check.field(format!("{at}.domain"), Domain::parse(kind, wire.domain));
    Some(Column { name: name?, kind, nullable: wire.nullable, hidden: wire.hidden, domain: domain? })
}

/// Whom a row is about must be said in every row, and its key must be had to count whom an answer is about. That it is
/// about nobody must be said, too: what was forgotten protects no one.
fn subjects(names: &[String], public: bool, columns: &[Column]) -> Result<Vec<ColumnName>, String> {
    match (names.is_empty(), public) {
        (true, false) => {
            return Err("must name whom a row is about: where that is nobody, write `public = true`".to_owned());
        }
        (false, true) => return Err("must not be there if `public = true`: such rows are about nobody".to_owned()),
        (true, true) | (false, false) => {}
    }
    if names.len() > MOST_SUBJECTS {
        return Err(format!("must be at most {MOST_SUBJECTS} columns"));
    }
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        return Err("has a column twice".to_owned());
    }
    let subject = |name: &String| {
        let column = columns.iter().find(|column| column.name.as_str() == name);
        let column = column.ok_or("must be columns of the table")?;
        match column.kind {
            ColumnType::Integer | ColumnType::String => {}
            ColumnType::Boolean | ColumnType::Float | ColumnType::Date | ColumnType::Timestamp => {
                return Err("must be columns of strings or integers");
            }
        }
        match (column.nullable, column.hidden) {
            (true, _) => Err("must not be `nullable`: every row says whom it is about"),
            (false, true) => Err("must not be `hidden`: whom an answer is about must be counted"),
            (false, false) => Ok(column.name.clone()),
        }
    };
    names.iter().map(|name| subject(name).map_err(str::to_owned)).collect()
}

fn distinct<'a>(check: &mut Check, at: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    if !names.into_iter().all(|name| seen.insert(name)) {
        check.refuse(at, "must have different names");
    }
}

/// Where it is in the input: by its name if that is one, else by its number from 0.
pub(crate) fn place(list: &str, index: usize, text: &str) -> String {
    match name(text) {
        Ok(name) => format!("{list}[{name}]"),
        Err(InvalidName) => format!("{list}[{index}]"),
    }
}

/// Tables of a dataset.
pub const MOST_TABLES: usize = 50;
/// Columns of a table.
pub const MOST_COLUMNS: usize = 500;
/// Columns of all tables of a dataset: a schema must fit into one entry of the evidence and one frame to a zone.
pub const MOST_COLUMNS_IN_ALL: usize = 2_000;
/// Subject columns of a table.
pub const MOST_SUBJECTS: usize = 4;
/// Values of a domain.
pub const MOST_VALUES: usize = 1_000;
const MOST_VALUE_CHARACTERS: usize = 200;

#[cfg(test)]
mod tests;

//! What a table's files look like: names, types, and how each part is encrypted.

use std::{collections::HashSet, sync::Arc};

use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use octroi_attest::{FileId, FileKeys};
use octroi_proto::wire::v1;
use parquet::{
    basic::{Compression, ZstdLevel},
    encryption::{
        decrypt::FileDecryptionProperties,
        encrypt::{EncryptionPropertiesBuilder, FileEncryptionProperties},
    },
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties},
};

/// A table's declared columns, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    table: String,
    columns: Vec<Column>,
    subjects: Vec<usize>,
}

/// One declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As declared.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// The only values it may take, where they are declared.
    pub domain: Option<Domain>,
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// 64 bits, signed.
    Integer,
    /// IEEE 754, 64 bits, finite.
    Float,
    /// UTF-8.
    Text,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// A declared set of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domain {
    /// Of an integer column.
    Integers(HashSet<i64>),
    /// Of a text column.
    Texts(HashSet<String>),
}

/// Why a declaration cannot be used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// There is no column, or more than 500.
    #[error("a table has 1 to 500 columns")]
    Columns,
    /// A name is empty, doubled, or not of the allowed letters.
    #[error("a table's or a column's name cannot be used")]
    Name,
    /// A type that this version does not know.
    #[error("a column's type is unknown")]
    Type,
    /// A domain of a column that is neither text nor integer, or a value that is not of its type.
    #[error("a column's domain is not of its type")]
    Domain,
    /// A subject that is no column.
    #[error("a subject is no column")]
    Subject,
}

impl Schema {
    /// Parses a declaration.
    ///
    /// # Errors
    /// [`SchemaError`] for anything this version cannot hold to.
    pub fn parse(wire: &v1::TableSchema) -> Result<Self, SchemaError> {
        if !(1..=MOST_COLUMNS).contains(&wire.columns.len()) {
            return Err(SchemaError::Columns);
        }
        let columns = wire.columns.iter().map(Column::parse).collect::<Result<Vec<_>, _>>()?;
        let names: HashSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        if names.len() != columns.len() || !is_name(&wire.name) {
            return Err(SchemaError::Name);
        }
        let position = |subject: &String| columns.iter().position(|column| column.name == *subject);
        let subjects = wire.subjects.iter().map(position).collect::<Option<Vec<_>>>().ok_or(SchemaError::Subject)?;
        Ok(Self { table: wire.name.clone(), columns, subjects })
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Its columns, in the order declared, which is the order in its files.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Which columns say whom a row is about.
    pub fn subjects(&self) -> &[usize] {
        &self.subjects
    }

    /// Where a column is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The Arrow form in which rows are written.
    pub fn stored(&self) -> SchemaRef {
        self.arrow(Kind::stored)
    }

    /// The Arrow form in which the engine sees rows.
    pub fn asked(&self) -> SchemaRef {
        self.arrow(Kind::asked)
    }

    fn arrow(&self, form: impl Fn(Kind) -> DataType) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, form(column.kind), column.nullable);
        Arc::new(arrow::datatypes::Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }
}

impl Column {
    fn parse(wire: &v1::Column) -> Result<Self, SchemaError> {
        if !is_name(&wire.name) {
            return Err(SchemaError::Name);
        }
        let kind = Kind::parse(wire.r#type())?;
        Ok(Self {
            name: wire.name.clone(),
            kind,
            nullable: wire.nullable,
            domain: if wire.domain.is_empty() { None } else { Some(Domain::parse(kind, &wire.domain)?) },
        })
    }
}

impl Kind {
    fn parse(wire: v1::ColumnType) -> Result<Self, SchemaError> {
        match wire {
            v1::ColumnType::Unspecified => Err(SchemaError::Type),
            v1::ColumnType::Boolean => Ok(Self::Boolean),
            v1::ColumnType::Integer => Ok(Self::Integer),
            v1::ColumnType::Float => Ok(Self::Float),
            v1::ColumnType::String => Ok(Self::Text),
            v1::ColumnType::Date => Ok(Self::Date),
            v1::ColumnType::Timestamp => Ok(Self::Timestamp),
        }
    }

    /// The Arrow type in which it is written.
    pub fn stored(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// The Arrow type in which the engine sees it: text as views, which grouping and comparing are quicker on.
    pub fn asked(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Boolean | Self::Integer | Self::Float | Self::Date | Self::Timestamp => self.stored(),
        }
    }
}

impl Domain {
    fn parse(kind: Kind, values: &[String]) -> Result<Self, SchemaError> {
        match kind {
            Kind::Text => Ok(Self::Texts(values.iter().cloned().collect())),
            Kind::Integer => {
                let numbers = values.iter().map(|value| value.parse()).collect::<Result<_, _>>();
                numbers.map(Self::Integers).map_err(|_| SchemaError::Domain)
            }
            Kind::Boolean | Kind::Float | Kind::Date | Kind::Timestamp => Err(SchemaError::Domain),
        }
    }
}

/// What ties a file to its place: part of the associated data of all that is encrypted in it.
pub fn aad_prefix(dataset: &str, table: &str, file: FileId) -> String {
    format!("{dataset}/{table}/{file}")
}

/// How a file is written. `keys` are to be of exactly the schema's columns.
///
/// No page index: with one, a file would not open unless every column's key is there. No bloom filters: they would be
/// written in clear. Statistics of a column chunk lie under its column's key.
pub(super) fn writer_properties(keys: &FileKeys, prefix: &str) -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_created_by("octroi".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(COMPRESSION_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_bloom_filter_enabled(false)
        .set_max_row_group_row_count(None)
        .with_file_encryption_properties(encryption(keys, prefix)?)
        .build())
}

/// How a file is read: with these keys, at this place, and with no others.
pub(super) fn decryption(keys: &FileKeys, prefix: &str) -> Result<Arc<FileDecryptionProperties>, ParquetError> {
    let mut builder =
        FileDecryptionProperties::builder(keys.footer.expose().to_vec()).with_aad_prefix(prefix.as_bytes().to_vec());
    for (column, key) in &keys.columns {
        builder = builder.with_column_key(column, key.expose().to_vec());
    }
    builder.build()
}

fn encryption(keys: &FileKeys, prefix: &str) -> Result<Arc<FileEncryptionProperties>, ParquetError> {
    let mut builder = EncryptionPropertiesBuilder::new(keys.footer.expose().to_vec())
        .with_footer_key_metadata(key_metadata(keys.file_id, None))
        .with_aad_prefix(prefix.as_bytes().to_vec())
        .with_aad_prefix_storage(true);
    for (column, key) in &keys.columns {
        let metadata = key_metadata(keys.file_id, Some(column));
        builder = builder.with_column_key_and_metadata(column, key.expose().to_vec(), metadata);
    }
    builder.build()
}

/// Key material in the form that parquet-java and Arrow C++ read (`PKMT1`). It holds no key: it names the file and
/// the column, by which a reader's own key service finds the key.
fn key_metadata(file: FileId, column: Option<&str>) -> Vec<u8> {
    let wrapped = column.map_or_else(|| "footer".to_owned(), |column| format!("column:{column}"));
    let mut material = serde_json::json!({
        "keyMaterialType": "PKMT1",
        "internalStorage": true,
        "isFooterKey": column.is_none(),
        "masterKeyID": file.to_string(),
        "doubleWrapping": false,
        "wrappedDEK": wrapped,
    });
    if let (None, Some(material)) = (column, material.as_object_mut()) {
        material.insert("kmsInstanceID".to_owned(), "octroi".into());
        material.insert("kmsInstanceURL".to_owned(), "octroi".into());
    }
    material.to_string().into_bytes()
}

fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

const MOST_COLUMNS: usize = 500;
const COMPRESSION_LEVEL: i32 = 1;

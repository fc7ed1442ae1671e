//! Tables as they lie in the object store: encrypted Parquet files, pinned by what the register says of them.

use std::fmt;

use super::TableName;
use crate::{DatasetId, Instant, Violations, object::digest, time, violation::Check, wire::v1};

/// Identifies one encrypted file of a table, for good: 16 random bytes, in hexadecimal where it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId([u8; 16]);

/// Bytes that are not a file's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 16 bytes")]
pub struct InvalidFileId;

impl FileId {
    /// The id made of these random bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What every part of the file is bound to by its associated data, and what a reader must supply.
    pub fn aad_prefix(&self, dataset: &DatasetId, table: &TableName) -> String {
        format!("{dataset}/{table}/{self}")
    }

    /// Where the file lies in the object store.
    pub fn path(&self, dataset: &DatasetId) -> String {
        format!("tables/{dataset}/{self}.parquet")
    }
}

impl TryFrom<&[u8]> for FileId {
    type Error = InvalidFileId;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidFileId> {
        bytes.try_into().map(Self).map_err(|_| InvalidFileId)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One encrypted file of a table, pinned: another, older or shortened file in its place is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTableFile {
    /// Its identity.
    pub id: FileId,
    /// Its bytes.
    pub length: u64,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// SHA-256 of its last `footer_length` bytes.
    pub footer_sha256: [u8; 32],
    /// Bytes of encrypted footer, its length and the magic number.
    pub footer_length: u64,
    /// Rows in it.
    pub rows: u64,
}

/// A table as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVersion {
    /// The dataset.
    pub dataset: DatasetId,
    /// The table.
    pub table: TableName,
    /// 1 after the first load, one more at each.
    pub version: u64,
    /// Its files, in the order of loading.
    pub files: Vec<StoredTableFile>,
    /// When it came to be.
    pub loaded: Instant,
}

impl TableVersion {
    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().fold(0, |rows, file| rows.saturating_add(file.rows))
    }
}

impl From<&StoredTableFile> for v1::StoredTableFile {
    fn from(it: &StoredTableFile) -> Self {
        Self {
            file_id: it.id.as_bytes().to_vec(),
            length: it.length,
            sha256: it.sha256.to_vec(),
            footer_sha256: it.footer_sha256.to_vec(),
            footer_length: it.footer_length,
            rows: it.rows,
        }
    }
}

impl TryFrom<v1::StoredTableFile> for StoredTableFile {
    type Error = Violations;

    fn try_from(wire: v1::StoredTableFile) -> Result<Self, Violations> {
        let mut check = Check::default();
        let id = check.field("file_id", FileId::try_from(wire.file_id.as_slice()));
        let sha256 = check.field("sha256", digest(&wire.sha256));
        let footer_sha256 = check.field("footer_sha256", digest(&wire.footer_sha256));
        // The footer's own length, the magic at both ends, and at least a byte between them.
        let footer_length = (LEAST_FOOTER..=wire.length.saturating_sub(MAGIC)).contains(&wire.footer_length);
        if !footer_length {
            check.refuse("footer_length", "must be within the file");
        }
        let parsed = (|| {
            Some(Self {
                id: id?,
                length: wire.length,
                sha256: sha256?,
                footer_sha256: footer_sha256?,
                footer_length: wire.footer_length,
                rows: wire.rows,
            })
        })();
        check.finish(parsed)
    }
}

impl From<&TableVersion> for v1::TableVersion {
    fn from(it: &TableVersion) -> Self {
        Self {
            dataset: it.dataset.to_string(),
            table: it.table.to_string(),
            version: it.version,
            files: it.files.iter().map(Into::into).collect(),
            loaded: Some(time::to_wire(it.loaded)),
        }
    }
}

impl TryFrom<v1::TableVersion> for TableVersion {
    type Error = Violations;

    fn try_from(wire: v1::TableVersion) -> Result<Self, Violations> {
        let mut check = Check::default();
        let dataset = check.field("dataset", wire.dataset.parse());
        let table = check.field("table", wire.table.parse());
        let loaded = check.field("loaded", time::parse(wire.loaded));
        let files = wire.files.into_iter().map(StoredTableFile::try_from).collect::<Result<Vec<_>, _>>();
        let files = check.field("files", files);
        if files.as_ref().is_some_and(|files| files.len() > MOST_FILES) {
            check.refuse("files", format!("must be at most {MOST_FILES}"));
        }
        let parsed = (|| {
            Some(Self { dataset: dataset?, table: table?, version: wire.version, files: files?, loaded: loaded? })
        })();
        check.finish(parsed)
    }
}

/// Files of a table: each adds keys and names to what a question carries.
pub const MOST_FILES: usize = 256;
/// `PARE`.
const MAGIC: u64 = 4;
/// Length and magic behind a footer of a byte.
const LEAST_FOOTER: u64 = 4 + MAGIC + 1;

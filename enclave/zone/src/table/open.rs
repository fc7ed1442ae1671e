//! What must hold before anything of a file is believed.

use std::{
    io,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use octroi_attest::{FileId, FileKeys};
use octroi_proto::wire::zone;
use parquet::{
    arrow::parquet_to_arrow_schema,
    errors::ParquetError,
    file::{
        column_crypto_metadata::ColumnCryptoMetaData,
        metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
    },
};

use super::{Disk, Schema, aad_prefix, layout, write::sha256};

/// A file whose footer is the pinned one, encrypted as it should be, with the keys of some of its columns.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    id: FileId,
    extent: Range<u64>,
    /// Holds the keys; parsed from the very bytes that were checked.
    metadata: Arc<ParquetMetaData>,
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The pins contradict themselves, or are of another place or file.
    #[error("the file's pins make no sense")]
    Pins,
    /// The disk does not hold that much, or cannot be read.
    #[error("the disk cannot be read")]
    Disk(#[source] io::Error),
    /// Swapped, older, truncated or damaged.
    #[error("the footer is not the one pinned")]
    Footer,
    /// In clear, or its footer is.
    #[error("the file's footer is not encrypted")]
    Plain,
    /// The keys are of another file, or a column's key is wrong; or the footer is damaged.
    #[error("the footer cannot be opened with these keys")]
    Keys,
    /// A column is in clear, or under the footer's key.
    #[error("a column is not encrypted under a key of its own")]
    ColumnKey,
    /// Columns, types or row counts are not those declared.
    #[error("the file is not of the declared table")]
    Schema,
    /// A column's pages lie outside the file.
    #[error("a column lies outside the file")]
    Extent,
}

impl OpenFile {
    /// Checks a file and opens its footer. Columns of `schema` that the file does not have were declared later; they
    /// have no value in it.
    pub(super) fn open(
        disk: &Disk,
        file: &zone::TableFile,
        dataset: &str,
        schema: &Schema,
        keys: &FileKeys,
    ) -> Result<Self, OpenError> {
        let pins = Pinned::parse(file, dataset, schema, keys)?;
        let footer = disk.read(pins.footer()).map_err(OpenError::Disk)?;
        if sha256(&footer) != pins.sha256 {
            return Err(OpenError::Footer);
        }
        has_encrypted_footer(&footer)?;
        let metadata = parse(&footer, pins.length(), keys, &file.aad_prefix)?;
        let opened = Self { id: pins.id, extent: pins.extent.clone(), metadata: Arc::new(metadata) };
        opened.is_of(schema, file.rows)?;
        opened.columns_are_encrypted(keys, pins.footer().start - pins.extent.start)?;
        Ok(opened)
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// Where on the disk it is.
    pub(super) fn extent(&self) -> &Range<u64> {
        &self.extent
    }

    pub(super) fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    fn is_of(&self, schema: &Schema, rows: u64) -> Result<(), OpenError> {
        let file = self.metadata.file_metadata();
        let stored = parquet_to_arrow_schema(file.schema_descr(), None).map_err(|_| OpenError::Schema)?;
        let declared = |name: &str| schema.columns().iter().find(|column| column.name == name);
        let as_declared = stored.fields().iter().all(|field| {
            declared(field.name()).is_some_and(|column| {
                column.kind.stored() == *field.data_type() && column.nullable == field.is_nullable()
            })
        });
        let lacks_none =
            schema.columns().iter().all(|column| column.nullable || stored.column_with_name(&column.name).is_some());
        let counted: i128 = self.metadata.row_groups().iter().map(|group| i128::from(group.num_rows())).sum();
        let rows = i128::from(rows);
        if !as_declared || !lacks_none || counted != rows || i128::from(file.num_rows()) != rows {
            return Err(OpenError::Schema);
        }
        Ok(())
    }

    fn columns_are_encrypted(&self, keys: &FileKeys, pages_end: u64) -> Result<(), OpenError> {
        let descriptor = self.metadata.file_metadata().schema_descr();
        for group in self.metadata.row_groups() {
            if group.num_rows() < 0 || group.num_columns() != descriptor.num_columns() {
                return Err(OpenError::Schema);
            }
            for (chunk, column) in group.columns().iter().zip(descriptor.columns()) {
                let Some(ColumnCryptoMetaData::ENCRYPTION_WITH_COLUMN_KEY(encryption)) = chunk.crypto_metadata() else {
                    return Err(OpenError::ColumnKey);
                };
                if encryption.path_in_schema != [column.name()] {
                    return Err(OpenError::ColumnKey);
                }
                // Of a column without key nothing is known.
                if keys.columns.contains_key(column.name()) && !lies_within(chunk, pages_end) {
                    return Err(OpenError::Extent);
                }
            }
        }
        Ok(())
    }
}

/// A `TableFile`, parsed.
struct Pinned {
    id: FileId,
    extent: Range<u64>,
    sha256: [u8; 32],
    footer_length: u64,
}

impl Pinned {
    fn parse(file: &zone::TableFile, dataset: &str, schema: &Schema, keys: &FileKeys) -> Result<Self, OpenError> {
        let id = FileId::try_from(file.file_id.as_slice()).map_err(|_| OpenError::Pins)?;
        let end = file.disk_offset.checked_add(file.length).ok_or(OpenError::Pins)?;
        let sensible = id == keys.file_id
            && file.aad_prefix == aad_prefix(dataset, schema.table(), id)
            && (LEAST_FOOTER..=MOST_FOOTER).contains(&file.footer_length)
            && file.footer_length <= file.length;
        if !sensible {
            return Err(OpenError::Pins);
        }
        let sha256 = file.footer_sha256.as_slice().try_into().map_err(|_| OpenError::Pins)?;
        Ok(Self { id, extent: file.disk_offset..end, sha256, footer_length: file.footer_length })
    }

    fn length(&self) -> u64 {
        self.extent.end - self.extent.start
    }

    fn footer(&self) -> Range<u64> {
        self.extent.end - self.footer_length..self.extent.end
    }
}

/// The last eight bytes: how long what precedes them is, and the magic of an encrypted footer.
fn has_encrypted_footer(footer: &[u8]) -> Result<(), OpenError> {
    let (rest, magic) = footer.split_last_chunk::<4>().ok_or(OpenError::Plain)?;
    let (rest, length) = rest.split_last_chunk::<4>().ok_or(OpenError::Plain)?;
    if magic != ENCRYPTED_FOOTER {
        return Err(OpenError::Plain);
    }
    if u32::from_le_bytes(*length) as usize != rest.len() {
        return Err(OpenError::Footer);
    }
    Ok(())
}

fn parse(footer: &Bytes, length: u64, keys: &FileKeys, prefix: &str) -> Result<ParquetMetaData, OpenError> {
    let read = || -> Result<ParquetMetaData, ParquetError> {
        let properties = layout::decryption(keys, prefix)?;
        let mut reader = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_decryption_properties(Some(properties));
        reader.try_parse_sized(footer, length)?;
        reader.finish()
    };
    // The crate slices by lengths that it reads.
    catch_unwind(AssertUnwindSafe(read)).ok().and_then(Result::ok).ok_or(OpenError::Keys)
}

fn lies_within(chunk: &ColumnChunkMetaData, pages_end: u64) -> bool {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    let (Ok(start), Some(Ok(end))) = (u64::try_from(start), end.map(u64::try_from)) else {
        return false;
    };
    ENCRYPTED_FOOTER.len() as u64 <= start && start <= end && end <= pages_end
}

const ENCRYPTED_FOOTER: &[u8; 4] = b"PARE";
const LEAST_FOOTER: u64 = 12;
const MOST_FOOTER: u64 = 64 << 20;

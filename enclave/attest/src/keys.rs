//! The keys of encrypted Parquet files: what is sealed to a launch, and how it is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use octroi_proto::wire::zone as wire;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{FileId, HistoryKey};

/// An AES-256 key; erased when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; 32]>);

/// An age file key; erased when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AgeFileKey(Zeroizing<[u8; 16]>);

/// Columns of one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileColumns {
    /// The file.
    pub file_id: FileId,
    /// Paths of its leaf columns.
    pub columns: BTreeSet<String>,
}

/// Keys of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKeys {
    /// The file.
    pub file_id: FileId,
    /// The footer's key.
    pub footer: Key,
    /// By leaf column.
    pub columns: BTreeMap<String, Key>,
}

/// All that one piece of work is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenKeys {
    /// In the order of the request.
    pub files: Vec<FileKeys>,
    /// For a load: what opens the steward's input.
    pub ingest_file_key: Option<AgeFileKey>,
    /// For a question: of the tables of its rules that are about subjects, sorted by table.
    pub histories: Vec<HistoryKey>,
}

/// A message that names no columns or holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the files must have ids of 16 bytes, names sorted and without doubles, and keys of 32 bytes")]
pub struct Malformed;

impl Key {
    /// Draws a key from the kernel's generator.
    ///
    /// # Errors
    /// [`getrandom::Error`] when the kernel gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// The bytes, for the cipher that uses them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AgeFileKey {
    /// The bytes, for the cipher that uses them.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FileColumns {
    /// The columns of one file, from the wire.
    ///
    /// # Errors
    /// [`Malformed`] also when they are not sorted or one is there twice: an encoding is unique.
    pub fn parse(wire: &wire::FileColumns) -> Result<Self, Malformed> {
        let file_id = wire.file_id.as_slice().try_into().map_err(|_| Malformed)?;
        if !wire.columns.is_sorted_by(|one, next| one < next) {
            return Err(Malformed);
        }
        Ok(Self { file_id, columns: wire.columns.iter().cloned().collect() })
    }

    /// As it is written on the wire.
    pub fn to_wire(&self) -> wire::FileColumns {
        wire::FileColumns { file_id: self.file_id.as_bytes().to_vec(), columns: self.columns.iter().cloned().collect() }
    }
}

impl FileKeys {
    /// What they are the keys of.
    pub fn names(&self) -> FileColumns {
        FileColumns { file_id: self.file_id, columns: self.columns.keys().cloned().collect() }
    }
}

impl OpenKeys {
    /// What they are the keys of, in order.
    pub fn names(&self) -> impl Iterator<Item = FileColumns> {
        self.files.iter().map(FileKeys::names)
    }

    /// What opens the history of this table (`dataset/table`).
    pub fn history(&self, table: &str) -> Option<&HistoryKey> {
        self.histories.iter().find(|history| history.table == table)
    }

    /// Whether these are the keys of these columns, all of them and no others. Which histories go with them follows from
    /// the rules that they are sealed for.
    pub fn are_of(&self, files: &[FileColumns]) -> bool {
        self.names().eq(files.iter().cloned())
    }

    /// As the plaintext of an envelope.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let column = |(column, key): (&String, &Key)| wire::ColumnKey { column: column.clone(), key: key.0.to_vec() };
        let file = |file: &FileKeys| wire::FileKeys {
            file_id: file.file_id.as_bytes().to_vec(),
            footer_key: file.footer.0.to_vec(),
            columns: file.columns.iter().map(column).collect(),
        };
        let ingest_file_key = self.ingest_file_key.as_ref().map(|key| key.0.to_vec()).unwrap_or_default();
        let wire = wire::OpenKeys {
            files: self.files.iter().map(file).collect(),
            ingest_file_key,
            histories: self.histories.iter().map(HistoryKey::to_wire).collect(),
        };
        // Of its full length from the start, so that it is never moved.
        Zeroizing::new(prost::Message::encode_to_vec(&*Erased(wire)))
    }

    /// From the plaintext of an envelope.
    pub(crate) fn decode(plaintext: &[u8]) -> Result<Self, Malformed> {
        let wire = Erased(prost::Message::decode(plaintext).map_err(|_| Malformed)?);
        let file = |file: &wire::FileKeys| {
            let mut columns = BTreeMap::new();
            for column in &file.columns {
                if columns.insert(column.column.clone(), column.key.as_slice().try_into()?).is_some() {
                    return Err(Malformed);
                }
            }
            let file_id = file.file_id.as_slice().try_into().map_err(|_| Malformed)?;
            Ok(FileKeys { file_id, footer: file.footer_key.as_slice().try_into()?, columns })
        };
        let ingest_file_key = match wire.ingest_file_key.as_slice() {
            [] => None,
            bytes => Some(bytes.try_into()?),
        };
        if !wire.histories.is_sorted_by(|one, next| one.table < next.table) {
            return Err(Malformed);
        }
        Ok(Self {
            files: wire.files.iter().map(file).collect::<Result<_, _>>()?,
            ingest_file_key,
            histories: wire.histories.iter().map(HistoryKey::parse).collect::<Result<_, _>>()?,
        })
    }
}

/// A message whose keys are erased when it is dropped.
struct Erased(wire::OpenKeys);

impl std::ops::Deref for Erased {
    type Target = wire::OpenKeys;
    fn deref(&self) -> &wire::OpenKeys {
        &self.0
    }
}

impl Drop for Erased {
    fn drop(&mut self) {
        for file in &mut self.0.files {
            file.footer_key.zeroize();
            file.columns.iter_mut().for_each(|column| column.key.zeroize());
        }
        self.0.histories.iter_mut().for_each(|history| history.key.zeroize());
        self.0.ingest_file_key.zeroize();
    }
}

macro_rules! secret {
    ($name:ident, $length:literal) => {
        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(Zeroizing::new(bytes))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = Malformed;
            fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
                bytes.try_into().map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| Malformed)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret!(Key, 32);
secret!(AgeFileKey, 16);

//! Keys of tables: made for a load, given to a question, and either way sealed to one approved launch.
//!
//! ```text
//! NewTableKeys --create--> new keys of a file, and the age file key of what is loaded --+
//! ColumnKeys   --seal----> keys of columns that are not hidden -------------------------+--> SealedKeys, once per launch
//! ```
//!
//! Trusts: the caller, `octroi serve`, for who may ask and for which dataset; the reference values for the rest. Does
//! not give: that a question is fit to be answered, nor which of a dataset's files belong together.

use age_core::format::Stanza;
use octroi_attest::{FileColumns, FileId, OpenKeys, WorkId, envelope::SealError, frame};
use octroi_proto::{
    DatasetId, Instant, time,
    wire::{
        keys as wire,
        zone::{AgeStanza, SealedKeys, SignedLaunch},
    },
};
use prost::Message as _;

use super::{
    launches::{LaunchRefusal, Launches},
    store::{
        KeyError, KeyStore,
        table::{ColumnRefusal, TableKeys},
    },
};

/// What a load needs.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTableKeys {
    /// The dataset that is loaded into.
    pub dataset: DatasetId,
    /// The load.
    pub load: WorkId,
    /// Who may open the keys.
    pub launch: SignedLaunch,
    /// The file to be written.
    pub file: FileId,
    /// Every leaf column of the file, 1-500.
    pub columns: Vec<NewColumn>,
    /// Of the age file that is loaded, 1-8.
    pub stanzas: Vec<AgeStanza>,
    /// No key is used past this moment.
    pub expires: Instant,
    /// Whether a process sandbox may ever have these keys.
    pub process_allowed: bool,
}

/// A column of a file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    /// Path of the leaf column: 1-127 printable ASCII characters.
    pub name: String,
    /// Whether its key is never given again once the file is written.
    pub hidden: bool,
}

/// What a question needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnKeys {
    /// The question.
    pub query: WorkId,
    /// Who may open the keys.
    pub launch: SignedLaunch,
    /// Files by their dataset, at least one, and the columns of each.
    pub files: Vec<(DatasetId, FileColumns)>,
    /// No key is used past this moment.
    pub expires: Instant,
}

/// Why a zone is given no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZoneRefusal {
    /// Not to this launch.
    #[error(transparent)]
    Launch(#[from] LaunchRefusal),
    /// Not of this column.
    #[error(transparent)]
    Column(#[from] ColumnRefusal),
    /// The rows are sealed to somebody else.
    #[error("no stanza is for the dataset's ingest key")]
    Stanza,
    /// Nothing that long can be sent to a zone.
    #[error("the keys asked for are too many for one message: ask for fewer columns or files")]
    TooLong,
    /// The store has none, has some already, or failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// They could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Makes the keys of a file to be written, and seals them with what opens the steward's rows.
pub(super) fn create(
    store: &KeyStore,
    launches: &Launches,
    request: NewTableKeys,
    now: Instant,
) -> Result<SealedKeys, ZoneRefusal> {
    let isolated = launches.admit(&request.launch, request.expires, now)?.isolated(request.process_allowed)?;
    let stanzas: Vec<_> = request.stanzas.into_iter().map(stanza).collect();
    let ingest_file_key = store.open_stanzas(&request.dataset, &stanzas)?.ok_or(ZoneRefusal::Stanza)?;
    let claimed = launches.claim(isolated, now)?;
    let keys = store.create_table_keys(&request.dataset, request.file, &request.columns, request.process_allowed)?;
    let keys = OpenKeys { files: vec![keys.for_writing()], ingest_file_key: Some(ingest_file_key) };
    sendable(claimed.seal(request.load, &keys)?)
}

/// Seals keys of columns that are not hidden.
pub(super) fn seal(
    store: &KeyStore,
    launches: &Launches,
    request: &ColumnKeys,
    now: Instant,
) -> Result<SealedKeys, ZoneRefusal> {
    let admitted = launches.admit(&request.launch, request.expires, now)?;
    let (mut files, mut process_allowed) = (Vec::with_capacity(request.files.len()), true);
    for (dataset, asked) in &request.files {
        let keys: TableKeys = store.open_table_keys(dataset, asked.file_id)?;
        files.push(keys.of(asked)?);
        process_allowed &= keys.process_allowed();
    }
    let claimed = launches.claim(admitted.isolated(process_allowed)?, now)?;
    sendable(claimed.seal(request.query, &OpenKeys { files, ingest_file_key: None })?)
}

fn sendable(sealed: SealedKeys) -> Result<SealedKeys, ZoneRefusal> {
    if sealed.encoded_len() + ENVELOPE <= frame::TO_ZONE { Ok(sealed) } else { Err(ZoneRefusal::TooLong) }
}

impl NewTableKeys {
    pub(super) fn parse(wire: wire::CreateTableKeysRequest) -> Option<Self> {
        let columns: Vec<_> = wire.columns.into_iter().map(NewColumn::parse).collect::<Option<_>>()?;
        let mut names: Vec<_> = columns.iter().map(|column| &column.name).collect();
        names.sort_unstable();
        let distinct = names.is_sorted_by(|one, next| one < next);
        let counted = (1..=MOST_COLUMNS).contains(&columns.len()) && (1..=MOST_STANZAS).contains(&wire.stanzas.len());
        (distinct && counted).then_some(())?;
        Some(Self {
            dataset: wire.dataset.parse().ok()?,
            load: wire.load_id.as_slice().try_into().ok()?,
            launch: wire.launch?,
            file: wire.file_id.as_slice().try_into().ok()?,
            columns,
            stanzas: wire.stanzas,
            expires: time::parse(wire.expires).ok()?,
            process_allowed: wire.process_allowed,
        })
    }

    pub(super) fn to_wire(&self) -> wire::CreateTableKeysRequest {
        let column = |column: &NewColumn| wire::NewColumn { name: column.name.clone(), hidden: column.hidden };
        wire::CreateTableKeysRequest {
            dataset: self.dataset.to_string(),
            load_id: self.load.as_bytes().to_vec(),
            launch: Some(self.launch.clone()),
            file_id: self.file.as_bytes().to_vec(),
            columns: self.columns.iter().map(column).collect(),
            stanzas: self.stanzas.clone(),
            expires: Some(time::to_wire(self.expires)),
            process_allowed: self.process_allowed,
        }
    }
}

impl NewColumn {
    fn parse(wire: wire::NewColumn) -> Option<Self> {
        let wire::NewColumn { name, hidden } = wire;
        let plain = (1..=MOST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then_some(Self { name, hidden })
    }
}

impl ColumnKeys {
    pub(super) fn parse(wire: wire::SealColumnKeysRequest) -> Option<Self> {
        let file = |wire: wire::FileOfDataset| {
            Some((wire.dataset.parse().ok()?, FileColumns::parse(wire.file.as_ref()?).ok()?))
        };
        (!wire.files.is_empty()).then_some(())?;
        Some(Self {
            query: wire.query_id.as_slice().try_into().ok()?,
            launch: wire.launch?,
            files: wire.files.into_iter().map(file).collect::<Option<_>>()?,
            expires: time::parse(wire.expires).ok()?,
        })
    }

    pub(super) fn to_wire(&self) -> wire::SealColumnKeysRequest {
        let file = |(dataset, columns): &(DatasetId, FileColumns)| wire::FileOfDataset {
            dataset: dataset.to_string(),
            file: Some(columns.to_wire()),
        };
        wire::SealColumnKeysRequest {
            query_id: self.query.as_bytes().to_vec(),
            launch: Some(self.launch.clone()),
            files: self.files.iter().map(file).collect(),
            expires: Some(time::to_wire(self.expires)),
        }
    }
}

fn stanza(wire: AgeStanza) -> Stanza {
    Stanza { tag: wire.tag, args: wire.arguments, body: wire.body }
}

const MOST_COLUMNS: usize = 500;
const MOST_NAME: usize = 127;
const MOST_STANZAS: usize = 8;
/// What a `ToZone` adds to what it carries, and to spare.
const ENVELOPE: usize = 64;

#[cfg(test)]
mod tests;

//! Keys of tables: made for a load, given to a question, and either way sealed to one approved launch.
//!
//! ```text
//! NewTableKeys --create--> new keys of a file, and the age file key of what is loaded --+
//! ColumnKeys   --seal----> keys of columns that are not hidden -------------------------+--> SealedKeys, once per launch
//! Release      --record--> the answer's key, once the history has the release
//! Hiding       --hide----> no keys of these columns any more
//! ```
//!
//! The keys of a file are kept with the table as it was declared to its load, and are sealed for the rules of a question:
//! a question about the table declared otherwise is given none, and a zone that was sent other rules cannot open them.
//! With them go the history keys of every table of the rules that is about subjects.
//!
//! Trusts: the caller, `octroi serve`, for who may ask, for which dataset, and for what a table is declared as when it is
//! loaded; the reference values for the rest. Does not give: that a question is fit to be answered, nor which of a
//! dataset's files belong together.

use age_core::format::Stanza;
use octroi_attest::{
    FileColumns, FileId, HistoryKey, Key, OpenKeys, RuledTable, Rules, WorkId,
    envelope::SealError,
    frame,
    history::{Commitment, Head},
};
use octroi_proto::{
    ColumnName, DatasetId, Instant, TableName,
    table::MOST_COLUMNS,
    time,
    wire::{
        keys as wire,
        zone::{AgeStanza, SealedKeys, SignedLaunch},
    },
};
use prost::Message as _;
use zeroize::Zeroize as _;

use super::{
    launches::{LaunchRefusal, Launches},
    store::{
        KeyError, KeyStore,
        history::{FactTable, RecordError},
        table::{ColumnRefusal, TableKeys},
    },
};

/// What a load needs.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTableKeys {
    /// What is loaded into, as it is declared.
    pub table: RuledTable,
    /// The load.
    pub load: WorkId,
    /// Who may open the keys.
    pub launch: SignedLaunch,
    /// The file to be written.
    pub file: FileId,
    /// Of the age file that is loaded, 1-8.
    pub stanzas: Vec<AgeStanza>,
    /// No key is used past this moment.
    pub expires: Instant,
    /// Whether a process sandbox may ever have these keys.
    pub process_allowed: bool,
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
    /// What the question is held to.
    pub rules: Rules,
}

/// Columns whose keys are to be given to no question any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hiding {
    /// The dataset.
    pub dataset: DatasetId,
    /// The table.
    pub table: TableName,
    /// 1-500.
    pub columns: Vec<ColumnName>,
}

/// A release to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Of whose rows.
    pub table: FactTable,
    /// As its zone sealed it.
    pub commitment: Vec<u8>,
}

/// A release that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// 1 for the first release of its table's rows.
    pub sequence: u64,
    /// The history's head with it.
    pub head: Head,
    /// What opens its answer.
    pub answer_key: Key,
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
    /// The question is about another table than was loaded.
    #[error("the rules do not declare a table as its load did, but for columns hidden since")]
    Rules,
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
    let table = &request.table;
    let ingest_file_key = store.open_stanzas(&table.dataset, &stanzas)?.ok_or(ZoneRefusal::Stanza)?;
    let claimed = launches.claim(isolated, now)?;
    let keys = store.create_table_keys(table, request.file, request.process_allowed)?;
    let files = vec![keys.for_writing()];
    let keys = OpenKeys { files, ingest_file_key: Some(ingest_file_key), histories: Vec::new() };
    sendable(claimed.seal(request.load, table.load_digest(), &keys)?)
}

/// Seals keys of columns that are not hidden, of tables that the rules declare as their loads did.
pub(super) fn seal(
    store: &KeyStore,
    launches: &Launches,
    request: &ColumnKeys,
    now: Instant,
) -> Result<SealedKeys, ZoneRefusal> {
    let admitted = launches.admit(&request.launch, request.expires, now)?;
    let ruled: Vec<_> = request.rules.tables().iter().map(|table| (table.declared_digest(), table)).collect();
    let (mut files, mut process_allowed) = (Vec::with_capacity(request.files.len()), true);
    for (dataset, asked) in &request.files {
        let keys: TableKeys = store.open_table_keys(dataset, asked.file_id)?;
        let declared = ruled.iter().find(|(digest, _)| *digest == keys.declared());
        let (_, table) = declared.filter(|(_, table)| keys.hides_no_more_than(table)).ok_or(ZoneRefusal::Rules)?;
        let found = keys.of(asked)?;
        if store.hides_any(table, &asked.columns)? {
            return Err(ColumnRefusal::Hidden.into());
        }
        files.push(found);
        process_allowed &= keys.process_allowed();
    }
    let histories = histories(store, &request.rules)?;
    let claimed = launches.claim(admitted.isolated(process_allowed)?, now)?;
    let keys = OpenKeys { files, ingest_file_key: None, histories };
    sendable(claimed.seal(request.query, request.rules.digest(), &keys)?)
}

/// What opens the histories of those tables that are about subjects, sorted by table.
fn histories(store: &KeyStore, rules: &Rules) -> Result<Vec<HistoryKey>, KeyError> {
    let about = rules.tables().iter().filter(|table| !table.schema.subjects().is_empty());
    let facts = about.map(|table| FactTable { dataset: table.dataset.clone(), table: table.name().clone() });
    let mut keys = facts.map(|table| store.history_key(&table)).collect::<Result<Vec<_>, _>>()?;
    keys.sort_unstable_by(|one, other| one.table.cmp(&other.table));
    Ok(keys)
}

/// Records a release, if it follows the last one of its table's rows.
pub(super) fn record(store: &KeyStore, request: &Release) -> Result<Committed, RecordError> {
    let Commitment { sequence, head, answer_key, again } = store.record_release(&request.table, &request.commitment)?;
    if !again {
        tracing::info!(table = %request.table, sequence, "keys: a release was recorded");
    }
    Ok(Committed { sequence, head, answer_key })
}

/// Sees to it that these columns' keys are given to no question any more.
pub(super) fn hide(store: &KeyStore, request: &Hiding) -> Result<(), KeyError> {
    request.columns.iter().try_for_each(|column| store.hide(&request.dataset, &request.table, column))
}

fn sendable(sealed: SealedKeys) -> Result<SealedKeys, ZoneRefusal> {
    if sealed.encoded_len() + ENVELOPE <= frame::TO_ZONE { Ok(sealed) } else { Err(ZoneRefusal::TooLong) }
}

impl NewTableKeys {
    pub(super) fn parse(wire: wire::CreateTableKeysRequest) -> Option<Self> {
        (1..=MOST_STANZAS).contains(&wire.stanzas.len()).then_some(())?;
        Some(Self {
            table: RuledTable::parse(&wire.dataset, wire.schema).ok()?,
            load: wire.load_id.as_slice().try_into().ok()?,
            launch: wire.launch?,
            file: wire.file_id.as_slice().try_into().ok()?,
            stanzas: wire.stanzas,
            expires: time::parse(wire.expires).ok()?,
            process_allowed: wire.process_allowed,
        })
    }

    pub(super) fn to_wire(&self) -> wire::CreateTableKeysRequest {
        wire::CreateTableKeysRequest {
            dataset: self.table.dataset.to_string(),
            load_id: self.load.as_bytes().to_vec(),
            launch: Some(self.launch.clone()),
            file_id: self.file.as_bytes().to_vec(),
            schema: Some((&self.table.schema).into()),
            stanzas: self.stanzas.clone(),
            expires: Some(time::to_wire(self.expires)),
            process_allowed: self.process_allowed,
        }
    }
}

impl Hiding {
    pub(super) fn parse(wire: &wire::HideColumnsRequest) -> Option<Self> {
        (1..=MOST_COLUMNS).contains(&wire.columns.len()).then_some(())?;
        Some(Self {
            dataset: wire.dataset.parse().ok()?,
            table: wire.table.parse().ok()?,
            columns: wire.columns.iter().map(|column| column.parse().ok()).collect::<Option<_>>()?,
        })
    }

    pub(super) fn to_wire(&self) -> wire::HideColumnsRequest {
        wire::HideColumnsRequest {
            dataset: self.dataset.to_string(),
            table: self.table.to_string(),
            columns: self.columns.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Release {
    pub(super) fn parse(wire: wire::CommitReleaseRequest) -> Option<Self> {
        Some(Self { table: wire.table.parse().ok()?, commitment: wire.commitment })
    }

    pub(super) fn to_wire(&self) -> wire::CommitReleaseRequest {
        wire::CommitReleaseRequest { table: self.table.to_string(), commitment: self.commitment.clone() }
    }
}

impl Committed {
    /// Takes the key out of its message and erases the message. What tonic buffered of it is not ours to erase.
    pub(super) fn parse(mut wire: wire::CommitReleaseResponse) -> Option<Self> {
        let answer_key = Key::try_from(wire.answer_key.as_slice());
        wire.answer_key.zeroize();
        let head = wire.history_sha256.as_slice().try_into().ok()?;
        Some(Self { sequence: wire.sequence, head, answer_key: answer_key.ok()? })
    }

    pub(super) fn to_wire(&self) -> wire::CommitReleaseResponse {
        wire::CommitReleaseResponse {
            answer_key: self.answer_key.expose().to_vec(),
            sequence: self.sequence,
            history_sha256: self.head.to_vec(),
        }
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
            rules: Rules::parse(wire.rules?).ok()?,
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
            rules: Some(self.rules.to_wire()),
        }
    }
}

fn stanza(wire: AgeStanza) -> Stanza {
    Stanza { tag: wire.tag, args: wire.arguments, body: wire.body }
}

const MOST_STANZAS: usize = 8;
/// What a `ToZone` adds to what it carries, and to spare.
const ENVELOPE: usize = 64;

#[cfg(test)]
mod tests;

//! Speaks with a guest as serve and the key process do together.

use std::time::{Duration, SystemTime};

use octroi_attest::{
    FileColumns, FileId, FileKeys, HistoryKey, Key, OpenKeys, Rules, WorkId,
    envelope::{Binding, seal},
    frame,
    history::{NO_RELEASE, open_answer},
};
use octroi_host::{Facts, RunningVm};
use octroi_proto::{
    Instant,
    wire::{
        v1::AnswerTable,
        zone::{
            KeyRequest, Limits, Question, SealedKeys, SealedRelease, ToHost, ToZone, answer::Answer,
            to_host::Message as FromZone, to_zone::Message as Word,
        },
    },
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Outcome;

/// A question on what another is about.
pub(super) fn question(facts: &Facts, sql: &str, about: &Question) -> Question {
    Question {
        query_id: WORK.to_vec(),
        launch_id: facts.id.as_bytes().to_vec(),
        sql: sql.to_owned(),
        limits: Some(Limits {
            memory_bytes: 256 << 20,
            scratch_bytes: 0,
            result_rows: 10_000,
            result_bytes: 4 << 20,
            wall_milliseconds: 300_000,
        }),
        ..about.clone()
    }
}

/// Says something to the guest.
pub(super) async fn say(vm: &mut RunningVm, word: Word) -> Outcome<()> {
    let bytes = frame::encode(&ToZone { message: Some(word) }, frame::TO_ZONE)?;
    Ok(vm.channel().write_all(&bytes).await?)
}

/// What the guest says next.
pub(super) async fn hear(vm: &mut RunningVm) -> Outcome<FromZone> {
    let length = usize::try_from(vm.channel().read_u32_le().await?)?;
    if length > frame::TO_HOST {
        return Err("the guest says too much".into());
    }
    let mut bytes = vec![0; length];
    vm.channel().read_exact(&mut bytes).await?;
    let said: ToHost = frame::decode(&bytes)?;
    said.message.ok_or_else(|| "the guest says nothing".into())
}

/// The rows of what must be an answer.
pub(super) async fn answered(vm: &mut RunningVm) -> Outcome<usize> {
    match hear(vm).await? {
        FromZone::Answer(answer) => match answer.answer {
            Some(Answer::Table(table)) => Ok(table.rows.len()),
            Some(Answer::Release(release)) => Ok(opened(&release)?.rows.len()),
            None => Err("the guest answers nothing".into()),
        },
        FromZone::Withheld(withheld) => Err(format!("the guest withholds its answer: {}", withheld.cause).into()),
        FromZone::Rejected(rejected) => Err(format!("the guest rejects the question: {}", rejected.text).into()),
        FromZone::Warm(_)
        | FromZone::Ready(_)
        | FromZone::KeyRequest(_)
        | FromZone::LoadKeyRequest(_)
        | FromZone::Loaded(_)
        | FromZone::Checked(_) => Err("the guest does not answer".into()),
    }
}

/// The keys asked for, sealed to the launch.
pub(super) fn sealed(facts: &Facts, about: &Question, request: &KeyRequest) -> Outcome<SealedKeys> {
    let files = request.files.iter().map(FileColumns::parse).collect::<Result<Vec<_>, _>>()?;
    let rules = Rules::parse(about.rules.clone().unwrap_or_default())?;
    let keys = files.iter().map(keys_of).collect();
    let keys = OpenKeys { files: keys, ingest_file_key: None, histories: histories(&rules) };
    let expires = Instant::try_from(now() + Duration::from_secs(300))?;
    let rules = rules.digest();
    let binding = Binding { work: WorkId::from(WORK), launch: facts.id, files, expires, rules };
    Ok(seal(&facts.public_key, &binding, &keys)?)
}

/// Of every table about somebody, before its first release.
fn histories(rules: &Rules) -> Vec<HistoryKey> {
    let about = rules.tables().iter().filter(|table| !table.schema.subjects().is_empty());
    let mut keys: Vec<_> = about.map(|table| history(&format!("{}/{}", table.dataset, table.name()))).collect();
    keys.sort_unstable_by(|one, other| one.table.cmp(&other.table));
    keys
}

fn history(table: &str) -> HistoryKey {
    HistoryKey { table: table.to_owned(), key: Key::from([254; 32]), sequence: 0, head: NO_RELEASE }
}

/// The answer of a first release.
fn opened(release: &SealedRelease) -> Outcome<AnswerTable> {
    let committed = history(&release.table).commit(&release.commitment)?;
    Ok(frame::decode(&open_answer(&committed.answer_key, &release.answer)?)?)
}

/// As the guest of benchmarks made them.
fn keys_of(file: &FileColumns) -> FileKeys {
    let numbered = COLUMNS.into_iter().zip(1_u8..).filter(|(column, _)| file.columns.contains(*column));
    let columns = numbered.map(|(column, byte)| (column.to_owned(), Key::from([byte; 32]))).collect();
    FileKeys { file_id: FileId::from(*file.file_id.as_bytes()), footer: Key::from([255; 32]), columns }
}

#[expect(clippy::disallowed_methods, reason = "keys expire")]
fn now() -> SystemTime {
    SystemTime::now()
}

const WORK: [u8; 16] = [3; 16];
const COLUMNS: [&str; 4] = ["household", "hour", "district", "watt_hours"];

//! Answers the questions of whoever measures, one after the other: the first word says how, the rest is SQL.

use std::{fs::File, io, sync::Arc, thread::available_parallelism};

use datafusion::{
    catalog::TableProvider,
    prelude::{SessionConfig, SessionContext},
};
use octroi_attest::frame;
use octroi_proto::wire::{
    v1::{AnswerRow, AnswerTable},
    zone::{
        Answer, Question, Ready, TableFile, ToHost, ToZone, Withheld, answer::Answer as Answered, to_host::Message,
        to_zone,
    },
};
use octroi_zone::{
    disks::Disks,
    engine::Disks as _,
    table::{Disk, EncryptedTable, Schema},
};
use tokio::runtime::Builder;

use super::{DATASET, Outcome, declared, keys, plain::PlainTable};

/// Says that it is there, before anything of an engine was touched; then answers until the channel ends.
pub(super) fn serve(mut channel: File) -> io::Result<()> {
    // Nothing is sealed to it: it is nobody's.
    say(&mut channel, Message::Ready(Ready { public_key: vec![9; 32] }))?;
    let disks = Disks::of_vm();
    loop {
        let said: Option<ToZone> = frame::read(&mut channel, frame::TO_ZONE).map_err(io::Error::other)?;
        let Some(to_zone::Message::Question(question)) = said.and_then(|said| said.message) else { return Ok(()) };
        let disk = Disk::file(disks.data()?);
        say(
            &mut channel,
            answer(&question, &disk).unwrap_or_else(|error| Message::Withheld(Withheld { cause: error.to_string() })),
        )?;
    }
}

/// As many rows as there are, with nothing in them: enough to see that the work was done.
fn answer(question: &Question, disk: &Disk) -> Outcome<Message> {
    let (how, sql) = question.sql.split_once(' ').unwrap_or((&question.sql, ""));
    let file = question.tables.first().and_then(|table| table.files.first()).ok_or("no file is named")?;
    let schema = Schema::parse(&declared())?;
    let rows = match how {
        "read" => read(disk, file)?,
        "encrypted" => {
            let table = EncryptedTable::open(disk, DATASET, &schema, std::slice::from_ref(file), &[keys()])?;
            ask(Arc::new(table), sql)?
        }
        "plain" => {
            let extent = file.disk_offset..file.disk_offset + file.length;
            ask(Arc::new(PlainTable::open(disk, extent, schema.asked())?), sql)?
        }
        other => return Err(format!("`{other}` is not `read`, `encrypted` or `plain`").into()),
    };
    let table = AnswerTable { rows: vec![AnswerRow::default(); rows], ..AnswerTable::default() };
    Ok(Message::Answer(Answer { answer: Some(Answered::Table(table)) }))
}

/// Reads the file from end to end, in pieces as the engine's readers join them; how many.
fn read(disk: &Disk, file: &TableFile) -> Outcome<usize> {
    let mut pieces = 0;
    let end = file.disk_offset + file.length;
    let mut from = file.disk_offset;
    while from < end {
        let to = end.min(from + PIECE);
        // Looked at, or there would be nothing to show for it.
        if disk.read(from..to)?.iter().step_by(4_096).all(|byte| *byte == 0) {
            return Err("the disk is empty".into());
        }
        (from, pieces) = (to, pieces + 1);
    }
    Ok(pieces)
}

/// The same engine for either table, as the zone's engine sets it up.
fn ask(table: Arc<dyn TableProvider>, sql: &str) -> Outcome<usize> {
    let threads = available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(8)
        .thread_stack_size(8 << 20)
        .enable_time()
        .build()?;
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(threads));
    context.register_table("readings", table)?;
    let sql = sql.to_owned();
    let batches = runtime
        .block_on(async move { tokio::spawn(async move { context.sql(&sql).await?.collect().await }).await })??;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

fn say(channel: &mut File, message: Message) -> io::Result<()> {
    frame::write(channel, &ToHost { message: Some(message) }, frame::TO_HOST).map_err(io::Error::other)
}

/// Bytes.
const PIECE: u64 = 4 << 20;

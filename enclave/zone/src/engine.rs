//! One piece of work, from `Ready` to its end.
//!
//! ```text
//! Ready -> Question -> planning (SQL, declared schemas) -> lower -> judge_by ─┬─> Rejected       nothing was read
//!                                                                             ├─> Checked        only to be judged
//!                                                                             └─> KeyRequest -> SealedKeys
//!       -> raise -> execute (encrypted tables) -> counted cells -> Control -> steps over them ─┬─> Answer
//!                                                                                              └─> Withheld   one word
//!       -> Load -> crate::load ─> Loaded | Withheld
//! ```
//!
//! Trusts the kernel's generator and clock, the declared schemas, and that the keys it is given are those it asked for,
//! which its envelope proves. Trusts neither the disks nor the SQL. The planner and the query engine are DataFusion's: it
//! may propose any plan, but only what `octroi_release` understood and allowed is built again and run. Does not give: a
//! second piece of work, or any word about data beside the answer.

mod answer;
mod calendar;
mod checked;
mod contributions;
mod counted;
mod different;
mod earlier;
mod execute;
mod functions;
mod known;
mod lower;
mod noisy;
mod place;
mod planning;
mod question;
mod raise;
mod refusal;
mod rehearse;
mod released;
mod remainders;
mod sides;
mod syntax;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{Arc, mpsc},
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};

use datafusion::{catalog::TableProvider, execution::TempFileFactory};
use octroi_attest::{
    FileColumns, HistoryKey, OpenKeys, Recipient, RuledTable,
    envelope::Expected,
    frame::{self, FrameError},
    history::HistoryError,
};
use octroi_proto::wire::{
    v1::AnswerTable,
    zone::{self as wire, answer::Answer as Answered, to_host, to_zone},
};
use octroi_release::{
    Ruling, Table,
    history::{MOST_ANSWER, Release},
    judge::roles::widened,
    judge_by,
    noise::NoisyFigures,
    space::BinSet,
};
use prost::Message as _;
use ring::digest::{SHA256, digest};

use self::{
    earlier::{Earlier, OpenTables, load_number},
    execute::{Executor, Run},
    noisy::Noisy,
    question::Question,
    refusal::{Cause, Refusal, Refused},
};
use crate::{
    load,
    table::{Disk, EncryptedTable},
};

/// The disks of a zone, opened when the work has arrived.
pub trait Disks {
    /// The ciphertext to read.
    ///
    /// # Errors
    /// Those of opening it.
    fn data(&self) -> io::Result<File>;

    /// Where a load's ciphertext goes.
    ///
    /// # Errors
    /// Those of opening it.
    fn output(&self) -> io::Result<File>;

    /// Where to spill at most so many bytes, encrypted; `None` if there is nowhere.
    ///
    /// # Errors
    /// Those of opening it.
    fn scratch(&self, bytes: u64) -> io::Result<Option<Arc<dyn TempFileFactory>>>;
}

/// Does the zone's one piece of work over the channel.
pub fn run(channel: File, disks: &impl Disks) -> ExitCode {
    // A panic's text can hold a value, and standard error may lead somewhere.
    std::panic::set_hook(Box::new(|_| {}));
    match Waiting::start(channel).and_then(|waiting| waiting.work(disks)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Why the work came to no end that could be told.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("the engine could not start")]
    Start(#[source] io::Error),
    #[error("the kernel gave no random bytes")]
    Random(#[source] getrandom::Error),
    #[error(transparent)]
    Channel(#[from] FrameError),
    #[error("the host sent what does not belong here")]
    OutOfTurn,
}

/// Seeded and started; nothing was asked yet.
struct Waiting {
    channel: File,
    recipient: Recipient,
    executor: Executor,
}

/// A plan that may run, once its keys are there.
struct Planned {
    question: Question,
    ruling: Arc<Ruling>,
    /// The same beside all that its rows lead to, where that is more.
    wide: Option<Arc<Ruling>>,
    /// How it is answered with noise, if it can be.
    noisy: Option<Noisy>,
    /// The columns asked for.
    files: Vec<FileColumns>,
}

impl Waiting {
    fn start(mut channel: File) -> Result<Self, WorkError> {
        let threads = available_parallelism().map_or(1, usize::from);
        let executor = Executor::start(threads).map_err(WorkError::Start)?;
        rehearse::rehearse();
        let recipient = Recipient::generate().map_err(WorkError::Random)?;
        let ready = wire::Ready { public_key: recipient.public_key().to_vec() };
        send(&mut channel, to_host::Message::Ready(ready))?;
        Ok(Self { channel, recipient, executor })
    }

    fn work(mut self, disks: &impl Disks) -> Result<(), WorkError> {
        match receive(&mut self.channel)? {
            None => Ok(()),
            Some(to_zone::Message::Question(question)) => self.question(question, disks),
            Some(to_zone::Message::Load(load)) => self.load(&load, disks),
            Some(to_zone::Message::Seed(_) | to_zone::Message::Keys(_)) => Err(WorkError::OutOfTurn),
        }
    }

    fn question(mut self, question: wire::Question, disks: &impl Disks) -> Result<(), WorkError> {
        let arrived = Instant::now();
        let Ok(question) = Question::parse(question) else {
            return send(&mut self.channel, withheld(Cause::EngineFailed));
        };
        let deadline = arrived + question.limits.wall;
        let planned = match Planned::within(MOST_PLANNING, question) {
            Ok(planned) => planned,
            Err(refused) => return send(&mut self.channel, to_host::Message::Rejected(refused.to_wire())),
        };
        if planned.question.check {
            return send(&mut self.channel, to_host::Message::Checked(checked::checked(&planned)));
        }
        let files = planned.files.iter().map(FileColumns::to_wire).collect();
        send(&mut self.channel, to_host::Message::KeyRequest(wire::KeyRequest { files }))?;
        let sealed = match receive(&mut self.channel)? {
            Some(to_zone::Message::Keys(sealed)) => sealed,
            None => return Ok(()),
            Some(_) => return Err(WorkError::OutOfTurn),
        };
        let told = match planned.answer(self.recipient, &sealed, &self.executor, disks, deadline) {
            Ok(answer) => to_host::Message::Answer(answer),
            Err(cause) => withheld(cause),
        };
        let sent = send(&mut self.channel, told);
        self.executor.stop();
        sent
    }

    fn load(self, load: &wire::Load, disks: &impl Disks) -> Result<(), WorkError> {
        let Self { mut channel, recipient, executor: _ } = self;
        let (Ok(data), Ok(output)) = (disks.data(), disks.output()) else {
            return send(&mut channel, withheld(Cause::EngineFailed));
        };
        let keys = |request: wire::LoadKeyRequest| {
            send(&mut channel, to_host::Message::LoadKeyRequest(request)).ok()?;
            let Some(to_zone::Message::Keys(sealed)) = receive(&mut channel).ok()? else { return None };
            open_for_load(recipient, &sealed, load)
        };
        let told = match load::run(load, &Disk::file(data), output, keys) {
            Ok(loaded) => to_host::Message::Loaded(loaded),
            Err(_) => withheld(Cause::EngineFailed),
        };
        send(&mut channel, told)
    }
}

impl Planned {
    /// Plans and judges on a thread of its own. SQL can be written on which the parser takes forever; then its thread goes
    /// on until this process ends, which it soon does.
    fn within(most: Duration, question: Question) -> Result<Self, Refused> {
        let (done, planned) = mpsc::sync_channel(1);
        // Nobody waits any more if it cannot be sent.
        let plan = move || drop(done.send(Self::new(question)));
        let started = thread::Builder::new().stack_size(STACK).spawn(plan);
        let in_time = started.ok().and_then(|_| planned.recv_timeout(most).ok());
        in_time.unwrap_or_else(|| Err(Refusal::TooLong.into()))
    }

    /// Plans and judges. Nothing of data is here yet, so all that is wrong can be said.
    fn new(question: Question) -> Result<Self, Refused> {
        let judged = || -> Result<(Ruling, Option<Ruling>, Option<Noisy>), Refused> {
            let plan = lower::lower(&planning::plan(&question.sql, &question.tables)?)?;
            let ruling = judge_by(&plan, &question.schemas, &question.policies);
            let ruling = ruling.map_err(|objection| Refused::objected(objection, &question.sql))?;
            let noisy = if ruling.units().is_empty() {
                None
            } else {
                Noisy::of(NoisyFigures::of(&ruling, &question.policies), &ruling, question.noise)?
            };
            let wide = widened(&plan, &question.schemas, &question.policies);
            // What cannot be judged beside it is left out: then what it tells apart is not counted.
            let wide = wide.and_then(|wide| judge_by(&wide, &question.schemas, &question.policies).ok());
            Ok((ruling, wide, noisy))
        };
        // The planner is other people's code, and what it panics on is the question alone.
        let (ruling, wide, noisy) = catch_unwind(AssertUnwindSafe(judged)).unwrap_or_else(|_| {
            Err(Refusal::NotAllowed { construct: "a construct in it", instead: "ask it in a simpler form" }.into())
        })?;
        let wide = wide.filter(|_| !ruling.units().is_empty()).map(Arc::new);
        let ruling = Arc::new(ruling);
        let files = columns(wide.as_ref().unwrap_or(&ruling), &question);
        Ok(Self { ruling, wide, noisy, question, files })
    }

    fn answer(
        self,
        recipient: Recipient,
        sealed: &wire::SealedKeys,
        executor: &Executor,
        disks: &impl Disks,
        deadline: Instant,
    ) -> Result<wire::Answer, Cause> {
        let Question { query: work, launch, rules, .. } = self.question;
        let expected = Expected { work, launch, files: &self.files, rules };
        let now = now().ok_or(Cause::EngineFailed)?;
        let keys = recipient.open(sealed, &expected, now).map_err(|_| Cause::KeysRefused)?;
        let limits = self.question.limits;
        let disk = Disk::file(disks.data().map_err(|_| Cause::DamagedFile)?);
        let tables = Arc::new(Tables {
            disk,
            ruling: Arc::clone(self.wide.as_ref().unwrap_or(&self.ruling)),
            asked: self.question.tables.clone(),
            keys,
        });
        let history = earlier::key(&self.ruling, &tables.keys)?;
        let of_loads = Arc::clone(&tables);
        let open: OpenTables = Arc::new(move |loads| of_loads.open(Some(loads)));
        let earlier =
            history.map(|key| Earlier::open(&self.question, &tables.ruling, key, &tables.disk, open)).transpose()?;
        let wide = self.wide.filter(|wide| earlier.as_ref().is_some_and(|earlier| earlier.names(&self.ruling, wide)));
        if let (Some(key), Some(earlier)) = (history, &earlier)
            && let Some(before) = earlier.answered()
        {
            let table = AnswerTable::decode(before.answer.as_slice()).map_err(|_| Cause::HistoryDamaged)?;
            return released(key, earlier.release(Vec::new()), &table);
        }
        let run = Run {
            ground: wide.unwrap_or_else(|| Arc::clone(&self.ruling)),
            ruling: Arc::clone(&self.ruling),
            cells: self.question.cells,
            tables: tables.open(None)?,
            limits,
            earlier,
            information: self.question.information,
            noisy: self.noisy,
            scratch: disks.scratch(limits.scratch).map_err(|_| Cause::EngineFailed)?,
        };
        let mut outcome = executor.run(run, deadline)?;
        let table = answer::answer(&self.ruling, &outcome, &limits)?;
        match (history, outcome.release.take()) {
            (Some(key), Some(mut release)) => {
                if let Some(drawn) = outcome.noise {
                    let encoded = table.encode_to_vec();
                    // What cannot be given again is not given at all.
                    if encoded.len() > MOST_ANSWER {
                        return Err(Cause::TooManyRows);
                    }
                    release.noise = Some(drawn.reservation.recorded(encoded));
                }
                released(key, release, &table)
            }
            (None, None) => Ok(wire::Answer { answer: Some(Answered::Table(table)) }),
            (Some(_), None) | (None, Some(_)) => Err(Cause::EngineFailed),
        }
    }
}

/// The tables of a question, to be opened as often as they are read.
struct Tables {
    disk: Disk,
    ruling: Arc<Ruling>,
    asked: Vec<question::AskedTable>,
    keys: OpenKeys,
}

impl Tables {
    /// Opens the tables that the plan scans, in the order of the question; of the facts' files only those of these loads.
    fn open(&self, loads: Option<&BinSet>) -> Result<Vec<Option<Arc<dyn TableProvider>>>, Cause> {
        let scans = &self.ruling.plan().scans;
        let scanned: BTreeSet<usize> = scans.iter().map(|scan| scan.table).collect();
        let facts = scans.get(self.ruling.facts()).map(|scan| scan.table);
        let open = |(place, table): (usize, &question::AskedTable)| {
            if !scanned.contains(&place) {
                return Ok(None);
            }
            let read = |file: &&wire::TableFile| {
                facts != Some(place) || loads.is_none_or(|loads| loads.contains(load_number(&file.file_id)))
            };
            let files: Vec<wire::TableFile> = table.files.iter().filter(read).cloned().collect();
            // Damaged lengths make the Parquet crate panic.
            let open = || EncryptedTable::open(&self.disk, &table.dataset, &table.layout, &files, &self.keys.files);
            let opened = catch_unwind(AssertUnwindSafe(open)).map_err(|_| Cause::DamagedFile)?;
            Ok(Some(Arc::new(opened.map_err(|_| Cause::DamagedFile)?) as Arc<dyn TableProvider>))
        };
        self.asked.iter().enumerate().map(open).collect()
    }
}

/// The answer with its record, to leave when that is recorded.
fn released(key: &HistoryKey, release: Release, table: &AnswerTable) -> Result<wire::Answer, Cause> {
    let answer = table.encode_to_vec();
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, &answer).as_ref());
    let record = Release { answer: sum, ..release }.encode();
    let sealed = key.seal(&record, &answer).map_err(|error| match error {
        HistoryError::Full | HistoryError::TooLong => Cause::HistoryFull,
        HistoryError::Short | HistoryError::OtherHead | HistoryError::Sealed | HistoryError::Random => {
            Cause::EngineFailed
        }
    });
    Ok(wire::Answer { answer: Some(Answered::Release(sealed?)) })
}

/// The columns that a plan reads, of each file of each table that it scans.
fn columns(ruling: &Ruling, question: &Question) -> Vec<FileColumns> {
    let mut named: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (scan, table) in ruling.plan().scans.iter().enumerate() {
        let declared = ruling.table(scan).map(Table::columns).unwrap_or_default();
        let names = ruling.columns(scan).filter_map(|place| Some(declared.get(place)?.name.clone()));
        named.entry(table.table).or_default().extend(names);
    }
    let files = named.into_iter().filter_map(|(table, columns)| Some((question.tables.get(table)?, columns)));
    files
        .flat_map(|(table, columns)| table.files.iter().map(move |file| (file, columns.clone())))
        .filter_map(|(file, columns)| Some(FileColumns { file_id: file.file_id.as_slice().try_into().ok()?, columns }))
        .collect()
}

fn open_for_load(recipient: Recipient, sealed: &wire::SealedKeys, load: &wire::Load) -> Option<OpenKeys> {
    let table = RuledTable::parse(&load.dataset, load.schema.clone()).ok()?;
    let columns = table.schema.columns().iter().map(|column| column.name.to_string()).collect();
    let file = FileColumns { file_id: load.file_id.as_slice().try_into().ok()?, columns };
    let work = load.load_id.as_slice().try_into().ok()?;
    let launch = load.launch_id.as_slice().try_into().ok()?;
    let expected = Expected { work, launch, files: std::slice::from_ref(&file), rules: table.load_digest() };
    recipient.open(sealed, &expected, now()?).ok()
}

fn withheld(cause: Cause) -> to_host::Message {
    to_host::Message::Withheld(cause.to_wire())
}

fn send(channel: &mut File, message: to_host::Message) -> Result<(), WorkError> {
    Ok(frame::write(channel, &wire::ToHost { message: Some(message) }, frame::TO_HOST)?)
}

fn receive(channel: &mut File) -> Result<Option<to_zone::Message>, WorkError> {
    match frame::read::<wire::ToZone>(channel, frame::TO_ZONE)? {
        None => Ok(None),
        Some(wire::ToZone { message: Some(message) }) => Ok(Some(message)),
        Some(wire::ToZone { message: None }) => Err(WorkError::OutOfTurn),
    }
}

/// How long a question may be looked at before it is given up.
const MOST_PLANNING: Duration = Duration::from_secs(5);
/// Of the thread that plans. Bytes.
const STACK: usize = 32 * 1024 * 1024;

#[expect(clippy::disallowed_methods, reason = "the zone's one reading of the clock, which the host set")]
fn now() -> Option<octroi_proto::Instant> {
    octroi_proto::Instant::try_from(std::time::SystemTime::now()).ok()
}

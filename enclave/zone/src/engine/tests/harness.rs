//! A host for one zone at a time, and two encrypted tables: flights about aircraft, and weather about nobody.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, OnceLock},
    thread,
};

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::execution::TempFileFactory;
use octroi_attest::{FileColumns, FileKeys, HistoryKey, OpenKeys, Rules, envelope, frame, history};
use octroi_proto::wire::{
    v1,
    zone::{self as wire, answer, to_host, to_zone},
};

use prost::Message as _;

use crate::{
    engine::{Disks, Waiting, question::Question},
    table::{self, FIRST_OFFSET, Schema},
};

/// One flight.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) tail: String,
    pub(super) carrier: &'static str,
    pub(super) month: i64,
    pub(super) delay: Option<f64>,
    pub(super) distance: i64,
    pub(super) day: i32,
    pub(super) at: i64,
    pub(super) late: bool,
}

/// What a zone told.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Rejected { code: String, text: String, at: (u32, u32) },
    Answer { table: v1::AnswerTable, asked: Vec<String> },
    Withheld(String),
}

/// A question with what can be wrong with it and its disk.
pub(super) struct Asked {
    pub(super) sql: String,
    pub(super) least: u32,
    pub(super) limits: wire::Limits,
    /// Changes the disk before it is read.
    pub(super) damage: Option<u64>,
    /// Seals the keys of another launch.
    pub(super) other_launch: bool,
    /// Seals the keys for the question under other rules.
    pub(super) other_rules: Option<wire::Rules>,
    /// Who asks.
    pub(super) organisation: String,
    /// What the policy says of noise.
    pub(super) noise: v1::NoisePolicy,
}

/// What was released so far: of the flights, as a key process and a keeper of records have it.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) key: HistoryKey,
    pub(super) records: Vec<u8>,
}

impl Default for Past {
    fn default() -> Self {
        let key = HistoryKey { table: FLIGHTS.into(), key: [9; 32].into(), sequence: 0, head: history::NO_RELEASE };
        Self { key, records: Vec::new() }
    }
}

impl Past {
    /// Records a release, and opens its answer.
    fn commit(&mut self, release: &wire::SealedRelease) -> v1::AnswerTable {
        let committed = self.key.commit(&release.commitment).unwrap();
        assert_eq!((release.table.as_str(), release.sequence), (FLIGHTS, self.key.sequence + 1));
        self.records.extend(history::framed(&release.record).unwrap());
        (self.key.sequence, self.key.head) = (committed.sequence, committed.head);
        let answer = history::open_answer(&committed.answer_key, &release.answer).unwrap();
        v1::AnswerTable::decode(answer.as_slice()).unwrap()
    }
}

const FLIGHTS: &str = "nyc-flights/flights";
/// Where the history lies on the disk.
const PAST: u64 = 32 << 20;

impl Asked {
    pub(super) fn new(sql: &str) -> Self {
        let limits = wire::Limits {
            memory_bytes: 256 << 20,
            scratch_bytes: 0,
            result_rows: 1_000,
            result_bytes: 1 << 20,
            wall_milliseconds: 60_000,
        };
        Self {
            sql: sql.to_owned(),
            least: 11,
            limits,
            damage: None,
            other_launch: false,
            other_rules: None,
            organisation: "universite".to_owned(),
            noise: policy().noise.unwrap_or_default(),
        }
    }

    pub(super) fn tell(self) -> Told {
        self.tell_after(&mut Past::default())
    }

    /// After what was released before; what leaves is added.
    pub(super) fn tell_after(self, past: &mut Past) -> Told {
        let (ours, zones) = UnixStream::pair().unwrap();
        let disk = disk(self.damage, &past.records);
        let zone = thread::spawn(move || {
            let waiting = Waiting::start(File::from(OwnedFd::from(zones))).unwrap();
            waiting.work(&disk).unwrap();
        });
        let told = self.converse(&mut File::from(OwnedFd::from(ours)), past);
        zone.join().unwrap();
        told
    }

    pub(super) fn question(&self) -> wire::Question {
        let tables = tables();
        let ruled =
            |table: &Stored| wire::RuledTable { dataset: "nyc-flights".into(), schema: Some(table.schema.clone()) };
        let table = |table: &Stored| wire::Table { version: 1, files: vec![table.file.clone()] };
        wire::Question {
            query_id: vec![1; 16],
            launch_id: vec![2; 16],
            sql: self.sql.clone(),
            rules: Some(wire::Rules {
                tables: tables.iter().map(ruled).collect(),
                least_subjects: self.least,
                policies: vec![v1::ReleasePolicy { noise: Some(self.noise), ..policy() }],
            }),
            tables: tables.iter().map(table).collect(),
            limits: Some(self.limits),
            histories: Vec::new(),
            check: false,
            organisation: self.organisation.clone(),
        }
    }

    fn converse(&self, channel: &mut File, past: &mut Past) -> Told {
        let Some(to_host::Message::Ready(ready)) = receive(channel) else { panic!("no Ready") };
        let history = wire::ReleaseHistory {
            table: FLIGHTS.into(),
            disk_offset: FIRST_OFFSET + PAST,
            length: past.records.len() as u64,
        };
        let question = wire::Question { histories: vec![history], ..self.question() };
        send(channel, to_zone::Message::Question(question));
        let request = match receive(channel).unwrap() {
            to_host::Message::KeyRequest(request) => request,
            to_host::Message::Rejected(rejected) => {
                return Told::Rejected { code: rejected.code, text: rejected.text, at: (rejected.from, rejected.to) };
            }
            to_host::Message::Withheld(withheld) => return Told::Withheld(withheld.cause),
            other => panic!("{other:?}"),
        };
        let files: Vec<FileColumns> = request.files.iter().map(|file| FileColumns::parse(file).unwrap()).collect();
        let asked = request.files.iter().flat_map(|file| file.columns.clone()).collect();
        let launch = if self.other_launch { 3 } else { 2 };
        let rules = self.other_rules.clone().or_else(|| self.question().rules).unwrap();
        let binding = envelope::Binding {
            work: [1; 16].into(),
            launch: [launch; 16].into(),
            files: files.clone(),
            expires: crate::engine::now().unwrap() + std::time::Duration::from_secs(60),
            rules: Rules::parse(rules).unwrap().digest(),
        };
        let histories = vec![past.key.clone()];
        let keys = OpenKeys { files: files.iter().map(keys_of).collect(), histories, ..OpenKeys::default() };
        let sealed = envelope::seal(&ready.public_key.try_into().unwrap(), &binding, &keys).unwrap();
        send(channel, to_zone::Message::Keys(sealed));
        match receive(channel).unwrap() {
            to_host::Message::Answer(answer) => {
                let table = match answer.answer.unwrap() {
                    answer::Answer::Table(table) => table,
                    answer::Answer::Release(release) => past.commit(&release),
                };
                Told::Answer { table, asked }
            }
            to_host::Message::Withheld(withheld) => Told::Withheld(withheld.cause),
            other => panic!("{other:?}"),
        }
    }
}

/// The answer to a question that has one, as its columns' names and its rows' values as text.
pub(super) fn rows(sql: &str) -> Vec<Vec<String>> {
    match Asked::new(sql).tell() {
        Told::Answer { table, .. } => table.rows.iter().map(shown).collect(),
        other => panic!("{sql}: {other:?}"),
    }
}

pub(super) fn shown(row: &v1::AnswerRow) -> Vec<String> {
    use v1::answer_value::Value;
    let value = |value: &v1::AnswerValue| match &value.value {
        None => "-".to_owned(),
        Some(Value::Boolean(value)) => value.to_string(),
        Some(Value::Integer(value)) => value.to_string(),
        Some(Value::Float(value)) => format!("{value:.6}"),
        Some(Value::String(value)) => value.clone(),
    };
    row.values.iter().map(value).collect()
}

/// A question about one table without files, by the roles of its columns.
pub(super) fn question_of(schema: v1::TableSchema, roles: Vec<(&str, v1::column_policy::Role)>, sql: &str) -> Question {
    let columns = roles.into_iter().map(|(column, role)| v1::ColumnPolicy { column: column.into(), role: Some(role) });
    let unit = |column: &String| v1::Unit { column: column.clone(), space: "subjects".into() };
    let table = v1::TablePolicy {
        table: schema.name.clone(),
        units: schema.subjects.iter().map(unit).collect(),
        columns: columns.collect(),
        noise_rows: 0,
    };
    let policy = v1::ReleasePolicy { dataset: "alone".into(), tables: vec![table], ..v1::ReleasePolicy::default() };
    let policy = (&octroi_proto::ReleasePolicy::try_from(policy).unwrap()).into();
    let ruled = wire::RuledTable { dataset: "alone".into(), schema: Some(schema) };
    let asked = Asked::new(sql);
    let question = wire::Question {
        rules: Some(wire::Rules { tables: vec![ruled], policies: vec![policy], least_subjects: asked.least }),
        tables: vec![wire::Table { version: 1, files: Vec::new() }],
        ..asked.question()
    };
    Question::parse(question).unwrap()
}

/// The question, parsed, for what needs no channel.
pub(super) fn parsed(sql: &str) -> Question {
    Question::parse(Asked::new(sql).question()).unwrap()
}

/// 20,000 flights of 200 aircraft; carrier ZZ has but 5 of them, HA none.
pub(super) fn flights() -> &'static [Flight] {
    static FLIGHTS: OnceLock<Vec<Flight>> = OnceLock::new();
    FLIGHTS.get_or_init(|| (0..20_000).map(flight).collect())
}

pub(super) fn temperature(month: i64) -> f64 {
    month as f64 * 2.5 - 3.0
}

fn flight(number: i64) -> Flight {
    let plane = number * 7919 % 200;
    let carrier = if plane < 5 { "ZZ" } else { ["AA", "DL", "UA"][(plane % 3) as usize] };
    let month = number % 12 + 1;
    let day = 15_706 + (number * 31 % 365) as i32;
    Flight {
        tail: format!("N{plane:05}"),
        carrier,
        month,
        delay: (number % 11 != 0).then(|| (number * 37 % 181) as f64 - 20.0),
        distance: 100 + number * 13 % 2_500,
        day,
        at: i64::from(day) * 86_400_000_000 + number % 86_400 * 1_000_000,
        late: number % 4 == 0,
    }
}

/// Flights are about aircraft; months lead to weather.
pub(super) fn policy() -> v1::ReleasePolicy {
    use v1::{column_policy::Role, dimension::Bins};
    let with = |column: &str, role| v1::ColumnPolicy { column: column.into(), role: Some(role) };
    let dimension =
        |column: &str, bins, groups| with(column, Role::Dimension(v1::Dimension { bins: Some(bins), groups }));
    let calendar = |period: &str| {
        Bins::Calendar(v1::Calendar { from: "2013-01-01".into(), to: "2014-01-01".into(), period: period.into() })
    };
    let measure = |column: &str, points: &[f64]| {
        with(column, Role::Measure(v1::Measure { low: None, high: None, points: points.to_vec() }))
    };
    let large = v1::Group { name: "large".into(), values: ["AA", "DL", "UA"].map(str::to_owned).to_vec() };
    let small = v1::Group { name: "small".into(), values: ["HA", "ZZ"].map(str::to_owned).to_vec() };
    let flights = v1::TablePolicy {
        table: "flights".into(),
        units: vec![v1::Unit { column: "tail".into(), space: "aircraft".into() }],
        columns: vec![
            with("tail", Role::Identifier(v1::Identifier {})),
            dimension("carrier", Bins::Listed(v1::Listed {}), vec![large, small]),
            with("month", Role::JoinKey(v1::JoinKey { to: vec!["weather".into()] })),
            measure("delay", &[0.0, 15.0, 60.0]),
            with("distance", Role::Measure(v1::Measure { low: Some(500.0), high: Some(1_000.0), points: Vec::new() })),
            dimension("day", calendar("month"), Vec::new()),
            dimension("at", calendar("hour"), Vec::new()),
            measure("late", &[]),
            measure("last", &[]),
        ],
        noise_rows: 60,
    };
    let points = v1::Cuts { points: ["0", "10", "20"].map(str::to_owned).to_vec() };
    let weather = v1::TablePolicy {
        table: "weather".into(),
        units: Vec::new(),
        columns: vec![
            with("month", Role::Identifier(v1::Identifier {})),
            dimension("temperature", Bins::Cuts(points), Vec::new()),
        ],
        noise_rows: 0,
    };
    let policy = v1::ReleasePolicy {
        dataset: "nyc-flights".into(),
        tables: vec![flights, weather],
        ..v1::ReleasePolicy::default()
    };
    (&octroi_proto::ReleasePolicy::try_from(policy).unwrap()).into()
}

struct Stored {
    schema: v1::TableSchema,
    file: wire::TableFile,
    bytes: Vec<u8>,
}

/// Weather lies behind the flights on the disk.
fn tables() -> &'static [Stored; 2] {
    static TABLES: OnceLock<[Stored; 2]> = OnceLock::new();
    TABLES.get_or_init(|| {
        let flights = store(flights_schema(), flights_columns(), 7, FIRST_OFFSET);
        let after = (FIRST_OFFSET + flights.file.length).next_multiple_of(4096);
        let months: Vec<i64> = (1..=12).collect();
        let warmth: Vec<f64> = months.iter().map(|month| temperature(*month)).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(months)), Arc::new(Float64Array::from(warmth))];
        let weather = store(weather_schema(), columns, 8, after);
        [flights, weather]
    })
}

fn store(schema: v1::TableSchema, columns: Vec<ArrayRef>, file: u8, offset: u64) -> Stored {
    let layout = Schema::parse(&schema).unwrap();
    let names = schema.columns.iter().map(|column| column.name.clone()).collect();
    let keys = keys_of(&FileColumns { file_id: [file; 16].into(), columns: names });
    let mut writer = table::Writer::new(Vec::new(), "nyc-flights", &layout, &keys).unwrap();
    writer.write(&RecordBatch::try_new(layout.stored(), columns).unwrap()).unwrap();
    let (pins, bytes) = writer.finish().unwrap();
    Stored { schema, file: pins.table_file(offset), bytes }
}

pub(super) fn keys_of(file: &FileColumns) -> FileKeys {
    let key = |name: &str| {
        let mut key = [file.file_id.as_bytes()[0]; 32];
        key.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place ^= byte);
        key.into()
    };
    let columns = file.columns.iter().map(|name| (name.clone(), key(name))).collect();
    FileKeys { file_id: file.file_id, footer: key(""), columns }
}

fn flights_schema() -> v1::TableSchema {
    use v1::ColumnType::{Boolean, Date, Float, Integer, String, Timestamp};
    let carriers = ["AA", "DL", "HA", "UA", "ZZ"].map(str::to_owned).to_vec();
    v1::TableSchema {
        name: "flights".into(),
        columns: vec![
            column("tail", String, false),
            v1::Column { domain: carriers, ..column("carrier", String, false) },
            v1::Column { domain: (1..=12).map(|month| month.to_string()).collect(), ..column("month", Integer, false) },
            column("delay", Float, true),
            column("distance", Integer, false),
            column("day", Date, false),
            column("at", Timestamp, false),
            column("late", Boolean, false),
            v1::Column { hidden: true, ..column("secret", String, false) },
            column("big", Integer, false),
            column("last", Integer, false),
        ],
        subjects: vec!["tail".into()],
        public: false,
    }
}

fn weather_schema() -> v1::TableSchema {
    let columns =
        vec![column("month", v1::ColumnType::Integer, false), column("temperature", v1::ColumnType::Float, false)];
    v1::TableSchema { name: "weather".into(), columns, subjects: Vec::new(), public: true }
}

fn column(name: &str, holds: v1::ColumnType, nullable: bool) -> v1::Column {
    v1::Column { name: name.into(), r#type: holds.into(), nullable, ..v1::Column::default() }
}

fn flights_columns() -> Vec<ArrayRef> {
    let all = flights();
    vec![
        Arc::new(StringArray::from_iter_values(all.iter().map(|flight| &flight.tail))),
        Arc::new(StringArray::from_iter_values(all.iter().map(|flight| flight.carrier))),
        Arc::new(Int64Array::from_iter_values(all.iter().map(|flight| flight.month))),
        Arc::new(Float64Array::from_iter(all.iter().map(|flight| flight.delay))),
        Arc::new(Int64Array::from_iter_values(all.iter().map(|flight| flight.distance))),
        Arc::new(Date32Array::from_iter_values(all.iter().map(|flight| flight.day))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(all.iter().map(|flight| flight.at)).with_timezone("UTC")),
        Arc::new(BooleanArray::from_iter(all.iter().map(|flight| Some(flight.late)))),
        Arc::new(StringArray::from_iter_values(all.iter().map(|_| "planted"))),
        Arc::new(Int64Array::from_iter_values(all.iter().map(|_| i64::MAX))),
        Arc::new(Int64Array::from_iter_values(all.iter().map(|_| i64::MAX))),
    ]
}

struct TestDisks(File);

impl Disks for TestDisks {
    fn data(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    fn output(&self) -> io::Result<File> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn scratch(&self, _bytes: u64) -> io::Result<Option<Arc<dyn TempFileFactory>>> {
        Ok(None)
    }
}

fn disk(damage: Option<u64>, past: &[u8]) -> TestDisks {
    let mut file = tempfile::tempfile().unwrap();
    for table in tables() {
        file.seek(SeekFrom::Start(table.file.disk_offset)).unwrap();
        file.write_all(&table.bytes).unwrap();
    }
    if let Some(at) = damage {
        file.seek(SeekFrom::Start(FIRST_OFFSET + at)).unwrap();
        file.write_all(&[0x5a; 64]).unwrap();
    }
    file.seek(SeekFrom::Start(FIRST_OFFSET + PAST)).unwrap();
    file.write_all(past).unwrap();
    // Whole blocks, as on a device.
    file.set_len((FIRST_OFFSET + (64 << 20)).next_multiple_of(4096)).unwrap();
    TestDisks(file)
}

fn send(channel: &mut File, message: to_zone::Message) {
    frame::write(channel, &wire::ToZone { message: Some(message) }, frame::TO_ZONE).unwrap();
}

fn receive(channel: &mut File) -> Option<to_host::Message> {
    frame::read::<wire::ToHost>(channel, frame::TO_HOST).unwrap().and_then(|frame| frame.message)
}

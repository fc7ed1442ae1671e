//! Loads from a sealed file to rows that the engine reads.

use std::{
    cell::RefCell,
    fs::OpenOptions,
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    str::FromStr as _,
    sync::Arc,
};

use super::*;
use crate::table::{
    EncryptedTable,
    tests::{Dice, ask, column, declared, keys},
};
use ::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use age::x25519;
use age_core::secrecy::ExposeSecret as _;
use arrow::{
    array::{
        ArrayRef, Float32Array, Int32Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
    },
    datatypes::Int32Type,
};

const DATASET: &str = "hospital";
const OUTPUT_BYTES: u64 = 64 << 20;

/// Everything that a load is made of, for a test to change.
struct Case {
    schema: v1::TableSchema,
    format: v1::TableFormat,
    sealed: Vec<u8>,
    output_bytes: u64,
}

struct Done {
    loaded: Result<zone::Loaded, LoadError>,
    written: Disk,
    stanzas: Vec<zone::AgeStanza>,
}

/// A dataset's ingest key, the same in every test.
fn ingest() -> x25519::Identity {
    x25519::Identity::from_str("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX").unwrap()
}

fn seal(plaintext: &[u8]) -> Vec<u8> {
    seal_to(&[&ingest().to_public()], plaintext)
}

fn seal_to(recipients: &[&x25519::Recipient], plaintext: &[u8]) -> Vec<u8> {
    let recipients = recipients.iter().map(|recipient| *recipient as &dyn age::Recipient);
    let mut sealed = Vec::new();
    let mut output = age::Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut sealed).unwrap();
    output.write_all(plaintext).unwrap();
    output.finish().unwrap();
    sealed
}

/// A file, and the same opened for direct reads and writes.
fn disk() -> (File, File) {
    // Not in memory: there, nothing is direct.
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    let opened = OpenOptions::new().read(true).write(true).custom_flags(direct).open(file.path()).unwrap();
    (file.into_file(), opened)
}

impl Case {
    fn new(format: v1::TableFormat, plaintext: &[u8]) -> Self {
        Self { schema: declared(), format, sealed: seal(plaintext), output_bytes: OUTPUT_BYTES }
    }

    fn csv(text: &str) -> Self {
        Self::new(v1::TableFormat::Csv, text.as_bytes())
    }

    fn json(text: &str) -> Self {
        Self::new(v1::TableFormat::JsonLines, text.as_bytes())
    }

    fn load(&self) -> zone::Load {
        let file = FileId::try_from([7; 16].as_slice()).unwrap();
        zone::Load {
            load_id: vec![9; 16],
            launch_id: vec![8; 16],
            dataset: DATASET.to_owned(),
            schema: Some(self.schema.clone()),
            format: self.format.into(),
            input_length: self.sealed.len() as u64,
            file_id: file.as_bytes().to_vec(),
            aad_prefix: aad_prefix(DATASET, "stays", file),
            output_bytes: self.output_bytes,
            limits: Some(zone::Limits { memory_bytes: 64 << 20, ..zone::Limits::default() }),
        }
    }

    fn run(&self) -> Done {
        self.run_with(|stanzas| Some(self.open_keys(stanzas)))
    }

    /// As `octroi keys` does it.
    fn open_keys(&self, stanzas: &[zone::AgeStanza]) -> OpenKeys {
        let stanzas: Vec<_> = stanzas
            .iter()
            .map(|stanza| age_core::format::Stanza {
                tag: stanza.tag.clone(),
                args: stanza.arguments.clone(),
                body: stanza.body.clone(),
            })
            .collect();
        let opened = age::Identity::unwrap_stanzas(&ingest(), &stanzas);
        let file_key = opened.map_or([0; 16], |key| *key.unwrap().expose_secret());
        let columns: Vec<&str> = self.schema.columns.iter().map(|column| column.name.as_str()).collect();
        OpenKeys { files: vec![keys(7, &columns)], ingest_file_key: Some(file_key.into()), ..OpenKeys::default() }
    }

    /// On disks that are opened as those of a VM are: for whole, aligned blocks.
    fn run_with(&self, keys: impl FnOnce(&[zone::AgeStanza]) -> Option<OpenKeys>) -> Done {
        let (mut input, input_disk) = disk();
        input.write_all(&[0; FIRST_OFFSET as usize]).unwrap();
        input.write_all(&self.sealed).unwrap();
        let (_, output) = disk();
        let written = Disk::file(output.try_clone().unwrap());
        let stanzas = RefCell::default();
        let loaded = run(&self.load(), &Disk::file(input_disk), output, |request| {
            let open = keys(&request.stanzas);
            *stanzas.borrow_mut() = request.stanzas;
            open
        });
        Done { loaded, written, stanzas: stanzas.into_inner() }
    }

    /// Loads, and asks the table that was made.
    async fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        let done = self.run();
        let loaded = done.loaded.unwrap();
        let file = loaded.file.expect("something was loaded");
        let columns: Vec<&str> = self.schema.columns.iter().map(|column| column.name.as_str()).collect();
        let schema = Schema::parse(&self.schema).unwrap();
        let table = EncryptedTable::open(&done.written, DATASET, &schema, &[file], &[keys(7, &columns)]).unwrap();
        ask(table, sql).await.unwrap()
    }

    fn report(&self) -> v1::LoadReport {
        let loaded = self.run().loaded.unwrap();
        let report = loaded.report.unwrap();
        assert_eq!(loaded.file.is_none(), !report.failure.is_empty());
        report
    }

    fn failure(&self) -> String {
        self.report().failure
    }
}

/// `rule row column` of the rows left out.
fn bad(report: &v1::LoadReport) -> Vec<String> {
    let said = |bad: &v1::BadRow| format!("{} {} {}", bad.rule, bad.row, bad.column).trim_end().to_owned();
    report.first_bad_rows.iter().map(said).collect()
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

const ALL: &str = "SELECT person, ward, cost, day FROM stays";

#[tokio::test]
async fn csv_is_loaded_in_any_column_order() {
    let case = Case::csv("day,cost,person,ward\r\n2024-02-29,1.5,3,\"a \"\"b\"\", c\"\r\n,2,1,\n1999-12-31,-0.25,2,x");
    let expected =
        [["1", "-", "2.0", "-"], ["2", "x", "-0.25", "1999-12-31"], ["3", "a \"b\", c", "1.5", "2024-02-29"]];
    // In the order of the subject.
    assert_eq!(case.ask(ALL).await, expected);
}

#[tokio::test]
async fn json_lines_are_loaded() {
    let case = Case::json(
        "{\"person\": 2, \"cost\": 1, \"day\": \"1999-12-31\", \"ward\": \"\\u00e9\"}\n\n{\"cost\":2.5,\"person\":1,\"ward\":null}",
    );
    assert_eq!(case.ask(ALL).await, [["1", "-", "2.5", "-"], ["2", "é", "1.0", "1999-12-31"]]);
}

#[tokio::test]
async fn parquet_is_loaded_from_other_types() {
    let mut case = Case::new(
        v1::TableFormat::Parquet,
        &parquet(vec![
            ("cost", Arc::new(Float32Array::from(vec![0.5, 1.5])) as ArrayRef),
            ("person", Arc::new(UInt64Array::from(vec![5, 4]))),
            ("at", Arc::new(TimestampMillisecondArray::from(vec![1_000, 2_000]).with_timezone("+02:00"))),
            ("ward", Arc::new(StringArray::from(vec![None, Some("w")]))),
        ]),
    );
    case.schema.columns.push(column("at", v1::ColumnType::Timestamp, false));
    let rows = case.ask("SELECT person, ward, cost, day, at FROM stays").await;
    assert_eq!(rows, [["4", "w", "1.5", "-", "1970-01-01T00:00:02Z"], ["5", "-", "0.5", "-", "1970-01-01T00:00:01Z"]]);
}

#[tokio::test]
async fn many_rows_become_several_row_groups() {
    let mut text = "person,ward,cost,day\n".to_owned();
    for row in 0..300_000 {
        text.push_str(&format!("{},ward {},1.0,2024-01-01\n", row % 1_000, row % 7));
    }
    let sql = "SELECT count(*), sum(cost), count(DISTINCT person), count(DISTINCT ward) FROM stays";
    assert_eq!(Case::csv(&text).ask(sql).await, [["300000", "300000.0", "1000", "7"]]);
}

#[test]
fn bad_rows_are_counted_and_never_shown() {
    let report = Case::csv(concat!(
        "person,ward,cost,day\n",
        "1,a,1.0,2024-01-01\n",
        "SECRET,a,1.0,2024-01-01\n",
        ",a,,2024-01-01\n",
        "1,a,1.0\n",
        "1,a,inf,2024-13-01\n",
        "2,\"un\"quoted\",1.0,2024-01-01\n",
    ))
    .report();
    assert_eq!((report.rows, report.bad_rows), (1, 5));
    assert_eq!(
        bad(&report),
        ["columns 4", "missing 3 person", "missing 3 cost", "syntax 6", "type 2 person", "type 5 cost", "type 5 day"]
    );
    assert_eq!(report.bad_by_rule["type"], 3);
    assert!(!format!("{report:?}").contains("SECRET"));
}

#[test]
fn bad_lines_are_counted() {
    let long = format!("{{\"person\":1,\"cost\":1,\"ward\":\"{}\"}}", "x".repeat(70_000));
    let longer = format!("{{\"person\":1,\"cost\":1,\"ward\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{{\"person\":1,\"cost\":{}}}", "[".repeat(100_000));
    let nested = "{\"person\":1,\"cost\":[1,{\"a\":2}]}";
    let lines = [
        "{\"person\":1,\"cost\":1}",
        "{\"person\":1,\"cost\":1,\"other\":1}",
        "{\"person\":1,\"person\":2,\"cost\":1}",
        "{\"person\":\"1\",\"cost\":1}",
        "{\"person\":1.0,\"cost\":1}",
        "{\"person\":18446744073709551615,\"cost\":1}",
        "[1]",
        nested,
        &long,
        &longer,
        &deep,
        "{\"person\":1,\"cost\":1} {}",
        "\u{0}",
        "{\"person\":1,\"cost\":1}",
    ];
    let report = Case::json(&lines.join("\n")).report();
    assert_eq!(report.rows, 2);
    assert_eq!(
        bad(&report),
        [
            "columns 2",
            "length 9 ward",
            "length 10",
            "syntax 3",
            "syntax 7",
            "syntax 11",
            "syntax 12",
            "syntax 13",
            "type 4 person",
            "type 5 person",
            "type 6 person",
            "type 8 cost"
        ]
    );
}

#[test]
fn values_outside_a_domain_are_bad() {
    let mut case = Case::csv("person,ward,cost,day\n1,a,1,\n2,b,1,\n3,,1,\n");
    case.schema.columns[1].domain = vec!["a".to_owned()];
    assert_eq!(bad(&case.report()), ["domain 2 ward"]);
    case.schema.columns[0].domain = vec!["1".to_owned(), "2".to_owned()];
    assert_eq!(bad(&case.report()), ["domain 2 ward", "domain 3 person"]);
}

#[test]
fn parquet_values_that_do_not_fit_are_bad() {
    let columns = vec![
        ("cost", Arc::new(Float32Array::from(vec![0.5, f32::NAN, 1.0])) as ArrayRef),
        ("person", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(1), None]))),
    ];
    let report = Case::new(v1::TableFormat::Parquet, &parquet(columns)).report();
    assert_eq!(bad(&report), ["missing 3 person", "type 1 person", "type 2 cost"]);
    assert_eq!(report.failure, "no_valid_row");
}

#[test]
fn a_header_must_be_the_declared_columns() {
    for header in ["person,ward", "person,cost,other", "person,cost,cost", "", "person,cost,"] {
        assert_eq!(Case::csv(&format!("{header}\n1,1\n")).failure(), "header", "`{header}`");
    }
    assert_eq!(Case::csv("\u{feff}cost,person\n1,1\n").failure(), "");
    let numbers = |name| (name, Arc::new(Int32Array::from(vec![1])) as ArrayRef);
    let parquet = |columns| Case::new(v1::TableFormat::Parquet, &parquet(columns)).failure();
    assert_eq!(parquet(vec![numbers("person")]), "header");
    assert_eq!(parquet(vec![numbers("person"), numbers("cost"), numbers("other")]), "header");
    assert_eq!(parquet(vec![numbers("person"), numbers("cost"), numbers("ward")]), "header");
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    assert_eq!(parquet(vec![numbers("person"), numbers("cost"), ("ward", Arc::new(list))]), "too_deep");
}

#[test]
fn what_cannot_be_read_is_a_failure() {
    assert_eq!(Case::csv("person,cost\n").failure(), "no_valid_row");
    assert_eq!(Case::csv(&format!("person,cost\n1,\"{}", "x\n".repeat(1 << 20))).failure(), "not_csv");
    assert_eq!(Case::new(v1::TableFormat::Parquet, b"PAR1 not at all PAR1").failure(), "not_parquet");
    let mut no_age = Case::csv("");
    no_age.sealed = b"person,cost\n1,1\n".to_vec();
    assert_eq!(no_age.failure(), "not_age");
    no_age.sealed = [b"age-encryption.org/v1\n-> X25519 ".as_slice(), &[b'A'; 100_000]].concat();
    assert_eq!(no_age.failure(), "not_age");
    no_age.sealed.clear();
    assert_eq!(no_age.failure(), "not_age");
}

#[test]
fn a_file_that_was_changed_is_not_loaded() {
    let text = format!("person,cost\n{}", "1,1\n".repeat(50_000));
    for format in [v1::TableFormat::Csv, v1::TableFormat::Parquet] {
        let mut case = Case::new(format, text.as_bytes());
        let whole = case.sealed.clone();
        case.sealed.truncate(whole.len() - 1);
        assert_eq!(case.failure(), "damaged");
        // At a chunk's end: the header's, its MAC, the nonce, one chunk and its tag.
        let header = whole.windows(5).position(|window| window == b"\n--- ").unwrap() + 5;
        case.sealed.truncate(header + 43 + 1 + 16 + 65_536 + 16);
        assert_eq!(case.failure(), "damaged");
        case.sealed = whole.clone();
        *case.sealed.last_mut().unwrap() ^= 1;
        assert_eq!(case.failure(), "damaged");
    }
}

#[test]
fn only_the_ingest_key_opens_it() {
    let stranger = x25519::Identity::generate().to_public();
    let mut case = Case::csv("");
    case.sealed = seal_to(&[&stranger], b"person,cost\n1,1\n");
    assert_eq!(case.failure(), "wrong_key");
    case.sealed = seal_to(&[&stranger, &ingest().to_public()], b"person,cost\n1,1\n");
    let done = case.run();
    assert_eq!(done.loaded.unwrap().report.unwrap().rows, 1);
    // No more than X25519 stanzas go out; age adds one of its own making.
    assert_eq!(done.stanzas.len(), 2);
    assert!(done.stanzas.iter().all(|stanza| stanza.tag == "X25519"));
    // A header that was changed opens with the right key, and is refused.
    let at = case.sealed.windows(5).position(|window| window == b"\n--- ").unwrap();
    case.sealed[at + 6] ^= 1;
    assert!(["wrong_key", "not_age"].contains(&case.failure().as_str()));
}

#[test]
fn keys_that_do_not_come_or_are_not_these_end_the_load() {
    let case = Case::csv("person,cost\n1,1\n");
    assert!(matches!(case.run_with(|_| None).loaded, Err(LoadError::NoKeys)));
    let with = |change: &dyn Fn(&mut OpenKeys)| {
        let run = case.run_with(|stanzas| {
            let mut open = case.open_keys(stanzas);
            change(&mut open);
            Some(open)
        });
        run.loaded.unwrap_err()
    };
    assert!(matches!(with(&|open| open.files.clear()), LoadError::NoKeys));
    assert!(matches!(with(&|open| open.files[0].file_id = [1; 16].into()), LoadError::NoKeys));
    assert!(matches!(with(&|open| open.ingest_file_key = None), LoadError::NoKeys));
    assert!(matches!(with(&|open| drop(open.files[0].columns.remove("ward"))), LoadError::Write(WriteError::Keys)));
}

#[test]
fn a_request_that_contradicts_itself_is_refused() {
    let case = Case::csv("person,cost\n1,1\n");
    let with = |change: &dyn Fn(&mut zone::Load)| {
        let mut load = case.load();
        change(&mut load);
        run(&load, &Disk::file(tempfile::tempfile().unwrap()), tempfile::tempfile().unwrap(), |_| None).unwrap_err()
    };
    assert!(matches!(with(&|load| load.schema = None), LoadError::Request));
    assert!(matches!(with(&|load| load.format = 0), LoadError::Request));
    assert!(matches!(with(&|load| load.aad_prefix = "other/stays/00".to_owned()), LoadError::Request));
    assert!(matches!(with(&|load| load.input_length = u64::MAX), LoadError::Request));
    assert!(matches!(with(&|load| load.input_length = 5_000), LoadError::Disk(_)));
}

#[test]
fn what_the_output_does_not_hold_is_too_large() {
    let mut case = Case::csv(&format!("person,cost\n{}", "1,1\n".repeat(1_000)));
    case.output_bytes = FIRST_OFFSET + 16_384;
    assert_eq!(case.failure(), "");
    case.output_bytes = FIRST_OFFSET + 1024;
    assert_eq!(case.failure(), "too_large");
}

/// 60 MB of one text, in a file of a few kilobytes.
#[test]
fn what_decompresses_to_too_much_is_refused() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("person", Arc::new(Int32Array::from_iter_values(0..1_000))),
        ("cost", Arc::new(Int32Array::from_iter_values(0..1_000))),
        ("ward", Arc::new(StringArray::from_iter_values(std::iter::repeat_n("x".repeat(60_000), 1_000)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let file = writer.into_inner().unwrap();
    assert!(file.len() < 1 << 20);
    assert_eq!(Case::new(v1::TableFormat::Parquet, &file).failure(), "too_large");
}

#[test]
fn nothing_in_clear_reaches_the_output() {
    let case = Case::csv("person,ward,cost\n12345678,PLANTED-VALUE,1\n");
    let done = case.run();
    let file = done.loaded.unwrap().file.unwrap();
    let mut written = Vec::new();
    done.written.reader(0..file.disk_offset + file.length).read_to_end(&mut written).unwrap();
    assert!(!written.windows(13).any(|window| window == b"PLANTED-VALUE"));
}

/// Whatever comes, there is a report.
#[test]
fn no_csv_panics() {
    let parts = ["1", ",", ",", "\"", "\n", "\r", "\r\n", "é", "a", "0.5", "\0", " "];
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let header = *dice.one(&["", "person,cost\n", "person,cost\r\n", "\"person\",cost,ward\n"]);
        let report = Case::csv(&format!("{header}{}", dice.some_of(&parts, 100))).report();
        assert!(report.failure.is_empty() != (report.rows == 0), "seed {seed}");
    }
}

#[test]
fn no_json_panics() {
    let parts = [
        "{",
        "{",
        "}",
        "}\n",
        "[",
        "]",
        ":",
        ":",
        ",",
        "\"person\"",
        "\"cost\"",
        "\"ward\"",
        "1",
        "-1e9",
        "0.5",
        "null",
        "true",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"x",
        "\n",
        "{\"person\":1,\"cost\":1}\n",
    ];
    for seed in 0..300 {
        let report = Case::json(&Dice::new(seed).some_of(&parts, 60)).report();
        assert!(report.failure.is_empty() != (report.rows == 0), "seed {seed}");
    }
}

#[test]
fn no_bytes_panic() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let bytes: Vec<u8> = (0..dice.below(300)).map(|_| dice.below(256) as u8).collect();
        let mut case =
            Case::new(*dice.one(&[v1::TableFormat::Csv, v1::TableFormat::JsonLines, v1::TableFormat::Parquet]), &bytes);
        assert!(case.run().loaded.is_ok(), "seed {seed}");
        // The same as the age file itself, behind a beginning that is right.
        case.sealed.truncate(dice.below(200) as usize);
        case.sealed.extend(bytes);
        assert!(!case.failure().is_empty(), "seed {seed}");
    }
}

/// A Parquet file with bytes changed is loaded, bad in part, or a failure, though its decoder may panic.
#[test]
fn no_changed_parquet_gets_out() {
    let file = parquet(vec![
        ("cost", Arc::new(Float32Array::from(vec![0.5, 1.5])) as ArrayRef),
        ("person", Arc::new(Int32Array::from(vec![1, 2]))),
        ("ward", Arc::new(StringArray::from(vec!["one", "two"]))),
    ]);
    for seed in 0..400 {
        let (mut dice, mut file) = (Dice::new(seed), file.clone());
        for _ in 0..1 + dice.below(4) {
            let at = dice.below(file.len() as u64) as usize;
            file[at] = dice.below(256) as u8;
        }
        let loaded = Case::new(v1::TableFormat::Parquet, &file).run().loaded;
        assert!(loaded.is_ok(), "seed {seed}: {loaded:?}");
    }
}

/// What is valid comes out again, row for row.
#[tokio::test]
async fn valid_rows_are_loaded() {
    for seed in 0..30 {
        let mut dice = Dice::new(seed);
        let parts = ["a", "b", "é", "\"", ",", "\n", "\r\n", " "];
        let row =
            |_| (dice.below(u64::MAX).cast_signed(), format!("w{}", dice.some_of(&parts, 12)), dice.below(1 << 40));
        let rows: Vec<_> = (0..30).map(row).collect();
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let line = |(person, ward, cost): &(i64, String, u64)| format!("{person},{},{cost}\n", quoted(ward));
        let case = Case::csv(&format!("person,ward,cost\n{}", rows.iter().map(line).collect::<String>()));
        let mut read = case.ask("SELECT person, ward, cast(cost AS bigint) FROM stays").await;
        let mut expected: Vec<_> =
            rows.iter().map(|(person, ward, cost)| vec![person.to_string(), ward.clone(), cost.to_string()]).collect();
        read.sort();
        expected.sort();
        assert_eq!(read, expected, "seed {seed}");
    }
}

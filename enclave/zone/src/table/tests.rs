//! Round trips, and everything that must be refused.

use std::{io::Write as _, ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray},
    compute::concat_batches,
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::prelude::SessionContext;
use octroi_attest::{FileKeys, Key};
use octroi_proto::wire::{v1, zone};
use parquet::{arrow::ArrowWriter, encryption::encrypt::FileEncryptionProperties, file::properties::WriterProperties};

use super::*;

const DATASET: &str = "hospital";

/// Throws that a seed repeats. (proptest would bring features into the dependencies that the image is built without,
/// and with them a second build of the engine.)
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    pub(crate) fn some_of(&mut self, of: &[&str], most: u64) -> String {
        (0..self.below(most)).map(|_| *self.one(of)).collect()
    }
}

pub(crate) fn column(name: &str, r#type: v1::ColumnType, nullable: bool) -> v1::Column {
    v1::Column { name: name.to_owned(), r#type: r#type.into(), nullable, ..v1::Column::default() }
}

pub(crate) fn declared() -> v1::TableSchema {
    v1::TableSchema {
        name: "stays".to_owned(),
        columns: vec![
            column("person", v1::ColumnType::Integer, false),
            column("ward", v1::ColumnType::String, true),
            column("cost", v1::ColumnType::Float, false),
            column("day", v1::ColumnType::Date, true),
        ],
        subjects: vec!["person".to_owned()],
        public: false,
    }
}

/// Keys that a test can tell apart.
pub(crate) fn keys(file: u8, columns: &[&str]) -> FileKeys {
    let named = |name: &&str| {
        let part = declared().columns.iter().position(|column| column.name == *name).unwrap_or(200) as u8;
        ((*name).to_owned(), key(file, part))
    };
    FileKeys { file_id: [file; 16].into(), footer: key(file, 255), columns: columns.iter().map(named).collect() }
}

fn key(file: u8, part: u8) -> Key {
    [file, part].repeat(16).as_slice().try_into().unwrap()
}

pub(crate) fn all_keys(file: u8) -> FileKeys {
    keys(file, &["person", "ward", "cost", "day"])
}

pub(crate) fn schema() -> Schema {
    Schema::parse(&declared()).unwrap()
}

fn rows(people: Range<i64>) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(people.clone())),
        Arc::new(
            people
                .clone()
                .map(|person| (person % 5 != 0).then(|| format!("ward {}", person % 7)))
                .collect::<StringArray>(),
        ),
        Arc::new(Float64Array::from_iter_values(people.clone().map(|person| person as f64 / 4.0))),
        Arc::new(people.map(|person| Some(person as i32 % 400)).collect::<Date32Array>()),
    ];
    RecordBatch::try_new(schema().stored(), columns).unwrap()
}

/// A file of 2,000 rows in two row groups.
fn written(file: u8) -> (Vec<u8>, Pins) {
    let mut writer = Writer::new(Vec::new(), DATASET, &schema(), &all_keys(file)).unwrap();
    writer.write(&rows(0..1_000)).unwrap();
    writer.write(&rows(1_000..2_000)).unwrap();
    let (pins, bytes) = writer.finish().unwrap();
    assert_eq!(pins.length(), bytes.len() as u64);
    (bytes, pins)
}

/// A disk that holds `files` one behind the other, each at a multiple of 4096.
fn disk_of(files: &[&[u8]]) -> (Disk, Vec<u64>) {
    let mut image = vec![0; 4096];
    let mut offsets = Vec::new();
    for file in files {
        offsets.push(image.len() as u64);
        image.extend_from_slice(file);
        image.resize(image.len().next_multiple_of(4096), 0);
    }
    let mut disk = tempfile::tempfile().unwrap();
    disk.write_all(&image).unwrap();
    (Disk::file(disk), offsets)
}

fn open(bytes: &[u8], file: &zone::TableFile, keys: &FileKeys) -> Result<EncryptedTable, OpenError> {
    let (disk, _) = disk_of(&[bytes]);
    EncryptedTable::open(&disk, DATASET, &schema(), std::slice::from_ref(file), std::slice::from_ref(keys))
}

fn refusal(bytes: &[u8], file: &zone::TableFile, keys: &FileKeys) -> String {
    open(bytes, file, keys).unwrap_err().to_string()
}

pub(crate) async fn ask(table: EncryptedTable, sql: &str) -> datafusion::error::Result<Vec<Vec<String>>> {
    let engine = SessionContext::new();
    engine.register_table("stays", Arc::new(table))?;
    let batches = engine.sql(sql).await?.collect().await?;
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let all = concat_batches(&first.schema(), &batches)?;
    let options = FormatOptions::new().with_null("-");
    let cell = |array: &ArrayRef, row| ArrayFormatter::try_new(array, &options).unwrap().value(row).to_string();
    Ok((0..all.num_rows()).map(|row| all.columns().iter().map(|array| cell(array, row)).collect()).collect())
}

#[tokio::test]
async fn what_was_written_is_read() {
    let (bytes, pins) = written(1);
    let table = open(&bytes, &pins.table_file(4096), &all_keys(1)).unwrap();
    let answer = ask(table, "SELECT ward, count(*), sum(person), min(day) FROM stays WHERE cost >= 0.5 GROUP BY ward ORDER BY ward NULLS LAST LIMIT 2").await;
    let expected = |ward: i64| {
        let people: Vec<i64> = (2..2_000).filter(|person| person % 5 != 0 && person % 7 == ward).collect();
        (people.len().to_string(), people.iter().sum::<i64>().to_string())
    };
    let answer = answer.unwrap();
    assert_eq!(answer[0][..3], ["ward 0".to_owned(), expected(0).0, expected(0).1]);
    assert_eq!(answer[1][..3], ["ward 1".to_owned(), expected(1).0, expected(1).1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_files_are_one_table() {
    let (first, second) = (written(1), written(2));
    let (disk, offsets) = disk_of(&[&first.0, &second.0]);
    let files = [first.1.table_file(offsets[0]), second.1.table_file(offsets[1])];
    let table = EncryptedTable::open(&disk, DATASET, &schema(), &files, &[all_keys(2), all_keys(1)]).unwrap();
    assert_eq!(ask(table, "SELECT count(*), sum(person) FROM stays").await.unwrap(), [["4000", "3998000"]]);
}

#[tokio::test]
async fn a_table_without_files_has_no_rows() {
    let (disk, _) = disk_of(&[]);
    let table = EncryptedTable::open(&disk, DATASET, &schema(), &[], &[]).unwrap();
    assert_eq!(ask(table, "SELECT count(*), sum(person) FROM stays").await.unwrap(), [["0", "-"]]);
}

#[tokio::test]
async fn only_columns_whose_keys_are_given_can_be_read() {
    let (bytes, pins) = written(1);
    // The first column's place decides how the engine would cut a file: leave it out, too.
    let some = keys(1, &["ward", "cost"]);
    let opened = || open(&bytes, &pins.table_file(4096), &some).unwrap();
    assert_eq!(ask(opened(), "SELECT sum(cost), count(ward) FROM stays").await.unwrap(), [["499750.0", "1600"]]);
    for without in ["person", "day"] {
        let sql = format!("SELECT count(DISTINCT {without}) FROM stays WHERE cost > 1.0");
        ask(opened(), &sql).await.unwrap_err();
        ask(opened(), &format!("SELECT max({without}) FROM stays")).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_column_declared_later_has_no_value_in_older_files() {
    let (bytes, pins) = written(1);
    let (disk, _) = disk_of(&[&bytes]);
    let mut later = declared();
    later.columns.push(column("note", v1::ColumnType::String, true));
    let open = |later: &v1::TableSchema| {
        let later = Schema::parse(later).unwrap();
        EncryptedTable::open(&disk, DATASET, &later, &[pins.table_file(4096)], &[all_keys(1)])
    };
    assert_eq!(ask(open(&later).unwrap(), "SELECT count(note), count(*) FROM stays").await.unwrap(), [["0", "2000"]]);
    later.columns[4].nullable = false;
    assert!(matches!(open(&later), Err(OpenError::Schema)));
    later.columns[4].nullable = true;
    later.columns[0].r#type = v1::ColumnType::Float.into();
    assert!(matches!(open(&later), Err(OpenError::Schema)));
    later.columns.remove(0);
    later.subjects.clear();
    assert!(matches!(open(&later), Err(OpenError::Schema)));
}

#[test]
fn another_file_is_refused() {
    let ((bytes, pins), (other, other_pins)) = (written(1), written(2));
    let file = pins.table_file(4096);
    let not_pinned = OpenError::Footer.to_string();
    // Swapped; an older version of the same file; one shorter; one longer.
    assert_eq!(refusal(&other, &file, &all_keys(1)), not_pinned);
    assert_eq!(refusal(&written(1).0, &file, &all_keys(1)), not_pinned);
    assert_eq!(refusal(&bytes[..bytes.len() - 1], &file, &all_keys(1)), OpenError::Footer.to_string());
    assert_eq!(refusal(&[[0].as_slice(), &bytes].concat(), &file, &all_keys(1)), not_pinned);
    // The registry's pins of another file with this file's keys.
    assert_eq!(refusal(&other, &other_pins.table_file(4096), &all_keys(1)), OpenError::Keys.to_string());
}

#[test]
fn pins_of_another_place_are_refused() {
    let (bytes, pins) = written(1);
    let file = pins.table_file(4096);
    let changed = |change: &dyn Fn(&mut zone::TableFile)| {
        let mut file = file.clone();
        change(&mut file);
        refusal(&bytes, &file, &all_keys(1))
    };
    let pins = OpenError::Pins.to_string();
    assert_eq!(changed(&|file| file.aad_prefix = file.aad_prefix.replace("stays", "other")), pins);
    assert_eq!(changed(&|file| file.file_id[0] ^= 1), OpenError::Keys.to_string());
    assert_eq!(changed(&|file| file.footer_length = file.length + 1), pins);
    assert_eq!(changed(&|file| file.footer_length = 3), pins);
    assert_eq!(changed(&|file| file.disk_offset = u64::MAX), pins);
    assert_eq!(changed(&|file| file.footer_sha256.truncate(5)), pins);
    assert_eq!(changed(&|file| file.rows += 1), OpenError::Schema.to_string());
    assert_eq!(
        changed(&|file| file.length += 4096),
        OpenError::Disk(std::io::ErrorKind::UnexpectedEof.into()).to_string()
    );
}

/// What a gateway that lies could pin, were it to make files itself: it has no key, or only the footer's.
fn pinned_as(bytes: &[u8], rows: u64) -> zone::TableFile {
    let length = bytes.len() as u64;
    let footer = u64::from(u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap())) + 8;
    zone::TableFile {
        file_id: vec![1; 16],
        aad_prefix: aad_prefix(DATASET, "stays", all_keys(1).file_id),
        disk_offset: 4096,
        length,
        footer_sha256: write::sha256(&bytes[(length - footer) as usize..]).to_vec(),
        footer_length: footer,
        rows,
    }
}

fn parquet(encryption: Option<Arc<FileEncryptionProperties>>) -> Vec<u8> {
    let mut properties = WriterProperties::builder();
    if let Some(encryption) = encryption {
        properties = properties.with_file_encryption_properties(encryption);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), schema().stored(), Some(properties.build())).unwrap();
    writer.write(&rows(0..10)).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn files_that_are_less_encrypted_are_refused() {
    let prefix = aad_prefix(DATASET, "stays", all_keys(1).file_id).into_bytes();
    let footer_key = || FileEncryptionProperties::builder([[1, 255]; 16].concat()).with_aad_prefix(prefix.clone());
    let plain = parquet(None);
    let uniform = parquet(Some(footer_key().build().unwrap()));
    let ward = [[1, 1]; 16].concat();
    let one_column = parquet(Some(footer_key().with_column_key("ward", ward).build().unwrap()));
    let mut signed = footer_key().with_plaintext_footer(true);
    for (name, key) in &all_keys(1).columns {
        signed = signed.with_column_key(name, key.expose().to_vec());
    }
    let signed = parquet(Some(signed.build().unwrap()));
    for (bytes, reason) in [
        (&plain, OpenError::Plain),
        (&signed, OpenError::Plain),
        (&uniform, OpenError::ColumnKey),
        (&one_column, OpenError::ColumnKey),
    ] {
        assert_eq!(refusal(bytes, &pinned_as(bytes, 10), &all_keys(1)), reason.to_string());
    }
}

#[test]
fn the_key_of_another_column_opens_nothing() {
    let (bytes, pins) = written(1);
    let mut swapped = keys(1, &["ward", "cost"]);
    swapped.columns.insert("ward".to_owned(), swapped.columns["cost"].clone());
    assert_eq!(refusal(&bytes, &pins.table_file(4096), &swapped), OpenError::Keys.to_string());
    // Of another file, under this one's name.
    let mut other = keys(2, &["ward"]);
    (other.file_id, other.footer) = ([1; 16].into(), key(1, 255));
    assert_eq!(refusal(&bytes, &pins.table_file(4096), &other), OpenError::Keys.to_string());
}

#[test]
fn no_column_is_written_without_its_key() {
    for few in [&["person", "ward", "cost"][..], &["person", "ward", "cost", "dya"], &[]] {
        assert!(matches!(Writer::new(Vec::new(), DATASET, &schema(), &keys(1, few)), Err(WriteError::Keys)));
    }
}

#[test]
fn no_value_is_in_clear() {
    let (bytes, _) = written(1);
    for clear in ["ward 3", "ward 0", "cost\0"] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear.as_bytes()), "`{clear}` is in clear");
    }
    assert_eq!(bytes.last_chunk::<4>(), Some(b"PARE"));
}

/// A flipped byte of a page is an error, or a panic that its task contains, and never an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_pages_give_no_answer() {
    let (bytes, pins) = written(1);
    let pages_end = bytes.len() as u64 - pins.table_file(0).footer_length;
    let sql = "SELECT sum(person), sum(cost), count(ward), max(day) FROM stays";
    for at in (4..pages_end as usize).step_by(149) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        let table = open(&damaged, &pins.table_file(4096), &all_keys(1)).unwrap();
        let answer = tokio::spawn(ask(table, sql)).await;
        assert!(!matches!(answer, Ok(Ok(_))), "byte {at} was not missed");
    }
}

#[test]
fn declarations_that_make_no_sense_are_refused() {
    let changed = |change: &dyn Fn(&mut v1::TableSchema)| {
        let mut declared = declared();
        change(&mut declared);
        Schema::parse(&declared).unwrap_err()
    };
    assert_eq!(changed(&|table| table.columns.clear()), SchemaError::Columns);
    assert_eq!(changed(&|table| table.columns[0].name = "a.b".to_owned()), SchemaError::Name);
    assert_eq!(changed(&|table| table.columns[0].name = "ward".to_owned()), SchemaError::Name);
    assert_eq!(changed(&|table| table.columns[0].r#type = 99), SchemaError::Type);
    assert_eq!(changed(&|table| table.columns[2].domain = vec!["1".to_owned()]), SchemaError::Domain);
    assert_eq!(changed(&|table| table.columns[0].domain = vec!["x".to_owned()]), SchemaError::Domain);
    assert_eq!(changed(&|table| table.subjects = vec!["nobody".to_owned()]), SchemaError::Subject);
}

/// Arrow C++ shares no code with us.
#[test]
fn pyarrow_opens_the_file_with_the_keys() {
    let python =
        std::env::var_os("OCTROI_PYTHON").expect("run the tests with `cargo xtask test`, which sets OCTROI_PYTHON");
    let (bytes, _) = written(1);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let keys = all_keys(1);
    let hex = |key: &Key| key.expose().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut named: serde_json::Map<_, _> =
        keys.columns.iter().map(|(name, key)| (format!("column:{name}"), hex(key).into())).collect();
    named.insert("footer".to_owned(), hex(&keys.footer).into());
    let told = serde_json::json!({ "file": keys.file_id.to_string(), "keys": named }).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/table_keys.py");
    let said =
        std::process::Command::new(python).arg(script).arg(file.path()).args([told.as_str(), "ward"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said["rows"], 2_000);
    assert_eq!(
        said["schema"],
        serde_json::json!([
            ["person", "int64", false],
            ["ward", "string", true],
            ["cost", "double", false],
            ["day", "date32[day]", true]
        ])
    );
    assert_eq!(said["first"]["ward"], "[None, 'ward 1', 'ward 2']");
}

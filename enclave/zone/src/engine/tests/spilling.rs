//! What does not fit in memory goes through the scratch disk, and comes back the same or not at all.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt as _,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray},
    datatypes::{Decimal128Type, Field, Int64Type},
};
use bytes::Bytes;
use datafusion::{
    catalog::TableProvider,
    common::DataFusionError,
    datasource::MemTable,
    execution::{SpillFile, SpillWriter, TempFileFactory},
};
use futures::Stream;
use octroi_proto::wire::v1;
use octroi_release::{Digits, Type};

use super::harness::question_of;

use crate::{
    engine::{
        Planned,
        execute::{Executor, Outcome, Run},
        question::Limits,
        raise::form,
        refusal::Cause,
    },
    scratch::Scratch,
};

const PLANTED: &str = "rue de la Liberte, Dijon";
const PLACES: i64 = 40;
/// Each with ten rows, in as many places: what each brings to each place is counted on the way.
const PERSONS: i64 = 40_000;
const ROWS: i64 = 10 * PERSONS;
/// Enough for the answer, and not for what is counted on the way to it.
const MEMORY: usize = 64 << 20;
const SCRATCH: u64 = 256 << 20;

#[test]
fn what_is_spilled_is_answered_as_if_it_had_fit_and_never_lies_in_clear() {
    let whole = told(&run(1 << 30, None).unwrap());
    assert_eq!(whole, expected());
    assert!(matches!(run(MEMORY, None), Err(Cause::OutOfMemory)));
    let disk = tempfile::tempfile().unwrap();
    let scratch = Scratch::new(disk.try_clone().unwrap(), SCRATCH).unwrap();
    let spilled = told(&run(MEMORY, Some(Arc::new(scratch))).unwrap());
    assert!(spilled == whole);
    let mut seen = vec![0; usize::try_from(disk.metadata().unwrap().len()).unwrap()];
    disk.read_exact_at(&mut seen, 0).unwrap();
    assert!(seen.len() > 1 << 20, "{} bytes were spilled", seen.len());
    for word in ["rue de la Liberte", "Dijon"] {
        assert!(!seen.windows(word.len()).any(|window| window == word.as_bytes()), "{word} lies in clear");
    }
}

#[test]
fn what_the_host_writes_over_on_the_way_ends_the_question() {
    let disk = tempfile::tempfile().unwrap();
    let scratch = Scratch::new(disk.try_clone().unwrap(), SCRATCH).unwrap();
    let meddling = Meddling { scratch, disk: Arc::new(disk) };
    let ended = run(MEMORY, Some(Arc::new(meddling)));
    assert!(matches!(ended, Err(Cause::DamagedFile)), "{:?}", ended.err());
}

#[test]
fn a_scratch_disk_that_is_full_is_too_little_memory() {
    let scratch = Scratch::new(tempfile::tempfile().unwrap(), 1 << 20).unwrap();
    let ended = run(MEMORY, Some(Arc::new(scratch)));
    assert!(matches!(ended, Err(Cause::OutOfMemory)), "{:?}", ended.err());
}

/// A host that writes over a byte of each block, before it is read.
struct Meddling {
    scratch: Scratch,
    disk: Arc<File>,
}

struct Meddled {
    file: Arc<dyn SpillFile>,
    disk: Arc<File>,
}

impl TempFileFactory for Meddling {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>, DataFusionError> {
        let file = self.scratch.create_temp_file(description)?;
        Ok(Arc::new(Meddled { file, disk: Arc::clone(&self.disk) }))
    }
}

impl SpillFile for Meddled {
    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(
        &self,
    ) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes, DataFusionError>> + Send>>, DataFusionError> {
        // Set, not turned over: what is read twice must not come right again.
        let written = self.disk.metadata().unwrap().len();
        for place in (17..written).step_by(4096) {
            self.disk.write_all_at(&[0xa5], place).unwrap();
        }
        self.file.read_stream()
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>, DataFusionError> {
        self.file.open_writer()
    }
}

fn run(memory: usize, scratch: Option<Arc<dyn TempFileFactory>>) -> Result<Outcome, Cause> {
    use v1::{column_policy::Role, dimension::Bins};
    let roles = vec![
        ("person", Role::Identifier(v1::Identifier {})),
        ("place", Role::Dimension(v1::Dimension { bins: Some(Bins::Listed(v1::Listed {})), groups: Vec::new() })),
        ("spent", Role::Measure(v1::Measure::default())),
    ];
    let sql = "SELECT place, count(*), sum(spent) FROM trips GROUP BY place";
    let planned = Planned::new(question_of(schema(), roles, sql)).unwrap_or_else(|refused| panic!("{refused}"));
    let limits = Limits { memory, scratch: SCRATCH, rows: 1, bytes: 1, wall: Duration::from_secs(120) };
    let cells = planned.question.cells;
    let ground = Arc::clone(&planned.ruling);
    let run = Run {
        ruling: planned.ruling,
        ground,
        cells,
        tables: vec![Some(table())],
        limits,
        earlier: None,
        information: None,
        noisy: None,
        scratch,
    };
    let executor = Executor::start(2).unwrap();
    let outcome = executor.run(run, Instant::now() + limits.wall);
    executor.stop();
    outcome
}

/// In every seventh place there is one person alone.
fn row(number: i64) -> (i64, String, i64) {
    let place = number * 7_919 % PLACES;
    let person = if place % 7 == 0 { place } else { number / 10 };
    (person, format!("{place:02} {PLANTED}"), number % 100)
}

/// Counts to 5, sums to three digits.
fn expected() -> BTreeMap<String, (i64, i128)> {
    let mut places = BTreeMap::new();
    for (_, place, spent) in (0..ROWS).map(row) {
        if place.split_once(' ').unwrap().0.parse::<i64>().unwrap() % 7 != 0 {
            let told: &mut (i64, i128) = places.entry(place).or_default();
            *told = (told.0 + 1, told.1 + i128::from(spent));
        }
    }
    places
        .into_iter()
        .map(|(place, (count, sum))| {
            let sum: f64 = format!("{:.2e}", sum as f64).parse().unwrap();
            (place, ((count + 2) / 5 * 5, sum as i128))
        })
        .collect()
}

fn told(outcome: &Outcome) -> BTreeMap<String, (i64, i128)> {
    let (keys, counts) = (outcome.kept.column(0).as_string_view(), outcome.kept.column(1).as_primitive::<Int64Type>());
    let sums = outcome.kept.column(2).as_primitive::<Decimal128Type>();
    let row = |row| (keys.value(row).to_owned(), (counts.value(row), sums.value(row)));
    (0..outcome.kept.num_rows()).map(row).collect()
}

fn schema() -> v1::TableSchema {
    use v1::ColumnType::{Integer, String};
    let column = |name: &str, holds: v1::ColumnType| v1::Column {
        name: name.into(),
        r#type: holds.into(),
        ..v1::Column::default()
    };
    let places = (0..PLACES).map(|place| format!("{place:02} {PLANTED}")).collect();
    v1::TableSchema {
        name: "trips".into(),
        columns: vec![
            column("person", Integer),
            v1::Column { domain: places, ..column("place", String) },
            column("spent", Integer),
        ],
        subjects: vec!["person".into()],
        public: false,
    }
}

fn table() -> Arc<dyn TableProvider> {
    let whole = Type::Integer(Digits::STORED);
    let fields = [("person", whole), ("place", Type::String), ("spent", whole)];
    let fields = fields.map(|(name, holds)| Field::new(name, form(holds), true));
    let schema = Arc::new(arrow::datatypes::Schema::new(fields.to_vec()));
    let batch = |first: i64| {
        let rows: Vec<_> = (first..(first + 8_000).min(ROWS)).map(row).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| row.1.as_str()))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let batches: Vec<_> = (0..ROWS).step_by(8_000).map(batch).collect();
    let (first, second) = batches.split_at(batches.len() / 2);
    Arc::new(MemTable::try_new(Arc::clone(&schema), vec![first.to_vec(), second.to_vec()]).unwrap())
}

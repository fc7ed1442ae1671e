//! The table, as two files of the same rows in the same order.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::Path,
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    compute::{sort_to_indices, take_record_batch},
};
use octroi_attest::rules::LEAST_SUBJECTS;
use octroi_proto::wire::zone;
use octroi_zone::table::{FIRST_OFFSET, Schema, Writer};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};
use prost::Message as _;

use super::{DATASET, Outcome, declared, district, keys, policy};

/// Writes `plain.parquet`, `encrypted.parquet`, and `question.pb`: an `octroi.zone.v1.Question` on the encrypted one
/// that has its tables and rules.
pub(super) fn make(folder: &Path, rows: &str) -> Outcome<()> {
    let rows: usize = rows.parse()?;
    let schema = Schema::parse(&declared())?;
    fs::create_dir_all(folder)?;
    let file = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let mut plain = ArrowWriter::try_new(file("plain.parquet")?, schema.stored(), Some(in_clear()?))?;
    let mut encrypted = Writer::new(file("encrypted.parquet")?, DATASET, &schema, &keys())?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut left = rows;
    while left > 0 {
        let group = left.min(GROUP_ROWS);
        let batch = ordered(&batch(&schema, &mut dice, group)?)?;
        plain.write(&batch)?;
        plain.flush()?;
        encrypted.write(&batch)?;
        left -= group;
    }
    plain.close()?;
    let (pins, mut output) = encrypted.finish()?;
    std::io::Write::flush(&mut output)?;
    let files = vec![pins.table_file(FIRST_OFFSET)];
    let ruled = zone::RuledTable { dataset: DATASET.to_owned(), schema: Some(declared()) };
    let question = zone::Question {
        tables: vec![zone::Table { version: 1, files }],
        rules: Some(zone::Rules { tables: vec![ruled], policies: vec![policy()], least_subjects: LEAST_SUBJECTS }),
        ..zone::Question::default()
    };
    Ok(fs::write(folder.join("question.pb"), question.encode_to_vec())?)
}

/// As encrypted files are written, but for the encryption.
fn in_clear() -> Outcome<WriterProperties> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .build())
}

fn batch(schema: &Schema, dice: &mut Dice, rows: usize) -> Outcome<RecordBatch> {
    let mut number = |end: i64| (0..rows).map(|_| dice.below(end)).collect::<Vec<_>>();
    let (households, hours, watt_hours) = (number(HOUSEHOLDS), number(24), number(2_000));
    let districts: StringArray = households.iter().map(|household| Some(district(household % 24))).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(households)),
        Arc::new(Int64Array::from(hours)),
        Arc::new(districts),
        Arc::new(Int64Array::from(watt_hours)),
    ];
    Ok(RecordBatch::try_new(schema.stored(), columns)?)
}

/// By subject within a row group, as loads order rows.
fn ordered(rows: &RecordBatch) -> Outcome<RecordBatch> {
    Ok(take_record_batch(rows, &sort_to_indices(rows.column(0), None, None)?)?)
}

/// xorshift64*: the same rows everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        i64::try_from(drawn).map_or(0, |drawn| drawn % end)
    }
}

const HOUSEHOLDS: i64 = 200_000;
/// As a load's row groups.
const GROUP_ROWS: usize = 256 * 1024;

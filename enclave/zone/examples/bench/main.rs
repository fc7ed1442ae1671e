//! The guest of benchmarks: it reads what no other guest can, Parquet in clear, to compare with.
//!
//! ```text
//! pid 1 of a VM       init, as in every zone, up to the seed -> Ready at once -> questions: read, encrypted, plain
//! bench make FOLDER   on the host: a table's rows as Parquet, in clear and encrypted
//! ```
//!
//! An example, so that it is in no image but its own, whose kernel command line says `octroi.bench`; `octroi zone
//! approve` refuses such an image, and without approval there are no keys. Here there are none to give: the table is
//! made up, and its keys are written below for all to see. Does not give: confinement; it runs as the first process.

mod make;
mod plain;
mod serve;

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use octroi_attest::{FileId, FileKeys, Key};
use octroi_proto::wire::v1;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        return octroi_zone::init::run(|seeded| serve::serve(seeded.into_channel()));
    }
    let words: Vec<String> = env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", folder, rows] => make::make(folder.as_ref(), rows),
        _ => Err("usage: bench make FOLDER ROWS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Should even this fail, the exit code says it.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Readings of meters: whose, in which hour of the day, where, and how much.
fn declared() -> v1::TableSchema {
    let column = |name: &str, r#type: v1::ColumnType| v1::Column {
        name: name.to_owned(),
        r#type: r#type.into(),
        ..v1::Column::default()
    };
    v1::TableSchema {
        name: "readings".to_owned(),
        columns: vec![
            column("household", v1::ColumnType::Integer),
            v1::Column {
                domain: (0..24).map(|hour| hour.to_string()).collect(),
                ..column("hour", v1::ColumnType::Integer)
            },
            v1::Column { domain: (0..24).map(district).collect(), ..column("district", v1::ColumnType::String) },
            column("watt_hours", v1::ColumnType::Integer),
        ],
        subjects: vec!["household".to_owned()],
        public: false,
    }
}

fn district(number: i64) -> String {
    format!("district {number:02}")
}

/// Readings are about households; hours and districts are public.
fn policy() -> v1::ReleasePolicy {
    use v1::{column_policy::Role, dimension::Bins};
    let role = |column: &str, role| v1::ColumnPolicy { column: column.to_owned(), role: Some(role) };
    let listed = || Role::Dimension(v1::Dimension { bins: Some(Bins::Listed(v1::Listed {})), groups: Vec::new() });
    let table = v1::TablePolicy {
        table: "readings".to_owned(),
        units: vec![v1::Unit { column: "household".to_owned(), space: "households".to_owned() }],
        columns: vec![
            role("district", listed()),
            role("hour", listed()),
            role("household", Role::Identifier(v1::Identifier {})),
            role("watt_hours", Role::Measure(v1::Measure::default())),
        ],
        noise_rows: 0,
    };
    let policy = v1::ReleasePolicy { dataset: DATASET.to_owned(), tables: vec![table], ..v1::ReleasePolicy::default() };
    octroi_proto::ReleasePolicy::try_from(policy).map(|policy| (&policy).into()).unwrap_or_default()
}

/// The keys of the one encrypted file, which whoever measures makes in the same way.
fn keys() -> FileKeys {
    let columns = declared().columns.into_iter().zip(1_u8..).map(|(column, byte)| (column.name, Key::from([byte; 32])));
    FileKeys { file_id: FileId::from([7; 16]), footer: Key::from([255; 32]), columns: columns.collect() }
}

const DATASET: &str = "bench";

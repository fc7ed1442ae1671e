//! A question asked of itself before there is any: its code is warm when the first one comes, which is the only one.
//!
//! Without KVM a guest's instructions are translated when they are first executed, by each clone anew; planning alone
//! is some hundred milliseconds of that. So while nobody waits yet, the engine plans and judges a question about a table
//! that does not exist, and seals and opens keys of its columns. Nothing of it is kept, no disk is touched, and what it
//! draws is its own: the clone was seeded before. Does not give: any promise; what fails here is found out by the
//! question that is asked.

use std::{collections::BTreeMap, time::Duration};

use octroi_attest::{
    FileColumns, FileKeys, Key, OpenKeys, Recipient,
    envelope::{Binding, Expected, seal},
    rules::LEAST_SUBJECTS,
};
use octroi_proto::wire::{
    v1::{
        Column, ColumnPolicy, ColumnType, Dimension, Identifier, Listed, Measure, ReleasePolicy, TablePolicy,
        TableSchema, Unit, column_policy::Role, dimension::Bins,
    },
    zone as wire,
};

use super::{MOST_PLANNING, Planned, now, question::Question};

/// Goes through it once, as far as it goes.
pub(super) fn rehearse() {
    // Whether to the end is of no consequence.
    let _keys: Option<OpenKeys> = through();
}

fn through() -> Option<OpenKeys> {
    let question = Question::parse(question()).ok()?;
    let planned = Planned::within(MOST_PLANNING, question).ok()?;
    open(&planned)
}

fn open(planned: &Planned) -> Option<OpenKeys> {
    let files = planned.files.clone();
    let keys = files.iter().map(drawn).collect::<Result<Vec<_>, _>>().ok()?;
    let (work, launch, rules) = (planned.question.query, planned.question.launch, planned.question.rules);
    let recipient = Recipient::generate().ok()?;
    let now = now()?;
    let binding = Binding { work, launch, files, expires: now.checked_add(LONG).ok()?, rules };
    let keys = OpenKeys { files: keys, ..OpenKeys::default() };
    let sealed = seal(&recipient.public_key(), &binding, &keys).ok()?;
    recipient.open(&sealed, &Expected { work, launch, files: &planned.files, rules }, now).ok()
}

fn drawn(file: &FileColumns) -> Result<FileKeys, getrandom::Error> {
    let column = |column: &String| Ok((column.clone(), Key::generate()?));
    let columns: BTreeMap<_, _> = file.columns.iter().map(column).collect::<Result<_, getrandom::Error>>()?;
    Ok(FileKeys { file_id: file.file_id, footer: Key::generate()?, columns })
}

/// Of the kind that is asked most: cells by a key, with conditions, in order.
fn question() -> wire::Question {
    let column =
        |name: &str, r#type: ColumnType| Column { name: name.to_owned(), r#type: r#type.into(), ..Column::default() };
    let schema = TableSchema {
        name: "rehearsal".to_owned(),
        columns: vec![
            column("person", ColumnType::Integer),
            Column { domain: PLACES.map(str::to_owned).to_vec(), ..column("place", ColumnType::String) },
            column("amount", ColumnType::Integer),
        ],
        subjects: vec!["person".to_owned()],
        public: false,
    };
    let file = wire::TableFile { file_id: vec![0; 16], ..wire::TableFile::default() };
    let limits =
        wire::Limits { memory_bytes: 1, scratch_bytes: 0, result_rows: 1, result_bytes: 1, wall_milliseconds: 1 };
    wire::Question {
        query_id: vec![0; 16],
        launch_id: vec![0; 16],
        sql: SQL.to_owned(),
        tables: vec![wire::Table { version: 1, files: vec![file] }],
        histories: Vec::new(),
        check: false,
        organisation: String::new(),
        limits: Some(limits),
        rules: Some(wire::Rules {
            tables: vec![wire::RuledTable { dataset: "rehearsal".to_owned(), schema: Some(schema) }],
            policies: vec![policy()],
            least_subjects: LEAST_SUBJECTS,
        }),
    }
}

/// In the one form that policies have.
fn policy() -> ReleasePolicy {
    let role = |column: &str, role: Role| ColumnPolicy { column: column.to_owned(), role: Some(role) };
    let listed = Dimension { bins: Some(Bins::Listed(Listed {})), groups: Vec::new() };
    let table = TablePolicy {
        table: "rehearsal".to_owned(),
        units: vec![Unit { column: "person".to_owned(), space: "rehearsal".to_owned() }],
        columns: vec![
            role("amount", Role::Measure(Measure::default())),
            role("person", Role::Identifier(Identifier {})),
            role("place", Role::Dimension(listed)),
        ],
        noise_rows: 0,
    };
    let policy = ReleasePolicy { dataset: "rehearsal".to_owned(), tables: vec![table], ..ReleasePolicy::default() };
    octroi_proto::ReleasePolicy::try_from(policy).map(|policy| (&policy).into()).unwrap_or_default()
}

const PLACES: [&str; 2] = ["here", "there"];
const SQL: &str = "SELECT place, COUNT(*) AS number, SUM(amount) AS total, AVG(amount) AS mean FROM rehearsal \
                   WHERE place = 'here' GROUP BY place ORDER BY place";
/// For the keys to be valid; they are opened at once.
const LONG: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_goes_through_to_the_keys_of_what_was_planned() {
        let keys = through().unwrap();
        let [file] = keys.files.as_slice() else { panic!("one file") };
        assert_eq!(file.columns.keys().collect::<Vec<_>>(), ["amount", "person", "place"]);
    }
}

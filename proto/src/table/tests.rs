use proptest::prelude::*;

use super::{
    stored::{FileId, StoredTableFile, TableVersion},
    written::WrittenSchema,
    *,
};
use crate::Instant;

fn column(name: &str, kind: ColumnType) -> v1::Column {
    v1::Column { name: name.into(), r#type: kind.to_wire().into(), ..Default::default() }
}

fn flights() -> v1::DatasetSchema {
    let origin = v1::Column { domain: vec!["EWR".into(), "JFK".into()], ..column("origin", ColumnType::String) };
    let delay = v1::Column { nullable: true, ..column("dep_delay", ColumnType::Float) };
    let hour = v1::Column { domain: vec!["-1".into(), "0".into()], ..column("hour", ColumnType::Integer) };
    let secret = v1::Column { hidden: true, ..column("name", ColumnType::String) };
    let columns = vec![column("tailnum", ColumnType::String), origin, delay, hour, secret];
    let table = v1::TableSchema { name: "flights".into(), columns, subjects: vec!["tailnum".into()], public: false };
    v1::DatasetSchema {
        dataset: "nyc-flights".into(),
        revision: 3,
        tables: vec![table],
        isolation: v1::Isolation::Process.into(),
    }
}

/// The fields refused after a change to the schema.
fn refused(change: impl FnOnce(&mut v1::DatasetSchema)) -> Vec<String> {
    let mut wire = flights();
    change(&mut wire);
    let violations = DatasetSchema::try_from(wire).unwrap_err();
    violations.iter().map(|violation| violation.field.clone()).collect()
}

#[test]
fn a_schema_survives_the_wire() {
    let parsed = DatasetSchema::try_from(flights()).unwrap();
    assert_eq!(v1::DatasetSchema::from(&parsed), flights());
    let table = parsed.table(&"flights".parse().unwrap()).unwrap();
    assert_eq!(table.column(&"hour".parse().unwrap()).unwrap().domain, Some(Domain::Integers(vec![-1, 0])));
    assert_eq!(TableSchema::try_from(v1::TableSchema::from(table)).as_ref(), Ok(table));
}

#[test]
fn what_is_not_said_is_the_strict_way() {
    let parsed = DatasetSchema::try_from(v1::DatasetSchema { isolation: 0, ..flights() }).unwrap();
    assert_eq!(parsed.isolation, Isolation::Vm);
    assert!(!parsed.tables()[0].columns()[0].nullable);
}

#[test]
fn hidden_columns_are_left_out_for_others() {
    let shown = DatasetSchema::try_from(flights()).unwrap().without_hidden();
    let names: Vec<_> = shown.tables()[0].columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["tailnum", "origin", "dep_delay", "hour"]);
}

#[test]
fn every_violation_is_found_and_named() {
    assert_eq!(refused(|it| it.dataset.clear()), ["dataset"]);
    assert_eq!(refused(|it| it.isolation = 9), ["isolation"]);
    assert_eq!(refused(|it| it.tables.clear()), ["tables"]);
    assert_eq!(refused(|it| it.tables.push(it.tables[0].clone())), ["tables"]);
    assert_eq!(refused(|it| it.tables = vec![it.tables[0].clone(); MOST_TABLES + 1]), ["tables"]);
    assert_eq!(refused(|it| it.tables[0].name = "Flights".into()), ["tables[0].name"]);
    assert_eq!(refused(|it| it.tables[0].columns.clear()), ["tables[flights].columns"]);
    assert_eq!(refused(|it| it.tables[0].columns[1].name = "hour".into()), ["tables[flights].columns"]);
    let two = refused(|it| {
        it.tables[0].columns[1].name = "é".into();
        it.tables[0].columns[2].r#type = 0;
    });
    assert_eq!(two, ["tables[flights].columns[1].name", "tables[flights].columns[dep_delay].type"]);
    let wide = refused(|it| {
        let columns = (0..MOST_COLUMNS).map(|n| column(&format!("c{n}"), ColumnType::Float)).collect();
        let table = v1::TableSchema { columns, subjects: Vec::new(), public: true, ..it.tables[0].clone() };
        it.tables = (0..5).map(|n| v1::TableSchema { name: format!("t{n}"), ..table.clone() }).collect();
    });
    assert_eq!(wide, ["tables"]);
}

#[test]
fn domains_fit_their_columns() {
    let with = |index: usize, domain: Vec<String>| refused(move |it| it.tables[0].columns[index].domain = domain);
    let at = |name: &str| [format!("tables[flights].columns[{name}].domain")];
    for bad in ["", "1.5", "+1", "01", "x", "9223372036854775808"] {
        assert_eq!(with(3, vec![bad.into()]), at("hour"), "{bad}");
    }
    for bad in ["", " a", "a\nb", &"x".repeat(201)] {
        assert_eq!(with(1, vec![bad.to_owned()]), at("origin"), "{bad}");
    }
    assert_eq!(with(1, vec!["a".into(), "a".into()]), at("origin"));
    assert_eq!(with(2, vec!["1".into()]), at("dep_delay"));
    assert_eq!(with(3, (0..=MOST_VALUES).map(|n| n.to_string()).collect()), at("hour"));
}

#[test]
fn subjects_are_columns_that_can_be_counted() {
    let at = ["tables[flights].subjects"];
    assert_eq!(refused(|it| it.tables[0].subjects = vec!["nobody".into()]), at);
    assert_eq!(refused(|it| it.tables[0].subjects = vec!["tailnum".into(); 2]), at);
    assert_eq!(refused(|it| it.tables[0].subjects = vec!["tailnum".into(); MOST_SUBJECTS + 1]), at);
    assert_eq!(refused(|it| it.tables[0].subjects = vec!["dep_delay".into()]), at);
    assert_eq!(refused(|it| it.tables[0].columns[0].nullable = true), at);
    assert_eq!(refused(|it| it.tables[0].columns[0].hidden = true), at);
}

#[test]
fn that_rows_are_about_nobody_must_be_said() {
    let at = ["tables[flights].subjects"];
    assert_eq!(refused(|it| it.tables[0].subjects.clear()), at);
    assert_eq!(refused(|it| it.tables[0].public = true), at);
    let mut nobody = flights();
    nobody.tables[0].subjects.clear();
    nobody.tables[0].public = true;
    let nobody = DatasetSchema::try_from(nobody).unwrap();
    assert!(nobody.tables()[0].is_public() && v1::TableSchema::from(&nobody.tables()[0]).public);
}

#[test]
fn hiding_a_column_is_all_that_showing_all_undoes() {
    let table = |wire: v1::DatasetSchema| DatasetSchema::try_from(wire).unwrap().tables()[0].clone();
    let mut more = flights();
    more.tables[0].columns[1].hidden = true;
    assert_eq!(table(more).with_all_shown(), table(flights()).with_all_shown());
    let mut other = flights();
    other.tables[0].columns[1].nullable = true;
    assert_ne!(table(other).with_all_shown(), table(flights()).with_all_shown());
}

#[test]
fn a_schema_is_written_in_words() {
    let json = serde_json::json!({
        "isolation": "process",
        "tables": [{
            "name": "flights",
            "subjects": ["tailnum"],
            "columns": [
                {"name": "tailnum", "type": "string"},
                {"name": "origin", "type": "string", "domain": ["EWR", "JFK"]},
                {"name": "dep_delay", "type": "float", "nullable": true},
                {"name": "hour", "type": "integer", "domain": [-1, 0]},
                {"name": "name", "type": "string", "hidden": true},
            ],
        }],
    });
    let written: WrittenSchema = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(written.into_wire("nyc-flights").unwrap(), v1::DatasetSchema { revision: 0, ..flights() });
    let mut unknown = json.clone();
    unknown["tables"][0]["columns"][0]["secret"] = true.into();
    assert!(serde_json::from_value::<WrittenSchema>(unknown).unwrap_err().to_string().contains("secret"));
    let mut misspelt = json;
    misspelt["tables"][0]["columns"][2]["type"] = "double".into();
    misspelt["isolation"] = "none".into();
    let refused = serde_json::from_value::<WrittenSchema>(misspelt).unwrap().into_wire("x").unwrap_err().to_string();
    assert!(refused.contains("`isolation`: must be one of `vm`, `process`"), "{refused}");
    assert!(refused.contains("tables[flights].columns[dep_delay].type"), "{refused}");
}

fn stored(number: u8) -> StoredTableFile {
    StoredTableFile {
        id: FileId::new([number; 16]),
        length: 1_000,
        sha256: [1; 32],
        footer_sha256: [2; 32],
        footer_length: 300,
        rows: 7,
    }
}

#[test]
fn a_table_survives_the_wire_and_its_files_have_places() {
    let table = TableVersion {
        dataset: "nyc-flights".parse().unwrap(),
        table: "flights".parse().unwrap(),
        version: 2,
        files: vec![stored(0xab), stored(1)],
        loaded: Instant::UNIX_EPOCH,
    };
    assert_eq!(TableVersion::try_from(v1::TableVersion::from(&table)).as_ref(), Ok(&table));
    assert_eq!(table.rows(), 14);
    let id = table.files[0].id;
    let hex = "ab".repeat(16);
    assert_eq!(id.path(&table.dataset), format!("tables/nyc-flights/{hex}.parquet"));
    assert_eq!(id.aad_prefix(&table.dataset, &table.table), format!("nyc-flights/flights/{hex}"));
    let crowd = v1::TableVersion { files: vec![(&stored(1)).into(); stored::MOST_FILES + 1], ..(&table).into() };
    assert!(TableVersion::try_from(crowd).is_err());
}

#[test]
fn a_footer_lies_within_its_file() {
    for (length, footer, fits) in
        [(1_000, 300, true), (1_000, 996, true), (1_000, 997, false), (1_000, 8, false), (3, 9, false), (0, 0, false)]
    {
        let wire = v1::StoredTableFile { length, footer_length: footer, ..(&stored(1)).into() };
        assert_eq!(StoredTableFile::try_from(wire).is_ok(), fits, "{length} {footer}");
    }
}

proptest! {
    #[test]
    fn a_name_needs_no_quotes_in_sql_paths_or_logs(text in "[a-zA-Z0-9_.\" -]{0,70}") {
        if let Ok(name) = text.parse::<ColumnName>() {
            prop_assert_eq!(name.as_str(), text.as_str());
            prop_assert!(text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_lowercase()));
            prop_assert!(!text.contains(['.', '"', ' ', '-']));
        }
    }

    /// Whatever is sent parses to what is written back, or is refused.
    #[test]
    fn what_parses_is_what_was_sent(
        names in prop::collection::vec("[a-c]{1,2}", 1..5),
        kinds in prop::collection::vec(0..8_i32, 5),
        flags in prop::collection::vec(any::<(bool, bool)>(), 5),
        subjects in prop::collection::vec("[a-c]{1,2}", 0..3),
        domain in prop::collection::vec("-?[0-9a]{1,2}", 0..3),
        public in any::<bool>(),
    ) {
        let columns: Vec<_> = names.iter().enumerate().map(|(index, name)| v1::Column {
            name: name.clone(),
            r#type: kinds[index],
            nullable: flags[index].0,
            hidden: flags[index].1,
            domain: if index == 0 { domain.clone() } else { Vec::new() },
        }).collect();
        let wire = v1::TableSchema { name: "t".into(), columns, subjects, public };
        if let Ok(table) = TableSchema::try_from(wire.clone()) {
            prop_assert_eq!(v1::TableSchema::from(&table), wire);
            prop_assert_eq!(table.is_public(), table.subjects().is_empty());
            for subject in table.subjects() {
                let column = table.column(subject).unwrap();
                prop_assert!(!column.nullable && !column.hidden);
            }
        }
    }
}

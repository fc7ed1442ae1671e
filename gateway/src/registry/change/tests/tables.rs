//! Schemas, tables, and who is let ask.

use octroi_proto::{
    ColumnType, DatasetSchema, DatasetState, FileId, GrantAction, Isolation, StoredTableFile, TableSchema, Visibility,
    wire::v1,
};
use proptest::prelude::*;

use super::*;
use crate::zone::load::DurableTableFile;

fn column(name: &str, kind: ColumnType) -> v1::Column {
    v1::Column { name: name.into(), r#type: kind.to_wire().into(), ..Default::default() }
}

/// A table `persons` about `person`, with columns `age` and `name`, in a VM or less.
fn declared() -> v1::DatasetSchema {
    let columns = [("person", ColumnType::Integer), ("age", ColumnType::Integer), ("name", ColumnType::String)];
    let columns = columns.map(|(name, kind)| column(name, kind)).to_vec();
    let table = v1::TableSchema { name: "persons".into(), columns, subjects: vec!["person".into()], public: false };
    v1::DatasetSchema { dataset: "menages".into(), tables: vec![table], ..Default::default() }
}

fn change(schema: v1::DatasetSchema) -> DeclareSchema {
    DeclareSchema { schema: schema.try_into().unwrap() }
}

fn load(schema: &DatasetSchema, number: u8, replace: bool) -> CommitTable {
    CommitTable { schema: schema.tables()[0].clone(), file: file(number), replace }
}

fn file(number: u8) -> DurableTableFile {
    DurableTableFile::for_test(StoredTableFile {
        id: FileId::new([number; 16]),
        length: 1_000,
        sha256: [number; 32],
        footer_sha256: [2; 32],
        footer_length: 100,
        rows: 10,
    })
}

/// A sensitive dataset of claire's, with the schema above.
fn declare(world: &mut World) -> (Dataset, DatasetSchema) {
    let dataset = world.dataset("menages", Level::Sensitive);
    let schema = world.run("claire", dataset.clone(), change(declared())).unwrap();
    (dataset, schema)
}

#[test]
fn its_own_steward_declares_the_tables_of_a_sensitive_dataset() {
    let mut world = World::peopled();
    for level in [Level::Public, Level::QuasiSensitive] {
        let dataset = world.dataset(level.as_str(), level);
        let refused = world.run("claire", dataset, change(declared()));
        assert!(matches!(refused, Err(ChangeError::LevelUnfit { .. })));
    }
    let (dataset, first) = declare(&mut world);
    assert_eq!((first.revision, first.dataset.as_str()), (1, "menages"));
    for other in ["colin", "opal", "rene", "volta"] {
        let refused = world.run(other, dataset.clone(), change(declared()));
        assert!(matches!(refused, Err(ChangeError::NotSteward)), "{other}");
        let refused = world.run(other, dataset.clone(), load(&first, 1, false));
        assert!(matches!(refused, Err(ChangeError::NotSteward)), "{other}");
    }
    let elsewhere = change(v1::DatasetSchema { dataset: "capteurs".into(), ..declared() });
    assert!(matches!(world.run("claire", dataset.clone(), elsewhere), Err(ChangeError::Invalid(_))));
    let mut other = declared();
    other.tables[0].columns.truncate(1);
    let second = world.run("claire", dataset.clone(), change(other)).unwrap();
    assert_eq!(second.revision, 2, "without rows anything may change");
    assert_eq!(world.registry.schema(&dataset.description.id).unwrap(), Some(second));
}

#[test]
fn loads_add_files_or_replace_them() {
    let mut world = World::peopled();
    let (dataset, schema) = declare(&mut world);
    let id = &dataset.description.id;
    assert_eq!(world.registry.tables(id).unwrap(), []);
    world.run("claire", dataset.clone(), load(&schema, 1, false)).unwrap();
    let added = world.run("claire", dataset.clone(), load(&schema, 2, false)).unwrap();
    assert_eq!((added.table.version, added.table.files.len(), added.table.rows()), (2, 2, 20));
    assert_eq!(added.replaced, []);
    let replaced = world.run("claire", dataset.clone(), load(&schema, 3, true)).unwrap();
    assert_eq!((replaced.table.version, replaced.table.files.len()), (3, 1));
    assert_eq!(replaced.replaced, added.table.files);
    assert_eq!(world.registry.table(id, &"persons".parse().unwrap()).unwrap(), Some(replaced.table.clone()));
    assert_eq!(world.registry.tables(id).unwrap(), [replaced.table]);
}

#[test]
fn rows_checked_against_another_schema_are_not_committed() {
    let mut world = World::peopled();
    let (dataset, schema) = declare(&mut world);
    let mut wider = declared();
    wider.tables[0].columns.push(v1::Column { nullable: true, ..column("income", ColumnType::Float) });
    world.run("claire", dataset.clone(), change(wider)).unwrap();
    let refused = world.run("claire", dataset, load(&schema, 1, false)).unwrap_err();
    assert!(matches!(refused, ChangeError::Redeclared));
    assert_eq!(refused.kind(), RefusalKind::Conflict);
}

#[test]
fn a_table_has_so_many_files_and_no_more() {
    let mut world = World::peopled();
    let (dataset, schema) = declare(&mut world);
    let most = octroi_proto::table::stored::MOST_FILES;
    for number in 0..most {
        world.run("claire", dataset.clone(), load(&schema, u8::try_from(number).unwrap(), false)).unwrap();
    }
    let refused = world.run("claire", dataset.clone(), load(&schema, 1, false));
    assert!(matches!(refused, Err(ChangeError::TooManyFiles { .. })));
    assert_eq!(world.run("claire", dataset, load(&schema, 1, true)).unwrap().replaced.len(), most);
}

#[test]
fn isolation_of_what_has_rows_rises_alone() {
    let mut world = World::peopled();
    let (dataset, schema) = declare(&mut world);
    let isolated =
        |isolation: Isolation| change(v1::DatasetSchema { isolation: isolation.to_wire().into(), ..declared() });
    world.run("claire", dataset.clone(), isolated(Isolation::Process)).unwrap();
    world.run("claire", dataset.clone(), load(&schema, 1, false)).unwrap();
    world.run("claire", dataset.clone(), isolated(Isolation::Vm)).unwrap();
    let refused = world.run("claire", dataset, isolated(Isolation::Process)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the table `persons` has rows, so `isolation` must stay `vm`: declare a table of another name instead"
    );
    assert_eq!(refused.kind(), RefusalKind::Precondition);
}

/// What may be done to a column, each as `(new column, allowed)`.
fn edits() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((0..3_usize, 0..7_u8), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against the rule, said a second time edit by edit.
    #[test]
    fn a_table_with_rows_gets_more_hidden_columns_and_nothing_else(
        edits in edits(),
        added in prop::option::of(any::<bool>()),
        filled in any::<bool>(),
    ) {
        let mut world = World::peopled();
        let (dataset, schema) = declare(&mut world);
        if filled {
            world.run("claire", dataset.clone(), load(&schema, 1, false)).unwrap();
        }
        let mut next = declared();
        for (index, edit) in &edits {
            let table = &mut next.tables[0];
            let last = table.columns.len() - 1;
            let Some(column) = table.columns.get_mut(*index) else { continue };
            match edit {
                0 => column.hidden = true,
                1 => column.nullable = true,
                2 => column.r#type = ColumnType::Float.to_wire().into(),
                3 => column.domain = vec!["1".to_owned()],
                4 => table.columns.swap(*index, last),
                5 => {
                    table.subjects.clear();
                    table.public = true;
                }
                _ => drop(table.columns.remove(*index)),
            }
        }
        if let Some(nullable) = added {
            next.tables[0].columns.push(v1::Column { nullable, ..column("income", ColumnType::Float) });
        }
        let Ok(next) = DatasetSchema::try_from(next) else { return Ok(()) };
        let (old, new) = (&schema.tables()[0], &next.tables()[0]);
        let allowed = !filled || same_but_for_hiding(old, new);
        let made = world.run("claire", dataset, DeclareSchema { schema: next.clone() });
        prop_assert_eq!(made.is_ok(), allowed, "{:?}: {:?}", edits, made.err());
    }
}

/// The rule by its effect: hide in the old what the new hides, and the two have the same columns.
fn same_but_for_hiding(old: &TableSchema, new: &TableSchema) -> bool {
    let lines = |table: &TableSchema| {
        let mut lines: Vec<_> = table
            .columns()
            .iter()
            .map(|column| {
                let hidden = column.hidden || new.column(&column.name).is_some_and(|it| it.hidden);
                format!("{} {:?} {} {hidden} {:?}", column.name, column.kind, column.nullable, column.domain)
            })
            .collect();
        lines.sort();
        lines
    };
    old.subjects() == new.subjects() && lines(old) == lines(new)
}

/// A published sensitive dataset that members may know of, and the researcher `ada` of `universite`.
fn askable(world: &mut World) -> Dataset {
    world.approved("ada", "universite", Role::Researcher);
    let mut described = description("menages", Level::Sensitive);
    described.visibility = Visibility::Members;
    let dataset = world.run("claire", Gateway, RegisterDataset { description: described }).unwrap();
    world.run("claire", dataset, PublishDataset).unwrap()
}

fn wish(actions: &[GrantAction]) -> RequestAccess {
    RequestAccess { purpose: "network planning".parse().unwrap(), actions: actions.to_vec() }
}

#[test]
fn researchers_are_granted_questions_and_nothing_else() {
    let mut world = World::peopled();
    let dataset = askable(&mut world);
    for actions in [&[GrantAction::Fetch][..], &[GrantAction::Store], &[GrantAction::Fetch, GrantAction::Ask]] {
        let refused = world.run("ada", dataset.clone(), wish(actions));
        assert!(matches!(refused, Err(ChangeError::LevelUnfit { .. })), "{actions:?}");
    }
    let request = world.run("ada", dataset.clone(), wish(&[GrantAction::Ask])).unwrap();
    let expires = later(&world, YEAR);
    let lent = grant(&mut world, &dataset, &request, expires, None).unwrap();
    assert_eq!((lent.actions.as_slice(), lent.organisation.as_str()), (&[GrantAction::Ask][..], "universite"));
    for other in ["volta", "claire", "rene"] {
        assert!(world.run(other, dataset.clone(), wish(&[GrantAction::Ask])).is_err(), "{other}");
    }
    let quasi = published(&mut world, "capteurs", Level::QuasiSensitive);
    assert!(matches!(
        world.run("ada", quasi.clone(), wish(&[GrantAction::Fetch])),
        Err(ChangeError::LevelUnfit { .. })
    ));
    let refused = world.run("volta", quasi, wish(&[GrantAction::Fetch, GrantAction::Ask]));
    assert!(matches!(refused, Err(ChangeError::Invalid(_))));
}

#[test]
fn what_is_hidden_or_not_published_is_not_asked_for() {
    let mut world = World::peopled();
    let dataset = askable(&mut world);
    let mut hidden = dataset.description.clone();
    hidden.visibility = Visibility::Hidden;
    let change = DescribeDataset { description: hidden, revision: None };
    world.run("claire", dataset.clone(), change).unwrap();
    let refused = world.run("ada", dataset.clone(), wish(&[GrantAction::Ask]));
    assert!(matches!(refused, Err(ChangeError::Absent(Subject::Dataset))));
    let withdrawn = world.run("claire", dataset.clone(), WithdrawDataset).unwrap();
    assert_eq!(withdrawn.state, DatasetState::Withdrawn);
    assert!(matches!(world.run("ada", dataset, wish(&[GrantAction::Ask])), Err(ChangeError::State { .. })));
}

/// The attack: a request to fetch, made while the dataset was lent, is granted once it is sensitive.
#[test]
fn a_request_to_fetch_is_worth_nothing_once_the_dataset_is_sensitive() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let request = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    world.run("claire", dataset.clone(), RaiseLevel { level: Level::Sensitive }).unwrap();
    let expires = later(&world, YEAR);
    let refused = grant(&mut world, &dataset, &request, expires, None);
    assert!(matches!(refused, Err(ChangeError::LevelUnfit { level: Level::Sensitive })));
}

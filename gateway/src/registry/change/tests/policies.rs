//! Release policies.

use octroi_proto::{ColumnType, DatasetSchema, ReleasePolicy, Visibility, release::written::WrittenPolicy, wire::v1};
use serde_json::{Value, json};

use super::*;

/// Columns of integers, the first of which is the subject; `domain` has values.
fn table(name: &str, columns: &[&str]) -> v1::TableSchema {
    let column = |name: &&str| v1::Column {
        name: (*name).into(),
        r#type: ColumnType::Integer.to_wire().into(),
        domain: if *name == "size" { vec!["1".into(), "2".into()] } else { Vec::new() },
        ..Default::default()
    };
    let columns: Vec<_> = columns.iter().map(column).collect();
    v1::TableSchema { name: name.into(), subjects: vec![columns[0].name.clone()], columns, public: false }
}

fn tables(dataset: &str, tables: Vec<v1::TableSchema>) -> DeclareSchema {
    let schema = v1::DatasetSchema { dataset: dataset.into(), tables, ..Default::default() };
    DeclareSchema { schema: DatasetSchema::try_from(schema).unwrap() }
}

fn meters() -> Vec<v1::TableSchema> {
    vec![table("meters", &["household", "size", "hour", "watts"])]
}

fn policy_of(dataset: &str, columns: &Value, cells: &Value) -> DeclarePolicy {
    let units = json!([{"column": "household", "space": "household"}]);
    let tables = json!([{"name": "meters", "units": units, "columns": columns}]);
    let written: WrittenPolicy = serde_json::from_value(json!({"tables": tables, "cells": cells})).unwrap();
    DeclarePolicy { policy: ReleasePolicy::try_from(written.into_wire(dataset).unwrap()).unwrap() }
}

/// Of `energie`: the size of a household in public, the hours of the day in parts.
fn policy(cuts: &[i64]) -> DeclarePolicy {
    policy_of("energie", &columns(cuts), &json!({}))
}

fn columns(cuts: &[i64]) -> Value {
    json!([
        {"name": "size", "role": "dimension"},
        {"name": "hour", "role": "dimension", "cuts": cuts},
        {"name": "watts", "role": "measure"},
    ])
}

/// A policy that joins `homes/homes`.
fn joining() -> DeclarePolicy {
    policy_of("energie", &json!([{"name": "household", "role": "join-key", "to": ["homes/homes"]}]), &json!({}))
}

fn energie(world: &mut World) -> Dataset {
    let dataset = world.dataset("energie", Level::Sensitive);
    world.run("claire", dataset.clone(), tables("energie", meters())).unwrap();
    dataset
}

fn ways(declared: &DeclaredPolicy) -> Vec<String> {
    declared.looser.iter().map(ToString::to_string).collect()
}

#[test]
fn its_own_steward_declares_the_policy_of_tables_that_are_declared() {
    let mut world = World::peopled();
    let open = world.dataset("open", Level::QuasiSensitive);
    let refused = world.run("claire", open, policy_of("open", &columns(&[12]), &json!({})));
    assert!(matches!(refused, Err(ChangeError::LevelUnfit { .. })));
    let dataset = world.dataset("energie", Level::Sensitive);
    let early = world.run("claire", dataset.clone(), policy(&[12])).unwrap_err();
    assert!(matches!(early, ChangeError::NoSchema));
    assert_eq!(early.kind(), RefusalKind::Precondition);
    world.run("claire", dataset.clone(), tables("energie", meters())).unwrap();
    for other in ["colin", "opal", "rene", "volta"] {
        let refused = world.run(other, dataset.clone(), policy(&[12]));
        assert!(matches!(refused, Err(ChangeError::NotSteward)), "{other}");
    }
    let elsewhere = world.run("claire", dataset.clone(), policy_of("homes", &columns(&[12]), &json!({})));
    assert!(matches!(elsewhere, Err(ChangeError::Invalid(_))));
    let unfit = policy_of("energie", &json!([{"name": "tenant", "role": "category"}]), &json!({}));
    let refused = world.run("claire", dataset.clone(), unfit).unwrap_err();
    assert_eq!(refused.kind(), RefusalKind::Invalid);
    assert!(refused.to_string().contains("tables[meters].columns[tenant]"), "{refused}");
    assert_eq!(world.registry.policy(&dataset.description.id).unwrap(), None);
    world.run("claire", dataset, policy(&[12])).unwrap();
}

#[test]
fn each_declaration_is_an_entry_that_says_what_is_looser() {
    let mut world = World::peopled();
    let dataset = energie(&mut world);
    let first = world.run("claire", dataset.clone(), policy(&[6, 12])).unwrap();
    assert_eq!((first.policy.revision(), ways(&first)), (1, vec!["tables[meters]: may be asked".to_owned()]));
    let stricter = policy_of("energie", &columns(&[12]), &json!({"least_subjects": 20}));
    let stricter = world.run("claire", dataset.clone(), stricter).unwrap();
    assert_eq!((stricter.policy.revision(), ways(&stricter)), (2, Vec::new()));
    let looser = world.run("claire", dataset.clone(), policy(&[6, 12])).unwrap();
    let finer = "tables[meters].columns[hour]: finer bins";
    assert_eq!(ways(&looser), [finer, "cells.least_subjects: a laxer threshold"]);
    assert_eq!(world.registry.policy(&dataset.description.id).unwrap().as_ref(), Some(&looser.policy));

    let log = world.registry.log();
    let last = log.entries(log.len() - 1, 1).unwrap().entries.remove(0);
    assert_eq!((last.action.as_str(), last.actor.unwrap().principal.as_str()), ("DeclarePolicy", "claire"));
    let Some(Record::PolicyDeclared(recorded)) = last.record else { panic!("{:?}", last.record) };
    assert_eq!(recorded.policy, Some((&looser.policy).into()));
    assert_eq!(recorded.policy_sha256, looser.policy.digest());
    assert_eq!(recorded.looser, ways(&looser));
}

#[test]
fn a_schema_that_the_policy_would_not_fit_is_refused() {
    let mut world = World::peopled();
    let dataset = energie(&mut world);
    world.run("claire", dataset.clone(), policy(&[12])).unwrap();
    let without = tables("energie", vec![table("meters", &["household", "size", "hour"])]);
    let refused = world.run("claire", dataset.clone(), without.clone()).unwrap_err();
    assert_eq!(refused.kind(), RefusalKind::Precondition);
    assert_eq!(
        refused.to_string(),
        "the dataset's release policy would not fit any more (`tables[meters].columns[watts]`: is no column of the \
         table: leave it out): first declare the policy without that, then the schema"
    );
    let mut hiding = meters();
    hiding[0].columns[3].hidden = true;
    let refused = world.run("claire", dataset.clone(), tables("energie", hiding)).unwrap_err();
    assert!(matches!(refused, ChangeError::PolicyUnfit(_)));
    let mut wider = meters();
    wider.push(table("people", &["person"]));
    world.run("claire", dataset.clone(), tables("energie", wider)).unwrap();
    // As the refusal says to do.
    let narrower = json!([{"name": "size", "role": "dimension"}]);
    world.run("claire", dataset.clone(), policy_of("energie", &narrower, &json!({}))).unwrap();
    world.run("claire", dataset, without).unwrap();
}

#[test]
fn a_policy_joins_what_its_steward_may_know_of() {
    let mut world = World::peopled();
    let dataset = energie(&mut world);
    let refused = world.run("claire", dataset.clone(), joining()).unwrap_err();
    assert_eq!(refused.kind(), RefusalKind::Invalid);
    // Another steward's, not published and hidden: it looks as if it were not there.
    let mut described = description("homes", Level::Sensitive);
    described.steward = "colin".parse().unwrap();
    let homes = world.run("colin", Gateway, RegisterDataset { description: described.clone() }).unwrap();
    world.run("colin", homes.clone(), tables("homes", vec![table("homes", &["household"])])).unwrap();
    let hidden = world.run("claire", dataset.clone(), joining()).unwrap_err();
    assert_eq!(hidden.to_string(), refused.to_string());
    world.run("colin", homes.clone(), PublishDataset).unwrap();
    assert!(world.run("claire", dataset.clone(), joining()).is_err());
    described.visibility = Visibility::Members;
    world.run("colin", homes.clone(), DescribeDataset { description: described.clone(), revision: None }).unwrap();
    world.run("claire", dataset.clone(), joining()).unwrap();
    // Hidden again, it does not keep the first one's steward from the own schema.
    described.visibility = Visibility::Hidden;
    world.run("colin", homes, DescribeDataset { description: described, revision: None }).unwrap();
    let mut wider = meters();
    wider.push(table("people", &["person"]));
    world.run("claire", dataset, tables("energie", wider)).unwrap();
}

use std::collections::BTreeMap;

use jiff::{
    Span,
    civil::{Date, date},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{written::WrittenPolicy, *};
use crate::{DatasetSchema, Violations, table::written::WrittenSchema};

fn schema_of(dataset: &str, tables: &Value) -> DatasetSchema {
    let written: WrittenSchema = serde_json::from_value(json!({ "tables": tables })).unwrap();
    written.into_wire(dataset).unwrap().try_into().unwrap()
}

/// Trips about persons and households, their households, and the public wards.
fn schema() -> DatasetSchema {
    schema_of(
        "mobility",
        &json!([
            {"name": "trips", "subjects": ["person", "household"], "columns": [
                {"name": "person", "type": "integer"},
                {"name": "household", "type": "integer"},
                {"name": "ward", "type": "integer"},
                {"name": "mode", "type": "string", "domain": ["bus", "car", "tram", "walk"]},
                {"name": "floor", "type": "integer", "domain": [-1, 0, 1]},
                {"name": "start", "type": "timestamp"},
                {"name": "day", "type": "date"},
                {"name": "age", "type": "integer"},
                {"name": "km", "type": "float"},
                {"name": "ill", "type": "boolean"},
                {"name": "name", "type": "string", "hidden": true},
            ]},
            {"name": "homes", "subjects": ["household"], "columns": [
                {"name": "household", "type": "integer"},
                {"name": "person", "type": "string"},
                {"name": "ward", "type": "integer", "hidden": true},
            ]},
        ]),
    )
}

fn elsewhere() -> Elsewhere {
    let wards = json!([{"name": "wards", "public": true, "columns": [{"name": "ward", "type": "integer"}]}]);
    Elsewhere::from([("city-wards".parse().unwrap(), schema_of("city-wards", &wards))])
}

/// Every kind of role and of bins.
fn written() -> Value {
    json!({
        "tables": [{
            "name": "trips",
            "units": [
                {"column": "person", "space": "dijon-person"},
                {"column": "household", "space": "dijon-household"},
            ],
            "columns": [
                {"name": "person", "role": "identifier"},
                {"name": "household", "role": "join-key", "to": ["homes"]},
                {"name": "ward", "role": "join-key", "to": ["city-wards/wards"]},
                {"name": "mode", "role": "dimension",
                 "groups": [{"name": "on foot or rails", "values": ["tram", "walk"]}]},
                {"name": "floor", "role": "dimension", "groups": [{"name": "above", "values": [0, 1]}]},
                {"name": "start", "role": "dimension",
                 "calendar": {"from": "2025-01-01", "to": "2026-01-01", "period": "hour"}},
                {"name": "day", "role": "dimension", "cuts": ["2025-01-01", "2025-07-01"]},
                {"name": "age", "role": "dimension", "cuts": [18, 65]},
                {"name": "km", "role": "measure", "low": 0, "high": 100.5, "points": [2, 10]},
                {"name": "ill", "role": "category"},
            ],
        }],
        "cells": {"least_subjects": 20},
        "noise": {"use": "instead-of-refusal", "question": 250},
    })
}

fn wire_of(written: Value) -> v1::ReleasePolicy {
    serde_json::from_value::<WrittenPolicy>(written).unwrap().into_wire("mobility").unwrap()
}

fn policy() -> ReleasePolicy {
    wire_of(written()).try_into().unwrap()
}

/// The policy with another line for one column of `trips`.
fn with(column: Value) -> Value {
    let mut changed = written();
    let columns = changed["tables"][0]["columns"].as_array_mut().unwrap();
    columns.retain(|it| it["name"] != column["name"]);
    columns.push(column);
    changed
}

fn fields(violations: &Violations) -> Vec<String> {
    violations.iter().map(|violation| violation.field.clone()).collect()
}

/// What is refused of a policy in itself, or of its fit.
fn refused(written: Value) -> Vec<String> {
    match ReleasePolicy::try_from(wire_of(written)) {
        Ok(policy) => fields(&policy.fits(&schema(), &elsewhere()).unwrap_err()),
        Err(violations) => fields(&violations),
    }
}

fn refused_column(column: Value) -> String {
    let at = refused(with(column));
    assert_eq!(at.len(), 1, "{at:?}");
    at[0].trim_start_matches("tables[trips].columns").to_owned()
}

#[test]
fn what_is_left_out_has_its_default_and_there_is_one_form() {
    let wire = v1::ReleasePolicy::from(&policy());
    let (cells, information, noise) = (wire.cells.unwrap(), wire.information.unwrap(), wire.noise.unwrap());
    let shares = [cells.largest_share, cells.two_largest_share, cells.rest_share];
    assert_eq!((cells.least_subjects, shares, cells.homogeneity), (20, [85, 90, 10], false));
    assert_eq!((information.together, information.organisation), (250, 125));
    assert_eq!([noise.question, noise.organisation, noise.lifetime], [250, 3_000, 10_000]);
    let nothing = ReleasePolicy::try_from(wire_of(json!({}))).unwrap();
    let wire = v1::ReleasePolicy::from(&nothing);
    assert_eq!(wire.cells.unwrap().least_subjects, 11);
    assert_eq!(wire.noise.unwrap().r#use(), v1::NoiseUse::Never);
    assert_eq!(nothing.fits(&schema(), &elsewhere()), Ok(()), "nothing may be asked");
}

#[test]
fn the_digest_is_of_the_meaning_and_the_revision() {
    let mut turned = written();
    let columns = turned["tables"][0]["columns"].as_array_mut().unwrap();
    columns.reverse();
    columns.iter_mut().find(|column| column["name"] == "age").unwrap()["cuts"] = json!(["1.8e1", 65.0]);
    columns.iter_mut().find(|column| column["name"] == "household").unwrap()["to"] = json!(["mobility/homes"]);
    turned["cells"] = json!({"least_subjects": 20, "rest_share": 10});
    let turned = ReleasePolicy::try_from(wire_of(turned)).unwrap();
    assert_eq!((turned.digest(), &turned), (policy().digest(), &policy()));
    assert_ne!(policy().revised(2).digest(), policy().digest());
    // Held by those who keep receipts: a new form of the message must not change it unseen.
    assert_eq!(
        hex::encode(policy().revised(1).digest()),
        "bb2eefc9e68d33c0adfe42f8b0ea0ed482d1ea3d783dab5d94e765c7ea6acd10"
    );
}

#[test]
fn a_policy_that_fits_fits() {
    assert_eq!(policy().fits(&schema(), &elsewhere()), Ok(()));
    assert_eq!(policy().joined().into_iter().map(DatasetId::as_str).collect::<Vec<_>>(), ["city-wards"]);
}

#[test]
fn every_violation_is_found_and_named() {
    let mut wire = wire_of(written());
    wire.dataset.clear();
    wire.tables[0].table = "Trips".into();
    wire.tables[0].units[0].space = "é".into();
    wire.tables[0].columns[0].role = None;
    wire.tables[0].columns[1].column = "é".into();
    wire.cells.as_mut().unwrap().rest_share = 9;
    wire.noise.as_mut().unwrap().r#use = 9;
    let found = fields(&ReleasePolicy::try_from(wire).unwrap_err());
    let expected = [
        "dataset",
        "cells.rest_share",
        "noise.use",
        "tables[0].table",
        "tables[0].units[person].space",
        "tables[0].columns[person].role",
        "tables[0].columns[1].column",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_there_twice_or_too_often_is_refused() {
    let change = |change: fn(&mut v1::ReleasePolicy)| {
        let mut wire = wire_of(written());
        change(&mut wire);
        fields(&ReleasePolicy::try_from(wire).unwrap_err())
    };
    assert_eq!(change(|it| it.tables.push(it.tables[0].clone())), ["tables[trips]"]);
    assert_eq!(
        change(|it| {
            let column = it.tables[0].columns[0].clone();
            it.tables[0].columns.push(column);
        }),
        ["tables[trips].columns[person]"]
    );
    assert_eq!(change(|it| it.tables = vec![v1::TablePolicy::default(); 51]), ["tables"]);
    assert_eq!(change(|it| it.tables[0].columns = vec![v1::ColumnPolicy::default(); 501]), ["tables[trips].columns"]);
    assert_eq!(change(|it| it.tables[0].units = vec![v1::Unit::default(); 5]), ["tables[trips].units"]);
    let large = change(|it| {
        let points = (0..1_000).map(|point| format!("{}", 1_000_000_000_000_000_i64 + point)).collect();
        let cuts = v1::dimension::Bins::Cuts(v1::Cuts { points });
        let dimension = v1::Dimension { bins: Some(cuts), groups: Vec::new() };
        it.tables[0].columns = (0..20)
            .map(|number| v1::ColumnPolicy {
                column: format!("c{number}"),
                role: Some(v1::column_policy::Role::Dimension(dimension.clone())),
            })
            .collect();
    });
    assert_eq!(large, ["tables"]);
}

#[test]
fn rules_are_never_laxer_than_their_sources() {
    let rule = |section: &str, key: &str, value: Value| {
        let mut changed = written();
        changed[section][key] = value;
        ReleasePolicy::try_from(wire_of(changed)).map_err(|violations| fields(&violations))
    };
    for (section, key, good, bad) in [
        ("cells", "least_subjects", [11, 1_000_000], [10, 1_000_001]),
        ("cells", "largest_share", [1, 85], [86, 100]),
        ("cells", "two_largest_share", [1, 90], [91, 100]),
        ("cells", "rest_share", [10, 100], [9, 101]),
        ("information", "together", [1, 250], [251, 1_000]),
        ("information", "organisation", [1, 250], [251, 1_000]),
        ("noise", "question", [1, 1_000], [1_001, 3_000]),
        ("noise", "organisation", [250, 10_000], [249, 10_001]),
        ("noise", "lifetime", [3_000, 20_000], [2_999, 20_001]),
    ] {
        for good in good {
            assert!(rule(section, key, good.into()).is_ok(), "{section}.{key} = {good}");
        }
        for bad in bad {
            let refused = rule(section, key, bad.into()).unwrap_err();
            assert!(refused.iter().all(|at| at.starts_with(section)), "{section}.{key} = {bad}: {refused:?}");
        }
    }
    // A 0 would be the default on the wire.
    for section in ["cells", "information", "noise"] {
        for (key, _) in to_json_rules(section) {
            let mut zero = written();
            zero[section][&key] = 0.into();
            let written: WrittenPolicy = serde_json::from_value(zero).unwrap();
            assert_eq!(fields(&written.into_wire("mobility").unwrap_err()), [format!("{section}.{key}")]);
        }
    }
}

/// The numbers of a section.
fn to_json_rules(section: &str) -> Vec<(String, Value)> {
    let shown = crate::to_json(&v1::ReleasePolicy::from(&policy()));
    let fields = shown[section].as_object().unwrap().clone();
    fields.into_iter().filter(|(_, value)| value.is_number()).collect()
}

#[test]
fn units_are_the_subjects_in_their_order() {
    let at = ["tables[trips].units"];
    let units = |change: fn(&mut Vec<Value>)| {
        let mut changed = written();
        change(changed["tables"][0]["units"].as_array_mut().unwrap());
        refused(changed)
    };
    assert_eq!(units(|units| units.reverse()), at);
    assert_eq!(units(|units| units.truncate(1)), at);
    assert_eq!(units(Vec::clear), at);
    assert_eq!(units(|units| units[0]["column"] = "age".into()), at);
    let public = json!({"tables": [{"name": "wards", "columns": [{"name": "ward", "role": "identifier"}],
                                    "units": [{"column": "ward", "space": "ward"}]}]});
    let wire = serde_json::from_value::<WrittenPolicy>(public).unwrap().into_wire("city-wards").unwrap();
    let schema = elsewhere().into_values().next().unwrap();
    let refused = ReleasePolicy::try_from(wire).unwrap().fits(&schema, &Elsewhere::new()).unwrap_err();
    assert!(refused.to_string().contains("must be left out"), "{refused}");
}

#[test]
fn roles_go_with_columns_that_may_be_named() {
    for (column, at) in [
        (json!({"name": "nobody", "role": "identifier"}), "[nobody]"),
        (json!({"name": "name", "role": "identifier"}), "[name]"),
        // What names a subject is nothing to choose, group or add up by.
        (json!({"name": "person", "role": "dimension", "cuts": [1]}), "[person]"),
        (json!({"name": "person", "role": "measure"}), "[person]"),
        (json!({"name": "person", "role": "category"}), "[person]"),
        (json!({"name": "mode", "role": "measure"}), "[mode]"),
        (json!({"name": "ill", "role": "measure", "points": [1]}), "[ill]"),
        (json!({"name": "km", "role": "category"}), "[km]"),
        (json!({"name": "start", "role": "category"}), "[start]"),
    ] {
        assert_eq!(refused_column(column.clone()), at, "{column}");
    }
}

#[test]
fn bins_are_of_the_column_s_type_and_ascend() {
    for (column, at) in [
        (json!({"name": "age", "role": "dimension"}), "[age]"),
        (json!({"name": "km", "role": "dimension"}), "[km]"),
        (json!({"name": "age", "role": "measure", "points": [17.5]}), "[age].points"),
        (json!({"name": "age", "role": "measure", "points": [1e17]}), "[age].points"),
        (json!({"name": "day", "role": "dimension", "cuts": ["-000001-01-01"]}), "[day].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": []}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": [65, 18]}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": [18, 18]}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": [18.5]}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": [i64::MIN]}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": ["old"]}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": ["2025-01-01"]}), "[age].cuts"),
        (json!({"name": "age", "role": "dimension", "cuts": (0..1_001).collect::<Vec<_>>()}), "[age].cuts"),
        (json!({"name": "km", "role": "dimension", "cuts": ["NaN"]}), "[km].cuts"),
        (json!({"name": "km", "role": "dimension", "cuts": ["inf"]}), "[km].cuts"),
        (json!({"name": "km", "role": "dimension", "cuts": ["2025-01-01"]}), "[km].cuts"),
        (json!({"name": "day", "role": "dimension", "cuts": [18]}), "[day].cuts"),
        (json!({"name": "day", "role": "dimension", "cuts": ["2025-1-1"]}), "[day].cuts"),
        (json!({"name": "day", "role": "dimension", "cuts": ["20250101"]}), "[day].cuts"),
        (json!({"name": "mode", "role": "dimension", "cuts": [18]}), "[mode].cuts"),
        (json!({"name": "km", "role": "measure", "points": [2, 2]}), "[km].points"),
        (json!({"name": "km", "role": "measure", "points": [2, 1]}), "[km].points"),
        (json!({"name": "km", "role": "measure", "low": 1, "high": 1}), "[km].low"),
        (json!({"name": "km", "role": "measure", "low": 1}), "[km].low"),
        (json!({"name": "km", "role": "measure", "high": 1}), "[km].low"),
    ] {
        assert_eq!(refused_column(column.clone()), at, "{column}");
    }
    for good in [
        json!({"name": "km", "role": "dimension", "cuts": [0.5, 18]}),
        json!({"name": "km", "role": "dimension", "cuts": [18]}),
        json!({"name": "start", "role": "dimension", "cuts": ["2025-01-01"]}),
        json!({"name": "km", "role": "measure"}),
        json!({"name": "age", "role": "measure", "points": [18.0]}),
        json!({"name": "ill", "role": "dimension"}),
    ] {
        let policy = ReleasePolicy::try_from(wire_of(with(good.clone()))).unwrap();
        assert_eq!(policy.fits(&schema(), &elsewhere()), Ok(()), "{good}");
    }
}

#[test]
fn calendars_are_whole_periods_and_not_too_many() {
    let calendar = |column: &str, from: &str, to: &str, period: &str| {
        let calendar = json!({"from": from, "to": to, "period": period});
        let written = with(json!({"name": column, "role": "dimension", "calendar": calendar}));
        let fits = |policy: ReleasePolicy| policy.fits(&schema(), &elsewhere());
        ReleasePolicy::try_from(wire_of(written)).and_then(fits).map_err(|it| fields(&it).concat())
    };
    for (column, from, to, period) in [
        ("start", "2013-01-01", "2024-05-29", "hour"), // 99,984 of them
        ("day", "1900-01-01", "2100-01-01", "day"),
        ("day", "2025-01-06", "2025-02-03", "week"),
        ("start", "2024-02-01", "2025-03-01", "month"),
        ("day", "2024-01-01", "2025-01-01", "year"),
    ] {
        assert_eq!(calendar(column, from, to, period), Ok(()), "{from} {to} {period}");
    }
    let at = |column: &str, field: &str| Err(format!("tables[trips].columns[{column}].calendar{field}"));
    for (from, to, period, field) in [
        ("2013-01-01", "2024-06-01", "hour", ".period"), // 100,056 of them
        ("2025-01-01", "2025-02-01", "fortnight", ".period"),
        ("2025-01-01", "2025-01-01", "day", ".to"),
        ("2025-02-01", "2025-01-01", "day", ".to"),
        ("2025-01-01", "2025-02-03", "week", ".from"),
        ("2025-01-06", "2025-02-04", "week", ".to"),
        ("2025-01-02", "2025-02-01", "month", ".from"),
        ("2025-01-01", "2026-02-01", "year", ".to"),
        ("2025-02-30", "2026-02-01", "day", ".from"),
        ("2025-01-01T00:00:00", "2026-02-01", "day", ".from"),
    ] {
        assert_eq!(calendar("start", from, to, period), at("start", field), "{from} {to} {period}");
    }
    assert_eq!(calendar("day", "2025-01-01", "2025-02-01", "hour"), at("day", ""));
    assert_eq!(calendar("age", "2025-01-01", "2025-02-01", "day"), at("age", ""));
}

#[test]
fn groups_are_of_known_values() {
    let groups = |groups: Value| refused_column(json!({"name": "mode", "role": "dimension", "groups": groups}));
    let group = |name: &str, values: &[&str]| json!({"name": name, "values": values});
    assert_eq!(groups(json!([group("x", &["boat"])])), "[mode].groups[x]");
    assert_eq!(groups(json!([group("", &["bus"])])), "[mode].groups");
    assert_eq!(groups(json!([group("x", &[])])), "[mode].groups");
    assert_eq!(groups(json!([group("x", &["bus", "bus"])])), "[mode].groups");
    assert_eq!(groups(json!([group("x", &["bus"]), group("x", &["car"])])), "[mode].groups");
    let many: Vec<_> = (0..=MOST_GROUPS).map(|number| group(&number.to_string(), &["bus"])).collect();
    assert_eq!(groups(many.into()), "[mode].groups");
    let cut = json!({"name": "age", "role": "dimension", "cuts": [18], "groups": [group("x", &["18"])]});
    assert_eq!(refused_column(cut), "[age].groups");
}

#[test]
fn joins_lead_to_tables_that_are_known() {
    let to = |column: &str, to: &[&str]| json!({"name": column, "role": "join-key", "to": to});
    for (column, at) in [
        (to("household", &[]), "[household].to"),
        (to("household", &["homes", "homes"]), "[household].to"),
        (to("household", &["homes", "mobility/homes"]), "[household].to"),
        (to("household", &["Homes"]), "[household].to"),
        (to("household", &["a/b/c"]), "[household].to"),
        (to("household", &["nowhere"]), "[household].to"),
        (to("household", &["unknown-dataset/homes"]), "[household].to"),
        // To itself, to a column of another type, to a hidden one, and to none.
        (to("household", &["trips"]), "[household].to"),
        (to("person", &["homes"]), "[person].to"),
        (to("ward", &["homes"]), "[ward].to"),
        (to("age", &["city-wards/wards"]), "[age].to"),
    ] {
        assert_eq!(refused_column(column.clone()), at, "{column}");
    }
}

#[test]
fn keys_that_do_not_go_with_a_role_are_refused() {
    let written = |column: Value| {
        let written: WrittenPolicy = serde_json::from_value(with(column)).unwrap();
        fields(&written.into_wire("mobility").unwrap_err()).concat()
    };
    let at = |field: &str| format!("tables[trips].columns[km].{field}");
    assert_eq!(written(json!({"name": "km", "role": "number"})), at("role"));
    assert_eq!(written(json!({"name": "km", "role": "category", "low": 1})), at("low"));
    assert_eq!(written(json!({"name": "km", "role": "measure", "cuts": [1]})), at("cuts"));
    assert_eq!(written(json!({"name": "km", "role": "dimension", "to": ["homes"]})), at("to"));
    let calendar = json!({"from": "2025-01-01", "to": "2026-01-01", "period": "day"});
    let both = json!({"name": "km", "role": "dimension", "cuts": [1], "calendar": calendar});
    assert_eq!(written(both), at("calendar"));
}

/// What is looser after a change to one column, or to the rest.
fn looser(changed: Value) -> Vec<(String, Way)> {
    let changed = ReleasePolicy::try_from(wire_of(changed)).unwrap();
    let found = changed.looser_than(Some(&policy())).into_iter();
    found.map(|it| (it.at.trim_start_matches("tables[trips].columns").to_owned(), it.way)).collect()
}

#[test]
fn looser_columns_are_found() {
    let calendar = |from: &str, to: &str, period: &str| {
        let calendar = json!({"from": from, "to": to, "period": period});
        json!({"name": "start", "role": "dimension", "calendar": calendar})
    };
    let rails = json!([{"name": "rails", "values": ["walk", "tram"]}]);
    for (column, expected) in [
        (json!({"name": "age", "role": "dimension", "cuts": [18]}), None),
        (json!({"name": "age", "role": "dimension", "cuts": [18, 40, 65]}), Some(("[age]", Way::Finer))),
        (json!({"name": "age", "role": "dimension", "cuts": [19, 65]}), Some(("[age]", Way::Finer))),
        (json!({"name": "age", "role": "identifier"}), None),
        (json!({"name": "age", "role": "measure"}), Some(("[age]", Way::Role))),
        (calendar("2025-01-01", "2026-01-01", "day"), None),
        (calendar("2025-01-06", "2025-02-03", "week"), None),
        (calendar("2025-01-01", "2026-02-01", "day"), Some(("[start]", Way::Finer))),
        (json!({"name": "mode", "role": "dimension"}), None),
        (json!({"name": "mode", "role": "dimension", "groups": rails}), None),
        (
            json!({"name": "mode", "role": "dimension", "groups": [{"name": "x", "values": ["bus", "car"]}]}),
            Some(("[mode].groups", Way::Grouped)),
        ),
        (json!({"name": "ill", "role": "dimension", "cuts": [1]}), Some(("[ill]", Way::Role))),
        (json!({"name": "km", "role": "measure"}), None),
        (json!({"name": "km", "role": "measure", "low": 0, "high": 1, "points": [2]}), None),
        (json!({"name": "km", "role": "measure", "points": [3]}), Some(("[km].points", Way::Finer))),
        (json!({"name": "household", "role": "identifier"}), None),
        (
            json!({"name": "household", "role": "join-key", "to": ["homes", "flats"]}),
            Some(("[household]", Way::Joined)),
        ),
        (json!({"name": "income", "role": "measure"}), Some(("[income]", Way::Role))),
    ] {
        let expected: Vec<_> = expected.map(|(at, way)| (at.to_owned(), way)).into_iter().collect();
        assert_eq!(looser(with(column.clone())), expected, "{column}");
    }
    let clamped =
        policy().looser_than(Some(&wire_of(with(json!({"name": "km", "role": "measure"}))).try_into().unwrap()));
    assert_eq!(clamped.iter().map(|it| it.way).collect::<Vec<_>>(), [Way::Finer, Way::Noisy]);
}

#[test]
fn looser_rules_are_found() {
    let mut changed = written();
    changed["cells"] = json!({"least_subjects": 19});
    changed["noise"] = json!({"use": "only", "question": 251});
    changed["tables"][0]["units"][0]["space"] = "somebody".into();
    let found = looser(changed);
    let found: Vec<_> = found.iter().map(|(at, way)| (at.as_str(), *way)).collect();
    assert_eq!(
        found,
        [
            ("tables[trips].units", Way::Recounted),
            ("cells.least_subjects", Way::Threshold),
            ("noise.question", Way::Budget),
        ]
    );
    let mut other = written();
    other["tables"][0]["name"] = "walks".into();
    assert_eq!(looser(other), [("tables[walks]".to_owned(), Way::Asked)]);
    let usage = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|usage| {
            let mut changed = written();
            changed["noise"]["use"] = usage.into();
            ReleasePolicy::try_from(wire_of(changed)).unwrap()
        });
        to.looser_than(Some(&from)).iter().any(|it| it.way == Way::Answered)
    };
    let words = ["never", "instead-of-refusal", "only"];
    let found: Vec<_> = words.iter().flat_map(|from| words.iter().map(|to| usage(from, to))).collect();
    assert_eq!(found, [false, true, true, false, false, false, true, true, false]);
    let first = policy().looser_than(None);
    assert_eq!(first, [Loosening { at: "tables[trips]".into(), way: Way::Asked }]);
    assert_eq!(first[0].to_string(), "tables[trips]: may be asked");
}

/// Where a point lies among cuts.
fn bin(cuts: &[i64], value: i64) -> usize {
    cuts.iter().filter(|cut| **cut <= value).count()
}

proptest! {
    #[test]
    fn cuts_are_finer_exactly_where_a_bin_falls_apart(
        old in proptest::collection::btree_set(0_i64..12, 1..6),
        new in proptest::collection::btree_set(0_i64..12, 1..6),
    ) {
        let [old, new] = [old, new].map(|cuts| cuts.into_iter().collect::<Vec<_>>());
        let together = |cuts: &[i64], a, b| bin(cuts, a) == bin(cuts, b);
        let apart = (-1..13).any(|a| (-1..13).any(|b| together(&old, a, b) && !together(&new, a, b)));
        let bins = |cuts: &[i64]| Bins::Cuts(Cuts::Integers(cuts.to_vec()));
        prop_assert_eq!(bins(&new).finer_than(&bins(&old)), apart);
    }

    /// Against days, put into bins one by one.
    #[test]
    fn calendars_are_finer_only_where_a_bin_falls_apart(
        old in (0_i16..3, 1_i16..3, 0_usize..4),
        new in (0_i16..3, 1_i16..3, 0_usize..4),
    ) {
        let periods = ["day", "week", "month", "year"];
        let [old, new] = [old, new].map(|(from, years, period)| {
            let ends = [from, from + years].map(|year| match periods[period] {
                "week" => MONDAYS[usize::try_from(year).unwrap()].to_owned(),
                _ => format!("{}-01-01", 2024 + year),
            });
            let [from, to] = ends;
            Calendar::parse(&v1::Calendar { from, to, period: periods[period].into() }).unwrap()
        });
        let days: Vec<Date> = date(2023, 12, 1).series(Span::new().days(1)).take(2_000).collect();
        // A bin of each is one of the other's, or some of them: each of the old lies in one of the new.
        let mut holds = BTreeMap::new();
        let apart = days.iter().any(|day| {
            let into = place(&new, *day);
            *holds.entry(place(&old, *day)).or_insert(into) != into
        });
        let finer = Bins::Calendar(new).finer_than(&Bins::Calendar(old));
        prop_assert!(finer || !apart, "{:?} {:?}", old, new);
        prop_assert!(finer == apart || old.period() != new.period(), "{:?} {:?}", old, new);
    }

    #[test]
    fn what_is_parsed_has_one_form(
        cuts in proptest::collection::btree_set(-1_000_i64..1_000, 1..20),
        scale in prop::sample::select(vec![1.0, 0.5, 1e-3, 1e12]),
        least in 11_u32..100,
        together in 1_u32..=250,
    ) {
        let points: Vec<String> = cuts.iter().map(|cut| {
            #[expect(clippy::cast_precision_loss, reason = "a thousand is exact")]
            let point = *cut as f64 * scale;
            format!("{point:e}")
        }).collect();
        let mut wire = wire_of(written());
        let bins = Some(v1::dimension::Bins::Cuts(v1::Cuts { points }));
        let dimension = v1::Dimension { bins, groups: Vec::new() };
        wire.tables[0].columns.push(v1::ColumnPolicy {
            column: "speed".into(),
            role: Some(v1::column_policy::Role::Dimension(dimension)),
        });
        wire.cells.as_mut().unwrap().least_subjects = least;
        wire.information = Some(v1::InformationBudget { together, organisation: 0 });
        let parsed = ReleasePolicy::try_from(wire).unwrap();
        let form = v1::ReleasePolicy::from(&parsed);
        let again = ReleasePolicy::try_from(form.clone()).unwrap();
        prop_assert_eq!(v1::ReleasePolicy::from(&again), form);
        prop_assert_eq!(again.looser_than(Some(&parsed)), []);
        prop_assert_eq!(again, parsed);
    }
}

/// Of the weeks in which a year begins, from 2024 on.
const MONDAYS: [&str; 5] = ["2024-01-01", "2024-12-30", "2025-12-29", "2026-12-28", "2027-12-27"];

/// The bin of a day, by the date it begins on; `None` outside.
fn place(calendar: &Calendar, day: Date) -> Option<Date> {
    let (from, to) = calendar.ends();
    if day < from || day >= to {
        return None;
    }
    Some(match calendar.period() {
        Period::Hour | Period::Day => day,
        Period::Week => {
            let since = day.weekday().to_monday_zero_offset();
            day.checked_sub(Span::new().days(i64::from(since))).unwrap()
        }
        Period::Month => day.first_of_month(),
        Period::Year => day.first_of_year(),
    })
}

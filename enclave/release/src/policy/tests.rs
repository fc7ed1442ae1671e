use octroi_proto::wire::v1 as wire;

use super::*;

fn table() -> Table {
    let column = |name: &str, holds: wire::ColumnType, domain: &[&str]| wire::Column {
        name: name.into(),
        r#type: holds.into(),
        domain: domain.iter().map(|value| (*value).to_owned()).collect(),
        hidden: name == "secret",
        ..wire::Column::default()
    };
    Table::parse(&wire::TableSchema {
        name: "t".into(),
        columns: vec![
            column("id", wire::ColumnType::String, &[]),
            column("mode", wire::ColumnType::String, &["a", "b", "c"]),
            column("km", wire::ColumnType::Float, &[]),
            column("secret", wire::ColumnType::String, &[]),
        ],
        subjects: vec!["id".into()],
        ..wire::TableSchema::default()
    })
    .unwrap()
}

fn role(column: &str, role: wire::column_policy::Role) -> wire::ColumnPolicy {
    wire::ColumnPolicy { column: column.into(), role: Some(role) }
}

fn identifier() -> wire::column_policy::Role {
    wire::column_policy::Role::Identifier(wire::Identifier {})
}

fn mode(groups: &[(&str, &[&str])]) -> wire::ColumnPolicy {
    let group = |(name, values): &(&str, &[&str])| wire::Group {
        name: (*name).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let bins = Some(wire::dimension::Bins::Listed(wire::Listed {}));
    let dimension = wire::Dimension { bins, groups: groups.iter().map(group).collect() };
    role("mode", wire::column_policy::Role::Dimension(dimension))
}

fn km(low: Option<f64>, high: Option<f64>, points: &[f64]) -> wire::ColumnPolicy {
    let measure = wire::Measure { low, high, points: points.to_vec() };
    role("km", wire::column_policy::Role::Measure(measure))
}

fn parse(columns: Vec<wire::ColumnPolicy>) -> Result<Policies, PolicyError> {
    let units = vec![wire::Unit { column: "id".into(), space: "people".into() }];
    parse_all(vec![wire::TablePolicy { table: "t".into(), units, columns, noise_rows: 0 }])
}

fn parse_all(tables: Vec<wire::TablePolicy>) -> Result<Policies, PolicyError> {
    let policy = wire::ReleasePolicy { dataset: "d".into(), tables, ..wire::ReleasePolicy::default() };
    Policies::parse(&Schemas::new(vec![table()]), &["d"], &[policy])
}

#[test]
fn roles_are_those_declared_and_no_others() {
    let sound = vec![role("id", identifier()), mode(&[("ab", &["a", "b"])]), km(Some(0.0), Some(9.0), &[1.0])];
    let policies = parse(sound).unwrap();
    let table = policies.table(0).unwrap();
    assert!(matches!(table.role(0), Some(Role::Identifier)));
    let Some(Role::Dimension { groups, .. }) = table.role(1) else { panic!("a dimension") };
    assert_eq!(groups[0].bins, BinSet::range(0, 2));
    assert_eq!(table.role(3), None);
    assert_eq!(table.units(), [Unit { column: 0, space: "people".into() }]);
    assert_eq!(table.facts().to_string(), "d/t");
}

#[test]
fn a_policy_that_is_not_understood_is_none() {
    let column = |name: &str| PolicyError::Column { column: name.into() };
    let groups = || PolicyError::Groups { column: "mode".into() };
    let of_role = |name: &str| PolicyError::Role { column: name.into() };
    let table: Vec<(Vec<wire::ColumnPolicy>, PolicyError)> = vec![
        (vec![role("secret", identifier())], column("secret")),
        (vec![role("nothing", identifier())], column("nothing")),
        (vec![role("id", identifier()), role("id", identifier())], column("id")),
        (vec![wire::ColumnPolicy { column: "id".into(), role: None }], of_role("id")),
        (vec![mode(&[("ad", &["a", "d"])])], groups()),
        (vec![mode(&[("aa", &["a", "a"])])], groups()),
        (vec![mode(&[("", &["a"])])], groups()),
        (vec![mode(&[("a", &["a"]), ("a", &["b"])])], groups()),
        (vec![km(Some(1.0), None, &[])], of_role("km")),
        (vec![km(Some(1.0), Some(1.0), &[])], of_role("km")),
        (vec![km(Some(0.0), Some(f64::INFINITY), &[])], of_role("km")),
        (vec![km(None, None, &[2.0, 1.0])], PolicyError::Bins { column: "km".into() }),
        (vec![role("id", wire::column_policy::Role::JoinKey(wire::JoinKey { to: Vec::new() }))], of_role("id")),
    ];
    for (columns, expected) in table {
        assert_eq!(parse(columns).unwrap_err(), expected);
    }
    let table = |units| wire::TablePolicy { table: "t".into(), units, columns: Vec::new(), noise_rows: 0 };
    let unit = |column: &str, space: &str| wire::Unit { column: column.into(), space: space.into() };
    for units in [vec![], vec![unit("km", "people")], vec![unit("id", "")], vec![unit("id", "a"), unit("id", "a")]] {
        assert_eq!(parse_all(vec![table(units)]).unwrap_err(), PolicyError::Units { table: "t".into() });
    }
    let twice = || table(vec![unit("id", "people")]);
    assert_eq!(parse_all(vec![twice(), twice()]).unwrap_err(), PolicyError::Twice { table: "t".into() });
}

#[test]
fn a_table_that_no_policy_names_is_not_asked() {
    assert!(parse_all(Vec::new()).unwrap().table(0).is_none());
}

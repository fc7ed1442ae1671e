//! Trips of persons, their households, and the districts of these, which are about nobody.

use octroi_proto::wire::v1 as wire;

use crate::{
    calendar::date,
    expression::{Comparison, Expression, Function, Literal},
    plan::{Aggregate, Aggregation, Join, JoinKind, OutputColumn, Plan, RowColumn, Rows, Scan},
    policy::{Policies, PolicyError},
    schema::{Schemas, Table},
};

pub(super) type Row = Expression<RowColumn>;

pub(super) const PERSON: RowColumn = RowColumn { scan: 0, column: 0 };
pub(super) const HOUSEHOLD: RowColumn = RowColumn { scan: 0, column: 1 };
pub(super) const MODE: RowColumn = RowColumn { scan: 0, column: 2 };
pub(super) const AT: RowColumn = RowColumn { scan: 0, column: 3 };
pub(super) const DAY: RowColumn = RowColumn { scan: 0, column: 4 };
pub(super) const AGE: RowColumn = RowColumn { scan: 0, column: 5 };
pub(super) const KM: RowColumn = RowColumn { scan: 0, column: 6 };
pub(super) const LATE: RowColumn = RowColumn { scan: 0, column: 7 };
pub(super) const PURPOSE: RowColumn = RowColumn { scan: 0, column: 8 };
pub(super) const TRIP: RowColumn = RowColumn { scan: 0, column: 9 };
pub(super) const NOTE: RowColumn = RowColumn { scan: 0, column: 10 };
pub(super) const SECRET: RowColumn = RowColumn { scan: 0, column: 11 };
pub(super) const WEEKDAY: RowColumn = RowColumn { scan: 0, column: 12 };
pub(super) const MINUTES: RowColumn = RowColumn { scan: 0, column: 13 };
pub(super) const HOME: RowColumn = RowColumn { scan: 1, column: 0 };
pub(super) const COMMUNE: RowColumn = RowColumn { scan: 1, column: 1 };
pub(super) const INCOME: RowColumn = RowColumn { scan: 1, column: 2 };
pub(super) const DISTRICT: RowColumn = RowColumn { scan: 1, column: 3 };
pub(super) const PLACE: RowColumn = RowColumn { scan: 2, column: 0 };
pub(super) const DENSITY: RowColumn = RowColumn { scan: 2, column: 1 };

pub(super) fn schemas() -> Schemas {
    use wire::ColumnType::{Boolean, Date, Float, Integer, String, Timestamp};
    let trips = wire::TableSchema {
        name: "trips".into(),
        columns: vec![
            column("person", String, &[]),
            column("household", Integer, &[]),
            column("mode", String, &["walk", "bike", "tram", "car"]),
            column("at", Timestamp, &[]),
            column("day", Date, &[]),
            column("age", Integer, &[]),
            column("km", Float, &[]),
            column("late", Boolean, &[]),
            column("purpose", String, &[]),
            column("trip", Integer, &[]),
            column("note", String, &[]),
            wire::Column { hidden: true, ..column("secret", String, &[]) },
            column("weekday", Integer, &["1", "2", "3", "4", "5", "6", "7"]),
            column("minutes", Integer, &[]),
        ],
        subjects: vec!["person".into()],
        ..wire::TableSchema::default()
    };
    let households = wire::TableSchema {
        name: "households".into(),
        columns: vec![
            column("household", Integer, &[]),
            column("commune", String, &["north", "south", "west"]),
            column("income", Float, &[]),
            column("district", Integer, &[]),
        ],
        subjects: vec!["household".into()],
        ..wire::TableSchema::default()
    };
    let districts = wire::TableSchema {
        name: "districts".into(),
        columns: vec![column("district", Integer, &[]), column("density", Float, &[])],
        public: true,
        ..wire::TableSchema::default()
    };
    let tables = [trips, households, districts].iter().map(|table| Table::parse(table).unwrap()).collect();
    Schemas::new(tables)
}

pub(super) fn release() -> wire::ReleasePolicy {
    let trips = wire::TablePolicy {
        table: "trips".into(),
        units: vec![unit("person", "persons")],
        columns: vec![
            identifier("person"),
            join_key("household", &["households"]),
            dimension("mode", listed(), &[("soft", &["walk", "bike"]), ("public", &["tram"])]),
            dimension("at", calendar("2024-01-01", "2024-01-15", "hour"), &[]),
            dimension("day", calendar("2024-01-01", "2024-04-01", "month"), &[]),
            dimension("age", cuts(&["18", "65"]), &[]),
            measure("km", &[1.0, 5.0, 20.0]),
            measure("late", &[]),
            with("purpose", wire::column_policy::Role::Category(wire::Category {})),
            identifier("trip"),
            dimension("weekday", listed(), &[("weekend", &["6", "7"])]),
            measure("minutes", &[]),
        ],
        noise_rows: 0,
    };
    let households = wire::TablePolicy {
        table: "households".into(),
        units: vec![unit("household", "households")],
        columns: vec![
            identifier("household"),
            dimension("commune", listed(), &[("shore", &["south", "west"])]),
            measure("income", &[]),
            join_key("district", &["city/districts"]),
        ],
        noise_rows: 0,
    };
    let districts = wire::TablePolicy {
        table: "districts".into(),
        units: Vec::new(),
        columns: vec![identifier("district"), dimension("density", cuts(&["100", "1000.5"]), &[])],
        noise_rows: 0,
    };
    wire::ReleasePolicy {
        dataset: "city".into(),
        revision: 1,
        tables: vec![trips, households, districts],
        ..wire::ReleasePolicy::default()
    }
}

pub(super) fn parse(policy: wire::ReleasePolicy) -> Result<Policies, PolicyError> {
    Policies::parse(&schemas(), &["city"; 3], &[policy])
}

pub(super) fn policies() -> Policies {
    parse(release()).unwrap()
}

fn column(name: &str, holds: wire::ColumnType, domain: &[&str]) -> wire::Column {
    let domain = domain.iter().map(|value| (*value).to_owned()).collect();
    wire::Column { name: name.into(), r#type: holds.into(), nullable: true, domain, ..wire::Column::default() }
}

fn unit(column: &str, space: &str) -> wire::Unit {
    wire::Unit { column: column.into(), space: space.into() }
}

pub(super) fn with(column: &str, role: wire::column_policy::Role) -> wire::ColumnPolicy {
    wire::ColumnPolicy { column: column.into(), role: Some(role) }
}

fn identifier(column: &str) -> wire::ColumnPolicy {
    with(column, wire::column_policy::Role::Identifier(wire::Identifier {}))
}

fn join_key(column: &str, to: &[&str]) -> wire::ColumnPolicy {
    let to = to.iter().map(|table| (*table).to_owned()).collect();
    with(column, wire::column_policy::Role::JoinKey(wire::JoinKey { to }))
}

pub(super) fn measure(column: &str, points: &[f64]) -> wire::ColumnPolicy {
    let measure = wire::Measure { low: Some(0.0), high: Some(100.0), points: points.to_vec() };
    with(column, wire::column_policy::Role::Measure(measure))
}

pub(super) fn dimension(column: &str, bins: wire::dimension::Bins, groups: &[(&str, &[&str])]) -> wire::ColumnPolicy {
    let group = |(name, values): &(&str, &[&str])| wire::Group {
        name: (*name).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let dimension = wire::Dimension { bins: Some(bins), groups: groups.iter().map(group).collect() };
    with(column, wire::column_policy::Role::Dimension(dimension))
}

pub(super) fn listed() -> wire::dimension::Bins {
    wire::dimension::Bins::Listed(wire::Listed {})
}

pub(super) fn cuts(points: &[&str]) -> wire::dimension::Bins {
    wire::dimension::Bins::Cuts(wire::Cuts { points: points.iter().map(|point| (*point).to_owned()).collect() })
}

pub(super) fn calendar(from: &str, to: &str, period: &str) -> wire::dimension::Bins {
    wire::dimension::Bins::Calendar(wire::Calendar { from: from.into(), to: to.into(), period: period.into() })
}

pub(super) fn col(column: RowColumn) -> Row {
    Expression::Column(column)
}

pub(super) fn lit(literal: Literal) -> Row {
    Expression::Literal(literal)
}

pub(super) fn text(value: &str) -> Row {
    lit(Literal::String(value.into()))
}

pub(super) fn int(value: i64) -> Row {
    lit(Literal::Integer(value))
}

pub(super) fn day(value: &str) -> Row {
    lit(Literal::Date(date(value).unwrap()))
}

/// An hour of a day.
pub(super) fn moment(value: &str, hour: i64) -> Row {
    lit(Literal::Timestamp(i64::from(date(value).unwrap()) * crate::calendar::DAY + hour * 3_600_000_000))
}

pub(super) fn compare(left: Row, comparison: Comparison, right: Row) -> Row {
    Expression::Compare(comparison, left.into(), right.into())
}

pub(super) fn is(left: Row, right: Row) -> Row {
    compare(left, Comparison::Equal, right)
}

pub(super) fn not(one: Row) -> Row {
    Expression::Not(one.into())
}

pub(super) fn is_null(one: Row) -> Row {
    Expression::IsNull(one.into())
}

pub(super) fn part(name: &str, of: Row) -> Row {
    Expression::Call(Function::DatePart, vec![text(name), of])
}

pub(super) fn trunc(name: &str, of: Row) -> Row {
    Expression::Call(Function::DateTrunc, vec![text(name), of])
}

pub(super) fn bin(of: RowColumn) -> Row {
    Expression::Call(Function::Bin, vec![col(of)])
}

pub(super) fn count() -> Aggregate {
    Aggregate { of: Aggregation::CountRows, argument: None, against: None, filter: None }
}

pub(super) fn of(of: Aggregation, argument: Row) -> Aggregate {
    Aggregate { argument: Some(argument), of, ..count() }
}

/// Over trips, joined to as many of the other two tables as `kinds` say.
pub(super) fn asked(kinds: &[JoinKind], condition: Option<Row>, keys: Vec<Row>, aggregates: Vec<Aggregate>) -> Plan {
    let pairs = [(HOUSEHOLD, HOME), (DISTRICT, PLACE)];
    let join = |left: Rows, ((from, to), kind): ((RowColumn, RowColumn), &JoinKind)| {
        let on = vec![(col(from), col(to))];
        Rows::Join(Join { kind: *kind, left, right: Rows::Scan(to.scan), on, filter: None }.into())
    };
    let rows = pairs.into_iter().zip(kinds).fold(Rows::Scan(0), join);
    let output = (0..keys.len() + aggregates.len()).map(|place| OutputColumn { name: format!("c{place}") }).collect();
    Plan {
        scans: (0..=kinds.len()).map(|table| Scan { table }).collect(),
        rows: match condition {
            Some(condition) => Rows::Filter(rows.into(), condition),
            None => rows,
        },
        sets: vec![(0..keys.len()).collect()],
        keys,
        aggregates,
        steps: Vec::new(),
        output,
    }
}

//! Tables for this crate's tests: flights about aircraft and pilots, and weather about nobody.

use octroi_proto::wire::v1 as wire;

use crate::{
    expression::Expression,
    plan::{Aggregate, Aggregation, OutputColumn, Plan, RowColumn, Rows, Scan},
    schema::{Schemas, Table},
};

pub(crate) const TAIL: RowColumn = RowColumn { scan: 0, column: 0 };
pub(crate) const CARRIER: RowColumn = RowColumn { scan: 0, column: 1 };
pub(crate) const MONTH: RowColumn = RowColumn { scan: 0, column: 2 };
pub(crate) const DELAY: RowColumn = RowColumn { scan: 0, column: 3 };
pub(crate) const DISTANCE: RowColumn = RowColumn { scan: 0, column: 4 };
pub(crate) const SECRET: RowColumn = RowColumn { scan: 0, column: 5 };
pub(crate) const AT: RowColumn = RowColumn { scan: 0, column: 6 };
pub(crate) const PILOT: RowColumn = RowColumn { scan: 0, column: 7 };

pub(crate) fn schemas() -> Schemas {
    let flights = wire::TableSchema {
        name: "flights".into(),
        columns: vec![
            column("tail", wire::ColumnType::String, true),
            wire::Column {
                domain: vec!["AA".into(), "UA".into()],
                ..column("carrier", wire::ColumnType::String, false)
            },
            wire::Column {
                domain: vec!["1".into(), "2".into(), "3".into()],
                ..column("month", wire::ColumnType::Integer, false)
            },
            column("delay", wire::ColumnType::Float, true),
            column("distance", wire::ColumnType::Integer, false),
            wire::Column { hidden: true, ..column("secret", wire::ColumnType::String, false) },
            column("at", wire::ColumnType::Timestamp, false),
            column("pilot", wire::ColumnType::Integer, false),
        ],
        subjects: vec!["tail".into(), "pilot".into()],
        public: false,
    };
    let weather = wire::TableSchema {
        name: "weather".into(),
        columns: vec![
            column("month", wire::ColumnType::Integer, false),
            column("temperature", wire::ColumnType::Float, false),
        ],
        subjects: Vec::new(),
        public: true,
    };
    Schemas::new(vec![Table::parse(&flights).unwrap(), Table::parse(&weather).unwrap()])
}

fn column(name: &str, holds: wire::ColumnType, nullable: bool) -> wire::Column {
    wire::Column { name: name.into(), r#type: holds.into(), nullable, ..wire::Column::default() }
}

/// `SELECT keys, aggregates FROM flights GROUP BY keys`
pub(crate) fn grouped(keys: Vec<Expression<RowColumn>>, aggregates: Vec<Aggregate>) -> Plan {
    let output = (0..keys.len() + aggregates.len()).map(|place| OutputColumn { name: format!("c{place}") }).collect();
    let sets = vec![(0..keys.len()).collect()];
    Plan { scans: vec![Scan { table: 0 }], rows: Rows::Scan(0), keys, sets, aggregates, steps: Vec::new(), output }
}

pub(crate) fn count_rows() -> Aggregate {
    Aggregate { of: Aggregation::CountRows, argument: None, against: None, filter: None }
}

pub(crate) fn of(of: Aggregation, argument: Expression<RowColumn>) -> Aggregate {
    Aggregate { of, argument: Some(argument), against: None, filter: None }
}

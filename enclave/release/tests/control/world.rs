//! Rows, drawn: of persons who live in homes, at one point of three dimensions each, with a number and a secret.

use octroi_proto::wire::v1 as wire;
use octroi_release::{Policies, RowColumn, Schemas, Table};
use proptest::prelude::*;

pub(crate) const PERSON: RowColumn = RowColumn { scan: 0, column: 0 };
pub(crate) const HOME: RowColumn = RowColumn { scan: 0, column: 1 };
pub(crate) const DIMENSIONS: [RowColumn; 3] =
    [RowColumn { scan: 0, column: 2 }, RowColumn { scan: 0, column: 3 }, RowColumn { scan: 0, column: 4 }];
pub(crate) const AMOUNT: RowColumn = RowColumn { scan: 0, column: 5 };
pub(crate) const ILL: RowColumn = RowColumn { scan: 0, column: 6 };

/// Declared values of each dimension: 0, 1, ...; the number after the last stands for a missing one.
pub(crate) const SIZES: [u32; 3] = [3, 2, 2];

pub(crate) type Point = [u32; 3];

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) person: i64,
    pub(crate) home: i64,
    pub(crate) at: Point,
    pub(crate) amount: Option<i64>,
    pub(crate) ill: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) rows: Vec<Row>,
    /// Whether homes are protected besides persons.
    pub(crate) homes: bool,
}

impl World {
    /// So many persons at each point, alike.
    pub(crate) fn of(persons: &[(Point, i64)]) -> Self {
        let mut rows = Vec::new();
        for (at, number) in persons {
            for _ in 0..*number {
                let person = rows.len() as i64;
                rows.push(Row { person, home: person, at: *at, amount: Some(10), ill: false });
            }
        }
        Self { rows, homes: false }
    }

    pub(crate) fn schemas(&self) -> Schemas {
        use wire::ColumnType::{Integer, String};
        let column = |name: &str, holds: wire::ColumnType, values: u32| wire::Column {
            name: name.into(),
            r#type: holds.into(),
            nullable: true,
            domain: (0..values).map(|value| value.to_string()).collect(),
            ..wire::Column::default()
        };
        let table = wire::TableSchema {
            name: "t".into(),
            columns: vec![
                column("person", Integer, 0),
                column("home", Integer, 0),
                column("d0", Integer, SIZES[0]),
                column("d1", Integer, SIZES[1]),
                column("d2", Integer, SIZES[2]),
                column("amount", Integer, 0),
                column("ill", String, 0),
            ],
            subjects: self.units().iter().map(|unit| unit.column.clone()).collect(),
            ..wire::TableSchema::default()
        };
        Schemas::new(vec![Table::parse(&table).unwrap()])
    }

    pub(crate) fn policies(&self) -> Policies {
        use wire::column_policy::Role;
        let with = |column: &str, role| wire::ColumnPolicy { column: column.into(), role: Some(role) };
        let dimension = || {
            let bins = Some(wire::dimension::Bins::Listed(wire::Listed {}));
            Role::Dimension(wire::Dimension { bins, groups: Vec::new() })
        };
        let table = wire::TablePolicy {
            table: "t".into(),
            units: self.units(),
            columns: vec![
                with("person", Role::Identifier(wire::Identifier {})),
                with("home", Role::Identifier(wire::Identifier {})),
                with("d0", dimension()),
                with("d1", dimension()),
                with("d2", dimension()),
                with("amount", Role::Measure(wire::Measure::default())),
                with("ill", Role::Category(wire::Category {})),
            ],
            noise_rows: 0,
        };
        let policy = wire::ReleasePolicy { dataset: "d".into(), tables: vec![table], ..wire::ReleasePolicy::default() };
        Policies::parse(&self.schemas(), &["d"], &[policy]).unwrap()
    }

    fn units(&self) -> Vec<wire::Unit> {
        let units = if self.homes { vec!["person", "home"] } else { vec!["person"] };
        units.iter().map(|unit| wire::Unit { column: (*unit).into(), space: format!("{unit}s") }).collect()
    }
}

/// Points with nobody, with few, with just enough or too few, and with many; some persons have rows elsewhere too.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let number = prop_oneof![5 => Just(0_usize), 3 => 1_usize..6, 3 => 8_usize..14, 4 => 18_usize..30];
    let amount = prop_oneof![8 => 1_i64..20, 1 => Just(0), 1 => 200_i64..2_000, 1 => -30_i64..0];
    drawn(number, prop_oneof![9 => amount.prop_map(Some), 1 => Just(None)], 0..8)
}

/// In some places all are ill or all are well, as often as not.
pub(crate) fn alike() -> impl Strategy<Value = World> {
    (world(), proptest::collection::vec(0_u8..4, all_points().count())).prop_map(|(mut world, kinds)| {
        for row in &mut world.rows {
            match kinds[all_points().position(|point| point == row.at).unwrap()] {
                0 => row.ill = true,
                1 => row.ill = false,
                _ => {}
            }
        }
        world
    })
}

/// Everywhere many, and nobody stands out.
pub(crate) fn dense() -> impl Strategy<Value = World> {
    drawn(24_usize..32, (8_i64..14).prop_map(Some), 0..1)
}

fn drawn(
    number: impl Strategy<Value = usize>,
    amount: impl Strategy<Value = Option<i64>>,
    more: std::ops::Range<usize>,
) -> impl Strategy<Value = World> {
    let number_of = points().count();
    let person = (amount, any::<bool>());
    let sizes = proptest::collection::vec(number, number_of);
    let pool = proptest::collection::vec(person, number_of * 32);
    let elsewhere = proptest::collection::vec((any::<usize>(), 0..number_of), more);
    (sizes, pool, elsewhere, any::<bool>()).prop_map(|(sizes, pool, elsewhere, homes)| {
        let mut rows = Vec::new();
        let mut pool = pool.into_iter();
        for (at, size) in points().zip(sizes) {
            for (amount, ill) in pool.by_ref().take(size) {
                let person = rows.len() as i64;
                rows.push(Row { person, home: if homes { person / 2 } else { person }, at, amount, ill });
            }
        }
        let persons = rows.len();
        for (person, point) in elsewhere.into_iter().filter(|_| persons > 0) {
            let at = points().nth(point).unwrap();
            rows.push(Row { at, ..rows[person % persons].clone() });
        }
        World { rows, homes }
    })
}

/// Those of declared values.
fn points() -> impl Iterator<Item = Point> {
    (0..SIZES[0]).flat_map(|a| (0..SIZES[1]).flat_map(move |b| (0..SIZES[2]).map(move |c| [a, b, c])))
}

/// All of them: missing values are bins of their own.
pub(crate) fn all_points() -> impl Iterator<Item = Point> {
    (0..=SIZES[0]).flat_map(|a| (0..=SIZES[1]).flat_map(move |b| (0..=SIZES[2]).map(move |c| [a, b, c])))
}

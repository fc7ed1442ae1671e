//! A question beside all that its rows lead to: what was told of them by a join is counted, though the question makes none.

use crate::{
    expression::Expression,
    plan::{Join, JoinKind, Plan, RowColumn, Rows, Scan},
    policy::{Policies, Role, TablePolicy},
    schema::Schemas,
    space::Facts,
};

/// The plan with further tables joined to it, each to which a declared key of the others leads and that it does not read
/// itself: none of its rows is dropped or multiplied. Its scans keep their places. `None` where there is nothing to join.
pub fn widened(plan: &Plan, schemas: &Schemas, policies: &Policies) -> Option<Plan> {
    let mut wide = plan.clone();
    let mut scan = 0;
    while let Some(table) = wide.scans.get(scan).map(|scan| scan.table).filter(|_| wide.scans.len() < MOST_SCANS) {
        for (column, target) in leading(policies.table(table)) {
            let found =
                (0..schemas.iter().count()).find(|at| policies.table(*at).map(TablePolicy::facts) == Some(target));
            let Some(to) = found.filter(|to| wide.scans.iter().all(|scan| scan.table != *to)) else { continue };
            let Some(key) = key(schemas, policies, (table, column), to) else { continue };
            let place = wide.scans.len();
            let [from, to_column] = [RowColumn { scan, column }, RowColumn { scan: place, column: key }];
            wide.scans.push(Scan { table: to });
            wide.rows = Rows::Join(Box::new(Join {
                kind: JoinKind::Left,
                left: wide.rows,
                right: Rows::Scan(place),
                on: vec![(Expression::Column(from), Expression::Column(to_column))],
                filter: None,
            }));
        }
        scan += 1;
    }
    (wide.scans.len() > plan.scans.len()).then_some(wide)
}

/// The join keys of a table, and where each leads.
fn leading(policy: Option<&TablePolicy>) -> Vec<(usize, &Facts)> {
    let keys = policy.into_iter().flat_map(TablePolicy::roles).filter_map(|(column, role)| match role {
        Role::JoinKey(targets) => Some(targets.iter().map(move |target| (column, target))),
        Role::Identifier | Role::Dimension { .. } | Role::Measure { .. } | Role::Category => None,
    });
    keys.flatten().collect()
}

/// The column of the same name there, if it may be named.
fn key(schemas: &Schemas, policies: &Policies, (table, column): (usize, usize), to: usize) -> Option<usize> {
    let name = &schemas.iter().nth(table)?.columns().get(column)?.name;
    let key = schemas.iter().nth(to)?.columns().iter().position(|column| column.name == *name)?;
    policies.table(to)?.role(key).map(|_| key)
}

/// Tables of a question and what it leads to.
const MOST_SCANS: usize = 8;

//! Whether a policy can hold for a schema: every column it speaks of is there, may be named, and is of a type that its
//! role makes sense for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bins, Dimension, JoinTarget, ReleasePolicy, Role, TablePolicy};
use crate::{
    Column, ColumnType, DatasetId, DatasetSchema, Domain, TableName, TableSchema, Violations, violation::Check,
};

/// What is known of other datasets that are joined: those that are not there are not known of.
pub type Elsewhere = BTreeMap<DatasetId, DatasetSchema>;

/// The schemas that a policy is held against.
struct Known<'a> {
    own: &'a DatasetSchema,
    elsewhere: &'a Elsewhere,
}

impl ReleasePolicy {
    /// Whether it can hold for this schema of its dataset.
    ///
    /// # Errors
    /// What does not fit, by its field.
    pub fn fits(&self, schema: &DatasetSchema, elsewhere: &Elsewhere) -> Result<(), Violations> {
        let mut check = Check::default();
        if self.dataset != schema.dataset {
            check.refuse("dataset", "must be the schema's");
        }
        let known = Known { own: schema, elsewhere };
        for (name, policy) in &self.tables {
            let at = format!("tables[{name}]");
            match schema.table(name) {
                Some(table) => fit_table(&mut check, &at, policy, table, &known),
                None => check.refuse(at, "is no table of the schema: declare it there first, or leave it out here"),
            }
        }
        check.finish(Some(()))
    }
}

fn fit_table(check: &mut Check, at: &str, policy: &TablePolicy, table: &TableSchema, known: &Known<'_>) {
    if !policy.units.iter().map(|unit| &unit.column).eq(table.subjects()) {
        let subjects: Vec<_> = table.subjects().iter().map(|name| format!("`{name}`")).collect();
        let problem = match subjects.as_slice() {
            [] => "must be left out: the table's rows are about nobody".to_owned(),
            [..] => format!("must be one for each subject column, in the schema's order: {}", subjects.join(", ")),
        };
        check.refuse(format!("{at}.units"), problem);
    }
    for (name, role) in &policy.columns {
        let at = format!("{at}.columns[{name}]");
        let Some(column) = table.column(name) else {
            check.refuse(at, "is no column of the table: leave it out");
            continue;
        };
        if column.hidden {
            check.refuse(at, "is hidden, so no question names it: give it no role");
            continue;
        }
        let names_subjects = matches!(role, Role::Identifier | Role::JoinKey(_));
        if table.subjects().contains(name) && !names_subjects {
            check.refuse(at, "says whom a row is about: it can be an `identifier` or a `join-key` alone");
            continue;
        }
        fit_role(check, &at, role, column, table, known);
    }
}

fn fit_role(check: &mut Check, at: &str, role: &Role, column: &Column, table: &TableSchema, known: &Known<'_>) {
    let kind = column.kind;
    match role {
        Role::Identifier => {}
        Role::Dimension(dimension) => fit_dimension(check, at, dimension, column),
        Role::Measure(measure) if kind == ColumnType::Integer => {
            if !measure.points.iter().all(|point| point.fract() == 0.0 && point.abs() <= MOST_WHOLE) {
                check.refuse(format!("{at}.points"), "must be integers, as the column's values");
            }
        }
        Role::Measure(_) if kind == ColumnType::Float => {}
        // One for true: its mean is a share.
        Role::Measure(measure) if kind == ColumnType::Boolean && measure.points.is_empty() => {}
        Role::Measure(_) => {
            check.refuse(at, "is no number: make it a `category`, or a `dimension` if its values are public");
        }
        Role::Category if matches!(kind, ColumnType::Boolean | ColumnType::String | ColumnType::Integer) => {}
        Role::Category => check.refuse(at, "is no boolean, string or integer: make it a `measure` or a `dimension`"),
        Role::JoinKey(targets) => {
            if !targets.iter().all(|target| known.joins(target, table.name(), column)) {
                check.refuse(
                    format!("{at}.to"),
                    "must be other tables that are declared, which have a column of the same name and type that is \
                     not hidden, in datasets whose schema you may read",
                );
            }
        }
    }
}

fn fit_dimension(check: &mut Check, at: &str, dimension: &Dimension, column: &Column) {
    let place = match dimension.bins {
        Bins::Listed => at.to_owned(),
        Bins::Cuts(_) => format!("{at}.cuts"),
        Bins::Calendar(_) => format!("{at}.calendar"),
    };
    check.field(place, dimension.bins.fit(column.kind, column.domain.is_some()));
    let domain: BTreeSet<String> = match &column.domain {
        Some(Domain::Strings(values)) => values.iter().cloned().collect(),
        Some(Domain::Integers(values)) => values.iter().map(ToString::to_string).collect(),
        None => BTreeSet::new(),
    };
    for (name, values) in &dimension.groups {
        if !values.is_subset(&domain) {
            check.refuse(format!("{at}.groups[{name}]"), "must be values of the column's `domain`");
        }
    }
}

impl Known<'_> {
    /// Whether a column leads to at most one row each of another table: its steward says so, and the column is there.
    fn joins(&self, target: &JoinTarget, from: &TableName, column: &Column) -> bool {
        let dataset = match &target.dataset {
            Some(dataset) => self.elsewhere.get(dataset),
            None if target.table == *from => None,
            None => Some(self.own),
        };
        let there = dataset.and_then(|dataset| dataset.table(&target.table)?.column(&column.name));
        there.is_some_and(|there| there.kind == column.kind && !there.hidden)
    }
}

/// A float is no other integer than it says up to here.
const MOST_WHOLE: f64 = 9_007_199_254_740_992.0;

//! From the wire: a policy that is sound in itself, or every violation by its field.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use super::{
    Bins, Calendar, CellRules, Cuts, Dimension, InformationBudget, JoinTarget, MOST_BYTES, MOST_GROUPS, MOST_POINTS,
    MOST_TARGETS, Measure, NoisePolicy, ReleasePolicy, Role, TablePolicy, Unit, rules::number,
};
use crate::{
    ColumnName, DatasetId, TableName, Violations,
    id::line,
    table::{InvalidName, MOST_COLUMNS, MOST_SUBJECTS, MOST_TABLES, MOST_VALUES, place},
    violation::Check,
    wire::v1::{self, column_policy::Role as WireRole, dimension::Bins as WireBins},
};

impl TryFrom<v1::ReleasePolicy> for ReleasePolicy {
    type Error = Violations;

    fn try_from(wire: v1::ReleasePolicy) -> Result<Self, Violations> {
        let mut check = Check::default();
        let dataset = check.field("dataset", wire.dataset.parse());
        let cells = CellRules::parse(&mut check, wire.cells.unwrap_or_default());
        let information = InformationBudget::parse(&mut check, wire.information.unwrap_or_default());
        let noise = NoisePolicy::parse(&mut check, wire.noise.unwrap_or_default());
        let tables = tables(&mut check, wire.tables, dataset.as_ref());
        let parsed = (|| {
            Some(Self {
                dataset: dataset?,
                revision: wire.revision,
                tables: tables?,
                cells: cells?,
                information: information?,
                noise: noise?,
            })
        })();
        let policy = check.finish(parsed)?;
        if v1::ReleasePolicy::from(&policy).encoded_len() > MOST_BYTES {
            return Err(Violations::one("tables", format!("must be smaller: {MOST_BYTES} bytes in all, encoded")));
        }
        Ok(policy)
    }
}

/// None at all is a policy, too: nothing may be asked.
fn tables(
    check: &mut Check,
    wire: Vec<v1::TablePolicy>,
    own: Option<&DatasetId>,
) -> Option<BTreeMap<TableName, TablePolicy>> {
    if wire.len() > MOST_TABLES {
        check.refuse("tables", format!("must be at most {MOST_TABLES} tables"));
        return None;
    }
    let count = wire.len();
    let mut parsed = BTreeMap::new();
    for (index, it) in wire.into_iter().enumerate() {
        let at = place("tables", index, &it.table);
        let name = check.field(format!("{at}.table"), it.table.parse());
        let table = table(check, &at, it, own);
        if let (Some(name), Some(table)) = (name, table)
            && parsed.insert(name, table).is_some()
        {
            check.refuse(at, "is there twice");
        }
    }
    (parsed.len() == count).then_some(parsed)
}

fn table(check: &mut Check, at: &str, wire: v1::TablePolicy, own: Option<&DatasetId>) -> Option<TablePolicy> {
    let units = units(check, &format!("{at}.units"), &wire.units);
    let noise_rows = number(check, &format!("{at}.noise_rows"), wire.noise_rows, 1, 1..=1_000_000);
    if wire.columns.len() > MOST_COLUMNS {
        check.refuse(format!("{at}.columns"), format!("must be at most {MOST_COLUMNS} columns"));
        return None;
    }
    let count = wire.columns.len();
    let mut columns = BTreeMap::<ColumnName, Role>::new();
    for (index, it) in wire.columns.into_iter().enumerate() {
        let at = place(&format!("{at}.columns"), index, &it.column);
        let name = check.field(format!("{at}.column"), it.column.parse());
        let role = role(check, &at, it.role, own);
        if let (Some(name), Some(role)) = (name, role)
            && columns.insert(name, role).is_some()
        {
            check.refuse(at, "is there twice");
        }
    }
    (columns.len() == count).then_some(TablePolicy { units: units?, columns, noise_rows: noise_rows? })
}

fn units(check: &mut Check, at: &str, wire: &[v1::Unit]) -> Option<Vec<Unit>> {
    if wire.len() > MOST_SUBJECTS {
        check.refuse(at, format!("must be at most {MOST_SUBJECTS}"));
        return None;
    }
    let unit = |(index, it): (usize, &v1::Unit)| {
        let at = place(at, index, &it.column);
        let column = check.field(format!("{at}.column"), it.column.parse());
        let space = check.field(format!("{at}.space"), it.space.parse());
        Some(Unit { column: column?, space: space? })
    };
    // All of them, so that every violation is found.
    wire.iter().enumerate().map(unit).collect::<Vec<_>>().into_iter().collect()
}

fn role(check: &mut Check, at: &str, wire: Option<WireRole>, own: Option<&DatasetId>) -> Option<Role> {
    let Some(wire) = wire else {
        check.refuse(
            format!("{at}.role"),
            "is missing: say `identifier`, `dimension`, `measure`, `category` or `join-key`",
        );
        return None;
    };
    Some(match wire {
        WireRole::Identifier(v1::Identifier {}) => Role::Identifier,
        WireRole::Category(v1::Category {}) => Role::Category,
        WireRole::Dimension(wire) => Role::Dimension(dimension(check, at, wire)?),
        WireRole::Measure(wire) => Role::Measure(measure(check, at, wire)?),
        WireRole::JoinKey(wire) => Role::JoinKey(check.field(format!("{at}.to"), targets(&wire.to, own))?),
    })
}

fn dimension(check: &mut Check, at: &str, wire: v1::Dimension) -> Option<Dimension> {
    let bins = match wire.bins {
        None => {
            check.refuse(format!("{at}.bins"), "are missing: say `listed`, `cuts` or `calendar`");
            None
        }
        Some(WireBins::Listed(v1::Listed {})) => Some(Bins::Listed),
        Some(WireBins::Cuts(cuts)) => check.field(format!("{at}.cuts"), Cuts::parse(&cuts.points)).map(Bins::Cuts),
        Some(WireBins::Calendar(calendar)) => Calendar::parse(&calendar)
            .map_err(|(field, problem)| check.refuse(format!("{at}.calendar.{field}"), problem))
            .ok()
            .map(Bins::Calendar),
    };
    let groups = check.field(format!("{at}.groups"), groups(wire.groups));
    let (bins, groups) = (bins?, groups?);
    if !groups.is_empty() && bins != Bins::Listed {
        check.refuse(format!("{at}.groups"), "go with a listed dimension alone: leave them out");
        return None;
    }
    Some(Dimension { bins, groups })
}

fn groups(wire: Vec<v1::Group>) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    if wire.len() > MOST_GROUPS {
        return Err(format!("must be at most {MOST_GROUPS}"));
    }
    let mut groups = BTreeMap::new();
    for group in wire {
        let name = line(&group.name, 63).map_err(|problem| format!("have a `name` that {problem}"))?;
        let count = group.values.len();
        if !(1..=MOST_VALUES).contains(&count) {
            return Err(format!("must have 1-{MOST_VALUES} `values` each"));
        }
        let values: BTreeSet<String> = group.values.into_iter().collect();
        if values.len() != count {
            return Err("must have each of their `values` once".to_owned());
        }
        if groups.insert(name, values).is_some() {
            return Err("must have different names".to_owned());
        }
    }
    Ok(groups)
}

fn measure(check: &mut Check, at: &str, wire: v1::Measure) -> Option<Measure> {
    let clamps = match (wire.low, wire.high) {
        (None, None) => Ok(None),
        (Some(low), Some(high)) if low.is_finite() && high.is_finite() && low < high => Ok(Some((low, high))),
        (Some(_), Some(_)) => Err("must be less than `high`, and both finite"),
        (Some(_), None) | (None, Some(_)) => Err("goes with `high`: give both, or neither"),
    };
    let clamps = check.field(format!("{at}.low"), clamps);
    let finite = wire.points.iter().all(|point| point.is_finite());
    if wire.points.len() > MOST_POINTS || !finite || !wire.points.is_sorted_by(|one, next| one < next) {
        check.refuse(
            format!("{at}.points"),
            format!("must be at most {MOST_POINTS} finite numbers, ascending, each once"),
        );
        return None;
    }
    Some(Measure { clamps: clamps?, points: wire.points })
}

fn targets(wire: &[String], own: Option<&DatasetId>) -> Result<BTreeSet<JoinTarget>, String> {
    if !(1..=MOST_TARGETS).contains(&wire.len()) {
        return Err(format!("must be 1-{MOST_TARGETS} tables"));
    }
    let target = |text: &String| {
        let (dataset, table) = text.split_once('/').map_or((None, text.as_str()), |(it, table)| (Some(it), table));
        let dataset = dataset.map(str::parse::<DatasetId>).transpose().ok()?;
        let table = table.parse().map_err(|_: InvalidName| ()).ok()?;
        // One table has one name here.
        Some(JoinTarget { dataset: dataset.filter(|dataset| Some(dataset) != own), table })
    };
    let targets: Option<BTreeSet<_>> = wire.iter().map(target).collect();
    let targets = targets.ok_or("must be tables, as `homes` or, of another dataset, `households/homes`")?;
    if targets.len() == wire.len() { Ok(targets) } else { Err("must be each there once".to_owned()) }
}

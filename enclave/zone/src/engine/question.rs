//! A question, parsed from the wire.

use std::time::Duration;

use octroi_attest::{LaunchId, RuledTable, Rules, RulesDigest, WorkId};
use octroi_proto::wire::{v1, zone as wire};
use octroi_release::{CellRules, Policies, Schemas, Table, budget, noise::Terms};

use crate::table;

/// A question and all it may read.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) query: WorkId,
    pub(super) launch: LaunchId,
    /// What its keys must be sealed for.
    pub(super) rules: RulesDigest,
    pub(super) sql: String,
    pub(super) tables: Vec<AskedTable>,
    /// Where on the disk lies what was released before.
    pub(super) histories: Vec<wire::ReleaseHistory>,
    pub(super) schemas: Schemas,
    pub(super) policies: Policies,
    pub(super) cells: CellRules,
    /// Whether it is only to be judged.
    pub(super) check: bool,
    /// How much all answers together may let know; none where no table is about anybody.
    pub(super) information: Option<budget::Limits>,
    /// When an answer has noise, and what it may cost.
    pub(super) noise: Terms,
    /// Who asks.
    pub(super) organisation: String,
    pub(super) limits: Limits,
}

/// A table that the question may read.
#[derive(Debug, Clone)]
pub(super) struct AskedTable {
    pub(super) dataset: String,
    pub(super) name: String,
    /// As its files are laid out.
    pub(super) layout: table::Schema,
    /// Places of the columns that are not hidden.
    pub(super) shown: Vec<usize>,
    pub(super) files: Vec<wire::TableFile>,
}

/// What one question may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) memory: usize,
    pub(super) scratch: u64,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) wall: Duration,
}

/// A question that contradicts itself: whoever sent it is at fault, not who asked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the question, its tables or its limits are malformed")]
pub(super) struct Malformed;

impl Question {
    /// Parses a question. Its rules are held to as they came, and to nothing less than a floor.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(super) fn parse(wire: wire::Question) -> Result<Self, Malformed> {
        let rules = Rules::parse(wire.rules.ok_or(Malformed)?).map_err(|_| Malformed)?;
        if rules.tables().len() != wire.tables.len() {
            return Err(Malformed);
        }
        let schemas =
            rules.tables().iter().map(|table| Table::parse(&v1::TableSchema::from(&table.schema)).or(Err(Malformed)));
        let schemas = Schemas::new(schemas.collect::<Result<_, _>>()?);
        let datasets: Vec<&str> = rules.tables().iter().map(|table| table.dataset.as_str()).collect();
        let declared: Vec<v1::ReleasePolicy> = rules.policies().iter().map(v1::ReleasePolicy::from).collect();
        let cells =
            declared.iter().map(|policy| CellRules::parse(&policy.cells.unwrap_or_default()).or(Err(Malformed)));
        let cells = CellRules::strictest(&cells.collect::<Result<Vec<_>, _>>()?);
        let tables = rules.tables().iter().zip(wire.tables).map(|(ruled, stands)| AskedTable::parse(ruled, stands));
        Ok(Self {
            query: wire.query_id.as_slice().try_into().map_err(|_| Malformed)?,
            launch: wire.launch_id.as_slice().try_into().map_err(|_| Malformed)?,
            policies: Policies::parse(&schemas, &datasets, &declared).map_err(|_| Malformed)?,
            cells: cells.at_least(rules.least_subjects()),
            check: wire.check,
            information: about(&declared)
                .filter_map(|policy| policy.information)
                .map(limits)
                .reduce(budget::Limits::and),
            noise: noise(&declared)?,
            organisation: wire.organisation,
            schemas,
            sql: wire.sql,
            tables: tables.collect::<Result<_, _>>()?,
            histories: wire.histories,
            limits: Limits::parse(&wire.limits.ok_or(Malformed)?)?,
            rules: rules.digest(),
        })
    }
}

/// By the policies that are about somebody: what others say of noise protects nobody.
fn noise(declared: &[v1::ReleasePolicy]) -> Result<Terms, Malformed> {
    Terms::strictest(&about(declared).filter_map(|policy| policy.noise).collect::<Vec<_>>()).map_err(|_| Malformed)
}

fn about(declared: &[v1::ReleasePolicy]) -> impl Iterator<Item = &v1::ReleasePolicy> {
    declared.iter().filter(|policy| policy.tables.iter().any(|table| !table.units.is_empty()))
}

fn limits(information: v1::InformationBudget) -> budget::Limits {
    budget::Limits { together: information.together, organisation: information.organisation }
}

impl AskedTable {
    fn parse(ruled: &RuledTable, stands: wire::Table) -> Result<Self, Malformed> {
        let layout = table::Schema::parse(&(&ruled.schema).into()).map_err(|_| Malformed)?;
        let columns = ruled.schema.columns().iter().enumerate();
        Ok(Self {
            dataset: ruled.dataset.to_string(),
            name: ruled.name().to_string(),
            layout,
            shown: columns.filter(|(_, column)| !column.hidden).map(|(place, _)| place).collect(),
            files: stands.files,
        })
    }
}

impl Limits {
    fn parse(wire: &wire::Limits) -> Result<Self, Malformed> {
        let size = |bytes: u64| usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).ok_or(Malformed);
        Ok(Self {
            memory: size(wire.memory_bytes)?,
            scratch: wire.scratch_bytes,
            rows: size(wire.result_rows)?,
            bytes: size(wire.result_bytes)?,
            wall: Duration::from_millis(wire.wall_milliseconds),
        })
    }
}

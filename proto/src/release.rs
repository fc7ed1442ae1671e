//! Release policies: what a steward says may leave of the sensitive tables of a dataset, and by which rules.
//!
//! ```text
//! written.rs   as people write it (TOML, JSON)  ->  wire
//! parse.rs     wire  ->  ReleasePolicy: sound in itself, defaults filled in
//! fit.rs       ReleasePolicy and DatasetSchema  ->  whether one can hold for the other
//! looser.rs    ReleasePolicy and the one before ->  what lets more out
//! bins.rs, rules.rs   the parts: bins of a dimension; thresholds and budgets
//! ```
//!
//! Nothing is applied here: whatever runs inside a zone parses the same message for itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use prost::Message as _;
use ring::digest;

use crate::{ColumnName, DatasetId, TableName, wire::v1};

pub use self::{
    bins::{Bins, Calendar, Cuts, Period},
    fit::Elsewhere,
    looser::{Loosening, Way},
    rules::{CellRules, InformationBudget, NoisePolicy, NoiseUse},
};

mod bins;
mod fit;
mod looser;
mod parse;
mod rules;
pub mod written;

/// What may leave of a dataset's tables. Made from the wire alone, so it is sound in itself; that it fits a schema is
/// [`ReleasePolicy::fits`]'s to say.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleasePolicy {
    dataset: DatasetId,
    revision: u64,
    tables: BTreeMap<TableName, TablePolicy>,
    cells: CellRules,
    information: InformationBudget,
    noise: NoisePolicy,
}

/// What may leave of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TablePolicy {
    units: Vec<Unit>,
    columns: BTreeMap<ColumnName, Role>,
    /// Rows of one subject that count in one cell, where there is noise.
    noise_rows: u32,
}

/// A privacy unit: whoever a subject column's values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The subject column.
    pub column: ColumnName,
    /// Columns of one space, of whatever dataset, hold names of the same subjects.
    pub space: Space,
}

/// Names of the same subjects, wherever they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(String);

/// Text that names no space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1-63 of a-z, 0-9, `_` and `-`")]
pub struct InvalidSpace;

/// What a question may do with a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// Count it.
    Identifier,
    /// Choose and group by it, in its bins.
    Dimension(Dimension),
    /// Aggregate it.
    Measure(Measure),
    /// Count by it, within a cell.
    Category,
    /// Join by it, to at most one row each of these tables.
    JoinKey(BTreeSet<JoinTarget>),
}

/// A public column and its bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    bins: Bins,
    /// Sets of values, by their names; of listed bins alone.
    groups: BTreeMap<String, BTreeSet<String>>,
}

/// A number that is aggregated.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    clamps: Option<(f64, f64)>,
    points: Vec<f64>,
}

/// A table that a join key leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinTarget {
    /// `None` for the policy's own dataset.
    pub dataset: Option<DatasetId>,
    /// The table.
    pub table: TableName,
}

impl ReleasePolicy {
    /// The dataset.
    pub fn dataset(&self) -> &DatasetId {
        &self.dataset
    }

    /// 1 at the first declaration, one more at each.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The same rules under another revision.
    #[must_use]
    pub fn revised(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    /// Other datasets that its join keys lead to.
    pub fn joined(&self) -> BTreeSet<&DatasetId> {
        self.tables.values().flat_map(TablePolicy::targets).filter_map(|target| target.dataset.as_ref()).collect()
    }

    /// The tables that a table's join keys lead to, each with its dataset.
    pub fn joined_to(&self, table: &TableName) -> impl Iterator<Item = (&DatasetId, &TableName)> {
        let targets = self.tables.get(table).into_iter().flat_map(TablePolicy::targets);
        targets.map(|target| (target.dataset.as_ref().unwrap_or(&self.dataset), &target.table))
    }

    /// SHA-256 of its one form on the wire, revision and all.
    pub fn digest(&self) -> [u8; 32] {
        let mut sum = [0; 32];
        sum.copy_from_slice(digest::digest(&digest::SHA256, &v1::ReleasePolicy::from(self).encode_to_vec()).as_ref());
        sum
    }
}

impl TablePolicy {
    fn targets(&self) -> impl Iterator<Item = &JoinTarget> {
        let targets = self.columns.values().filter_map(|role| match role {
            Role::JoinKey(targets) => Some(targets),
            Role::Identifier | Role::Dimension(_) | Role::Measure(_) | Role::Category => None,
        });
        targets.flatten()
    }
}

impl Space {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Space {
    type Err = InvalidSpace;

    fn from_str(text: &str) -> Result<Self, InvalidSpace> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if plain && (1..=63).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(InvalidSpace) }
    }
}

impl Role {
    /// The word for it, in files and messages.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Dimension(_) => "dimension",
            Self::Measure(_) => "measure",
            Self::Category => "category",
            Self::JoinKey(_) => "join-key",
        }
    }
}

impl fmt::Display for JoinTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dataset {
            Some(dataset) => write!(f, "{dataset}/{}", self.table),
            None => self.table.fmt(f),
        }
    }
}

impl From<&ReleasePolicy> for v1::ReleasePolicy {
    fn from(it: &ReleasePolicy) -> Self {
        let table = |(name, table): (&TableName, &TablePolicy)| v1::TablePolicy {
            table: name.to_string(),
            units: table.units.iter().map(Into::into).collect(),
            columns: table.columns.iter().map(|(name, role)| column(name, role)).collect(),
            // The default is left out, so that the digest of a policy from before there was any stays what it was.
            noise_rows: if table.noise_rows == 1 { 0 } else { table.noise_rows },
        };
        Self {
            dataset: it.dataset.to_string(),
            revision: it.revision,
            tables: it.tables.iter().map(table).collect(),
            cells: Some((&it.cells).into()),
            information: Some((&it.information).into()),
            noise: Some((&it.noise).into()),
        }
    }
}

impl From<&Unit> for v1::Unit {
    fn from(it: &Unit) -> Self {
        Self { column: it.column.to_string(), space: it.space.0.clone() }
    }
}

impl From<&Dimension> for v1::Dimension {
    fn from(it: &Dimension) -> Self {
        let group = |(name, values): (&String, &BTreeSet<String>)| v1::Group {
            name: name.clone(),
            values: values.iter().cloned().collect(),
        };
        Self { bins: Some((&it.bins).into()), groups: it.groups.iter().map(group).collect() }
    }
}

impl From<&Measure> for v1::Measure {
    fn from(it: &Measure) -> Self {
        let (low, high) = it.clamps.unzip();
        Self { low, high, points: it.points.clone() }
    }
}

fn column(name: &ColumnName, role: &Role) -> v1::ColumnPolicy {
    use v1::column_policy::Role as Wire;
    let role = match role {
        Role::Identifier => Wire::Identifier(v1::Identifier {}),
        Role::Dimension(dimension) => Wire::Dimension(dimension.into()),
        Role::Measure(measure) => Wire::Measure(measure.into()),
        Role::Category => Wire::Category(v1::Category {}),
        Role::JoinKey(to) => Wire::JoinKey(v1::JoinKey { to: to.iter().map(ToString::to_string).collect() }),
    };
    v1::ColumnPolicy { column: name.to_string(), role: Some(role) }
}

/// Bytes of a policy on the wire: it must fit, with its schema, into one frame to a zone.
pub const MOST_BYTES: usize = 128 * 1024;
/// Points of a column's cuts or bins.
pub const MOST_POINTS: usize = 1_000;
/// Periods of a calendar.
pub const MOST_PERIODS: i64 = 100_000;
/// Groups of a dimension.
pub const MOST_GROUPS: usize = 100;
/// Tables that a join key leads to.
pub const MOST_TARGETS: usize = 10;

#[cfg(test)]
mod tests;

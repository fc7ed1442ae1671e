//! What the stewards of the tables asked allow: each column's role, the bins of those that are public, whom rows are about.
//!
//! Parsed from the wire against the declared schemas, and closed by default: a table that no policy names cannot be asked,
//! a column without a role cannot be named, and what is not understood is an error rather than a default.

use octroi_proto::wire::v1 as wire;

mod bins;
mod scale;

pub use bins::{BIN, Bins, Content};
pub use scale::{Scale, compared, place, total};

use crate::{
    expression::Literal,
    schema::{Column, Schemas, Table, Type},
    space::{BinSet, Facts},
};

/// The policies of the tables that a plan may scan, in the order of the question.
#[derive(Debug, Clone, Default)]
pub struct Policies(Vec<Option<TablePolicy>>);

/// A table's.
#[derive(Debug, Clone)]
pub struct TablePolicy {
    facts: Facts,
    units: Vec<Unit>,
    roles: Vec<Option<Role>>,
    noise_rows: u32,
}

/// A privacy unit: a subject column, and the space that its names are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Place of the column in its table.
    pub column: usize,
    /// Columns of one space name the same subjects, in whatever dataset.
    pub space: String,
}

/// What a column is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// Names a subject or a thing of one: counted, and nothing else.
    Identifier,
    /// Public: chosen and grouped by, in its bins.
    Dimension {
        /// Its bins.
        bins: Bins,
        /// Sets of them that may be named by listing.
        groups: Vec<Group>,
    },
    /// A number of a subject's: aggregated.
    Measure {
        /// What a contribution is held to, where there is to be noise.
        clamps: Option<Clamps>,
        /// What it may be grouped by.
        bins: Option<Bins>,
    },
    /// Sensitive: a condition on it is counted within the cell.
    Category,
    /// Leads to at most one row each of these.
    JoinKey(Vec<Facts>),
}

/// A declared set of a listed dimension's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its bins.
    pub bins: BinSet,
}

/// The least and the largest that a contribution is taken for; finite, and not the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamps {
    /// The least.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

/// Why a policy is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Two policies of one dataset, or two parts about one table.
    #[error("table `{table}` has two policies: keep one")]
    Twice {
        /// The table.
        table: String,
    },
    /// The units are not the schema's subjects.
    #[error("the units of `{table}` must be the schema's subject columns, in its order, each with a space")]
    Units {
        /// The table.
        table: String,
    },
    /// A role of a column that there is not, or two, or one that is hidden.
    #[error("column `{column}` has a role, but is not shown by the schema or has another: remove it")]
    Column {
        /// The column.
        column: String,
    },
    /// A role that is not known, or does not fit what the column holds.
    #[error("the role of `{column}` is not known here, or not one for what the column holds")]
    Role {
        /// The column.
        column: String,
    },
    /// Bins that do not fit the column or each other.
    #[error("the bins of `{column}` do not fit it: a domain, ascending points, or whole periods")]
    Bins {
        /// The column.
        column: String,
    },
    /// A group without values, of values outside the domain, or of something that is not listed.
    #[error("the groups of `{column}` must be sets of its domain's values, each of its own name")]
    Groups {
        /// The column.
        column: String,
    },
    /// Not one dataset's name for each table.
    #[error("a table's dataset is not known")]
    Datasets,
}

impl Policies {
    /// Parses the policies of the tables of `schemas`, each of the dataset at its place in `datasets`. A policy of a
    /// dataset that is not asked is passed over.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(schemas: &Schemas, datasets: &[&str], policies: &[wire::ReleasePolicy]) -> Result<Self, PolicyError> {
        let mut tables = Vec::with_capacity(datasets.len());
        for (place, table) in schemas.iter().enumerate() {
            let dataset = datasets.get(place).ok_or(PolicyError::Datasets)?;
            let of_dataset = policies.iter().filter(|policy| policy.dataset == *dataset);
            let mut declared = of_dataset.flat_map(|policy| &policy.tables).filter(|one| one.table == table.name());
            let policy = declared.next().map(|declared| TablePolicy::parse(dataset, table, declared)).transpose()?;
            if declared.next().is_some() {
                return Err(PolicyError::Twice { table: table.name().to_owned() });
            }
            tables.push(policy);
        }
        Ok(Self(tables))
    }

    /// That of the table at a place; `None` if it may not be asked.
    pub fn table(&self, index: usize) -> Option<&TablePolicy> {
        self.0.get(index)?.as_ref()
    }
}

impl TablePolicy {
    fn parse(dataset: &str, table: &Table, declared: &wire::TablePolicy) -> Result<Self, PolicyError> {
        let mut roles: Vec<Option<Role>> = vec![None; table.columns().len()];
        for one in &declared.columns {
            let wrong = || PolicyError::Column { column: one.column.clone() };
            let place = place_of(table, &one.column).ok_or_else(wrong)?;
            let column = table.columns().get(place).filter(|column| !column.hidden).ok_or_else(wrong)?;
            let role = roles.get_mut(place).filter(|role| role.is_none()).ok_or_else(wrong)?;
            *role = Some(Role::parse(dataset, column, one.role.as_ref())?);
        }
        let wrong = || PolicyError::Units { table: table.name().to_owned() };
        let unit = |unit: &wire::Unit| {
            let column = place_of(table, &unit.column)?;
            (!unit.space.is_empty()).then(|| Unit { column, space: unit.space.clone() })
        };
        let units = declared.units.iter().map(unit).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        if units.iter().map(|unit| unit.column).ne(table.subjects().iter().copied()) {
            return Err(wrong());
        }
        Ok(Self { facts: Facts::new(dataset, table.name()), units, roles, noise_rows: declared.noise_rows.max(1) })
    }

    /// The table, by its dataset and name.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whom its rows are about; nobody if there is none.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// So many rows of one subject count in one cell, where there is noise.
    pub fn noise_rows(&self) -> u32 {
        self.noise_rows
    }

    /// The role of the column at a place; `None` if it may not be named.
    pub fn role(&self, column: usize) -> Option<&Role> {
        self.roles.get(column)?.as_ref()
    }

    /// The columns that have a role, and it.
    pub fn roles(&self) -> impl Iterator<Item = (usize, &Role)> {
        self.roles.iter().enumerate().filter_map(|(column, role)| Some((column, role.as_ref()?)))
    }
}

impl Role {
    fn parse(
        dataset: &str,
        column: &Column,
        declared: Option<&wire::column_policy::Role>,
    ) -> Result<Self, PolicyError> {
        use wire::column_policy::Role as Declared;
        let wrong = || PolicyError::Role { column: column.name.clone() };
        match declared.ok_or_else(wrong)? {
            Declared::Identifier(_) => Ok(Self::Identifier),
            Declared::Dimension(dimension) => dimension_of(column, dimension),
            Declared::Measure(measure) => measure_of(column, measure),
            Declared::Category(_) => Ok(Self::Category),
            Declared::JoinKey(key) => {
                let to = |name: &String| match name.split_once('/') {
                    Some((dataset, table)) => Facts::new(dataset, table),
                    None => Facts::new(dataset, name),
                };
                if key.to.is_empty() { Err(wrong()) } else { Ok(Self::JoinKey(key.to.iter().map(to).collect())) }
            }
        }
    }
}

fn dimension_of(column: &Column, declared: &wire::Dimension) -> Result<Role, PolicyError> {
    use wire::dimension::Bins as Declared;
    let bins = match &declared.bins {
        Some(Declared::Listed(_)) => Bins::listed(column)?,
        Some(Declared::Cuts(cuts)) => Bins::cuts(column, &cuts.points)?,
        Some(Declared::Calendar(calendar)) => Bins::calendar(column, calendar)?,
        None => return Err(PolicyError::Bins { column: column.name.clone() }),
    };
    let wrong = || PolicyError::Groups { column: column.name.clone() };
    let group = |group: &wire::Group| group_of(column, &bins, group);
    let groups = declared.groups.iter().map(group).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
    let mut names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == groups.len() { Ok(Role::Dimension { bins, groups }) } else { Err(wrong()) }
}

fn group_of(column: &Column, bins: &Bins, declared: &wire::Group) -> Option<Group> {
    let Bins::Listed(_) = bins else { return None };
    let bin = |value: &String| {
        let value = match column.holds {
            Type::String => Literal::String(value.clone()),
            Type::Integer(_) => Literal::Integer(value.parse().ok()?),
            Type::Boolean | Type::Float | Type::Date | Type::Timestamp => return None,
        };
        Some(bins.bin(&value)).filter(|bin| *bin < bins.outside())
    };
    let set = declared.values.iter().map(bin).collect::<Option<BinSet>>()?;
    let sound = !set.is_empty() && !declared.name.is_empty() && set.count() == declared.values.len() as u64;
    sound.then(|| Group { name: declared.name.clone(), bins: set })
}

fn measure_of(column: &Column, declared: &wire::Measure) -> Result<Role, PolicyError> {
    let wrong = || PolicyError::Role { column: column.name.clone() };
    if !matches!(column.holds, Type::Integer(_) | Type::Float | Type::Boolean) {
        return Err(wrong());
    }
    let clamps = match (declared.low, declared.high) {
        (Some(low), Some(high)) if low.is_finite() && high.is_finite() && low < high => Some(Clamps { low, high }),
        (None, None) => None,
        _ => return Err(wrong()),
    };
    let bins = (!declared.points.is_empty()).then(|| Bins::of_measure(column, &declared.points)).transpose()?;
    Ok(Role::Measure { clamps, bins })
}

fn place_of(table: &Table, column: &str) -> Option<usize> {
    table.columns().iter().position(|one| one.name == column)
}

#[cfg(test)]
mod tests;

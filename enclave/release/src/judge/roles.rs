//! The check of a plan by the roles of its columns: what may be chosen, grouped by and computed, and where the rows of
//! each cell lie.
//!
//! ```text
//! joins       along declared keys, from the facts to at most one row each          -> which dimensions a row has (axes)
//! conditions  one public dimension each, a union of its declared bins              -> the base region
//!             or one sensitive column: counted within the cell, chooses nothing    -> moved to the aggregates
//! keys        one public dimension each, one value for all of a bin                -> a map from bins to values
//! aggregates  rows, subjects or measures, with conditions as above                 -> scopes, and what must be measured
//! ```
//!
//! The plan that comes out is the one that runs: conditions are made anew from the bins that they were found to mean, or
//! kept where each bin was found to meet them or not, so that a cell's rows are those of its region and no others, whatever
//! the question's own words were. A moment outside of its column's calendar is a missing value, to conditions and keys alike.
//!
//! Trusts the engine to compare as [`crate::policy::compared`] says and to compute parts of moments as
//! [`crate::calendar`] does. Does not give: any rule about how many subjects a cell must have.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

mod axis;
mod conditions;
mod figures;
mod joins;
mod keys;
mod known;
mod objection;
mod told;
mod wide;

pub use axis::Axis;
pub use figures::{Figure, Quantity, Scope};
pub use keys::Key;
pub use objection::{Instead, Objection, Offence, Place};
pub use wide::widened;

use super::{Judge, Rejection};
use crate::{
    expression::{Expression, Literal},
    plan::{Plan, RowColumn, Rows},
    policy::{Bins, Policies, Role, TablePolicy},
    schema::{Column, Schemas, Table, Type},
    space::{BinSet, Dimension, Region},
};
use axis::Kind;
use conditions::Chosen;
use joins::Joined;

/// A plan that may run, and what must be known of its cells. Made by [`judge_by`] alone.
#[derive(Debug, Clone)]
pub struct Ruling {
    plan: Plan,
    schemas: Schemas,
    joined: Joined,
    everything: Region,
    axes: Vec<Axis>,
    base: Vec<(usize, BinSet)>,
    keys: Vec<Key>,
    scopes: Vec<Scope>,
    figures: Vec<Figure>,
    units: Vec<CountedUnit>,
    /// Of every column that is read, what these facts call it.
    names: BTreeMap<RowColumn, Dimension>,
    columns: Vec<BTreeSet<usize>>,
    cell_types: Vec<Type>,
    output_types: Vec<Type>,
}

/// A subject column of a scan, and the space that its names are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedUnit {
    /// The column; a missing value is nobody's.
    pub column: RowColumn,
    /// Columns of one space name the same subjects.
    pub space: String,
}

/// Judges a plan by the policies of the tables that it reads. What is not allowed here is refused.
///
/// # Errors
/// [`Objection`].
pub fn judge_by(plan: &Plan, schemas: &Schemas, policies: &Policies) -> Result<Ruling, Objection> {
    let judge = Judge { plan, schemas };
    judge.size()?;
    sets(plan)?;
    let mut roles = Roles { judge, policies, axes: Vec::new(), work: Cell::new(0) };
    roles.asked()?;
    let mut columns = roles.judge.columns()?;
    roles.judge.rows(&plan.rows)?;
    let (joined, flat) = roles.flatten(&plan.rows)?;
    roles.axes = roles.axes(&joined).ok_or(Rejection::Malformed)?;
    let mut base = Chosen::default();
    roles.choose(&flat.conditions, Place::Where, &mut base)?;
    roles.partners(&joined, &mut base);
    let keys = plan.keys.iter().enumerate().map(|(number, key)| roles.key(key, Place::Key(number)));
    let (keys, written_keys): (Vec<_>, Vec<_>) = keys.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let mut scopes = vec![];
    let figures = plan.aggregates.iter().enumerate();
    let figures = figures.map(|(number, aggregate)| roles.figure(aggregate, number, &base, &mut scopes));
    let (figures, mut aggregates): (Vec<_>, Vec<_>) = figures.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    if scopes.is_empty() {
        // Keys alone: that a cell is there is what is told.
        scopes.push(Scope::default());
    }
    let cell_types = roles.cell_types(&keys, &aggregates)?;
    let output_types = roles.judge.steps(&cell_types)?;
    for (figure, aggregate) in figures.iter().zip(&mut aggregates) {
        aggregate.filter = scopes.get(figure.scope).and_then(|scope| all(scope.written.iter().chain(&scope.sensitive)));
    }
    for axis in &roles.axes {
        columns.get_mut(axis.column.scan).map(|scan| scan.insert(axis.column.column));
    }
    let names = roles.names(&joined, &columns).ok_or(Rejection::Malformed)?;
    let facts = roles.facts_of(joined.facts).ok_or(Rejection::Malformed)?;
    let mut ruling = Ruling {
        plan: Plan { rows: joins::rows(&joined, false), keys: written_keys, aggregates, ..plan.clone() },
        schemas: schemas.clone(),
        everything: Region::all(facts.clone()),
        units: roles.units(),
        names,
        axes: roles.axes,
        base: base.bins,
        joined,
        keys,
        scopes,
        figures,
        columns,
        cell_types,
        output_types,
    };
    // An inner join drops rows without a partner by itself.
    if let Some(condition) = all(base.written.iter()) {
        ruling.plan.rows = Rows::Filter(Box::new(ruling.plan.rows), condition);
    }
    Ok(ruling)
}

impl Ruling {
    /// The plan: this one may run, and no other. Its rows are those of [`Self::base`], each of the facts' at most once; a
    /// condition on a sensitive column is with the aggregates, not with the rows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// All rows of the facts and what they are joined to, with a partner or without, whatever the question chooses of them: an
    /// earlier answer may be about others.
    pub fn all_rows(&self) -> Rows {
        joins::rows(&self.joined, true)
    }

    /// The scan of the facts: what its rows are of, each row is of.
    pub fn facts(&self) -> usize {
        self.joined.facts
    }

    /// Every dimension that its rows have, named or not.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Rows without a partner, of each join: the policy that lists its table says that everybody may know who has one.
    pub fn without_partner(&self) -> impl Iterator<Item = Region> + '_ {
        let partners = self.axes.iter().filter(|axis| axis.kind == Kind::Partner);
        partners
            .map(|axis| self.everything.clone().within(axis.dimension.clone(), BinSet::range(axis.outside(), u32::MAX)))
    }

    /// The keys, in the plan's order.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Of the plan's aggregates, in their order.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// The rows of a cell that figures are about.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Whom rows are about: in each cell and scope, so many different ones are to be counted of each.
    pub fn units(&self) -> &[CountedUnit] {
        &self.units
    }

    /// Columns that joins rest on: if a value is twice in one of these, among all rows of its scan, nothing may leave, for
    /// a row of the facts would be there twice.
    pub fn unique(&self) -> impl Iterator<Item = RowColumn> + '_ {
        self.joined.links.iter().flatten().map(|link| link.to)
    }

    /// Along which columns rows are joined: from what leads to what is led to, outwards from the facts. Both are equal.
    pub fn links(&self) -> impl Iterator<Item = (RowColumn, RowColumn)> + '_ {
        self.joined.links.iter().flatten().map(|link| (link.from, link.to))
    }

    /// Places of the columns that a scan reads, in order: those that the plan names, its subjects', and those of all axes,
    /// for the rows of earlier releases to be told apart.
    pub fn columns(&self, scan: usize) -> impl Iterator<Item = usize> + '_ {
        self.columns.get(scan).into_iter().flatten().copied()
    }

    /// Types of a cell: of its keys, then of its aggregates.
    pub fn cell_types(&self) -> &[Type] {
        &self.cell_types
    }

    /// Types of the answer's columns.
    pub fn output_types(&self) -> &[Type] {
        &self.output_types
    }

    /// The declared column of a scan.
    pub fn column(&self, column: RowColumn) -> Option<&Column> {
        self.judge().column(column)
    }

    /// The table of a scan.
    pub fn table(&self, scan: usize) -> Option<&Table> {
        self.judge().table(scan)
    }

    /// Where all rows lie that the question is about.
    pub fn base(&self) -> Region {
        self.region_of(&[])
    }

    /// Where the rows of a cell lie: of one of the plan's grouping sets, with these values of its keys. `None` for what is
    /// no cell of it.
    pub fn region(&self, set: usize, values: &[Literal]) -> Option<Region> {
        let keys = self.plan.sets.get(set)?;
        if keys.len() != values.len() {
            return None;
        }
        let bins = keys.iter().zip(values).map(|(key, value)| {
            let key = self.keys.get(*key)?;
            Some((key.axis, key.bins(value)?.clone()))
        });
        Some(self.region_of(&bins.collect::<Option<Vec<_>>>()?))
    }

    /// Where those rows of a cell lie that a scope is about, its sensitive condition apart.
    pub fn scoped(&self, set: usize, values: &[Literal], scope: usize) -> Option<Region> {
        let cell = self.region(set, values)?;
        let scope = self.scopes.get(scope)?;
        if scope.bins.is_empty() {
            return Some(cell);
        }
        let keys = self.plan.sets.get(set)?.iter().zip(values);
        let bins =
            keys.map(|(key, value)| self.keys.get(*key).and_then(|key| Some((key.axis, key.bins(value)?.clone()))));
        let bins = bins.chain(scope.bins.iter().cloned().map(Some)).collect::<Option<Vec<_>>>()?;
        Some(self.region_of(&bins))
    }

    /// The condition that a row of the plan's joins lies in a region; never missing. `None` where the plan's rows do not
    /// say: they are of other facts, or lack a dimension.
    pub fn condition(&self, region: &Region) -> Option<Expression<RowColumn>> {
        if region.facts() != self.everything.facts() {
            return None;
        }
        let within = region
            .sets()
            .map(|(dimension, set)| Some(self.axes.iter().find(|axis| axis.dimension == *dimension)?.condition(set)));
        within.collect::<Option<Vec<_>>>().map(Expression::And)
    }

    /// The condition that a row lies in a scope, its sensitive condition apart; `None` if every row does.
    pub fn scope_condition(&self, scope: usize) -> Option<Expression<RowColumn>> {
        all(self.scopes.get(scope)?.written.iter())
    }

    /// In one form whatever led to it: a dimension of which every bin is in is not named, nor that there is a partner where
    /// a dimension of the partner's says so.
    pub(crate) fn region_of(&self, more: &[(usize, BinSet)]) -> Region {
        let mut sets: BTreeMap<usize, BinSet> = BTreeMap::new();
        for (axis, set) in self.base.iter().chain(more) {
            sets.entry(*axis).and_modify(|bins| *bins = bins.and(set)).or_insert_with(|| set.clone());
        }
        let implied: BTreeSet<usize> = sets.iter().flat_map(|(axis, set)| self.partners_of(*axis, set)).collect();
        sets.into_iter().fold(self.everything.clone(), |region, (place, set)| match self.axes.get(place) {
            Some(axis) if set == BinSet::range(0, axis.outside() + 1) => region,
            Some(Axis { kind: Kind::Partner, through: Some(scan), .. })
                if implied.contains(scan) && set == BinSet::one(0) =>
            {
                region
            }
            Some(axis) => region.within(axis.dimension.clone(), set),
            None => region,
        })
    }

    /// The scans that a row must have a partner in to lie in these bins, but for what the axis itself says.
    fn partners_of(&self, axis: usize, set: &BinSet) -> Vec<usize> {
        let Some(axis) = self.axes.get(axis) else { return Vec::new() };
        if set.contains(axis.outside()) {
            return Vec::new();
        }
        let link = |scan: usize| self.joined.links.get(scan).and_then(Option::as_ref);
        let above = |scan: &usize| link(*scan).map(|link| link.from.scan).filter(|scan| link(*scan).is_some());
        let first = match axis.kind {
            Kind::Bins { .. } => axis.through,
            Kind::Partner => axis.through.as_ref().and_then(above),
        };
        std::iter::successors(first, above).collect()
    }

    fn judge(&self) -> Judge<'_> {
        Judge { plan: &self.plan, schemas: &self.schemas }
    }
}

struct Roles<'a> {
    judge: Judge<'a>,
    policies: &'a Policies,
    axes: Vec<Axis>,
    /// What reading conditions and keys bin by bin has cost.
    work: Cell<u64>,
}

impl<'a> Roles<'a> {
    /// Whether every table has a policy.
    fn asked(&self) -> Result<(), Objection> {
        (0..self.judge.plan.scans.len()).try_for_each(|scan| match self.policy(scan) {
            Some(_) => Ok(()),
            None => {
                let table = self.judge.table(scan).map(|table| table.name().to_owned()).unwrap_or_default();
                Err(Objection::new(Offence::NoPolicy { table }, Place::Scan(scan)))
            }
        })
    }

    fn policy(&self, scan: usize) -> Option<&'a TablePolicy> {
        self.policies.table(self.judge.plan.scans.get(scan)?.table)
    }

    fn role_of(&self, column: RowColumn) -> Option<&'a Role> {
        self.policy(column.scan)?.role(column.column)
    }

    fn role(&self, column: RowColumn, place: Place) -> Result<&'a Role, Objection> {
        self.role_of(column).ok_or_else(|| Objection::new(Offence::NoRole { column: self.name(column) }, place))
    }

    fn name(&self, column: RowColumn) -> String {
        self.judge.column(column).map(|column| column.name.clone()).unwrap_or_default()
    }

    fn is_unit(&self, column: RowColumn) -> bool {
        self.judge.table(column.scan).is_some_and(|table| table.subjects().contains(&column.column))
    }

    fn misused(&self, column: RowColumn, role: &Role, use_: &'static str, place: Place) -> Objection {
        let role = match role {
            Role::Identifier => "an identifier",
            Role::Dimension { .. } => "a dimension",
            Role::Measure { .. } => "a measure",
            Role::Category => "a sensitive category",
            Role::JoinKey(_) => "a join key",
        };
        Objection::new(Offence::Role { column: self.name(column), role, use_ }, place)
    }

    /// The axes: every dimension and every measure with bins, and of each join whether there is a partner.
    fn axes(&self, joined: &Joined) -> Option<Vec<Axis>> {
        let mut axes = Vec::new();
        for scan in 0..self.judge.plan.scans.len() {
            let link = joined.links.get(scan)?.as_ref();
            let through = link.map(|_| scan);
            for (column, role) in self.policy(scan)?.roles() {
                let column = RowColumn { scan, column };
                let kind = match role {
                    Role::Dimension { bins, groups } => Kind::Bins { bins: bins.clone(), groups: groups.clone() },
                    Role::Measure { bins: Some(bins), .. } => Kind::Bins { bins: bins.clone(), groups: Vec::new() },
                    Role::Measure { bins: None, .. } | Role::Identifier | Role::Category | Role::JoinKey(_) => continue,
                };
                let dimension = self.dimension(joined, scan, &self.name(column))?;
                axes.push(Axis { dimension, column, kind, through });
            }
            if let Some(link) = link {
                let dimension: Dimension = self.dimension(joined, scan, PARTNER)?;
                axes.push(Axis { dimension, column: link.to, kind: Kind::Partner, through });
            }
        }
        Some(axes)
    }

    /// What the facts call the columns that are read.
    fn names(&self, joined: &Joined, columns: &[BTreeSet<usize>]) -> Option<BTreeMap<RowColumn, Dimension>> {
        let mut names = BTreeMap::new();
        for (scan, columns) in columns.iter().enumerate() {
            for column in columns.iter().map(|column| RowColumn { scan, column: *column }) {
                names.insert(column, self.dimension(joined, scan, &self.name(column))?);
            }
        }
        Some(names)
    }

    /// Before an expression is read on each bin of its column: no data is needed to ask for that, so it must be cheap.
    fn spend(&self, expression: &Expression<RowColumn>, bins: &Bins, place: Place) -> Result<(), Objection> {
        let mut nodes = 0_u64;
        expression.visit(&mut |inner| {
            let listed = if let Expression::In(_, list) = inner { list.len() as u64 } else { 0 };
            nodes = nodes.saturating_add(1 + listed);
        });
        let work = self.work.get().saturating_add(nodes.saturating_mul(u64::from(bins.outside()) + 1));
        self.work.set(work);
        if work <= MOST_WORK { Ok(()) } else { Err(Objection::new(Rejection::TooLong, place)) }
    }

    fn own_axis(&self, column: RowColumn, place: Place) -> Result<usize, Objection> {
        let own = |axis: &Axis| axis.column == column && axis.bins().is_some();
        self.axes.iter().position(own).ok_or_else(|| Objection::new(Offence::NoColumn, place))
    }

    /// Inner joins choose those rows that have a partner.
    fn partners(&self, joined: &Joined, base: &mut Chosen) {
        let inner = |scan: usize| joined.links.get(scan).and_then(Option::as_ref).is_some_and(|link| link.inner);
        for (place, axis) in self.axes.iter().enumerate() {
            if axis.kind == Kind::Partner && axis.through.is_some_and(inner) {
                base.narrow(place, BinSet::one(0), None);
            }
        }
    }

    fn units(&self) -> Vec<CountedUnit> {
        let of_scan = |scan: usize| {
            self.policy(scan).map(TablePolicy::units).unwrap_or_default().iter().map(move |unit| (scan, unit))
        };
        (0..self.judge.plan.scans.len())
            .flat_map(of_scan)
            .map(|(scan, unit)| CountedUnit {
                column: RowColumn { scan, column: unit.column },
                space: unit.space.clone(),
            })
            .collect()
    }

    fn cell_types(&self, keys: &[Key], aggregates: &[crate::plan::Aggregate]) -> Result<Vec<Type>, Objection> {
        let mut types: Vec<Type> = keys.iter().map(|key| key.holds).collect();
        for (number, aggregate) in aggregates.iter().enumerate() {
            let refused = |rejection: Rejection| Objection::new(rejection, Place::Aggregate(number));
            let holds = |argument: &Option<Expression<RowColumn>>| {
                argument.as_ref().map(|argument| self.judge.row_type(argument)).transpose().map_err(refused)
            };
            let (argument, against) = (holds(&aggregate.argument)?, holds(&aggregate.against)?);
            let numeric = against.is_none_or(|of| matches!(of, Type::Integer(_) | Type::Float));
            let of = figures::holds(aggregate.of, argument)
                .filter(|_| numeric && aggregate.of.is_of_two() == against.is_some());
            types.push(of.ok_or_else(|| refused(Rejection::Type { construct: aggregate.of.name() }))?);
        }
        if types.is_empty() { Err(Rejection::Malformed.into()) } else { Ok(types) }
    }
}

/// All of them; `None` if there is none.
fn all<'a>(conditions: impl Iterator<Item = &'a Expression<RowColumn>>) -> Option<Expression<RowColumn>> {
    let conditions: Vec<_> = conditions.cloned().collect();
    (!conditions.is_empty()).then_some(Expression::And(conditions))
}

/// Whether the grouping sets are sets of the keys.
fn sets(plan: &Plan) -> Result<(), Rejection> {
    let sound = |set: &Vec<usize>| {
        let distinct: BTreeSet<usize> = set.iter().copied().collect();
        distinct.len() == set.len() && distinct.last().is_none_or(|last| *last < plan.keys.len())
    };
    match plan.sets.len() {
        0 => Err(Rejection::Malformed),
        1..=MOST_SETS if plan.sets.iter().all(sound) => Ok(()),
        1..=MOST_SETS => Err(Rejection::Malformed),
        _ => Err(Rejection::TooLong),
    }
}

/// In the place of a column's name, which has no such sign.
const PARTNER: &str = "*";
const MOST_SETS: usize = 64;
/// Most parts of expressions, each times the bins that it is read on.
const MOST_WORK: u64 = 10_000_000;

#[cfg(test)]
mod tests;

//! Joins: from the facts, along declared keys, to at most one row each, so that no row of the facts is there twice.

use super::{Instead, Objection, Offence, Place, Roles};
use crate::{
    expression::Expression,
    plan::{Join, JoinKind, RowColumn, Rows},
    policy::Role,
    space::{Dimension, Facts},
};

/// How a scan is reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    /// The join key.
    pub(super) from: RowColumn,
    /// The column of the scan reached that it is equal to: in which no value may be twice.
    pub(super) to: RowColumn,
    /// Whether rows without a partner are dropped.
    pub(super) inner: bool,
}

/// The scans, joined: of each but the facts' how it is reached.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Joined {
    pub(super) facts: usize,
    pub(super) links: Vec<Option<Link>>,
}

/// Rows in one form: joins alone, and conditions apart.
#[derive(Default)]
pub(super) struct Flat<'a> {
    links: Vec<(usize, Link)>,
    pub(super) conditions: Vec<&'a Expression<RowColumn>>,
    joins: usize,
}

impl<'a> Roles<'a> {
    /// Takes rows apart.
    pub(super) fn flatten(&self, rows: &'a Rows) -> Result<(Joined, Flat<'a>), Objection> {
        let mut flat = Flat::default();
        self.take_apart(rows, &mut flat)?;
        let scans = self.judge.plan.scans.len();
        let mut links: Vec<Option<Link>> = vec![None; scans];
        for (scan, link) in flat.links.drain(..) {
            match links.get_mut(scan) {
                Some(free @ None) => *free = Some(link),
                // Two tables that lead to one: each of its rows would be there for every pair of theirs.
                Some(Some(_)) | None => return Err(refused(Place::Question)),
            }
        }
        let mut roots = (0..scans).filter(|scan| links.get(*scan).is_some_and(Option::is_none));
        let (Some(facts), None) = (roots.next(), roots.next()) else { return Err(refused(Place::Question)) };
        let joined = Joined { facts, links };
        // Each is reached from the facts, and not around in a circle.
        if (0..scans).all(|scan| joined.path(scan).is_some()) {
            Ok((joined, flat))
        } else {
            Err(refused(Place::Question))
        }
    }

    fn take_apart(&self, rows: &'a Rows, flat: &mut Flat<'a>) -> Result<(), Objection> {
        match rows {
            Rows::Scan(_) => Ok(()),
            Rows::Filter(rows, condition) => {
                self.take_apart(rows, flat)?;
                flat.conditions.push(condition);
                Ok(())
            }
            Rows::Join(join) => {
                self.take_apart(&join.left, flat)?;
                self.take_apart(&join.right, flat)?;
                let place = Place::Join(flat.joins);
                flat.joins += 1;
                let (scan, link) = self.link(join, place)?;
                flat.links.push((scan, link));
                flat.conditions.extend(&join.filter);
                Ok(())
            }
        }
    }

    fn link(&self, join: &Join, place: Place) -> Result<(usize, Link), Objection> {
        let [(Expression::Column(left), Expression::Column(right))] = join.on.as_slice() else {
            return Err(refused(place));
        };
        let (left, right) = (*left, *right);
        // Which side must keep its rows, and which one gives way.
        let (from, to) = match join.kind {
            JoinKind::Inner if self.leads(left, right) => (left, right),
            JoinKind::Inner | JoinKind::Right => (right, left),
            JoinKind::Left => (left, right),
            JoinKind::Full => return Err(Objection::new(Offence::OuterJoin, place).instead(Instead::LeftJoin)),
        };
        if !self.leads(from, to) {
            return Err(refused(place));
        }
        let gives_way = match join.kind {
            JoinKind::Left => Some(&join.right),
            JoinKind::Right => Some(&join.left),
            JoinKind::Inner | JoinKind::Full => None,
        };
        // What is dropped before an outer join comes back without partner: then the bins of what it leads to mean
        // something else.
        if gives_way.is_some_and(|rows| *rows != Rows::Scan(to.scan)) {
            return Err(Objection::new(Offence::OuterJoin, place).instead(Instead::LeftJoin));
        }
        Ok((to.scan, Link { from, to, inner: gives_way.is_none() }))
    }

    /// Whether a column is a declared join key to the table of another, and that is the column of the same name there.
    fn leads(&self, from: RowColumn, to: RowColumn) -> bool {
        let (Some(Role::JoinKey(targets)), Some(target)) = (self.role_of(from), self.policy(to.scan)) else {
            return false;
        };
        let Some(table) = self.judge.table(to.scan) else { return false };
        let key = table.columns().iter().position(|column| column.name == self.name(from));
        targets.contains(target.facts()) && key == Some(to.column) && target.role(to.column).is_some()
    }

    /// The facts of a scan.
    pub(super) fn facts_of(&self, scan: usize) -> Option<&Facts> {
        self.policy(scan).map(crate::policy::TablePolicy::facts)
    }

    /// A column's dimension, from the facts along the joins.
    pub(super) fn dimension(&self, joined: &Joined, scan: usize, column: &str) -> Option<Dimension> {
        let own = Dimension::own(column);
        joined.path(scan)?.into_iter().try_fold(own, |dimension, link| {
            Some(Dimension::through(&self.name(link.from), self.facts_of(link.to.scan)?, &dimension))
        })
    }
}

impl Joined {
    /// The joins that lead from the facts to a scan, the last one first; `None` if none do.
    fn path(&self, scan: usize) -> Option<Vec<&Link>> {
        let mut path = Vec::new();
        let mut at = scan;
        while let Some(link) = self.links.get(at)? {
            if path.len() == self.links.len() {
                return None;
            }
            path.push(link);
            at = link.from.scan;
        }
        (at == self.facts).then_some(path)
    }
}

/// As the engine is to run them: each join along its key, in an order in which both sides are there.
/// Where all rows of the facts are wanted, none is dropped for want of a partner.
pub(super) fn rows(joined: &Joined, all: bool) -> Rows {
    let mut rows = Rows::Scan(joined.facts);
    let mut left: Vec<(usize, &Link)> =
        joined.links.iter().enumerate().filter_map(|(scan, link)| Some((scan, link.as_ref()?))).collect();
    while let Some(next) = left.iter().position(|(_, link)| rows.reads(link.from.scan)) {
        let (scan, link) = left.swap_remove(next);
        rows = Rows::Join(Box::new(Join {
            kind: if link.inner && !all { JoinKind::Inner } else { JoinKind::Left },
            left: rows,
            right: Rows::Scan(scan),
            on: vec![(Expression::Column(link.from), Expression::Column(link.to))],
            filter: None,
        }));
    }
    rows
}

fn refused(place: Place) -> Objection {
    Objection::new(Offence::JoinKey, place).instead(Instead::JoinByKey)
}

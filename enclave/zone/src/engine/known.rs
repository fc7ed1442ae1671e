//! The information budget, over rows: what all answers together let know of any one subject's part.
//!
//! ```text
//! budget::Plan --dimensions--> classes of bins --plan::classes--> which combinations rows have, and how many subjects
//!     --sized, admit--> which new cells still fit
//! ```
//!
//! Rows are grouped once for each class of loads. What cannot be grouped, or would be too many groups, does not fit.

use std::collections::BTreeMap;

use datafusion::execution::SessionState;
use octroi_release::{
    budget::{self, Admission, Group, Limits, Plan},
    history,
    space::BinSet,
};

use super::{
    counted::whole_rows,
    earlier::Earlier,
    execute::{Run, collect},
    raise::plan,
    refusal::Cause,
    remainders::axes,
};

impl Earlier {
    /// Which of these cells fit the budget, in their order.
    pub(super) async fn admit(
        &self,
        run: &Run,
        session: &SessionState,
        cells: &[history::Cell],
        limits: Limits,
    ) -> Result<Vec<bool>, Cause> {
        let none = || Ok(vec![false; cells.len()]);
        let question = budget::Question {
            facts: self.facts(),
            cells,
            organisation: self.organisation(),
            versions: self.versions(),
        };
        let countable = |dimension: &_| run.ground.axes().iter().any(|axis| axis.dimension == *dimension);
        let Ok(plan) = Plan::open(question, self.history(), countable, limits) else { return none() };
        let Some((groups, alone)) = self.groups(run, session, &plan).await? else { return none() };
        match plan.sized(&groups, |_| alone) {
            Ok(budget) => {
                let Admission { admitted, .. } = budget.admit();
                Ok(admitted)
            }
            Err(_) => none(),
        }
    }

    /// The groups that there are, and whether no subject has rows in two of them; nothing where they are too many, or
    /// cannot be counted.
    async fn groups(
        &self,
        run: &Run,
        session: &SessionState,
        plan: &Plan,
    ) -> Result<Option<(Vec<Group>, bool)>, Cause> {
        let every = BinSet::range(0, u32::MAX);
        let loads = plan.dimensions().iter().position(|of| of.dimension == history::loads());
        let of_loads = loads.and_then(|place| plan.dimensions().get(place)).map(|of| of.sets.as_slice());
        let by = plan.dimensions().iter().filter(|of| of.dimension != history::loads());
        let Some(by) = axes(&run.ground, by) else { return Ok(None) };
        // Of each combination the fewest subjects of any unit.
        let mut groups: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        let (mut counted, mut all) = (vec![0_u64; run.ruling.units().len()], vec![0_u64; run.ruling.units().len()]);
        for (class, read) in (0..).zip(of_loads.unwrap_or(std::slice::from_ref(&every))) {
            let Some(tables) = self.tables_of(run, read)? else { continue };
            for (unit, column) in run.ruling.units().iter().enumerate() {
                let rows = run.ground.all_rows();
                let found = plan::classes(&run.ground, &tables, &rows, &by, column.column)?;
                let found = whole_rows(&collect(session, found, run.limits.memory).await?)?;
                for row in found {
                    let Some((subjects, classes)) = row.split_last() else { return Err(Cause::EngineFailed) };
                    let mut classes = classes.iter().map(|class| u32::try_from(*class)).collect::<Result<Vec<_>, _>>();
                    if let (Ok(classes), Some(place)) = (&mut classes, loads) {
                        classes.insert(place, class);
                    }
                    let (Ok(classes), Ok(subjects)) = (classes, u64::try_from(*subjects)) else {
                        return Err(Cause::EngineFailed);
                    };
                    counted.get_mut(unit).into_iter().for_each(|counted| *counted += subjects);
                    groups.entry(classes).and_modify(|fewest| *fewest = subjects.min(*fewest)).or_insert(subjects);
                }
                if groups.len() > MOST_GROUPS {
                    return Ok(None);
                }
            }
        }
        for (unit, column) in run.ruling.units().iter().enumerate() {
            let rows = run.ground.all_rows();
            let found = plan::classes(&run.ground, &run.tables, &rows, &[], column.column)?;
            let found = whole_rows(&collect(session, found, run.limits.memory).await?)?;
            let subjects = found.first().and_then(|row| row.last()).and_then(|number| u64::try_from(*number).ok());
            all.get_mut(unit).into_iter().for_each(|all| *all = subjects.unwrap_or_default());
        }
        let groups = groups.into_iter().map(|(classes, subjects)| Group { classes, subjects });
        Ok(Some((groups.collect(), counted == all)))
    }
}

/// Combinations of classes that are looked at.
const MOST_GROUPS: usize = 100_000;

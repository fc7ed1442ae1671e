//! Subjects on each side of the quantiles that may leave, of each unit: counted once their values are known, in one pass for
//! each figure and grouping set, whichever of them would do without.

use std::collections::{BTreeMap, HashMap};

use datafusion::execution::SessionState;
use octroi_release::{Control, CountedCell, Quantile, Sides};

use super::{
    counted::{spelled, whole_by_key},
    execute::{Run, collect},
    raise::plan,
    refusal::Cause,
};

impl Run {
    /// Counts the sides of all quantiles that may leave.
    pub(super) async fn sides(
        &self,
        session: &SessionState,
        cells: &[CountedCell],
        control: &mut Control<'_>,
    ) -> Result<(), Cause> {
        let mut of_sets: BTreeMap<(usize, usize), Vec<(String, Quantile)>> = BTreeMap::new();
        for quantile in control.quantiles() {
            let Some(cell) = cells.get(quantile.cell) else { continue };
            of_sets.entry((cell.set, quantile.figure)).or_default().push((spelled(&cell.keys), quantile));
        }
        for ((set, figure), mut quantiles) in of_sets {
            quantiles.sort_by(|(one, _), (other, _)| one.cmp(other));
            let values: Vec<_> = quantiles.iter().map(|(key, of)| (key.clone(), of.value.to_bits())).collect();
            let mut units: Vec<HashMap<String, Vec<i64>>> = Vec::new();
            for unit in self.ruling.units() {
                let sides = plan::sides(&self.ruling, &self.tables, set, figure, unit.column, &values)?;
                units.push(whole_by_key(&collect(session, sides, self.limits.memory).await?, &self.ruling, set)?);
            }
            for (key, quantile) in quantiles {
                let of_unit = |unit: &HashMap<String, Vec<i64>>| match unit.get(&key).map(Vec::as_slice) {
                    Some([below, above]) => {
                        let count = |number: i64| u64::try_from(number).unwrap_or_default();
                        Sides { below: count(*below), above: count(*above) }
                    }
                    Some(_) | None => Sides { below: 0, above: 0 },
                };
                control.count_sides(quantile, units.iter().map(of_unit).collect());
            }
        }
        Ok(())
    }
}

//! The documented rules of release (docs/QUERIES.md, docs/RELEASE-POLICY.md) over the rows themselves, the slow and
//! obvious way: what an answer is held against. Shares no code with what runs in a zone.

use std::collections::BTreeMap;

use serde_json::Value;

/// Rows that are one cell of an answer.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    rows: i64,
    values: i64,
    sum: i64,
    /// Of each unit, by subject: what it brings.
    units: Vec<BTreeMap<String, Part>>,
}

/// What a question tells of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// `COUNT(*)`.
    Rows,
    /// `SUM` or `AVG` of the one value.
    Values,
}

/// What one subject brings to a cell.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    rows: i64,
    values: i64,
    magnitude: i64,
}

impl Cell {
    /// One more row: its subject of each unit, in the units' order, and its value, if it has one.
    pub fn add(&mut self, subjects: &[&str], value: Option<i64>) {
        self.units.resize_with(subjects.len(), BTreeMap::new);
        self.rows += 1;
        self.values += i64::from(value.is_some());
        self.sum += value.unwrap_or_default();
        for (unit, subject) in self.units.iter_mut().zip(subjects) {
            let part = unit.entry((*subject).to_owned()).or_default();
            part.rows += 1;
            part.values += i64::from(value.is_some());
            part.magnitude += value.map_or(0, i64::abs);
        }
    }

    /// All rows of several cells that share none.
    pub fn together<'a>(cells: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for cell in cells {
            all.rows += cell.rows;
            all.values += cell.values;
            all.sum += cell.sum;
            all.units.resize_with(cell.units.len().max(all.units.len()), BTreeMap::new);
            for (unit, more) in all.units.iter_mut().zip(&cell.units) {
                for (subject, more) in more {
                    let part = unit.entry(subject.clone()).or_default();
                    part.rows += more.rows;
                    part.values += more.values;
                    part.magnitude += more.magnitude;
                }
            }
        }
        all
    }

    /// Distinct subjects of the unit that has fewest.
    pub fn subjects(&self) -> usize {
        self.units.iter().map(BTreeMap::len).min().unwrap_or_default()
    }

    /// Whether it may leave under the default rules, as far as it alone goes: of every unit 11 subjects at least, and of
    /// what is told nobody brings more than 85 %, no two more than 90 %, and the rest is at least a tenth of the largest.
    pub fn leaves(&self, told: &[Told]) -> bool {
        self.leaves_with(LEAST_SUBJECTS, told)
    }

    /// The same with another threshold.
    pub fn leaves_with(&self, least: usize, told: &[Told]) -> bool {
        !self.units.is_empty()
            && self.units.iter().all(|unit| {
                unit.len() >= least
                    && told.iter().all(|told| match told {
                        Told::Rows => undominated(unit.values().map(|part| part.rows)),
                        // How many values there are is told by a mean, so nobody may have most of them either.
                        Told::Values => {
                            unit.values().filter(|part| part.values > 0).count() >= least
                                && undominated(unit.values().map(|part| part.values))
                                && undominated(unit.values().map(|part| part.magnitude))
                        }
                    })
            })
    }

    /// `COUNT(*)` as it leaves.
    pub fn count(&self) -> i64 {
        rounded_count(self.rows)
    }

    /// `SUM` as it leaves.
    pub fn sum(&self) -> i64 {
        rounded_sum(self.sum)
    }

    /// `AVG` as it leaves, read from its digits as an answer is: this reading may be off by the last bit.
    #[expect(clippy::cast_precision_loss, reason = "three digits, and numbers of rows")]
    pub fn mean(&self) -> Value {
        let mean = rounded_sum(self.sum) as f64 / rounded_count(self.values) as f64;
        serde_json::from_str(&format!("{mean:?}")).expect("a number")
    }
}

/// Whether no contribution stands out of the total.
fn undominated(contributions: impl Iterator<Item = i64>) -> bool {
    let mut sorted: Vec<i64> = contributions.collect();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    let [largest, second] = [0, 1].map(|place| sorted.get(place).copied().unwrap_or_default());
    let total: i64 = sorted.iter().sum();
    let rest = total - largest - second;
    largest * 100 <= total * 85 && (largest + second) * 100 <= total * 90 && rest * 10 >= largest
}

/// To the nearest multiple of 5.
pub fn rounded_count(count: i64) -> i64 {
    (count + 2).div_euclid(5) * 5
}

/// To three significant digits, halves to the even one; on the digits as they are written.
pub fn rounded_sum(sum: i64) -> i64 {
    let written = sum.unsigned_abs().to_string();
    let Some((kept, rest)) = written.split_at_checked(3) else { return sum };
    let half = format!("5{}", "0".repeat(rest.len().saturating_sub(1)));
    let mut kept: i64 = kept.parse().expect("three digits");
    if !rest.is_empty() && (rest > half.as_str() || (rest == half && kept % 2 == 1)) {
        kept += 1;
    }
    let zeros = u32::try_from(rest.len()).expect("under twenty digits");
    sum.signum() * kept * 10_i64.pow(zeros)
}

/// Fewest subjects of a cell, unless a policy says more.
pub const LEAST_SUBJECTS: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(values: &[i64]) -> Cell {
        let mut cell = Cell::default();
        for (subject, value) in values.iter().enumerate() {
            cell.add(&[&subject.to_string()], Some(*value));
        }
        cell
    }

    #[test]
    fn rounding_is_as_documented() {
        assert_eq!([0, 2, 3, 12, 13, 184].map(rounded_count), [0, 0, 5, 10, 15, 185]);
        assert_eq!(
            [999, 12_345, 12_350, 12_450, 12_451, -12_350, 99_950].map(rounded_sum),
            [999, 12_300, 12_400, 12_400, 12_500, -12_400, 100_000]
        );
    }

    #[test]
    fn few_and_dominated_cells_stay() {
        let told = [Told::Rows, Told::Values];
        assert!(cell(&[10; 11]).leaves(&told) && !cell(&[10; 10]).leaves(&told));
        let mut one = vec![10; 12];
        one[3] = 5_000;
        assert!(!cell(&one).leaves(&told) && cell(&one).leaves(&[Told::Rows]));
        assert!(!Cell::default().leaves(&told));
    }
}

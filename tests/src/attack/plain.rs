//! What a question gives by the slow and obvious way, on the rows themselves: what nobody protects, and which of it the
//! cell rules alone would let pass.
//!
//! Written anew from docs/RELEASE-POLICY.md, apart from the code that is tested.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    question::{Condition, Figure, Joined, Of, Question},
    seen::{Row, Seen},
    table::{MISSING, Role, Table, Terms, Value},
};

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The group's keys, as they are told.
    pub keys: Vec<String>,
    /// The places of its rows.
    pub rows: Vec<usize>,
}

/// All groups of a question, of every set of keys.
pub fn cells(question: &Question, table: &Table) -> Vec<Cell> {
    let chosen = (0..table.rows.len()).filter(|place| {
        let row = &table.rows[*place];
        (question.joined != Joined::Inner || has_partner(table, row))
            && question.conditions.iter().all(|condition| condition.holds(table, row))
    });
    let keyed: Vec<(usize, Vec<String>)> = chosen
        .map(|place| (place, question.keys.iter().map(|key| key.of(table, &table.rows[place]).told()).collect()))
        .collect();
    let mut cells = Vec::new();
    for set in question.grouping_sets() {
        let mut groups: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        // Without keys there is a group, be there rows or not.
        if question.keys.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        for (place, keys) in &keyed {
            let key = |(at, key): (usize, &String)| if set.contains(&at) { key.clone() } else { MISSING.to_owned() };
            groups.entry(keys.iter().enumerate().map(key).collect()).or_default().push(*place);
        }
        cells.extend(groups.into_iter().map(|(keys, rows)| Cell { keys, rows }));
    }
    cells
}

impl Cell {
    /// A figure of it, if it has one.
    pub fn value(&self, figure: &Figure, table: &Table) -> Option<f64> {
        value(figure.of, table, &self.chosen(figure, table, |_| true))
    }

    /// The places of the rows that a figure's subjects are counted in: without what it says of sensitive columns.
    pub fn scope(&self, figure: &Figure, table: &Table) -> Vec<usize> {
        let kept = |place: &&usize| {
            let mut public = figure.only.iter().filter(|condition| !condition.is_sensitive(table));
            public.all(|condition| condition.holds(table, &table.rows[**place]))
        };
        self.rows.iter().filter(kept).copied().collect()
    }

    /// Whether the cell rules let a figure pass.
    pub fn passes(&self, figure: &Figure, table: &Table, terms: Terms) -> bool {
        let scope = self.chosen(figure, table, |condition| !condition.is_sensitive(table));
        passes(figure.of, table, &scope, terms)
    }

    fn chosen<'t>(
        &self,
        figure: &Figure,
        table: &'t Table,
        counts: impl Fn(&Condition) -> bool,
    ) -> Vec<&'t Vec<Value>> {
        let rows = self.rows.iter().map(|place| &table.rows[*place]);
        let present = |row: &&Vec<Value>| figure.of.columns().iter().all(|it| row[table.place(it)] != Value::Missing);
        let holds = |row: &&Vec<Value>| figure.only.iter().filter(|it| counts(it)).all(|it| it.holds(table, row));
        rows.filter(holds).filter(present).collect()
    }
}

fn has_partner(table: &Table, row: &[Value]) -> bool {
    let key = row[table.place(table.partner.columns[0])].number();
    table.partner.rows.iter().any(|[partner, _]| key == Some(*partner as f64))
}

/// What is answered where `keeps` says of each figure of each group whether it is told. A trap goes off where a row is in
/// it.
pub fn answer(question: &Question, table: &Table, mut keeps: impl FnMut(&Cell, &Figure) -> bool) -> Seen {
    if let Some((_, springs)) = &question.trap {
        let all = || question.conditions.iter().chain(springs);
        if table.rows.iter().any(|row| all().all(|condition| condition.holds(table, row))) {
            return Seen::Refused;
        }
    }
    let hidden =
        question.above.iter().map(|(figure, _)| figure).chain(question.largest.iter().map(|(figure, _)| figure));
    let figures: Vec<&Figure> = question.figures.iter().chain(hidden).collect();
    let mut rows: Vec<(Vec<String>, Vec<Option<f64>>)> = Vec::new();
    for cell in cells(question, table) {
        let told: Vec<Option<Option<f64>>> =
            figures.iter().map(|figure| keeps(&cell, figure).then(|| cell.value(figure, table))).collect();
        if told.iter().any(Option::is_some) {
            rows.push((cell.keys, told.into_iter().map(Option::flatten).collect()));
        }
    }
    let shown = question.figures.len();
    if let Some((_, least)) = question.above {
        rows.retain(|(_, figures)| figures[shown].is_some_and(|value| value > least));
    }
    if let Some((_, most)) = &question.largest {
        let by = figures.len() - 1;
        rows.sort_by(|one, other| other.1[by].partial_cmp(&one.1[by]).expect("figures are numbers"));
        rows.truncate(most.unwrap_or(usize::MAX));
    }
    let row = |(keys, figures): (Vec<String>, Vec<Option<f64>>)| Row {
        keys,
        figures: figures.into_iter().take(shown).collect(),
    };
    Seen::Rows(rows.into_iter().map(row).collect())
}

/// What each subject of a unit brings, by magnitude.
fn contributions(table: &Table, rows: &[&Vec<Value>], unit: &str, of: impl Fn(&[Value]) -> f64) -> Vec<f64> {
    let unit = table.place(unit);
    let mut subjects: HashMap<&str, f64> = HashMap::new();
    for row in rows {
        let Value::Name(name) = &row[unit] else { panic!("units are names") };
        *subjects.entry(name).or_default() += of(row).abs();
    }
    subjects.into_values().collect()
}

/// Whether rows pass: enough subjects of every unit, nobody who dominates, and not all of one category where that counts.
fn passes(of: Of, table: &Table, rows: &[&Vec<Value>], terms: Terms) -> bool {
    let number = |column: &'static str| {
        let place = table.place(column);
        move |row: &[Value]| row[place].number().unwrap_or(0.0)
    };
    let square = |column: &'static str| {
        let of = number(column);
        move |row: &[Value]| of(row).powi(2)
    };
    for unit in table.units {
        if contributions(table, rows, unit, |_| 1.0).len() < LEAST {
            return false;
        }
        let mut quantities = vec![contributions(table, rows, unit, |_| 1.0)];
        match of {
            Of::Rows | Of::Values(_) | Of::Subjects(_) | Of::Pairs(..) => {}
            Of::Percentile(column, thousandths) => {
                let of = number(column);
                let mut values: Vec<f64> = rows.iter().map(|row| of(row)).collect();
                values.sort_by(f64::total_cmp);
                let cut = values.len() * thousandths as usize / 1_000;
                let side = |keep: &dyn Fn(f64) -> bool| {
                    let at = values.get(cut).copied().unwrap_or(0.0);
                    let rows: Vec<&Vec<Value>> = rows.iter().filter(|row| keep(of(row) - at)).copied().collect();
                    contributions(table, &rows, unit, |_| 1.0).len() >= LEAST
                };
                if !(side(&|beyond| beyond <= 0.0) && side(&|beyond| beyond >= 0.0)) {
                    return false;
                }
            }
            Of::Sum(column) | Of::Mean(column) => {
                quantities.push(contributions(table, rows, unit, number(column)));
            }
            Of::Variance(column) | Of::Deviation(column) => {
                quantities.push(contributions(table, rows, unit, number(column)));
                quantities.push(contributions(table, rows, unit, square(column)));
            }
            Of::Correlation(y, x)
            | Of::Covariance(y, x)
            | Of::Slope(y, x)
            | Of::Intercept(y, x)
            | Of::MeanX(y, x)
            | Of::Squares(y, x) => {
                for column in [y, x] {
                    quantities.push(contributions(table, rows, unit, number(column)));
                    quantities.push(contributions(table, rows, unit, square(column)));
                }
                let (of_y, of_x) = (number(y), number(x));
                quantities.push(contributions(table, rows, unit, |row| of_y(row) * of_x(row)));
            }
        }
        // Whoever brings nothing to what is added up is nobody of it.
        let few = |quantity: &[f64]| quantity.iter().filter(|brought| **brought > 0.0).count() < LEAST;
        if quantities.iter_mut().any(|quantity| few(quantity) || dominated(quantity)) {
            return false;
        }
    }
    let categories = table.columns.iter().filter(|column| matches!(column.role, Role::Category | Role::Flag));
    !terms.homogeneity
        || categories.into_iter().all(|column| {
            rows.iter().map(|row| row[table.place(column.name)].told()).collect::<BTreeSet<_>>().len() > 1
        })
}

/// (1, 85 %), (2, 90 %) and the p-% rule.
fn dominated(contributions: &mut [f64]) -> bool {
    contributions.sort_by(|one, other| other.total_cmp(one));
    let total: f64 = contributions.iter().sum();
    let largest = contributions.first().copied().unwrap_or(0.0);
    let second = contributions.get(1).copied().unwrap_or(0.0);
    largest > total * 0.85 || largest + second > total * 0.9 || total - largest - second < largest * 0.1
}

fn value(of: Of, table: &Table, rows: &[&Vec<Value>]) -> Option<f64> {
    let count = rows.len() as f64;
    let all = |column: &'static str| {
        let place = table.place(column);
        rows.iter().map(|row| row[place].number().unwrap_or(0.0)).collect::<Vec<f64>>()
    };
    let total = |column| all(column).iter().sum::<f64>();
    let mean = |column| total(column) / count;
    let products = |y, x| {
        let (of_y, of_x) = (mean(y), mean(x));
        all(y).iter().zip(all(x)).map(|(y, x)| (y - of_y) * (x - of_x)).sum::<f64>()
    };
    let number = match of {
        Of::Rows | Of::Values(_) | Of::Pairs(..) => return Some(count),
        Of::Subjects(unit) => return Some(contributions(table, rows, unit, |_| 1.0).len() as f64),
        Of::Sum(column) => return (count > 0.0).then(|| total(column)),
        Of::Mean(column) => mean(column),
        Of::Variance(column) => products(column, column) / count,
        Of::Deviation(column) => (products(column, column) / count).sqrt(),
        Of::Covariance(y, x) => products(y, x) / count,
        Of::Correlation(y, x) => products(y, x) / (products(y, y) * products(x, x)).sqrt(),
        Of::Slope(y, x) => products(y, x) / products(x, x),
        Of::Intercept(y, x) => mean(y) - products(y, x) / products(x, x) * mean(x),
        Of::MeanX(_, x) => mean(x),
        Of::Squares(_, x) => products(x, x),
        Of::Percentile(column, thousandths) => {
            let mut values = all(column);
            values.sort_by(f64::total_cmp);
            *values.get(values.len() * thousandths as usize / 1_000)?
        }
    };
    number.is_finite().then_some(number)
}

/// Fewest subjects of a cell.
const LEAST: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{
        question::{Sets, by, col, figure, is, rows, sum},
        town::{Few, Town},
    };

    #[test]
    fn rows_are_counted_by_every_set_of_keys() {
        let town = Town::new("t", 1);
        let question = by([col("district"), col("work")]).sets(Sets::Rollup).tell(rows()).tell(sum("income"));
        let Seen::Rows(seen) = answer(&question, &town.table, |_, _| true) else { panic!("no protection") };
        let count = |keys: [&str; 2]| seen.iter().find(|row| row.keys == keys).and_then(|row| row.figures[0]);
        assert_eq!(count([MISSING, MISSING]), Some(town.table.rows.len() as f64));
        assert_eq!(count(["d01", "farmer"]), Some(town.known().size(Few::Farmers, 0)));
        let parts: f64 = seen
            .iter()
            .filter(|row| row.keys[0] == "d01" && row.keys[1] != MISSING)
            .map(|row| row.figures[0].unwrap())
            .sum();
        assert_eq!(count(["d01", MISSING]), Some(parts));
    }

    #[test]
    fn the_rules_are_those_that_the_documents_tell() {
        let town = Town::new("t", 1);
        let few = by([col("work")]).where_(is("district", "d02")).tell(rows()).tell(figure(Of::Mean("turnover")));
        let cells = cells(&few, &town.table);
        let passes = |work: &str, figure: usize| {
            let cell = cells.iter().find(|cell| cell.keys == [work]).unwrap();
            cell.passes(&few.figures[figure], &town.table, Terms::default())
        };
        assert!(!passes("farmer", 0) && passes("worker", 0) && passes("worker", 1));
        assert!(passes("artisan", 0) && !passes("artisan", 1), "a shop dominates");
        // What is sensitive is counted within, and chooses nothing.
        let ill = rows().only(Condition::Is("illness", Value::Text("hiv")));
        let all = super::cells(&by([]).tell(ill.clone()), &town.table);
        assert!(all[0].passes(&ill, &town.table, Terms::default()) && all[0].value(&ill, &town.table) == Some(0.0));
    }
}

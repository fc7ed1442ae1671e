//! Whether it shows in what is withheld.

use octroi_tests::attack::{
    arena,
    gate::{Gate as _, Live, Who},
    plain,
    question::{Condition, Figure, Question, by, col, rows, sum},
    seen::Seen,
    table::{Table, Terms, Value},
    town::{NOT_LAND, Town},
};

use super::{Bench, TICK};

pub(super) fn measure(bench: &Bench<'_>) {
    let city = bench.city(TICK);
    let towns: Vec<Town> =
        (0..TOWNS * FORMS.len()).map(|it| Town::new(&format!("town{it}"), 500 + it as u64)).collect();
    let tables: Vec<Table> = towns.iter().map(|town| town.table.clone()).collect();
    arena::host(&city, "refusals", bench.backend, &tables, Terms::default());
    bench.say(&format!(
        "## Refusals, zones of kind {}\n\n| question | targets | withheld | accuracy |\n| --- | --- | --- | --- |",
        bench.backend
    ));
    let mut worst = 0.0_f64;
    for ((name, figure, form), tables) in FORMS.iter().zip(tables.chunks(TOWNS)) {
        let (mut secrets, mut told) = (Vec::new(), Vec::new());
        for table in tables {
            let mut live = Live::new(&city, "refusals", table, bench.backend);
            let seen = ask(&mut live, *figure, *form);
            for (keys, secret) in targets(table, figure()) {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                told.push(seen.row(&keys).is_some_and(|row| row.figures.iter().any(Option::is_some)));
                secrets.push(secret);
            }
        }
        let accuracy = accuracy(&secrets, &told);
        let withheld = told.iter().filter(|told| !**told).count();
        bench.say(&format!("| {name} | {} | {withheld} | {accuracy:.3} |", told.len()));
        worst = accuracy.max(worst);
        bench.figure("refusals.targets", told.len() as f64);
    }
    bench.figure("refusals.accuracy", 100.0 * worst);
    measured(bench);
}

/// The same of a measure: that somebody stands out is told by a refusal, as by every dominance rule.
fn measured(bench: &Bench<'_>) {
    let city = bench.city(TICK);
    let town = Town::new("town", 700);
    arena::host(&city, "measured", bench.backend, std::slice::from_ref(&town.table), Terms::default());
    let mut live = Live::new(&city, "measured", &town.table, bench.backend);
    let seen = live.ask(Who::Lena, &cells(|| sum("turnover")));
    let cells = plain::cells(&cells(|| sum("turnover")), &town.table);
    let (mut right, mut all) = (0, 0);
    for cell in cells.iter().filter(|cell| cell.passes(&rows(), &town.table, Terms::default())) {
        let keys: Vec<&str> = cell.keys.iter().map(String::as_str).collect();
        let told = seen.row(&keys).is_some_and(|row| row.figures.iter().any(Option::is_some));
        let dominated = !cell.passes(&sum("turnover"), &town.table, Terms::default());
        (right, all) = (right + usize::from(told != dominated), all + 1);
    }
    bench.say(&format!(
        "| somebody dominates a sum (told by the rule itself) | {all} | | {:.3} |",
        right as f64 / all as f64
    ));
}

/// By every district and work.
fn cells(figure: fn() -> Figure) -> Question {
    by([col("district"), col("work")]).tell(figure())
}

fn ask(live: &mut Live<'_>, figure: fn() -> Figure, form: Form) -> Seen {
    let before = by([col("district")]).tell(rows()).tell(figure());
    match form {
        Form::Cells => {}
        Form::Condition => {
            let conditions = figure().only;
            return live.ask(Who::Lena, &Question { figures: vec![rows()], conditions, ..cells(figure) });
        }
        Form::AfterTotals => drop(live.ask(Who::Lena, &before)),
        Form::AfterUnions => drop(live.ask(Who::Lena, &before.where_(Condition::Among("work", NOT_LAND)))),
    }
    live.ask(Who::Lena, &cells(figure))
}

/// Cells of enough persons, which is public; and whether more than the median share of them is counted, which is not.
fn targets(table: &Table, figure: Figure) -> Vec<(Vec<String>, bool)> {
    let mut cells = plain::cells(&by([col("district"), col("work")]), table);
    cells.retain(|cell| cell.passes(&rows(), table, Terms::default()));
    let share = |cell: &plain::Cell| cell.value(&figure, table).unwrap_or(0.0) / cell.rows.len() as f64;
    let mut shares: Vec<f64> = cells.iter().map(share).collect();
    shares.sort_by(f64::total_cmp);
    let middle = shares[shares.len() / 2];
    cells.into_iter().map(|cell| (cell.keys.clone(), share(&cell) > middle)).collect()
}

/// Of saying yes where nothing is told, or no there: whichever is better.
fn accuracy(secrets: &[bool], told: &[bool]) -> f64 {
    let right = secrets.iter().zip(told).filter(|(secret, told)| secret != told).count() as f64 / secrets.len() as f64;
    right.max(1.0 - right)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The cells, at once.
    Cells,
    /// The condition on the rows.
    Condition,
    /// After the districts' totals.
    AfterTotals,
    /// After unions that leave a few.
    AfterUnions,
}

/// Towns for each form.
const TOWNS: usize = 2;

/// How it is called, what is asked, and how it is put.
type Named = (&'static str, fn() -> Figure, Form);

const FORMS: &[Named] = &[
    ("asthma, by FILTER", || rows().only(Condition::Is("illness", Value::Text("asthma"))), Form::Cells),
    ("asthma, by WHERE", || rows().only(Condition::Is("illness", Value::Text("asthma"))), Form::Condition),
    ("benefits, by FILTER", || rows().only(Condition::Flag("benefit", true)), Form::Cells),
    ("no benefits, by WHERE", || rows().only(Condition::Flag("benefit", false)), Form::Condition),
    ("benefits, after totals", || rows().only(Condition::Flag("benefit", true)), Form::AfterTotals),
    ("benefits, after unions", || rows().only(Condition::Flag("benefit", true)), Form::AfterUnions),
];

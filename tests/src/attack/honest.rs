//! Honest analyses, and how much of what the cell rules let pass they get.

use super::{
    dice::Dice,
    plain,
    question::{
        Condition::{self, Among, Below, From, Is},
        Figure, Joined, Key, Of, Part, Period, Question, Sets, by, col, figure, is, rows, sum,
    },
    seen::Seen,
    table::{Table, Terms, Value, day},
    trips::{CENTRE, EAST, PUBLIC, SOFT, ZONES},
};

/// What became of one analysis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Received {
    /// Cells that pass the cell rules.
    pub passing: usize,
    /// Of these, those that were released.
    pub released: usize,
    /// Cells that were released and do not pass: the harness or the gateway is wrong.
    pub beyond: usize,
    /// How far each released value is off, as a share of what it is.
    pub errors: Vec<f64>,
}

impl Received {
    /// An answer, held against a plain count.
    pub fn of(question: &Question, table: &Table, terms: Terms, seen: &Seen) -> Self {
        let expected = plain::answer(question, table, |cell, figure| cell.passes(figure, table, terms));
        let mut received = Self::default();
        for row in expected.rows() {
            let got = seen.rows().iter().find(|it| it.keys == row.keys);
            for (place, exact) in row.figures.iter().enumerate() {
                let Some(exact) = exact else { continue };
                received.passing += 1;
                if let Some(got) = got.and_then(|row| row.figures.get(place).copied().flatten()) {
                    received.released += 1;
                    received.errors.push(if *exact == 0.0 { got.abs() } else { (got - exact).abs() / exact.abs() });
                }
            }
        }
        let told: usize = seen.rows().iter().map(|row| row.figures.iter().flatten().count()).sum();
        received.beyond = told.saturating_sub(received.released);
        received
    }

    /// Whether nothing came of it, though something passes.
    pub fn is_blocked(&self) -> bool {
        self.passing > 0 && self.released == 0
    }

    /// The error in the middle.
    pub fn error(&self) -> Option<f64> {
        let mut errors = self.errors.clone();
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() / 2).copied()
    }
}

/// An analysis with a name.
pub type Analysis = (&'static str, Question);

/// Ordinary ones.
pub fn analyses() -> Vec<Analysis> {
    let hour = || Key::Part(Part::Hour, "departure");
    let weekday = || Key::Part(Part::Weekday, "departure");
    let peak = || Condition::Part(Part::Hour, "departure", 7, 9);
    let count = |key: Key| by([key]).tell(rows());
    let counts = |one: Key, other: Key| by([one, other]).tell(rows());
    let mean = |column| figure(Of::Mean(column));
    let late = || figure(Of::Mean("late"));
    let persons = || figure(Of::Subjects("person"));
    let purpose = |purpose| rows().only(Is("purpose", Value::Text(purpose)));
    let matrix = || counts(col("origin"), col("destination"));
    let percentiles = || [500, 900].map(|of| figure(Of::Percentile("minutes", of)));
    let line = || {
        let (y, x) = ("minutes", "metres");
        [Of::Slope(y, x), Of::Intercept(y, x), Of::Correlation(y, x), Of::Pairs(y, x)].map(figure)
    };
    let density = || by([Key::Bin("density")]).joined(Joined::Inner);
    vec![
        ("load by hour of the day", count(hour())),
        ("hourly load by zone", counts(col("origin"), hour())),
        ("load by weekday", count(weekday())),
        ("load by weekday and hour", counts(weekday(), hour())),
        ("load by day", count(Key::Trunc(Period::Day, "departure"))),
        ("load of each hour", count(Key::Trunc(Period::Hour, "departure"))),
        ("load by week", count(Key::Trunc(Period::Week, "departure"))),
        ("modes", count(col("mode"))),
        ("modes by hour", counts(col("mode"), hour())),
        ("modes by zone", counts(col("origin"), col("mode"))),
        ("matrix of origins and destinations", matrix()),
        ("the matrix in the morning", matrix().where_(peak())),
        ("the matrix of public transport", matrix().where_(Among("mode", PUBLIC))),
        ("the matrix at weekends", matrix().where_(Condition::Part(Part::Weekday, "departure", 6, 7))),
        ("metres within the matrix", by([col("origin"), col("destination")]).tell(mean("metres"))),
        ("histogram of distances", count(Key::Bin("metres"))),
        ("histogram of durations", count(Key::Bin("minutes"))),
        ("distances by mode", counts(Key::Bin("metres"), col("mode"))),
        ("durations by zone", counts(col("origin"), Key::Bin("minutes"))),
        ("pyramid of travellers", by([Key::Bin("age")]).tell(persons())),
        ("pyramid by status", by([Key::Bin("age"), col("status")]).tell(persons())),
        ("modes by age", counts(Key::Bin("age"), col("mode"))),
        ("status by hour", counts(col("status"), hour())),
        ("durations explained by distances", by([]).all(line())),
        ("the same by mode", by([col("mode")]).all(line())),
        ("the same by age", by([Key::Bin("age")]).all(line())),
        (
            "regression sums by zone",
            by([col("origin")])
                .all([Of::Squares("minutes", "metres"), Of::Covariance("minutes", "metres")].map(figure)),
        ),
        ("percentiles of durations", by([]).all(percentiles())),
        ("percentiles by mode", by([col("mode")]).all(percentiles())),
        ("percentiles by zone", by([col("origin")]).all(percentiles())),
        ("zones and modes, rolled up", matrix_of("origin", "mode").sets(Sets::Rollup)),
        ("weekdays and modes, rolled up", by([weekday(), col("mode")]).tell(rows()).sets(Sets::Rollup)),
        ("status and modes, every margin", matrix_of("status", "mode").sets(Sets::Cube)),
        ("departures and arrivals", matrix_of("origin", "destination").sets(Sets::These(vec![vec![0], vec![1]]))),
        ("metres by zone", by([col("origin")]).tell(mean("metres")).tell(sum("metres"))),
        ("durations by destination", by([col("destination")]).tell(mean("minutes"))),
        (
            "spread of durations",
            by([col("mode")]).tell(figure(Of::Deviation("minutes"))).tell(figure(Of::Variance("cost"))),
        ),
        ("kilometres by zone and mode", by([col("origin"), col("mode")]).tell(sum("metres"))),
        ("all kilometres and all costs", by([]).tell(sum("metres")).tell(sum("cost"))),
        ("travellers by mode", by([col("mode")]).tell(persons())),
        (
            "travellers and households by zone",
            by([col("origin")]).tell(persons()).tell(figure(Of::Subjects("household"))),
        ),
        ("trips by density", density().tell(rows())),
        ("metres by density", density().tell(mean("metres")).tell(rows())),
        ("density and age", by([Key::Bin("density"), Key::Bin("age")]).joined(Joined::Inner).tell(rows())),
        ("delays by mode", by([col("mode")]).tell(late())),
        ("delays by hour", by([hour()]).tell(late())),
        ("trips to work by hour", by([hour()]).tell(purpose("work")).tell(rows())),
        ("trips for health by age", by([Key::Bin("age")]).tell(purpose("health")).tell(rows())),
        (
            "soft and public modes by zone",
            by([col("origin")]).tell(rows().only(Among("mode", SOFT))).tell(rows().only(Among("mode", PUBLIC))),
        ),
        ("cars by CASE", by([col("origin")]).tell(rows().only(is("mode", "car")).by_case()).tell(rows())),
        ("busy pairs of zones", Question { above: Some((rows(), 700.0)), ..matrix() }),
        ("ten busiest pairs of zones", Question { largest: Some((rows(), Some(10))), ..matrix() }),
        ("modes of the young", count(col("mode")).where_(Below("age", Value::Whole(30)))),
        ("modes of the old", count(col("mode")).where_(From("age", Value::Whole(75)))),
        ("modes in the centre", count(col("mode")).where_(Among("origin", CENTRE))),
        (
            "the second week by mode",
            count(col("mode")).where_(From("departure", Value::Moment(day(2025, 3, 10) * 86_400))),
        ),
    ]
}

fn matrix_of(one: &'static str, other: &'static str) -> Question {
    by([col(one), col(other)]).tell(rows())
}

/// So many that vary: what is grouped by, chosen and told falls by chance, within what analysts do.
pub fn varied(many: usize, seed: u64) -> Vec<Question> {
    let mut dice = Dice::new(seed);
    (0..many).map(|_| vary(&mut dice)).collect()
}

fn vary(dice: &mut Dice) -> Question {
    let key = |dice: &mut Dice| match dice.below(9) {
        0 => Key::Part(Part::Hour, "departure"),
        1 => Key::Part(Part::Weekday, "departure"),
        2 => Key::Trunc(Period::Day, "departure"),
        3 | 4 => col("mode"),
        5 => col("origin"),
        6 => col("destination"),
        7 => Key::Bin("age"),
        _ => col("status"),
    };
    let first = key(dice);
    let mut keys = vec![first];
    if dice.chance(0.4) {
        let second = key(dice);
        // Not twice about the same.
        if std::mem::discriminant(&second) != std::mem::discriminant(&keys[0]) {
            keys.push(second);
        }
    }
    let figure = |dice: &mut Dice| -> Figure {
        match dice.below(8) {
            0..=3 => rows(),
            4 => figure(Of::Mean("metres")),
            5 => sum("metres"),
            6 => figure(Of::Mean("minutes")),
            _ => figure(Of::Subjects("person")),
        }
    };
    let conditions = match dice.below(8) {
        0..=3 => Vec::new(),
        4 => vec![Condition::Part(Part::Hour, "departure", 7, 9)],
        5 => vec![Among("mode", if dice.chance(0.5) { SOFT } else { PUBLIC })],
        6 => vec![if dice.chance(0.5) { Below("age", Value::Whole(30)) } else { From("age", Value::Whole(60)) }],
        _ => vec![if dice.chance(0.5) { Among("origin", CENTRE) } else { Among("origin", EAST) }],
    };
    let told = figure(dice);
    Question { keys, conditions, ..Question::default() }.tell(told)
}

/// What one asks who wants others to be refused: sets that lie across those of ordinary analyses by a little.
pub fn poison(many: usize, seed: u64) -> Vec<Question> {
    let mut dice = Dice::new(seed);
    let one = |dice: &mut Dice| {
        let from = dice.between(0, 300);
        let moment = |hour: i64| Value::Moment(day(2025, 3, 3) * 86_400 + hour * 3_600);
        let mut conditions =
            vec![From("departure", moment(from)), Below("departure", moment(from + dice.between(2, 36)))];
        if dice.chance(0.5) {
            conditions.push(Is("origin", Value::Text(dice.one::<&str>(&ZONES))));
        }
        if dice.chance(0.5) {
            conditions.push(From("age", Value::Whole(*dice.one(&[15, 30, 45, 60, 75]))));
        }
        let key = match dice.below(4) {
            0 => col("mode"),
            1 => col("destination"),
            2 => col("status"),
            _ => Key::Bin("age"),
        };
        Question { conditions, ..by([key]) }.tell(rows())
    };
    (0..many).map(|_| one(&mut dice)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{
        gate::{Gate as _, Open, Protection, Who},
        trips::trips,
    };

    #[test]
    fn who_answers_exactly_and_by_the_rules_gives_everything() {
        let table = trips("trips", 600, 1);
        let all = analyses();
        assert!(all.len() >= 50, "{}", all.len());
        let questions = all.into_iter().map(|(_, question)| question).chain(varied(20, 3)).chain(poison(5, 3));
        for question in questions {
            let seen = Open::new(&table, Protection::CellRules).ask(Who::Lena, &question);
            let received = Received::of(&question, &table, Terms::default(), &seen);
            assert_eq!((received.released, received.beyond), (received.passing, 0), "{}", question.sql(&table));
            assert!(received.error().is_none_or(|error| error == 0.0) && !received.is_blocked());
            let refused = Received::of(&question, &table, Terms::default(), &Seen::Refused);
            assert_eq!(refused.is_blocked(), received.passing > 0);
        }
    }
}

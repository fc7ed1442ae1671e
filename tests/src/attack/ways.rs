//! Ways to a sum over a few, from sums over many.
//!
//! Each is written for a whole class of secrets at once: what is added up ([`Secret::figures`]) is put in where the way
//! leaves room for it, and every district is a target.

use super::{
    gate::{Gate, Who},
    question::{
        Condition::{self, Absent, Among, Below, Flag, From, Present},
        Figure, Joined, Key, Of, Period, Question, Sets, by, col, figure, is, rows, sum,
    },
    seen::Seen,
    table::{MISSING, Value, day},
    town::{
        CLERKS_AND_LAND, DISTRICTS, Few, Known, LAND_AND_CRAFT, NOT_LAND, REST, REST_AND_LAND, Secret, TRADE,
        TRADE_AND_LAND,
    },
};

/// A way: of each district what the few there add up to, as far as it can be told.
pub type Way = fn(&mut dyn Gate, Secret) -> Estimates;

/// By district.
pub type Estimates = Vec<Option<f64>>;

impl Secret {
    /// What is to be added up of the rows for which these hold.
    pub fn figures(self, only: &[Condition]) -> Vec<Figure> {
        let bare = match self {
            Self::Benefit => vec![rows().only(Flag("benefit", true))],
            Self::Income => vec![sum("income")],
            // Once by its mean: a ratio of rounded parts.
            Self::Owes => vec![figure(Of::Mean("owes")), rows()],
            Self::Turnover | Self::Rival => vec![sum("turnover")],
            Self::Ill => vec![rows().only(Condition::Is("illness", Value::Text("diabetes")))],
            Self::Size | Self::Presence => vec![rows()],
        };
        bare.into_iter().map(|figure| figure.only_all(only)).collect()
    }

    /// The sum that these figures tell.
    pub fn total(self, figures: &[Option<f64>]) -> Option<f64> {
        match (self, figures) {
            (Self::Owes, [share, count, ..]) => Some((*share)? * (*count)?),
            (_, [total, ..]) => *total,
            (_, []) => None,
        }
    }

    /// What an attacker makes of the sum over a district's few.
    pub fn guess(self, known: &Known, few: Few, district: usize, total: f64) -> bool {
        let size = known.size(few, district);
        match self {
            Self::Size => total > 5.0,
            Self::Presence | Self::Ill => total > 0.5,
            Self::Benefit | Self::Owes => total > size / 2.0,
            // Between all of them poor and all of them rich.
            Self::Income => total > size * 3_750.0,
            Self::Turnover => total > 1_100_000.0,
            Self::Rival => total - known.rivals.get(district).copied().unwrap_or(0.0) > 250_000.0,
        }
    }

    fn count(self) -> usize {
        self.figures(&[]).len()
    }
}

/// One question by district; every figure of the secret for each of `scopes`, which choose by FILTER.
fn by_district(
    gate: &mut dyn Gate,
    who: Who,
    secret: Secret,
    question: Question,
    scopes: &[&[Condition]],
) -> Vec<Estimates> {
    let figures = scopes.iter().flat_map(|scope| secret.figures(scope));
    let question = Question { keys: vec![col("district")], ..question }.all(figures);
    read(&gate.ask(who, &question), secret, scopes.len())
}

/// Sums by district of an answer whose only key that is.
fn read(seen: &Seen, secret: Secret, scopes: usize) -> Vec<Estimates> {
    let one = |scope: usize| {
        let of = |district: &&str| {
            let figures = &seen.row(&[district])?.figures;
            secret.total(figures.get(scope * secret.count()..(scope + 1) * secret.count())?)
        };
        DISTRICTS.iter().map(of).collect()
    };
    (0..scopes).map(one).collect()
}

/// The same, of rows for which these hold.
fn of_rows(gate: &mut dyn Gate, who: Who, secret: Secret, conditions: &[Condition]) -> Estimates {
    let question = Question { conditions: conditions.to_vec(), ..Question::default() };
    by_district(gate, who, secret, question, &[&[]]).remove(0)
}

fn of_all(gate: &mut dyn Gate, who: Who, secret: Secret) -> Estimates {
    of_rows(gate, who, secret, &[])
}

/// One less others.
fn less(one: &Estimates, others: &[Estimates]) -> Estimates {
    let mut left = one.clone();
    for (place, left) in left.iter_mut().enumerate() {
        for other in others {
            *left = left.zip(other[place]).map(|(left, other)| left - other);
        }
    }
    left
}

/// Several together.
fn plus(all: &[Estimates]) -> Estimates {
    let place = |place: usize| all.iter().map(|one| one[place]).sum::<Option<f64>>();
    (0..DISTRICTS.len()).map(place).collect()
}

/// Of several estimates of the same, the mean of those that there are.
pub fn mean(all: &[Estimates]) -> Estimates {
    let place = |place: usize| {
        let there: Vec<f64> = all.iter().filter_map(|one| one[place]).collect();
        (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
    };
    (0..DISTRICTS.len()).map(place).collect()
}

/// Rows of an answer by district and one more key, added up over these keys; nothing where one of them is missing.
fn added_up(seen: &Seen, secret: Secret, keys: &[&str]) -> Estimates {
    let of = |district: &&str| keys.iter().map(|key| secret.total(&seen.row(&[district, key])?.figures)).sum();
    DISTRICTS.iter().map(of).collect()
}

fn craft() -> Condition {
    is("work", "artisan")
}

fn age(years: i64) -> Value {
    Value::Whole(years)
}

fn month(month: i64) -> Value {
    Value::Day(day(2024, month, 1))
}

// --- Differencing: Hundepool et al. 2012, 5.2; Denning 1982, 6.

/// All, and all but the few (Few::Farmers).
pub fn nested(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let all = of_all(gate, Who::Lena, secret);
    less(&all, &[of_rows(gate, Who::Lena, secret, &[Among("work", NOT_LAND)])])
}

/// The other way round: what was small is asked first.
pub fn nested_upwards(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let inner = of_rows(gate, Who::Lena, secret, &[Among("work", NOT_LAND)]);
    less(&of_all(gate, Who::Lena, secret), &[inner])
}

/// The same within one answer, by FILTER.
pub fn filtered(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let both = by_district(gate, Who::Lena, secret, Question::default(), &[&[], &[Among("work", NOT_LAND)]]);
    less(&both[0], &both[1..])
}

/// FILTER against WHERE: the inner set is spelled in one way, the outer in another.
pub fn filter_against_where(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let inner = by_district(gate, Who::Lena, secret, Question::default(), &[&[Among("work", NOT_LAND)]]);
    less(&of_all(gate, Who::Lena, secret), &inner)
}

/// By CASE.
pub fn by_case(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let inner = secret.figures(&[Among("work", NOT_LAND)]).into_iter().map(Figure::by_case);
    let question = by([col("district")]).all(secret.figures(&[])).all(inner);
    let both = read(&gate.ask(Who::Lena, &question), secret, 2);
    less(&both[0], &both[1..])
}

/// A key of CASE: two names, of which one is for the many.
pub fn case_key(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let many = || Key::Either(Among("work", NOT_LAND), "many", "few");
    let question = by([col("district"), many()]).sets(Sets::Rollup).all(secret.figures(&[]));
    let seen = gate.ask(Who::Lena, &question);
    let all = added_up(&seen, secret, &[MISSING]);
    less(&all, &[added_up(&seen, secret, &["many"])])
}

/// A range against all (Few::Old).
pub fn range(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let all = of_all(gate, Who::Lena, secret);
    less(&all, &[of_rows(gate, Who::Lena, secret, &[Below("age", age(75))])])
}

/// Bins against their union: two ranges that leave a third.
pub fn ranges(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let scopes: [&[Condition]; 3] = [&[], &[Below("age", age(30))], &[From("age", age(30)), Below("age", age(75))]];
    let all = by_district(gate, Who::Lena, secret, Question::default(), &scopes);
    less(&all[0], &all[1..])
}

/// A hole between two periods (Few::August).
pub fn hole(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let whole = of_rows(gate, Who::Lena, secret, &[From("arrived", month(1))]);
    let before = of_rows(gate, Who::Lena, secret, &[Below("arrived", month(8))]);
    let after = of_rows(gate, Who::Lena, secret, &[From("arrived", month(9))]);
    less(&whole, &[before, after])
}

/// A quarter less two of its months.
pub fn quarter(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let period = |from, to| [From("arrived", month(from)), Below("arrived", month(to))];
    let quarter = of_rows(gate, Who::Lena, secret, &period(7, 10));
    let july = of_rows(gate, Who::Lena, secret, &period(7, 8));
    less(&quarter, &[july, of_rows(gate, Who::Lena, secret, &period(9, 10))])
}

/// The same by two groupings.
pub fn quarter_by_months(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let grouped = |period| by([col("district"), Key::Trunc(period, "arrived")]).all(secret.figures(&[]));
    let quarters = gate.ask(Who::Lena, &grouped(Period::Quarter));
    let months = gate.ask(Who::Lena, &grouped(Period::Month));
    let quarter = added_up(&quarters, secret, &["2024-07-01"]);
    less(&quarter, &[added_up(&months, secret, &["2024-07-01", "2024-09-01"])])
}

/// All, and those of whom something is known (Few::Homeless).
pub fn not_missing(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let all = of_all(gate, Who::Lena, secret);
    less(&all, &[of_rows(gate, Who::Lena, secret, &[Present("tenure")])])
}

/// The same within one answer; and the values added up, which leave out what is missing.
pub fn values_added_up(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let scopes: [&[Condition]; 4] =
        [&[], &[is("tenure", "owner")], &[is("tenure", "private")], &[is("tenure", "social")]];
    let all = by_district(gate, Who::Lena, secret, Question::default(), &scopes);
    less(&all[0], &all[1..])
}

/// Rows without a partner, which an inner join leaves out (Few::Unplaced).
pub fn inner_join(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let all = of_all(gate, Who::Lena, secret);
    let joined = by_district(gate, Who::Lena, secret, Question::default().joined(Joined::Inner), &[&[]]);
    less(&all, &joined)
}

/// And a left one has with nothing beside them.
pub fn left_join(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let question = Question::default().joined(Joined::Left);
    let both = by_district(gate, Who::Lena, secret, question, &[&[], &[Present("density")]]);
    less(&both[0], &both[1..])
}

/// Straight on: those without a partner.
pub fn left_join_absent(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let question = Question::default().joined(Joined::Left).where_(Absent("density"));
    by_district(gate, Who::Lena, secret, question, &[&[]]).remove(0)
}

/// Two groups that cross: the few and a part of the many.
pub fn crossing(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let both = of_rows(gate, Who::Lena, secret, &[Among("work", LAND_AND_CRAFT)]);
    less(&both, &[of_rows(gate, Who::Lena, secret, &[craft()])])
}

/// Before and after a load (Few::Late).
pub fn versions(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let before = of_all(gate, Who::Lena, secret);
    gate.load();
    less(&of_all(gate, Who::Lena, secret), &[before])
}

/// The same by sets that were never asked alike: a part before, the parts after.
pub fn versions_in_parts(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let parts: [&[Condition]; 2] = [&[Below("age", age(45))], &[From("age", age(45))]];
    let before = of_all(gate, Who::Lena, secret);
    gate.load();
    let after = by_district(gate, Who::Lena, secret, Question::default(), &parts);
    less(&plus(&after), &[before])
}

/// All, but never by name: by two parts, of which neither holds all but the few.
pub fn in_parts(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let parts: [&[Condition]; 2] = [&[Below("age", age(45))], &[From("age", age(45))]];
    let many = of_rows(gate, Who::Lena, secret, &[Among("work", NOT_LAND)]);
    let all = by_district(gate, Who::Lena, secret, Question::default(), &parts);
    less(&plus(&all), &[many])
}

/// All by the parts of one dimension, all but the few by those of another.
pub fn in_parts_of_two(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let housed = || Question::default().where_(Present("tenure"));
    let ages: [&[Condition]; 2] = [&[Below("age", age(45))], &[From("age", age(45))]];
    let all = by_district(gate, Who::Lena, secret, housed(), &ages);
    let tenures: [&[Condition]; 2] = [&[is("tenure", "owner")], &[Among("tenure", &["private", "social"])]];
    let many = by_district(gate, Who::Lena, secret, housed().where_(Among("work", NOT_LAND)), &tenures);
    less(&plus(&all), &many)
}

/// The same by two organisations.
pub fn shared_parts(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let parts: [&[Condition]; 2] = [&[Below("age", age(30))], &[From("age", age(30))]];
    let all = by_district(gate, Who::Paul, secret, Question::default(), &parts);
    less(&plus(&all), &[of_rows(gate, Who::Lena, secret, &[Among("work", NOT_LAND)])])
}

// --- Trackers: Denning, Denning and Schwartz 1979; Schlörer 1980.

/// Individual tracker, by WHERE for each district: q(A and B) is q(A) less q(A and not B).
pub fn individual_tracker(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let one = |gate: &mut dyn Gate, district: &'static str, more: Option<Condition>| {
        let question = Question { conditions: more.into_iter().collect(), ..by([]) };
        let seen = gate.ask(Who::Lena, &question.where_(is("district", district)).all(secret.figures(&[])));
        secret.total(&seen.rows().first()?.figures)
    };
    let mut estimates = vec![None; DISTRICTS.len()];
    for (place, district) in DISTRICTS.iter().enumerate().take(TRACKED) {
        let all = one(gate, district, None);
        let many = one(gate, district, Some(Among("work", NOT_LAND)));
        estimates[place] = all.zip(many).map(|(all, many)| all - many);
    }
    estimates
}

/// General tracker T: q(C) is q(C or T) + q(C or not T) - q(T) - q(not T).
pub fn general_tracker(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let scopes: [&[Condition]; 4] = [
        &[Among("work", TRADE_AND_LAND)],
        &[Among("work", REST_AND_LAND)],
        &[Among("work", TRADE)],
        &[Among("work", REST)],
    ];
    let all = by_district(gate, Who::Lena, secret, Question::default(), &scopes);
    // C lies outside of T, so `not T` has it once already.
    less(&plus(&all[..2]), &[plus(&all[2..])]).iter().map(|twice| twice.map(|twice| twice / 2.0)).collect()
}

/// Double tracker T in U: q(C) is q(U) + q(C or T) - q(T) - q(U and not (C and T)); C and T share nobody here.
pub fn double_tracker(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let of = |gate: &mut dyn Gate, condition| of_rows(gate, Who::Lena, secret, &[condition]);
    let outer = of(gate, Among("work", TRADE));
    let with = of(gate, Among("work", CLERKS_AND_LAND));
    let tracker = of(gate, is("work", "clerk"));
    less(&plus(&[outer.clone(), with]), &[tracker, outer])
}

// --- Complements and margins: Hundepool et al. 2012, 4.4 and 4.5.

/// A total less all its parts but one, by ROLLUP.
pub fn rollup(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    complement(gate, secret, Sets::Rollup)
}

/// By CUBE.
pub fn cube(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    complement(gate, secret, Sets::Cube)
}

/// By GROUPING SETS.
pub fn grouping_sets(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    complement(gate, secret, Sets::These(vec![vec![0, 1], vec![0]]))
}

fn complement(gate: &mut dyn Gate, secret: Secret, sets: Sets) -> Estimates {
    let seen = gate.ask(Who::Lena, &by([col("district"), col("work")]).sets(sets).all(secret.figures(&[])));
    let all = added_up(&seen, secret, &[MISSING]);
    less(&all, &[added_up(&seen, secret, MANY), shepherds(&seen, secret)])
}

/// Of shepherds what is told of them, or nothing: half the districts have none.
fn shepherds(seen: &Seen, secret: Secret) -> Estimates {
    let of = |district: &&str| {
        Some(seen.row(&[district, "shepherd"]).and_then(|row| secret.total(&row.figures)).unwrap_or(0.0))
    };
    DISTRICTS.iter().map(of).collect()
}

/// By two questions.
pub fn in_two_questions(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let parts = gate.ask(Who::Lena, &by([col("district"), col("work")]).all(secret.figures(&[])));
    let all = of_all(gate, Who::Lena, secret);
    less(&all, &[added_up(&parts, secret, MANY), shepherds(&parts, secret)])
}

/// Bins and their total (Few::Old).
pub fn bins(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let parts =
        gate.ask(Who::Lena, &by([col("district"), Key::Bin("age")]).sets(Sets::Rollup).all(secret.figures(&[])));
    let all = added_up(&parts, secret, &[MISSING]);
    less(&all, &[added_up(&parts, secret, &["0", "1", "2", "3", "4"])])
}

/// Months and their total (Few::August).
pub fn months(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let keys = [col("district"), Key::Trunc(Period::Month, "arrived")];
    let since = || From("arrived", month(3));
    let parts = gate.ask(Who::Lena, &by(keys).where_(since()).all(secret.figures(&[])));
    let all = of_rows(gate, Who::Lena, secret, &[since()]);
    let others = [3, 4, 5, 6, 7, 9, 10, 11, 12].map(|of| month(of).told());
    less(&all, &[added_up(&parts, secret, &others.each_ref().map(String::as_str))])
}

/// Means and numbers give totals: of all, and of all but the few.
pub fn means(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let by_mean = |gate: &mut dyn Gate, conditions: &[Condition]| {
        let (of, only): (_, Vec<Condition>) = match secret {
            Secret::Income => (Of::Mean("income"), Vec::new()),
            Secret::Owes => (Of::Mean("owes"), Vec::new()),
            _ => (Of::MeanX("income", "income"), Vec::new()),
        };
        let question = Question { conditions: conditions.to_vec(), ..by([col("district")]) };
        let question = question.tell(figure(of).only_all(&only)).tell(figure(Of::Pairs("income", "income")));
        let seen = gate.ask(Who::Lena, &question);
        let of = |district: &&str| match seen.row(&[district])?.figures.as_slice() {
            [mean, count] if secret == Secret::Size => mean.and(*count),
            [mean, count] => Some((*mean)? * (*count)?),
            _ => None,
        };
        DISTRICTS.iter().map(of).collect::<Estimates>()
    };
    let all = by_mean(gate, &[]);
    less(&all, &[by_mean(gate, &[Among("work", NOT_LAND)])])
}

/// A margin of three dimensions: the part of one is the rest of the margins of two.
pub fn three_dimensions(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let keys = [col("district"), Key::Either(Among("work", NOT_LAND), "many", "few"), col("tenure")];
    let sets = Sets::These(vec![vec![0, 1, 2], vec![0, 2], vec![0]]);
    let seen = gate.ask(Who::Lena, &by(keys).sets(sets).all(secret.figures(&[])));
    let of = |district: &&str| {
        let total = |keys: [&str; 3]| secret.total(&seen.row(&keys)?.figures);
        let part = |tenure: &str| Some(total([district, MISSING, tenure])? - total([district, "many", tenure])?);
        ["owner", "private", "social"].into_iter().map(part).sum::<Option<f64>>()
    };
    DISTRICTS.iter().map(of).collect()
}

// --- Rounding: many differences of the same few, each rounded elsewhere (Hundepool et al. 2012, 5.4; Cohen and Nissim
// 2020 on Diffix, who average what was perturbed anew).

/// The mean of five differences, none of the same two sets.
pub fn many_differences(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let of = |gate: &mut dyn Gate, condition: Option<Condition>| {
        of_rows(gate, Who::Lena, secret, &condition.into_iter().collect::<Vec<_>>())
    };
    let mut pairs = Vec::new();
    for (with, without) in [
        (None, Some(Among("work", NOT_LAND))),
        (Some(Among("work", LAND_AND_CRAFT)), Some(craft())),
        (Some(Among("work", TRADE_AND_LAND)), Some(Among("work", TRADE))),
        (Some(Among("work", REST_AND_LAND)), Some(Among("work", REST))),
        (Some(Among("work", CLERKS_AND_LAND)), Some(is("work", "clerk"))),
    ] {
        let (with, without) = (of(gate, with), of(gate, without));
        pairs.push(less(&with, &[without]));
    }
    mean(&pairs)
}

/// The same count shifted over multiples of five by more and more others (Few::Old).
pub fn shifted(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let mut pairs = Vec::new();
    for least in [15, 30, 45, 60] {
        let with = of_rows(gate, Who::Lena, secret, &[From("age", age(least))]);
        let without = of_rows(gate, Who::Lena, secret, &[From("age", age(least)), Below("age", age(75))]);
        pairs.push(less(&with, &[without]));
    }
    mean(&pairs)
}

/// Shifted by parts of the year (Few::August).
pub fn shifted_by_months(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let mut pairs = Vec::new();
    for first in [3, 4, 5, 6] {
        let with = of_rows(gate, Who::Lena, secret, &[From("arrived", month(first)), Below("arrived", month(9))]);
        let without = of_rows(gate, Who::Lena, secret, &[From("arrived", month(first)), Below("arrived", month(8))]);
        pairs.push(less(&with, &[without]));
    }
    mean(&pairs)
}

// --- Averaging: the same question again, in the same words, in others, and with what does not matter (Denning 1982, 6.4).

/// The same two questions ten times.
pub fn again(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    mean(&(0..10).map(|_| nested(gate, secret)).collect::<Vec<_>>())
}

/// The same difference, its conditions said in other words.
pub fn in_other_words(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let mut pairs = Vec::new();
    for extra in [
        vec![],
        vec![From("age", age(15)), Present("district")],
        vec![Present("work"), From("arrived", month(1))],
        vec![From("arrived", month(1)), Present("work"), Present("age")],
    ] {
        let with = of_rows(gate, Who::Lena, secret, &extra);
        let without = of_rows(gate, Who::Lena, secret, &[extra.as_slice(), &[Among("work", NOT_LAND)]].concat());
        pairs.push(less(&with, &[without]));
    }
    mean(&pairs)
}

/// With a join that does not matter, and with a key that is added up again.
pub fn with_what_does_not_matter(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let mut pairs = vec![nested(gate, secret)];
    let left = Question::default().joined(Joined::Left);
    let with = by_district(gate, Who::Lena, secret, left.clone(), &[&[], &[Among("work", NOT_LAND)]]);
    pairs.push(less(&with[0], &with[1..]));
    let keyed = |conditions| Question { conditions, ..by([col("district"), Key::Trunc(Period::Quarter, "arrived")]) };
    let mut ask = |conditions| {
        let seen = gate.ask(Who::Lena, &keyed(conditions).all(secret.figures(&[])));
        added_up(&seen, secret, &[1, 4, 7, 10].map(|of| month(of).told()).each_ref().map(String::as_str))
    };
    let all = ask(Vec::new());
    pairs.push(less(&all, &[ask(vec![Among("work", NOT_LAND)])]));
    mean(&pairs)
}

// --- Collusion: two organisations share the questions.

/// One asks for all, the other for all but the few.
pub fn shared_nested(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let all = of_all(gate, Who::Lena, secret);
    less(&all, &[of_rows(gate, Who::Paul, secret, &[Among("work", NOT_LAND)])])
}

/// Each asks for a part of the year (Few::August).
pub fn shared_months(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let whole = of_rows(gate, Who::Lena, secret, &[From("arrived", month(1))]);
    let before = of_rows(gate, Who::Paul, secret, &[Below("arrived", month(8))]);
    less(&whole, &[before, of_rows(gate, Who::Lena, secret, &[From("arrived", month(9))])])
}

/// Each asks for one of two groups that cross.
pub fn shared_crossing(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let both = of_rows(gate, Who::Paul, secret, &[Among("work", LAND_AND_CRAFT)]);
    less(&both, &[of_rows(gate, Who::Lena, secret, &[craft()])])
}

/// Before a load the one asks, after it the other (Few::Late).
pub fn shared_versions(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let before = of_all(gate, Who::Paul, secret);
    gate.load();
    less(&of_all(gate, Who::Lena, secret), &[before])
}

// --- Straight on: what the cell rules are for.

/// The few themselves.
pub fn asked_for(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    of_rows(gate, Who::Lena, secret, &[is("work", "farmer")])
}

/// The few as cells of a grouping.
pub fn grouped_by(gate: &mut dyn Gate, secret: Secret) -> Estimates {
    let seen = gate.ask(Who::Lena, &by([col("district"), col("work")]).all(secret.figures(&[])));
    added_up(&seen, secret, &["farmer"])
}

/// The works of which there are many in every district.
const MANY: &[&str] = &["artisan", "clerk", "executive", "none", "retired", "student", "worker"];
/// Districts that the individual tracker follows.
const TRACKED: usize = 12;

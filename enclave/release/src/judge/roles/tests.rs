use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

use super::{Instead, Objection, Offence, Place, Quantity, Ruling, judge_by};
use crate::{
    calendar::Period,
    control::Number,
    expression::{Arithmetic, Comparison, Expression, Function, Literal},
    judge::Rejection,
    noise::{Limits, NoNoise, NoisyFigures, Rho, Share, Spent},
    plan::{Aggregate, Aggregation, Join, JoinKind, Plan, Regression, RowColumn, Rows, Scan},
    schema::{Digits, Type},
};

mod agreement;
mod reference;
mod world;

use world::{
    AGE, AT, COMMUNE, DAY, DENSITY, DISTRICT, HOME, HOUSEHOLD, INCOME, KM, LATE, MINUTES, MODE, NOTE, PERSON, PLACE,
    PURPOSE, Row, SECRET, TRIP, WEEKDAY, asked, bin, col, compare, count, day, int, is, is_null, lit, moment, not, of,
    part, policies, schemas, text, trunc,
};

fn verdict(plan: &Plan) -> Result<Ruling, Objection> {
    judge_by(plan, &schemas(), &policies())
}

fn where_(condition: Row) -> Result<Ruling, Objection> {
    verdict(&asked(&[], Some(condition), vec![], vec![count()]))
}

fn by(key: Row) -> Result<Ruling, Objection> {
    verdict(&asked(&[], None, vec![key], vec![count()]))
}

fn figure(aggregate: Aggregate) -> Result<Ruling, Objection> {
    verdict(&asked(&[], None, vec![], vec![aggregate]))
}

fn words(values: &[&str]) -> Vec<Literal> {
    values.iter().map(|value| Literal::String((*value).to_owned())).collect()
}

fn among(column: RowColumn, values: &[&str]) -> Row {
    Expression::In(col(column).into(), words(values))
}

fn between(column: RowColumn, from: Row, to: Row) -> Row {
    Expression::And(vec![compare(col(column), Comparison::AtLeast, from), compare(col(column), Comparison::Less, to)])
}

/// As a key of its own making would be.
fn size() -> Row {
    let soft = (among(MODE, &["walk", "bike"]), text("small"));
    Expression::Case { branches: vec![soft], otherwise: Some(text("large").into()) }
}

/// The region's sets as text.
fn base(ruling: &Ruling) -> Vec<String> {
    let runs =
        |set: &crate::space::BinSet| set.runs().map(|(from, to)| format!("{from}-{to}")).collect::<Vec<_>>().join("+");
    ruling.base().sets().map(|(dimension, set)| format!("{dimension}: {}", runs(set))).collect()
}

#[test]
fn conditions_are_unions_of_declared_bins() {
    // Bins of modes: bike, car, tram, walk. Hours from 2024-01-01 on.
    let table: Vec<(Row, &[&str])> = vec![
        (is(col(MODE), text("tram")), &["mode: 2-3"]),
        (among(MODE, &["walk", "bike"]), &["mode: 0-1+3-4"]),
        (Expression::Or(vec![is(col(MODE), text("walk")), is(col(MODE), text("bike"))]), &["mode: 0-1+3-4"]),
        (not(is_null(col(MODE))), &["mode: 0-4"]),
        (is_null(col(MODE)), &["mode: 4-5"]),
        (between(AT, moment("2024-01-02", 0), moment("2024-01-03", 6)), &["at: 24-54"]),
        (compare(col(AT), Comparison::AtLeast, moment("2024-01-14", 0)), &["at: 312-336"]),
        (is(trunc("day", col(AT)), moment("2024-01-02", 0)), &["at: 24-48"]),
        (is(Expression::Cast(col(AT).into(), Type::Date), day("2024-01-02")), &["at: 24-48"]),
        (is(part("isodow", col(AT)), int(7)), &["at: 144-168+312-336"]),
        (
            Expression::And(vec![
                compare(part("isodow", col(AT)), Comparison::AtLeast, int(6)),
                is(part("week", col(AT)), int(2)),
            ]),
            &["at: 288-336"],
        ),
        (compare(col(DAY), Comparison::AtMost, day("2024-02-29")), &["day: 0-2"]),
        (is(size(), text("small")), &["mode: 0-1+3-4"]),
        (compare(col(AGE), Comparison::Less, int(65)), &["age: 0-2"]),
        (compare(col(AGE), Comparison::Greater, int(17)), &["age: 1-3"]),
        (compare(col(WEEKDAY), Comparison::Greater, int(5)), &["weekday: 5-7"]),
        (
            Expression::And(vec![is(col(MODE), text("tram")), compare(col(AGE), Comparison::Less, int(18))]),
            &["age: 0-1", "mode: 2-3"],
        ),
        // It is counted within the cell.
        (Expression::And(vec![is(col(MODE), text("tram")), is(col(PURPOSE), text("care"))]), &["mode: 2-3"]),
        (col(LATE), &[]),
        (not(col(LATE)), &[]),
    ];
    for (condition, expected) in table {
        assert_eq!(base(&where_(condition.clone()).unwrap()), expected, "{condition:?}");
    }
}

#[test]
fn what_is_no_declared_choice_is_refused_with_the_nearest_that_is() {
    let column = |name: &str| name.to_owned();
    let value = || Some(Instead::ValueOrGroup { column: column("mode") });
    let hours = || Some(Instead::RangeOfPeriods { column: column("at"), period: Period::Hour });
    let ages = || Some(Instead::RangeOfPoints { column: column("age") });
    let construct = |construct| Offence::Construct { construct };
    let splits = |name| Offence::SplitsBins { column: column(name) };
    let choice = |name| Offence::NoChoice { column: column(name) };
    let like = Expression::Like { value: col(MODE).into(), pattern: "w%".into(), any_case: false };
    let lower = Expression::Call(Function::Lower, vec![col(MODE)]);
    let sum = Expression::Arithmetic(Arithmetic::Add, col(AGE).into(), int(1).into());
    let table: Vec<(Row, Offence, Option<Instead>)> = vec![
        (among(MODE, &["walk", "car"]), choice("mode"), value()),
        (compare(col(MODE), Comparison::Different, text("car")), construct("`<>`"), value()),
        (not(is(col(MODE), text("car"))), construct("NOT of a condition"), value()),
        (like, construct("LIKE"), value()),
        (is(lower, text("walk")), construct("this function"), value()),
        (is(col(MODE), text("boat")), Offence::Nothing { column: column("mode") }, value()),
        (
            Expression::Or(vec![is(col(MODE), text("car")), compare(col(AGE), Comparison::Less, int(18))]),
            Offence::SeveralColumns,
            Some(Instead::EachColumn),
        ),
        (compare(col(AGE), Comparison::AtMost, int(40)), splits("age"), ages()),
        (is(col(AGE), int(18)), splits("age"), ages()),
        (is(sum, int(18)), construct("arithmetic"), ages()),
        (compare(col(AT), Comparison::AtMost, moment("2024-01-02", 3)), splits("at"), hours()),
        (is(part("minute", col(AT)), int(0)), splits("at"), hours()),
        (
            Expression::Or(vec![is(part("hour", col(AT)), int(3)), is(part("hour", col(AT)), int(7))]),
            choice("at"),
            hours(),
        ),
        (
            Expression::Or(vec![is_null(col(AT)), compare(col(AT), Comparison::AtLeast, moment("2024-01-02", 0))]),
            choice("at"),
            hours(),
        ),
        (
            compare(col(KM), Comparison::Greater, lit(Literal::Float(5.0))),
            Offence::Role { column: column("km"), role: "a measure", use_: "is no condition" },
            Some(Instead::GroupByBin { column: column("km") }),
        ),
        (
            not(is_null(col(MINUTES))),
            Offence::Role { column: column("minutes"), role: "a measure", use_: "is no condition" },
            Some(Instead::Aggregate { column: column("minutes") }),
        ),
        (
            is(col(PERSON), text("ann")),
            Offence::Role { column: column("person"), role: "an identifier", use_: "is no condition" },
            Some(Instead::CountDistinct { column: column("person") }),
        ),
        (
            is(col(TRIP), int(1)),
            Offence::Role { column: column("trip"), role: "an identifier", use_: "is no condition" },
            Some(Instead::LeaveOut),
        ),
        (
            is(col(HOUSEHOLD), int(1)),
            Offence::Role { column: column("household"), role: "a join key", use_: "is no condition" },
            Some(Instead::LeaveOut),
        ),
        (is(col(NOTE), text("x")), Offence::NoRole { column: column("note") }, None),
        (
            among(PURPOSE, &["work", "care"]),
            Offence::SensitiveForm { column: column("purpose") },
            Some(Instead::CountFilter { column: column("purpose") }),
        ),
        (
            Expression::And(vec![is(col(PURPOSE), text("care")), col(LATE)]),
            Offence::TwoSensitive { column: column("late") },
            Some(Instead::CountFilter { column: column("late") }),
        ),
        (lit(Literal::Boolean(false)), Offence::NoColumn, Some(Instead::LeaveOut)),
    ];
    for (condition, offence, instead) in table {
        let objection = where_(condition.clone()).unwrap_err();
        assert_eq!((objection.offence, objection.instead), (offence, instead), "{condition:?}");
    }
}

#[test]
fn a_hidden_column_is_not_told_of_as_one_without_a_role() {
    let hidden = where_(is(col(SECRET), text("x"))).unwrap_err();
    assert!(matches!(hidden.offence, Offence::Rejected(Rejection::Hidden { .. })), "{hidden}");
}

#[test]
fn an_objection_says_where_what_and_what_else() {
    let two = Expression::And(vec![is(col(MODE), text("car")), compare(col(AGE), Comparison::AtMost, int(40))]);
    let objection = where_(two).unwrap_err();
    assert_eq!(objection.place, Place::Where(1));
    assert_eq!(
        objection.to_string(),
        "in condition 2: the declared bins of `age` would be split; write `age >= ... AND age < ...` with declared \
         points, or one of the two"
    );
}

#[test]
fn a_sensitive_condition_goes_with_the_counts_and_chooses_no_row() {
    let care = || is(col(PURPOSE), text("care"));
    let ruling = where_(care()).unwrap();
    assert_eq!(ruling.plan().rows, Rows::Scan(0));
    assert_eq!(ruling.plan().aggregates[0].filter, Some(Expression::And(vec![Expression::And(vec![care()])])));
    assert_eq!(ruling.scope_condition(0), None);
    let beside = |aggregate| verdict(&asked(&[], Some(care()), vec![], vec![aggregate]));
    assert!(beside(of(Aggregation::CountDistinct, col(PERSON))).is_ok());
    for refused in [of(Aggregation::Sum, col(KM)), of(Aggregation::Mean, col(KM)), of(Aggregation::Count, col(MODE))] {
        let objection = beside(refused).unwrap_err();
        assert_eq!(objection.offence, Offence::SensitiveCondition { column: "purpose".into() });
    }
    // Where the condition of the rows and that of the aggregate are on different columns.
    let late = Aggregate { filter: Some(col(LATE)), ..count() };
    assert!(matches!(beside(late).unwrap_err().offence, Offence::TwoSensitive { .. }));
}

#[test]
fn keys_have_one_value_on_each_bin() {
    let values = |key: Row| by(key).map(|ruling| ruling.keys()[0].values().len());
    assert_eq!(values(col(MODE)), Ok(5));
    assert_eq!(values(trunc("day", col(AT))), Ok(15));
    assert_eq!(values(trunc("hour", col(AT))), Ok(337));
    assert_eq!(values(part("hour", col(AT))), Ok(25));
    assert_eq!(values(part("month", col(DAY))), Ok(4));
    assert_eq!(values(bin(AGE)), Ok(4));
    assert_eq!(values(bin(KM)), Ok(5));
    let refused = |key: Row| by(key).map(|_| ()).unwrap_err();
    let splits = |column: &str, instead| {
        let offence = Offence::SplitsBins { column: column.into() };
        Objection { offence, place: Place::Key(0), instead: Some(instead) }
    };
    assert_eq!(refused(col(AGE)), splits("age", Instead::GroupByBin { column: "age".into() }));
    let hourly = Instead::GroupByPeriod { column: "at".into(), period: Period::Hour };
    assert_eq!(refused(trunc("minute", col(AT))), splits("at", hourly.clone()));
    assert_eq!(refused(col(AT)), splits("at", hourly));
    // Weeks lie across months.
    assert!(matches!(refused(part("week", col(DAY))).offence, Offence::SplitsBins { .. }));
    assert!(matches!(refused(part("day", col(DAY))).offence, Offence::SplitsBins { .. }));
    let instead = |key: Row| refused(key).instead;
    assert_eq!(instead(col(KM)), Some(Instead::GroupByBin { column: "km".into() }));
    assert_eq!(instead(col(PURPOSE)), Some(Instead::CountFilter { column: "purpose".into() }));
    assert_eq!(instead(col(PERSON)), Some(Instead::CountDistinct { column: "person".into() }));
    assert_eq!(instead(bin(MODE)), Some(Instead::GroupBy { column: "mode".into() }));
    assert_eq!(instead(bin(MINUTES)), Some(Instead::LeaveOut));
    let upper = Expression::Call(Function::Upper, vec![col(MODE)]);
    assert_eq!(instead(upper), Some(Instead::GroupBy { column: "mode".into() }));
    // A partition of one's own is as good as a free list.
    let free = Expression::Case { branches: vec![(among(MODE, &["walk", "car"]), int(1))], otherwise: None };
    assert_eq!(refused(free).offence, Offence::NoChoice { column: "mode".into() });
    let raw = Expression::Case { branches: vec![(is(col(MODE), text("walk")), col(MODE))], otherwise: None };
    assert!(matches!(refused(raw).offence, Offence::Construct { .. }));
}

#[test]
fn a_key_of_case_unites_what_a_condition_may() {
    let case = |branches: Vec<(Row, Row)>, otherwise: Option<Row>| {
        by(Expression::Case { branches, otherwise: otherwise.map(Box::new) })
    };
    let walks = || is(col(MODE), text("walk"));
    let refused = |ruling: Result<Ruling, Objection>| {
        assert_eq!(ruling.unwrap_err().offence, Offence::NoChoice { column: "mode".into() });
    };
    // One value for two branches, and what any of them leaves.
    let soft = || among(MODE, &["walk", "bike"]);
    let tram = || (is(col(MODE), text("tram")), int(2));
    refused(case(vec![(walks(), int(1)), (is(col(MODE), text("car")), int(1)), tram()], Some(int(0))));
    refused(case(vec![(walks(), int(1))], Some(int(0))));
    refused(case(vec![(walks(), int(1))], None));
    refused(by(size()));
    let values = |ruling: Result<Ruling, Objection>| ruling.map(|ruling| ruling.keys()[0].values().len());
    assert_eq!(values(case(vec![(soft(), int(1)), tram()], Some(int(0)))), Ok(3));
    assert_eq!(values(case(vec![(soft(), int(1)), (walks(), int(3)), tram()], None)), Ok(3));
    let under = |age| compare(col(AGE), Comparison::Less, int(age));
    assert_eq!(values(case(vec![(under(18), int(1)), (under(65), int(2))], Some(int(3)))), Ok(3));
    let late = compare(part("hour", col(AT)), Comparison::AtLeast, int(12));
    assert_eq!(values(case(vec![(late, int(1))], Some(int(0)))), Ok(2));
}

#[test]
fn what_is_long_is_not_read_on_many_bins() {
    let hours = (0..40_000).map(|hour| Literal::Timestamp(hour * 3_600_000_000)).collect();
    let long = Expression::In(col(AT).into(), hours);
    assert_eq!(where_(long).unwrap_err().offence, Offence::Rejected(Rejection::TooLong));
}

#[test]
fn conditions_in_another_order_are_the_same_scope() {
    let (walks, child) = (is(col(MODE), text("walk")), compare(col(AGE), Comparison::Less, int(18)));
    let only = |all: [&Row; 2]| Aggregate { filter: Some(Expression::And(all.map(Clone::clone).to_vec())), ..count() };
    let plan = asked(&[], None, vec![], vec![only([&walks, &child]), only([&child, &walks])]);
    assert_eq!(verdict(&plan).unwrap().scopes().len(), 1);
}

#[test]
fn aggregates_say_what_is_measured_of_each_subject() {
    let first = |aggregate| figure(aggregate).map(|ruling| ruling.figures()[0].clone());
    let quantities = |aggregate| first(aggregate).map(|figure| figure.quantities);
    assert_eq!(quantities(count()), Ok(vec![Quantity::Row]));
    assert_eq!(quantities(of(Aggregation::Sum, col(KM))), Ok(vec![Quantity::Value(KM)]));
    assert_eq!(quantities(of(Aggregation::Deviation, col(KM))), Ok(vec![Quantity::Value(KM), Quantity::Square(KM)]));
    assert_eq!(quantities(of(Aggregation::CountDistinct, col(TRIP))), Ok(vec![Quantity::Different(TRIP)]));
    let flag = Expression::Cast(col(LATE).into(), Type::Integer(Digits::STORED));
    assert_eq!(quantities(of(Aggregation::Mean, flag)), Ok(vec![Quantity::Value(LATE)]));
    let slope = Aggregate { against: Some(col(MINUTES)), ..of(Aggregation::Regression(Regression::Slope), col(KM)) };
    let slope = first(slope).unwrap();
    assert_eq!(slope.present, [KM, MINUTES]);
    assert!(slope.quantities.contains(&Quantity::Product(KM, MINUTES)));
    assert_eq!(first(of(Aggregation::Quantile(900_000), col(KM))).unwrap().quantile, Some(900_000));
    // The rows that have a declared value are a cell of their own.
    let present = figure(of(Aggregation::Count, col(MODE))).unwrap();
    let region = present.scoped(0, &[], 0).unwrap();
    assert_eq!(region.sets().count(), 1);
    assert_eq!(figure(of(Aggregation::Count, col(KM))).unwrap().scoped(0, &[], 0).unwrap().sets().count(), 0);
}

#[test]
fn what_aggregates_may_not_be_of() {
    let refused = |aggregate| figure(aggregate).map(|_| ()).unwrap_err();
    let square = Expression::Arithmetic(Arithmetic::Multiply, col(KM).into(), col(KM).into());
    let floor = Expression::Call(Function::Floor, vec![col(KM)]);
    for computed in [square, floor, lit(Literal::Float(2.0)), Expression::Negate(col(KM).into())] {
        let objection = refused(of(Aggregation::Sum, computed));
        assert_eq!(objection.instead, Some(Instead::OneMeasure), "{objection}");
    }
    let instead = |of_: Aggregation, argument: RowColumn| refused(of(of_, col(argument))).instead;
    assert_eq!(instead(Aggregation::Sum, AGE), Some(Instead::GroupBy { column: "age".into() }));
    assert_eq!(instead(Aggregation::CountDistinct, MODE), Some(Instead::GroupBy { column: "mode".into() }));
    assert_eq!(instead(Aggregation::Count, PERSON), Some(Instead::CountRows));
    assert_eq!(instead(Aggregation::CountDistinct, KM), Some(Instead::LeaveOut));
    // Zero is no contribution to a sum, but one to a mean.
    let choice = |otherwise| Expression::Case {
        branches: vec![(is(col(MODE), text("walk")), col(MINUTES))],
        otherwise: Some(Box::new(otherwise)),
    };
    assert!(figure(of(Aggregation::Sum, choice(int(0)))).is_ok());
    assert!(figure(of(Aggregation::Mean, choice(int(0)))).is_err());
    assert!(figure(of(Aggregation::Sum, choice(int(5)))).is_err());
    // As many arguments as it has, and numbers.
    assert!(figure(of(Aggregation::Correlation, col(KM))).is_err());
    assert!(figure(Aggregate { against: Some(col(KM)), ..of(Aggregation::Sum, col(KM)) }).is_err());
    assert!(matches!(refused(of(Aggregation::Sum, col(LATE))).offence, Offence::Rejected(Rejection::Type { .. })));
}

#[test]
fn joins_lead_from_the_facts_along_declared_keys() {
    let both =
        verdict(&asked(&[JoinKind::Inner, JoinKind::Left], None, vec![col(COMMUNE), bin(DENSITY)], vec![count()]));
    let both = both.unwrap();
    assert_eq!(both.facts(), 0);
    assert_eq!(both.unique().collect::<Vec<_>>(), [HOME, PLACE]);
    assert_eq!(both.units().iter().map(|unit| unit.space.as_str()).collect::<Vec<_>>(), ["persons", "households"]);
    // Those that have a household, which is said by its commune, too.
    assert_eq!(base(&both), ["household>city/households.*: 0-1"]);
    let north = both.region(0, &[Literal::String("north".into()), Literal::Null(Type::Integer(Digits::OF_32_BITS))]);
    let named: Vec<String> = north.unwrap().sets().map(|(dimension, _)| dimension.to_string()).collect();
    assert_eq!(
        named,
        ["household>city/households.commune", "household>city/households.district>city/districts.density"]
    );
    let join = |kind, left, right, on: Vec<(Row, Row)>| {
        let plan = asked(&[JoinKind::Inner], None, vec![], vec![count()]);
        verdict(&Plan { rows: Rows::Join(Join { kind, left, right, on, filter: None }.into()), ..plan })
    };
    let key = || vec![(col(HOUSEHOLD), col(HOME))];
    let turned = || vec![(col(HOME), col(HOUSEHOLD))];
    assert!(join(JoinKind::Right, Rows::Scan(1), Rows::Scan(0), turned()).is_ok());
    let offence = |ruling: Result<Ruling, Objection>| ruling.map(|_| ()).unwrap_err().offence;
    // Households without trips would be there, or with several.
    assert_eq!(offence(join(JoinKind::Left, Rows::Scan(1), Rows::Scan(0), turned())), Offence::JoinKey);
    assert_eq!(offence(join(JoinKind::Full, Rows::Scan(0), Rows::Scan(1), key())), Offence::OuterJoin);
    let district = vec![(col(HOUSEHOLD), col(DISTRICT))];
    assert_eq!(offence(join(JoinKind::Inner, Rows::Scan(0), Rows::Scan(1), district)), Offence::JoinKey);
    let twice = vec![(col(HOUSEHOLD), col(HOME)), (col(TRIP), col(DISTRICT))];
    assert_eq!(offence(join(JoinKind::Inner, Rows::Scan(0), Rows::Scan(1), twice)), Offence::JoinKey);
    let some = || Rows::Filter(Rows::Scan(1).into(), is(col(COMMUNE), text("north")));
    assert!(join(JoinKind::Inner, Rows::Scan(0), some(), key()).is_ok());
    assert_eq!(offence(join(JoinKind::Left, Rows::Scan(0), some(), key())), Offence::OuterJoin);
}

#[test]
fn a_table_is_not_joined_with_itself() {
    let again = |column: RowColumn| RowColumn { scan: 1, ..column };
    let on = vec![(col(PERSON), col(again(PERSON)))];
    let join = Join { kind: JoinKind::Inner, left: Rows::Scan(0), right: Rows::Scan(1), on, filter: None };
    let plan = asked(&[], None, vec![], vec![count()]);
    let plan = Plan { scans: vec![Scan { table: 0 }; 2], rows: Rows::Join(join.into()), ..plan };
    assert_eq!(verdict(&plan).unwrap_err().offence, Offence::JoinKey);
}

#[test]
fn equal_sets_are_equal_regions_whatever_led_to_them() {
    let listed = where_(among(MODE, &["bike", "walk"])).unwrap().base();
    let either = Expression::Or(vec![is(col(MODE), text("walk")), is(text("bike"), col(MODE))]);
    assert_eq!(where_(either).unwrap().base(), listed);
    let all = verdict(&asked(&[], None, vec![], vec![count()])).unwrap();
    let any = Expression::Or(vec![is_null(col(MODE)), not(is_null(col(MODE)))]);
    assert_eq!(where_(any).unwrap().base(), all.base());
    let kinds = [JoinKind::Inner];
    let north = |kind: JoinKind| {
        verdict(&asked(&[kind], Some(is(col(COMMUNE), text("north"))), vec![], vec![count()])).unwrap().base()
    };
    assert_eq!(north(JoinKind::Inner), north(JoinKind::Left));
    assert_ne!(verdict(&asked(&kinds, None, vec![], vec![count()])).unwrap().base(), all.base());
}

#[test]
fn grouping_sets_are_sets_of_the_keys() {
    let plan = |sets: Vec<Vec<usize>>| {
        verdict(&Plan { sets, ..asked(&[], None, vec![col(MODE), bin(AGE)], vec![count()]) })
            .map(|ruling| ruling.region(ruling.plan().sets.len() - 1, &[]).map(|region| region.sets().count()))
    };
    assert_eq!(plan(vec![vec![0, 1], vec![0], vec![]]), Ok(Some(0)));
    for wrong in [vec![], vec![vec![0, 0]], vec![vec![2]]] {
        assert_eq!(plan(wrong).unwrap_err().offence, Offence::Rejected(Rejection::Malformed));
    }
    assert_eq!(plan(vec![vec![]; 65]).unwrap_err().offence, Offence::Rejected(Rejection::TooLong));
}

#[test]
fn a_table_without_policy_is_not_asked() {
    let policies = crate::policy::Policies::parse(&schemas(), &["city", "country", "city"], &[world::release()]);
    let plan = asked(&[JoinKind::Inner], None, vec![], vec![of(Aggregation::Mean, col(INCOME))]);
    let objection = judge_by(&plan, &schemas(), &policies.unwrap()).unwrap_err();
    assert_eq!(objection.offence, Offence::NoPolicy { table: "households".into() });
}

#[test]
fn figures_with_noise_are_of_parts_that_one_kind_of_subject_moves_within_bounds() {
    let policies = policies();
    let made = |kinds: &[JoinKind], aggregates: Vec<Aggregate>| {
        let ruling = verdict(&asked(kinds, None, vec![col(MODE)], aggregates)).unwrap();
        NoisyFigures::of(&ruling, &policies)
    };
    // A measure's clamps are 0 and 100, 16 steps to one; of a person one row of a cell counts.
    let figures = [
        count(),
        of(Aggregation::CountDistinct, col(PERSON)),
        of(Aggregation::Sum, col(KM)),
        of(Aggregation::Mean, col(MINUTES)),
        of(Aggregation::CountDistinct, col(TRIP)),
        of(Aggregation::Variance, col(KM)),
    ];
    let noisy = made(&[], figures.to_vec()).unwrap();
    assert!(!noisy.is_whole(), "trips by their names and variances have none");
    let parts: Vec<(usize, bool)> =
        noisy.parts().iter().map(|part| (part.figure, part.share == Share::Rows(1))).collect();
    assert_eq!(parts, [(0, true), (1, true), (2, false), (3, false), (3, true)]);
    assert!(made(&[], figures[..4].to_vec()).unwrap().is_whole());

    // Each part has a fifth of the price; four cells double the noise, of which a sum's is in kilometres.
    let reservation = Limits::default().reserve(Rho::of_micro(5_000), Spent::default()).unwrap();
    let spread = |cells| noisy.deviations(&reservation, &[cells]).unwrap();
    let near = |one: f64, other: f64| (one - other).abs() < 0.1;
    assert!(near(spread(1)[0].steps(), 22.36) && near(spread(4)[0].steps(), 44.72));
    assert!(near(noisy.told_deviation(2, &spread(1)).unwrap(), 2_236.07));
    assert_eq!([noisy.told_deviation(3, &spread(1)), noisy.told_deviation(5, &spread(1))], [None, None]);
    let mut random = ChaCha20Rng::from_seed([3; 32]);
    let exact = [40, 30, 16 * 1_000, 16 * 500, 40];
    let numbers = noisy.numbers(&exact, &spread(1), &[0].into(), &mut random).unwrap();
    assert_eq!(numbers.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, true, false, false]);
    assert!(matches!(numbers[0], Some(Number::Whole(count)) if (count - 40).abs() < 220), "{numbers:?}");
    assert!(matches!(numbers[2], Some(Number::Float(sum)) if (sum - 1_000.0).abs() < 22_000.0), "{numbers:?}");
    let others = noisy.numbers(&exact, &spread(1), &[1].into(), &mut random).unwrap();
    assert!(others.iter().all(Option::is_none), "of another scope");

    // Persons of households: one kind does not bound the other.
    assert_eq!(made(&[JoinKind::Inner], vec![count()]).unwrap_err(), NoNoise::Units);
    assert_eq!(made(&[], vec![of(Aggregation::Variance, col(KM))]).unwrap_err(), NoNoise::Figures);
    let tiny = Limits::default().reserve(Rho::of_micro(1), Spent::default()).unwrap();
    assert_eq!(noisy.deviations(&tiny, &[1]).unwrap_err(), NoNoise::TooMany);
}

//! Answers with noise: what has it, how wide it is, what it costs, and that it is drawn once.

use std::collections::BTreeMap;

use octroi_proto::wire::v1::{AnswerTable, NoisePolicy, NoiseUse, answer_value::Value};

use super::harness::{Asked, Flight, Past, Told, flights, shown};

/// What the policy says: of its default, and of a budget for one question of an organisation and two of all.
fn noise(usage: NoiseUse) -> NoisePolicy {
    NoisePolicy { r#use: usage.into(), question: 500, organisation: 700, lifetime: 800 }
}

fn tell(past: &mut Past, usage: NoiseUse, who: &str, sql: &str) -> Told {
    Asked { noise: noise(usage), organisation: who.to_owned(), ..Asked::new(sql) }.tell_after(past)
}

fn answer(past: &mut Past, usage: NoiseUse, who: &str, sql: &str) -> AnswerTable {
    match tell(past, usage, who, sql) {
        Told::Answer { table, .. } => table,
        other => panic!("{sql}: {other:?}"),
    }
}

fn number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Integer(number)) => *number as f64,
        Some(Value::Float(number)) => *number,
        other => panic!("{other:?}"),
    }
}

/// Of each carrier what its flights add up to, where each aircraft has at most 60 of them and each is held to 500 to 1,000.
fn bounded(value: impl Fn(&Flight) -> f64, [low, high]: [f64; 2]) -> BTreeMap<&'static str, f64> {
    let mut of_aircraft: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for flight in flights() {
        *of_aircraft.entry((flight.carrier, flight.tail.as_str())).or_default() += value(flight);
    }
    let mut all = BTreeMap::from([("HA", 0.0)]);
    for ((carrier, _), sum) in of_aircraft {
        *all.entry(carrier).or_default() += f64::clamp(sum, 60.0 * low, 60.0 * high);
    }
    all
}

#[test]
fn every_declared_key_is_told_with_noise_around_what_is_bounded() {
    let sql = "SELECT carrier, count(*) AS n, sum(distance) AS d, count(DISTINCT tail) AS t, avg(distance) AS m \
               FROM flights GROUP BY carrier ORDER BY carrier";
    let mut past = Past::default();
    let table = answer(&mut past, NoiseUse::Only, "lyon", sql);
    assert_eq!(table.noise_epsilon, 500);
    let names: Vec<String> = table.rows.iter().map(|row| shown(row)[0].clone()).collect();
    assert_eq!(names, ["AA", "DL", "HA", "UA", "ZZ"], "also those of few, and of nobody");
    assert!(table.keys_without_value.is_empty());
    let held = |flight: &Flight| (flight.distance as f64).clamp(500.0, 1_000.0);
    let expected = [bounded(|_| 1.0, [0.0, 1.0]), bounded(held, [0.0, 1_000.0])];
    let aircraft: BTreeMap<&str, f64> = [("AA", 65.0), ("DL", 65.0), ("HA", 0.0), ("UA", 65.0), ("ZZ", 5.0)].into();
    let [_, n, d, t, m] = table.columns.as_slice() else { panic!("{:?}", table.columns) };
    // Five parts share 6,641 millionths of rho; five cells: the root of 5 / (2 * 0.001328).
    assert_eq!(t.noise_deviation, 43.44);
    assert_eq!(n.noise_deviation, 2603.0, "sixty times that");
    assert_eq!(m.noise_deviation, 0.0, "of a ratio");
    for row in &table.rows {
        // A mean is missing where the number of rows came out as none.
        assert!(row.noise & 0b1111 == 0b1110 && (row.noise >> 4 == 1) == row.values[4].value.is_some());
        let carrier = shown(row)[0].clone();
        let off = |place: usize, exact: f64| (number(row.values[place].value.as_ref()) - exact).abs();
        assert!(off(1, expected[0][carrier.as_str()]) < 9.0 * n.noise_deviation);
        assert!(off(2, expected[1][carrier.as_str()]) < 9.0 * d.noise_deviation);
        assert!((off(3, aircraft[carrier.as_str()])) < 9.0 * t.noise_deviation);
    }
    let spread = table.rows.iter().map(|row| number(row.values[2].value.as_ref())).fold(0.0, f64::max);
    assert!(spread > 0.0);
}

#[test]
fn the_same_question_gets_the_same_noise_for_nothing_and_another_one_pays() {
    let mut past = Past::default();
    let sql = "SELECT carrier, count(DISTINCT tail) FROM flights GROUP BY carrier";
    let first = answer(&mut past, NoiseUse::Only, "lyon", sql);
    assert_eq!(answer(&mut past, NoiseUse::Only, "lyon", sql), first);
    assert_eq!(answer(&mut past, NoiseUse::Only, "paris", sql), first, "whoever asks");
    // Another question of the organisation's is one too many; of others, one more, and then none.
    let other = "SELECT count(DISTINCT tail) FROM flights";
    assert_eq!(tell(&mut past, NoiseUse::Only, "lyon", other), Told::Withheld("noise_spent".into()));
    let total = answer(&mut past, NoiseUse::Only, "paris", other);
    assert!((number(total.rows[0].values[0].value.as_ref()) - 200.0).abs() < 9.0 * total.columns[0].noise_deviation);
    let third = "SELECT count(*) FROM flights";
    assert_eq!(tell(&mut past, NoiseUse::Only, "nice", third), Told::Withheld("noise_spent".into()));
    assert_eq!(past.key.sequence, 4, "what is withheld is not recorded");
}

#[test]
fn what_the_audit_keeps_back_is_told_with_noise_where_the_steward_says_so() {
    let [large, all] =
        ["SELECT count(*) FROM flights WHERE carrier IN ('AA', 'DL', 'UA')", "SELECT count(*) FROM flights"];
    for usage in [NoiseUse::Never, NoiseUse::InsteadOfRefusal] {
        let mut past = Past::default();
        let exact = answer(&mut past, usage, "lyon", large);
        assert_eq!((exact.noise_epsilon, exact.rows[0].noise), (0, 0));
        let second = tell(&mut past, usage, "paris", all);
        if usage == NoiseUse::Never {
            assert_eq!(second, Told::Withheld("disclosive".into()));
            continue;
        }
        let Told::Answer { table, .. } = second else { panic!("{second:?}") };
        assert_eq!((table.noise_epsilon, table.rows[0].noise), (500, 1));
        assert!(
            (number(table.rows[0].values[0].value.as_ref()) - 12_000.0).abs() < 9.0 * table.columns[0].noise_deviation
        );
        assert_eq!(answer(&mut past, usage, "nice", all), table);
        // Rounded answers still cost nothing, and what is told with noise is not audited against.
        answer(&mut past, usage, "paris", "SELECT carrier, count(*) FROM flights GROUP BY carrier");
        // With the budget gone, it is as if there were no noise.
        let more = "SELECT count(DISTINCT tail) FROM flights";
        assert_eq!(tell(&mut past, usage, "paris", more), Told::Withheld("disclosive".into()));
    }
}

#[test]
fn a_question_that_cannot_have_noise_is_refused_where_there_is_nothing_else() {
    let mut past = Past::default();
    for (sql, said) in [
        ("SELECT var_pop(distance) FROM flights", "COUNT, SUM and AVG"),
        ("SELECT carrier, sum(delay) FROM flights GROUP BY carrier", "declared clamps"),
        ("SELECT date_trunc('month', day), count(*) FROM flights GROUP BY 1", "declared values"),
        ("SELECT carrier, count(*) FROM flights GROUP BY ROLLUP (carrier)", "one grouping"),
    ] {
        match tell(&mut past, NoiseUse::Only, "lyon", sql) {
            Told::Rejected { code, text, .. } => assert!(code == "not_allowed" && text.contains(said), "{text}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(past.key.sequence, 0);
}

//! What several answers tell together.

use octroi_attest::history;

use super::harness::{Asked, Past, Told, shown};

fn told(past: &mut Past, sql: &str) -> Vec<Vec<String>> {
    match Asked::new(sql).tell_after(past) {
        Told::Answer { table, .. } => table.rows.iter().map(shown).collect(),
        other => panic!("{sql}: {other:?}"),
    }
}

fn withheld(past: &mut Past, sql: &str) -> String {
    match Asked::new(sql).tell_after(past) {
        Told::Withheld(cause) => cause,
        other => panic!("{sql}: {other:?}"),
    }
}

const LARGE: &str = "SELECT sum(distance) FROM flights WHERE carrier IN ('AA', 'DL', 'UA')";
const ALL: &str = "SELECT sum(distance) FROM flights";

/// All less the three large carriers are the five aircraft of ZZ.
#[test]
fn what_two_answers_tell_of_few_is_withheld_whichever_comes_first() {
    for [first, second] in [[LARGE, ALL], [ALL, LARGE]] {
        let mut past = Past::default();
        assert_eq!(told(&mut past, first).len(), 1);
        assert_eq!(withheld(&mut past, second), "disclosive");
        assert_eq!(past.key.sequence, 1, "what is withheld is not recorded");
        // The same again is the same.
        let again = told(&mut past, first);
        assert_eq!(again, told(&mut past, first));
    }
}

#[test]
fn a_number_by_another_name_is_audited_as_well() {
    let mut past = Past::default();
    told(&mut past, "SELECT count(*) FROM flights WHERE carrier IN ('AA', 'DL', 'UA')");
    assert_eq!(withheld(&mut past, "SELECT count(DISTINCT tail) FROM flights"), "disclosive");
}

/// What is left of the first answer are rows that the second question leaves out: those of 65 aircraft in half a year.
#[test]
fn what_the_second_question_leaves_out_is_counted() {
    let mut past = Past::default();
    told(&mut past, "SELECT sum(distance) FROM flights WHERE carrier = 'AA'");
    let half = "SELECT sum(distance) FROM flights WHERE carrier = 'AA' AND day < DATE '2013-07-01'";
    assert_eq!(told(&mut past, half).len(), 1);
}

#[test]
fn honest_questions_follow_one_another() {
    let mut past = Past::default();
    for sql in [
        "SELECT carrier, count(*), avg(delay) FROM flights GROUP BY carrier",
        "SELECT date_trunc('month', day), carrier, count(*) FROM flights GROUP BY 1, 2",
        "SELECT carrier, sum(distance) FROM flights GROUP BY carrier",
        "SELECT extract(HOUR FROM at), count(*) FROM flights WHERE carrier = 'AA' GROUP BY 1",
        "SELECT bin(delay), count(*) FROM flights WHERE carrier = 'DL' GROUP BY 1",
    ] {
        assert!(!told(&mut past, sql).is_empty(), "{sql}");
    }
    assert_eq!(past.key.sequence, 5);
}

#[test]
fn a_history_that_is_not_whole_ends_the_question() {
    let mut past = Past::default();
    told(&mut past, LARGE);
    let first = past.clone();
    told(&mut past, "SELECT carrier, count(*) FROM flights GROUP BY carrier");
    let mut shorter = Past { records: first.records.clone(), ..past.clone() };
    assert_eq!(withheld(&mut shorter, LARGE), "history_damaged");
    let mut none = Past { records: Vec::new(), ..past.clone() };
    assert_eq!(withheld(&mut none, LARGE), "history_damaged");
    let mut changed = past.clone();
    if let Some(byte) = changed.records.get_mut(40) {
        *byte ^= 1;
    }
    assert_eq!(withheld(&mut changed, LARGE), "history_damaged");
    // A record that was never committed is not looked at.
    let mut longer = past.clone();
    longer.records.extend(history::framed(&[7; 100]).unwrap());
    assert_eq!(told(&mut longer, LARGE).len(), 1);
    let mut other =
        Past { key: octroi_attest::HistoryKey { table: "nyc-flights/others".into(), ..past.key.clone() }, ..past };
    assert_eq!(withheld(&mut other, LARGE), "keys_refused");
}

/// What was told by a join is counted beside a question that makes none, whichever comes first. All flights less those of
/// the large carriers are those of five aircraft: so one cell of the second answer is kept back, and no more.
#[test]
fn answers_with_and_without_a_join_follow_one_another() {
    let joined = "SELECT bin(w.temperature), count(*) FROM flights f JOIN weather w ON f.month = w.month GROUP BY 1";
    let alone = "SELECT carrier, count(*) FROM flights GROUP BY carrier";
    for [(first, cells), (second, less)] in [[(joined, 4), (alone, 2)], [(alone, 3), (joined, 3)]] {
        let mut past = Past::default();
        assert_eq!(told(&mut past, first).len(), cells, "{first}");
        assert_eq!(told(&mut past, second).len(), less, "{second} after {first}");
    }
    let mut past = Past::default();
    let large =
        "SELECT count(*) FROM flights f JOIN weather w ON f.month = w.month WHERE carrier IN ('AA', 'DL', 'UA')";
    told(&mut past, large);
    assert_eq!(withheld(&mut past, "SELECT count(*) FROM flights"), "disclosive");
}

//! What all answers together let know of few.

use super::harness::{Asked, Past, Told};

fn tell(past: &mut Past, who: &str, when: &str) -> Told {
    let sql = format!("SELECT sum(distance) FROM flights WHERE carrier = 'AA' AND {when}");
    Asked { organisation: who.to_owned(), ..Asked::new(&sql) }.tell_after(past)
}

fn answered(told: &Told) -> bool {
    match told {
        Told::Answer { table, .. } => !table.rows.is_empty(),
        Told::Withheld(cause) => {
            assert_eq!(cause, "disclosive");
            false
        }
        other => panic!("{other:?}"),
    }
}

/// January, February, and both but for the first hour: no two of them differ by few, and the three do by the two aircraft
/// of that hour.
#[test]
fn sums_over_many_harmless_sets_are_stopped_by_the_budget() {
    let january = "at < '2013-02-01'";
    let february = "at >= '2013-02-01' AND at < '2013-03-01'";
    let [both, later] =
        ["2013-01-01 01:00:00", "2013-01-15"].map(|from| format!("at >= '{from}' AND at < '2013-03-01'"));
    for [first, second, last] in [[january, february, &both], [january, &both, february], [&both, february, january]] {
        let mut past = Past::default();
        assert!(answered(&tell(&mut past, "lyon", first)) && answered(&tell(&mut past, "lyon", second)));
        assert!(!answered(&tell(&mut past, "lyon", last)), "{last} after {first} and {second}");
        assert!(!answered(&tell(&mut past, "paris", last)), "whoever asks");
    }
    let mut past = Past::default();
    for when in [january, february, &later] {
        assert!(answered(&tell(&mut past, "lyon", when)), "{when}: of many");
    }
}

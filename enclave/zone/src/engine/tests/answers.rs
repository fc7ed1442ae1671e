//! What is answered, and what is kept back.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::{Asked, Flight, Told, flights, rows, shown, temperature};

/// Flights by a key, of the cells about at least 11 aircraft.
fn cells<K: Ord>(key: impl Fn(&Flight) -> Option<K>) -> BTreeMap<K, Vec<&'static Flight>> {
    let mut cells: BTreeMap<K, Vec<&Flight>> = BTreeMap::new();
    for flight in flights() {
        if let Some(key) = key(flight) {
            cells.entry(key).or_default().push(flight);
        }
    }
    cells.retain(|_, flights| aircraft(flights).len() >= 11);
    cells
}

fn aircraft(flights: &[&Flight]) -> BTreeSet<String> {
    flights.iter().map(|flight| flight.tail.clone()).collect()
}

fn mean(flights: &[&Flight]) -> f64 {
    let delays: Vec<f64> = flights.iter().filter_map(|flight| flight.delay).collect();
    delays.iter().sum::<f64>() / delays.len() as f64
}

#[test]
fn sums_counts_and_means_are_those_of_the_rows_and_small_cells_are_left_out() {
    let told = rows(
        "SELECT carrier, count(*), sum(distance), avg(delay), count(delay) FROM flights GROUP BY carrier ORDER BY carrier",
    );
    let expected: Vec<Vec<String>> = cells(|flight| Some(flight.carrier))
        .iter()
        .map(|(carrier, flights)| {
            let distance: i64 = flights.iter().map(|flight| flight.distance).sum();
            let delays = flights.iter().filter(|flight| flight.delay.is_some()).count();
            vec![
                (*carrier).to_owned(),
                flights.len().to_string(),
                distance.to_string(),
                format!("{:.6}", mean(flights)),
                delays.to_string(),
            ]
        })
        .collect();
    assert_eq!(told, expected);
    assert_eq!(told.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["AA", "DL", "UA"]);
}

#[test]
fn absent_and_suppressed_keys_are_listed_alike() {
    let Told::Answer { table, .. } = Asked::new("SELECT count(*) AS n, carrier FROM flights GROUP BY carrier").tell()
    else {
        panic!("no answer")
    };
    assert_eq!(table.keys_without_value.iter().map(shown).collect::<Vec<_>>(), [["HA"], ["ZZ"]]);
    let columns: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.r#type.as_str())).collect();
    assert_eq!(columns, [("n", "integer"), ("carrier", "string")]);
    let Told::Answer { table, .. } = Asked::new("SELECT day, count(*) FROM flights GROUP BY day").tell() else {
        panic!("no answer")
    };
    assert!(table.keys_without_value.is_empty());
}

#[test]
fn what_follows_the_cells_sees_released_ones_alone() {
    // ZZ, which is left out, has the fewest flights.
    let told = rows("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY n LIMIT 1");
    let smallest = cells(|flight| Some(flight.carrier)).into_iter().min_by_key(|(_, flights)| flights.len()).unwrap();
    assert_eq!(told, [[smallest.0.to_owned(), smallest.1.len().to_string()]]);
    assert!(rows("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier HAVING count(*) < 1000").is_empty());
    let told = rows(
        "SELECT carrier, sum(distance) / count(*) AS per, round(avg(delay), 1) FROM flights GROUP BY carrier HAVING avg(delay) > 0 ORDER BY per DESC OFFSET 1",
    );
    assert_eq!(told.len(), 2);
    for row in told {
        let flights = &cells(|flight| Some(flight.carrier.to_owned()))[&row[0]];
        let distance: i64 = flights.iter().map(|flight| flight.distance).sum();
        assert_eq!(row[1], (distance / flights.len() as i64).to_string());
        assert_eq!(row[2], format!("{:.6}", (mean(flights) * 10.0).round() / 10.0));
    }
}

#[test]
fn keys_can_be_computed_and_conditions_put_together() {
    let told = rows(
        "SELECT date_trunc('month', at) AS m, extract(month FROM day) AS n, late, count(*) FROM flights \
         WHERE (delay BETWEEN 0 AND 100 OR delay IS NULL) AND carrier <> 'ZZ' AND day >= DATE '2013-07-01' \
         GROUP BY 1, 2, 3 ORDER BY 1, 3",
    );
    let first_of_july = 15_887;
    let wanted = |flight: &Flight| {
        flight.delay.is_none_or(|delay| (0.0..=100.0).contains(&delay))
            && flight.carrier != "ZZ"
            && flight.day >= first_of_july
    };
    let expected = cells(|flight| wanted(flight).then(|| (month_of(flight.day), flight.late)));
    let expected: Vec<Vec<String>> = expected
        .iter()
        .map(|((month, late), flights)| {
            vec![
                format!("2013-{month:02}-01T00:00:00Z"),
                month.to_string(),
                late.to_string(),
                flights.len().to_string(),
            ]
        })
        .collect();
    assert_eq!(told, expected);
    assert!(told.len() > 8);
}

/// Of a day of 2013.
fn month_of(day: i32) -> i64 {
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut left = day - 15_706;
    for (month, length) in (1..).zip(lengths) {
        if left < length {
            return month;
        }
        left -= length;
    }
    panic!("not in 2013")
}

#[test]
fn joins_give_what_nested_loops_give() {
    let told = rows(
        "SELECT f.carrier, avg(w.temperature), count(*) FROM flights f JOIN weather w ON f.month = w.month AND w.temperature > 0 \
         GROUP BY f.carrier ORDER BY 1",
    );
    let joined = cells(|flight| (temperature(flight.month) > 0.0).then_some(flight.carrier));
    let expected: Vec<Vec<String>> = joined
        .iter()
        .map(|(carrier, flights)| {
            let warmth: f64 = flights.iter().map(|flight| temperature(flight.month)).sum();
            vec![(*carrier).to_owned(), format!("{:.6}", warmth / flights.len() as f64), flights.len().to_string()]
        })
        .collect();
    assert_eq!(told, expected);
    let told = rows(
        "SELECT count(*), count(temperature) FROM flights f LEFT JOIN (SELECT * FROM weather WHERE month < 4) w ON f.month = w.month",
    );
    let matched = flights().iter().filter(|flight| flight.month < 4).count();
    assert_eq!(told, [[flights().len().to_string(), matched.to_string()]]);
}

#[test]
fn whole_numbers_do_not_wrap() {
    let Told::Answer { table, .. } = Asked::new("SELECT sum(big), sum(distance) FROM flights").tell() else {
        panic!("no answer")
    };
    let types: Vec<_> = table.columns.iter().map(|column| (column.r#type.as_str(), column.rounding.as_str())).collect();
    assert_eq!(types, [("float", "15 significant digits"), ("integer", "none")]);
    let distance: i64 = flights().iter().map(|flight| flight.distance).sum();
    let big = i64::MAX as f64;
    let told = shown(&table.rows[0]);
    let near = |told: &str, expected: f64| (told.parse::<f64>().unwrap() / expected - 1.0).abs() < 1e-14;
    assert!(near(&told[0], big * flights().len() as f64), "{told:?}");
    assert_eq!(told[1], distance.to_string());
    let quotients =
        rows("SELECT distance / (month - 1) IS NULL AS by_zero, count(*) FROM flights GROUP BY 1 ORDER BY 1");
    let by_zero = flights().iter().filter(|flight| flight.month == 1).count();
    assert_eq!(
        quotients,
        [["false".to_owned(), (flights().len() - by_zero).to_string()], ["true".to_owned(), by_zero.to_string()]]
    );
}

#[test]
fn an_aggregate_is_about_those_rows_that_have_its_argument() {
    // Many aircraft, but few of them with a delay: the mean would be theirs.
    let sql = "SELECT count(*), avg(d) FROM (SELECT CASE WHEN tail IN ('N00101', 'N00102') THEN delay END AS d FROM flights) t";
    let Told::Rejected { code, .. } = Asked::new(sql).tell() else { panic!("not rejected") };
    assert_eq!(code, "not_allowed");
    let sql = "SELECT count(CASE WHEN tail IN ('N00101', 'N00102') THEN 1 END) FROM flights";
    assert_eq!(Asked::new(sql).tell(), Told::Withheld("too_few_subjects".into()));
    let sql = "SELECT count(CASE WHEN carrier = 'AA' THEN 1 END) FROM flights";
    let expected = flights().iter().filter(|flight| flight.carrier == "AA").count();
    assert_eq!(rows(sql), [[expected.to_string()]]);
}

#[test]
fn nothing_is_told_of_few() {
    for sql in [
        "SELECT count(*) FROM flights WHERE tail = 'N00101'",
        "SELECT count(*) FROM flights WHERE carrier = 'ZZ'",
        "SELECT count(*) FROM flights WHERE tail IS NULL",
        "SELECT count(*) FROM flights WHERE month = 13",
        "SELECT tail, count(*) FROM flights GROUP BY tail",
    ] {
        assert_eq!(Asked::new(sql).tell(), Told::Withheld("too_few_subjects".into()), "{sql}");
    }
    let all_but = Asked { least: 201, ..Asked::new("SELECT count(*) FROM flights") };
    assert_eq!(all_but.tell(), Told::Withheld("too_few_subjects".into()));
    let all = Asked { least: 200, ..Asked::new("SELECT count(DISTINCT tail) FROM flights") };
    assert!(matches!(all.tell(), Told::Answer { .. }));
}

#[test]
fn what_goes_wrong_is_one_word() {
    let sql = "SELECT month, carrier, sum(distance) FROM flights GROUP BY month, carrier";
    let damaged = |at| Asked {
        damage: Some(at),
        ..Asked::new("SELECT sum(distance) FROM flights WHERE carrier = 'AA' AND late")
    };
    for at in [0, 4, 200, 1_000, 5_000, 20_000, 60_000] {
        let told = damaged(at).tell();
        assert!(
            matches!(&told, Told::Withheld(cause) if cause == "damaged_file") || matches!(told, Told::Answer { .. }),
            "{at}: {told:?}"
        );
    }
    assert_eq!(damaged(0).tell(), Told::Withheld("damaged_file".into()));
    let other = Asked { other_launch: true, ..Asked::new(sql) };
    assert_eq!(other.tell(), Told::Withheld("keys_refused".into()));
    let mut small = Asked::new(sql);
    small.limits.memory_bytes = 1 << 14;
    assert_eq!(small.tell(), Told::Withheld("out_of_memory".into()));
    let mut short = Asked::new(sql);
    short.limits.wall_milliseconds = 0;
    assert_eq!(short.tell(), Told::Withheld("out_of_time".into()));
    let mut narrow = Asked::new(sql);
    narrow.limits.result_rows = 3;
    assert_eq!(narrow.tell(), Told::Withheld("too_many_rows".into()));
    let mut thin = Asked::new(sql);
    thin.limits.result_bytes = 100;
    assert_eq!(thin.tell(), Told::Withheld("too_many_rows".into()));
}

#[test]
fn the_order_of_rows_is_that_of_the_keys() {
    let told = rows("SELECT late, carrier, count(*) FROM flights WHERE month < 6 GROUP BY late, carrier");
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(told, sorted);
    assert_eq!(told, rows("SELECT late, carrier, count(*) FROM flights WHERE month < 6 GROUP BY late, carrier"));
}

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

/// To the nearest multiple of 5.
fn five(count: usize) -> String {
    ((count + 2) / 5 * 5).to_string()
}

/// To three significant digits.
fn three(sum: f64) -> f64 {
    format!("{sum:.2e}").parse().unwrap()
}

/// Of rounded parts.
fn mean(values: impl Iterator<Item = f64> + Clone) -> String {
    let parts = three(values.clone().sum()) / five(values.count()).parse::<f64>().unwrap();
    format!("{parts:.6}")
}

fn delays(flights: &[&Flight]) -> Vec<f64> {
    flights.iter().filter_map(|flight| flight.delay).collect()
}

fn distance(flights: &[&Flight]) -> f64 {
    flights.iter().map(|flight| flight.distance as f64).sum()
}

#[test]
fn sums_counts_and_means_are_rounded_and_small_cells_are_left_out() {
    let told = rows(
        "SELECT carrier, count(*), sum(distance), avg(delay), count(delay) FROM flights GROUP BY carrier ORDER BY carrier",
    );
    let expected: Vec<Vec<String>> = cells(|flight| Some(flight.carrier))
        .iter()
        .map(|(carrier, flights)| {
            vec![
                (*carrier).to_owned(),
                five(flights.len()),
                format!("{:.0}", three(distance(flights))),
                mean(delays(flights).iter().copied()),
                five(delays(flights).len()),
            ]
        })
        .collect();
    assert_eq!(told, expected);
    assert_eq!(told.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["AA", "DL", "UA"]);
}

#[test]
fn an_answer_says_how_it_is_rounded() {
    let sql = "SELECT carrier, count(*), sum(distance), avg(delay), sum(distance) / count(*), 1 FROM flights GROUP BY carrier";
    let Told::Answer { table, .. } = Asked::new(sql).tell() else { panic!("no answer") };
    let said: Vec<_> = table.columns.iter().map(|column| column.rounding.as_str()).collect();
    let (count, sum, parts) = ("multiple of 5", "3 significant digits", "from rounded parts");
    assert_eq!(said, ["none", count, sum, parts, parts, "none"]);
}

#[test]
fn spreads_percentiles_and_lines_are_of_rounded_parts() {
    let told = rows(
        "SELECT var_pop(delay), stddev(delay), approx_median(delay), regr_slope(delay, distance), regr_count(delay, distance) FROM flights",
    );
    let all: Vec<&Flight> = flights().iter().collect();
    let pairs: Vec<(f64, f64)> =
        all.iter().filter_map(|flight| Some((flight.distance as f64, flight.delay?))).collect();
    let n = pairs.len() as f64;
    let rounded = five(pairs.len()).parse::<f64>().unwrap();
    let (x, y) = (pairs.iter().map(|it| it.0).sum::<f64>() / n, pairs.iter().map(|it| it.1).sum::<f64>() / n);
    let about = |of: fn(f64, f64, f64, f64) -> f64| three(pairs.iter().map(|it| of(it.0, it.1, x, y)).sum());
    let (xx, yy, xy) = (
        about(|px, _, x, _| (px - x).powi(2)),
        about(|_, py, _, y| (py - y).powi(2)),
        about(|px, py, x, y| (px - x) * (py - y)),
    );
    let told: Vec<f64> = told[0].iter().map(|value| value.parse().unwrap()).collect();
    let near = |one: f64, other: f64| (one - other).abs() <= other.abs() * 1e-4 + 1e-6;
    assert!(near(told[0], yy / rounded), "{told:?}");
    assert!(near(told[1], (yy / (rounded - 1.0)).sqrt()), "{told:?}");
    let mut sorted: Vec<f64> = pairs.iter().map(|it| it.1).collect();
    sorted.sort_by(f64::total_cmp);
    assert!((told[2] - sorted[sorted.len() / 2]).abs() <= 2.0 && told[2] == three(told[2]), "{told:?}");
    assert!(near(told[3], xy / xx), "{told:?} {}", xy / xx);
    assert!(near(told[4], rounded));
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
    let sql = "SELECT date_trunc('month', day), count(*) FROM flights GROUP BY 1";
    let Told::Answer { table, .. } = Asked::new(sql).tell() else { panic!("no answer") };
    assert!(table.keys_without_value.is_empty());
}

#[test]
fn what_follows_the_cells_sees_released_ones_alone() {
    // ZZ, which is left out, has the fewest flights.
    let told = rows("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY n, carrier LIMIT 1");
    let cells = cells(|flight| Some(flight.carrier));
    let smallest =
        cells.iter().min_by_key(|(carrier, flights)| (five(flights.len()).len(), five(flights.len()), **carrier));
    let (carrier, flights) = smallest.unwrap();
    assert_eq!(told, [[(*carrier).to_owned(), five(flights.len())]]);
    assert!(rows("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier HAVING count(*) < 1000").is_empty());
    let told = rows(
        "SELECT carrier, sum(distance) / count(*) AS per FROM flights GROUP BY carrier HAVING avg(delay) > 0 ORDER BY per DESC OFFSET 1",
    );
    assert_eq!(told.len(), 2);
    for row in told {
        let flights = &cells[row[0].as_str()];
        let (sum, count) = (three(distance(flights)) as i64, five(flights.len()).parse::<i64>().unwrap());
        assert_eq!(row[1], (sum / count).to_string());
    }
}

#[test]
fn keys_can_be_periods_and_conditions_put_together() {
    let told = rows(
        "SELECT date_trunc('month', at) AS m, extract(month FROM day) AS n, count(*) FROM flights \
         WHERE (carrier = 'AA' OR carrier = 'DL' OR carrier = 'UA') AND day >= DATE '2013-07-01' AND late \
         GROUP BY 1, 2 ORDER BY 1",
    );
    let first_of_july = 15_887;
    let chosen = |flight: &Flight| flight.carrier != "ZZ" && flight.day >= first_of_july;
    // Lateness is counted within cells that are told by all their flights.
    let expected = cells(|flight| chosen(flight).then(|| month_of(flight.day)));
    let expected: Vec<Vec<String>> = expected
        .iter()
        .map(|(month, flights)| {
            let late = flights.iter().filter(|flight| flight.late).count();
            vec![format!("2013-{month:02}-01T00:00:00Z"), month.to_string(), five(late)]
        })
        .collect();
    assert_eq!(told, expected);
    assert_eq!(told.len(), 6);
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
        "SELECT bin(w.temperature), f.carrier, avg(f.delay), count(*) FROM flights f JOIN weather w ON f.month = w.month \
         GROUP BY 1, 2 ORDER BY 1, 2",
    );
    let bin = |flight: &Flight| [0.0, 10.0, 20.0].iter().filter(|point| temperature(flight.month) >= **point).count();
    let expected: Vec<Vec<String>> = cells(|flight| Some((bin(flight), flight.carrier)))
        .iter()
        .map(|((bin, carrier), flights)| {
            vec![bin.to_string(), (*carrier).to_owned(), mean(delays(flights).iter().copied()), five(flights.len())]
        })
        .collect();
    assert_eq!(told, expected);
    let told =
        rows("SELECT count(*) FROM flights f LEFT JOIN weather w ON f.month = w.month WHERE w.temperature >= 10");
    let warm = flights().iter().filter(|flight| temperature(flight.month) >= 10.0).count();
    assert_eq!(told, [[five(warm)]]);
}

#[test]
fn what_is_about_nobody_is_told_as_it_is() {
    let told = rows("SELECT bin(temperature), count(*) FROM weather GROUP BY 1 ORDER BY 1");
    let bin = |month: i64| [0.0, 10.0, 20.0].iter().filter(|point| temperature(month) >= **point).count();
    let mut expected = BTreeMap::new();
    (1..=12).for_each(|month| *expected.entry(bin(month)).or_insert(0) += 1);
    let expected: Vec<_> = expected.iter().map(|(bin, months)| vec![bin.to_string(), months.to_string()]).collect();
    assert_eq!(told, expected);
}

#[test]
fn whole_numbers_do_not_wrap() {
    let Told::Answer { table, .. } = Asked::new("SELECT sum(last), sum(distance) FROM flights").tell() else {
        panic!("no answer")
    };
    let types: Vec<_> = table.columns.iter().map(|column| column.r#type.as_str()).collect();
    assert_eq!(types, ["float", "integer"]);
    let told: Vec<f64> = shown(&table.rows[0]).iter().map(|value| value.parse().unwrap()).collect();
    let all: Vec<&Flight> = flights().iter().collect();
    assert_eq!(told, [three(i64::MAX as f64 * all.len() as f64), three(distance(&all))]);
}

#[test]
fn an_aggregate_is_about_those_rows_that_have_its_argument() {
    let sql = "SELECT count(CASE WHEN carrier = 'AA' THEN 1 END), sum(CASE WHEN carrier = 'AA' THEN distance END) FROM flights";
    let all: Vec<&Flight> = flights().iter().filter(|flight| flight.carrier == "AA").collect();
    assert_eq!(rows(sql), [[five(all.len()), format!("{:.0}", three(distance(&all)))]]);
    // Five aircraft: the figure is missing, as if they were not there.
    let sql =
        "SELECT count(*), count(*) FILTER (WHERE carrier = 'ZZ'), count(*) FILTER (WHERE carrier = 'HA') FROM flights";
    let told = &rows(sql)[0];
    assert_eq!(told[1..], ["-", "-"]);
}

/// The total less its other parts would be the five aircraft of ZZ.
#[test]
fn a_margin_does_not_uncover_what_is_suppressed() {
    let told = rows("SELECT carrier, count(*) FROM flights GROUP BY ROLLUP (carrier)");
    let keys: Vec<_> = told.iter().map(|row| row[0].as_str()).collect();
    assert!(!keys.contains(&"ZZ"));
    assert!(keys.len() == 3, "one of the three others, or the total, is kept back: {told:?}");
}

#[test]
fn one_aircraft_that_makes_most_of_a_sum_is_not_told_of() {
    // In a month without ZZ there is nothing that stands out; `last` is the same for all.
    let told = rows("SELECT carrier, sum(last) FROM flights GROUP BY carrier");
    assert_eq!(told.len(), 3);
}

#[test]
fn nothing_is_told_of_few() {
    for sql in [
        "SELECT count(*) FROM flights WHERE carrier = 'ZZ'",
        "SELECT count(*) FROM flights WHERE carrier = 'HA'",
        "SELECT sum(distance) FROM flights WHERE carrier = 'HA' OR carrier = 'ZZ'",
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
    let sql = "SELECT date_trunc('month', day), carrier, sum(distance) FROM flights GROUP BY 1, 2";
    let damaged =
        |at| Asked { damage: Some(at), ..Asked::new("SELECT sum(distance) FROM flights WHERE carrier = 'AA'") };
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
    let sql =
        "SELECT extract(MONTH FROM day), carrier, count(*) FROM flights WHERE day < DATE '2013-06-01' GROUP BY 1, 2";
    let told = rows(sql);
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(told, sorted);
    assert_eq!(told, rows(sql));
}

//! Questions in SQL, read as plans and judged by the roles of their columns: whatever the planner makes of a question's
//! words on the way.

use std::sync::Arc;

use octroi_release::Ruling;

use super::harness::parsed;
use crate::engine::{
    Planned,
    refusal::{Refusal, Refused},
};

fn judged(sql: &str) -> Result<Arc<Ruling>, Refused> {
    Planned::new(parsed(sql)).map(|planned| planned.ruling)
}

/// Where the rows lie, the sizes of the grouping sets, and the scopes that choose among a cell's rows.
fn told(sql: &str) -> (Vec<String>, Vec<usize>, usize) {
    let ruling = judged(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
    let region = ruling.base();
    let set = |set: &octroi_release::space::BinSet| {
        set.runs().map(|(from, to)| format!("{from}-{to}")).collect::<Vec<_>>().join("+")
    };
    let sets = region.sets().map(|(dimension, bins)| format!("{dimension}: {}", set(bins))).collect();
    let scopes = ruling.scopes().iter().filter(|scope| !scope.bins.is_empty()).count();
    (sets, ruling.plan().sets.iter().map(Vec::len).collect(), scopes)
}

#[test]
fn conditions_in_sql_are_bins() {
    let table: &[(&str, &[&str])] = &[
        ("carrier = 'DL'", &["carrier: 1-2"]),
        ("carrier IN ('AA', 'DL', 'UA')", &["carrier: 0-2+3-4"]),
        ("carrier IN ('ZZ', 'HA')", &["carrier: 2-3+4-5"]),
        ("carrier = 'HA' OR carrier = 'ZZ'", &["carrier: 2-3+4-5"]),
        ("at >= '2013-01-02' AND at < '2013-01-03 06:00:00'", &["at: 24-54"]),
        ("at >= TIMESTAMP '2013-12-31 00:00:00'", &["at: 8736-8760"]),
        ("CAST(at AS DATE) = DATE '2013-01-02'", &["at: 24-48"]),
        ("CAST(at AS DATE) BETWEEN DATE '2013-01-02' AND DATE '2013-01-03'", &["at: 24-72"]),
        ("date_trunc('month', at) = '2013-01-01'", &["at: 0-744"]),
        ("extract(MONTH FROM at) = 1", &["at: 0-744"]),
        ("day BETWEEN DATE '2013-02-01' AND DATE '2013-03-31'", &["day: 1-3"]),
        ("day < DATE '2013-03-01'", &["day: 0-2"]),
        ("date_trunc('quarter', day) = '2013-04-01'", &["day: 3-6"]),
        ("extract(QUARTER FROM day) = 2", &["day: 3-6"]),
        ("late", &[]),
        ("NOT late AND carrier = 'DL'", &["carrier: 1-2"]),
        ("late = true", &[]),
    ];
    for (condition, expected) in table {
        let (sets, ..) = told(&format!("SELECT count(*) FROM flights WHERE {condition}"));
        assert_eq!(sets, *expected, "{condition}");
    }
}

#[test]
fn groupings_filters_and_joins_in_sql_are_read() {
    let grouped = |sql: &str| told(sql).1;
    assert_eq!(grouped("SELECT carrier, count(*) FROM flights GROUP BY ROLLUP (carrier)"), [1, 0]);
    let two = "SELECT carrier, extract(HOUR FROM at) AS hour, count(*) FROM flights";
    assert_eq!(grouped(&format!("{two} GROUP BY ROLLUP (carrier, hour) ORDER BY 3 DESC LIMIT 5")), [2, 1, 0]);
    assert_eq!(grouped(&format!("{two} GROUP BY CUBE (carrier, hour) HAVING count(*) > 100")), [0, 1, 1, 2]);
    assert_eq!(grouped(&format!("{two} GROUP BY GROUPING SETS ((carrier, hour), (hour), ())")), [2, 1, 0]);
    assert_eq!(grouped("SELECT bin(delay), count(*) FROM flights GROUP BY 1"), [1]);
    let scopes = |sql: &str| told(sql).2;
    assert_eq!(scopes("SELECT count(*) FILTER (WHERE carrier = 'DL'), count(*) FROM flights"), 1);
    assert_eq!(scopes("SELECT avg(delay) FILTER (WHERE day < DATE '2013-03-01') FROM flights"), 1);
    assert_eq!(scopes("SELECT sum(CASE WHEN carrier = 'DL' THEN 1 ELSE 0 END) FROM flights"), 1);
    assert_eq!(scopes("SELECT sum(CASE WHEN carrier = 'DL' THEN distance ELSE 0 END) FROM flights"), 1);
    assert_eq!(scopes("SELECT count(CASE WHEN carrier = 'DL' THEN 1 END) FROM flights"), 1);
    assert_eq!(scopes("SELECT carrier, count(*) FILTER (WHERE late) FROM flights GROUP BY carrier"), 0);
    for sql in [
        "SELECT corr(delay, distance), regr_slope(delay, distance), covar_pop(delay, distance) FROM flights",
        "SELECT approx_percentile_cont(delay, 0.9), approx_median(distance) FROM flights",
        "SELECT approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY delay) FROM flights",
        "SELECT carrier, avg(CAST(late AS BIGINT)) AS share FROM flights GROUP BY carrier HAVING avg(delay) > 1",
        "SELECT CASE WHEN carrier IN ('HA', 'ZZ') THEN 'small' ELSE 'large' END AS size, count(*) FROM flights GROUP BY size",
        "WITH large AS (SELECT * FROM flights WHERE carrier IN ('AA', 'DL', 'UA')) \
         SELECT CAST(at AS DATE) AS day, count(DISTINCT tail) FROM large GROUP BY 1 ORDER BY 1",
    ] {
        told(sql);
    }
    let join = "SELECT bin(temperature), avg(delay) FROM flights f";
    assert_eq!(told(&format!("{join} LEFT JOIN weather w ON f.month = w.month GROUP BY 1")).0, [""; 0]);
    let partner = ["month>nyc-flights/weather.*: 0-1"];
    assert_eq!(told(&format!("{join} JOIN weather w ON w.month = f.month GROUP BY 1")).0, partner);
    assert_eq!(told(&format!("{join}, weather w WHERE f.month = w.month GROUP BY 1")).0, partner);
    let warm = ["month>nyc-flights/weather.temperature: 2-4"];
    assert_eq!(told(&format!("{join} JOIN weather w USING (month) WHERE temperature >= 10 GROUP BY 1")).0, warm);
    assert_eq!(told(&format!("{join} LEFT JOIN weather w USING (month) WHERE temperature >= 10 GROUP BY 1")).0, warm);
}

#[test]
fn what_is_refused_is_refused_by_its_role_and_says_what_else_to_write() {
    let table = [
        ("SELECT count(*) FROM flights WHERE carrier IN ('AA', 'ZZ')", "are no declared choice"),
        ("SELECT count(*) FROM flights WHERE carrier <> 'AA'", "`<>` is not allowed"),
        ("SELECT count(*) FROM flights WHERE NOT carrier = 'AA'", "`<>` is not allowed"),
        ("SELECT count(*) FROM flights WHERE carrier LIKE 'A%'", "LIKE is not allowed"),
        ("SELECT count(*) FROM flights WHERE carrier = 'AA' OR day < DATE '2013-03-01'", "about one column"),
        ("SELECT count(*) FROM flights WHERE delay > 15", "group by `bin(delay)`"),
        ("SELECT count(*) FROM flights WHERE delay IS NOT NULL", "missing values are left out"),
        ("SELECT count(*) FROM flights WHERE tail = 'N00001'", "`COUNT(DISTINCT tail)`"),
        ("SELECT count(*) FROM flights WHERE day < DATE '2013-03-02'", "from the start of a month"),
        ("SELECT count(*) FROM flights WHERE big = 1", "`big` may not be named"),
        ("SELECT tail, count(*) FROM flights GROUP BY tail", "`tail` is an identifier"),
        ("SELECT late, count(*) FROM flights GROUP BY late", "`late` is a measure"),
        ("SELECT day, count(*) FROM flights GROUP BY day", "date_trunc('month', day)"),
        ("SELECT lower(carrier), count(*) FROM flights GROUP BY 1", "a computed key"),
        ("SELECT sum(delay * 2) FROM flights", "compute with the released values"),
        ("SELECT avg(delay) FROM flights WHERE late", "only rows and subjects may be counted"),
        ("SELECT count(DISTINCT carrier) FROM flights", "group by `carrier`"),
        ("SELECT count(*) FROM flights a JOIN flights b ON a.tail = b.tail", "no declared join key"),
        ("SELECT count(*) FROM weather w LEFT JOIN flights f ON f.month = w.month", "no declared join key"),
    ];
    for (sql, words) in table {
        match judged(sql) {
            Err(Refused { refusal: Refusal::Objected(objection), .. }) => {
                assert!(objection.to_string().contains(words), "{sql}: {objection}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    for sql in [
        "SELECT approx_percentile_cont(delay, 1.0) FROM flights",
        "SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY delay DESC) FROM flights",
        "SELECT carrier, grouping(carrier), count(*) FROM flights GROUP BY ROLLUP (carrier)",
    ] {
        match judged(sql) {
            Err(refused) => assert_eq!(refused.to_wire().code, "not_allowed", "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

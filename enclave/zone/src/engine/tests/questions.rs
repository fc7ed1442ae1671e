//! What may be asked, and what is refused before any key is there.

use std::time::Duration;

use octroi_attest::{FileColumns, OpenKeys, Recipient, RuledTable, envelope};
use octroi_proto::wire::{v1, zone as wire};

use super::harness::{Asked, Told, keys_of, parsed};
use crate::{
    engine::{Planned, now, open_for_load, question::Question},
    table::tests::Dice,
};

/// Questions that honest analysts ask.
const ALLOWED: &[&str] = &[
    "SELECT count(*) FROM flights",
    "SELECT carrier, count(*) FROM flights GROUP BY carrier",
    "SELECT carrier, date_trunc('month', at), avg(delay) AS mean FROM flights GROUP BY 1, 2",
    "SELECT count(DISTINCT tail) FROM flights",
    "SELECT sum(distance), avg(distance), stddev(delay), var_pop(delay) FROM flights",
    "SELECT sum(distance) * 2 + 1 FROM flights",
    "SELECT DISTINCT carrier FROM flights",
    "SELECT date_trunc('month', at) AS m, count(*) FROM flights GROUP BY 1 ORDER BY 1",
    "SELECT date_trunc('month', day) AS m, count(*) FROM flights GROUP BY m",
    "SELECT extract(YEAR FROM day), extract(dow FROM at), count(*) FROM flights GROUP BY 1, 2",
    "SELECT bin(delay) AS bin, count(*) FROM flights GROUP BY bin ORDER BY bin",
    "SELECT carrier, sum(distance) / count(*) AS per FROM flights GROUP BY carrier HAVING count(*) > 100 ORDER BY per DESC LIMIT 2",
    "SELECT carrier, round(avg(delay), 2) AS mean, 100 * count(delay) / count(*) AS share FROM flights GROUP BY carrier",
    "SELECT bin(w.temperature), avg(f.delay) FROM flights f JOIN weather w ON f.month = w.month GROUP BY 1",
    "SELECT bin(w.temperature), count(*) FROM flights f, weather w WHERE f.month = w.month GROUP BY 1",
    "SELECT carrier, count(*) FROM flights LEFT JOIN weather USING (month) WHERE temperature >= 10 GROUP BY carrier",
    "WITH winter AS (SELECT carrier, delay FROM flights WHERE day < DATE '2013-03-01') SELECT carrier, avg(delay) FROM winter GROUP BY carrier",
    "SELECT bin(temperature), count(*) FROM weather GROUP BY 1",
    "SELECT count(*) FROM \"nyc-flights\".\"flights\" WHERE at >= '2013-03-01' AND day < DATE '2013-06-01'",
    "SELECT count(*) FROM flights WHERE at >= TIMESTAMP '2013-03-01 00:00:00' AND NOT late",
    "SELECT carrier, count(*) FROM flights GROUP BY ROLLUP (carrier)",
    "SELECT count(CASE WHEN carrier = 'AA' THEN 1 END) FROM flights",
    "SELECT carrier, CAST(sum(distance) AS DOUBLE) / 1000 FROM flights GROUP BY carrier",
];

/// What must not run, and by which code it is refused.
const REFUSED: &[(&str, &str)] = &[
    ("SELECT", "syntax"),
    ("SELECT count(*) FROM flights WHERE (", "syntax"),
    ("", "syntax"),
    ("SELECT count(*) FROM flights; SELECT count(*) FROM flights", "syntax"),
    ("EXPLAIN SELECT count(*) FROM flights", "syntax"),
    ("EXPLAIN ANALYZE SELECT count(*) FROM flights", "syntax"),
    ("COPY (SELECT * FROM flights) TO '/tmp/x.csv'", "syntax"),
    ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "syntax"),
    ("CREATE TABLE t AS SELECT * FROM flights", "syntax"),
    ("INSERT INTO flights VALUES (1)", "syntax"),
    ("SET datafusion.execution.batch_size = 1", "syntax"),
    ("SHOW TABLES", "syntax"),
    ("DESCRIBE flights", "syntax"),
    ("SELECT * FROM information_schema.tables", "unknown_table"),
    ("SELECT count(*) FROM passengers", "unknown_table"),
    ("SELECT count(*) FROM other.flights", "unknown_table"),
    ("SELECT count(*) FROM '/etc/passwd'", "unknown_table"),
    ("SELECT count(*) FROM flights WHERE colour = 'red'", "unknown_column"),
    ("SELECT count(*) FROM flights f JOIN weather w ON f.month = w.month WHERE month = 1", "unknown_column"),
    ("SELECT count(*) FROM flights WHERE secret = 'x'", "unknown_column"),
    ("SELECT secret, count(*) FROM flights GROUP BY secret", "unknown_column"),
    ("SELECT count(DISTINCT secret) FROM flights", "unknown_column"),
    ("SELECT * FROM flights", "not_allowed"),
    ("SELECT tail FROM flights LIMIT 5", "not_allowed"),
    ("SELECT 1", "unknown_table"),
    ("VALUES (1)", "unknown_table"),
    ("SELECT min(delay) FROM flights", "not_allowed"),
    ("SELECT max(tail) FROM flights", "not_allowed"),
    ("SELECT first_value(tail) FROM flights", "not_allowed"),
    ("SELECT array_agg(tail) FROM flights", "not_allowed"),
    ("SELECT string_agg(tail, ',') FROM flights", "not_allowed"),
    ("SELECT median(delay) FROM flights", "not_allowed"),
    ("SELECT sum(delay) OVER (PARTITION BY carrier) FROM flights", "not_allowed"),
    ("SELECT carrier, sum(count(*)) OVER () FROM flights GROUP BY carrier", "not_allowed"),
    ("SELECT count(*) FROM flights UNION ALL SELECT count(*) FROM flights", "not_allowed"),
    ("SELECT carrier FROM flights INTERSECT SELECT carrier FROM flights", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE month IN (SELECT month FROM weather)", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE delay > (SELECT avg(temperature) FROM weather)", "not_allowed"),
    ("SELECT count(*) FROM flights f WHERE EXISTS (SELECT 1 FROM weather w WHERE w.month = f.month)", "not_allowed"),
    ("SELECT avg(n) FROM (SELECT carrier, count(*) AS n FROM flights GROUP BY carrier) t", "not_allowed"),
    ("SELECT count(*) FROM (SELECT * FROM flights LIMIT 1) t", "not_allowed"),
    ("SELECT count(*) FROM (SELECT * FROM flights ORDER BY delay DESC LIMIT 1) t", "not_allowed"),
    ("SELECT count(*) FROM flights, weather", "not_allowed"),
    ("SELECT count(*) FROM flights f JOIN weather w ON f.month < w.month", "not_allowed"),
    ("SELECT sum(distance) / 10 FROM flights WHERE distance / month > 100", "not_allowed"),
    ("SELECT floor(delay / 15) * 15 AS bin, count(*) FROM flights GROUP BY bin", "not_allowed"),
    ("SELECT lower(carrier), count(*) FROM flights GROUP BY 1", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE carrier = 'AA' OR late", "not_allowed"),
    ("SELECT a.carrier, count(*) FROM flights a JOIN flights b ON a.tail = b.tail GROUP BY a.carrier", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE try_cast(substring(tail, 2, 5) AS BIGINT) < 100", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE coalesce(delay, 0) > 10", "not_allowed"),
    ("SELECT sum(big) FROM flights", "not_allowed"),
    ("SELECT sum(CASE WHEN tail = 'N00001' THEN distance ELSE 0 END) FROM flights", "not_allowed"),
    ("SELECT sum(distance) FILTER (WHERE tail = 'N00001') FROM flights", "not_allowed"),
    ("SELECT sum(distance * CAST(late AS BIGINT)) FROM flights WHERE CAST(tail AS BIGINT) = 1", "not_allowed"),
    ("SELECT sum(floor(delay)) FROM flights", "not_allowed"),
    ("SELECT sum(DISTINCT distance) FROM flights", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE CAST(carrier AS BIGINT) = 1", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE CAST(delay AS INT) = 1", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE random() < 0.5", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE at > now()", "not_allowed"),
    ("SELECT count(*) FROM flights TABLESAMPLE SYSTEM (10)", "not_allowed"),
    ("SELECT count(*) FROM (SELECT * FROM flights) t TABLESAMPLE BERNOULLI (10)", "not_allowed"),
    ("SELECT count(*) FROM flights FOR UPDATE", "not_allowed"),
    ("SELECT count(*) FROM flights FETCH FIRST 1 ROWS ONLY", "not_allowed"),
    ("SELECT count(*) INTO t FROM flights", "not_allowed"),
    ("SELECT DISTINCT ON (carrier) tail FROM flights", "not_allowed"),
    ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r", "not_allowed"),
    ("SELECT count(*) FROM generate_series(1, 10)", "not_allowed"),
    ("SELECT sum(big * big * big * big) FROM flights", "not_allowed"),
    ("SELECT sum(distance * distance) FROM flights", "not_allowed"),
    ("SELECT sum(distance * CAST(late AS BIGINT)) FROM flights", "not_allowed"),
    ("SELECT avg(distance / 500) FROM flights", "not_allowed"),
    ("SELECT sum(-distance) FROM flights", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE carrier ~ 'A.*'", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE carrier SIMILAR TO 'A.*'", "not_allowed"),
    ("SELECT count(*) FROM flights WHERE tail = $1", "not_allowed"),
    ("SELECT tail || carrier, count(*) FROM flights GROUP BY 1", "not_allowed"),
    ("SELECT carrier, tail, count(*) FROM flights GROUP BY carrier", "syntax"),
];

#[test]
fn honest_questions_are_planned_and_ask_for_keys() {
    let refused: Vec<_> = ALLOWED
        .iter()
        .filter_map(|sql| Planned::new(parsed(sql)).err().map(|refused| format!("{sql}\n    {refused}")))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn what_is_not_on_the_list_is_refused_by_its_code() {
    let wrong: Vec<_> = REFUSED
        .iter()
        .filter_map(|(sql, code)| match Planned::new(parsed(sql)) {
            Ok(_) => Some(format!("{sql}\n    was allowed")),
            Err(refused) if refused.to_wire().code != *code => {
                Some(format!("{sql}\n    {} {refused}", refused.to_wire().code))
            }
            Err(_) => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refusals_say_where_and_never_list_hidden_columns() {
    let sql = "SELECT count(*)\nFROM flights WHERE colour = 1";
    let Told::Rejected { code, text, at } = Asked::new(sql).tell() else { panic!("not rejected") };
    assert_eq!((code.as_str(), at), ("unknown_column", (35, 41)));
    assert!(text.contains("colour"));
    for sql in [
        "SELECT nothing FROM flights",
        "SELECT carrier, nothing + 1 FROM flights GROUP BY carrier",
        "SELECT *, count(*) FROM flights",
    ] {
        let refused = Planned::new(parsed(sql)).err().unwrap().to_wire();
        assert!(!refused.text.contains("secret"), "{}", refused.text);
    }
    let refused = Planned::new(parsed("SELECT count(*) FRM flights")).err().unwrap().to_wire();
    assert_eq!((refused.code.as_str(), refused.from), ("syntax", 20));
}

/// Whoever may ask and may not see the schema tries names: what there is and what there is not are answered alike.
#[test]
fn a_hidden_column_is_as_if_it_were_not_there() {
    for shape in [
        "SELECT count(*) FROM flights WHERE NAME = 'x'",
        "SELECT NAME, count(*) FROM flights GROUP BY NAME",
        "SELECT count(DISTINCT flights.NAME) FROM flights",
        "SELECT carrier, NAME FROM flights GROUP BY carrier",
        "SELECT carrier AS NAME, NAME FROM flights GROUP BY carrier",
        "SELECT count(*) AS NAME FROM flights GROUP BY carrier HAVING NAME > 'a'",
        "SELECT count(*) FROM flights ORDER BY NAME",
        "SELECT count(*) FROM flights JOIN weather USING (NAME)",
        "SELECT count(*) FROM flights f JOIN weather w ON f.NAME = w.NAME",
        "SELECT NAME(carrier), count(*) FROM flights GROUP BY 1",
        "SELECT sum(NAME) FROM (SELECT carrier AS NAME FROM flights) t",
        "WITH NAME AS (SELECT NAME FROM flights) SELECT count(*) FROM NAME",
        "SELECT count(*) FROM flights WHERE CAST(NAME AS BIGINT) = 1",
        "SELECT DISTINCT * FROM flights WHERE NAME IS NULL",
    ] {
        // As long as each other, so that places are the same, too.
        let [there, absent] = ["secret", "absent"].map(|name| {
            let told = Planned::new(parsed(&shape.replace("NAME", name))).err().map(|refused| refused.to_wire());
            told.map(|told| wire::Rejected { text: told.text.replace(name, "NAME"), ..told })
        });
        assert_eq!(there, absent, "{shape}");
    }
    let last = Planned::new(parsed("SELECT sum(last) FROM flights")).unwrap_or_else(|refused| panic!("{refused}"));
    assert!(last.files[0].columns.contains("last"), "behind the hidden one");
}

#[test]
fn a_question_under_weak_or_broken_rules_is_not_even_planned() {
    fn rules(it: &mut wire::Question) -> &mut wire::Rules {
        it.rules.as_mut().unwrap()
    }
    let question = |change: &dyn Fn(&mut wire::Question)| {
        let mut question = Asked::new("SELECT count(*) FROM flights").question();
        change(&mut question);
        Question::parse(question).map(drop)
    };
    assert!(question(&|_| {}).is_ok());
    assert!(question(&|it| it.rules = None).is_err());
    assert!(question(&|it| rules(it).least_subjects = 10).is_err());
    assert!(question(&|it| rules(it).tables[0].schema.as_mut().unwrap().subjects.clear()).is_err());
    assert!(question(&|it| rules(it).policies[0].cells.as_mut().unwrap().least_subjects = 3).is_err());
    assert!(question(&|it| rules(it).policies[0].tables[0].units.clear()).is_err());
    assert!(question(&|it| drop(rules(it).tables.pop())).is_err());
    assert!(question(&|it| drop(it.tables.pop())).is_err());
    assert!(question(&|it| rules(it).tables[1] = rules(it).tables[0].clone()).is_err());
    let few = Asked { least: 10, ..Asked::new("SELECT count(*) FROM flights") };
    assert_eq!(few.tell(), Told::Withheld("engine_failed".into()));
}

#[test]
fn keys_sealed_for_other_rules_open_nothing() {
    let asked = || Asked::new("SELECT count(*) FROM flights");
    let declared = asked().question().rules.unwrap();
    let mut hidden = declared.clone();
    hidden.tables[0].schema.as_mut().unwrap().columns[3].hidden = true;
    let mut looser = declared.clone();
    looser.policies[0].tables[0].columns.retain(|column| column.column != "month");
    for others in [wire::Rules { least_subjects: 12, ..declared.clone() }, hidden, looser] {
        let told = Asked { other_rules: Some(others), ..asked() }.tell();
        assert_eq!(told, Told::Withheld("keys_refused".into()));
    }
    assert!(matches!(Asked { other_rules: Some(declared), ..asked() }.tell(), Told::Answer { .. }));
}

#[test]
fn a_loads_keys_open_for_the_table_that_they_were_made_for() {
    let ruled = Asked::new("").question().rules.unwrap().tables.remove(0);
    let load = wire::Load {
        load_id: vec![1; 16],
        launch_id: vec![2; 16],
        dataset: ruled.dataset.clone(),
        schema: ruled.schema.clone(),
        file_id: vec![7; 16],
        ..wire::Load::default()
    };
    let opened = |change: &dyn Fn(&mut v1::TableSchema)| {
        let mut declared = ruled.schema.clone().unwrap();
        change(&mut declared);
        let table = RuledTable::parse(&ruled.dataset, Some(declared)).unwrap();
        let recipient = Recipient::generate().unwrap();
        let columns = table.schema.columns().iter().map(|column| column.name.to_string()).collect();
        let files = vec![FileColumns { file_id: [7; 16].into(), columns }];
        let keys = OpenKeys {
            files: files.iter().map(keys_of).collect(),
            ingest_file_key: Some([5; 16].into()),
            ..OpenKeys::default()
        };
        let expires = now().unwrap() + Duration::from_secs(60);
        let (work, launch) = ([1; 16].into(), [2; 16].into());
        let binding = envelope::Binding { work, launch, files, expires, rules: table.load_digest() };
        let sealed = envelope::seal(&recipient.public_key(), &binding, &keys).unwrap();
        open_for_load(recipient, &sealed, &load).is_some()
    };
    assert!(opened(&|_| {}));
    assert!(!opened(&|it| it.columns[8].hidden = false));
    assert!(!opened(&|it| it.subjects = vec!["carrier".into()]));
    assert!(!opened(&|it| it.columns[1].domain.clear()));
}

/// Public dimensions are read with every question: earlier answers are told apart by them.
#[test]
fn keys_are_asked_for_the_columns_named_the_subjects_and_the_dimensions_alone() {
    let asked = |sql: &str| match Asked::new(sql).tell() {
        Told::Answer { asked, .. } => asked,
        other => panic!("{other:?}"),
    };
    // Those of the weather, too, to which the flights' months lead.
    let flights = ["at", "carrier", "day", "delay", "month", "tail", "month", "temperature"];
    assert_eq!(asked("SELECT count(*) FROM flights"), flights);
    let named = asked("SELECT carrier, count(*) FILTER (WHERE late) FROM flights GROUP BY 1");
    assert_eq!(named, ["at", "carrier", "day", "delay", "late", "month", "tail", "month", "temperature"]);
    assert_eq!(asked("SELECT count(*) FROM flights f JOIN weather w ON f.month = w.month"), flights);
}

#[test]
fn a_question_longer_than_can_be_checked_is_refused() {
    let long = format!("SELECT count(*) FROM flights WHERE {}", vec!["carrier = 'AA'"; 6_000].join(" OR "));
    assert_eq!(code(&long), "too_long");
    let much = format!("SELECT count(*) FROM flights WHERE month IN ({})", vec!["1"; 40_000].join(","));
    assert_eq!(code(&much), "too_long");
    let deep = format!("SELECT count(*) FROM flights WHERE {}late{}", "NOT (".repeat(60), ")".repeat(60));
    assert_eq!(code(&deep), "too_long");
    // Short to write, long to write out.
    let mut doubled = "SELECT distance AS x0 FROM flights".to_owned();
    for level in 1..30 {
        doubled = format!("SELECT x{0} * 2 + x{0} % 7 AS x{level} FROM ({doubled}) t{level}", level - 1);
    }
    let code = code(&format!("SELECT sum(x29) FROM ({doubled}) t"));
    assert!(["too_long", "not_allowed", "syntax"].contains(&code.as_str()), "{code}");
    let chain = format!("SELECT count(*) FROM flights WHERE {}", vec!["carrier = 'AA'"; 150].join(" OR "));
    assert!(Planned::new(parsed(&chain)).is_ok());
}

/// Whatever words a question is put together from, it is allowed or refused, and what is allowed reads nothing hidden.
#[test]
fn any_heap_of_words_is_judged() {
    const WORDS: &[&str] = &[
        "SELECT",
        "FROM",
        "flights",
        "weather",
        "WHERE",
        "GROUP BY",
        "ORDER BY",
        "HAVING",
        "LIMIT",
        "count(*)",
        "sum(",
        "avg(",
        "(",
        ")",
        ",",
        "*",
        "carrier",
        "delay",
        "month",
        "secret",
        "tail",
        "AND",
        "OR",
        "NOT",
        "=",
        "<",
        "1",
        "'a'",
        "0.5",
        "AS x",
        "x",
        "JOIN",
        "LEFT JOIN",
        "ON",
        "f",
        "w",
        "f.month = w.month",
        "CASE WHEN",
        "THEN",
        "ELSE",
        "END",
        "IN (",
        "NULL",
        "CAST(",
        "AS BIGINT)",
        "DISTINCT",
        "date_trunc('month', at)",
        "OVER ()",
        "UNION",
        "WITH t AS (",
        "BETWEEN",
        "LIKE",
        "/",
        "+",
        "-",
    ];
    const STARTS: &[&str] = &[
        "SELECT count(*) FROM flights",
        "SELECT count(*) FROM flights WHERE late",
        "SELECT carrier, sum(distance) FROM flights",
        "SELECT",
        "",
    ];
    let mut dice = Dice::new(20_130_101);
    let mut allowed = 0;
    for _ in 0..3_000 {
        let mut sql = (*dice.one(STARTS)).to_owned();
        for _ in 0..dice.below(12) {
            sql.push(' ');
            sql.push_str(dice.one::<&str>(WORDS));
        }
        if let Ok(planned) = Planned::new(parsed(&sql)) {
            allowed += 1;
            assert!(planned.files.iter().all(|file| !file.columns.contains("secret")), "{sql}");
            let flights = planned.ruling.plan().scans.iter().any(|scan| scan.table == 0);
            assert!(!flights || planned.files.iter().any(|file| file.columns.contains("tail")), "{sql}");
        }
    }
    assert!(allowed > 20, "{allowed}");
}

/// On this the parser doubles its work with every word, and its own limit of depth makes it no better.
#[test]
fn a_question_that_the_parser_cannot_finish_is_given_up() {
    let sql = format!("SELECT count(*) FROM flights WHERE {}late", "NOT ".repeat(60));
    let started = std::time::Instant::now();
    let refused = Planned::within(Duration::from_millis(300), parsed(&sql));
    assert!(
        refused.is_err_and(|refused| ["too_long", "syntax", "not_allowed"].contains(&refused.to_wire().code.as_str()))
    );
    assert!(started.elapsed().as_secs() < 20);
}

fn code(sql: &str) -> String {
    Planned::new(parsed(sql)).err().map(|refused| refused.to_wire().code).unwrap_or_default()
}

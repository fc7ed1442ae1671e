//! What the release policy makes of a question: refused before anything runs, with its reason; or answered but for the
//! cells that would say too much of somebody.

use std::{collections::BTreeMap, time::Duration};

use octroi_tests::{
    City, Declared,
    disclosure::{Cell, Told},
    rows, wait_until,
};
use serde_json::{Value, json};

use super::{COUNT, fill};

/// Firms of two districts, each with its turnover and whether it is insolvent; and who works there, about both.
const TABLES: [Declared<'_>; 2] = [
    Declared {
        name: "firms",
        columns: &[
            ("firm", "string", ""),
            ("sector", "string", ", domain = [\"bakery\", \"forge\", \"mill\", \"press\"]"),
            ("district", "string", ", domain = [\"nord\", \"sud\"]"),
            ("founded", "date", ""),
            ("size", "integer", ""),
            ("turnover", "integer", ""),
            ("profit", "integer", ""),
            ("insolvent", "boolean", ""),
            ("seized", "boolean", ""),
            ("remark", "string", ", nullable = true"),
        ],
        subjects: &["firm"],
    },
    Declared {
        name: "staff",
        columns: &[
            ("worker", "string", ""),
            ("firm", "string", ""),
            ("trade", "string", ", domain = [\"baker\", \"mason\", \"smith\"]"),
        ],
        subjects: &["worker", "firm"],
    },
];

const POLICY: &str = r#"
[[tables]]
name = "firms"
units = [{ column = "firm", space = "firm" }]
columns = [
  { name = "firm", role = "identifier" },
  { name = "sector", role = "dimension", groups = [{ name = "food", values = ["bakery", "mill"] }] },
  { name = "district", role = "dimension" },
  { name = "founded", role = "dimension", calendar = { from = "2000-01-01", to = "2025-01-01", period = "year" } },
  { name = "size", role = "dimension", cuts = [10, 50] },
  { name = "turnover", role = "measure", low = 0, high = 10000000, points = [100000] },
  { name = "profit", role = "measure" },
  { name = "insolvent", role = "category" },
  { name = "seized", role = "category" },
]

[[tables]]
name = "staff"
units = [{ column = "worker", space = "worker" }, { column = "firm", space = "firm" }]
columns = [
  { name = "worker", role = "identifier" },
  { name = "firm", role = "join-key", to = ["firms"] },
  { name = "trade", role = "dimension" },
]
"#;

/// Sector, district, how many firms; the mills of the north are too few.
const SECTORS: [(&str, &str, i64); 8] = [
    ("bakery", "nord", 21),
    ("bakery", "sud", 18),
    ("forge", "nord", 14),
    ("forge", "sud", 16),
    ("mill", "nord", 4),
    ("mill", "sud", 19),
    ("press", "nord", 13),
    ("press", "sud", 12),
];

/// A firm, as its row has it.
struct Firm {
    name: String,
    sector: &'static str,
    district: &'static str,
    turnover: i64,
}

/// One press of the north makes most of what the presses there do.
fn firms() -> Vec<Firm> {
    let mut firms = Vec::new();
    for (sector, district, count) in SECTORS {
        for number in 0..count {
            let giant = (sector, district, number) == ("press", "nord", 0);
            let turnover = if giant { 8_123_456 } else { 12_345 + 1_111 * number };
            firms.push(Firm { name: format!("{sector}-{district}-{number}"), sector, district, turnover });
        }
    }
    firms
}

/// A city with its firms, which Lena may ask.
fn trading() -> City {
    let city = City::asking(&[]);
    city.sensitive("firmes", "vm", &TABLES);
    city.policy("firmes", POLICY).expect();
    let mut csv = "firm,sector,district,founded,size,turnover,profit,insolvent,seized,remark\n".to_owned();
    for (number, Firm { name, sector, district, turnover }) in firms().iter().enumerate() {
        let (year, size) = (2000 + number % 20, 5 + number % 70);
        let insolvent = number % 30 == 0;
        csv += &format!("{name},{sector},{district},{year}-05-01,{size},{turnover},{number},{insolvent},false,\n");
    }
    let file = city.file("firms.csv", csv);
    city.load("firmes", "firms", &file, &[]).expect();
    let mut csv = "worker,firm,trade\n".to_owned();
    for worker in 0..30 {
        csv += &format!("baker-{worker},bakery-nord-{},baker\n", worker % 15);
        csv += &format!("mason-{worker},bakery-sud-{},mason\n", worker % 11);
        // Many smiths, in few forges.
        csv += &format!("smith-{worker},forge-sud-{},smith\n", worker % 5);
    }
    let file = city.file("staff.csv", csv);
    city.load("firmes", "staff", &file, &[]).expect();
    city.let_ask("lena", "firmes");
    city
}

fn ask(city: &City, sql: &str) -> Value {
    city.ask("lena", "firmes", sql)
}

/// The rows of an answer by their first columns, of which those of a total are missing.
fn by_keys(answer: &Value, keys: usize) -> BTreeMap<Vec<&str>, &[Value]> {
    let told = rows(answer).iter().map(|row| row.as_array().unwrap().split_at(keys));
    told.map(|(key, values)| (key.iter().map(|key| key.as_str().unwrap_or("all")).collect(), values)).collect()
}

/// The cells by sector and district.
fn cells() -> BTreeMap<Vec<&'static str>, Cell> {
    let mut cells = BTreeMap::<_, Cell>::new();
    for firm in firms() {
        cells.entry(vec![firm.sector, firm.district]).or_default().add(&[&firm.name], Some(firm.turnover));
    }
    cells
}

#[test]
fn without_a_policy_nothing_is_asked() {
    let city = City::asking(&[]);
    fill(&city);
    let refused = city.objection("lena", "energie", COUNT);
    assert_eq!(refused["code"], "not_allowed", "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("`meters`") && detail.contains("steward"), "{detail}");
    // Nor is a table that its dataset's policy passes over, though its rows be about nobody.
    let city = City::asking(&[]);
    let calendar = Declared { name: "holidays", columns: &[("day", "date", "")], subjects: &[] };
    city.sensitive("firmes", "vm", &[TABLES[0], TABLES[1], calendar]);
    city.policy("firmes", POLICY).expect();
    city.let_ask("lena", "firmes");
    let refused = city.objection("lena", "firmes", "SELECT COUNT(*) FROM holidays");
    assert_eq!(refused["code"], "not_allowed", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("`holidays`"), "{refused}");
}

/// A question, the piece of it that is refused, and words of why or of what to write instead.
const OBJECTIONS: &[(&str, &str, &str)] = &[
    ("SELECT COUNT(*) FROM firms WHERE sector <> 'mill'", "sector", "`<>` is not allowed"),
    ("SELECT COUNT(*) FROM firms WHERE sector LIKE 'm%'", "sector", "`sector = ...`"),
    ("SELECT COUNT(*) FROM firms WHERE sector IN ('mill', 'press')", "sector", "no declared choice"),
    ("SELECT COUNT(*) FROM firms WHERE sector = 'winery'", "sector", "no declared value"),
    ("SELECT COUNT(*) FROM firms WHERE sector = 'mill' OR district = 'sud'", "sector", "about one column"),
    ("SELECT COUNT(*) FROM firms WHERE size > 20", "size", "would be split"),
    ("SELECT COUNT(*) FROM firms WHERE founded >= DATE '2001-03-01'", "founded", "the start of a year"),
    ("SELECT COUNT(*) FROM firms WHERE turnover > 50000", "turnover", "group by `bin(turnover)`"),
    ("SELECT COUNT(*) FROM firms WHERE firm = 'mill-nord-1'", "firm", "`COUNT(DISTINCT firm)`"),
    ("SELECT COUNT(*) FROM firms WHERE remark = 'closed'", "remark", "may not be named"),
    ("SELECT AVG(turnover) FROM firms WHERE insolvent", "AVG(turnover)", "only rows and subjects may be counted"),
    ("SELECT COUNT(*) FROM firms WHERE insolvent AND seized", "", "not counted together"),
    ("SELECT firm, COUNT(*) FROM firms GROUP BY firm", "firm", "is an identifier"),
    ("SELECT size, COUNT(*) FROM firms GROUP BY size", "size", "group by `bin(size)`"),
    ("SELECT insolvent, COUNT(*) FROM firms GROUP BY insolvent", "insolvent", "`COUNT(*) FILTER (WHERE insolvent"),
    ("SELECT upper(sector), COUNT(*) FROM firms GROUP BY 1", "sector", "computed key"),
    ("SELECT SUM(turnover - profit) FROM firms", "turnover - profit", "compute with the released values"),
    ("SELECT SUM(size) FROM firms", "size", "group by `size`"),
    ("SELECT COUNT(DISTINCT sector) FROM firms", "sector", "group by `sector`"),
    ("SELECT COUNT(*) FROM firms a JOIN firms b ON a.firm = b.firm", "", "no declared join key"),
    ("SELECT COUNT(*) FROM firms f LEFT JOIN staff s ON s.firm = f.firm", "", "no declared join key"),
    ("SELECT COUNT(*) FROM staff s FULL JOIN firms f ON s.firm = f.firm", "", "outer join of this form"),
    ("SELECT MAX(turnover) FROM firms", "", "max"),
];

#[test]
fn what_is_refused_is_refused_at_once_with_its_reason_and_what_to_write_instead() {
    let city = trading();
    for (sql, _, words) in OBJECTIONS {
        let refused = city.objection("lena", "firmes", sql);
        assert_eq!(refused["code"], "not_allowed", "{sql}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains(words), "{sql}: {refused}");
    }
    // Refused questions are evidence, and nothing was read for them.
    city.onboard("audrey", "cour-des-comptes", "auditor");
    wait_until("each to be evidence", Duration::from_secs(10), || {
        let entries = city.octroi("audrey", &["evidence", "list", "--limit", "1000", "--json"]).expect().json_lines();
        let causes = entries.iter().filter_map(|entry| entry["withheld_answer"]["cause"].as_str());
        causes.filter(|cause| *cause == "rejected").count() == OBJECTIONS.len()
    });
}

#[test]
fn a_refusal_points_at_the_piece_that_is_meant() {
    let city = trading();
    let pointed = OBJECTIONS.iter().filter(|(_, piece, _)| !piece.is_empty());
    let missed = pointed.filter_map(|(sql, piece, _)| {
        let refused = city.objection("lena", "firmes", sql);
        let place = |field: &str| usize::try_from(refused[field].as_u64().unwrap_or_default()).unwrap();
        let meant = &sql[place("from")..place("to")];
        (!meant.contains(piece) || meant.len() + "SELECT ".len() > sql.len()).then(|| format!("{sql}: `{meant}`"))
    });
    let missed: Vec<String> = missed.collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_question_is_judged_without_being_asked() {
    let city = trading();
    let words = |sql| ["--dataset", "firmes", "--purpose", "research", "--check", sql];
    let few = "SELECT SUM(turnover) t FROM firms WHERE sector = 'mill' AND district = 'nord'";
    let many = "SELECT SUM(turnover) t FROM firms WHERE sector = 'mill' AND district = 'sud'";
    let [few, many] = [few, many].map(|sql| city.query("lena", &words(sql)).expect().out);
    assert!(few.starts_with("allowed") && few.contains("rounded"), "{few}");
    assert_eq!(few, many, "what data alone can tell is not told");
    let refused = "SELECT COUNT(*) FROM firms WHERE sector <> 'mill'";
    let said = city.query("lena", &words(refused)).refused("`<>` is not allowed");
    assert!(said.err.contains(refused) && said.err.contains("^^^"), "{}", said.err);

    let body = |sql| json!({ "datasets": ["firmes"], "purpose": "research", "sql": sql }).to_string();
    let url = city.api("v1/queries/check");
    let sql = "SELECT trade, COUNT(*) AS workers FROM staff GROUP BY trade";
    let told = city.curl_as("lena", &["--data", &body(sql), &url]).expect(200);
    assert_eq!(serde_json::from_slice::<Value>(&told.body).unwrap()["tier"], "rounded");
    city.curl_as("lena", &["--data", &body(refused), &url]).expect(400);
    // For the same permits as asking, and as much on record.
    city.onboard("paul", "universite-lyon", "researcher");
    city.curl_as("paul", &["--data", &body(sql), &url]).expect(403);
    city.onboard("audrey", "cour-des-comptes", "auditor");
    wait_until("each to be evidence", Duration::from_secs(10), || {
        let entries = city.octroi("audrey", &["evidence", "list", "--limit", "1000", "--json"]).expect().json_lines();
        let ends = |cause: &str| entries.iter().filter(|entry| entry["withheld_answer"]["cause"] == cause).count();
        let admitted = entries.iter().filter(|entry| entry["admitted_query"].is_object()).count();
        (admitted, ends("checked"), ends("rejected")) == (5, 3, 2)
    });
}

#[test]
fn cells_about_few_or_of_one_are_absent_and_the_others_are_rounded_and_say_so() {
    let city = trading();
    let sql = "SELECT sector, district, COUNT(*) AS firms, SUM(turnover) AS turnover, AVG(turnover) AS mean FROM firms \
               GROUP BY sector, district";
    let answer = ask(&city, sql);
    let columns: Vec<_> = answer["columns"].as_array().unwrap().iter().map(|column| &column["rounding"]).collect();
    assert_eq!(columns, ["none", "none", "multiple of 5", "3 significant digits", "from rounded parts"]);
    let told = by_keys(&answer, 2);
    let mut absent = Vec::new();
    for (key, cell) in &cells() {
        let expected = [json!(cell.count()), json!(cell.sum()), json!(cell.mean())];
        let expected = cell.leaves(&[Told::Rows, Told::Values]).then_some(&expected[..]);
        assert_eq!(told.get(key).copied(), expected, "{key:?}");
        if expected.is_none() {
            absent.push(json!(key));
        }
    }
    // Four mills, and presses of which one makes most of the turnover.
    assert_eq!(absent, [json!(["mill", "nord"]), json!(["press", "nord"])]);
    assert_eq!(answer["keys_without_value"], json!(absent));
    // Where turnover is not told, nobody dominates: each firm is one row.
    let counted = ask(&city, "SELECT sector, district, COUNT(*) AS firms FROM firms GROUP BY sector, district");
    assert_eq!(by_keys(&counted, 2)[&vec!["press", "nord"]], [json!(15)]);
    assert_eq!(counted["keys_without_value"], json!([["mill", "nord"]]));
    // Enough workers, but of few firms.
    let trades = ask(&city, "SELECT trade, COUNT(*) AS workers FROM staff GROUP BY trade ORDER BY trade");
    assert_eq!(rows(&trades), [json!(["baker", 30]), json!(["mason", 30])]);
}

#[test]
fn a_total_that_would_uncover_a_cell_costs_another_one() {
    let city = trading();
    let grouped = |grouping: &str| {
        ask(&city, &format!("SELECT district, sector, COUNT(*) AS firms FROM firms GROUP BY {grouping}"))
    };
    let plain = grouped("district, sector");
    let plain = by_keys(&plain, 2);
    assert_eq!(plain.len(), 7, "alone, one cell is about too few: {plain:?}");
    let answer = grouped("ROLLUP (district, sector)");
    let told = by_keys(&answer, 2);
    assert!(!told.contains_key(&vec!["nord", "mill"]));
    let total = told.contains_key(&vec!["nord", "all"]);
    let missing: Vec<_> =
        cells().into_iter().filter(|(key, _)| key[1] == "nord" && !told.contains_key(&vec!["nord", key[0]])).collect();
    assert!(!total || missing.len() > 1, "the north's total less the others is the mills: {answer}");
    let together = Cell::together(missing.iter().map(|(_, cell)| cell));
    assert!(!total || together.leaves(&[Told::Rows]), "{answer}");
    // It costs the north a cell or its total, or both beside what was told before; and the south nothing.
    assert_eq!(told.keys().filter(|key| key[0] == "sud").count(), 5);
    assert!(told.keys().filter(|key| key[0] == "nord").count() >= 2, "{answer}");
    for (key, values) in told.iter().filter(|(key, _)| key[1] != "all") {
        assert_eq!(*values, plain[key], "a cell is the same with and without its total");
    }
}

#[test]
fn of_a_group_that_passes_a_part_that_fails_is_missing() {
    let city = trading();
    let parts = "SELECT sector, COUNT(*) AS firms, COUNT(*) FILTER (WHERE district = 'nord') AS north FROM firms \
                 GROUP BY sector ORDER BY sector";
    let told = ask(&city, parts);
    assert_eq!(
        rows(&told),
        [json!(["bakery", 40, 20]), json!(["forge", 30, 15]), json!(["mill", 25, null]), json!(["press", 25, 15])]
    );
    // The total less the south would be the north: both are not told.
    let south = ask(&city, &parts.replace("nord", "sud"));
    let mills = by_keys(&south, 1).get(&vec!["mill"]).map(|values| values.to_vec());
    assert!(mills.is_none_or(|values| values[1].is_null()), "{south}");
    assert_eq!(by_keys(&south, 1)[&vec!["bakery"]], [json!(40), json!(20)]);
    // What is sensitive is counted in each group, and decides of none: not one forge is insolvent, or one is.
    let insolvent = ask(
        &city,
        "SELECT sector, COUNT(*) FILTER (WHERE insolvent) AS insolvent FROM firms GROUP BY sector ORDER BY sector",
    );
    let sectors: Vec<&Value> = rows(&insolvent).iter().map(|row| &row[0]).collect();
    assert_eq!(sectors, ["bakery", "forge", "mill", "press"]);
    assert!(rows(&insolvent).iter().all(|row| row[1].as_i64().is_some_and(|count| count % 5 == 0)), "{insolvent}");
}

#[test]
fn a_stricter_policy_holds_from_the_next_question_on() {
    let city = trading();
    let sql = "SELECT sector, district, COUNT(*) AS firms FROM firms GROUP BY sector, district";
    assert_eq!(rows(&ask(&city, sql)).len(), 7);
    let stricter = format!("{POLICY}[cells]\nleast_subjects = 15\n");
    let declared = city.policy("firmes", &stricter).expect().json();
    assert!(declared["looser"].is_null(), "{declared}");
    let answer = ask(&city, sql);
    let told = by_keys(&answer, 2);
    for (key, cell) in &cells() {
        assert_eq!(told.contains_key(key), cell.leaves_with(15, &[Told::Rows]), "{key:?}: {answer}");
    }
    assert_eq!(told.len(), 4);
    // What may no longer be named is refused at once.
    let fewer: String =
        POLICY.lines().filter(|line| !line.contains("\"district\"")).map(|line| format!("{line}\n")).collect();
    city.policy("firmes", &fewer).expect();
    assert_eq!(city.objection("lena", "firmes", sql)["code"], "not_allowed");
}

#[test]
fn whatever_keeps_an_answer_back_the_refusal_is_one() {
    let city = trading();
    let few = "sector = 'mill' AND district = 'nord'";
    let nobody = "sector = 'mill' AND founded >= DATE '2024-01-01'";
    let giant = "sector = 'press' AND district = 'nord'";
    let ask = |condition: &str| {
        let sql = format!("SELECT SUM(turnover) AS turnover FROM firms WHERE {condition}");
        let body = json!({ "datasets": ["firmes"], "purpose": "research", "sql": sql }).to_string();
        let answer = city.curl_as("lena", &["--data", &body, &city.api("v1/queries")]).expect(200);
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let mut without_receipt = told.clone();
        without_receipt.as_object_mut().unwrap().remove("receipt");
        (without_receipt, answer.body.len())
    };
    let answers = [few, nobody, giant].map(ask);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let (told, bytes) = &answers[0];
    assert!(told["rows"].as_array().is_none_or(Vec::is_empty), "{told}");
    assert!(bytes.is_power_of_two());
    assert_eq!(rows(&city.ask("lena", "firmes", "SELECT SUM(turnover) t FROM firms WHERE sector = 'forge'")).len(), 1);
}

/// The mills of the south are 19, all mills 23: the second answer would tell of four.
#[test]
fn what_earlier_answers_keep_back_is_told_with_noise_once_paid_for_where_the_steward_says_so() {
    let city = trading();
    city.policy("firmes", &format!("{POLICY}[noise]\nuse = \"instead-of-refusal\"\norganisation = 600\n")).expect();
    let mills = |more: &str| format!("SELECT COUNT(DISTINCT firm) AS firms FROM firms WHERE sector = 'mill'{more}");
    let south = ask(&city, &mills(" AND district = 'sud'"));
    assert_eq!((rows(&south), &south["noise"]), (&[json!([20])][..], &Value::Null));
    let cost = city.query("lena", &["--dataset", "firmes", "--purpose", "research", "--cost", &mills("")]).expect().out;
    assert!(cost.contains("0.5 of the privacy budget"), "{cost}");

    let receipt = city.beside("noise.json");
    let words = ["--dataset", "firmes", "--purpose", "research", "--receipt", receipt.to_str().unwrap(), "--json"];
    let noisy = city.query("lena", &[&words[..], &[&mills("")]].concat()).expect().json();
    assert_eq!(noisy["noise"], json!({ "epsilon_thousandths": 500, "values": [[0, 0]] }));
    let deviation = noisy["columns"][0]["noise_deviation"].as_f64().unwrap();
    assert!((8.0..9.0).contains(&deviation), "{deviation}");
    assert!((rows(&noisy)[0][0].as_f64().unwrap() - 23.0).abs() < 9.0 * deviation, "{noisy}");
    let checkpoint = city.file("checkpoint", city.curl(&[&city.public("log/checkpoint")]).expect(200).body);
    let words = ["verify", receipt.to_str().unwrap(), "--checkpoint", checkpoint.to_str().unwrap()];
    assert!(city.octroi("lena", &words).expect().out.contains("epsilon 0.5"));

    // The same question costs nothing and is answered the same; another one costs more than is left.
    let again = ask(&city, &mills(""));
    assert_eq!((rows(&again), &again["noise"]), (rows(&noisy), &noisy["noise"]));
    let more = format!("{} OR sector = 'bakery'", mills(""));
    assert!(!rows(&ask(&city, &more)).is_empty(), "what needs no noise is answered as before");
    let other = ask(&city, "SELECT COUNT(*) AS firms FROM firms WHERE sector = 'mill'");
    assert!(other["rows"].as_array().is_none_or(Vec::is_empty), "{other}");
    // For eyes, what has noise is marked.
    let shown = city.query("lena", &["--dataset", "firmes", "--purpose", "research", &mills("")]).expect().out;
    assert!(shown.contains('~') && shown.contains("standard deviation: firms 8."), "{shown}");
}

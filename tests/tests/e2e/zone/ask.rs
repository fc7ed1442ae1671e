//! A researcher asks.

use std::collections::BTreeMap;

use octroi_tests::{
    Declared,
    disclosure::{Cell, Told},
    python, rows,
};
use serde_json::{Value, json};

use super::{COUNTED, POLICY, metered, meters};

const BY_DISTRICT: &str =
    "SELECT district, COUNT(*) AS n, SUM(wh) AS wh FROM meters GROUP BY district ORDER BY district";

/// What the same question gives on the rows themselves.
fn expected() -> Vec<Value> {
    let mut cells = BTreeMap::<String, Cell>::new();
    for line in meters().lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        cells.entry(fields[1].to_owned()).or_default().add(&[fields[0]], fields[3].parse().ok());
    }
    cells.retain(|_, cell| cell.leaves(&[Told::Rows, Told::Values]));
    cells.into_iter().map(|(key, cell)| json!([key, cell.count(), cell.sum()])).collect()
}

#[test]
fn a_question_is_answered_with_what_is_about_enough_people() {
    let city = metered(&[]);
    let answer = city.ask("lena", "energie", BY_DISTRICT);
    assert_eq!(rows(&answer), expected());
    let names: Vec<&str> =
        answer["columns"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["district", "n", "wh"]);
    // Five households in the south, six in the west and none in the east look alike.
    assert_eq!(answer["keys_without_value"], json!([["est"], ["ouest"], ["sud"]]));

    // What only a few are about does not come out by HAVING, ORDER BY or LIMIT either.
    let top =
        city.ask("lena", "energie", "SELECT district, AVG(wh) a FROM meters GROUP BY district ORDER BY a DESC LIMIT 1");
    assert_eq!(rows(&top)[0][0], "nord");
    let few = "SELECT COUNT(*) n FROM meters WHERE district = 'sud'";
    let none = "SELECT COUNT(*) n FROM meters WHERE district = 'est'";
    let (few, none) = (city.ask("lena", "energie", few), city.ask("lena", "energie", none));
    assert_eq!(few["verdict"], none["verdict"]);
    assert_eq!(few["rows"], none["rows"]);
    assert!(few["rows"].as_array().is_none_or(Vec::is_empty), "{few}");

    // What is wrong with the question itself is said at once, and says nothing of data.
    for (sql, words) in [
        ("SELECT wh FROM meters", "aggregate"),
        ("SELECT nothing FROM meters", "nothing"),
        ("SELECT COUNT(*) FROM nowhere", "nowhere"),
        ("SELEC 1", "SQL"),
        ("SELECT tenant, COUNT(*) FROM meters GROUP BY tenant", "tenant"),
        ("SELECT MAX(wh) FROM meters", "max"),
        ("COPY meters TO '/tmp/x'", "SELECT"),
        ("EXPLAIN SELECT COUNT(*) FROM meters", "SELECT"),
    ] {
        let said = city.query("lena", &["--dataset", "energie", "--purpose", "research", sql]);
        assert!(!said.ok, "{sql} was answered: {}", said.out);
        assert!(said.err.to_lowercase().contains(&words.to_lowercase()), "{sql}: {}", said.err);
    }
    // What follows the cells fails on no value of theirs.
    let nought = city.ask("lena", "energie", "SELECT COUNT(*) / (COUNT(*) - COUNT(*)) q FROM meters");
    assert_eq!(rows(&nought), [json!([null])]);
}

#[test]
fn without_a_live_grant_and_its_purpose_nothing_runs() {
    let city = metered(&[]);
    city.onboard("paul", "universite-lyon", "researcher");
    let words = |purpose| ["--dataset", "energie", "--purpose", purpose, BY_DISTRICT];
    city.query("paul", &words("research")).refused("policy");
    city.query("operator", &words("research")).refused("policy");
    city.query("lena", &words("advertising")).refused("purpose");
    let grant = city.let_ask("paul", "energie");
    city.query("paul", &words("research")).expect();
    city.octroi("claire", &["grant", "revoke", &grant, "--reason", "end of study"]).expect();
    city.query("paul", &words("research")).refused("policy");
    // A dataset that one may not know of and one that is not there look alike.
    let absent = city.query("lena", &["--dataset", "absent", "--purpose", "research", BY_DISTRICT]);
    assert!(!absent.ok);
}

#[test]
fn many_questions_run_over_one_connection_and_by_every_way_in() {
    let city = metered(&[]);
    let lines: String = [BY_DISTRICT, "SELEC", "SELECT COUNT(*) n FROM meters"]
        .iter()
        .map(|sql| format!("{}\n", json!({ "sql": sql })))
        .collect();
    let file = city.file("batch.jsonl", lines);
    let batch = city
        .query("lena", &["--dataset", "energie", "--purpose", "research", "--json", "--batch", file.to_str().unwrap()]);
    let answers = batch.json_lines();
    assert_eq!(answers.len(), 3, "{batch:?}");
    assert_eq!(rows(&answers[0]), expected());
    assert!(answers[1]["verdict"] != "released", "{}", answers[1]);
    assert_eq!(rows(&answers[2]), [json!([COUNTED])]);

    let body = json!({ "datasets": ["energie"], "purpose": "research", "sql": BY_DISTRICT }).to_string();
    let https = city.curl_as("lena", &["--data", &body, &city.api("v1/queries")]).expect(200);
    assert!(https.body.len().is_power_of_two() && https.body.len() >= 4_096, "{}", https.body.len());
    let answer: Value = serde_json::from_slice(&https.body).unwrap();
    assert_eq!(answer["verdict"], "released", "{answer}");

    let (ca, certificate, key) =
        (city.authority(), city.identity("lena", "certificate.pem"), city.identity("lena", "key.pem"));
    let port = city.ports()[1].to_string();
    let said = python("asker.py", &[&port, ca.to_str().unwrap(), certificate.to_str().unwrap(), key.to_str().unwrap()]);
    assert!(said.expect().out.contains("all seen"));
}

#[test]
fn tables_of_several_datasets_are_joined_where_grants_for_all_exist() {
    let city = metered(&[]);
    let dwellings = Declared {
        name: "dwellings",
        columns: &[("household", "string", ""), ("heating", "string", ", domain = [\"gas\", \"wood\"]")],
        subjects: &["household"],
    };
    city.sensitive("logement", "vm", &[dwellings]);
    city.policy("logement", DWELLINGS).expect();
    // Each reading is of one household, and that of one dwelling: so their steward says.
    let leads = "role = \"join-key\", to = [\"logement/dwellings\"]";
    city.policy("energie", &POLICY.replacen("role = \"identifier\"", leads, 1)).expect();
    let mut csv = "household,heating\n".to_owned();
    for household in 0..46 {
        csv += &format!("h{household},{}\n", if household % 2 == 0 { "gas" } else { "wood" });
    }
    let file = city.file("dwellings.csv", csv);
    city.load("logement", "dwellings", &file, &[]).expect();
    let sql = "SELECT d.heating, COUNT(*) n FROM meters m JOIN \"logement\".\"dwellings\" d ON m.household = d.household \
               GROUP BY d.heating ORDER BY d.heating";
    let words = ["--dataset", "energie", "--dataset", "logement", "--purpose", "research", "--json", sql];
    city.query("lena", &words).refused("policy");
    city.let_ask("lena", "logement");
    let answer = city.query("lena", &words).expect().json();
    // 23 households of each, four readings a household: 92.
    assert_eq!(rows(&answer), [json!(["gas", 90]), json!(["wood", 90])]);
}

/// What may leave of the dwellings.
const DWELLINGS: &str = r#"
[[tables]]
name = "dwellings"
units = [{ column = "household", space = "household" }]
columns = [
  { name = "household", role = "identifier" },
  { name = "heating", role = "dimension" },
]
"#;

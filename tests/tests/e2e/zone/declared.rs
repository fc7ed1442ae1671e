//! What a steward declares of a table holds for whoever asks it, and for good where it hides.

use octroi_tests::{Declared, rows};
use serde_json::{Value, json};

use super::{COUNTED, METERS, POLICY, metered};

/// What a question is refused with, at once.
fn refusal(city: &octroi_tests::City, sql: &str) -> Value {
    let said = city.query("lena", &["--dataset", "energie", "--purpose", "research", "--json", sql]);
    let told = said.json();
    assert_eq!(told["verdict"], "refused", "{told}");
    told["refusal"].clone()
}

#[test]
fn a_column_hidden_after_its_load_is_as_if_absent_and_its_key_is_given_no_more() {
    let city = metered(&[]);
    let total = "SELECT COUNT(*) n FROM meters";
    let by_month = "SELECT month, COUNT(*) n FROM meters GROUP BY month ORDER BY month";
    assert_eq!(rows(&city.ask("lena", "energie", total)), [json!([COUNTED])]);
    assert!(!rows(&city.ask("lena", "energie", by_month)).is_empty());
    let mark = city.data().join("keys/hidden/energie/meters.month");
    assert!(!mark.exists());

    let hidden = [
        METERS.columns[0],
        METERS.columns[1],
        ("month", "integer", ", hidden = true, domain = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]"),
        METERS.columns[3],
        METERS.columns[4],
    ];
    let hiding = Declared { columns: &hidden, ..METERS };
    // What the register refuses hides nothing: neither what a policy speaks of, nor with another column left out.
    city.declare("energie", "vm", &[hiding]).refused("tables[meters].columns[month]");
    city.policy("energie", &without(POLICY, "month")).expect();
    city.declare("energie", "vm", &[Declared { columns: &hidden[..4], ..METERS }]).refused("must stay");
    assert!(!mark.exists());
    city.declare("energie", "vm", &[hiding]).expect();
    assert!(mark.exists(), "the key process knows of it");
    for shape in ["SELECT NAME, COUNT(*) FROM meters GROUP BY NAME", "SELECT AVG(wh) FROM meters WHERE NAME = 1"] {
        let [there, since, absent] = ["tenant", "month", "secret"].map(|name| {
            let refusal = refusal(&city, &shape.replace("NAME", name));
            assert_eq!(refusal["code"], "unknown_column", "{refusal}");
            refusal["text"].as_str().unwrap().replace(name, "NAME")
        });
        assert_eq!(there, absent);
        assert_eq!(since, absent);
    }
    assert_eq!(rows(&city.ask("lena", "energie", total)), [json!([COUNTED])], "what was told is told again");
    city.declare("energie", "vm", &[METERS]).refused("must stay");
}

#[test]
fn a_table_about_nobody_says_so_or_is_refused() {
    let city = metered(&[]);
    let columns = &[("day", "date", ""), ("celsius", "float", "")];
    let weather = Declared { name: "weather", columns, subjects: &[] };
    let unsaid = "[[tables]]\nname = \"weather\"\ncolumns = [{ name = \"day\", type = \"date\" }]\n";
    let file = city.file("unsaid.toml", unsaid);
    city.octroi("claire", &["dataset", "schema", "energie", file.to_str().unwrap()]).refused("public = true");

    city.declare("energie", "vm", &[METERS, weather]).expect();
    city.policy("energie", &format!("{POLICY}{WEATHER}")).expect();
    // Ten days, of which two are of no year that there is.
    let mut csv = "day,celsius\n0000-01-01,1.5\n".to_owned();
    for day in 1..=8 {
        csv += &format!("2025-01-0{day},{day}.5\n");
    }
    csv += "0000-12-31,1.5\n";
    let file = city.file("weather.csv", csv);
    let report = city.load("energie", "weather", &file, &[]).expect().json();
    assert_eq!((&report["rows"], &report["bad_by_rule"]["type"]), (&json!(8), &json!(2)), "{report}");
    let answer = city.ask("lena", "energie", "SELECT COUNT(*) n, AVG(celsius) c FROM weather");
    assert_eq!(rows(&answer), [json!([8, 5.0])]);
    let one = city.ask("lena", "energie", "SELECT COUNT(*) n FROM weather WHERE day = DATE '2025-01-03'");
    assert_eq!(rows(&one), [json!([1])], "no rule protects a day");
}

/// A policy without a column's line.
fn without(policy: &str, column: &str) -> String {
    let named = format!("name = {column:?}");
    policy.lines().filter(|line| !line.contains(&named)).map(|line| format!("{line}\n")).collect()
}

/// What may be asked of the weather.
const WEATHER: &str = r#"
[[tables]]
name = "weather"
columns = [
  { name = "day", role = "dimension", calendar = { from = "2025-01-01", to = "2025-02-01", period = "day" } },
  { name = "celsius", role = "measure" },
]
"#;

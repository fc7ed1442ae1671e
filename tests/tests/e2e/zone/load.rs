//! A steward loads; nobody else ever sees a row.

use octroi_tests::{City, contains, files_below};
use serde_json::json;

use super::{COUNT, COUNTED, METERS, POLICY, metered, meters};

#[test]
fn rows_come_in_as_csv_and_json_lines_and_bad_ones_are_counted_not_shown() {
    let city = City::asking(&[]);
    city.sensitive("energie", "vm", &[METERS]);
    let good = meters();
    let bad = "h99,centre,many,5,Zorglub-bad\nh99,atlantis,1,5,Zorglub-bad\n,centre,1,5,Zorglub-bad\nh99,centre\n";
    let file = city.file("meters.csv", format!("{good}{bad}"));
    let report = city.load("energie", "meters", &file, &[]).expect();
    assert!(!report.out.contains("Zorglub") && !report.out.contains("atlantis"), "{}", report.out);
    let report = report.json();
    assert_eq!((&report["rows"], &report["bad_rows"]), (&json!(184), &json!(4)), "{report}");
    assert_eq!(report["bad_by_rule"]["type"], 1, "{report}");
    assert_eq!(report["bad_by_rule"]["domain"], 1, "{report}");

    let lines: String = (100..120)
        .map(|n| format!("{}\n", json!({ "household": format!("h{n}"), "district": "est", "month": 1, "wh": 7 })))
        .collect();
    let file = city.file("meters.jsonl", lines);
    let report = city.load("energie", "meters", &file, &["--format", "jsonl"]).expect().json();
    assert_eq!((&report["rows"], &report["version"]), (&json!(20), &json!(2)), "{report}");
    city.policy("energie", POLICY).expect();
    city.let_ask("lena", "energie");
    let answer =
        city.ask("lena", "energie", "SELECT district, COUNT(*) n FROM meters GROUP BY district ORDER BY district");
    assert_eq!(answer["rows"], json!([["centre", 80], ["est", 20], ["nord", 60]]), "{answer}");

    // Replaced, the old rows are gone, and their keys and files with them.
    let tables = city.data().join("objects/tables/energie");
    assert_eq!(files_below(&tables).len(), 2);
    let file = city.file("meters.csv", good);
    city.load("energie", "meters", &file, &["--replace"]).expect();
    assert_eq!(files_below(&tables).len(), 1);
    let answer = city.ask("lena", "energie", COUNT);
    assert_eq!(answer["rows"], json!([[COUNTED]]));

    // What is not what it says it is.
    let file = city.file("not.csv", [0_u8, 159, 146, 150, 10, 10]);
    city.load("energie", "meters", &file, &[]).refused("");
    city.octroi("lena", &["dataset", "load", "energie", "meters", file.to_str().unwrap()]).refused("policy");
}

#[test]
fn planted_rows_are_in_no_file_no_log_and_not_in_the_memory_of_serve() {
    let mut city = metered(&[("log", "level", "\"trace\"")]);
    city.ask("lena", "energie", "SELECT district, COUNT(*) n FROM meters WHERE month < 4 GROUP BY district");
    let pid = city.serving().pid();
    let core = core_image(pid);
    assert!(core.len() > 1 << 20, "a core image of {} bytes is none", core.len());
    // Something that serve does hold, so that a core that shows nothing at all is noticed.
    assert!(contains(&core, b"universite-bourgogne"));
    assert!(city.stop().success());
    for planted in ["Zorglub-17", "h17,centre"] {
        assert!(!contains(&core, planted.as_bytes()), "the memory of serve holds {planted}");
        assert!(!contains(city.log().as_bytes(), planted.as_bytes()), "the log holds {planted}");
        for (path, bytes) in files_below(&city.data()) {
            assert!(!contains(&bytes, planted.as_bytes()), "{} holds {planted}", path.display());
        }
    }
}

/// Everything a process has in memory, through /proc: root may, though the process forbids dumps to others.
fn core_image(pid: u32) -> Vec<u8> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("a running process");
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).expect("root may read it");
    let mut image = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).expect("hexadecimal"));
        if memory.seek(SeekFrom::Start(from)).is_ok() {
            let _holes = (&mut memory).take(to - from).read_to_end(&mut image);
        }
    }
    image
}

//! A guest that lies, floods or hangs ends its own question, and nothing else.

use std::time::{Duration, Instant};

use octroi_tests::{City, hostile_image};
use serde_json::json;

use super::{meters, stock};

/// Loads with the real guest, then asks with the hostile one, approved like it.
fn taken_over() -> City {
    let mut city = City::asking(&[]);
    stock(&city);
    assert!(city.stop().success());
    let image = format!("{:?}", hostile_image());
    city.set(&[("zone", "image", &image), ("zone", "query_seconds", "5")]);
    city.serve();
    city.approve();
    city
}

#[test]
fn whatever_it_sends_the_asker_learns_one_constant_refusal() {
    let mut city = taken_over();
    let mut refusals = Vec::new();
    for trick in [
        "hang",
        "flood",
        "length",
        "torn",
        "garbage",
        "early",
        "hidden",
        "foreign",
        "reject",
        "twice",
        "large",
        "ragged",
        "clear",
        "forged",
        "elsewhere",
        "skips",
        "cause",
        "end",
        // Behind it nothing is released any more, in the same words.
        "unkept",
        "large",
    ] {
        let begun = Instant::now();
        let answer = city.ask("lena", "energie", trick);
        assert!(begun.elapsed() < Duration::from_secs(30), "{trick} took {:?}", begun.elapsed());
        assert_eq!(answer["verdict"], "refused", "{trick}: {answer}");
        assert!(!answer.to_string().contains("Zorglub") && !answer.to_string().contains("42"), "{trick}: {answer}");
        refusals.push((trick, answer["refusal"].clone()));
    }
    let (_, first) = &refusals[0];
    assert_eq!(first["code"], "not_released");
    for (trick, refusal) in &refusals {
        assert_eq!(refusal, first, "{trick} is told apart");
    }
    // The gateway is well, and has not grown by what was thrown at it.
    assert_eq!(city.health("health").status, 200);
    let pid = city.serving().pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 400 * 1_024, "{peak} kB");
    assert!(!city.log().contains("Zorglub"));
}

#[test]
fn a_load_that_lies_changes_nothing() {
    let city = taken_over();
    let file = city.file("more.csv", meters());
    assert!(!city.load("energie", "meters", &file, &[]).ok);
    let listed = octroi_tests::files_below(&city.data().join("objects/tables/energie"));
    assert_eq!(listed.len(), 1, "{}", json!(listed.iter().map(|(path, _)| path).collect::<Vec<_>>()));
}

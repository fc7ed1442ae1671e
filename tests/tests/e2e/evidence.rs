//! The evidence log: exported, verified offline, watched.

use std::{fs, time::Duration};

use octroi_tests::{City, wait_until};

fn city() -> City {
    let city = City::start(&[]);
    city.staff();
    city.onboard("audrey", "cour-des-comptes", "auditor");
    city.dataset("counters", "public", "");
    city
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

/// Exports an entry together with the checkpoint that its proof leads to.
fn exported(city: &City, id: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let (entry, checkpoint) = (city.beside("entry.json"), city.beside("checkpoint"));
    wait_until("a checkpoint over the entry", Duration::from_secs(10), || {
        city.octroi("audrey", &["evidence", "export", id, "--out", text(&entry)]).ok
            && city.octroi("audrey", &["evidence", "checkpoint", "--out", text(&checkpoint)]).ok
            && city.octroi("audrey", &["verify", text(&entry), "--checkpoint", text(&checkpoint)]).ok
    });
    (entry, checkpoint)
}

#[test]
fn an_exported_entry_verifies_offline_and_no_altered_byte_does() {
    let mut city = city();
    let (entry, checkpoint) = exported(&city, "5");
    assert!(city.stop().success());
    let verify = ["verify", text(&entry), "--checkpoint", text(&checkpoint)];
    city.octroi("audrey", &verify).expect();
    city.plain(&verify).refused("key");
    for file in [&entry, &checkpoint] {
        let good = fs::read(file).unwrap();
        let step = (good.len() / 40).max(1);
        for at in (0..good.len()).step_by(step).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(file, &bad).unwrap();
            let said = city.octroi("audrey", &verify);
            assert!(!said.ok, "byte {at} of {} may be altered", file.display());
        }
        fs::write(file, &good[..good.len() - 1]).unwrap();
        city.octroi("audrey", &verify).refused("");
        fs::write(file, &good).unwrap();
    }
    city.octroi("audrey", &verify).expect();
}

#[test]
fn entries_are_for_auditors_and_tiles_are_for_everyone() {
    let city = city();
    for who in ["claire", "marc", "operator"] {
        city.octroi(who, &["evidence", "list"]).refused("policy");
        city.octroi(who, &["evidence", "export", "0", "--out", text(&city.beside("x"))]).refused("policy");
    }
    let entries = city.octroi("audrey", &["evidence", "list", "--json"]).expect().json_lines();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    for action in ["AddPrincipal", "ApprovePrincipal", "RegisterDataset", "PublishDataset"] {
        assert!(actions.iter().any(|it| it == action), "{action} is not in {actions:?}");
    }
    assert!(
        entries
            .iter()
            .enumerate()
            .all(|(index, entry)| entry["sequence"] == index || (index == 0 && entry.get("sequence").is_none()))
    );
    wait_until("a checkpoint", Duration::from_secs(10), || city.curl(&[&city.public("log/checkpoint")]).status == 200);
    let checkpoint = city.curl(&[&city.public("log/checkpoint")]).text();
    let size: u64 = checkpoint.lines().nth(1).unwrap().parse().unwrap();
    let tile = city.curl(&[&city.public(&format!("log/tile/0/000.p/{size}"))]).expect(200);
    assert_eq!(tile.body.len() as u64, size * 32);
    for bad in ["0/000", "0/0", "9/000", "0/000.p/256", "0/x000/000", "entries/000.p/0", "0/000.p/9999"] {
        city.curl(&[&city.public(&format!("log/tile/{bad}"))]).expect(404);
    }
}

#[test]
fn a_monitor_sees_the_log_grow_and_notices_another_history() {
    let city = city();
    let state = city.beside("monitor");
    wait_until("a checkpoint", Duration::from_secs(10), || city.curl(&[&city.public("log/checkpoint")]).status == 200);
    city.octroi("audrey", &["evidence", "monitor", "--state", text(&state)]).expect();
    let first = fs::read_to_string(&state).unwrap();
    city.dataset("more", "public", "");
    wait_until("growth", Duration::from_secs(10), || {
        city.octroi("audrey", &["evidence", "monitor", "--state", text(&state)]).expect();
        fs::read_to_string(&state).unwrap() != first
    });
    // Another gateway's log is another history.
    let other = City::start(&[]);
    wait_until("a checkpoint", Duration::from_secs(10), || {
        other.curl(&[&other.public("log/checkpoint")]).status == 200
    });
    fs::write(&state, other.curl(&[&other.public("log/checkpoint")]).text()).unwrap();
    city.octroi("audrey", &["evidence", "monitor", "--state", text(&state)]).refused("");
}

#[test]
fn refusals_of_members_and_downloads_are_evidence() {
    let city = city();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    city.put("claire", "climate", "a.csv", "1,2,3").expect();
    city.octroi("voltaic", &["object", "get", "climate", "a.csv"]).refused("policy");
    city.lend("voltaic", "climate", &["fetch"], "2027-06-30T00:00:00Z");
    let out = city.beside("a.csv");
    city.octroi("voltaic", &["object", "get", "climate", "a.csv", "--out", text(&out)]).expect();
    let mut entries = Vec::new();
    wait_until("the end of the download in the evidence", Duration::from_secs(5), || {
        entries = city.octroi("audrey", &["evidence", "list", "--json"]).expect().json_lines();
        entries.iter().any(|entry| entry.get("fetch_ended").is_some())
    });
    let refused = entries.iter().find(|entry| entry.get("refused").is_some()).expect("a refusal");
    assert_eq!((&refused["actor"]["principal"], &refused["action"]), (&"voltaic".into(), &"FetchObject".into()));
    let started = entries.iter().find(|entry| entry.get("fetch_started").is_some()).expect("a start");
    assert!(!started["policies"].as_array().unwrap().is_empty() && started["fetch_started"]["grant"].is_string());
    let ended = entries.iter().find_map(|entry| entry.get("fetch_ended")).unwrap();
    assert_eq!((&ended["outcome"], &ended["bytes"]), (&"complete".into(), &5.into()));
}

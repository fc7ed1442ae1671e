//! Disks that fill up and processes that are killed.

use std::{path::Path, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use octroi_tests::{City, files_below, rows, wait_until};
use serde_json::json;

use super::{COUNT, COUNTED, descendants, limits::Asking, machines, metered, meters, stock};

fn zone_host(city: &mut City) -> i32 {
    let serve = city.serving().pid();
    let is_host = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"zone-host")
    };
    descendants(serve).into_iter().find(is_host).expect("serve started it")
}

/// Kills the zone host where it stands; serve says so and ends, nothing of it stays, and all is well after a start.
fn lose_the_zone_host(city: &mut City) {
    let host = zone_host(city);
    let family = descendants(u32::try_from(host).unwrap());
    kill(Pid::from_raw(host), Signal::SIGKILL).unwrap();
    assert!(!city.serving().wait().success());
    assert!(city.log().contains("the zone host has ended"), "{}", city.log());
    wait_until("its machines to die with it", Duration::from_secs(10), || {
        !family.iter().any(|pid| Path::new(&format!("/proc/{pid}/exe")).exists())
    });
    city.serve();
}

#[test]
fn a_zone_host_that_is_killed_takes_its_machines_along_and_nothing_else() {
    let mut city =
        metered(&[("zone", "at_once", "1"), ("zone", "backends", "[\"vm\"]"), ("zone", "query_seconds", "300")]);
    wait_until("one machine to wait", Duration::from_secs(60), || machines(&mut city).len() == 1);
    let (held, _) = Asking::hold(&mut city, "lena");
    lose_the_zone_host(&mut city);
    assert!(!held.released(), "a question in a lost zone has no answer");
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)), [json!([COUNTED])]);

    // In the middle of a load, while its zone has it.
    let tables = city.data().join("objects/tables/energie");
    let marks = city.data().join("state/loads/marks");
    let kept = files_below(&tables);
    let file = city.file("more.csv", meters().repeat(200).replace("household,district,month,wh,tenant\n", ""));
    let loaded = thread::scope(|scope| {
        let city_of_loader = &city;
        let loading = scope.spawn(move || city_of_loader.load("energie", "meters", &file, &[]));
        wait_until("the load to be marked", Duration::from_secs(60), || {
            marks.read_dir().is_ok_and(|it| it.count() > 0)
        });
        // Killed by its number: the harness's own handle is the loader's meanwhile.
        let serve = city_of_loader.serve_pid();
        let hosts = descendants(serve).into_iter().filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().windows(9).any(|it| it == b"zone-host")
        });
        for host in hosts {
            kill(Pid::from_raw(host), Signal::SIGKILL).unwrap();
        }
        loading.join().unwrap()
    });
    assert!(!loaded.ok, "{}", loaded.out);
    city.serving().wait();
    city.serve();
    wait_until("what was left to be undone", Duration::from_secs(10), || files_below(&marks).is_empty());
    assert_eq!(files_below(&tables), kept);
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)), [json!([COUNTED])]);
}

#[test]
fn on_a_full_disk_nothing_is_answered_and_all_is_well_when_there_is_room_again() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let mut city = City::asking_on(96 << 20, &[]);
    stock(&city);
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)), [json!([COUNTED])]);
    let ballast = city.data().join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    let full = std::io::copy(&mut std::io::repeat(7), &mut file).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let words = ["--dataset", "energie", "--purpose", "research", "--json", COUNT];
    // What is under way may still find room in a block that is begun; soon nothing does.
    wait_until("answers to stop", Duration::from_secs(30), || {
        let said = city.query("lena", &words);
        let plain = ["evidence", "internal", "inside the gateway"].iter().any(|word| said.err.contains(word));
        assert!(said.ok || plain, "{}", said.err);
        !said.ok
    });
    // What needs no evidence goes on.
    assert_eq!(city.health("health").status, 200);
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    let said = city.query("lena", &words);
    if !said.ok {
        assert!(city.stop().success());
        city.serve();
    }
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)), [json!([COUNTED])]);
    city.plain(&["registry", "check", "--config", city.config().to_str().unwrap()]);
}

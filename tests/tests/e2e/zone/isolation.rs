//! What is not approved gets no key; what breaks is made anew; what is refused is refused by name.

use std::time::Duration;

use octroi_tests::{City, rows, wait_until, zone_image};

use super::{COUNT, COUNTED, METERS, POLICY, comm, descendants, is_machine, machines, metered, meters};

#[test]
fn a_launch_that_is_not_approved_gets_no_key() {
    let city = metered(&[]);
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)).len(), 1);
    let approved = city.data().join("zone/approved.toml");
    let kept = std::fs::read(&approved).unwrap();
    std::fs::write(&approved, "").unwrap();
    let refused = city.ask("lena", "energie", COUNT);
    assert_eq!(refused["verdict"], "refused", "{refused}");
    std::fs::write(&approved, kept).unwrap();
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)).len(), 1);
}

#[test]
fn an_image_of_benchmarks_is_never_approved_and_so_gets_no_key() {
    let mut city = City::init(&[]);
    let image = city.beside("bench-image");
    std::fs::create_dir(&image).unwrap();
    for part in ["vmlinuz", "initramfs.cpio"] {
        std::os::unix::fs::symlink(zone_image().join(part), image.join(part)).unwrap();
    }
    let line = std::fs::read_to_string(zone_image().join("cmdline")).unwrap();
    std::fs::write(image.join("cmdline"), format!("{} octroi.bench", line.trim_end())).unwrap();
    city.set(&[("zone", "start", "true"), ("zone", "image", &format!("{image:?}"))]);
    city.serve();
    let config = city.config();
    let words = ["zone", "approve", "--config", config.to_str().unwrap(), "--by", "operator"];
    city.plain(&words).refused("for benchmarks only");
    let approved = std::fs::read_to_string(city.data().join("zone/approved.toml")).unwrap_or_default();
    assert!(!approved.contains("image"), "{approved}");
    let said = city.plain(&["zone", "inspect", "--config", config.to_str().unwrap()]).expect().out;
    assert!(said.contains("bench"), "{said}");
}

#[test]
fn what_runs_can_be_inspected() {
    let city = City::asking(&[]);
    let config = city.config();
    let said = city.plain(&["zone", "inspect", "--config", config.to_str().unwrap()]).expect().out;
    for words in ["host-signed", "kernel", "initramfs", "image", "template"] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

#[test]
fn killed_machines_are_made_anew() {
    let mut city = metered(&[]);
    for _ in 0..3 {
        let machines = machines(&mut city);
        assert!(!machines.is_empty());
        for pid in machines {
            let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        wait_until("an answer", Duration::from_secs(60), || {
            city.ask("lena", "energie", COUNT)["verdict"] == "released"
        });
    }
}

#[test]
fn the_process_sandbox_must_be_chosen_by_name_and_is_refused_where_a_machine_is_demanded() {
    let city = metered(&[]);
    let words = |dataset, sql| ["--dataset", dataset, "--purpose", "research", "--backend", "process", "--json", sql];
    city.query("lena", &words("energie", COUNT)).refused("vm");
    city.sensitive("energie-process", "process", &[METERS]);
    let file = city.file("meters.csv", meters());
    city.load("energie-process", "meters", &file, &[]).expect();
    city.policy("energie-process", POLICY).expect();
    city.let_ask("lena", "energie-process");
    let receipt = city.beside("receipt.json");
    let mut all = words("energie-process", COUNT).to_vec();
    all.extend(["--receipt", receipt.to_str().unwrap()]);
    let answer = city.query("lena", &all).expect().json();
    assert_eq!(rows(&answer)[0][0], COUNTED);
    let checkpoint = city.beside("checkpoint");
    std::fs::write(&checkpoint, city.curl(&[&city.public("log/checkpoint")]).expect(200).body).unwrap();
    let verify = ["verify", receipt.to_str().unwrap(), "--checkpoint", checkpoint.to_str().unwrap()];
    let said = city.octroi("lena", &verify).expect().out;
    assert!(said.lines().any(|line| line.contains("backend") && line.contains("process")), "{said}");
}

#[test]
fn three_hundred_questions_leave_nothing_behind() {
    let mut city = metered(&[("zone", "waiting", "2")]);
    let lines: String = (0..10).map(|_| format!("{}\n", serde_json::json!({ "sql": COUNT }))).collect();
    let file = city.file("batch.jsonl", lines);
    let words = ["--dataset", "energie", "--purpose", "research", "--json", "--batch", file.to_str().unwrap()];
    let run = |city: &City, times: usize| {
        for _ in 0..times {
            let answers = city.query("lena", &words).expect().json_lines();
            assert!(answers.iter().all(|answer| answer["verdict"] == "released"), "{answers:?}");
        }
    };
    run(&city, 3);
    let before = Held::by(&mut city);
    run(&city, 27);
    wait_until("the machines to be cleared away", Duration::from_secs(30), || {
        Held::by(&mut city).machines <= before.machines
    });
    let after = Held::by(&mut city);
    assert!(after.descriptors <= before.descriptors + 4, "{before:?} became {after:?}");
    assert!(after.files <= before.files, "{before:?} became {after:?}");
    assert!(after.kilobytes < before.kilobytes + 32 * 1_024, "{before:?} became {after:?}");
}

/// What serve and all its children hold.
#[derive(Debug)]
struct Held {
    machines: usize,
    descriptors: usize,
    kilobytes: u64,
    files: usize,
}

impl Held {
    fn by(city: &mut City) -> Self {
        let machines = machines(city).len();
        let family: Vec<i32> = descendants(city.serving().pid())
            .into_iter()
            .filter(|pid| !is_machine(*pid) && comm(*pid) == "octroi")
            .collect();
        let descriptors = family.iter().map(|pid| entries(&format!("/proc/{pid}/fd"))).sum();
        let kilobytes = family.iter().map(|pid| resident(*pid)).sum();
        let files = octroi_tests::files_below(&city.data().join("zone")).len();
        Self { machines, descriptors, kilobytes, files }
    }
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).map(Iterator::count).unwrap_or_default()
}

fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

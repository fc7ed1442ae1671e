//! SIGKILL at random points under load: what was acknowledged is there.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use octroi_tests::{City, description};

/// What the gateway acknowledged, by name.
#[derive(Default)]
struct Acknowledged {
    datasets: Vec<String>,
    objects: BTreeMap<String, String>,
    grants: Vec<String>,
    revoked: Vec<String>,
    principals: Vec<String>,
}

#[test]
fn what_was_acknowledged_survives_fifty_kills() {
    let seed = std::process::id();
    println!("seed {seed}");
    let mut random = Random(u64::from(seed) | 1);
    let mut city = City::start(&[]);
    city.staff();
    city.onboard("audrey", "cour-des-comptes", "auditor");
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    let acknowledged = Mutex::new(Acknowledged::default());
    for round in 0..50 {
        let keys = city.serving().keys_pid().expect("keys run");
        let serve = city.serving().pid();
        let victim = if random.below(2) == 0 { serve } else { keys };
        let delay = Duration::from_millis(random.below(700));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for worker in 0..3 {
                let (city, acknowledged, stop) = (&city, &acknowledged, &stop);
                scope.spawn(move || work(city, acknowledged, stop, round, worker));
            }
            thread::sleep(delay);
            let _ = kill(Pid::from_raw(i32::try_from(victim).unwrap()), Signal::SIGKILL);
            stop.store(true, Ordering::Relaxed);
        });
        // Whoever was not the victim follows by itself.
        city.serving().wait();
        octroi_tests::wait_until("keys to follow", Duration::from_secs(5), || {
            !std::path::Path::new(&format!("/proc/{keys}")).exists()
        });
        city.serve();
        let state = city.beside("monitor");
        let watched = city.octroi("audrey", &["evidence", "monitor", "--state", state.to_str().unwrap()]);
        assert!(watched.ok, "round {round}, seed {seed}: {}", watched.err);
    }
    verify(&city, &acknowledged.into_inner().unwrap(), seed);
    assert!(city.stop().success());
    city.plain(&["registry", "check", "--config", city.config().to_str().unwrap()]).expect();
}

/// One client that does things and writes down what was acknowledged.
fn work(city: &City, acknowledged: &Mutex<Acknowledged>, stop: &AtomicBool, round: usize, worker: usize) {
    for step in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("k-{round}-{worker}-{step}");
        match worker {
            0 => {
                let file = city.file(&format!("{name}.toml"), description(&name, "public", ""));
                if city.octroi("claire", &["dataset", "register", file.to_str().unwrap()]).ok {
                    acknowledged.lock().unwrap().datasets.push(name);
                }
            }
            1 => {
                let bytes = name.repeat(500);
                let file = city.file(&format!("{name}.bin"), &bytes);
                if city.octroi("claire", &["object", "put", "climate", file.to_str().unwrap(), "--key", &name]).ok {
                    acknowledged.lock().unwrap().objects.insert(name, bytes);
                }
            }
            _ => lend_and_revoke(city, acknowledged, &name, step),
        }
    }
}

fn lend_and_revoke(city: &City, acknowledged: &Mutex<Acknowledged>, name: &str, step: usize) {
    let asked = city.octroi("voltaic", &["request", "make", "climate", "--purpose", "research", "--json"]);
    if !asked.ok {
        return;
    }
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let granted = city.octroi("claire", &["request", "grant", &id, "--days", "3", "--json"]);
    if !granted.ok {
        return;
    }
    let grant = granted.json()["id"].as_str().unwrap().to_owned();
    acknowledged.lock().unwrap().grants.push(grant.clone());
    if city.octroi("claire", &["grant", "revoke", &grant, "--reason", "drill"]).ok {
        acknowledged.lock().unwrap().revoked.push(grant);
    }
    if step == 0 {
        let out = city.beside(name);
        let add =
            ["principal", "add", name, "--org", "voltaic-sas", "--role", "vendor", "--out", out.to_str().unwrap()];
        if city.octroi("operator", &add).ok {
            acknowledged.lock().unwrap().principals.push(name.to_owned());
        }
    }
}

fn verify(city: &City, acknowledged: &Acknowledged, seed: u32) {
    println!(
        "{} datasets, {} objects, {} grants, {} revocations, {} principals were acknowledged",
        acknowledged.datasets.len(),
        acknowledged.objects.len(),
        acknowledged.grants.len(),
        acknowledged.revoked.len(),
        acknowledged.principals.len()
    );
    assert!(
        acknowledged.datasets.len() > 20 && acknowledged.objects.len() > 20 && acknowledged.revoked.len() > 10,
        "too little load to mean anything"
    );
    let listed = |who: &str, what: &[&str], field: &str| -> Vec<serde_json::Value> {
        let mut arguments = what.to_vec();
        arguments.push("--json");
        let lines = city.octroi(who, &arguments).expect().json_lines();
        assert!(lines.iter().all(|line| line.pointer(field).is_some()));
        lines
    };
    let names = |lines: &[serde_json::Value], field: &str| -> Vec<String> {
        lines.iter().map(|line| line.pointer(field).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let datasets = names(&listed("claire", &["dataset", "list"], "/description/id"), "/description/id");
    assert!(acknowledged.datasets.iter().all(|id| datasets.contains(id)), "a dataset is lost; seed {seed}");
    let principals = names(&listed("claire", &["principal", "list"], "/name"), "/name");
    assert!(acknowledged.principals.iter().all(|name| principals.contains(name)), "a principal is lost; seed {seed}");
    let grants = listed("claire", &["grant", "list"], "/id");
    for id in &acknowledged.grants {
        let grant =
            grants.iter().find(|grant| grant["id"] == **id).unwrap_or_else(|| panic!("a grant is lost; seed {seed}"));
        let revoked = acknowledged.revoked.contains(id);
        assert!(!revoked || grant["revoked"].is_string(), "a revocation is lost; seed {seed}");
    }
    for (key, bytes) in &acknowledged.objects {
        let out = city.beside("object");
        city.octroi("claire", &["object", "get", "climate", key, "--out", out.to_str().unwrap()]).expect();
        assert_eq!(&std::fs::read_to_string(out).unwrap(), bytes, "{key}; seed {seed}");
    }
}

/// Xorshift, enough to scatter kills; its seed is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

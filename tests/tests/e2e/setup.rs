//! Making a data folder, starting, stopping.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use nix::unistd::Uid;
use octroi_tests::City;

#[test]
fn a_new_folder_serves_within_a_second_and_drains_on_sigterm() {
    let mut city = City::init(&[]);
    // The best of three: what is promised is the gateway's haste, not that of a machine with other things to do.
    let start = |_| {
        let took = city.serve();
        assert!(city.stop().success(), "{}", city.log());
        took
    };
    let took = (0..3).map(start).min().unwrap();
    assert!(took < Duration::from_secs(1), "ready after {took:?}");
}

#[test]
fn a_download_under_way_is_finished_before_the_gateway_stops() {
    let mut city = City::start(&[]);
    city.staff();
    city.dataset("counters", "public", "");
    let bytes = vec![b'x'; 4 << 20];
    city.put("claire", "counters", "big.csv", &bytes).expect();
    let url = city.public("dataset/counters/files/big.csv");
    let authority = city.authority();
    let slow = std::thread::spawn(move || {
        std::process::Command::new("curl")
            .args(["--silent", "--limit-rate", "2M", "--cacert"])
            .arg(authority)
            .arg(url)
            .output()
            .unwrap()
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(city.stop().success(), "{}", city.log());
    let output = slow.join().unwrap();
    assert!(output.status.success() && output.stdout == bytes, "{} bytes arrived", output.stdout.len());
}

#[test]
fn secrets_that_others_can_read_are_refused_by_name() {
    let city = City::init(&[]);
    for secret in ["keys/root.key", "tls/server.key", "state/evidence/log.key"] {
        let path = city.data().join(secret);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let said = city.serve_refused();
        assert!(!said.ok, "served with a readable {secret}");
        let words = format!("{}{}{}", said.out, said.err, city.log());
        assert!(words.contains(secret.rsplit('/').next().unwrap()), "{secret}: {words}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn bad_settings_are_refused_by_file_key_and_reason() {
    for (section, key, value, word) in [
        ("limits", "body_bits", "1", "body_bits"),
        ("limits", "body_bytes", "1", "body_bytes"),
        ("limits", "body_bytes", "\"many\"", "body_bytes"),
        ("listen.api", "address", "\"localhost\"", "address"),
        ("listen.loopback", "address", "\"0.0.0.0:1\"", "loopback"),
        ("gateway", "base", "\"http://x\"", "base"),
    ] {
        let city = City::init(&[]);
        city.set(&[(section, key, value)]);
        let said = city.serve_refused();
        assert!(
            !said.ok && said.err.contains("octroi.toml") && said.err.contains(word),
            "{section}.{key}: {}",
            said.err
        );
    }
}

#[test]
fn init_never_writes_into_a_folder_that_holds_something() {
    let city = City::init(&[]);
    let before = fs::read(city.config()).unwrap();
    city.plain(&["init", city.data().to_str().unwrap()]).refused("");
    assert_eq!(fs::read(city.config()).unwrap(), before);
}

#[test]
fn started_by_root_serve_cannot_read_the_root_key() {
    if !Uid::effective().is_root() {
        // Without root there are no two users to part; the gateway warns.
        let city = City::start(&[]);
        assert!(city.log().contains("same user"), "{}", city.log());
        return;
    }
    let mut city = City::start(&[]);
    let keys = city.serving().keys_pid().expect("serve starts keys");
    let serve = city.serving().pid();
    let (serve, keys) = (uids(serve), uids(keys));
    // Real, effective, saved and file-system user: none is root, none is shared.
    assert!(serve.iter().chain(&keys).all(|uid| *uid != 0), "{serve:?} {keys:?}");
    assert!(serve.iter().all(|uid| !keys.contains(uid)), "{serve:?} {keys:?}");
    let root_key = city.data().join("keys/root.key");
    let read = std::process::Command::new("setpriv")
        .args([format!("--reuid={}", serve[0]), format!("--regid={}", serve[0]), "--clear-groups".into(), "cat".into()])
        .arg(&root_key)
        .output()
        .unwrap();
    assert!(!read.status.success() && read.stdout.is_empty());
}

fn uids(pid: u32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().skip(1).map(|uid| uid.parse().unwrap()).collect()
}

#[test]
fn when_the_key_process_dies_serve_stops_with_an_error() {
    let mut city = City::start(&[]);
    let keys = city.serving().keys_pid().expect("serve starts keys");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(keys).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    let start = Instant::now();
    let status = city.serving().wait();
    assert!(!status.success() && start.elapsed() < Duration::from_secs(5), "{status:?}");
    // A service manager starts it again, and it serves.
    city.serve();
}

#[test]
fn the_index_is_checked_and_made_anew_from_the_evidence() {
    let mut city = City::start(&[]);
    city.staff();
    city.dataset("counters", "public", "");
    let config = city.config();
    let config = config.to_str().unwrap();
    city.plain(&["registry", "check", "--config", config]).refused("in use");
    assert!(city.stop().success());
    city.plain(&["registry", "check", "--config", config]).expect();
    fs::remove_dir_all(city.data().join("state/registry")).unwrap();
    city.plain(&["registry", "rebuild", "--config", config]).expect();
    city.plain(&["registry", "check", "--config", config]).expect();
    city.serve();
    assert_eq!(city.octroi("claire", &["dataset", "show", "counters", "--json"]).expect().json()["state"], "published");
}

//! With real jails.

use super::*;
use crate::queue::{Bounds, Turns};

fn jail() -> Jail {
    Jail::new("/usr/bin/bwrap".into(), 64803).expect("these tests need bubblewrap: apt install bubblewrap")
}

async fn shell(jail: &Jail, script: &str) -> (Process, String) {
    let (mut read, write) = io::pipe().unwrap();
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    let descriptors = vec![(3, write.into())];
    let program = Path::new("/usr/bin/bash");
    let process = jail.launch(Launch { program, arguments, descriptors, kvm: false }).await.unwrap();
    let text = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        read.read_to_string(&mut text).map(|_| text)
    });
    (process, text.await.unwrap().unwrap())
}

#[tokio::test]
async fn the_jailed_see_no_file_process_network_or_name_of_the_host() {
    let script = "exec >&3; echo $$; id -u; ls /; ls -d /proc/[0-9]*; ls /sys /etc /home 2>/dev/null; env; hostname; \
                  ulimit -c; ulimit -n; cat /proc/net/dev | tail -n +3; touch /x 2>/dev/null && echo wrote; \
                  grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ls /proc/self/fd; unshare -U true 2>/dev/null && \
                  echo nested";
    let (_process, text) = shell(&jail(), script).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(&lines[..6], ["1", "65534", "lib", "lib64", "proc", "usr"], "{text}");
    assert!(lines.contains(&"CapEff:\t0000000000000000") && lines.contains(&"CapBnd:\t0000000000000000"), "{text}");
    assert!(lines.contains(&"NoNewPrivs:\t1") && lines.contains(&"zone"), "{text}");
    assert!(!text.contains("wrote") && !text.contains("nested") && !text.contains("HOME"), "{text}");
    assert!(!text.contains("eth") && !text.contains("/etc"), "{text}");
    // Core, descriptors; nothing of what started it is open.
    assert!(text.contains("\n0\n64\n") && !lines.contains(&"8") && !lines.contains(&"9"), "{text}");
}

#[tokio::test]
async fn a_dropped_process_is_killed_and_nothing_of_it_is_left() {
    let jail = jail();
    let (process, _) = shell(&jail, "exec 3>&-; while :; do read -t 1000 < <(:); done").await;
    let (program, warden) = (process.id(), process.warden.as_ref().unwrap().id());
    let exists = |pid: i64| Path::new(&format!("/proc/{pid}")).exists();
    assert!(exists(program.into()) && exists(warden.into()));
    drop(process);
    let deadline = Instant::now() + Duration::from_secs(5);
    while exists(program.into()) || exists(warden.into()) {
        assert!(Instant::now() < deadline, "still there: zombie or alive");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const IDLE: &str = "exec 3>&-; while :; do read -t 1000 < <(:); done";

#[tokio::test]
async fn the_next_turn_begins_when_nothing_is_left_of_what_took_it_up() {
    let (jail, organisation) = (jail(), "voltaic".parse().unwrap());
    let turns = Turns::new(1, Bounds { total: 1, per_organisation: 1 });
    let exists = |pid: i64| Path::new(&format!("/proc/{pid}")).exists();
    for ended in [true, false, true, false] {
        let turn = turns.take(&organisation).await.unwrap();
        let (mut process, _) = shell(&jail, IDLE).await;
        process.take_up(turn);
        let (program, warden) = (process.id(), process.warden.as_ref().unwrap().id());
        if ended {
            process.end().await;
            assert!(
                std::fs::read(format!("/proc/{program}/maps")).is_ok_and(|maps| maps.is_empty())
                    || !exists(program.into())
            );
        } else {
            drop(process);
        }
        let next = timeout(Duration::from_secs(5), turns.take(&organisation)).await;
        assert!(!exists(program.into()) && !exists(warden.into()), "the turn went on before");
        drop(next.unwrap().unwrap());
    }
}

/// Started by the next test as a process of its own: starts jails until it is killed.
#[tokio::test]
async fn starts_jails_where_it_is_told_to() {
    let Some(mark) = std::env::var_os(MARK) else { return };
    let (jail, mark) = (jail(), mark.into_string().unwrap());
    println!("begins");
    let mut kept = Vec::new();
    for _ in 0..50 {
        let arguments = vec!["-c".to_owned(), IDLE.to_owned(), mark.clone()];
        let launch = Launch { program: Path::new("/usr/bin/bash"), arguments, descriptors: vec![], kvm: false };
        kept.push(jail.launch(launch).await.unwrap());
    }
    std::process::exit(1);
}

#[test]
fn whoever_is_killed_while_starting_leaves_nothing() {
    use std::io::BufRead as _;
    let mark = format!("octroi-left-{}", std::process::id());
    let marked = || {
        let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let lines =
            processes.filter_map(|path| Some((path.clone(), std::fs::read_to_string(path.join("cmdline")).ok()?)));
        lines.filter(|(_, line)| line.contains(&mark)).map(|(path, _)| path).collect::<Vec<_>>()
    };
    for round in 0..40_u64 {
        let mut starter = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "jail::tests::starts_jails_where_it_is_told_to", "--nocapture"])
            .env(MARK, &mark)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = io::BufReader::new(starter.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("begins")));
        thread::sleep(Duration::from_micros(round * 600));
        starter.kill().unwrap();
        starter.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while !marked().is_empty() {
            assert!(Instant::now() < deadline, "round {round}: {:?} still run", marked());
            // The next zone host's, which looks for bubblewrap alone: a program must end by itself.
            drop(jail());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

const MARK: &str = "OCTROI_TEST_JAIL_MARK";

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let (mut held, holds) = io::pipe().unwrap();
    let jail = jail();
    for patience in [0, 1, 2, 5, 10, 20, 40] {
        let descriptors = vec![(3, holds.try_clone().unwrap().into())];
        let arguments = vec!["-c".to_owned(), "while :; do read -t 1000 < <(:); done".to_owned()];
        let program = Path::new("/usr/bin/bash");
        let launch = jail.launch(Launch { program, arguments, descriptors, kvm: false });
        let _ = timeout(Duration::from_millis(patience), launch).await;
    }
    drop((jail, holds));
    let nobody = tokio::task::spawn_blocking(move || held.read(&mut [0]));
    let read = timeout(Duration::from_secs(5), nobody).await.expect("a process still holds the pipe");
    assert_eq!(read.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_process_that_ends_is_noticed() {
    let (process, _) = shell(&jail(), "exit 3").await;
    timeout(Duration::from_secs(5), process.ended()).await.unwrap();
}

#[tokio::test]
async fn a_missing_bubblewrap_is_named() {
    let error = Jail::new("/nowhere/bwrap".into(), 1).unwrap_err();
    assert!(error.to_string().contains("install bubblewrap"));
}

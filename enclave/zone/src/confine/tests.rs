//! Each attempt runs in a process of its own: this test program once more, told by its environment what to try.

use std::{
    env,
    fs::{self, File},
    io,
    net::TcpStream,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus},
    thread,
};

use super::*;

/// What is tried, and what should come of it.
const FORBIDDEN: [(&str, Fate); 9] = [
    ("start a program", Fate::Killed),
    ("open a socket", Fate::Killed),
    ("trace a process", Fate::Killed),
    ("mount", Fate::Killed),
    ("become another user", Fate::Killed),
    ("fork", Fate::Refused),
    ("open a file", Fate::Refused),
    ("make a file", Fate::Refused),
    ("map executable memory", Fate::Refused),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Killed,
    Refused,
}

#[test]
fn what_is_forbidden_is_refused_or_fatal() {
    for (what, fate) in FORBIDDEN {
        let status = attempt(what);
        let met = match fate {
            Fate::Killed => status.signal() == Some(libc::SIGSYS),
            Fate::Refused => status.code() == Some(REFUSED),
        };
        assert!(met, "{what}: {status}");
    }
}

#[test]
fn what_the_engine_needs_it_may() {
    assert_eq!(attempt("work").code(), Some(DONE));
}

fn attempt(what: &str) -> ExitStatus {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "confine::tests::in_a_process_of_its_own", "--test-threads", "1", "--nocapture"])
        .env("OCTROI_ATTEMPT", what)
        .output()
        .unwrap()
        .status
}

/// Returns at once unless it is told what to try.
#[test]
fn in_a_process_of_its_own() {
    let Ok(what) = env::var("OCTROI_ATTEMPT") else { return };
    let inherited = tempfile::tempfile().unwrap();
    enter(Reach::Nothing).unwrap();
    let tried = if what == "work" { work(&inherited).map(|()| DONE) } else { try_to(&what).map(|()| SUCCEEDED) };
    std::process::exit(match tried {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => REFUSED,
        Err(error) => {
            eprintln!("{what}: {error}");
            FAILED
        }
    });
}

#[expect(unsafe_code, reason = "calls that no safe interface offers are what is tried")]
fn try_to(what: &str) -> io::Result<()> {
    let result = |value: i64| if value < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    match what {
        // SAFETY: of each: the pointers are null or live, and the process ends right after.
        "start a program" => result(unsafe { libc::syscall(libc::SYS_execve, c"/bin/true".as_ptr(), 0, 0) }),
        "open a socket" => TcpStream::connect("127.0.0.1:1").map(drop),
        "trace a process" => result(unsafe { libc::syscall(libc::SYS_ptrace, 0, 0, 0, 0) }),
        "mount" => result(unsafe { libc::syscall(libc::SYS_mount, 0, c"/".as_ptr(), 0, 0, 0) }),
        "become another user" => result(unsafe { libc::syscall(libc::SYS_setuid, 0) }),
        "fork" => match unsafe { libc::fork() } {
            0 => std::process::exit(0),
            pid => result(pid.into()),
        },
        "open a file" => fs::read("/etc/hostname").map(drop),
        "make a file" => File::create(env::temp_dir().join("octroi-made-by-a-confined-process")).map(drop),
        "map executable memory" => {
            let protection = libc::PROT_READ | libc::PROT_EXEC;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            result(unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) } as i64)
        }
        other => panic!("nobody knows how to {other}"),
    }
}

fn work(inherited: &File) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    inherited.write_all_at(&[7; 8192], 0)?;
    let mut read = [0; 8192];
    inherited.try_clone()?.read_exact_at(&mut read, 0)?;
    let workers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let slept = workers.spawn(async { tokio::time::sleep(std::time::Duration::from_millis(5)).await });
    workers.block_on(slept).map_err(io::Error::other)?;
    let random = workers.spawn_blocking(|| getrandom::u64().map_err(io::Error::other));
    workers.block_on(random).map_err(io::Error::other)??;
    let big = thread::Builder::new().name("a named thread".into()).spawn(|| vec![1_u8; 64 << 20].len())?;
    big.join().map_err(|_| io::Error::other("a thread failed"))?;
    // A panic that is contained stays one.
    std::panic::catch_unwind(|| panic!("as a damaged file might make the engine do")).unwrap_err();
    Ok(())
}

const DONE: i32 = 40;
const SUCCEEDED: i32 = 41;
const REFUSED: i32 = 42;
const FAILED: i32 = 43;

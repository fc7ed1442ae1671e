//! With real sandboxes. The engine is a program of a few lines in C that speaks the first frame and then does what its
//! work says, so that what a hostile engine can reach is seen from inside.

use std::{os::fd::AsFd as _, process::Command, sync::OnceLock};

use octroi_attest::frame;
use octroi_proto::wire::zone::{Question, ToZone, to_zone};
use tokio::io::AsyncWriteExt as _;

use super::*;

/// The path of the test engine.
pub(crate) fn engine() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("engine.c"), folder.path().join("engine"));
        std::fs::write(&source, include_str!("engine.c")).unwrap();
        let built = Command::new("cc").args(["-static", "-O1", "-o"]).arg(&program).arg(&source).status();
        assert!(built.unwrap().success());
        (folder, program)
    });
    program
}

async fn sandbox() -> Sandbox {
    Sandbox::new(&Settings { engine: engine().to_owned(), memory_bytes: 64 << 20 }).await.unwrap()
}

const ALLOWANCE: Allowance = Allowance { wall: Duration::from_secs(20), file_bytes: 1 << 20 };

/// Gives the engine an order (the question's text), and what it answers with.
async fn order(running: &mut Running, order: &str) -> Option<String> {
    let question = Question { sql: order.to_owned(), ..Question::default() };
    let work = ToZone { message: Some(to_zone::Message::Question(question)) };
    let bytes = frame::encode(&work, frame::TO_ZONE).unwrap();
    running.channel().write_all(&bytes).await.unwrap();
    let answer = timeout(Duration::from_secs(20), Incoming::new(running.channel(), 4096).next()).await.unwrap();
    let message = said::decode(&answer.ok()??).unwrap();
    let Message::Withheld(withheld) = message else { panic!("{message:?}") };
    Some(withheld.cause)
}

async fn asked(text: &str) -> Option<String> {
    let mut running = sandbox().await.launch(Files::default(), ALLOWANCE).await.unwrap();
    let answer = order(&mut running, text).await;
    running.end().await;
    answer
}

fn file(content: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, content, 0).unwrap();
    file
}

#[tokio::test]
async fn a_sandbox_sees_no_files_no_network_and_no_other_process() {
    assert_eq!(asked("root").await.unwrap(), "octroi-zone");
    assert_eq!(asked("write /x").await.unwrap(), "30");
    assert_eq!(asked("open /proc/self/status").await.unwrap(), "2");
    assert_eq!(asked("identity").await.unwrap(), "pid 1 uid 65534 gid 65534 new-privileges 0 capabilities 0");
    // Network unreachable: not even a loopback that is up.
    assert_eq!(asked("connect").await.unwrap(), "101");
    // A further user namespace would be a way to capabilities.
    assert_ne!(asked("unshare").await.unwrap(), "0");
    // The zone's name, and no variable but the one that bubblewrap sets.
    assert_eq!(asked("surroundings").await.unwrap(), "zone PWD=/");
}

/// Descriptors above the sandbox's own that every child of this process inherits.
fn strays() -> std::collections::BTreeSet<String> {
    let inherited = |number: &str| {
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("02000000").trim();
        i64::from_str_radix(flags, 8).unwrap() & 0o2_000_000 == 0
    };
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = numbers.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    numbers.filter(|number| number.parse::<u32>().unwrap() > 8 && inherited(number)).collect()
}

#[tokio::test]
async fn a_sandbox_has_its_descriptors_and_no_others() {
    let secret = file(b"of the host");
    let (data, output) = (file(b"ciphertext"), file(b""));
    let given = |file: &File| Some(file.as_fd().try_clone_to_owned().unwrap());
    let files = Files { data: given(&data), output: given(&output), scratch: None };
    let mut running = sandbox().await.launch(files, ALLOWANCE).await.unwrap();
    let found = order(&mut running, "descriptors").await.unwrap();
    // Whoever started the tests may have left some open; the zone host closes its own at its start.
    let strays = strays();
    let found: Vec<_> = found.split(' ').filter(|number| !strays.contains(*number)).collect();
    assert_eq!(found, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(order(&mut running, "read 4").await.unwrap(), "ciphertext");
    assert_eq!(order(&mut running, "put 5").await.unwrap(), "0");
    running.end().await;
    let mut written = [0; 7];
    std::os::unix::fs::FileExt::read_exact_at(&output, &mut written, 0).unwrap();
    assert_eq!(&written, b"written");
    drop(secret);
}

#[tokio::test]
async fn a_sandbox_that_takes_too_much_is_refused_it_or_ends() {
    assert_eq!(asked("memory 32").await.unwrap(), "0");
    assert_eq!(asked("memory 128").await.unwrap(), "12");
    // EFBIG: the first process of a namespace is spared the signal.
    let files = Files { output: Some(file(b"").into()), ..Files::default() };
    let mut running = sandbox().await.launch(files, ALLOWANCE).await.unwrap();
    assert_eq!(order(&mut running, "fill 5").await.unwrap(), "27");
    running.end().await;
}

#[tokio::test]
async fn nothing_of_a_sandbox_outlives_it() {
    let sandbox = sandbox().await;
    let alive = |engine: &OwnedFd| pidfd_send_signal(engine, Signal::CONT).is_ok();
    let running = sandbox.launch(Files::default(), ALLOWANCE).await.unwrap();
    let engine = running.processes.engine.try_clone().unwrap();
    assert!(alive(&engine));
    running.end().await;
    assert!(!alive(&engine));
    // And when it is dropped without a word, at the end of a lease that was cut.
    let running = sandbox.launch(Files::default(), ALLOWANCE).await.unwrap();
    let engine = running.processes.engine.try_clone().unwrap();
    drop(running);
    let gone = async {
        while alive(&engine) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_was_changed_is_not_started() {
    let copy = engine().with_file_name("copy");
    std::fs::copy(engine(), &copy).unwrap();
    let settings = Settings { engine: copy.clone(), memory_bytes: 64 << 20 };
    let sandbox = Sandbox::new(&settings).await.unwrap();
    std::fs::copy(engine(), &copy).unwrap();
    let refused = sandbox.launch(Files::default(), ALLOWANCE).await.unwrap_err();
    assert!(matches!(refused, LaunchError::EngineChanged), "{refused}");
    // Another file in its place is not taken for it either.
    let sandbox = Sandbox::new(&settings).await.unwrap();
    std::fs::remove_file(&copy).unwrap();
    assert!(sandbox.launch(Files::default(), ALLOWANCE).await.is_err());
    assert!(matches!(Sandbox::new(&settings).await, Err(SandboxError::Engine { .. })));
}

#[tokio::test]
async fn what_is_no_engine_is_found_out_at_the_start() {
    let program = Path::new("/bin/true").canonicalize().unwrap();
    let refused = Sandbox::new(&Settings { engine: program, memory_bytes: 64 << 20 }).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Trial { .. }), "{refused}");
}

#[tokio::test]
async fn the_measurement_is_of_engine_and_profile() {
    let (sandbox, again) = (sandbox().await, sandbox().await);
    assert_eq!(sandbox.measurement(), again.measurement());
    let names: Vec<_> = sandbox.parts().iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["engine", "profile"]);
}

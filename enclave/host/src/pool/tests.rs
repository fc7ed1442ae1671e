//! With a real QEMU and the real guest: `cargo xtask test` installs the one, builds the other and says where it is.

use std::{collections::HashSet, fs::File, os::unix::fs::FileExt as _, path::Path};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{io::AsyncReadExt as _, time::timeout};

use super::*;
use crate::{DISK_BYTES, Disks, Writable};

fn image() -> Image {
    let folder = std::env::var_os("OCTROI_ZONE_IMAGE").map(PathBuf::from);
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/zone-image");
    Image::open(folder.unwrap_or_else(built)).expect("these tests boot the guest: run them by `cargo xtask test`")
}

fn settings(waiting: usize) -> PoolSettings {
    PoolSettings {
        qemu: "/usr/bin/qemu-system-x86_64".into(),
        bubblewrap: "/usr/bin/bwrap".into(),
        user: 64803,
        accelerator: None,
        memory_mib: 512,
        processors: 1,
        waiting,
        longest_wait: Duration::from_secs(600),
        danger_swap_in_clear: true,
        clock: Arc::new(|| Instant::from_second(1_790_000_000).unwrap()),
    }
}

async fn pool(waiting: usize) -> Pool {
    Pool::start(settings(waiting), image()).await.expect("these tests need QEMU 10 and bubblewrap: `cargo xtask test`")
}

async fn take(pool: &Pool) -> ReadyVm {
    timeout(PATIENCE, pool.take()).await.expect("no clone in time").unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Moment::now() + PATIENCE;
    while !holds() {
        assert!(Moment::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exists(process: i32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A sparse disk, and the same opened to read alone.
fn disk() -> (File, File) {
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(DISK_BYTES).unwrap();
    disk.as_file().write_all_at(b"ciphertext", 4096).unwrap();
    let read_only = File::open(disk.path()).unwrap();
    (disk.into_file(), read_only)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_of_a_hundred_clones_share_a_key_and_none_leaves_anything() {
    let pool = pool(2).await;
    drop(take(&pool).await);
    until("both wait", || pool.inspection().waiting == 2).await;
    let before = descriptors();
    let (mut keys, mut ids) = (HashSet::new(), HashSet::new());
    for _ in 0..100 {
        let vm = take(&pool).await;
        assert!(keys.insert(vm.facts().public_key), "two clones drew the same key");
        assert!(ids.insert(vm.facts().id));
        assert_eq!(Some(vm.facts().template), pool.inspection().template);
    }
    until("both wait", || pool.inspection().waiting == 2).await;
    until("descriptors are closed", || descriptors() <= before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_takes_its_disks_runs_and_is_gone_when_dropped() {
    let pool = pool(1).await;
    let vm = take(&pool).await;
    let writable = || Some(Writable { file: disk().0.into(), bytes: 1 << 20 });
    let disks = Disks { data: Some(disk().1.into()), scratch: writable(), output: writable() };
    let mut running = vm.attach(disks).await.unwrap();
    let process = running.process_id();
    let spoke = timeout(Duration::from_millis(500), running.channel().read_u8()).await;
    assert!(spoke.is_err(), "a guest without work must neither speak nor end");
    running.end().await;
    let maps = std::fs::read(format!("/proc/{process}/maps"));
    assert!(!maps.is_ok_and(|maps| !maps.is_empty()), "it runs on");
    until("the machine is reaped", || !exists(process)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_writes_beyond_its_bound_reaches_no_file() {
    let pool = pool(0).await;
    let (scratch, output) = (disk().0, disk().0);
    let kept = [&scratch, &output].map(|file| file.try_clone().unwrap());
    let bounds = [1 << 20, (2 << 20) - 100];
    let [scratch, output] =
        [(scratch, bounds[0]), (output, bounds[1])].map(|(file, bytes)| Some(Writable { file: file.into(), bytes }));
    let mut running = take(&pool).await.attach(Disks { data: None, scratch, output }).await.unwrap();
    // As the guest's device would: a write before the bound, across it, behind it, and at the disk's end.
    for disk in ["scratch", "output"] {
        for at in [0, (1 << 20) - 4096, (1 << 20) - 2048, 1 << 20, (2 << 20) - 2048, 2 << 20, 60 << 30] {
            let line = format!("qemu-io -d /machine/peripheral/{disk}/virtio-backend \"write -P 7 {at} 4096\"");
            running.command("human-monitor-command", serde_json::json!({ "command-line": line })).await.unwrap();
        }
    }
    running.end().await;
    for (file, bytes) in kept.into_iter().zip(bounds) {
        let bound = bytes.next_multiple_of(4096);
        let mut piece = [0; 4096];
        file.read_exact_at(&mut piece, (1 << 20) - 4096).unwrap();
        assert_eq!(piece[0], 7, "what is within its bound is written");
        for at in [bound, 60 << 30] {
            file.read_exact_at(&mut piece, at).unwrap();
            assert_eq!(piece, [0; 4096], "{at} was written");
        }
        assert!(std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()) * 512 <= bound + 65_536);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_machine_is_noticed_and_a_waiting_one_replaced() {
    let pool = pool(1).await;
    let running = take(&pool).await.attach(Disks::default()).await.unwrap();
    kill_process(Pid::from_raw(running.process_id()).unwrap(), Signal::KILL).unwrap();
    timeout(PATIENCE, running.ended()).await.unwrap();
    until("the next waits", || pool.inspection().waiting == 1).await;
    let vm = take(&pool).await;
    let key = vm.facts().public_key;
    kill_process(Pid::from_raw(vm.process_id()).unwrap(), Signal::KILL).unwrap();
    timeout(PATIENCE, vm.ended()).await.unwrap();
    assert!(vm.attach(Disks::default()).await.is_err());
    assert_ne!(take(&pool).await.facts().public_key, key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_whose_clones_fail_is_made_anew() {
    let (settings, image) = (settings(1), image());
    let jail = Jail::new(settings.bubblewrap.clone(), settings.user).unwrap();
    let qemu = Qemu::find(&settings.qemu).await.unwrap();
    let machine = Machine { qemu, memory_mib: settings.memory_mib, processors: settings.processors };
    let parts = machine.parts(&image).unwrap();
    let workshop = Workshop { jail, machine };
    let template = boot(&workshop, &image, parts.measurement(), None).await.unwrap();
    let mut keeper = Keeper::new(settings, image, parts, workshop);
    keeper.template = Some(Arc::new(template.broken()));
    let (orders, asked) = mpsc::channel(4);
    let (seen, inspection) = watch::channel(keeper.inspection());
    tokio::spawn(keeper.run(asked, seen));
    let pool = Pool { orders, inspection };
    assert_eq!(take(&pool).await.facts().image, pool.inspection().image);
}

#[tokio::test]
async fn an_image_that_does_not_boot_refuses_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["vmlinuz", "initramfs.cpio", "cmdline"] {
        std::fs::write(folder.path().join(part), "no kernel").unwrap();
    }
    let accelerator = Some(Accelerator::Tcg);
    let settings = PoolSettings { accelerator, ..settings(1) };
    let pool = Pool::start(settings, Image::open(folder.path()).unwrap()).await.unwrap();
    assert_eq!(timeout(PATIENCE, pool.take()).await.unwrap().unwrap_err(), TakeError::Unavailable);
}

#[test]
fn pauses_grow_to_their_limit() {
    let limit = Duration::from_secs(10);
    let pauses: Vec<u128> = [1, 2, 3, 30, u32::MAX].map(|failures| pause(failures, limit).as_millis()).to_vec();
    assert_eq!(pauses, [100, 200, 400, 10_000, 10_000]);
}

const PATIENCE: Duration = Duration::from_secs(120);

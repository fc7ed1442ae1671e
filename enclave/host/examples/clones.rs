//! Measures clones on this machine: `cargo run --release --example clones -- IMAGE [CLONES]`.
//!
//! For each: wall time until it waits (taken from an empty pool), wall time to attach a disk and let it run, QEMU's CPU
//! at either moment, and its private memory. Private is what no other process shares: pages of the template's RAM that
//! only one clone happens to have mapped are the template's, so anonymous pages are counted instead.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::{
    error::Error,
    fs::File,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant as Moment},
};

use octroi_host::{DISK_BYTES, Disks, Image, Pool, PoolSettings};
use octroi_proto::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "target/zone-image".to_owned());
    let clones: usize = arguments.next().map_or(Ok(20), |text| text.parse())?;
    for waiting in [0, 1] {
        let begun = Moment::now();
        let pool = Pool::start(settings(waiting), Image::open(&folder)?).await?;
        drop(pool.take().await?);
        println!(
            "template and first clone: {:?}, pool of {waiting}: {:?}",
            begun.elapsed(),
            pool.inspection().template
        );
        let mut rows = Vec::new();
        for _ in 0..clones {
            while pool.inspection().waiting < waiting {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            rows.push(measure(&pool).await?);
        }
        print(&mut rows);
    }
    Ok(())
}

/// Milliseconds or KiB, in the order of [`NAMES`].
async fn measure(pool: &Pool) -> Result<[u64; 6], Box<dyn Error>> {
    let begun = Moment::now();
    let vm = pool.take().await?;
    let taken = begun.elapsed();
    let (ready_cpu, ready_memory) = (cpu(vm.process_id())?, anonymous(vm.process_id())?);
    let disk = tempfile::NamedTempFile::new()?;
    disk.as_file().set_len(DISK_BYTES)?;
    let disk = File::open(disk.path())?;
    let begun = Moment::now();
    let vm = vm.attach(Disks { data: Some(OwnedFd::from(disk)), ..Disks::default() }).await?;
    let attached = begun.elapsed();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let cpu = cpu(vm.process_id())?;
    Ok([micros(taken), micros(attached), ready_cpu, cpu, ready_memory, anonymous(vm.process_id())?])
}

const NAMES: [&str; 6] =
    ["taken us", "attached us", "cpu ready us", "cpu attached us", "anonymous ready KiB", "anonymous attached KiB"];

fn print(rows: &mut [[u64; 6]]) {
    for (column, name) in NAMES.iter().enumerate() {
        let mut values: Vec<u64> = rows.iter().filter_map(|row| row.get(column).copied()).collect();
        values.sort_unstable();
        let at = |share: usize| values.get(values.len() * share / 100).copied().unwrap_or_default();
        println!("{name:>24}  p50 {:>8}  p90 {:>8}", at(50), at(90));
    }
}

/// Microseconds, of all threads (`/proc/PID/schedstat` of each: finer than clock ticks).
fn cpu(process: i32) -> Result<u64, Box<dyn Error>> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanos += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(nanos / 1_000)
}

fn anonymous(process: i32) -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[expect(clippy::disallowed_methods, reason = "the clock that the pool is given")]
fn settings(waiting: usize) -> PoolSettings {
    PoolSettings {
        qemu: PathBuf::from("/usr/bin/qemu-system-x86_64"),
        bubblewrap: PathBuf::from("/usr/bin/bwrap"),
        user: 64803,
        accelerator: None,
        memory_mib: 512,
        processors: 1,
        waiting,
        longest_wait: Duration::from_secs(600),
        danger_swap_in_clear: false,
        clock: Arc::new(Instant::now),
    }
}

//! What a guest reads in a second, and what encryption adds to a question: the same rows by the same engine in the same
//! kind of guest, which is new each time.

use std::{
    fs::File,
    io::{self, Read as _},
    time::{Duration, Instant as Moment},
};

use octroi_host::{Disks, Pool};
use octroi_proto::wire::zone::{Question, Table, TableFile, to_zone::Message as Word};
use prost::Message as _;

use super::{
    Bench, Outcome,
    conversation::{answered, question, say},
    disk::Disk,
    process, quiet,
};

pub(super) async fn measure(bench: &mut Bench) -> Outcome<()> {
    let mut disk = Disk::new(&bench.table)?;
    let encrypted = Question::decode(std::fs::read(bench.table.join("question.pb"))?.as_slice())?;
    disk.put(&mut File::open(bench.table.join("encrypted.parquet"))?)?;
    let plain = disk.put(&mut File::open(bench.table.join("plain.parquet"))?)?;
    let noise = disk.put(&mut Noise.take(NOISE))?;
    let of = |file: TableFile| Question { tables: vec![Table { version: 1, files: vec![file] }], ..encrypted.clone() };
    let (plain, noise) = (of(plain), of(noise));
    let pool = bench.pool(&bench.bench_image, 0).await?;
    for _ in 0..bench.rounds.min(MOST_ROUNDS) {
        let (wall, _) = ask(&pool, &disk, &noise, "read").await?;
        bench.figures.add("disk.read", NOISE_MEBIBYTES / wall.as_secs_f64());
        let (wall, cpu) = ask(&pool, &disk, &encrypted, &format!("encrypted {SQL}")).await?;
        bench.figures.add_time("encrypted.wall", wall);
        bench.figures.add_time("encrypted.cpu", cpu);
        let (wall, cpu) = ask(&pool, &disk, &plain, &format!("plain {SQL}")).await?;
        bench.figures.add_time("plain.wall", wall);
        bench.figures.add_time("plain.cpu", cpu);
    }
    Ok(())
}

/// Asks a new guest of benchmarks; wall time and QEMU's CPU from the question to its answer.
async fn ask(pool: &Pool, disk: &Disk, about: &Question, sql: &str) -> Outcome<(Duration, Duration)> {
    quiet().await;
    let vm = pool.take().await?;
    let (facts, process) = (vm.facts().clone(), vm.process_id());
    let mut vm = vm.attach(Disks { data: disk.read_only()?, ..Disks::default() }).await?;
    let (begun, cpu) = (Moment::now(), process::cpu(process)?);
    say(&mut vm, Word::Question(question(&facts, sql, about))).await?;
    answered(&mut vm).await?;
    Ok((begun.elapsed(), process::cpu(process)?.saturating_sub(cpu)))
}

/// The kernel's random bytes, without end.
struct Noise;

impl io::Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        getrandom::fill(buffer).map_err(io::Error::other)?;
        Ok(buffer.len())
    }
}

const SQL: &str = "SELECT hour, SUM(watt_hours) AS total, COUNT(*) AS rows FROM readings GROUP BY hour";
const NOISE_MEBIBYTES: f64 = 256.0;
const NOISE: u64 = 256 << 20;
/// Each takes seconds.
const MOST_ROUNDS: usize = 10;

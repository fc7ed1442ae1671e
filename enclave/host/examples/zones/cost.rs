//! What release control costs: the same SQL on the same encrypted rows, asked of a zone and of the guest of benchmarks,
//! which protects nothing. A new guest each time, keys and planning included; the table was asked nothing before.

use std::{
    fs::File,
    time::{Duration, Instant as Moment},
};

use octroi_host::{Disks, Pool, Writable};
use octroi_proto::wire::zone::{Limits, Question, to_host::Message as FromZone, to_zone::Message as Word};
use prost::Message as _;

use super::{
    Bench, Outcome,
    conversation::{answered, hear, question, say, sealed},
    disk::Disk,
    process, quiet,
};

pub(super) async fn measure(bench: &mut Bench) -> Outcome<()> {
    let about = Question::decode(std::fs::read(bench.table.join("question.pb"))?.as_slice())?;
    let mut disk = Disk::new(&bench.table)?;
    disk.put(&mut File::open(bench.table.join("encrypted.parquet"))?)?;
    let (zones, open) = (bench.pool(&bench.image, 0).await?, bench.pool(&bench.bench_image, 0).await?);
    for _ in 0..bench.rounds {
        for (groups, sql, names) in QUESTIONS {
            let (rows, wall, cpu) = protected(&zones, &disk, &about, sql).await?;
            bench.figures.add_time(names[0], wall);
            bench.figures.add_time(names[1], cpu);
            let (others, wall, cpu) = unprotected(&open, &disk, &about, sql).await?;
            bench.figures.add_time(names[2], wall);
            bench.figures.add_time(names[3], cpu);
            if (rows, others) != (*groups, *groups) {
                return Err(format!("{rows} and {others} groups are not {groups}").into());
            }
        }
    }
    Ok(())
}

/// From the question to its answer: rows, wall time, QEMU's CPU.
type Cost = (usize, Duration, Duration);

async fn protected(pool: &Pool, disk: &Disk, about: &Question, sql: &str) -> Outcome<Cost> {
    quiet().await;
    let vm = pool.take().await?;
    let (facts, process) = (vm.facts().clone(), vm.process_id());
    let scratch = Disk::new(&std::env::temp_dir())?;
    let writable = Writable { file: scratch.writable()?, bytes: SCRATCH };
    let disks = Disks { data: disk.read_only()?, scratch: Some(writable), ..Disks::default() };
    let mut vm = vm.attach(disks).await?;
    let (begun, cpu) = (Moment::now(), process::cpu(process)?);
    let asked = question(&facts, sql, about);
    let limits = Limits { scratch_bytes: SCRATCH, ..asked.limits.unwrap_or_default() };
    say(&mut vm, Word::Question(Question { limits: Some(limits), ..asked })).await?;
    let FromZone::KeyRequest(request) = hear(&mut vm).await? else { return Err("the guest asks for no keys".into()) };
    say(&mut vm, Word::Keys(sealed(&facts, about, &request)?)).await?;
    let rows = answered(&mut vm).await?;
    Ok((rows, begun.elapsed(), process::cpu(process)?.saturating_sub(cpu)))
}

async fn unprotected(pool: &Pool, disk: &Disk, about: &Question, sql: &str) -> Outcome<Cost> {
    quiet().await;
    let vm = pool.take().await?;
    let (facts, process) = (vm.facts().clone(), vm.process_id());
    let mut vm = vm.attach(Disks { data: disk.read_only()?, ..Disks::default() }).await?;
    let (begun, cpu) = (Moment::now(), process::cpu(process)?);
    say(&mut vm, Word::Question(question(&facts, &format!("encrypted {sql}"), about))).await?;
    let rows = answered(&mut vm).await?;
    Ok((rows, begun.elapsed(), process::cpu(process)?.saturating_sub(cpu)))
}

/// Of every household each hour, and in one district.
const QUESTIONS: &[(usize, &str, [&str; 4])] = &[
    (
        24,
        "SELECT hour, SUM(watt_hours) AS total FROM readings GROUP BY hour",
        ["protected.24", "protected.24.cpu", "open.24", "open.24.cpu"],
    ),
    (
        576,
        "SELECT hour, district, SUM(watt_hours) AS total FROM readings GROUP BY hour, district",
        ["protected.576", "protected.576.cpu", "open.576", "open.576.cpu"],
    ),
];
/// Bytes: as a gateway gives.
const SCRATCH: u64 = 4 << 30;

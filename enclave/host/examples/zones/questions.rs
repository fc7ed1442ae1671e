//! A question to a clone that waits: until QEMU first reads the data for the engine, which has its keys then.
//!
//! Begins where the zone host has the lease's turn. In it are the taking of the clone, its disk, planning and judging
//! the question, and sealing and opening the keys.

use std::{fs, fs::File, time::Instant as Moment};

use octroi_host::{Disks, Pool};
use octroi_proto::wire::zone::{Question, to_host::Message as FromZone, to_zone::Message as Word};
use prost::Message as _;

use super::{
    Bench, Figures, Outcome,
    conversation::{answered, hear, question, say, sealed},
    disk::Disk,
    filled, process,
};

pub(super) async fn measure(bench: &mut Bench) -> Outcome<()> {
    let about = Question::decode(fs::read(bench.table.join("question.pb"))?.as_slice())?;
    let mut disk = Disk::new(&bench.table)?;
    disk.put(&mut File::open(bench.table.join("encrypted.parquet"))?)?;
    let pool = bench.pool(&bench.image, WAITING).await?;
    for _ in 0..bench.rounds {
        filled(&pool, WAITING).await?;
        ask(&pool, &about, &disk, &mut bench.figures).await?;
    }
    Ok(())
}

async fn ask(pool: &Pool, about: &Question, disk: &Disk, figures: &mut Figures) -> Outcome<()> {
    let begun = Moment::now();
    let vm = pool.take().await?;
    let (facts, process) = (vm.facts().clone(), vm.process_id());
    let cpu = process::cpu(process)?;
    let mut vm = vm.attach(Disks { data: disk.read_only()?, ..Disks::default() }).await?;
    let attached = begun.elapsed();
    say(&mut vm, Word::Question(question(&facts, SQL, about))).await?;
    let FromZone::KeyRequest(request) = hear(&mut vm).await? else { return Err("the guest asks for no keys".into()) };
    let planned = begun.elapsed();
    let first_read = disk.next_read()?;
    say(&mut vm, Word::Keys(sealed(&facts, about, &request)?)).await?;
    let at_work = first_read.await??.duration_since(begun);
    let spent = process::cpu(process)?.saturating_sub(cpu);
    if answered(&mut vm).await? != HOURS {
        return Err("the answer is not of every hour".into());
    }
    figures.add_time("pooled.attached", attached);
    figures.add_time("pooled.planned", planned);
    figures.add_time("pooled.wall", at_work);
    figures.add_time("pooled.cpu", spent);
    figures.add_time("pooled.answered", begun.elapsed());
    Ok(())
}

const SQL: &str = "SELECT hour, SUM(watt_hours) AS total FROM readings GROUP BY hour";
const HOURS: usize = 24;
/// As the gateway's own settings have it.
const WAITING: usize = 2;

//! What a clone costs: until its guest's first word after the seed, and until its engine waits.
//!
//! The guest of benchmarks has the same kernel and first process, and says its first word when the seed is planted; a
//! zone says it when the engine has started besides. The difference, round by round, is the engine's start.

use std::time::{Duration, Instant as Moment};

use octroi_host::Pool;

use super::{Bench, Outcome, process, quiet};

pub(super) async fn measure(bench: &mut Bench) -> Outcome<()> {
    let (seeded, ready) = (bench.pool(&bench.bench_image, 0).await?, bench.pool(&bench.image, 0).await?);
    for _ in 0..bench.rounds {
        let (first, engine) = (Cost::of(&seeded).await?, Cost::of(&ready).await?);
        let figures = &mut bench.figures;
        figures.add_time("clone.wall", first.wall);
        figures.add_time("clone.cpu", first.cpu);
        figures.add("clone.memory", first.mebibytes);
        figures.add_time("engine.wall", engine.wall.saturating_sub(first.wall));
        figures.add_time("engine.cpu", engine.cpu.saturating_sub(first.cpu));
        figures.add("engine.memory", engine.mebibytes);
    }
    Ok(())
}

struct Cost {
    wall: Duration,
    cpu: Duration,
    mebibytes: f64,
}

impl Cost {
    /// Of one clone from a pool that keeps none.
    async fn of(pool: &Pool) -> Outcome<Self> {
        quiet().await;
        let begun = Moment::now();
        let vm = pool.take().await?;
        let wall = begun.elapsed();
        Ok(Self { wall, cpu: process::cpu(vm.process_id())?, mebibytes: process::private_mebibytes(vm.process_id())? })
    }
}

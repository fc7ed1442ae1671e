//! Measures zones on this machine, for `cargo xtask bench zone`: `zones IMAGE BENCH-IMAGE TABLE ACCELERATOR ROUNDS`; with
//! `cost` behind these, what release control costs, for `cargo xtask bench release`.
//!
//! ```text
//! clones:    from nothing to the first answer, to the engine that waits; their memory
//! questions: from a pool that is asked to the engine's first read of its data
//! reads:     of a disk, and of the same rows encrypted and in clear
//! ```
//! The pool, the jail and the guests are those of `octroi zone-host`; this program stands in for it, for serve and for
//! the key process at once, so what these add is not in the figures. The table and its keys are made up by the guest of
//! benchmarks. Prints a line of JSON for each figure, its values in the order measured.

#![expect(clippy::print_stdout, reason = "what was measured is printed")]

mod clones;
mod conversation;
mod cost;
mod disk;
mod process;
mod questions;
mod reads;

use std::{
    collections::BTreeMap,
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant as Moment},
};

use octroi_attest::launch::Accelerator;
use octroi_host::{Image, Pool, PoolSettings};
use octroi_proto::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is measured, and with what.
struct Bench {
    image: Image,
    bench_image: Image,
    /// A folder that the guest of benchmarks made a table in.
    table: PathBuf,
    accelerator: Accelerator,
    rounds: usize,
    figures: Figures,
}

/// Values by figure.
#[derive(Default)]
struct Figures(BTreeMap<&'static str, Vec<f64>>);

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [image, bench_image, table, accelerator, rounds, more @ ..] = words.as_slice() else {
        return Err("usage: zones IMAGE BENCH-IMAGE TABLE tcg|kvm ROUNDS [cost]".into());
    };
    let mut bench = Bench {
        image: Image::open(image)?,
        bench_image: Image::open(bench_image)?,
        table: table.into(),
        accelerator: match accelerator.as_str() {
            "tcg" => Accelerator::Tcg,
            "kvm" => Accelerator::Kvm,
            other => return Err(format!("`{other}` is not `tcg` or `kvm`").into()),
        },
        rounds: rounds.parse()?,
        figures: Figures::default(),
    };
    if more.first().is_some_and(|what| what == "cost") {
        cost::measure(&mut bench).await?;
    } else {
        clones::measure(&mut bench).await?;
        questions::measure(&mut bench).await?;
        reads::measure(&mut bench).await?;
    }
    for (figure, values) in &bench.figures.0 {
        println!("{}", serde_json::json!({ "figure": figure, "values": values }));
    }
    Ok(())
}

impl Figures {
    fn add(&mut self, figure: &'static str, value: f64) {
        self.0.entry(figure).or_default().push(value);
    }

    fn add_time(&mut self, figure: &'static str, time: Duration) {
        self.add(figure, time.as_secs_f64() * 1_000.0);
    }
}

impl Bench {
    /// A pool that keeps so many waiting, its template made.
    async fn pool(&self, image: &Image, waiting: usize) -> Outcome<Pool> {
        let pool = Pool::start(self.settings(waiting)?, image.clone()).await?;
        drop(pool.take().await?);
        Ok(pool)
    }

    #[expect(clippy::disallowed_methods, reason = "the clock that the pool is given")]
    fn settings(&self, waiting: usize) -> Outcome<PoolSettings> {
        let processors = std::thread::available_parallelism()?.get();
        Ok(PoolSettings {
            qemu: "/usr/bin/qemu-system-x86_64".into(),
            bubblewrap: "/usr/bin/bwrap".into(),
            user: 64_803,
            accelerator: Some(self.accelerator),
            memory_mib: 512,
            processors: processors.try_into()?,
            waiting,
            longest_wait: Duration::from_secs(600),
            danger_swap_in_clear: true,
            clock: Arc::new(Instant::now),
        })
    }
}

/// Lets what was killed be cleared away before the next is measured.
async fn quiet() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Waits until as many clones wait as should.
async fn filled(pool: &Pool, waiting: usize) -> Outcome<()> {
    let begun = Moment::now();
    while pool.inspection().waiting < waiting {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("the pool does not fill".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    quiet().await;
    Ok(())
}

//! Runs a judged plan over encrypted tables: cells and what subjects bring to each, then of those that may leave the
//! answer.
//!
//! Each question has a memory pool, a place to spill and a cache of its own, and nothing of them is left after it. Panics
//! of the engine or of the Parquet crate end the question, not this process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    compute::concat_batches,
    error::ArrowError,
};
use datafusion::{
    catalog::TableProvider,
    common::DataFusionError,
    datasource::MemTable,
    execution::{
        SessionState, SessionStateBuilder, TempFileFactory,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::FairSpillPool,
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::LogicalPlan,
    physical_plan::execute_stream,
    prelude::SessionConfig,
};
use futures::StreamExt as _;
use octroi_release::{
    CellRules, Control, CountedCell, Expression, FinestCell, RowColumn, Rows, Ruling, budget, history::Release,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    counted::{CountedSet, finest_cells, number},
    earlier::Earlier,
    noisy::{Drawn, Noisy},
    question::Limits,
    raise::plan::{self, Measured, Tables},
    refusal::Cause,
    released,
};

/// The threads that a question runs on.
pub(super) struct Executor {
    runtime: Runtime,
    threads: usize,
}

/// A judged plan and what it reads.
pub(super) struct Run {
    pub(super) ruling: Arc<Ruling>,
    /// The ruling by which earlier answers' rows are counted: that, or the same beside what its rows lead to.
    pub(super) ground: Arc<Ruling>,
    /// Which cells may leave.
    pub(super) cells: CellRules,
    /// Those that the plan scans, in the order of the question.
    pub(super) tables: Vec<Option<Arc<dyn TableProvider>>>,
    pub(super) limits: Limits,
    /// What was released before; none for a question about nobody.
    pub(super) earlier: Option<Earlier>,
    /// How much all answers together may let know; no bound for a question about nobody.
    pub(super) information: Option<budget::Limits>,
    /// How it is answered with noise, if it can be.
    pub(super) noisy: Option<Noisy>,
    /// Where to spill; nowhere if there is none.
    pub(super) scratch: Option<Arc<dyn TempFileFactory>>,
}

/// What may leave.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Keys of the kept cells, then their aggregates.
    pub(super) kept: RecordBatch,
    /// The answer's rows.
    pub(super) rows: RecordBatch,
    /// What is to be recorded of it; none of an answer about nobody.
    pub(super) release: Option<Release>,
    /// The noise in it.
    pub(super) noise: Option<Drawn>,
    /// Whether nothing in it is without.
    pub(super) noise_alone: bool,
}

impl Executor {
    /// Threads for as many CPUs; a single one runs everything by itself.
    ///
    /// # Errors
    /// Those of starting threads.
    pub(super) fn start(threads: usize) -> std::io::Result<Self> {
        let mut builder = if threads > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
        let builder = builder.worker_threads(threads.max(1)).max_blocking_threads(MOST_READERS);
        let runtime = builder.thread_stack_size(STACK).enable_time().build()?;
        Ok(Self { runtime, threads: threads.max(1) })
    }

    /// Runs a plan until it is done, fails or is out of time.
    ///
    /// # Errors
    /// [`Cause`].
    pub(super) fn run(&self, run: Run, deadline: Instant) -> Result<Outcome, Cause> {
        let left = deadline.saturating_duration_since(Instant::now());
        let threads = self.threads;
        self.runtime.block_on(async move {
            let work = tokio::spawn(async move { run.outcome(threads).await });
            match tokio::time::timeout(left, work).await {
                // Work that ends as its time does is looked at first.
                Ok(Ok(_)) if Instant::now() >= deadline => Err(Cause::OutOfTime),
                Ok(Ok(outcome)) => outcome,
                // A panic: its text is nobody's business.
                Ok(Err(_)) => Err(Cause::EngineFailed),
                Err(_) => Err(Cause::OutOfTime),
            }
        })
    }

    /// Lets go of what still runs.
    pub(super) fn stop(self) {
        self.runtime.shutdown_timeout(Duration::ZERO);
    }
}

impl Run {
    async fn outcome(self, threads: usize) -> Result<Outcome, Cause> {
        let session = self.session(threads)?;
        for column in self.ground.unique() {
            let most = collect(&session, plan::most_frequent(&self.ground, &self.tables, column)?, self.limits.memory);
            if number(&most.await?)?.is_some_and(|most| most > 1) {
                return Err(Cause::AmbiguousKey);
            }
        }
        if let (Some(noisy), Some(earlier)) = (self.noisy.as_ref().filter(|noisy| noisy.alone()), &self.earlier) {
            let (cells, rows, drawn) = self.noise_alone(&session, noisy).await?;
            let kept = released::batch(&self.ruling, &cells, rows)?;
            let release = Some(earlier.release(Vec::new()));
            let rows = self.steps(&kept).await?;
            return Ok(Outcome { kept, rows, release, noise: Some(drawn), noise_alone: true });
        }
        let cells = self.counted(&session).await?;
        let finest = self.finest(&session).await?;
        let mut control = Control::new(&self.ruling, self.cells, &cells, &finest);
        if control.is_empty() {
            return Err(Cause::TooFewSubjects);
        }
        let (mut release, mut noise) = (None, None);
        if let Some(earlier) = &self.earlier {
            let audited = earlier.audit(&self, &session, &mut control).await?;
            noise = self.add_noise(&session, &cells, &audited.kept_back, &mut control).await?;
            release = Some(audited.release);
        }
        self.sides(&session, &cells, &mut control).await?;
        if control.is_empty() {
            return Err(Cause::Disclosive);
        }
        let kept = released::batch(&self.ruling, &cells, control.rows())?;
        let rows = self.steps(&kept).await?;
        Ok(Outcome { kept, rows, release, noise, noise_alone: false })
    }

    /// What follows the cells, over those that leave.
    async fn steps(&self, kept: &RecordBatch) -> Result<RecordBatch, Cause> {
        let table = MemTable::try_new(kept.schema(), vec![vec![kept.clone()]])?;
        let steps = plan::steps(&self.ruling, Arc::new(table))?;
        // One partition keeps the order of the kept cells where the question asks for none.
        collect(&self.session(1)?, steps, self.limits.memory).await
    }

    /// The cells of all grouping sets, and what subjects contribute to each.
    async fn counted(&self, session: &SessionState) -> Result<Vec<CountedCell>, Cause> {
        let categories = self.categories();
        let plan = self.ruling.plan();
        let mut all = Vec::new();
        for (set, keys) in plan.sets.iter().enumerate() {
            let cells = plan::cells(&self.ruling, &self.tables, set, &categories)?;
            let cells = collect(session, cells, self.limits.memory).await?;
            if all.len() + cells.num_rows() > MOST_CELLS {
                return Err(Cause::TooManyRows);
            }
            let keys: Vec<_> = keys.iter().filter_map(|key| plan.keys.get(*key)).cloned().collect();
            let units = self.of_units(session, (&self.tables, &plan.rows), &keys, &self.of_scopes()).await?;
            all.extend(CountedSet { set, cells, units }.read(&self.ruling, categories.len())?);
        }
        Ok(all)
    }

    /// Those that must not be the same for all.
    pub(super) fn categories(&self) -> Vec<RowColumn> {
        if self.cells.homogeneity() { self.ruling.categories() } else { Vec::new() }
    }

    /// The finest parts of the answer's cells, where they are none of its own.
    async fn finest(&self, session: &SessionState) -> Result<Vec<FinestCell>, Cause> {
        let Some(finest) = self.ruling.finest() else { return Ok(Vec::new()) };
        let measured: Vec<Measured> =
            self.ruling.measures().into_iter().map(|measure| Measured { within: None, measure }).collect();
        let units = self.of_units(session, (&self.tables, &self.ruling.plan().rows), &finest.keys, &measured).await?;
        let categories = self.categories();
        let different = if categories.is_empty() {
            None
        } else {
            let different = plan::categories(&self.ruling, &self.tables, &finest.keys, &categories)?;
            Some(collect(session, different, self.limits.memory).await?)
        };
        finest_cells(&self.ruling, &units, measured.len(), different.as_ref())
    }

    /// Of each unit, what its subjects contribute to cells of these rows.
    pub(super) async fn of_units(
        &self,
        session: &SessionState,
        (tables, rows): (&Tables, &Rows),
        keys: &[Expression<RowColumn>],
        measured: &[Measured],
    ) -> Result<Vec<RecordBatch>, Cause> {
        let mut units = Vec::with_capacity(self.ruling.units().len());
        for unit in self.ruling.units() {
            let statistics = plan::statistics(&self.ruling, tables, rows, keys, unit.column, measured)?;
            let statistics = collect(session, statistics, self.limits.memory).await?;
            if statistics.num_rows() > MOST_CELLS {
                return Err(Cause::TooManyRows);
            }
            units.push(statistics);
        }
        Ok(units)
    }

    /// Of each scope, what is measured in it.
    fn of_scopes(&self) -> Vec<Measured> {
        let measures = self.ruling.measures();
        let of_scope = |scope: usize| {
            let within = self.ruling.scope_condition(scope);
            let counted = measures.iter().zip(self.ruling.told(scope)).filter(|(_, told)| told.is_some());
            let counted = counted.map(|(measure, _)| Measured { within: within.clone(), measure: measure.clone() });
            counted.collect::<Vec<_>>()
        };
        (0..self.ruling.scopes().len()).flat_map(of_scope).collect()
    }

    fn session(&self, threads: usize) -> Result<SessionState, Cause> {
        let spill = match &self.scratch {
            Some(scratch) => DiskManagerMode::Custom(Arc::clone(scratch)),
            None => DiskManagerMode::Disabled,
        };
        let disk = DiskManagerBuilder::default().with_mode(spill).with_max_temp_directory_size(self.limits.scratch);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(self.limits.memory)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let config = SessionConfig::new().with_target_partitions(threads).with_information_schema(false);
        Ok(SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).build())
    }
}

/// Plans and runs, and gathers what comes as long as it fits in memory.
pub(super) async fn collect(session: &SessionState, plan: LogicalPlan, memory: usize) -> Result<RecordBatch, Cause> {
    let physical = session.create_physical_plan(&plan).await?;
    let mut stream = execute_stream(physical, session.task_ctx())?;
    let schema = stream.schema();
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut bytes = 0_usize;
    while let Some(batch) = stream.next().await {
        let batch = compact(batch?)?;
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > memory {
            return Err(Cause::OutOfMemory);
        }
        batches.push(batch);
    }
    concat_batches(&schema, &batches).map_err(engine)
}

/// Texts that are views keep alive whatever they were cut from: a cell, all of the batch that it was read in.
fn compact(batch: RecordBatch) -> Result<RecordBatch, Cause> {
    let (schema, columns, _) = batch.into_parts();
    let column = |column: ArrayRef| match column.as_string_view_opt() {
        Some(texts) => Arc::new(texts.gc()),
        None => column,
    };
    RecordBatch::try_new(schema, columns.into_iter().map(column).collect()).map_err(engine)
}

fn engine(error: ArrowError) -> Cause {
    Cause::from(DataFusionError::from(error))
}

/// Most cells of a question, of all its grouping sets.
const MOST_CELLS: usize = 50_000;
/// Reads of the disk at one time.
const MOST_READERS: usize = 8;
/// Of a thread. Bytes.
const STACK: usize = 8 * 1024 * 1024;

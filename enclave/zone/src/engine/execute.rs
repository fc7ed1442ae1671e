//! Runs a judged plan over encrypted tables: cells with their counts, then of those that may leave the answer.
//!
//! Each question has a memory pool, a place to spill and a cache of its own, and nothing of them is left after it. Panics
//! of the engine or of the Parquet crate end the question, not this process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array},
    compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch},
    datatypes::{Field, Schema, SchemaRef, UInt64Type},
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
use octroi_release::{Judged, LeastSubjects};
use tokio::runtime::{Builder, Runtime};

use super::{
    question::Limits,
    raise::{
        form,
        plan::{self, cell_name},
    },
    refusal::Cause,
};

/// The threads that a question runs on.
pub(super) struct Executor {
    runtime: Runtime,
    threads: usize,
}

/// A judged plan and what it reads.
pub(super) struct Run {
    pub(super) judged: Arc<Judged>,
    /// Those that the plan scans, in the order of the question.
    pub(super) tables: Vec<Option<Arc<dyn TableProvider>>>,
    pub(super) limits: Limits,
    pub(super) least_subjects: LeastSubjects,
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
        let cells = plan::cells(&self.judged, &self.tables, self.least_subjects)?;
        let cells = collect(&session, cells, self.limits.memory).await?;
        let kept = self.kept(&cells)?;
        drop(cells);
        let table = MemTable::try_new(kept.schema(), vec![vec![kept.clone()]])?;
        let steps = plan::steps(&self.judged, Arc::new(table))?;
        // One partition keeps the order of the kept cells where the question asks for none.
        let rows = collect(&self.session(1)?, steps, self.limits.memory).await?;
        Ok(Outcome { kept, rows })
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

    /// The cells that may leave, without their counts, in the order of their keys: the engine's own order could tell of
    /// those that are left out.
    fn kept(&self, cells: &RecordBatch) -> Result<RecordBatch, Cause> {
        let width = self.judged.cell_types().len();
        let counts = cells.columns().iter().skip(width).map(counted).collect::<Result<Vec<_>, _>>()?;
        let kept = self.judged.keep(cells.num_rows(), &counts, self.least_subjects).map_err(|_| Cause::EngineFailed)?;
        if kept.is_empty() {
            return Err(Cause::TooFewSubjects);
        }
        let places = UInt64Array::from_iter_values(kept.places().iter().map(|place| *place as u64));
        let columns: Vec<ArrayRef> = cells.columns().iter().take(width).map(Arc::clone).collect();
        let kept = take_record_batch(&RecordBatch::try_new(self.cell_schema(), columns).map_err(engine)?, &places);
        sorted(&kept.map_err(engine)?, self.judged.plan().keys.len())
    }

    fn cell_schema(&self) -> SchemaRef {
        let fields = self.judged.cell_types().iter().enumerate();
        let fields = fields.map(|(place, holds)| Field::new(cell_name(place), form(*holds), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Plans and runs, and gathers what comes as long as it fits in memory.
async fn collect(session: &SessionState, plan: LogicalPlan, memory: usize) -> Result<RecordBatch, Cause> {
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

fn counted(counts: &ArrayRef) -> Result<&[u64], Cause> {
    let counts = counts.as_primitive_opt::<UInt64Type>().filter(|counts| counts.null_count() == 0);
    counts.map(|counts| counts.values().as_ref()).ok_or(Cause::EngineFailed)
}

fn sorted(cells: &RecordBatch, keys: usize) -> Result<RecordBatch, Cause> {
    let column = |column: &ArrayRef| SortColumn { values: Arc::clone(column), options: None };
    let by: Vec<SortColumn> = cells.columns().iter().take(keys).map(column).collect();
    if by.is_empty() {
        return Ok(cells.clone());
    }
    let order = lexsort_to_indices(&by, None).map_err(engine)?;
    take_record_batch(cells, &order).map_err(engine)
}

fn engine(error: ArrowError) -> Cause {
    Cause::from(DataFusionError::from(error))
}

/// Reads of the disk at one time.
const MOST_READERS: usize = 8;
/// Of a thread. Bytes.
const STACK: usize = 8 * 1024 * 1024;

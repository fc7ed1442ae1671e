//! A question, parsed from the wire.

use std::time::Duration;

use octroi_attest::{LaunchId, WorkId};
use octroi_proto::wire::zone as wire;
use octroi_release::{LeastSubjects, Schemas, Table};

use crate::table;

/// A question and all it may read.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) query: WorkId,
    pub(super) launch: LaunchId,
    pub(super) sql: String,
    pub(super) tables: Vec<AskedTable>,
    pub(super) schemas: Schemas,
    pub(super) limits: Limits,
    pub(super) least_subjects: LeastSubjects,
}

/// A table that the question may read.
#[derive(Debug)]
pub(super) struct AskedTable {
    pub(super) dataset: String,
    pub(super) name: String,
    /// As its files are laid out.
    pub(super) layout: table::Schema,
    pub(super) files: Vec<wire::TableFile>,
}

/// What one question may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) memory: usize,
    pub(super) scratch: u64,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) wall: Duration,
}

/// A question that contradicts itself: whoever sent it is at fault, not who asked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the question, its tables or its limits are malformed")]
pub(super) struct Malformed;

impl Question {
    /// Parses a question.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(super) fn parse(wire: wire::Question) -> Result<Self, Malformed> {
        let schemas =
            wire.tables.iter().map(|table| Table::parse(table.schema.as_ref().ok_or(Malformed)?).or(Err(Malformed)));
        Ok(Self {
            query: wire.query_id.as_slice().try_into().map_err(|_| Malformed)?,
            launch: wire.launch_id.as_slice().try_into().map_err(|_| Malformed)?,
            schemas: Schemas::new(schemas.collect::<Result<_, _>>()?),
            sql: wire.sql,
            tables: wire.tables.into_iter().map(AskedTable::parse).collect::<Result<_, _>>()?,
            limits: Limits::parse(&wire.limits.ok_or(Malformed)?)?,
            least_subjects: LeastSubjects::new(wire.least_subjects).ok_or(Malformed)?,
        })
    }
}

impl AskedTable {
    fn parse(wire: wire::Table) -> Result<Self, Malformed> {
        let schema = wire.schema.ok_or(Malformed)?;
        let layout = table::Schema::parse(&schema).map_err(|_| Malformed)?;
        Ok(Self { dataset: wire.dataset, name: schema.name, layout, files: wire.files })
    }
}

impl Limits {
    fn parse(wire: &wire::Limits) -> Result<Self, Malformed> {
        let size = |bytes: u64| usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).ok_or(Malformed);
        Ok(Self {
            memory: size(wire.memory_bytes)?,
            scratch: wire.scratch_bytes,
            rows: size(wire.result_rows)?,
            bytes: size(wire.result_bytes)?,
            wall: Duration::from_millis(wire.wall_milliseconds),
        })
    }
}

//! Encrypted files as a table of the query engine.

use std::{collections::BTreeMap, fmt, io, ops::Range, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result, Statistics, stats::Precision},
    datasource::{
        listing::PartitionedFile,
        physical_plan::{
            FileGroup, FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource,
            parquet::{ParquetAccessPlan, RowGroupAccess},
        },
        source::DataSourceExec,
    },
    execution::object_store::ObjectStoreUrl,
    logical_expr::{Expr, TableType},
    physical_plan::{ExecutionPlan, empty::EmptyExec, metrics::ExecutionPlanMetricsSet},
};
use futures::{FutureExt, future::BoxFuture};
use octroi_attest::FileKeys;
use octroi_proto::wire::zone;
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};

use super::{Disk, OpenError, Schema, open::OpenFile};

/// One table, of which those columns can be read whose keys were given.
///
/// It tells the engine no statistics but a rough number of rows: exact ones would answer questions by themselves. Row
/// groups are left out by the statistics of columns whose key is there.
#[derive(Debug)]
pub struct EncryptedTable {
    schema: SchemaRef,
    files: Arc<Files>,
}

/// What readers of the table's files share.
#[derive(Debug)]
struct Files {
    disk: Disk,
    /// By the name under which the engine asks for them.
    files: BTreeMap<String, OpenFile>,
}

/// Reads of one file.
struct FileReader {
    disk: Disk,
    file: OpenFile,
}

impl EncryptedTable {
    /// Opens a table's files, refusing the whole if one is not what it should be. `keys` has one entry for each file,
    /// in any order.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        disk: &Disk,
        dataset: &str,
        schema: &Schema,
        files: &[zone::TableFile],
        keys: &[FileKeys],
    ) -> Result<Self, OpenError> {
        let mut opened = BTreeMap::new();
        for file in files {
            let keys = keys.iter().find(|keys| keys.file_id.as_bytes().as_slice() == file.file_id);
            let file = OpenFile::open(disk, file, dataset, schema, keys.ok_or(OpenError::Keys)?)?;
            if opened.insert(file.id().to_string(), file).is_some() {
                return Err(OpenError::Pins);
            }
        }
        Ok(Self { schema: schema.asked(), files: Arc::new(Files { disk: disk.clone(), files: opened }) })
    }

    /// Rows in all files.
    fn rows(&self) -> usize {
        let rows = self.files.files.values().map(|file| file.metadata().file_metadata().num_rows());
        usize::try_from(rows.sum::<i64>()).unwrap_or(usize::MAX)
    }

    /// A part for each row group, dealt out to as many partitions; idle ones take from others.
    fn parts(&self, partitions: usize) -> Vec<FileGroup> {
        let mut parts: Vec<Vec<PartitionedFile>> = vec![Vec::new(); partitions.max(1)];
        let groups = self.files.files.iter().flat_map(|(name, file)| {
            let groups = file.metadata().num_row_groups();
            (0..groups).map(move |group| {
                let mut plan = ParquetAccessPlan::new_none(groups);
                plan.set(group, RowGroupAccess::Scan);
                // A length of 0 keeps the engine from cutting by byte ranges: it would go by the place of the first
                // column, which is unknown without its key.
                PartitionedFile::new(name.as_str(), 0).with_extension(plan)
            })
        });
        for (turn, part) in groups.enumerate() {
            let turn = turn % parts.len();
            if let Some(parts) = parts.get_mut(turn) {
                parts.push(part);
            }
        }
        parts.into_iter().filter(|part| !part.is_empty()).map(FileGroup::new).collect()
    }
}

#[async_trait]
impl TableProvider for EncryptedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(self.rows());
        Some(statistics)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let parts = self.parts(state.config().target_partitions());
        if parts.is_empty() {
            let schema = match projection {
                Some(projection) => Arc::new(self.schema.project(projection)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let source = ParquetSource::new(self.schema())
            .with_parquet_file_reader_factory(Arc::clone(&self.files) as Arc<dyn ParquetFileReaderFactory>)
            .with_enable_page_index(false)
            .with_bloom_filter_on_read(false);
        // The store behind this address is never asked.
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(parts)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_statistics(self.statistics().unwrap_or_default())
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl ParquetFileReaderFactory for Files {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let opened = self.files.get(file.path().as_ref());
        let opened = opened.ok_or_else(|| DataFusionError::Internal("no such file".to_owned()))?;
        Ok(Box::new(FileReader { disk: self.disk.clone(), file: opened.clone() }))
    }
}

impl FileReader {
    /// Where on the disk a range of the file is.
    fn place(&self, range: &Range<u64>) -> Result<Range<u64>, ParquetError> {
        let extent = self.file.extent();
        let start = extent.start.checked_add(range.start);
        let end = extent.start.checked_add(range.end);
        match (start, end) {
            (Some(start), Some(end)) if start <= end && end <= extent.end => Ok(start..end),
            _ => Err(ParquetError::EOF("a range lies outside the file".to_owned())),
        }
    }

    /// Reads aside, so that the engine's threads go on.
    fn read(&self, ranges: &[Range<u64>]) -> BoxFuture<'static, Result<Vec<Bytes>, ParquetError>> {
        let places = ranges.iter().map(|range| self.place(range)).collect::<Result<Vec<_>, _>>();
        let disk = self.disk.clone();
        async move {
            let places = places?;
            let read = tokio::task::spawn_blocking(move || disk.read_all(&places)).await;
            read.map_err(io::Error::other).flatten().map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let read = self.read(&[range]);
        async move { Ok(read.await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        self.read(&ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        futures::future::ready(Ok(Arc::clone(self.file.metadata()))).boxed()
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("file", &self.file.id()).finish_non_exhaustive()
    }
}

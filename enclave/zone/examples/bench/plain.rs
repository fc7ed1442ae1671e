//! A Parquet file in clear as a table of the query engine: `EncryptedTable` without keys, pins or checks.

use std::{io, ops::Range, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
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
    physical_plan::{ExecutionPlan, metrics::ExecutionPlanMetricsSet},
};
use futures::{FutureExt as _, future::BoxFuture};
use octroi_zone::table::Disk;
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::ParquetError,
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
};

use super::Outcome;

/// A table of one file.
#[derive(Debug)]
pub(super) struct PlainTable {
    schema: SchemaRef,
    file: PlainFile,
}

#[derive(Debug, Clone)]
struct PlainFile {
    disk: Disk,
    extent: Range<u64>,
    metadata: Arc<ParquetMetaData>,
}

impl PlainTable {
    /// Opens the file that lies there.
    pub(super) fn open(disk: &Disk, extent: Range<u64>, schema: SchemaRef) -> Outcome<Self> {
        let footer = disk.read(extent.start.max(extent.end.saturating_sub(MOST_FOOTER))..extent.end)?;
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        reader.try_parse_sized(&footer, extent.end - extent.start)?;
        let metadata = Arc::new(reader.finish()?);
        Ok(Self { schema, file: PlainFile { disk: disk.clone(), extent, metadata } })
    }

    /// Row groups dealt out as those of encrypted tables are.
    fn parts(&self, partitions: usize) -> Vec<FileGroup> {
        let groups = self.file.metadata.num_row_groups();
        let mut parts: Vec<Vec<PartitionedFile>> = vec![Vec::new(); partitions.max(1)];
        let dealt = parts.len();
        for group in 0..groups {
            let mut plan = ParquetAccessPlan::new_none(groups);
            plan.set(group, RowGroupAccess::Scan);
            if let Some(part) = parts.get_mut(group % dealt) {
                part.push(PartitionedFile::new("plain", 0).with_extension(plan));
            }
        }
        parts.into_iter().filter(|part| !part.is_empty()).map(FileGroup::new).collect()
    }
}

#[async_trait]
impl TableProvider for PlainTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = ParquetSource::new(self.schema())
            .with_parquet_file_reader_factory(Arc::new(self.file.clone()))
            .with_enable_page_index(false)
            .with_bloom_filter_on_read(false);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(self.parts(state.config().target_partitions()))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl ParquetFileReaderFactory for PlainFile {
    fn create_reader(
        &self,
        _partition: usize,
        _file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(self.clone()))
    }
}

impl AsyncFileReader for PlainFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let read = self.get_byte_ranges(vec![range]);
        async move { Ok(read.await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        let (disk, start) = (self.disk.clone(), self.extent.start);
        let places: Vec<_> = ranges.iter().map(|range| start + range.start..start + range.end).collect();
        async move {
            let read = tokio::task::spawn_blocking(move || disk.read_all(&places)).await;
            read.map_err(io::Error::other).flatten().map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        futures::future::ready(Ok(Arc::clone(&self.metadata))).boxed()
    }
}

const MOST_FOOTER: u64 = 1 << 20;

//! `TableService`.

use bytes::Bytes;
use futures::{Stream, stream};
use octroi_proto::{
    DatasetId, DatasetSchema, TableFormat,
    wire::v1::{
        self, load_table_request,
        table_service_server::{TableService, TableServiceServer},
    },
};
use tonic::{Request, Response, Status, Streaming};
use tower::BoxError;

use super::{caller, field};
use crate::{answer::Refusal, authorise, gateway::Gateway, listen::Patience, zone::load::LoadHead};

/// Bytes to a message.
const MESSAGE: usize = 1 << 20;

/// The service.
pub(super) fn service(gateway: Gateway) -> TableServiceServer<Tables> {
    // A message of 1 MiB and its framing.
    TableServiceServer::new(Tables(gateway)).max_decoding_message_size(MESSAGE + 4096)
}

pub(super) struct Tables(Gateway);

#[tonic::async_trait]
impl TableService for Tables {
    async fn declare_schema(
        &self,
        request: Request<v1::DeclareSchemaRequest>,
    ) -> Result<Response<v1::DatasetSchema>, Status> {
        let caller = caller(&request)?;
        let schema = request.into_inner().schema.unwrap_or_default();
        let dataset: DatasetId = field("schema.dataset", schema.dataset.parse())?;
        // Before the schema is looked at: strangers learn nothing of what would be accepted.
        let permit = self.0.permit::<authorise::DeclareSchema>(&caller, &dataset)?;
        let schema = DatasetSchema::try_from(schema).map_err(Refusal::from)?;
        let schema = self.0.declare_schema(permit, schema).await?;
        Ok(Response::new((&schema).into()))
    }

    async fn get_schema(&self, request: Request<v1::GetSchemaRequest>) -> Result<Response<v1::DatasetSchema>, Status> {
        let caller = caller(&request)?;
        let dataset = field("dataset", request.into_inner().dataset.parse())?;
        Ok(Response::new((&self.0.schema(&caller, &dataset)?).into()))
    }

    async fn get_ingest_key(
        &self,
        request: Request<v1::GetIngestKeyRequest>,
    ) -> Result<Response<v1::IngestKey>, Status> {
        let caller = caller(&request)?;
        let dataset = field("dataset", request.into_inner().dataset.parse())?;
        Ok(Response::new(self.0.ingest_key(&caller, &dataset).await?))
    }

    async fn load(
        &self,
        request: Request<Streaming<v1::LoadTableRequest>>,
    ) -> Result<Response<v1::LoadReport>, Status> {
        let caller = caller(&request)?;
        let patience = request.extensions().get::<Patience>().cloned();
        let mut parts = request.into_inner();
        let Some(load_table_request::Part::Header(header)) = parts.message().await?.and_then(|first| first.part) else {
            return Err(Refusal::field("part", "must be `header` in the first message").into());
        };
        let dataset: DatasetId = field("header.dataset", header.dataset.parse())?;
        let permit = self.0.permit::<authorise::LoadTable>(&caller, &dataset)?;
        let head = parse_header(&header)?;
        Ok(Response::new(self.0.load(permit, head, chunks(parts), patience).await?))
    }
}

fn parse_header(header: &v1::LoadTableHeader) -> Result<LoadHead, Refusal> {
    let format = field("header.format", TableFormat::from_wire(header.format))?;
    Ok(LoadHead {
        table: field("header.table", header.table.parse())?,
        format: format.ok_or(Refusal::field("header.format", "is missing"))?,
        replace: header.replace,
        length: header.length,
    })
}

/// The sealed rows. A second header or an oversized message ends them in an error.
fn chunks(parts: Streaming<v1::LoadTableRequest>) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    stream::try_unfold(parts, |mut parts| async move {
        match parts.message().await?.map(|message| message.part) {
            None => Ok(None),
            Some(Some(load_table_request::Part::Chunk(chunk))) if chunk.len() <= MESSAGE => {
                Ok(Some((Bytes::from(chunk), parts)))
            }
            Some(_) => Err(Refusal::field("part", "must be `chunk` of at most 1 MiB after the first message").into()),
        }
    })
}

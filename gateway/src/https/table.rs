//! `/v1/datasets/{id}/schema`, `.../ingest-key` and `.../tables/{table}/rows`: tables of sensitive datasets.

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    routing::{get, post},
};
use http::{HeaderMap, header};
use octroi_proto::{
    DatasetId, DatasetSchema, TableFormat, TableName, table::written::WrittenSchema, to_json, wire::v1,
};
use serde::Deserialize;
use serde_json::Value;

use super::{named, query::Query};
use crate::{
    answer::Refusal, authenticate::Caller, authorise, gateway::Gateway, listen::Patience, zone::load::LoadHead,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/v1/datasets/{id}/schema", get(schema).post(declare))
        .route("/v1/datasets/{id}/ingest-key", get(ingest_key))
}

/// What streams.
pub(super) fn load_routes() -> Router<Gateway> {
    Router::new().route("/v1/datasets/{id}/tables/{table}/rows", post(load))
}

async fn schema(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(json(&gateway.schema(&caller, &named(&id)?)?)))
}

async fn declare(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::DeclareSchema>(&caller, &id)?;
    let written: WrittenSchema = serde_json::from_slice(&body).map_err(|error| {
        Refusal::field(
            "body",
            format!("must be a schema in JSON, as in the file that `octroi dataset schema` takes: {error}"),
        )
    })?;
    let schema = DatasetSchema::try_from(written.into_wire(id.as_str())?)?;
    Ok(Json(json(&gateway.declare_schema(permit, schema).await?)))
}

async fn ingest_key(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(to_json(&gateway.ingest_key(&caller, &named(&id)?).await?)))
}

/// How rows are loaded: `?format=csv&replace=true`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Loading {
    format: String,
    #[serde(default)]
    replace: bool,
}

async fn load(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((id, table)): Path<(String, String)>,
    Query(loading): Query<Loading>,
    patience: Option<Extension<Patience>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::LoadTable>(&caller, &id)?;
    let format: TableFormat = loading.format.parse().map_err(|problem| Refusal::field("format", problem))?;
    let table = named::<TableName>(&table)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length = length.ok_or(Refusal::field("content-length", "is missing: say how many bytes the age file has"))?;
    let head = LoadHead { table, format, replace: loading.replace, length };
    let patience = patience.map(|Extension(patience)| patience);
    Ok(Json(to_json(&gateway.load(permit, head, body.into_data_stream(), patience).await?)))
}

fn json(schema: &DatasetSchema) -> Value {
    to_json(&v1::DatasetSchema::from(schema))
}

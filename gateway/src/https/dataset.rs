//! `/v1/datasets`: what there is, as JSON.

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use octroi_proto::{DatasetId, to_json, wire::v1};
use serde::Deserialize;
use serde_json::Value;

use super::{named, query::Query};
use crate::{
    answer::Refusal,
    authenticate::Caller,
    authorise,
    gateway::{
        Gateway,
        page::{after, page_size},
    },
    grpc,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/v1/datasets", get(list))
        .route("/v1/datasets/{id}", get(show))
        .route("/v1/whoami", get(whoami))
}

/// A page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PageQuery {
    page_size: u32,
    page_token: String,
}

async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    let (after, limit) = (after("page_token", &page.page_token)?, page_size(page.page_size)?);
    let (datasets, next) = gateway.visible(&caller, after, limit)?;
    let answer = v1::ListDatasetsResponse {
        datasets: datasets.iter().map(Into::into).collect(),
        next_page_token: next.map(String::from).unwrap_or_default(),
    };
    Ok(Json(to_json(&answer)))
}

async fn show(State(gateway): State<Gateway>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::ReadMetadata>(&caller, &id)?;
    Ok(Json(to_json(&v1::Dataset::from(permit.target()))))
}

async fn whoami(State(gateway): State<Gateway>, caller: Caller) -> Result<Json<Value>, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    Ok(Json(to_json(&grpc::who(&caller))))
}

//! `/v1/datasets/{id}/requests` and `/v1/requests/{id}`: asking for access over HTTPS.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    routing::{get, post},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use octroi_proto::{AccessRequest, DatasetId, RequestId, to_json, wire::v1};
use serde::Deserialize;
use serde_json::Value;

use super::named;
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    gateway::Gateway,
    registry::change,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/v1/datasets/{id}/requests", post(ask)).route("/v1/requests/{id}", get(show))
}

/// What is asked for: `{"purpose": "network planning", "actions": ["fetch"]}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    purpose: String,
    #[serde(default)]
    actions: Vec<String>,
}

async fn ask(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<Value>), Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::RequestAccess>(&caller, &id)?;
    let asking: Asking = serde_json::from_slice(&body).map_err(|_| {
        Refusal::field("body", "must be JSON such as {\"purpose\": \"network planning\", \"actions\": [\"fetch\"]}")
    })?;
    let purpose = asking.purpose.parse().map_err(|problem| Refusal::field("purpose", problem))?;
    let actions = parse_actions(&asking.actions, permit.target().description.level)?;
    let request = gateway.commit(permit, change::RequestAccess { purpose, actions }).await?;
    let location = HeaderValue::try_from(format!("/v1/requests/{}", request.id)).or_internal()?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(json(&request))))
}

fn parse_actions(words: &[String], level: octroi_proto::Level) -> Result<Vec<octroi_proto::GrantAction>, Refusal> {
    let numbers =
        words.iter().map(|word| word.parse().map(|action: octroi_proto::GrantAction| action.to_wire().into()));
    let numbers: Vec<i32> = numbers.collect::<Result<_, _>>().map_err(|problem| Refusal::field("actions", problem))?;
    octroi_proto::access::parse_actions(&numbers, level).map_err(|problem| Refusal::field("actions", problem))
}

async fn show(State(gateway): State<Gateway>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let id: RequestId = named(&id)?;
    let permit = gateway.permit::<authorise::ReadRequest>(&caller, &id)?;
    Ok(Json(json(&permit.target().request)))
}

fn json(request: &AccessRequest) -> Value {
    to_json(&v1::AccessRequest::from(request))
}

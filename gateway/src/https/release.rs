//! `/v1/datasets/{id}/policy`: what may leave of the tables of a sensitive dataset.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    routing::get,
};
use octroi_proto::{DatasetId, ReleasePolicy, release::written::WrittenPolicy, to_json, wire::v1};
use serde_json::Value;

use super::named;
use crate::{answer::Refusal, authenticate::Caller, authorise, gateway::Gateway, registry::change};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/v1/datasets/{id}/policy", get(policy).post(declare))
}

async fn policy(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(to_json(&v1::ReleasePolicy::from(&gateway.policy(&caller, &named(&id)?)?))))
}

async fn declare(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::DeclarePolicy>(&caller, &id)?;
    let written: WrittenPolicy = serde_json::from_slice(&body).map_err(|error| {
        Refusal::field(
            "body",
            format!("must be a policy in JSON, as in the file that `octroi dataset policy` takes: {error}"),
        )
    })?;
    let policy = ReleasePolicy::try_from(written.into_wire(id.as_str())?)?;
    let declared = gateway.commit(permit, change::DeclarePolicy { policy }).await?;
    Ok(Json(to_json(&v1::PolicyDeclared::from(&declared))))
}

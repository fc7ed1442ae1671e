//! `/v1/queries`: asking sensitive data over HTTPS, and having a question judged.

use axum::{
    Extension, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use http::header;
use octroi_proto::{to_json, wire::v1};
use serde::Deserialize;

use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    gateway::Gateway,
    listen::Patience,
    zone::{AnswerObject, padded_json},
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/v1/queries", post(ask)).route("/v1/queries/check", post(check))
}

/// What is asked: `{"datasets": ["mobility-trips"], "purpose": "..", "sql": ".."}`, and `"backend": "process"`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    datasets: Vec<String>,
    purpose: String,
    sql: String,
    #[serde(default)]
    backend: String,
}

async fn ask(
    State(gateway): State<Gateway>,
    caller: Caller,
    patience: Option<Extension<Patience>>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let patience = patience.map(|Extension(patience)| patience);
    let outcome = gateway.ask(&caller, request(&body)?, patience).await?;
    let text = AnswerObject::from(&v1::Answer::from(outcome)).to_json().or_internal()?;
    Ok((JSON, padded_json(text)).into_response())
}

/// `{"tier": "rounded", "notes": [..]}`.
async fn check(
    State(gateway): State<Gateway>,
    caller: Caller,
    patience: Option<Extension<Patience>>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let patience = patience.map(|Extension(patience)| patience);
    let checked = gateway.check(&caller, request(&body)?, patience).await?;
    Ok((JSON, to_json(&v1::CheckReply::from(checked)).to_string()).into_response())
}

fn request(body: &[u8]) -> Result<v1::AskRequest, Refusal> {
    let Asking { datasets, purpose, sql, backend } = serde_json::from_slice(body).map_err(|_| {
        Refusal::field(
            "body",
            "must be JSON such as {\"datasets\": [\"trips\"], \"purpose\": \"..\", \"sql\": \"SELECT ..\"}",
        )
    })?;
    Ok(v1::AskRequest { datasets, purpose, sql, backend })
}

const JSON: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];

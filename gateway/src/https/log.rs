//! `/log/`: the evidence log's checkpoint and tiles (C2SP tlog-tiles), for monitors.

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::header;

use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    evidence::TilePath,
    gateway::Gateway,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/log/checkpoint", get(checkpoint)).route("/log/tile/{*path}", get(tile))
}

async fn checkpoint(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Refusal> {
    gateway.permit::<authorise::ReadLog>(&caller, &())?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, gateway.registry.log().checkpoint()).into_response())
}

async fn tile(State(gateway): State<Gateway>, caller: Caller, Path(path): Path<String>) -> Result<Response, Refusal> {
    gateway.permit::<authorise::ReadLog>(&caller, &())?;
    let path: TilePath = format!("tile/{path}").parse().map_err(|_| Refusal::NotFound)?;
    let log = gateway.registry.log().clone();
    // The log reads files: off the threads that serve.
    let tile = tokio::task::spawn_blocking(move || log.tile(&path)).await.or_internal()?;
    let tile = tile.or_internal()?.ok_or(Refusal::NotFound)?;
    // A tile once served never changes.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, tile).into_response())
}

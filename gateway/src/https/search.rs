//! `/api/search`: one search over all levels, as JSON. On the public listener it finds what everybody may know of.

use axum::{Json, Router, extract::State, routing::get};
use octroi_proto::{to_json, wire::v1};
use serde::Deserialize;
use serde_json::Value;

use super::query::Query;
use crate::{answer::Refusal, authenticate::Caller, gateway::Gateway, grpc};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/api/search", get(search))
}

/// As `SearchRequest`, in a query string.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SearchQuery {
    q: String,
    /// One condition more.
    filter: String,
    sort: String,
    start: u32,
    page_size: u32,
    /// Divided by commas.
    facets: String,
}

impl From<SearchQuery> for v1::SearchRequest {
    fn from(it: SearchQuery) -> Self {
        let facets = it.facets.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let filters = if it.filter.is_empty() { Vec::new() } else { vec![it.filter] };
        Self { query: it.q, filters, sort: it.sort, start: it.start, page_size: it.page_size, facets }
    }
}

async fn search(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(to_json(&grpc::search(&gateway, caller, query.into()).await?)))
}

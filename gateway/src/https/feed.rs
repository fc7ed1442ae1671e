//! The catalogue as feeds and pages.

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, header};
use octroi_proto::DatasetId;
use serde::Deserialize;

use super::{named, query::Query};
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise::{self, Seen},
    catalogue::{Language, MOST_DATASETS, MOST_FILES, Page, Published, dcat, page},
    gateway::{Gateway, page::after as after_token},
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/", get(start))
        .route("/catalog.ttl", get(turtle))
        .route("/catalog.jsonld", get(json_ld))
        .route("/dataset/{id}", get(dataset))
        .route("/access/{id}", get(access))
        .route("/style.css", get(style))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FeedQuery {
    after: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ViewQuery {
    after: String,
    lang: Option<String>,
}

async fn turtle(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Refusal> {
    let page = catalogue(&gateway, &caller, &query.after, Files::Shown)?;
    let body = dcat::turtle(&gateway.site, &page).or_internal()?;
    Ok(([(header::CONTENT_TYPE, dcat::TURTLE)], body).into_response())
}

async fn json_ld(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Refusal> {
    let page = catalogue(&gateway, &caller, &query.after, Files::Shown)?;
    let body = dcat::json_ld(&gateway.site, &page).or_internal()?;
    Ok(([(header::CONTENT_TYPE, dcat::JSON_LD)], body).into_response())
}

async fn start(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(query): Query<ViewQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let listed = catalogue(&gateway, &caller, &query.after, Files::Hidden)?;
    let html = page::start(&gateway.site, &listed, language(&query, &headers));
    Ok(([(header::CONTENT_TYPE, page::HTML)], html.or_internal()?).into_response())
}

async fn dataset(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ViewQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::ReadMetadata>(&caller, &id)?;
    let shown = published(&gateway, gateway.gate.shown(&permit), MOST_FILES)?;
    let html = page::dataset(&gateway.site, &shown, language(&query, &headers));
    Ok(([(header::CONTENT_TYPE, page::HTML)], html.or_internal()?).into_response())
}

async fn access(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ViewQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id: DatasetId = named(&id)?;
    let permit = gateway.permit::<authorise::ReadMetadata>(&caller, &id)?;
    let shown = Published::of(gateway.gate.shown(&permit));
    let html = page::access(&gateway.site, &shown, language(&query, &headers)).or_internal()?;
    Ok(([(header::CONTENT_TYPE, page::HTML)], html.ok_or(Refusal::NotFound)?).into_response())
}

async fn style(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let headers = [(header::CONTENT_TYPE, page::CSS), (header::CACHE_CONTROL, "public, max-age=3600")];
    Ok((headers, page::STYLE).into_response())
}

/// A page of what this caller may see.
fn catalogue(gateway: &Gateway, caller: &Caller, after: &str, files: Files) -> Result<Page, Refusal> {
    gateway.permit::<authorise::Probe>(caller, &())?;
    let after: Option<DatasetId> = after_token("after", after)?;
    let (datasets, next) = gateway.visible(caller, after.clone(), MOST_DATASETS)?;
    let shown = datasets.iter().filter_map(|dataset| gateway.gate.may_see(caller, dataset));
    let mut left = match files {
        Files::Shown => FEED_FILES,
        Files::Hidden => 0,
    };
    let mut published_ones = Vec::new();
    for seen in shown {
        let one = published(gateway, seen, left.min(MOST_FILES))?;
        left = left.saturating_sub(one.files.len());
        published_ones.push(one);
    }
    Ok(Page { after, datasets: published_ones, next })
}

/// Whether a page of the catalogue names the datasets' files.
#[derive(Debug, Clone, Copy)]
enum Files {
    Shown,
    Hidden,
}

/// Files on one page of a feed, at most: what bounds its size.
const FEED_FILES: usize = 10_000;

/// A dataset as it is shown, with its files where anyone may fetch them.
fn published(gateway: &Gateway, seen: Seen<'_>, most: usize) -> Result<Published, Refusal> {
    let shown = Published::of(seen);
    if most == 0 || !shown.shows_files() {
        return Ok(shown);
    }
    let files = gateway.registry.objects(&seen.dataset().description.id, "", None, most);
    Ok(shown.with_files(files.or_internal()?))
}

fn language(query: &ViewQuery, headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::choose(query.lang.as_deref(), accepted)
}

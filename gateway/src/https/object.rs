//! Objects over HTTPS: downloads with ranges and conditions, uploads, lists.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use octroi_proto::{DatasetId, MediaType, ObjectKey, StoredObject, to_json, wire::v1};
use serde::Deserialize;
use serde_json::Value;

use super::{
    entity_tag::{EntityTag, demanded},
    named,
    query::Query,
};
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    gateway::{
        Gateway,
        page::{after, page, page_size},
    },
    object::{ByteRange, Opened, Precondition, PutHead},
};

/// Downloads of public data, for everyone.
pub(super) fn public_routes() -> Router<Gateway> {
    Router::new().route("/dataset/{id}/files/{*key}", get(download).head(head))
}

/// Objects, for callers with credentials.
pub(super) fn api_routes() -> Router<Gateway> {
    Router::new()
        .route("/v1/datasets/{id}/objects", get(list))
        .route("/v1/datasets/{id}/objects/{*key}", get(download).head(head).put(upload).delete(delete))
}

type Name = Path<(String, String)>;

async fn download(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((dataset, key)): Name,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (dataset, key) = (named::<DatasetId>(&dataset)?, named::<ObjectKey>(&key)?);
    let permit = gateway.permit::<authorise::FetchObject>(&caller, &dataset)?;
    let object = current(&gateway, &dataset, &key)?;
    let tag = EntityTag::of(&object);
    if tag.is_refused(&headers) {
        return Err(Refusal::Changed);
    }
    if tag.is_known(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, describe(&object)).into_response());
    }
    let range = headers.get(header::RANGE).filter(|_| tag.ranges(&headers)).and_then(|range| range.to_str().ok());
    let range = range.map_or(ByteRange::Whole, ByteRange::from_header);
    let opened = gateway.objects.fetch(permit, &key, range, Precondition::Version(object.version)).await?;
    answer(opened)
}

async fn head(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((dataset, key)): Name,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (dataset, key) = (named::<DatasetId>(&dataset)?, named::<ObjectKey>(&key)?);
    gateway.permit::<authorise::ListObjects>(&caller, &dataset)?;
    let object = current(&gateway, &dataset, &key)?;
    let known = EntityTag::of(&object).is_known(&headers);
    let mut response =
        (if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, describe(&object)).into_response();
    if !known {
        response.headers_mut().insert(header::CONTENT_LENGTH, object.length.into());
    }
    Ok(response)
}

fn current(gateway: &Gateway, dataset: &DatasetId, key: &ObjectKey) -> Result<StoredObject, Refusal> {
    look(gateway, dataset, key)?.ok_or(Refusal::NotFound)
}

/// What is under a key; to be asked by whoever holds a permit for the dataset's objects.
fn look(gateway: &Gateway, dataset: &DatasetId, key: &ObjectKey) -> Result<Option<StoredObject>, Refusal> {
    gateway.registry.object(dataset, key).or_internal()
}

/// Headers that say what the object is.
fn describe(object: &StoredObject) -> HeaderMap {
    let text = |text: &str| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let modified = httpdate::fmt_http_date(object.stored.into());
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, text(object.media_type.as_str())),
        (header::ETAG, text(EntityTag::of(object).as_str())),
        (header::LAST_MODIFIED, text(&modified)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        // A browser shows nothing of what it downloads here, whatever it is said to be.
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ])
}

fn answer(opened: Opened) -> Result<Response, Refusal> {
    let mut headers = describe(&opened.object);
    let length = opened.range.end - opened.range.start;
    headers.insert(header::CONTENT_LENGTH, length.into());
    if opened.partial {
        let (first, last) = (opened.range.start, opened.range.end.saturating_sub(1));
        let range = HeaderValue::try_from(format!("bytes {first}-{last}/{}", opened.object.length));
        headers.insert(header::CONTENT_RANGE, range.or_internal()?);
    }
    // Requirement 49: who answers for the data and what it may be used for, with every disclosure.
    for (name, words) in [("octroi-owner", &opened.notice.owner), ("octroi-scope", &opened.notice.scope)] {
        let encoded = HeaderValue::try_from(format!("UTF-8''{}", utf8_percent_encode(words)));
        headers.insert(name, encoded.or_internal()?);
    }
    let status = if opened.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    // An error in mid-stream resets the connection: it must never look like an end.
    Ok((status, headers, Body::from_stream(opened.bytes.map_err(Refusal::from))).into_response())
}

/// RFC 8187 value characters; everything else percent-encoded.
fn utf8_percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

async fn upload(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((dataset, key)): Name,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let dataset = named::<DatasetId>(&dataset)?;
    let permit = gateway.permit::<authorise::StoreObject>(&caller, &dataset)?;
    let key: ObjectKey = key.parse().map_err(|problem| Refusal::field("key", problem))?;
    let precondition = demanded(&headers, look(&gateway, &dataset, &key)?.as_ref())?;
    let head = PutHead { key, media_type: media_type(&headers)?, precondition };
    let object = gateway.objects.put(permit, head, body.into_data_stream()).await?;
    let created = if object.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let tag = HeaderValue::try_from(EntityTag::of(&object).as_str()).or_internal()?;
    Ok((created, [(header::ETAG, tag)], Json(to_json(&object.published()))).into_response())
}

fn media_type(headers: &HeaderMap) -> Result<MediaType, Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(MediaType::default()) };
    let text = value.to_str().unwrap_or_default();
    text.parse().map_err(|problem| Refusal::field("content-type", problem))
}

async fn delete(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((dataset, key)): Name,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let (dataset, key) = (named::<DatasetId>(&dataset)?, named::<ObjectKey>(&key)?);
    let permit = gateway.permit::<authorise::DeleteObject>(&caller, &dataset)?;
    let precondition = demanded(&headers, look(&gateway, &dataset, &key)?.as_ref())?;
    gateway.objects.remove(permit, key, precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of a list of objects.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ObjectsQuery {
    prefix: String,
    page_size: u32,
    page_token: String,
}

async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(dataset): Path<String>,
    Query(query): Query<ObjectsQuery>,
) -> Result<Json<Value>, Refusal> {
    let dataset: DatasetId = named(&dataset)?;
    gateway.permit::<authorise::ListObjects>(&caller, &dataset)?;
    let scan = |after: Option<&ObjectKey>, most| gateway.registry.objects(&dataset, &query.prefix, after, most);
    let (after, limit) = (after("page_token", &query.page_token)?, page_size(query.page_size)?);
    let (page, next) = page(after, limit, scan, |it| it.key.clone(), |_| true)?;
    let answer = v1::ListObjectsResponse {
        objects: page.iter().map(StoredObject::published).collect(),
        next_page_token: next.map(|key| key.to_string()).unwrap_or_default(),
    };
    Ok(Json(to_json(&answer)))
}

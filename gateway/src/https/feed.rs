//! The catalogue as feeds and pages.

use std::num::NonZeroU64;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use octroi_proto::{DatasetId, Instant};
use serde::Deserialize;

use super::{entity_tag::text, named, query::Query};
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    catalogue::{
        Coding, Language, MOST_FILES, Published, Representation,
        dcat::{self, Addressed, Format},
        page,
    },
    gateway::{
        Gateway,
        feed::{Files, PageKey, tag},
    },
};

pub(super) fn routes() -> Router<Gateway> {
    let suffixed = |format: Format| {
        get(move |state, caller, query, headers| {
            catalogue(state, caller, query, headers, Addressed::BySuffix(format), format)
        })
    };
    let feeds = Format::ALL
        .into_iter()
        .fold(Router::new(), |router, format| router.route(&format!("/catalog.{}", format.suffix()), suffixed(format)));
    feeds
        .route("/", get(start))
        .route("/catalog", get(negotiated))
        .route("/dataset/{id}", get(dataset))
        .route("/access/{id}", get(access))
        .route("/style.css", get(style))
}

/// A page of the catalogue: `?page=2`, and for people `?lang=en`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PageQuery {
    page: Option<NonZeroU64>,
    lang: Option<String>,
}

impl PageQuery {
    fn number(&self) -> NonZeroU64 {
        self.page.unwrap_or(NonZeroU64::MIN)
    }
}

async fn negotiated(
    state: State<Gateway>,
    caller: Caller,
    query: Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    match accepted(&headers)? {
        Representation::Page => start(state, caller, query, headers).await,
        Representation::Document(format) => catalogue(state, caller, query, headers, Addressed::Plainly, format).await,
    }
}

async fn catalogue(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
    addressed: Addressed,
    format: Format,
) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let key = PageKey { number: query.number(), addressed, format };
    let document = gateway.written(key).await?.ok_or(Refusal::NotFound)?;
    let described = Described { tag: &document.tag, modified: document.modified, content_type: format.content_type() };
    if described.is_known(&headers) {
        return described.not_modified();
    }
    let coding = Coding::accepted(text(&headers, &header::ACCEPT_ENCODING));
    let body = gateway.feed.shelf().body(&document, coding).or_internal()?;
    let mut response = described.answer(body.into())?;
    if let Some(coding) = coding.name() {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Ok(response)
}

async fn start(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let listed = gateway.page(query.number(), Files::Hidden)?.ok_or(Refusal::NotFound)?;
    let html = page::start(&gateway.site, &listed, language(query.lang.as_deref(), &headers));
    Ok(([(header::CONTENT_TYPE, page::HTML)], html.or_internal()?).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ViewQuery {
    lang: Option<String>,
}

/// A dataset's page, or what it says for programs: by suffix, or by what the client accepts.
async fn dataset(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<ViewQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let suffixed = name.rsplit_once('.').and_then(|(id, suffix)| {
        let format = Format::ALL.into_iter().find(|format| format.suffix() == suffix)?;
        Some((id, Representation::Document(format)))
    });
    let (id, asked) = match suffixed {
        Some((id, asked)) => (id, Some(asked)),
        None => (name.as_str(), None),
    };
    let id: DatasetId = named(id)?;
    let permit = gateway.permit::<authorise::ReadMetadata>(&caller, &id)?;
    let shown = gateway.published(gateway.gate.shown(&permit), MOST_FILES)?;
    // A browser that says nothing of what it accepts is rather a person's.
    let asked = match (asked, headers.get(header::ACCEPT)) {
        (Some(asked), _) => asked,
        (None, None) => Representation::Page,
        (None, Some(accept)) if accept.as_bytes().trim_ascii() == b"*/*" => Representation::Page,
        (None, Some(_)) => accepted(&headers)?,
    };
    match asked {
        Representation::Page => {
            let html = page::dataset(&gateway.site, &shown, language(query.lang.as_deref(), &headers)).or_internal()?;
            describe_and_answer(&shown, page::HTML, html.into_bytes(), &headers)
        }
        Representation::Document(format) => {
            let written = dcat::dataset(&gateway.site, &shown, format).or_internal()?;
            describe_and_answer(&shown, format.content_type(), written, &headers)
        }
    }
}

fn describe_and_answer(
    shown: &Published,
    content_type: &'static str,
    written: Vec<u8>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let tag = tag(&written);
    let described = Described { tag: &tag, modified: shown.modified(), content_type };
    if described.is_known(headers) { described.not_modified() } else { described.answer(written.into()) }
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
    let shown = gateway.published(gateway.gate.shown(&permit), 0)?;
    let html = page::access(&gateway.site, &shown, language(query.lang.as_deref(), &headers)).or_internal()?;
    Ok(([(header::CONTENT_TYPE, page::HTML)], html.ok_or(Refusal::NotFound)?).into_response())
}

async fn style(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let headers = [(header::CONTENT_TYPE, page::CSS), (header::CACHE_CONTROL, "public, max-age=3600")];
    Ok((headers, page::STYLE).into_response())
}

/// What a document is, for caches (RFC 9110, section 8.8, and section 13 for the conditions).
struct Described<'a> {
    tag: &'a str,
    modified: Instant,
    content_type: &'static str,
}

impl Described<'_> {
    /// Whether the client has it already: by its tag, or by its date where no tag is given.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        if let Some(list) = text(headers, &header::IF_NONE_MATCH) {
            let ours = self.tag.trim_start_matches("W/");
            return list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == ours);
        }
        let since = text(headers, &header::IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok());
        let modified = std::time::SystemTime::from(self.modified_second());
        since.is_some_and(|since| modified <= since)
    }

    /// HTTP dates have no fractions.
    fn modified_second(&self) -> Instant {
        Instant::from_second(self.modified.as_second()).unwrap_or(self.modified)
    }

    fn not_modified(&self) -> Result<Response, Refusal> {
        let mut response = self.answer(Body::empty())?;
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        Ok(response)
    }

    fn answer(&self, body: Body) -> Result<Response, Refusal> {
        let modified = httpdate::fmt_http_date(self.modified_second().into());
        let value = |text: &str| HeaderValue::try_from(text).or_internal();
        let headers: [(HeaderName, HeaderValue); 5] = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (header::ETAG, value(self.tag)?),
            (header::LAST_MODIFIED, value(&modified)?),
            (header::VARY, HeaderValue::from_static("accept, accept-encoding, accept-language")),
            // It may be kept, and must be asked about: what was withdrawn must not be shown any longer.
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        Ok((headers, body).into_response())
    }
}

fn accepted(headers: &HeaderMap) -> Result<Representation, Refusal> {
    Representation::accepted(text(headers, &header::ACCEPT)).map_err(|_| Refusal::NotAcceptable)
}

fn language(lang: Option<&str>, headers: &HeaderMap) -> Language {
    Language::choose(lang, text(headers, &header::ACCEPT_LANGUAGE))
}

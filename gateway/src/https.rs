//! HTTPS: from wire to typed requests and back, asking for the permit that each needs. The deciding is behind it.

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::request::Parts,
    middleware::{self, Next},
    response::Response,
};
use http::{HeaderName, HeaderValue, header};
use tower_http::compression::CompressionLayer;

use crate::{answer::Refusal, authenticate::Caller, authorise, catalogue, gateway::Gateway, listen::SmallBodyLayer};

mod access;
mod ckan;
mod dataset;
mod entity_tag;
mod feed;
mod log;
mod oai;
mod object;
mod query;
mod question;
mod release;
mod search;
mod sitemap;
mod table;

/// What the public listener answers: catalogue, pages, public downloads, the evidence log.
pub fn public(gateway: &Gateway, small: SmallBodyLayer) -> Router {
    // Nothing else here reads a body, so none is taken in.
    let asking = ckan::routes().merge(oai::routes()).layer(small);
    let packed = CompressionLayer::new().gzip(true).zstd(true);
    let read = feed::routes().merge(search::routes()).merge(sitemap::routes()).merge(asking).layer(packed);
    // Files and tiles go out as they are: packing what is packed already, and ranges of it, helps nobody.
    finish(read.merge(object::public_routes()).merge(log::routes()), gateway)
}

/// What the api listener answers: gRPC, and the same services as JSON and bytes.
pub fn api(gateway: &Gateway, small: SmallBodyLayer, grpc: Router<Gateway>) -> Router {
    let json = dataset::routes()
        .merge(search::routes())
        .merge(access::routes())
        .merge(question::routes())
        .merge(release::routes())
        .merge(table::routes())
        .layer(small);
    finish(json.merge(object::api_routes()).merge(table::load_routes()).merge(grpc), gateway)
}

fn finish(routes: Router<Gateway>, gateway: &Gateway) -> Router {
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(protect))
        .with_state(gateway.clone())
}

/// A path that is none: authenticated, authorised and counted like any other.
async fn nothing_here(State(gateway): State<Gateway>, caller: Caller) -> Refusal {
    match gateway.permit::<authorise::Probe>(&caller, &()) {
        Ok(_) => Refusal::NotFound,
        Err(refusal) => refusal,
    }
}

async fn wrong_method(State(gateway): State<Gateway>, caller: Caller) -> Refusal {
    match gateway.permit::<authorise::Probe>(&caller, &()) {
        Ok(_) => Refusal::WrongMethod,
        Err(refusal) => refusal,
    }
}

/// Headers that tell browsers to trust nothing more than what was sent.
async fn protect(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, catalogue::page::CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The caller that authentication found. Its absence is a fault of ours and refuses.
impl FromRequestParts<Gateway> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or(Refusal::Internal)
    }
}

/// A part of the path, parsed. What cannot be an id names nothing.
fn named<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

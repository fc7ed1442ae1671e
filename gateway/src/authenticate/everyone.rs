//! The station of a listener that knows nobody.

use axum::{extract::Request, middleware::Next, response::Response};
use http::header;

use super::Caller;

/// Takes everyone for a stranger, whatever they present: what the public listener shows, it shows to all alike.
pub async fn everyone(mut request: Request, next: Next) -> Response {
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(Caller::Anonymous);
    next.run(request).await
}

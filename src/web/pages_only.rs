//! Layers of pages and server functions; the APIs have their own.

use crate::http::request_limits;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Header by which Leptos redirects the page's script.
const SCRIPT_REDIRECT: HeaderName = HeaderName::from_static("serverfnredirect");
/// First path segments of the APIs.
const APIS: [&str; 7] = ["v1", "v2", "v3", "adk", "runtime", "authz", "openapi.json"];

/// Makes a redirecting page a redirect for every client. Leptos does so for clients that ask for HTML only; others get 200 and
/// a header that only the page's script reads.
pub async fn redirect(request: Request, next: Next) -> Response {
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if is_page && response.headers_mut().remove(SCRIPT_REDIRECT).is_some() && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().remove(header::CONTENT_TYPE);
        *response.body_mut() = Body::empty();
    }
    response
}

/// Refuses heads that are too large, and addresses that are not UTF-8.
pub async fn limit_head(request: Request, next: Next) -> Response {
    match request_limits::check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => (refusal.status(), refusal.message()).into_response(),
    }
}

/// Whether an unknown address is answered with a page: where the client accepts HTML, unless the address is a misspelt one of an
/// API (`//v3//…`, `/V3/…`).
pub fn is_for_a_browser(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let first = request.uri().path().split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    accept.is_some_and(|accept| accept.contains("text/html")) && !APIS.contains(&first.to_lowercase().as_str())
}

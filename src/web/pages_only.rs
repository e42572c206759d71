//! What holds for pages and server functions, and not for the APIs.

use crate::http::request_limits;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// How Leptos sends the page's script elsewhere.
const SCRIPT_REDIRECT: HeaderName = HeaderName::from_static("serverfnredirect");
/// How the APIs' addresses begin.
const APIS: [&str; 6] = ["v1", "v2", "v3", "runtime", "authz", "openapi.json"];

/// A page that leads on is a redirect for every client. Leptos makes it one for those that ask for HTML, and tells others in a
/// header that only the page's script reads.
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

/// Refuses heads that are too large, and addresses that are no UTF-8.
pub async fn limit_head(request: Request, next: Next) -> Response {
    match request_limits::check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => (refusal.status(), refusal.message()).into_response(),
    }
}

/// Whether an address that does not exist is answered with a page: to who asks for one, unless the address is an API's that is
/// written otherwise (`//v3//…`, `/V3/…`).
pub fn is_for_a_browser(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let first = request.uri().path().split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    accept.is_some_and(|accept| accept.contains("text/html")) && !APIS.contains(&first.to_lowercase().as_str())
}

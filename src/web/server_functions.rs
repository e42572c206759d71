//! Status codes of failed server functions: Leptos answers 500 to every error.

use crate::base::error::Error;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;

/// Largest body of an error, in bytes.
const MAX_ERROR: usize = 16 * 1024;

/// Layer that gives a failed call the status of its error. Redirects of plain forms stay as they are.
pub async fn status(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let failed = response.status() == StatusCode::INTERNAL_SERVER_ERROR
        && response.headers().contains_key(SERVER_FN_ERROR_HEADER);
    if !failed {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ERROR).await.unwrap_or_default();
    let error: Option<Error> = serde_json::from_slice(&body).ok();
    if let Some(status) = error.and_then(|e| StatusCode::from_u16(e.status()).ok()) {
        parts.status = status;
    }
    Response::from_parts(parts, Body::from(body))
}

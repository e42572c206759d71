//! Protection against cross-site request forgery on pages and server functions, which authenticate by cookie. Browsers
//! send `Origin` with every unsafe method; only the server's own origin passes. The APIs accept no cookies and need no
//! such check.

use crate::base::error::Error;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The server's own origin, such as `https://keys.example.com`. If it is not configured, the `Host` of each request is
/// trusted.
#[derive(Clone, Debug)]
pub struct PublicOrigin(pub Option<Arc<str>>);

/// Middleware that answers 403 to unsafe requests with another origin or none.
pub async fn check(State(PublicOrigin(origin)): State<PublicOrigin>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_ours(origin.as_deref(), request.headers(), request.uri()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, Error::WrongOrigin.to_string()).into_response()
    }
}

fn is_ours(public_origin: Option<&str>, headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|v| v.to_str().ok()) else { return false };
    match public_origin {
        Some(ours) => origin.eq_ignore_ascii_case(ours),
        None => {
            let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).or(uri.authority().map(|a| a.as_str()));
            let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(public_origin: Option<&str>, origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_ours(public_origin, &headers, &Uri::from_static("/api/x"))
    }

    #[test]
    fn only_our_own_origin_passes() {
        let ours = Some("https://keys.example.com");
        assert!(passes(ours, ours, "internal:3000"));
        assert!(passes(None, Some("http://127.0.0.1:3000"), "127.0.0.1:3000"));
        for (public, origin, host) in [
            (ours, Some("https://evil.example.com"), "keys.example.com"),
            (ours, Some("http://keys.example.com"), "keys.example.com"),
            (ours, None, "keys.example.com"),
            (None, None, "127.0.0.1:3000"),
            (None, Some("null"), "127.0.0.1:3000"),
            (None, Some("http://127.0.0.1:3001"), "127.0.0.1:3000"),
            (None, Some("http://127.0.0.1:3000.evil.example"), "127.0.0.1:3000"),
        ] {
            assert!(!passes(public, origin, host), "{public:?} {origin:?} {host}");
        }
    }
}

//! Compression of pages. A page that shows a secret is not compressed, because the length of a compressed page tells about
//! its content (BREACH, CVE-2013-3587).

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

/// Marks the response whose page shows a secret.
#[derive(Clone, Copy, Debug)]
pub struct ShowsSecret;

/// Layer that compresses pages for clients that accept it. Files are compressed when the site is built.
pub fn layer() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new().compress_when(|_: StatusCode, _: Version, headers: &HeaderMap, marks: &Extensions| {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        content_type.is_some_and(|kind| kind.starts_with("text/html")) && marks.get::<ShowsSecret>().is_none()
    })
}

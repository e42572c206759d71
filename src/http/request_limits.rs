//! Limits that apply before a handler reads a request: length and encoding of the URI, size of the headers, and a
//! timeout for bodies that stall.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower_http::timeout::TimeoutBody;

/// Longest path and query together, in bytes. Above 64 KiB hyper itself answers with 414 and an empty body.
pub const MAX_URI: usize = 48 * 1024;
/// Largest total size of header names and values, in bytes. Hyper itself answers 431 to more than 100 headers.
pub const MAX_HEADERS: usize = 64 * 1024;
/// Longest wait for the next part of a body.
const BODY_PROGRESS: Duration = Duration::from_secs(15);

/// Why a request is refused because of its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadRefusal {
    UriTooLong,
    HeadersTooLarge,
    /// Path or query contains percent-encoded bytes that are not UTF-8.
    NoUtf8,
}

impl HeadRefusal {
    pub fn status(self) -> StatusCode {
        match self {
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoUtf8 => StatusCode::BAD_REQUEST,
        }
    }

    /// The error code.
    pub fn code(self) -> &'static str {
        match self {
            Self::UriTooLong => "URI_TOO_LONG",
            Self::HeadersTooLarge => "HEADERS_TOO_LARGE",
            Self::NoUtf8 => "BAD_REQUEST",
        }
    }

    /// One sentence for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::UriTooLong => "The address is longer than 48 KiB.",
            Self::HeadersTooLarge => "The headers are larger than 64 KiB.",
            Self::NoUtf8 => "The address holds percent-encoded bytes that are not UTF-8.",
        }
    }
}

/// Checks the head of a request against the limits.
pub fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), HeadRefusal> {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    if path.len() + query.len() > MAX_URI {
        return Err(HeadRefusal::UriTooLong);
    }
    if headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEADERS {
        return Err(HeadRefusal::HeadersTooLarge);
    }
    let is_utf8 = |text: &str| !text.contains('%') || percent_decode_str(text).decode_utf8().is_ok();
    if is_utf8(path) && is_utf8(query) { Ok(()) } else { Err(HeadRefusal::NoUtf8) }
}

/// A flag that is set when a body has stalled, so that the failure is answered as a timeout.
#[derive(Clone, Debug, Default)]
pub struct Stalled(Arc<AtomicBool>);

impl Stalled {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds a timeout to a request's body. The returned flag is set if the body stalls.
pub fn end_stalled_body(request: Request) -> (Request, Stalled) {
    let stalled = Stalled::default();
    let flag = stalled.clone();
    let request = request.map(|body| {
        Body::new(TimeoutBody::new(BODY_PROGRESS, body).map_err(move |error| {
            if error.is::<tower_http::timeout::TimeoutError>() {
                flag.0.store(true, Ordering::Relaxed);
            }
            error
        }))
    });
    (request, stalled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let check = |uri: &str| check(&uri.parse().unwrap(), &HeaderMap::new());
        assert_eq!(check("/a%20b?c=%E2%82%AC&d=%25"), Ok(()));
        for wrong in ["/%ff", "/a?x=%ff", "/a?x=%E2%82", "/%C0%AF"] {
            assert_eq!(check(wrong), Err(HeadRefusal::NoUtf8), "{wrong}");
        }
        assert_eq!(check(&format!("/{}", "x".repeat(MAX_URI))), Err(HeadRefusal::UriTooLong));
        let mut headers = HeaderMap::new();
        headers.insert("x-long", "x".repeat(MAX_HEADERS).parse().unwrap());
        assert_eq!(super::check(&Uri::from_static("/"), &headers), Err(HeadRefusal::HeadersTooLarge));
    }
}

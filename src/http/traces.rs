//! Traces of requests, by OpenTelemetry's conventions for HTTP and databases. No attribute contains a path, a query or a
//! header of a request: they can have keys, e-mail addresses and numbers.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, StatusCode};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

static ARE_ON: AtomicBool = AtomicBool::new(false);

/// Switches traces on, for the whole process. Until then nothing here does anything.
pub fn switch_on() {
    ARE_ON.store(true, Ordering::Relaxed);
}

/// Target of the spans that are sent. The spans of the log, which have ids that clients chose, are not.
pub const TARGET: &str = "traces";

/// Begins the span of a request. It continues the trace of `traceparent` (W3C Trace Context), if the client sent one.
pub fn begin(request: &Request) -> Span {
    if !ARE_ON.load(Ordering::Relaxed) {
        return Span::none();
    }
    let method = request.method().as_str();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let span = tracing::debug_span!(target: TARGET, "request", otel.name = name, otel.kind = "server");
    if let Some(parent) = parent(request.headers()) {
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    span.set_attribute("http.request.method", method.to_owned());
    if let Some(route) = route {
        span.set_attribute("http.route", route.to_owned());
    }
    span
}

/// The id of a span's trace, for the log; `None` if traces are off.
pub fn id(span: &Span) -> Option<String> {
    (!span.is_none()).then(|| span.context().span().span_context().trace_id().to_string())
}

/// Adds the response's status to the span of its request.
pub fn end(span: &Span, status: StatusCode) {
    if span.is_none() {
        return;
    }
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_attribute("error.type", status.as_str().to_owned());
        span.set_status(opentelemetry::trace::Status::error(""));
    }
}

/// The caller's span: <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_whole = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    if !is_whole || version == "ff" || (version == "00" && parts.next().is_some()) || !header.split('-').all(is_hex) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & 1);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let parent = SpanContext::new(trace, span, flags, true, TraceState::default());
    parent.is_valid().then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let read = |text: &'static str| {
            parent(&HeaderMap::from_iter([("traceparent".parse().unwrap(), text.parse().unwrap())]))
        };
        let right = read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(right.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(right.is_sampled() && right.is_remote());
        assert!(read("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more").is_none());
        for wrong in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}

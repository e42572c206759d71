//! Shared by all HTTP doors: error envelope, security headers, limits, origin check, parameters.

/// Determining a client's address.
pub mod client_address;
/// The APIs' error envelope, correlation id, and JSON bodies.
pub mod envelope;
/// Security and caching headers.
pub mod headers;
/// Accepting connections, with timeouts and a limit per address.
pub mod listener;
/// Deserialising from JSON objects only.
pub mod object;
/// Protection of pages against cross-site requests.
pub mod origin_check;
/// Parsing query parameters.
pub mod parameters;
/// Limits on a request's head and on stalled bodies.
pub mod request_limits;
/// Tracing spans with the request's id.
pub mod request_span;
/// Checks against ambiguous or unstorable JSON.
pub mod strict_json;
/// Traces for OpenTelemetry.
pub mod traces;

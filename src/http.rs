//! What every HTTP door shares.

/// Where a request comes from.
pub mod client_address;
/// The error envelope of the APIs, and the correlation id.
pub mod envelope;
/// The security headers.
pub mod headers;
/// Connections: accepted, timed, counted by address, and ended.
pub mod listener;
/// JSON objects, and nothing else.
pub mod object;
/// One Origin check for every unsafe method.
pub mod origin_check;
/// Query parameters, parsed.
pub mod parameters;
/// What is refused of a request before anyone reads it.
pub mod request_limits;
/// What is logged of a request names its id.
pub mod request_span;
/// JSON that every reader reads alike.
pub mod strict_json;

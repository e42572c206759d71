//! What every HTTP door shares.

/// Connections: accepted, timed, counted by address, and ended.
pub mod listener;
/// What is refused of a request before anyone reads it.
pub mod request_limits;
/// JSON that every reader reads alike.
pub mod strict_json;

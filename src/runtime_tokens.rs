//! Tokens of the platform that runs the agents.

/// Runtime tokens: made, revoked, let in.
pub mod service;
/// The SQL.
pub mod store;

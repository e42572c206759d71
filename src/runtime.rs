//! The runtime side (`docs/api.md`): the platform that runs the agents feeds conversations, handoff states and awaited
//! events in, and picks received events up.

/// The handlers.
pub mod routes;
/// The SQL on runtime tokens.
pub mod store;
/// Runtime tokens: made, revoked, let in.
pub mod token;

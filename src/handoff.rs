//! The Handoff API (`docs/api.md`): the state that an agent stored when it passed a call on.

/// The handler.
pub mod routes;
/// The SQL.
pub mod store;

//! The state that an agent stores when it passes a call on.

/// Storing and finding states.
pub mod service;
/// The SQL.
pub mod store;

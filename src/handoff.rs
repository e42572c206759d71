//! The state that an agent stores when it passes a call on.

/// The SQL.
pub mod store;

//! Events that a provider sends into a conversation that waits for them.

/// Who waits for events, woken when one arrives.
pub mod arrivals;
/// Waiting for events, receiving them, reading them.
pub mod service;
/// The SQL.
pub mod store;

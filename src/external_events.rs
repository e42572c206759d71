//! Events that a provider sends into a conversation that waits for them.

/// Who waits for events, woken when one arrives.
pub mod arrivals;
/// The SQL.
pub mod store;

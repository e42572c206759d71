//! Events that external systems send into a running conversation that waits for them.

/// Waking the requests that wait for events.
pub mod arrivals;
pub mod service;
pub mod store;

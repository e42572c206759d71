//! The External Events API (`docs/api.md`): a provider's webhook into a conversation that waits for it.

/// Who waits for events, woken when one arrives.
pub mod arrivals;
/// Finding the event id in a request.
pub mod event_id;
/// The handler.
pub mod routes;
/// The SQL.
pub mod store;

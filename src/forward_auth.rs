//! Forward auth: a proxy asks whether a client's key opens a place that is not ours. `docs/forward-auth.md` has a whole
//! configuration for each proxy.

/// What a location needs, as the proxy's configuration says it.
pub mod location;
/// The handlers, one for each proxy.
pub mod routes;

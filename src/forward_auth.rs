//! Forward authentication: a reverse proxy asks whether a client's key grants access to another service.
//! `docs/forward-auth.md` has a complete configuration for each proxy.

/// The access that a location of the proxy requires.
pub mod location;
/// Answers the auth requests of each proxy.
pub mod service;

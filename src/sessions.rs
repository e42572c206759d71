//! Sessions of signed-in users.

/// Sessions in our own tables.
pub mod store;
/// How often somebody may try a password.
pub mod throttle;

//! Sessions of signed-in users, and what waits for one page of theirs.

/// What was typed into a form that was refused.
pub mod form_drafts;
/// Ending sessions.
pub mod service;
/// Values that are shown once.
pub mod shown_once;
/// Sessions in our own tables.
pub mod store;
/// How often somebody may try a password.
pub mod throttle;

//! Sessions of signed-in users, short-lived data for their next page, and the throttle for sign-in attempts.

/// Input of refused forms.
pub mod form_drafts;
pub mod service;
/// Secrets that are shown once.
pub mod shown_once;
/// Session store for tower-sessions.
pub mod store;
/// Throttle for sign-in attempts.
pub mod throttle;

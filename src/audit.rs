//! Who did what, when, from where.

/// Types and rules.
pub mod model;
/// Reading and recording what was done.
#[cfg(feature = "ssr")]
pub mod service;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::Action;
#[cfg(feature = "ssr")]
pub use service::{AuditLog, Entry, record, record_for_member};

//! The audit log: who did what, when, and from which address.

/// Delivering entries to another system.
#[cfg(feature = "ssr")]
pub mod delivery;
pub mod model;
/// Entries as OCSF events.
#[cfg(feature = "ssr")]
pub mod ocsf;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::Action;
#[cfg(feature = "ssr")]
pub use service::{AuditLog, NewAuditEntry, record, record_for_member, record_many};

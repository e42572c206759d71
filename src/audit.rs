//! The audit log: who did what, when, and from which address.

pub mod model;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::Action;
#[cfg(feature = "ssr")]
pub use service::{AuditLog, NewAuditEntry, record, record_for_member, record_many};

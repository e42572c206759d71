//! Workspaces: the walls between customers. Everything else belongs to one.

/// Types and rules.
pub mod model;
/// What one can do, in one transaction each.
#[cfg(feature = "ssr")]
pub mod service;
/// Short names for addresses.
#[cfg(feature = "ssr")]
pub mod slug;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{RetentionDays, Visit, Workspace, initials, retention_in_words};

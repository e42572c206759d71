//! Who did what, when, from where.

/// Types and rules.
pub mod model;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::Action;
#[cfg(feature = "ssr")]
pub use store::{Entry, record, record_for_member};

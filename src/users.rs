//! The people of a workspace, their roles, and the invitations to become one.

/// Types and rules.
pub mod model;
/// Hashing and verifying.
#[cfg(feature = "ssr")]
pub mod password;
/// What one can do, in one transaction each.
#[cfg(feature = "ssr")]
pub mod service;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{Email, Invited, Member, Role};

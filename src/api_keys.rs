//! API keys: their parts, and the rules on them.

/// Types and rules.
pub mod model;
/// A key's value: plain and hashed.
#[cfg(feature = "ssr")]
pub mod secret;
/// What one can do, in one transaction each.
#[cfg(feature = "ssr")]
pub mod service;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{
    AgentScope, ApiKey, Expiry, KeyListQuery, KeyName, KeyOrder, KeyPage, Permission, Permissions, Status,
    within_limits,
};

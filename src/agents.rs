//! The agents of a workspace: each handles conversations, and is what keys are scoped to.

/// Types and rules.
pub mod model;
/// What one can do, in one transaction each.
#[cfg(feature = "ssr")]
pub mod service;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{Agent, AgentName, Belongings};

//! The agents of a workspace. Conversations belong to agents, and keys can be limited to agents.

pub mod model;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{Agent, AgentDependents, AgentName, DeletedAgent};

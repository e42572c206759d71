//! The agents of a workspace: each handles conversations, and is what keys are scoped to.

/// Deleting an agent.
pub mod delete;
/// The Agents page and its forms.
pub mod page;

/// What pages and command line do with agents.
#[cfg(feature = "ssr")]
pub mod operations;
/// The Agents API's handlers.
#[cfg(feature = "ssr")]
pub mod routes;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

use crate::id::AgentId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An agent, as far as other things name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct AgentName {
    pub id: AgentId,
    pub name: String,
}

/// An agent with what its page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Agent {
    pub id: AgentId,
    /// Works wherever its id does.
    pub slug: String,
    pub name: String,
    pub created_at: Timestamp,
    /// How many conversations it has had.
    pub conversations: i64,
}

//! Types for agents.

use crate::base::id::AgentId;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An agent's id and name, as lists and other objects refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct AgentName {
    pub id: AgentId,
    pub name: String,
}

/// An agent with the details that the Agents page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Agent {
    pub id: AgentId,
    /// Short name for addresses. It can be used wherever the id can.
    pub slug: String,
    pub name: String,
    pub created_at: Timestamp,
    /// Number of stored conversations.
    pub conversations: i64,
}

/// What deleting an agent affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDependents {
    /// Number of conversations, which are deleted with the agent.
    pub conversations: i64,
    pub variants: i64,
    pub deployments: i64,
    /// Number of keys that cover no other agent. They remain, but grant access to nothing.
    pub keys: i64,
}

/// A deleted agent, whose deletion can still be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct DeletedAgent {
    pub id: AgentId,
    pub name: String,
    pub deleted_at: Timestamp,
    pub deleted_by: String,
}

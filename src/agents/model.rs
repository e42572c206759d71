//! Types and rules for agents.

use crate::base::id::AgentId;
use crate::base::time::Timestamp;
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

/// What goes with an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belongings {
    /// Its conversations, with what belongs to them.
    pub conversations: i64,
    /// The keys that cover no other agent, which then open nothing.
    pub keys: i64,
}

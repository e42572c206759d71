//! What the gate knows of keys, workspaces and agents: as much as a decision needs.

use crate::agents::AgentName;
use crate::api_keys::Permissions;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::configuration::Configuration;
use crate::usage::record::Counts;
use crate::workspaces::Workspace;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// A key, without its value.
#[derive(Debug)]
pub struct KnownKey {
    pub workspace: WorkspaceId,
    pub id: ApiKeyId,
    pub name: Box<str>,
    /// The chosen agents that still exist, in order; `None` for all agents.
    pub agents: Option<Box<[AgentId]>>,
    pub permissions: Permissions,
    pub expires_at: Timestamp,
    /// Made with the first call.
    pub(crate) counts: OnceLock<Arc<Counts>>,
}

impl KnownKey {
    /// Whether it covers this agent of its workspace.
    pub fn covers(&self, agent: &AgentId) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.binary_search(agent).is_ok())
    }
}

/// An agent, and what it lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAgent {
    pub agent: Arc<AgentName>,
    pub configuration: Arc<Configuration>,
}

/// A workspace with its agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownWorkspace {
    pub workspace: Arc<Workspace>,
    /// By id and by slug: an address means one agent.
    pub agents: HashMap<Box<str>, KnownAgent>,
}

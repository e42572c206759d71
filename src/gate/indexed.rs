//! What the gate knows of keys, workspaces and agents: as much as a decision needs.

use crate::agents::AgentName;
use crate::api_keys::Permissions;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::configuration::Configuration;
use crate::usage::counts::Counts;
use crate::workspaces::Workspace;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// A key, without its value.
#[derive(Debug)]
pub struct IndexedKey {
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

impl IndexedKey {
    /// Whether it covers this agent of its workspace.
    pub fn covers(&self, agent: &AgentId) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.binary_search(agent).is_ok())
    }
}

/// An agent, and what it lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedAgent {
    pub agent: Arc<AgentName>,
    pub configuration: Arc<Configuration>,
}

/// A workspace with its agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedWorkspace {
    pub workspace: Arc<Workspace>,
    /// By id and by slug: an address means one agent.
    pub agents: HashMap<Box<str>, IndexedAgent>,
}

/// A key that is one of ours, and its workspace; it may have expired.
#[derive(Clone, Debug)]
pub struct Holder {
    pub key: Arc<IndexedKey>,
    pub(super) workspace: HolderWorkspace,
}

/// The key's own workspace, from where the key was found.
#[derive(Clone, Debug)]
pub(super) enum HolderWorkspace {
    Known(Arc<IndexedWorkspace>),
    Stored(Arc<Workspace>),
}

impl Holder {
    /// A key in memory.
    pub fn known(key: Arc<IndexedKey>, workspace: Arc<IndexedWorkspace>) -> Self {
        Self { key, workspace: HolderWorkspace::Known(workspace) }
    }

    /// The workspace that the key belongs to.
    pub fn workspace(&self) -> &Arc<Workspace> {
        match &self.workspace {
            HolderWorkspace::Known(known) => &known.workspace,
            HolderWorkspace::Stored(stored) => stored,
        }
    }
}

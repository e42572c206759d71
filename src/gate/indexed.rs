//! Keys, workspaces and agents as the gate holds them, with the data that a decision needs.

use crate::agents::AgentName;
use crate::api_keys::Permissions;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::configuration::Configuration;
use crate::gate::limits::KeyLimiter;
use crate::usage::counts::KeyCounters;
use crate::workspaces::Workspace;
use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// A key without its value.
#[derive(Debug)]
pub struct IndexedKey {
    pub workspace: WorkspaceId,
    pub id: ApiKeyId,
    pub name: Box<str>,
    /// Ids of the chosen agents that exist, sorted; `None` for all agents.
    pub agents: Option<Box<[AgentId]>>,
    pub permissions: Permissions,
    /// When this value of the key ends.
    pub expires_at: Timestamp,
    pub is_paused: bool,
    /// Whether this is the value that a rotation replaced.
    pub is_old_value: bool,
    /// The networks from which it may be used; `None` for all.
    pub networks: Option<Box<[IpNet]>>,
    /// `None` if it has no limits.
    pub limiter: Option<Arc<KeyLimiter>>,
    /// When this value ends, as a header; made by the first call that is told of it.
    pub(crate) sunset: OnceLock<Option<HeaderValue>>,
    /// Usage counters, created by the key's first call.
    pub(crate) counts: OnceLock<Arc<KeyCounters>>,
    /// The headers of forward auth's answers to the key, made by the first such call.
    pub(crate) forward_auth_headers: OnceLock<Box<HeaderMap>>,
}

impl IndexedKey {
    /// Whether the key may be used from this address. One that is not known is in no network.
    pub fn opens_from(&self, address: Option<IpAddr>) -> bool {
        let Some(networks) = &self.networks else { return true };
        address.is_some_and(|address| {
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        })
    }

    /// Whether the key covers this agent of its workspace.
    pub fn covers(&self, agent: &AgentId) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.binary_search(agent).is_ok())
    }
}

/// An agent with its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedAgent {
    pub agent: Arc<AgentName>,
    pub configuration: Arc<Configuration>,
}

/// A workspace with its agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedWorkspace {
    pub workspace: Arc<Workspace>,
    /// Each agent under its id and under its slug. No slug is another agent's id.
    pub agents: HashMap<Box<str>, IndexedAgent>,
}

/// A known key and its workspace. The key may have expired.
#[derive(Clone, Debug)]
pub struct Holder {
    pub key: Arc<IndexedKey>,
    pub(super) workspace: HolderWorkspace,
}

/// The key's workspace, from the index or from the database.
#[derive(Clone, Debug)]
pub(super) enum HolderWorkspace {
    Known(Arc<IndexedWorkspace>),
    Stored(Arc<Workspace>),
}

impl Holder {
    /// A key from the index.
    pub fn known(key: Arc<IndexedKey>, workspace: Arc<IndexedWorkspace>) -> Self {
        Self { key, workspace: HolderWorkspace::Known(workspace) }
    }

    pub fn workspace(&self) -> &Arc<Workspace> {
        match &self.workspace {
            HolderWorkspace::Known(known) => &known.workspace,
            HolderWorkspace::Stored(stored) => stored,
        }
    }
}

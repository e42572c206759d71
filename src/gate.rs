//! The one decision: may this key make this call? Header, key, expiry, workspace, permission, agent, in that order, and
//! one answer to each stranger: what is refused with 401 says nothing about why, what is refused with 403 says nothing
//! about what exists elsewhere.

/// Who makes a call, as handlers see it.
pub mod caller;
/// The decision itself, without database and HTTP.
pub mod decision;
/// Keeping the index in step with the database.
pub mod follower;
/// Which servers follow a change.
pub mod followers;
/// Every live key in memory.
pub mod index;
/// What the gate knows of keys, workspaces and agents.
pub mod indexed;
/// What of the gate is measured.
pub mod metrics;
/// The key in a request.
pub mod presented;
/// The SQL.
pub mod store;

use crate::agents::AgentName;
use crate::api_keys::Permission;
use crate::api_keys::secret::HashedKey;
use crate::base::error::Error;
use crate::base::time::Timestamp;
use crate::configuration::Configuration;
use crate::db::Work;
use crate::http::envelope::ApiError;
use crate::workspaces::Workspace;
use axum::http::{HeaderMap, StatusCode};
use decision::{CallNeeds, KeyFacts, NeededAgent, RefusalReason};
use index::{Gate, View};
use indexed::{Holder, HolderWorkspace, IndexedAgent};
use std::sync::Arc;
use std::time::Instant;

/// What a call that the gate let through may touch.
#[derive(Clone, Debug)]
pub struct Pass {
    pub workspace: Arc<Workspace>,
    pub agent: Arc<AgentName>,
    /// What the agent lets through.
    pub configuration: Arc<Configuration>,
}

/// What a call needs of its key.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// The workspace's id or slug; `None` for the key's own.
    pub account_id: Option<&'a str>,
    /// `None` where any key will do.
    pub permission: Option<Permission>,
    /// The agent's id or slug; `None` where the call is about the workspace as a whole.
    pub project_id: Option<&'a str>,
}

/// Why a call was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The gate decided so.
    Refused(RefusalReason),
    /// It could not decide: 503 or 500.
    Failed,
    /// Its database is gone.
    Unavailable,
}

impl Gate {
    /// Decides on a call.
    pub async fn decide(&self, headers: &HeaderMap, need: Need<'_>) -> Result<Pass, Denied> {
        let holder = self.identify(headers, Instant::now()).await?;
        let (workspace, agent) = holder.decide(self, need, self.db().now()).await?;
        let IndexedAgent { agent, configuration } = agent.ok_or(Denied::Failed)?;
        Ok(Pass { workspace, agent, configuration })
    }

    /// The key that a request presents which began then, where it is one of ours.
    pub async fn identify(&self, headers: &HeaderMap, began: Instant) -> Result<Holder, Denied> {
        let hash = presented::presented(headers)?;
        let index = match self.view(began)? {
            View::Index(index) => index,
            View::Database => return self.stored(&hash).await,
        };
        if let Some(holder) = index.holder(&hash) {
            return Ok(holder);
        }
        drop(index);
        // It may have been made by the command line just now.
        follower::catch_up_for(self, began).await?;
        self.index().holder(&hash).ok_or(Denied::Refused(RefusalReason::Unknown))
    }

    async fn stored(&self, hash: &HashedKey) -> Result<Holder, Denied> {
        let db = self.db().of(Work::Decisions);
        let key = store::key(&db, hash).await?.ok_or(RefusalReason::Unknown)?;
        let workspace = store::workspace(&db, &key.workspace).await?.ok_or(RefusalReason::Unknown)?;
        Ok(Holder { key: Arc::new(key), workspace: HolderWorkspace::Stored(Arc::new(workspace)) })
    }
}

impl Holder {
    /// Decides what the key may do: the workspace, and the agent that was asked for.
    pub async fn decide(
        &self,
        gate: &Gate,
        need: Need<'_>,
        now: Timestamp,
    ) -> Result<(Arc<Workspace>, Option<IndexedAgent>), Denied> {
        let own = self.workspace();
        let named = need.account_id.is_none_or(|name| own.is_named(name));
        let agent = match need.project_id.filter(|_| named) {
            Some(name) => self.agent(gate, name).await?,
            None => None,
        };
        let asked = CallNeeds {
            workspace: named.then_some(&own.id),
            permission: need.permission,
            agent: match need.project_id {
                Some(_) => NeededAgent::Named(agent.as_ref().map(|known| &known.agent.id)),
                None => NeededAgent::NotAsked,
            },
            now,
        };
        let known = KeyFacts {
            workspace: &self.key.workspace,
            permissions: &self.key.permissions,
            expires_at: self.key.expires_at,
            covers_asked_agent: agent
                .as_ref()
                .map_or(self.key.agents.is_none(), |known| self.key.covers(&known.agent.id)),
        };
        decision::decide(&known, &asked)?;
        Ok((own.clone(), agent))
    }

    /// The agent of this id or slug in the key's workspace.
    async fn agent(&self, gate: &Gate, name: &str) -> Result<Option<IndexedAgent>, Error> {
        match &self.workspace {
            HolderWorkspace::Known(known) => Ok(known.agents.get(name).cloned()),
            HolderWorkspace::Stored(_) => store::agent(&gate.db().of(Work::Decisions), &self.key.workspace, name).await,
        }
    }
}

impl From<RefusalReason> for Denied {
    fn from(refusal: RefusalReason) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refused(refusal) => refusal.into(),
            Denied::Unavailable => Error::Unavailable.into(),
            Denied::Failed => Self::internal(),
        }
    }
}

impl From<RefusalReason> for ApiError {
    fn from(refusal: RefusalReason) -> Self {
        let forbidden = |message: String| Self::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", message);
        match refusal {
            // Always the same.
            RefusalReason::NoKey | RefusalReason::Malformed | RefusalReason::Unknown | RefusalReason::Expired => {
                let message = "The API key is missing or not valid. Send a valid key in the x-api-key header.";
                Self::new(StatusCode::UNAUTHORIZED, "AUTH_USER_INVALID_TOKEN", message)
            }
            RefusalReason::OtherWorkspace => forbidden("This key does not belong to this account_id.".to_owned()),
            RefusalReason::LacksPermission(permission) => {
                forbidden(format!("This key lacks the permission `{}`.", permission.label()))
            }
            RefusalReason::AgentNotCovered => forbidden("This key does not cover this project_id.".to_owned()),
            RefusalReason::NoSuchAgent => {
                Self::new(StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND", "Project ID does not exist.")
            }
            RefusalReason::TranscriptOff => {
                let message =
                    "Conversation transcript is off for this project_id in Configuration: it cannot be searched.";
                forbidden(message.to_owned())
            }
        }
    }
}

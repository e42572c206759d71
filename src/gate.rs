//! The gate decides whether a key may make a call. It checks, in this order: header, key, expiry, pause, network,
//! workspace, permission, agent, limits. Responses reveal nothing to outsiders: a 401 does not tell an unknown key from an expired or paused one,
//! and a 403 does not reveal what exists in other workspaces.

/// Extractor for the authenticated caller.
pub mod caller;
/// The decision as a pure function.
pub mod decision;
/// Keeping the index up to date with the database.
pub mod follower;
/// Acknowledgements of changes by other servers.
pub mod followers;
/// Reading the key from a request's headers.
pub mod header;
/// All keys in memory.
pub mod index;
/// Keys, workspaces and agents as the index holds them.
pub mod indexed;
/// Limits of keys.
pub mod limits;
/// Metrics.
pub mod metrics;
/// How long the index may be trusted.
pub mod state;
pub mod store;

use crate::agents::AgentName;
use crate::api_keys::Permission;
use crate::api_keys::secret::HashedKey;
use crate::base::time::Timestamp;
use crate::configuration::Configuration;
use crate::db::{DbError, WorkKind};
use crate::http::envelope::ApiError;
use crate::workspaces::Workspace;
use axum::http::{HeaderMap, StatusCode};
use decision::{CallNeeds, KeyFacts, NeededAgent, RefusalReason};
use indexed::{Holder, HolderWorkspace, IndexedAgent};
use state::{Gate, View};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// What an authorised call may access.
#[derive(Clone, Debug)]
pub struct AuthorisedCall {
    pub workspace: Arc<Workspace>,
    pub agent: Arc<AgentName>,
    /// The agent's configuration: metrics and transcripts that responses may contain.
    pub configuration: Arc<Configuration>,
}

/// The access that a call requires.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// The workspace's id or slug; `None` for the key's own workspace.
    pub account_id: Option<&'a str>,
    /// The permission that the key must have; `None` if it needs none.
    pub permission: Option<Permission>,
    /// The agent's id or slug; `None` if the call concerns the workspace as a whole.
    pub project_id: Option<&'a str>,
}

/// Why a call was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The gate refused the call.
    Refused(RefusalReason),
    /// The gate could not decide because of an internal error: 500.
    Failed,
    /// The database is not available: 503.
    Unavailable,
}

impl Gate {
    /// Decides on a call from an unknown address, without counting it.
    pub async fn decide(&self, headers: &HeaderMap, need: AccessRequest<'_>) -> Result<AuthorisedCall, Denial> {
        let holder = self.identify(headers, Instant::now()).await?;
        let (workspace, agent) = holder.decide(self, need, self.db().now(), None, |_| ()).await?;
        let IndexedAgent { agent, configuration } = agent.ok_or(Denial::Failed)?;
        Ok(AuthorisedCall { workspace, agent, configuration })
    }

    /// Finds the key that a request presents. `began` is the time at which the request began. What asks the database is
    /// boxed, here and in [`Holder::decide`]: a call is a future that is moved several times, and nearly all of them decide
    /// by the index.
    pub async fn identify(&self, headers: &HeaderMap, began: Instant) -> Result<Holder, Denial> {
        let hash = header::presented(headers)?;
        let index = match self.view(began)? {
            View::Index(index) => index,
            View::Database => return Box::pin(self.stored(&hash)).await,
        };
        if let Some(holder) = index.holder(&hash) {
            return Ok(holder);
        }
        drop(index);
        // The command line may have created the key just now.
        Box::pin(follower::catch_up_for(self, began)).await?;
        self.index().holder(&hash).ok_or(Denial::Refused(RefusalReason::Unknown))
    }

    async fn stored(&self, hash: &HashedKey) -> Result<Holder, Denial> {
        let db = self.db().of(WorkKind::Decisions);
        let key = store::key(&db, &self.limiters, hash).await?.ok_or(RefusalReason::Unknown)?;
        let workspace = store::workspace(&db, &key.workspace).await?.ok_or(RefusalReason::Unknown)?;
        Ok(Holder { key: Arc::new(key), workspace: HolderWorkspace::Stored(Arc::new(workspace)) })
    }
}

impl Holder {
    /// Decides whether the key has the access that a call requires. Returns the workspace, and the agent if the call
    /// names one. Tells `observe` of the agent, also where the call is then denied.
    pub async fn decide(
        &self,
        gate: &Gate,
        need: AccessRequest<'_>,
        now: Timestamp,
        address: Option<IpAddr>,
        observe: impl FnOnce(&Arc<AgentName>),
    ) -> Result<(Arc<Workspace>, Option<IndexedAgent>), Denial> {
        let own = self.workspace();
        let named = need.account_id.is_none_or(|name| own.is_named(name));
        let agent = match need.project_id.filter(|_| named) {
            Some(name) => self.agent(gate, name).await?,
            None => None,
        };
        if let Some(known) = &agent {
            observe(&known.agent);
        }
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
            is_paused: self.key.is_paused,
            opens_from_address: self.key.opens_from(address),
            covers_asked_agent: agent
                .as_ref()
                .map_or(self.key.agents.is_none(), |known| self.key.covers(&known.agent.id)),
        };
        decision::decide(&known, &asked)?;
        Ok((own.clone(), agent))
    }

    /// The agent with this id or slug in the key's workspace.
    async fn agent(&self, gate: &Gate, name: &str) -> Result<Option<IndexedAgent>, DbError> {
        match &self.workspace {
            HolderWorkspace::Known(known) => Ok(known.agents.get(name).cloned()),
            HolderWorkspace::Stored(_) => {
                let db = gate.db().of(WorkKind::Decisions);
                Box::pin(store::agent(&db, &self.key.workspace, name)).await
            }
        }
    }
}

impl From<RefusalReason> for Denial {
    fn from(refusal: RefusalReason) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DbError> for Denial {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

impl From<Denial> for ApiError {
    fn from(denied: Denial) -> Self {
        match denied {
            Denial::Refused(refusal) => refusal.into(),
            Denial::Unavailable => DbError::Unavailable.into(),
            Denial::Failed => Self::internal(),
        }
    }
}

impl From<RefusalReason> for ApiError {
    fn from(refusal: RefusalReason) -> Self {
        let forbidden = |message: String| Self::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", message);
        match refusal {
            // The same response for all of them.
            RefusalReason::NoKey
            | RefusalReason::Malformed
            | RefusalReason::Unknown
            | RefusalReason::Expired
            | RefusalReason::Paused => {
                let message = "The API key is missing or not valid. Send a valid key in the x-api-key header.";
                Self::new(StatusCode::UNAUTHORIZED, "AUTH_USER_INVALID_TOKEN", message)
            }
            RefusalReason::OtherNetwork => {
                forbidden("This key may not be used from this network. Ask whoever gave it to you.".to_owned())
            }
            RefusalReason::RateLimited => {
                let message = "This key makes too many calls at once. Try again after the time in Retry-After.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message)
            }
            RefusalReason::QuotaUsed => {
                let message =
                    "This key has used its calls of this month (UTC). Retry-After says when the next one begins.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "QUOTA_EXCEEDED", message)
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
                let message = "Conversation transcript is off for this project_id in Configuration, so transcripts cannot be searched and recordings cannot be downloaded.";
                forbidden(message.to_owned())
            }
            RefusalReason::CallerNumbersHidden => {
                let message =
                    "Caller numbers are not shown for this project_id in Configuration: they cannot be filters.";
                forbidden(message.to_owned())
            }
        }
    }
}

//! Asking for keys, and answering. Each change is recorded in the audit log, in the same transaction.

use crate::agents;
use crate::api_keys::service::{ApiKeyError, ApiKeys, CreatedKey, FormCreator, NewKey};
use crate::api_keys::{AgentScope, KeySettings};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::text::optional_line;
use crate::db::{Change, Db, DbError};
use crate::key_requests::store;
use crate::key_requests::{KeyRequest, NewKeyRequest};
use crate::workspaces;
use serde_json::json;
use std::collections::HashSet;

/// Most requests of one person that may wait.
const MAX_OF_ONE: i64 = 20;
/// Longest list of requests.
const MAX_LISTED: i64 = 500;
/// Longest reason, in characters.
const MAX_REASON: usize = 500;

/// Service for requests for keys.
#[derive(Clone, Debug)]
pub struct KeyRequests {
    db: Db,
    api_keys: ApiKeys,
}

impl KeyRequests {
    pub fn new(db: Db, api_keys: ApiKeys) -> Self {
        Self { db, api_keys }
    }

    /// Asks for a key, which gets the id `id`. The same form sent again is one request. Errors: the workspace's members may
    /// not ask for keys, its policy forbids such a key, or too many requests of this person wait.
    pub async fn ask(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        asked: NewKeyRequest,
    ) -> Result<(), ApiKeyError> {
        let reason = optional_line(&asked.reason, MAX_REASON).ok_or(Problem::ReasonTooLong)?;
        let asked = NewKeyRequest { reason, ..asked };
        // The request was approved already.
        if self.api_keys.find(workspace, id).await?.is_some() {
            return Ok(());
        }
        if let AgentScope::Chosen(chosen) = &asked.scope {
            let known: HashSet<AgentId> =
                agents::service::names(&self.db, workspace).await?.into_iter().map(|agent| agent.id).collect();
            if !chosen.iter().all(|agent| known.contains(agent)) {
                return Err(Problem::AgentsUnknown.into());
            }
        }
        let mut change = self.db.begin(actor).await?;
        let policy = workspaces::service::lock_policy(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        if !policy.members_may_request {
            return Err(ApiKeyError::NotFound);
        }
        self.api_keys.check(&policy, &asked.scope, &asked.permissions, asked.expires_at)?;
        if policy.networks_required && asked.networks.is_empty() {
            return Err(Problem::NetworksMissing.into());
        }
        if !store::insert(&mut change, workspace, id, &actor.name, &asked).await? {
            return Ok(());
        }
        if store::count_by(&mut change, workspace, &actor.name).await? > MAX_OF_ONE {
            return Err(Problem::TooManyRequested.into());
        }
        let details = json!({
            "agents": match &asked.scope {
                AgentScope::All => json!("all"),
                AgentScope::Chosen(agents) => json!(agents),
            },
            "permissions": asked.permissions,
            "expires_at": asked.expires_at.iso(),
            "reason": asked.reason,
            "networks": asked.networks,
        });
        record(&mut change, workspace, Action::KeyRequested, id, &asked, details).await?;
        Ok(change.commit().await?)
    }

    /// Number of requests that wait.
    pub async fn count(&self, workspace: &WorkspaceId) -> Result<u64, DbError> {
        Ok(store::count(&self.db, workspace).await?.max(0) as u64)
    }

    /// The requests that wait, oldest first, at most 500 of them.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<KeyRequest>, DbError> {
        store::list(&self.db, workspace, MAX_LISTED).await
    }

    /// Makes the key of a request. Who asked becomes its owner. With `form`, its value is left for the page that shows it
    /// once. Errors: somebody has answered the request, or those of creating a key.
    pub async fn approve(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        form: Option<FormCreator<'_>>,
    ) -> Result<CreatedKey, ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let request = store::take(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let asked = request.asked;
        let settings =
            KeySettings { owner: request.by, note: asked.reason, networks: asked.networks, ..KeySettings::default() };
        let new = NewKey {
            name: asked.name,
            scope: asked.scope,
            permissions: asked.permissions,
            expires_at: asked.expires_at,
            settings,
        };
        let value = self.api_keys.create_in(&mut change, workspace, actor, id, &new).await?;
        let value = value.ok_or(ApiKeyError::NotFound)?;
        if let Some(FormCreator { user, shown_once, .. }) = form {
            shown_once.put_in(&mut change, workspace, user, id.as_str(), value.expose()).await?;
        }
        change.commit().await?;
        Ok(CreatedKey { id: id.clone(), value })
    }

    /// Declines a request.
    pub async fn decline(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let request = store::take(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let details = json!({ "requested_by": request.by });
        record(&mut change, workspace, Action::KeyRequestDeclined, id, &request.asked, details).await?;
        Ok(change.commit().await?)
    }
}

async fn record(
    change: &mut Change,
    workspace: &WorkspaceId,
    action: Action,
    id: &ApiKeyId,
    asked: &NewKeyRequest,
    details: serde_json::Value,
) -> Result<(), DbError> {
    let entry = NewAuditEntry { action, subject_id: id.as_str(), subject: asked.name.as_str(), details };
    audit::record(change, workspace, entry).await
}

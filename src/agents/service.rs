//! Operations on agents. Each change is recorded in the audit log, in the same transaction.

use crate::agents::store::{self, DatedAgent};
use crate::agents::{Agent, AgentDependents, AgentName, DeletedAgent};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::text::single_line;
use crate::base::time::Timestamp;
use crate::conversations::service::Conversations;
use crate::db::{Change, Db, DbError, WorkKind};
use crate::workspaces::{self, slug};
use serde_json::json;

/// Longest name of an agent, in characters (the contract's `CreateAgentBody`).
pub const MAX_NAME_CHARS: usize = 100;
/// Longest list of deleted agents.
const MAX_DELETED: i64 = 1_000;

/// Why an operation on an agent failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    #[error("There is no such agent.")]
    NotFound,
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Service for agents.
#[derive(Clone, Debug)]
pub struct Agents {
    db: Db,
    conversations: Conversations,
}

impl Agents {
    pub fn new(db: Db, conversations: Conversations) -> Self {
        Self { db, conversations }
    }

    /// Creates an agent. Returns the agent and its slug, which is made from the name if none is given.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        name: &str,
        slug: Option<&str>,
    ) -> Result<(AgentName, String), AgentError> {
        let id = self.new_id();
        let CreatedAgent { agent, slug, .. } = self.create_as(workspace, actor, id, name, slug, "{}").await?;
        Ok((agent, slug))
    }

    /// Creates the agent of a form, which has the agent's id. The same form sent again creates nothing more.
    pub async fn create_from_form(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: AgentId,
        name: &str,
    ) -> Result<(), AgentError> {
        let created = self.create_as(workspace, actor, id.clone(), name, None, "{}").await;
        if !matches!(created, Err(AgentError::Invalid(Problem::SlugTaken))) {
            return created.map(drop);
        }
        let before = self.find(workspace, id.as_str()).await?;
        if before.is_some_and(|agent| agent.name == name.trim()) {
            return Ok(());
        }
        self.create(workspace, actor, name, None).await.map(drop)
    }

    /// Creates an agent with this id and these settings (JSON). No agent of the workspace may have the id as its id or
    /// slug.
    pub async fn create_as(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: AgentId,
        name: &str,
        slug: Option<&str>,
        settings: &str,
    ) -> Result<CreatedAgent, AgentError> {
        let created_at = self.db.now();
        let name = single_line(name, MAX_NAME_CHARS)?;
        let agent = AgentName { id, name };
        let mut change = self.db.begin(actor).await?;
        if store::slug_taken(&mut change, workspace, agent.id.as_str()).await? {
            return Err(Problem::SlugTaken.into());
        }
        let slug = match slug {
            Some(slug) => {
                let slug = slug::parse(slug)?;
                if store::slug_taken(&mut change, workspace, &slug).await? {
                    return Err(Problem::SlugTaken.into());
                }
                slug
            }
            None => {
                let slug = slug::from_name(&agent.name, "agent");
                let taken = store::slug_taken(&mut change, workspace, &slug).await?;
                if taken { slug::with_suffix(&slug, self.db.random()) } else { slug }
            }
        };
        if !store::insert(&mut change, workspace, &agent, &slug, settings, created_at).await? {
            return Err(Problem::SlugTaken.into());
        }
        let entry = NewAuditEntry {
            action: Action::AgentCreated,
            subject_id: agent.id.as_str(),
            subject: &agent.name,
            details: json!({ "slug": slug }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok(CreatedAgent { agent, slug, created_at })
    }

    /// Makes an id for a new agent.
    pub fn new_id(&self) -> AgentId {
        AgentId::generate(self.db.random())
    }

    /// Every agent of a workspace, newest first.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<Agent>, DbError> {
        store::list(&self.db, workspace).await
    }

    /// Id and name of every agent, in the order of names.
    pub async fn names(&self, workspace: &WorkspaceId) -> Result<Vec<AgentName>, DbError> {
        store::names(&self.db, workspace).await
    }

    /// The agents that a key covers, oldest first. `all` stands for a key that covers every agent.
    pub async fn covered(
        &self,
        workspace: &WorkspaceId,
        key: &ApiKeyId,
        all: bool,
    ) -> Result<Vec<DatedAgent>, DbError> {
        store::covered(&self.db.of(WorkKind::Api), workspace, key, all).await
    }

    /// The agent with this id or slug.
    pub async fn find(&self, workspace: &WorkspaceId, id_or_slug: &str) -> Result<Option<AgentName>, DbError> {
        store::find(&self.db, workspace, id_or_slug).await
    }

    /// What deleting this agent would affect.
    pub async fn belongings(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<AgentDependents, DbError> {
        store::belongings(&self.db, workspace, agent).await
    }

    /// The settings that the Agents API stored for an agent, as JSON.
    pub async fn settings(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Option<String>, DbError> {
        store::settings(&self.db.of(WorkKind::Api), workspace, agent).await
    }

    /// Renames an agent. Its id and slug do not change, because integrations use them.
    pub async fn rename(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &AgentId,
        name: &str,
    ) -> Result<(), AgentError> {
        let name = single_line(name, MAX_NAME_CHARS)?;
        let before = store::find(&self.db, workspace, id.as_str()).await?.ok_or(AgentError::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        if !store::rename(&mut change, workspace, &before.id, &name, self.db.now()).await? {
            return Err(AgentError::NotFound);
        }
        let entry = NewAuditEntry {
            action: Action::AgentRenamed,
            subject_id: before.id.as_str(),
            subject: &name,
            details: json!({ "name": { "from": before.name, "to": name } }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// Deletes an agent with its conversations. No API knows it from then on. The deletion can be undone for as many days as
    /// the workspace's settings say. Keys that covered only this agent remain, but grant access to nothing.
    ///
    /// Where deletions are for good, conversations are erased first, in batches. If there are too many for the time limit
    /// of one request, a second attempt continues with the rest.
    pub async fn delete(&self, workspace: &WorkspaceId, actor: &Actor, agent: &AgentName) -> Result<(), AgentError> {
        let gone = store::belongings(&self.db, workspace, &agent.id).await?;
        let for_good = workspaces::service::find(&self.db, workspace.as_str()).await?.is_none_or(|w| w.undo_days == 0);
        if for_good {
            self.conversations.erase_all(workspace, &agent.id).await?;
        }
        let mut change = self.db.begin(actor).await?;
        let found = match for_good {
            true => store::delete(&mut change, workspace, &agent.id).await?,
            false => store::mark_deleted(&mut change, workspace, &agent.id, &actor.name).await?,
        };
        if !found {
            return Err(AgentError::NotFound);
        }
        let entry = NewAuditEntry {
            action: Action::AgentDeleted,
            subject_id: agent.id.as_str(),
            subject: &agent.name,
            details: json!({
                "conversations": gone.conversations,
                "variants": gone.variants,
                "deployments": gone.deployments,
                "keys_without_agents": gone.keys,
            }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// Undoes the deletion of an agent. It has its conversations, and keys open it again.
    pub async fn restore(&self, workspace: &WorkspaceId, actor: &Actor, id: &AgentId) -> Result<(), AgentError> {
        let mut change = self.db.begin(actor).await?;
        let undo_days = workspaces::service::undo_days(&mut change, workspace).await?.ok_or(AgentError::NotFound)?;
        let since = self.db.now().plus_days(-i64::from(undo_days));
        let name = store::restore(&mut change, workspace, id, since).await?.ok_or(AgentError::NotFound)?;
        let entry = NewAuditEntry {
            action: Action::AgentRestored,
            subject_id: id.as_str(),
            subject: &name,
            details: json!({}),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// The latest agents whose deletion can still be undone, at most 1,000 of them.
    pub async fn deleted(&self, workspace: &WorkspaceId, undo_days: i32) -> Result<Vec<DeletedAgent>, DbError> {
        let since = self.db.now().plus_days(-i64::from(undo_days));
        store::deleted(&self.db, workspace, since, MAX_DELETED).await
    }

    /// Erases the agents of all workspaces whose deletion can no longer be undone, with their conversations.
    pub async fn erase_deleted(&self) -> Result<(), DbError> {
        let db = self.db.of(WorkKind::Background);
        for (workspace, id) in store::due(&db, db.now()).await? {
            if let Err(error) = self.erase(&db, &workspace, &id).await {
                tracing::error!(%workspace, agent = %id, %error, "a deleted agent could not be erased");
            }
        }
        Ok(())
    }

    async fn erase(&self, db: &Db, workspace: &WorkspaceId, id: &AgentId) -> Result<(), DbError> {
        let mut change = db.begin_unattended().await?;
        if !store::begin_erasure(&mut change, workspace, id).await? {
            return Ok(());
        }
        change.commit().await?;
        self.conversations.erase_all(workspace, id).await?;
        let mut change = db.begin_unattended().await?;
        store::erase(&mut change, workspace, id).await?;
        change.commit().await
    }
}

/// A newly created agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedAgent {
    pub agent: AgentName,
    pub slug: String,
    pub created_at: Timestamp,
}

/// Locks an agent until the transaction ends, for changes of what belongs to it; `false` if it does not exist. The time
/// of its last change becomes that of the change.
pub async fn lock(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId) -> Result<bool, DbError> {
    store::touch(change, workspace, agent).await
}

/// Id and name of every agent; for services of other modules.
pub async fn names(db: &Db, workspace: &WorkspaceId) -> Result<Vec<AgentName>, DbError> {
    store::names(db, workspace).await
}

/// The agent with this id or slug; for services of other modules.
pub async fn find(db: &Db, workspace: &WorkspaceId, id_or_slug: &str) -> Result<Option<AgentName>, DbError> {
    store::find(db, workspace, id_or_slug).await
}

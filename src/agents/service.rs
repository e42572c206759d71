//! What pages and command line do with agents. Each is one transaction with its audit entry.

use crate::agents::store::{self, DatedAgent};
use crate::agents::{Agent, AgentName, Belongings};
use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::{Error, Problem};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::text::single_line;
use crate::base::time::Timestamp;
use crate::conversations::service::Conversations;
use crate::db::{Db, Work};
use crate::workspaces::slug;
use serde_json::json;

/// Most characters of an agent's name (the contract's `CreateAgentBody`).
pub const MAX_NAME_CHARS: usize = 100;

/// Agents of workspaces: made, renamed, deleted, found.
#[derive(Clone, Debug)]
pub struct Agents {
    db: Db,
}

impl Agents {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Makes an agent. Without a slug it gets one made from its name.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        name: &str,
        slug: Option<&str>,
    ) -> Result<(AgentName, String), Error> {
        let id = self.new_id();
        let CreatedAgent { agent, slug, .. } = self.create_as(workspace, actor, id, name, slug, "{}").await?;
        Ok((agent, slug))
    }

    /// Makes an agent with this id, which no agent of the workspace may have as its id or slug.
    pub async fn create_as(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: AgentId,
        name: &str,
        slug: Option<&str>,
        settings: &str,
    ) -> Result<CreatedAgent, Error> {
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
        store::insert(&mut change, workspace, &agent, &slug, settings, created_at).await?;
        let entry = Entry {
            action: Action::AgentCreated,
            subject_id: agent.id.as_str(),
            subject: &agent.name,
            details: json!({ "slug": slug }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok(CreatedAgent { agent, slug, created_at })
    }

    /// An id for a new agent.
    pub fn new_id(&self) -> AgentId {
        AgentId::generate(self.db.random())
    }

    /// Every agent of a workspace, newest first.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<Agent>, Error> {
        store::list(&self.db, workspace).await
    }

    /// Every agent's name.
    pub async fn names(&self, workspace: &WorkspaceId) -> Result<Vec<AgentName>, Error> {
        store::names(&self.db, workspace).await
    }

    /// The agents that a key covers, oldest first.
    pub async fn covered(&self, workspace: &WorkspaceId, key: &ApiKeyId, all: bool) -> Result<Vec<DatedAgent>, Error> {
        store::covered(&self.db.of(Work::Api), workspace, key, all).await
    }

    /// The agent with this id or slug.
    pub async fn find(&self, workspace: &WorkspaceId, id_or_slug: &str) -> Result<Option<AgentName>, Error> {
        store::find(&self.db, workspace, id_or_slug).await
    }

    /// What would go with an agent.
    pub async fn belongings(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Belongings, Error> {
        store::belongings(&self.db, workspace, agent).await
    }

    /// What the Agents API keeps of an agent's settings, as JSON.
    pub async fn settings(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Option<String>, Error> {
        store::settings(&self.db.of(Work::Api), workspace, agent).await
    }

    /// Gives an agent another name; its id and slug, which integrations use, stay.
    pub async fn rename(&self, workspace: &WorkspaceId, actor: &Actor, id: &AgentId, name: &str) -> Result<(), Error> {
        let name = single_line(name, MAX_NAME_CHARS)?;
        let before = store::find(&self.db, workspace, id.as_str()).await?.ok_or(Error::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        if !store::rename(&mut change, workspace, &before.id, &name, self.db.now()).await? {
            return Err(Error::NotFound);
        }
        let entry = Entry {
            action: Action::AgentRenamed,
            subject_id: before.id.as_str(),
            subject: &name,
            details: json!({ "name": { "from": before.name, "to": name } }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await
    }

    /// Deletes an agent with its conversations; keys that covered it alone open nothing from then on. The conversations go
    /// first, some at a time: so many that it takes longer than a request may go on where they were when it is tried again.
    pub async fn delete(&self, workspace: &WorkspaceId, actor: &Actor, agent: &AgentName) -> Result<(), Error> {
        let gone = store::belongings(&self.db, workspace, &agent.id).await?;
        Conversations::new(self.db.clone()).erase_all(workspace, &agent.id).await?;
        let mut change = self.db.begin(actor).await?;
        if !store::delete(&mut change, workspace, &agent.id).await? {
            return Err(Error::NotFound);
        }
        let entry = Entry {
            action: Action::AgentDeleted,
            subject_id: agent.id.as_str(),
            subject: &agent.name,
            details: json!({ "conversations": gone.conversations, "keys_without_agents": gone.keys }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await
    }
}

/// An agent just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedAgent {
    pub agent: AgentName,
    pub slug: String,
    pub created_at: Timestamp,
}

/// The agent with this id or slug, for other nouns.
pub async fn find(db: &Db, workspace: &WorkspaceId, id_or_slug: &str) -> Result<Option<AgentName>, Error> {
    store::find(db, workspace, id_or_slug).await
}

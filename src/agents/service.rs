//! What pages and command line do with agents. Each is one transaction with its audit entry.

use crate::agents::{AgentName, store};
use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::{Error, Problem};
use crate::base::id::{AgentId, WorkspaceId};
use crate::base::text::single_line;
use crate::base::time::Timestamp;
use crate::conversations;
use crate::gate;
use crate::server::state::App;
use crate::workspaces::slug;
use serde_json::json;

/// Most characters of an agent's name (the contract's `CreateAgentBody`).
pub const MAX_NAME_CHARS: usize = 100;

/// Makes an agent. Without a slug it gets one made from its name.
pub async fn create(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    name: &str,
    slug: Option<&str>,
) -> Result<(AgentName, String), Error> {
    let id = AgentId::generate(&app.random);
    let Created { agent, slug, .. } = create_as(app, workspace, actor, id, name, slug, "{}").await?;
    Ok((agent, slug))
}

/// An agent just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub agent: AgentName,
    pub slug: String,
    pub created_at: Timestamp,
}

/// Makes an agent with this id, which no agent of the workspace may have as its id or slug.
pub async fn create_as(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    id: AgentId,
    name: &str,
    slug: Option<&str>,
    settings: &str,
) -> Result<Created, Error> {
    let created_at = app.clock.now();
    let name = single_line(name, MAX_NAME_CHARS)?;
    let agent = AgentName { id, name };
    let mut tx = app.db.begin().await?;
    if store::slug_taken(&mut tx, workspace, agent.id.as_str()).await? {
        return Err(Problem::SlugTaken.into());
    }
    let slug = match slug {
        Some(slug) => {
            let slug = slug::parse(slug)?;
            if store::slug_taken(&mut tx, workspace, &slug).await? {
                return Err(Problem::SlugTaken.into());
            }
            slug
        }
        None => {
            let slug = slug::from_name(&agent.name, "agent");
            let taken = store::slug_taken(&mut tx, workspace, &slug).await?;
            if taken { slug::with_suffix(&slug, &app.random) } else { slug }
        }
    };
    store::insert(&mut tx, workspace, &agent, &slug, settings, created_at).await?;
    let entry = Entry {
        action: Action::AgentCreated,
        subject_id: agent.id.as_str(),
        subject: &agent.name,
        details: json!({ "slug": slug }),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    gate::follower::commit(app, tx).await?;
    Ok(Created { agent, slug, created_at })
}

/// Gives an agent another name; its id and slug, which integrations use, stay.
pub async fn rename(app: &App, workspace: &WorkspaceId, actor: &Actor, id: &AgentId, name: &str) -> Result<(), Error> {
    let name = single_line(name, MAX_NAME_CHARS)?;
    let before = store::find(&app.db, workspace, id.as_str()).await?.ok_or(Error::NotFound)?;
    let mut tx = app.db.begin().await?;
    if !store::rename(&mut tx, workspace, &before.id, &name, app.clock.now()).await? {
        return Err(Error::NotFound);
    }
    let entry = Entry {
        action: Action::AgentRenamed,
        subject_id: before.id.as_str(),
        subject: &name,
        details: json!({ "name": { "from": before.name, "to": name } }),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    gate::follower::commit(app, tx).await
}

/// Deletes an agent with its conversations; keys that covered it alone open nothing from then on. The conversations go
/// first, some at a time: so many that it takes longer than a request may go on where they were when it is tried again.
pub async fn delete(app: &App, workspace: &WorkspaceId, actor: &Actor, agent: &AgentName) -> Result<(), Error> {
    let gone = store::belongings(&app.db, workspace, &agent.id).await?;
    conversations::service::erase_all(app, workspace, &agent.id).await?;
    let mut tx = app.db.begin().await?;
    if !store::delete(&mut tx, workspace, &agent.id).await? {
        return Err(Error::NotFound);
    }
    let entry = Entry {
        action: Action::AgentDeleted,
        subject_id: agent.id.as_str(),
        subject: &agent.name,
        details: json!({ "conversations": gone.conversations, "keys_without_agents": gone.keys }),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    gate::follower::commit(app, tx).await
}

//! Finding workspaces and agents by id or slug, with error messages for people.

use crate::agents::AgentName;
use crate::server::state::Services;
use crate::workspaces::Workspace;

/// The workspace with this id or slug.
pub async fn workspace(services: &Services, id_or_slug: &str) -> Result<Workspace, String> {
    let found = services.workspaces.find(id_or_slug).await.map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("there is no workspace `{id_or_slug}`; `workspace list` shows those there are"))
}

/// The agent with this id or slug.
pub async fn agent(services: &Services, workspace: &Workspace, id_or_slug: &str) -> Result<AgentName, String> {
    let found = services.agents.find(&workspace.id, id_or_slug).await.map_err(|e| e.to_string())?;
    found.ok_or_else(|| {
        format!("there is no agent `{id_or_slug}` in {}; `agent list` shows those there are", workspace.slug)
    })
}
